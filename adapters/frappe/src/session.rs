//! Logging in, and the grant: what a session or a token is, and what was learnt of the site with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cordboard_sdk::Host;
use cordboard_sdk::http::Request;
use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::vocabulary::{Failure, Grant};

use crate::api::{Api, Credential};
use crate::known::Known;
use crate::refusal::{self, Fault, Said};
use crate::settings::{Auth, Settings};

/// Milliseconds that what was learnt is used for: a new field is noticed within the hour.
const LIFE: u64 = 60 * 60 * 1000;

/// Milliseconds until a token is used whose site could not be looked at.
const SOON: u64 = 60 * 1000;

/// What the grant keeps beside what was learnt.
#[derive(Debug, Clone, Default, PartialEq)]
struct Kept {
    /// The access token or the session's id; empty for keys, which stand in the settings.
    ticket: String,
    /// The newest refresh token.
    refresh: String,
    /// When the ticket ends, if that is known.
    until: Option<u64>,
}

/// Logs in where that is needed, and learns what the deliveries need to know.
pub fn issue(host: &dyn Host, previous: Option<&Grant>) -> Result<Grant, Failure> {
    let settings: Settings = host.settings_as()?;
    let kept = match settings.auth {
        Auth::Token | Auth::Basic | Auth::Bearer => Kept::default(),
        Auth::Oauth => refreshed(host, &settings, previous)?,
        Auth::Password => logged_in(host, &settings)?,
    };
    let api = Api::new(host, &settings, credential(&settings, &kept.ticket)?);
    let known = match Known::learn(&api, &settings) {
        Ok(known) => known,
        // The refresh token has been used up: the new one must be kept, whatever the site says now.
        Err(fault) if settings.auth == Auth::Oauth => {
            host.warn(format!("logged in, and the site could not be looked at: {}", Failure::from(fault).why()));
            let token = kept.token("");
            return Ok(Grant { token, expires_at: Some(host.now() + SOON), attributes: vec![] });
        }
        Err(fault) => return Err(fault.into()),
    };
    for problem in &known.problems {
        host.warn(problem);
    }
    let mut attributes = vec![("user".to_owned(), known.user.clone()), ("time-zone".to_owned(), known.zone.clone())];
    attributes.extend(known.versions.iter().map(|(app, version)| (format!("version-{app}"), version.clone())));
    let life = host.now() + LIFE;
    let expires_at = kept.until.map_or(life, |until| until.min(life));
    Ok(Grant { token: kept.token(&known.text()), expires_at: Some(expires_at), attributes })
}

/// Who asks, by the settings and the grant; and what was learnt.
pub fn of(host: &dyn Host, settings: &Settings) -> Result<(Credential, Known), Failure> {
    let grant = host.grant().ok_or_else(|| Failure::unauthorized("the site has not been looked at yet"))?;
    let token: Value = serde_json::from_str(&grant.token).unwrap_or_default();
    let known = Known::read(token["known"].as_str().unwrap_or_default())
        .ok_or_else(|| Failure::unauthorized("what is known of the site was learnt by another version"))?;
    if known.stamp != settings.stamp() {
        return Err(Failure::unauthorized("the settings have changed since the site was looked at"));
    }
    Ok((credential(settings, token["ticket"].as_str().unwrap_or_default())?, known))
}

fn credential(settings: &Settings, ticket: &str) -> Result<Credential, Failure> {
    let pair = || -> Result<String, Failure> {
        let key = settings.needed(&settings.api_key, "api_key")?;
        let secret = settings.needed(&settings.api_secret, "api_secret")?;
        Ok(format!("{key}:{secret}"))
    };
    Ok(match settings.auth {
        Auth::Token => Credential::Header(format!("token {}", pair()?)),
        Auth::Basic => Credential::Header(format!("Basic {}", STANDARD.encode(pair()?))),
        Auth::Bearer => {
            Credential::Header(format!("Bearer {}", settings.needed(&settings.access_token, "access_token")?))
        }
        Auth::Oauth => Credential::Header(format!("Bearer {ticket}")),
        Auth::Password => Credential::Session(ticket.to_owned()),
    })
}

impl Kept {
    /// What the hub stores. What was learnt is one text, for the hub blacks out whatever texts a grant has in it, and
    /// nobody could read exchanges without the names of fields.
    fn token(&self, known: &str) -> String {
        json!({"ticket": self.ticket, "refresh": self.refresh, "known": known}).to_string()
    }
}

