//! What amoCRM's answers mean for the hub. The status decides, then the form of the body: never its words, which are
//! translated.

use cordboard_sdk::crm::{self, Refused};
use cordboard_sdk::http::Response;
use cordboard_sdk::serde_json::{self, Value};
use cordboard_sdk::vocabulary::{Failure, Retryable};

/// How much of amoCRM's own words is shown to people.
const SHOWN: usize = 300;

/// How long nothing is asked after "too many requests" that does not say how long, in milliseconds.
const TOO_MANY: u64 = 60_000;

/// How long nothing is asked once the address is blocked for flooding: asking on would prolong it.
const BLOCKED: u64 = 600_000;

/// Why a request has no result.
pub type Fault = crm::Fault<Said>;

/// A refusal in amoCRM's own form.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What was asked, for people.
    pub operation: String,
    /// The HTTP status.
    pub status: u16,
    /// The body, a JSON object.
    pub body: Value,
    /// How long to wait, in milliseconds.
    pub after: Option<u64>,
}

impl Refused for Said {
    fn status(&self) -> Option<u16> {
        Some(self.status)
    }

    fn is_gone(&self) -> bool {
        let code = self.body["error_code"].as_u64().or(self.body["code"].as_u64());
        // 113: the hub's address is shut out, which says nothing of what was asked about.
        self.status == 404 || self.status == 403 && code != Some(113)
    }

    fn is_refused(&self) -> bool {
        matches!(self.status, 400 | 422)
    }
}

impl From<Said> for Failure {
    fn from(said: Said) -> Self {
        said.meant()
    }
}

impl Said {
    /// What the hub should do.
    pub fn meant(&self) -> Failure {
        let Self { operation, status, body, after } = self;
        let why = format!("{operation}: {} (HTTP {status})", words(body));
        let code = body["error_code"].as_u64().or(body["code"].as_u64());
        match (status, code) {
            (401, Some(code)) => Failure::Unauthorized(format!("{why}, code {code}")),
            (401, None) => Failure::Unauthorized(why),
            (402, _) => Failure::Misconfigured(format!("{why}: the account is not paid; nothing is lost meanwhile")),
            (403, Some(113)) => Failure::Misconfigured(format!(
                "{why}: the hub's address is not on the account's list of allowed addresses"
            )),
            (403, _) => Failure::Misconfigured(format!("{why}: the integration's user lacks this right")),
            (408 | 425 | 500.., _) => {
                Failure::Retryable(Retryable { why, status: Some(*status), after: *after }).uncertain()
            }
            (429, _) => Failure::RateLimited(Some(after.unwrap_or(TOO_MANY))),
            (status, _) => Failure::rejected(format!("http-{status}"), why),
        }
    }
}

/// Reads an answer: its JSON, nothing at all for 204, or the refusal.
pub fn result(operation: &str, answer: &Response, writes: bool) -> Result<Option<Value>, Fault> {
    if answer.status == 204 {
        return Ok(None);
    }
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    match body {
        Some(body) if answer.is_success() && (body.is_object() || body.is_array()) => Ok(Some(body)),
        Some(body) if !answer.is_success() && body.is_object() => Err(Fault::Said(Said {
            operation: operation.to_owned(),
            status: answer.status,
            after: body["retry_after"].as_u64().map(|s| s.saturating_mul(1000)).or(answer.retry_after()),
            body,
        })),
        _ => Err(silent(operation, answer, writes)),
    }
}

/// What to make of an answer that is no JSON object.
fn silent(operation: &str, answer: &Response, writes: bool) -> Fault {
    let why = format!("{operation}: HTTP {}: {}", answer.status, excerpt(answer));
    let certain = |failure| Fault::Silent { failure, uncertain: false };
    match answer.status {
        429 => certain(Failure::RateLimited(Some(answer.retry_after().unwrap_or(TOO_MANY)))),
        403 => certain(Failure::RateLimited(Some(answer.retry_after().unwrap_or(BLOCKED)))),
        401 => certain(Failure::Unauthorized(why)),
        402 => certain(Failure::Misconfigured(format!("{why}: the account is not paid; nothing is lost meanwhile"))),
        // No account at this address (any more): where it has gone is asked for with the next grant.
        300..=399 | 404 => certain(Failure::Unauthorized(format!("{why}: the account may have moved"))),
        405 | 413 | 415 | 422 | 400 => certain(Failure::rejected(format!("http-{}", answer.status), why)),
        status => Fault::Silent {
            failure: Failure::Retryable(Retryable { why, status: Some(status), after: answer.retry_after() }),
            uncertain: writes,
        },
    }
}

