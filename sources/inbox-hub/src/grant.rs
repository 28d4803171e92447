//! Logging in, and staying so: refreshing before logging in, and never more often than the server allows.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard_sdk::Host;
use cordboard_sdk::http::Request;
use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::vocabulary::{Failure, Grant, Instant, Retryable};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::api::{Api, PAGE, logs_in};
use crate::look;
use crate::refusal::{self, Refusal};
use crate::settings::{Plan, Settings};

/// The window of the server's limit on logins.
const WINDOW: u64 = 15 * 60_000;
/// The server takes five in a window: one is left to people.
const CALLS: usize = 4;
/// The longest that a token is believed to live.
const DAY: u64 = 24 * 3_600_000;
/// A token is renewed so long before its end.
const AHEAD: u64 = 3_600_000;
/// After a call that came to nothing the next one waits so long, then twice as long each time.
const PAUSE: u64 = 30_000;
/// The attribute of a grant with the moments of the last logins and renewals, over restarts.
const AUTH_CALLS: &str = "auth-calls";
/// The hub's own attribute with the moments of those that came to nothing since, and the one with the words of the last.
const FAILED: &str = "failed-logins";
const WHY: &str = "failed-login";

/// What stands in a grant's token.
#[derive(Serialize, Deserialize)]
pub struct Token {
    /// The bearer token. Absent when the key alone is used.
    pub access: Option<String>,
    refresh: Option<String>,
    /// Which settings it was got with.
    stamp: String,
    /// It came of a renewal.
    renewed: bool,
}

impl Token {
    /// Reads a grant's token; one that this component did not make is none.
    pub fn read(token: &str) -> Option<Self> {
        serde_json::from_str(token).ok()
    }

    /// Whether it was got with these settings.
    pub fn is_of(&self, settings: &Settings) -> bool {
        self.stamp == stamp(settings)
    }
}

/// Changes when whoever logs in, or where, changes.
fn stamp(settings: &Settings) -> String {
    let who = json!([settings.url, settings.identifier, settings.password, settings.api_key, settings.auth]);
    hex::encode(&Sha256::digest(who.to_string())[..8])
}

/// Makes a new grant.
pub fn issue(host: &dyn Host, previous: Option<Grant>) -> Result<Grant, Failure> {
    let plan = Plan::of(host)?;
    if !logs_in(&plan.settings) {
        return keyed(host, &plan);
    }
    let login = Login { host, plan: &plan };
    let mut calls = Calls::of(previous.as_ref(), host.now());
    calls.rested(previous.as_ref())?;
    let token = previous.as_ref().and_then(|grant| Token::read(&grant.token));
    let token = token.filter(|token| token.is_of(&plan.settings));
    // One that was renewed and is refused all the same before its end: renewing again would not help.
    let ended = previous.and_then(|grant| grant.expires_at).is_none_or(|end| end <= host.now() + AHEAD);
    let refresh = token.filter(|token| ended || !token.renewed).and_then(|token| token.refresh);
    if let Some(refresh) = refresh {
        calls.take()?;
        match login.refresh(&refresh) {
            Ok(data) => return login.grant(&data, Some(refresh), true, &calls),
            Err(Refusal::Failure(failure @ (Failure::Retryable(_) | Failure::RateLimited(_)))) => return Err(failure),
            Err(Refusal::Uncertain(why)) => return Err(Failure::retryable(why)),
            Err(_) => {}
        }
    }
    calls.take()?;
    let data = login.login()?;
    login.grant(&data, None, false, &calls)
}

/// A grant that only says that the key is good.
fn keyed(host: &dyn Host, plan: &Plan) -> Result<Grant, Failure> {
    if plan.settings.auth != crate::settings::Auth::ApiKey {
        host.info("`identifier` or `password` is missing: requests are proved by the API key alone");
    }
    let api = Api::keyed(host, plan)?;
    let query = [("page", "1".to_owned()), ("limit", PAGE.to_string())];
    let listing = api.page("/api/sessions", &["sessions"], &query)?;
    let there: Vec<_> = listing.rows.iter().filter_map(|row| look::text(row, &["sessionId"])).collect();
    for session in plan.settings.sessions.iter().filter(|session| !there.contains(*session)) {
        if listing.rows.len() < PAGE {
            host.warn(format!("the server has no session `{session}` for this key"));
        }
    }
    let token = Token { access: None, refresh: None, stamp: stamp(&plan.settings), renewed: false };
    Ok(Grant { token: written(&token)?, expires_at: None, attributes: vec![("auth".to_owned(), "api_key".to_owned())] })
}

struct Login<'h> {
    host: &'h dyn Host,
    plan: &'h Plan,
}