/// A refresh token works once: the one of the grant goes before the one of the settings.
fn refreshed(host: &dyn Host, settings: &Settings, previous: Option<&Grant>) -> Result<Kept, Failure> {
    let client = settings.needed(&settings.client_id, "client_id")?;
    let first = settings.needed(&settings.refresh_token, "refresh_token")?;
    let stored = previous.and_then(|grant| serde_json::from_str::<Value>(&grant.token).ok());
    let stored = stored.and_then(|token| token["refresh"].as_str().map(str::to_owned)).filter(|text| !text.is_empty());
    let tokens: Vec<&str> = stored.iter().map(String::as_str).chain([first]).collect();
    let mut refused = None;
    for token in tokens {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client)];
        form.extend(settings.client_secret.as_deref().map(|secret| ("client_secret", secret)));
        let url = format!("{}/api/method/frappe.integrations.oauth2.get_token", settings.site());
        let answer = Request::post(url).form(form).header("accept", "application/json").send(host)?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        // On some versions the answer stands under `message`.
        let body = if body["message"].is_object() { body["message"].clone() } else { body };
        if let Some(ticket) = body["access_token"].as_str().filter(|_| answer.is_success()) {
            let life = body["expires_in"].as_u64().unwrap_or(3600).saturating_mul(1000);
            let refresh = body["refresh_token"].as_str().unwrap_or(token).to_owned();
            return Ok(Kept { ticket: ticket.to_owned(), refresh, until: Some(host.now().saturating_add(life)) });
        }
        let secrets = [vec![token.to_owned()], settings.secrets()].concat();
        let fault = refusal::result("renew the token", &answer, false).err();
        let fault = fault.map(|fault| refusal::without(fault, &secrets));
        match fault {
            Some(fault) if answer.status >= 500 || answer.status == 429 || (300..400).contains(&answer.status) => {
                return Err(fault.into());
            }
            _ if answer.is_success() => {
                return Err(Failure::retryable("renew the token: success, and no access token in the answer"));
            }
            _ => refused = body["error"].as_str().map(str::to_owned).or(refused),
        }
    }
    Err(Failure::misconfigured(format!(
        "renew the token: the site refuses the refresh token ({}): authorize the hub again and set `refresh_token` anew",
        refused.as_deref().unwrap_or("no reason given").chars().take(60).collect::<String>()
    )))
}

fn logged_in(host: &dyn Host, settings: &Settings) -> Result<Kept, Failure> {
    let user = settings.needed(&settings.username, "username")?;
    let password = settings.needed(&settings.password, "password")?;
    let url = format!("{}/api/method/login", settings.site());
    let body = json!({"usr": user, "pwd": password});
    let answer = Request::post(url).json(&body).header("accept", "application/json").send(host)?;
    let result = refusal::result("log in", &answer, false);
    let result = result.map_err(|fault| refusal::without(fault, &settings.secrets()));
    match result {
        Ok(_) => {}
        Err(Fault::Said(Said { status: 401, message, .. })) => {
            return Err(Failure::misconfigured(format!("log in: {message}: the user name or the password is wrong")));
        }
        Err(fault) => return Err(fault.into()),
    }
    let cookies = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"));
    let sid = cookies
        .filter_map(|(_, value)| std::str::from_utf8(value).ok())
        .filter_map(|cookie| cookie.split(';').next()?.trim().strip_prefix("sid="))
        .find(|sid| !sid.is_empty() && *sid != "Guest" && sid.chars().all(|c| c.is_ascii_graphic()));
    match sid {
        Some(sid) => Ok(Kept { ticket: sid.to_owned(), ..Kept::default() }),
        None => Err(Failure::misconfigured(
            "log in: the password was taken, and no session came of it: the user may need a second factor; use a key \
             pair",
        )),
    }
}

/// What a person must mend on the site: it is looked at anew.
pub fn check(host: &dyn Host) -> Result<Vec<String>, Failure> {
    let settings: Settings = host.settings_as()?;
    let (credential, _) = of(host, &settings)?;
    let known = Known::learn(&Api::new(host, &settings, credential), &settings)?;
    known.zone()?;
    // With nowhere to write anything to, nothing can be delivered at all.
    match known.blocked.values().next() {
        Some(why) if known.targets.keys().all(|kind| known.blocked.contains_key(kind)) => {
            Err(Failure::misconfigured(if known.blocked.len() == 1 { why.clone() } else { known.problems.join(" ") }))
        }
        _ => Ok(known.problems),
    }
}
