//! Tokens: a code works once, a refresh token works once, an access token for a day.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::refusal::{Answer, problem, revoked};
use super::world::World;

/// The integration's id.
pub const CLIENT: &str = "8a0f3c51-5a1b-4d3e-9a55-000000000001";
/// The integration's secret.
pub const SECRET: &str = "q1W2e3R4t5Y6u7I8o9P0-of-the-integration";
/// The address that the integration is registered with.
pub const REDIRECT: &str = "https://hub.example.com/amocrm/oauth";
/// The authorization code, good once.
pub const CODE: &str = "def502-the-authorization-code";
/// A token of the integration's keys.
pub const LONG_LIVED: &str = "long-lived-token-of-the-integration";

/// The tokens of one installation.
#[derive(Debug)]
pub struct Tokens {
    /// The code that has not been used.
    pub code: Option<String>,
    /// The refresh token that works.
    pub refresh: Option<String>,
    /// The access token that works.
    pub access: Option<String>,
    /// How often tokens were exchanged.
    pub exchanges: u64,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { code: Some(CODE.into()), refresh: None, access: None, exchanges: 0 }
    }
}

impl World {
    /// Whether a request's token is good.
    pub(super) fn knows(&self, bearer: &str) -> bool {
        bearer == LONG_LIVED || self.tokens.access.as_deref() == Some(bearer)
    }

    /// `POST /oauth2/access_token`.
    pub(super) fn exchange(&mut self, asked: &Value) -> Answer {
        let is = |name: &str, value: &str| asked[name] == value;
        if !is("client_id", CLIENT) || !is("client_secret", SECRET) {
            return revoked("Client authentication failed");
        }
        if !is("redirect_uri", REDIRECT) {
            return revoked("The redirect URI does not match");
        }
        match asked["grant_type"].as_str() {
            Some("authorization_code") if self.tokens.code.is_some() && asked["code"] == json!(self.tokens.code) => {
                self.tokens.code = None;
            }
            Some("authorization_code") => return (400, revoked("Authorization code has been revoked").1),
            Some("refresh_token")
                if self.tokens.refresh.is_some() && asked["refresh_token"] == json!(self.tokens.refresh) => {}
            Some("refresh_token") => return revoked("Token has been revoked"),
            _ => return problem(400, "Bad Request", "The grant type is not supported"),
        }
        self.tokens.exchanges += 1;
        let number = self.tokens.exchanges;
        let claims = json!({"aud": CLIENT, "jti": number, "account_id": self.account, "api_domain": self.home});
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        let head = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"RS256"}"#);
        let (access, refresh) = (format!("{head}.{claims}.signature{number}"), format!("def502-refresh-{number}"));
        let said = json!({"token_type": "Bearer", "expires_in": 86_400, "server_time": 1_763_700_000,
            "access_token": access, "refresh_token": refresh});
        (self.tokens.access, self.tokens.refresh) = (Some(access), Some(refresh));
        (200, said)
    }

    /// `GET /oauth2/account/current/subdomain`: the refresh token says whose, and is not used up.
    pub(super) fn subdomain(&self, refresh: &str) -> Answer {
        if self.tokens.refresh.as_deref() != Some(refresh) {
            return revoked("Token has been revoked");
        }
        (200, json!({"id": self.account, "subdomain": "acme", "domain": self.domain, "top_level_domain": "ru"}))
    }
}