impl Login<'_> {
    fn login(&self) -> Result<Value, Failure> {
        let settings = &self.plan.settings;
        let (Some(identifier), Some(password)) = (&settings.identifier, &settings.password) else {
            return Err(Failure::misconfigured("`identifier` and `password` must be set to log in"));
        };
        let body = json!({ settings.login_field.as_str(): identifier, "password": password });
        match self.ask(&settings.login_path, &body) {
            Ok(data) => Ok(data),
            Err(Refusal::Failure(Failure::Unauthorized(why))) => {
                Err(Failure::misconfigured(format!("{why}: see `identifier` and `password`")))
            }
            Err(Refusal::Failure(Failure::Rejected(rejected))) => Err(Failure::misconfigured(rejected.why)),
            Err(Refusal::Absent { why, .. }) => Err(Failure::misconfigured(format!("{why}: see `login_path`"))),
            Err(refusal) => Err(refusal.into()),
        }
    }

    fn refresh(&self, refresh: &str) -> Result<Value, Refusal> {
        self.ask(&self.plan.settings.refresh_path, &json!({ "refreshToken": refresh }))
    }

    fn ask(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        let url = format!("{}{path}", self.plan.site());
        let request = Request::post(url).json(body).header("accept", "application/json");
        let answer = request.timeout(Duration::from_secs(20)).send(self.host).map_err(Failure::from)?;
        refusal::data(&format!("POST {path}"), &answer, false, true)
    }

    fn grant(&self, data: &Value, old: Option<String>, renewed: bool, calls: &Calls) -> Result<Grant, Failure> {
        let Some(access) = look::text(data, &["accessToken", "access_token", "token"]) else {
            return Err(Failure::retryable("logging in: success, and no accessToken in the answer"));
        };
        let now = self.host.now();
        let life = life(&access, data, now);
        let mut attributes = vec![
            ("auth".to_owned(), "jwt".to_owned()),
            (AUTH_CALLS.to_owned(), calls.written()),
            ("obtained-by".to_owned(), if renewed { "renewal" } else { "login" }.to_owned()),
        ];
        attributes.extend(look::text(data, &["user.username", "user.email"]).map(|user| ("user".to_owned(), user)));
        let refresh = look::text(data, &["refreshToken", "refresh_token"]).or(old);
        let token = Token { access: Some(access), refresh, stamp: stamp(&self.plan.settings), renewed };
        let ahead = AHEAD.min(life / 4);
        Ok(Grant { token: written(&token)?, expires_at: Some(now + life - ahead), attributes })
    }
}

fn written(token: &Token) -> Result<String, Failure> {
    serde_json::to_string(token).map_err(|error| Failure::retryable(error.to_string()))
}

/// How long a token lives from now: what it says itself, what the answer says, or a day, whichever is shortest.
fn life(access: &str, data: &Value, now: Instant) -> u64 {
    let claims = access.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok());
    let claims: Option<Value> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    let exp = claims.and_then(|claims| look::count(&claims, &["exp"]));
    let by_claim = exp.map(|exp| exp.saturating_mul(1000).saturating_sub(now));
    let by_answer = look::text(data, &["expiresIn", "expires_in"]).and_then(|text| span(&text));
    [by_claim, by_answer, Some(DAY)].into_iter().flatten().min().unwrap_or(DAY)
}

/// `24h`, `7d`, `30m`, `3600s` or `3600` in milliseconds.
fn span(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].trim() {
        "d" => 86_400_000,
        "h" => 3_600_000,
        "m" => 60_000,
        "" | "s" => 1000,
        _ => return None,
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(unit)
}

/// The moments of the logins and renewals that still count.
struct Calls {
    moments: Vec<Instant>,
    /// Those of them that came to nothing lately.
    failed: Vec<Instant>,
    now: Instant,
}

impl Calls {
    fn of(previous: Option<&Grant>, now: Instant) -> Self {
        let told = |name: &str| -> Vec<Instant> {
            let moments = attribute(previous, name).unwrap_or_default().split(',');
            let moments = moments.filter_map(|moment| moment.parse().ok());
            moments.filter(|moment| now.saturating_sub(*moment) < WINDOW).collect()
        };
        let failed = told(FAILED);
        Self { moments: [told(AUTH_CALLS), failed.clone()].concat(), failed, now }
    }

    /// Whether enough time has passed since the last one that came to nothing.
    fn rested(&self, previous: Option<&Grant>) -> Result<(), Failure> {
        let Some(last) = self.failed.iter().max() else { return Ok(()) };
        let pause = PAUSE << (self.failed.len() - 1).min(5);
        let left = (last + pause).saturating_sub(self.now);
        if left == 0 {
            return Ok(());
        }
        let (passed, words) = (self.now.saturating_sub(*last) / 1000, attribute(previous, WHY).unwrap_or_default());
        let why = format!(
            "logging in came to nothing {passed} s ago, and is tried again in {} s: {words}",
            left.div_ceil(1000)
        );
        Err(Failure::Retryable(Retryable { why, status: None, after: Some(left) }))
    }

    /// Takes one of the calls that the server allows, or says how long there is none.
    fn take(&mut self) -> Result<(), Failure> {
        if self.moments.len() >= CALLS {
            let oldest = self.moments.iter().min().copied().unwrap_or(self.now);
            return Err(Failure::RateLimited(Some((oldest + WINDOW).saturating_sub(self.now))));
        }
        self.moments.push(self.now);
        Ok(())
    }

    fn written(&self) -> String {
        self.moments.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

fn attribute<'g>(grant: Option<&'g Grant>, name: &str) -> Option<&'g str> {
    let found = grant?.attributes.iter().find(|(own, _)| own == name);
    found.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, millis) in [("24h", 86_400_000), ("7d", 604_800_000), ("3600", 3_600_000), ("90s", 90_000)] {
            assert_eq!(span(text), Some(millis), "{text}");
        }
        for text in ["", "soon", "1y", "-1h", "99999999999999999999h"] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
