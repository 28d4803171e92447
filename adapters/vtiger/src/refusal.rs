//! What Vtiger's answers mean for the hub. The envelope decides, never the HTTP status: refusals come with 200.

use cordboard_sdk::crm::{self, Refused};
use cordboard_sdk::http::Response;
use cordboard_sdk::serde_json::{self, Value};
use cordboard_sdk::vocabulary::{Failure, Retryable};

/// Why an operation has no result.
pub type Fault = crm::Fault<Said>;

/// A refusal in Vtiger's own form: `success: false`.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What was asked.
    pub operation: String,
    /// Vtiger's code; "0" for the number 0.
    pub code: String,
    /// Vtiger's words.
    pub message: String,
}

impl Refused for Said {
    fn code(&self) -> &str {
        &self.code
    }

    /// Vtiger does not tell what is not there from what is not for this user.
    fn is_gone(&self) -> bool {
        matches!(self.code.as_str(), "ACCESS_DENIED" | "RECORD_NOT_FOUND" | "INVALID_ID_ATTRIBUTE")
    }

    /// Vtiger's duplicate prevention has spoken.
    fn is_duplicate(&self) -> bool {
        self.code == "0"
    }
}

impl From<Said> for Failure {
    fn from(said: Said) -> Self {
        meant(&said.operation, &said.code, &said.message)
    }
}

/// What a code means.
fn meant(operation: &str, code: &str, message: &str) -> Failure {
    let why = format!("{operation}: {message} ({code})");
    match code {
        "AUTHENTICATION_REQUIRED"
        | "INVALID_SESSIONID"
        | "SESSION_EXPIRED"
        | "SESSION_LEFT_IDLE"
        | "AUTHENTICATION_FAILURE" => Failure::Unauthorized(why),
        "INVALID_USER_CREDENTIALS" => Failure::Misconfigured(format!(
            "{why}: the user is inactive or the access key is not theirs (it is on the user's preferences page, and \
             changes when it is reset there)"
        )),
        "INVALID_AUTH_TOKEN" => Failure::Misconfigured(format!("{why}: the user name is empty or unknown")),
        "ACCESSKEY_UNDEFINED" => Failure::Misconfigured(format!("{why}: the user has no access key")),
        "ACCESS_DENIED" if matches!(operation, "getchallenge" | "login") => {
            Failure::Misconfigured(format!("{why}: there is no such user"))
        }
        "ACCESS_DENIED" if matches!(operation, "listtypes" | "describe") => {
            Failure::Misconfigured(format!("{why}: the module is not there, or the user may not use it"))
        }
        "DATABASE_QUERY_ERROR" => Failure::retryable(why),
        "0" => {
            Failure::rejected("duplicate", format!("{why}: Vtiger prevents duplicates, and the twin is not to be seen"))
        }
        "" => Failure::rejected("unnamed", why),
        code => Failure::rejected(code, why),
    }
}

/// Reads an answer's envelope.
pub fn result(operation: &str, answer: &Response, writes: bool) -> Result<Value, Fault> {
    let Some(envelope) = envelope(answer) else { return Err(silent(operation, answer, writes)) };
    if envelope["success"] == true {
        return Ok(envelope["result"].clone());
    }
    let error = &envelope["error"];
    let code = match &error["code"] {
        Value::String(code) => code.clone(),
        Value::Null => String::new(),
        number => number.to_string(),
    };
    let message = error["message"].as_str().unwrap_or("no reason given").to_owned();
    Err(Fault::Said(Said { operation: operation.to_owned(), code, message }))
}

/// The envelope, also behind notices that PHP prints before it.
fn envelope(answer: &Response) -> Option<Value> {
    let found =
        |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok().filter(|value| value["success"].is_boolean());
    found(&answer.body).or_else(|| {
        let start = answer.body.windows(10).position(|window| window == b"{\"success\"")?;
        found(&answer.body[start..])
    })
}

/// What to make of an answer that is none of Vtiger's.
fn silent(operation: &str, answer: &Response, writes: bool) -> Fault {
    let retryable = |why: String, after| Failure::Retryable(Retryable { why, status: Some(answer.status), after });
    let (failure, uncertain) = match answer.status {
        500 if answer.body.is_empty() => (
            retryable(
                format!("{operation}: HTTP 500 with an empty body: PHP died over it; see the server's PHP log"),
                None,
            ),
            writes,
        ),
        413 => (
            Failure::rejected(
                "too-large",
                format!("{operation}: HTTP 413: the web server does not take so large a body"),
            ),
            false,
        ),
        404 => (
            Failure::Misconfigured(format!("{operation}: HTTP 404: there is no webservice.php at the setting `url`")),
            false,
        ),
        200..=299 => (retryable(format!("{operation}: no JSON but {}", excerpt(answer)), None), writes),
        500.. => (
            retryable(format!("{operation}: HTTP {}: {}", answer.status, excerpt(answer)), answer.retry_after()),
            writes,
        ),
        _ => (answer.failure(), false),
    };
    // A redirect or a proxy's 401 speaks of the address, not of Vtiger's session.
    let failure = match failure {
        Failure::Unauthorized(why) => {
            Failure::Misconfigured(format!("{operation}: {why}: a login stands before Vtiger"))
        }
        other => other,
    };
    Fault::Silent { failure, uncertain }
}

