//! What an answer of the server means.

use cordboard_sdk::http::Response;
use cordboard_sdk::serde_json::{self, Value};
use cordboard_sdk::vocabulary::{Failure, Retryable};

use crate::fit;
use crate::limits;
use crate::look;

/// Why a request did not succeed.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// What the hub should do about it.
    Failure(Failure),
    /// The session is not connected: nothing goes on until it is.
    NotConnected(String),
    /// There is no such thing, or no such route.
    Absent {
        /// The server's code.
        code: String,
        /// Its words.
        why: String,
    },
    /// It was to change something, and may have done so.
    Uncertain(String),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Failure(failure) => failure,
            Refusal::NotConnected(why) => Failure::rejected("SESSION_NOT_CONNECTED", why),
            Refusal::Absent { code, why } => Failure::rejected(code, why),
            Refusal::Uncertain(why) => Failure::retryable(why),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

/// The `data` of an answer that is a success. `writes`: the request was to change something. `jwt`: it carried a token.
pub fn data(operation: &str, answer: &Response, writes: bool, jwt: bool) -> Result<Value, Refusal> {
    let status = answer.status;
    if (300..400).contains(&status) {
        return Err(answer.failure().into());
    }
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok().filter(Value::is_object);
    let Some(mut body) = body else { return Err(nonsense(operation, answer, writes, jwt)) };
    let success = look::flag(&body, &["success"]);
    if matches!(status, 200 | 201) && success == Some(true) {
        return Ok(body.get_mut("data").map(Value::take).unwrap_or_default());
    }
    let code = look::text(&body, &["code", "error.code"]).map(|code| fit::line(&code)).unwrap_or_default();
    let words = look::text(&body, &["error", "error.message", "message"]).map(|words| fit::preview(&words));
    let details = look::first(&body, &["details"]).map(|details| format!(" ({})", fit::preview(&details.to_string())));
    let why = format!(
        "{operation}: answered {status} {code}: {}{}",
        words.unwrap_or_else(|| "no words".to_owned()),
        details.unwrap_or_default()
    );
    Err(meaning(&code, why, answer, writes, jwt, success))
}

fn meaning(code: &str, why: String, answer: &Response, writes: bool, jwt: bool, success: Option<bool>) -> Refusal {
    let status = answer.status;
    let coded = |fallback: &str| if code.is_empty() { fallback.to_owned() } else { code.to_owned() };
    match (code, status) {
        ("MISSING_API_KEY" | "INVALID_API_KEY", _) => Failure::misconfigured(format!("{why}: see `api_key`")).into(),
        ("SESSION_NOT_CONNECTED" | "SESSION_DISCONNECTED", _) => Refusal::NotConnected(why),
        ("RATE_LIMIT_EXCEEDED" | "MESSAGE_RATE_LIMIT_EXCEEDED", _) | (_, 429) => {
            Failure::RateLimited(limits::refused(answer)).into()
        }
        ("MISSING_TOKEN" | "INVALID_TOKEN" | "AUTHENTICATION_FAILED", _) | (_, 401) => unproved(why, jwt),
        ("SESSION_NOT_FOUND" | "CONTACT_NOT_FOUND", _) | (_, 404 | 405) => {
            Refusal::Absent { code: coded("not-found"), why }
        }
        ("CONNECTION_ERROR" | "INTERNAL_ERROR", _) | (_, 408 | 500..) => passing(why, answer, writes),
        ("WHATSAPP_ERROR", 200..300) if writes => Refusal::Uncertain(why),
        (_, 200..300) if success.is_none() => passing(why, answer, writes),
        ("", 200..300) if !writes => passing(why, answer, writes),
        _ => Failure::rejected(coded(&format!("http-{status}")), why).into(),
    }
}

/// An answer that is not the server's JSON: a proxy's page, say.
fn nonsense(operation: &str, answer: &Response, writes: bool, jwt: bool) -> Refusal {
    let why = format!("{operation}: answered {} and no JSON object: {}", answer.status, shown(answer));
    match answer.status {
        401 => unproved(why, jwt),
        429 => Failure::RateLimited(limits::refused(answer)).into(),
        404 | 405 => Refusal::Absent { code: format!("http-{}", answer.status), why },
        400..500 if answer.status != 408 => Failure::rejected(format!("http-{}", answer.status), why).into(),
        _ => passing(why, answer, writes),
    }
}

fn passing(why: String, answer: &Response, writes: bool) -> Refusal {
    if writes {
        return Refusal::Uncertain(why);
    }
    let after = answer.retry_after();
    Failure::Retryable(Retryable { why, status: Some(answer.status), after }).into()
}

/// Without a token there is none to renew: the settings are wrong.
fn unproved(why: String, jwt: bool) -> Refusal {
    match jwt {
        true => Failure::unauthorized(why).into(),
        false => Failure::misconfigured(format!("{why}: see `auth` and `api_key`")).into(),
    }
}

fn shown(answer: &Response) -> String {
    let start = String::from_utf8_lossy(&answer.body[..answer.body.len().min(500)]).into_owned();
    let start: String = start.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(120).collect();
    if start.is_empty() { "an empty body".to_owned() } else { start }
}