/// amoCRM's own words: title, detail, hint, and what is wrong with which member.
pub fn words(body: &Value) -> String {
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let named = ["title", "hint", "detail", "error_type", "error_description"].into_iter().filter_map(text);
    let wrong = validation(body).into_iter().map(|(_, what)| what);
    let listed = body["errors"].as_array().into_iter().flatten();
    let listed = listed.filter_map(|one| one["title"].as_str().or(one["detail"].as_str())).map(str::to_owned);
    let mut all: Vec<String> = named.chain(wrong).chain(listed).collect();
    all.dedup();
    let line = all.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.is_empty() => "no reason given".to_owned(),
        None => line,
    }
}

/// What is wrong with which item of a request: by its `request_id`.
pub fn validation(body: &Value) -> Vec<(String, String)> {
    let items = body["validation-errors"].as_array().into_iter().flatten();
    let what = |item: &Value| {
        let errors = item["errors"].as_array().into_iter().flatten();
        let text = |error: &Value| {
            let word = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            format!("{}: {} ({})", word("path"), word("detail"), word("code"))
        };
        errors.map(text).collect::<Vec<_>>().join("; ")
    };
    items.map(|item| (plain(&item["request_id"]), what(item))).collect()
}

/// A text or a number as text.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn excerpt(answer: &Response) -> String {
    if answer.body.trim_ascii_start().starts_with(b"<") { "a page of HTML".to_owned() } else { answer.start() }
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::serde_json::json;

    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, body: body.as_bytes().to_vec(), ..Response::default() }
    }

    #[test]
    fn every_status_has_its_meaning() {
        let problem = |status: u16, more: Value| {
            let mut body =
                json!({"title": "Bad", "type": "https://httpstatus.es/400", "status": status, "detail": "d"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body.to_string()
        };
        for (status, body, expected, uncertain) in [
            (400, problem(400, json!({})), "rejected", false),
            (401, problem(401, json!({})), "unauthorized", false),
            (401, String::new(), "unauthorized", false),
            (402, problem(402, json!({})), "misconfigured", false),
            (403, problem(403, json!({})), "misconfigured", false),
            (403, problem(403, json!({"error_code": 113})), "misconfigured", false),
            (403, "Forbidden: too many requests".into(), "rate-limited", false),
            (404, problem(404, json!({})), "rejected", false),
            (404, "<html>".into(), "unauthorized", false),
            (301, String::new(), "unauthorized", false),
            (422, problem(422, json!({})), "rejected", false),
            (429, problem(429, json!({"retry_after": 300})), "rate-limited", false),
            (429, "Too Many Requests".into(), "rate-limited", false),
            (500, problem(500, json!({"trace_id": "x"})), "retryable", false),
            (502, "<html>".into(), "retryable", true),
            (504, String::new(), "retryable", true),
            (200, "<html>".into(), "retryable", true),
            (200, "7".into(), "retryable", true),
        ] {
            let fault = result("post calls", &answer(status, &body), true).unwrap_err();
            assert_eq!(matches!(fault, Fault::Silent { uncertain: true, .. }), uncertain, "{status} {body}");
            assert_eq!(Failure::from(fault).word(), expected, "{status} {body}");
            let read = result("get x", &answer(status, &body), false).unwrap_err();
            assert!(!matches!(read, Fault::Silent { uncertain: true, .. }), "{status}: nothing was written");
        }
        assert_eq!(result("x", &answer(204, ""), false), Ok(None));
    }

    #[test]
    fn waiting_is_as_long_as_was_asked() {
        let wait = |status, body: &str| Failure::from(result("x", &answer(status, body), true).unwrap_err());
        assert_eq!(wait(429, r#"{"retry_after":300}"#), Failure::RateLimited(Some(300_000)));
        assert_eq!(wait(429, "slow down"), Failure::RateLimited(Some(60_000)));
        assert_eq!(wait(403, "blocked"), Failure::RateLimited(Some(600_000)));
        let Failure::Retryable(it) = wait(504, "") else { panic!("retryable") };
        assert_eq!(it.after, Some(5000), "it may have been carried out");
    }

    #[test]
    fn tokens_of_an_answer_that_was_cut_are_not_shown() {
        let body = r#"{"token_type":"Bearer","expires_in":86400,"access_token":"eyJ0eXAi","refresh_token":"def50200"}"#;
        for end in 1..body.len() {
            let fault = result("exchange the code", &answer(200, &body[..end]), true).unwrap_err();
            let failure = Failure::from(fault);
            assert!(!failure.why().contains("eyJ") && !failure.why().contains("def5"), "{}", failure.why());
        }
    }

    #[test]
    fn validation_errors_say_which_member() {
        let body = json!({"title": "Bad Request", "detail": "Request validation failed", "validation-errors": [
            {"request_id": "7", "errors": [{"code": "NotSupportedChoice", "path": "pipeline_id", "detail": "wrong"}]}]});
        assert_eq!(validation(&body), [("7".to_owned(), "pipeline_id: wrong (NotSupportedChoice)".to_owned())]);
        assert!(words(&body).contains("pipeline_id: wrong"), "{}", words(&body));
    }
}