fn excerpt(answer: &Response) -> String {
    let kind = if answer.body.trim_ascii_start().starts_with(b"<") { "a page of HTML: " } else { "" };
    format!("{kind}{}", answer.start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, body: body.as_bytes().to_vec(), ..Response::default() }
    }

    #[test]
    fn every_code_has_its_meaning() {
        for (operation, code, expected) in [
            ("query", "AUTHENTICATION_REQUIRED", "unauthorized"),
            ("query", "INVALID_SESSIONID", "unauthorized"),
            ("query", "SESSION_EXPIRED", "unauthorized"),
            ("query", "SESSION_LEFT_IDLE", "unauthorized"),
            ("query", "AUTHENTICATION_FAILURE", "unauthorized"),
            ("login", "INVALID_AUTH_TOKEN", "misconfigured"),
            ("login", "INVALID_USER_CREDENTIALS", "misconfigured"),
            ("login", "ACCESSKEY_UNDEFINED", "misconfigured"),
            ("getchallenge", "ACCESS_DENIED", "misconfigured"),
            ("describe", "ACCESS_DENIED", "misconfigured"),
            ("create", "ACCESS_DENIED", "rejected"),
            ("query", "ACCESS_DENIED", "rejected"),
            ("retrieve", "RECORD_NOT_FOUND", "rejected"),
            ("revise", "INVALID_ID_ATTRIBUTE", "rejected"),
            ("create", "REFERENCE_INVALID", "rejected"),
            ("create", "MANDATORY_FIELDS_MISSING", "rejected"),
            ("query", "QUERY_SYNTAX_ERROR", "rejected"),
            ("create", "DATABASE_QUERY_ERROR", "retryable"),
            ("create", "INTERNAL_SERVER_ERROR", "rejected"),
            ("logout", "OPERATION_NOT_SUPPORTED", "rejected"),
            ("lookup", "UNKNOWN_OPERATION", "rejected"),
            ("retrieve_related", "UNKOWN_ENTITY", "rejected"),
            ("create", "SOMETHING_NEW", "rejected"),
        ] {
            let body = format!(r#"{{"success":false,"error":{{"message":"m","code":"{code}"}}}}"#);
            let fault = result(operation, &answer(200, &body), true).unwrap_err();
            assert_eq!(fault.code(), code);
            let failure = Failure::from(fault);
            assert_eq!(failure.word(), expected, "{operation} {code}");
            assert!(failure.why().contains(code), "{failure:?}");
        }
    }

    #[test]
    fn the_code_zero_is_a_number() {
        let body = r#"{"success":false,"error":{"message":"Duplicate(s) detected!","code":0}}"#;
        let fault = result("create", &answer(200, body), true).unwrap_err();
        assert!(fault.is_duplicate());
        assert_eq!(Failure::from(fault).word(), "rejected");
    }

    #[test]
    fn what_is_no_answer_has_its_meaning() {
        for (status, body, expected, uncertain) in [
            (500, "", "retryable", true),
            (500, "<html>x", "retryable", true),
            (502, "<html>Bad Gateway", "retryable", true),
            (503, "", "retryable", true),
            (504, "", "retryable", true),
            (413, "<html>413", "rejected", false),
            (404, "<html>404", "misconfigured", false),
            (401, "", "misconfigured", false),
            (403, "<html>", "rejected", false),
            (302, "", "misconfigured", false),
            (429, "", "rate-limited", false),
            (200, "<!DOCTYPE html><title>Login</title>", "retryable", true),
            (200, "", "retryable", true),
            (200, "[]", "retryable", true),
            (200, "{\"success\":tr", "retryable", true),
        ] {
            let Err(Fault::Silent { failure, uncertain: given }) = result("create", &answer(status, body), true) else {
                panic!("{status} {body} is no answer")
            };
            assert_eq!((failure.word(), given), (expected, uncertain), "{status} {body}");
            assert!(!matches!(
                result("query", &answer(status, body), false),
                Err(Fault::Silent { uncertain: true, .. })
            ));
        }
    }

    #[test]
    fn an_uncertain_write_is_not_repeated_at_once() {
        let fault = result("create", &answer(500, ""), true).unwrap_err();
        let Failure::Retryable(retryable) = Failure::from(fault) else { panic!("retryable") };
        assert_eq!((retryable.status, retryable.after), (Some(500), Some(5000)));
    }

    #[test]
    fn notices_before_the_envelope_do_no_harm() {
        let body = "<br />\n<b>Warning</b>: x in y.php on line 3<br />\n{\"success\":true,\"result\":[]}";
        assert_eq!(result("query", &answer(200, body), false).unwrap(), Value::Array(vec![]));
    }
}
