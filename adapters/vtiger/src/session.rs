//! Logging in: challenge, digest, session.

use cordboard_sdk::Host;
use cordboard_sdk::serde_json;
use cordboard_sdk::vocabulary::{Failure, Grant};
use md5::{Digest, Md5};

use crate::api::{Api, text};
use crate::known::Known;
use crate::refusal::Fault;
use crate::settings::Settings;

/// Milliseconds that a session is used for: less than PHP's 24 minutes without use, after which it is collected.
const LIFE: u64 = 20 * 60 * 1000;

/// Logs in and learns what the deliveries need to know.
pub fn issue(host: &dyn Host) -> Result<Grant, Failure> {
    let settings: Settings = host.settings_as()?;
    let api = Api::new(host, settings.site(), "");
    let login = match log_in(&api, &settings) {
        // Somebody else asked for a challenge in between, and ours was cancelled: the one sign of it is this refusal.
        Err(fault) if matches!(fault.code(), "INVALID_USER_CREDENTIALS" | "INVALID_AUTH_TOKEN") => {
            log_in(&api, &settings)?
        }
        result => result?,
    };
    let api = Api::new(host, settings.site(), text(&login, "sessionName"));
    let known = Known::learn(&api, &settings, &login)?;
    for problem in &known.problems {
        host.warn(problem);
    }
    let attributes = [
        ("user", text(&login, "username")),
        ("user-id", text(&login, "userId")),
        ("vtiger-version", text(&login, "vtigerVersion")),
        ("module", &settings.module),
    ];
    Ok(Grant {
        token: known.token(),
        expires_at: Some(host.now() + LIFE),
        attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    })
}

fn log_in(api: &Api, settings: &Settings) -> Result<serde_json::Value, Fault> {
    let token = api.challenge(&settings.username)?;
    let digest = hex::encode(Md5::digest(format!("{token}{}", settings.access_key)));
    api.login(&settings.username, &digest)
}
