//! What Frappe's answers mean for the hub. The exception's type decides, then the status; never the text, which is
//! translated.

use cordboard_sdk::crm::{self, Refused};
use cordboard_sdk::http::Response;
use cordboard_sdk::serde_json::{self, Value};
use cordboard_sdk::vocabulary::{Failure, Retryable};

/// How much of Frappe's own words is shown to people.
const SHOWN: usize = 300;

/// The code of a refusal because something that the document links to is not there.
pub const UNLINKED: &str = "LinkValidationError";

/// Why a request has no result.
pub type Fault = crm::Fault<Said>;

/// A refusal in Frappe's own form.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// What was asked, for people.
    pub operation: String,
    /// The HTTP status.
    pub status: u16,
    /// The exception's class: "DuplicateEntryError". Empty when none is named.
    pub kind: String,
    /// Frappe's words, short and without markup.
    pub message: String,
    /// `Retry-After`, in milliseconds.
    pub after: Option<u64>,
    /// The session is dead, or there was none.
    pub stranger: bool,
}

impl Refused for Said {
    fn code(&self) -> &str {
        &self.kind
    }

    fn status(&self) -> Option<u16> {
        Some(self.status)
    }

    /// The document, the DocType or the method.
    fn is_gone(&self) -> bool {
        matches!(self.kind.as_str(), "DoesNotExistError" | "PageDoesNotExistError")
    }

    /// Its name is taken, or the value of a unique field.
    fn is_duplicate(&self) -> bool {
        matches!(self.kind.as_str(), "DuplicateEntryError" | "UniqueValidationError")
    }

    fn is_denied(&self) -> bool {
        self.status == 403 && !self.stranger
    }
}

impl From<Said> for Failure {
    fn from(said: Said) -> Self {
        meant(&said)
    }
}

/// Blacks out secrets that a server has repeated.
pub fn without(fault: Fault, secrets: &[String]) -> Fault {
    let clean = |text: String| {
        secrets.iter().filter(|secret| secret.len() >= 4).fold(text, |text, secret| text.replace(secret.as_str(), "…"))
    };
    match fault {
        Fault::Said(said) => Fault::Said(Said { message: clean(said.message), ..said }),
        Fault::Silent { failure, uncertain } => {
            let failure = match failure {
                Failure::Retryable(it) => Failure::Retryable(Retryable { why: clean(it.why), ..it }),
                Failure::Unauthorized(why) => Failure::Unauthorized(clean(why)),
                Failure::Misconfigured(why) => Failure::Misconfigured(clean(why)),
                Failure::Rejected(it) => Failure::rejected(it.code, clean(it.why)),
                other => other,
            };
            Fault::Silent { failure, uncertain }
        }
    }
}

/// What a refusal means.
fn meant(said: &Said) -> Failure {
    let Said { operation, status, kind, message, after, .. } = said;
    let named = if kind.is_empty() { format!("HTTP {status}") } else { format!("{kind}, HTTP {status}") };
    let why = format!("{operation}: {message} ({named})");
    let passing = |after: Option<u64>| Failure::Retryable(Retryable { why: why.clone(), status: Some(*status), after });
    if said.stranger {
        return Failure::Unauthorized(why);
    }
    match kind.as_str() {
        "AuthenticationError" => Failure::Unauthorized(format!(
            "{why}: Frappe does not know these credentials, or their user is switched off: a key pair is made anew in the \
             user's settings under API Access, and the one before it stops working"
        )),
        "CSRFTokenError" | "SessionExpired" => Failure::Unauthorized(why),
        // Too many wrong passwords lock the address and the user for a minute.
        "SecurityException" => passing(Some(after.unwrap_or(60_000))),
        "TooManyRequestsError" | "RateLimitExceededError" => Failure::RateLimited(Some(after.unwrap_or(30_000))),
        "SessionStopped"
        | "InReadOnlyMode"
        | "QueueOverloaded"
        | "QueryTimeoutError"
        | "QueryDeadlockError"
        | "TimestampMismatchError" => passing(*after),
        "OperationalError" if lost_connection(message) => passing(*after),
        "PermissionError" if operation.starts_with("create ") => Failure::Misconfigured(format!(
            "{why}: give a role of the hub's user the right to create it, in the Role Permission Manager"
        )),
        "PermissionError" => Failure::rejected(
            "PermissionError",
            format!("{why}: give a role of the hub's user this right, in the Role Permission Manager"),
        ),
        "ImportError" => Failure::Misconfigured(format!("{why}: there is no such DocType on the site")),
        "MandatoryError" => Failure::rejected(
            "MandatoryError",
            format!("{why}: give the field a value in the setting `constants`, or make it optional"),
        ),
        "AttributeError" | "IndexError" | "KeyError" | "TypeError" => Failure::rejected(
            kind.clone(),
            format!("{why}: code of an app on the site failed over it; another app may have hooked this DocType"),
        ),
        _ => match status {
            401 => Failure::Unauthorized(why),
            403 => Failure::rejected("forbidden", why),
            408 | 425 | 502 | 503 | 504 => passing(*after),
            429 => Failure::RateLimited(Some(after.unwrap_or(30_000))),
            500.. if kind.is_empty() => passing(*after),
            _ if kind.is_empty() => Failure::rejected(format!("http-{status}"), why),
            _ => Failure::rejected(kind.clone(), why),
        },
    }
}

/// Whether the database could not be reached: MariaDB's own numbers, which nobody translates.
fn lost_connection(message: &str) -> bool {
    ["(2002,", "(2003,", "(2006,", "(2013,", "(1040,", "(1203,"].iter().any(|code| message.contains(code))
}

/// Reads an answer: its member `data` or `message`, or the refusal.
pub fn result(operation: &str, answer: &Response, writes: bool) -> Result<Value, Fault> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let Some(Value::Object(body)) = body else { return Err(silent(operation, answer, writes)) };
    if answer.is_success() && !body.contains_key("exc_type") {
        let found = ["data", "message"].into_iter().find_map(|name| body.get(name));
        return found.cloned().ok_or_else(|| {
            let why = format!("{operation}: success, and neither data nor message in the answer");
            Fault::Silent { failure: Failure::retryable(why), uncertain: writes }
        });
    }
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    // Version 2 of the interface has a list of errors.
    let listed = body.get("errors").map(|errors| &errors[0]["type"]).and_then(Value::as_str).unwrap_or_default();
    let kind = match (text("exc_type"), listed) {
        ("", "") => class_of(text("exception")),
        ("", kind) | (kind, _) => kind.to_owned(),
    };
    // A login or a proxy before Frappe speaks JSON of its own.
    if kind.is_empty() && !body.contains_key("_server_messages") && answer.status != 401 && answer.status != 429 {
        return Err(silent(operation, answer, writes));
    }
    let stranger = body.get("session_expired").is_some_and(|flag| *flag == 1 || *flag == true);
    Err(Fault::Said(Said {
        operation: operation.to_owned(),
        status: answer.status,
        message: words(&body),
        after: answer.retry_after(),
        stranger,
        kind,
    }))
}

/// `frappe.exceptions.DuplicateEntryError: …` → `DuplicateEntryError`.
fn class_of(exception: &str) -> String {
    let class = exception.split(':').next().unwrap_or_default();
    class.rsplit('.').next().unwrap_or_default().trim().to_owned()
}

/// Frappe's own words: what it would show to a person, else the exception's first line. Never the stack.
fn words(body: &serde_json::Map<String, Value>) -> String {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let messages: Vec<String> = serde_json::from_str(text("_server_messages")).unwrap_or_default();
    let shown: Vec<String> = messages
        .iter()
        .filter_map(|message| serde_json::from_str::<Value>(message).ok())
        .filter_map(|message| message["message"].as_str().map(str::to_owned))
        .collect();
    let exception = text("exception").lines().next().unwrap_or_default();
    let exception = exception.split_once(": ").map_or("", |(_, rest)| rest);
    let best = match (text("_error_message"), shown.is_empty()) {
        ("", true) if exception.is_empty() => {
            let listed = body.get("errors").map(|errors| &errors[0]["message"]).and_then(Value::as_str);
            listed.unwrap_or("no reason given").to_owned()
        }
        ("", true) => exception.to_owned(),
        ("", false) => shown.join("; "),
        (reason, _) => reason.to_owned(),
    };
    plain(&best)
}

/// Without markup, on one line, cut.
fn plain(text: &str) -> String {
    let mut inside = false;
    let text: String = text
        .chars()
        .filter(|c| match c {
            '<' => {
                inside = true;
                false
            }
            '>' if inside => {
                inside = false;
                false
            }
            _ => !inside,
        })
        .collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What to make of an answer that is none of Frappe's.
fn silent(operation: &str, answer: &Response, writes: bool) -> Fault {
    let passing = || {
        let why = format!("{operation}: HTTP {}: {}", answer.status, excerpt(answer));
        Failure::Retryable(Retryable { why, status: Some(answer.status), after: answer.retry_after() })
    };
    let (failure, uncertain) = match answer.status {
        200..=299 => (passing(), writes),
        401 => (Failure::Unauthorized(format!("{operation}: HTTP 401: {}", excerpt(answer))), false),
        404 => (
            Failure::Misconfigured(format!(
                "{operation}: HTTP 404, and not from Frappe: the setting `url` names a host that is no site there"
            )),
            false,
        ),
        413 => (
            Failure::rejected("too-large", format!("{operation}: HTTP 413: the server does not take so large a body")),
            false,
        ),
        408 | 425 => (passing(), false),
        500.. => (passing(), writes),
        _ => match answer.failure() {
            Failure::Rejected(rejected) => (
                Failure::rejected(rejected.code, format!("{operation}: HTTP {}: {}", answer.status, excerpt(answer))),
                false,
            ),
            other => (other, false),
        },
    };
    Fault::Silent { failure, uncertain }
}

fn excerpt(answer: &Response) -> String {
    let start = &answer.body[..answer.body.len().min(2000)];
    let text = String::from_utf8_lossy(start);
    let page = text.trim_start().starts_with('<');
    let title =
        text.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| plain(title));
    match (page, title) {
        (true, Some(title)) => format!("a page of HTML, \"{title}\""),
        (true, None) => "a page of HTML".to_owned(),
        (false, _) if text.trim().is_empty() => "an empty body".to_owned(),
        (false, _) => {
            format!("not as expected: {}", answer.start())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, body: body.as_bytes().to_vec(), ..Response::default() }
    }

    #[test]
    fn every_refusal_has_its_meaning() {
        for (operation, status, kind, expected) in [
            ("read X", 401, "AuthenticationError", "unauthorized"),
            ("create X", 403, "PermissionError", "misconfigured"),
            ("update X", 403, "PermissionError", "rejected"),
            ("create X", 400, "CSRFTokenError", "unauthorized"),
            ("log in", 500, "SecurityException", "retryable"),
            ("create X", 409, "DuplicateEntryError", "rejected"),
            ("create X", 409, "NameError", "rejected"),
            ("create X", 417, "UniqueValidationError", "rejected"),
            ("create X", 417, "MandatoryError", "rejected"),
            ("create X", 417, "LinkValidationError", "rejected"),
            ("create X", 417, "ValidationError", "rejected"),
            ("create X", 417, "InvalidPhoneNumberError", "rejected"),
            ("create X", 417, "CharacterLengthExceededError", "rejected"),
            ("create X", 500, "DataError", "rejected"),
            ("update X", 417, "TimestampMismatchError", "retryable"),
            ("list X", 417, "DataError", "rejected"),
            ("delete X", 417, "LinkExistsError", "rejected"),
            ("read X", 404, "DoesNotExistError", "rejected"),
            ("create X", 500, "ImportError", "misconfigured"),
            ("create X", 500, "JSONDecodeError", "rejected"),
            ("create X", 500, "OperationalError", "rejected"),
            ("create X", 500, "AttributeError", "rejected"),
            ("update X", 500, "QueryTimeoutError", "retryable"),
            ("update X", 500, "QueryDeadlockError", "retryable"),
            ("list X", 429, "TooManyRequestsError", "rate-limited"),
            ("list X", 429, "RateLimitExceededError", "rate-limited"),
            ("list X", 503, "SessionStopped", "retryable"),
            ("update X", 503, "InReadOnlyMode", "retryable"),
            ("create X", 503, "QueueOverloaded", "retryable"),
            ("create X", 500, "SomethingNew", "rejected"),
            ("create X", 417, "SomethingNew", "rejected"),
        ] {
            let body = format!(r#"{{"exc_type":"{kind}","exc":"[\"Traceback: password\"]"}}"#);
            let fault = result(operation, &answer(status, &body), true).unwrap_err();
            assert_eq!(fault.code(), kind);
            let failure = Failure::from(fault);
            assert_eq!(failure.word(), expected, "{operation} {status} {kind}");
            assert!(!failure.why().contains("Traceback"), "{failure:?}");
            assert!(kind.contains("Requests") || kind.contains("Limit") || failure.why().contains(kind));
        }
    }

    #[test]
    fn what_is_no_answer_of_frappes_has_its_meaning() {
        for (status, body, expected, uncertain) in [
            (500, "", "retryable", true),
            (500, "<!DOCTYPE html><title>Server Error</title>", "retryable", true),
            (502, "<html>Bad Gateway", "retryable", true),
            (503, "", "retryable", true),
            (504, "", "retryable", true),
            (413, "<html>413", "rejected", false),
            (404, "<html>404", "misconfigured", false),
            (401, "", "unauthorized", false),
            (401, r#"{"message":"Unauthorized"}"#, "unauthorized", false),
            (403, "<html>", "rejected", false),
            (302, "", "misconfigured", false),
            (429, "", "rate-limited", false),
            (200, "<!DOCTYPE html><title>Login</title>", "retryable", true),
            (200, "", "retryable", true),
            (200, "[]", "retryable", true),
            (200, "{}", "retryable", true),
            (200, "null", "retryable", true),
            (200, "{\"data\":{\"na", "retryable", true),
        ] {
            let fault = result("create X", &answer(status, body), true).unwrap_err();
            let given = matches!(fault, Fault::Silent { uncertain: true, .. });
            assert_eq!((Failure::from(fault).word(), given), (expected, uncertain), "{status} {body}");
            let read = result("list X", &answer(status, body), false);
            assert!(!matches!(read, Err(Fault::Silent { uncertain: true, .. })));
        }
    }

    #[test]
    fn the_type_may_stand_in_the_exception_alone() {
        let body = r#"{"exception":"frappe.exceptions.DuplicateEntryError: ('X', 'a')"}"#;
        assert!(result("create X", &answer(409, body), true).unwrap_err().is_duplicate());
        let body = r#"{"exception":"pymysql.err.OperationalError: (2006, 'MySQL server has gone away')"}"#;
        assert_eq!(Failure::from(result("list X", &answer(500, body), false).unwrap_err()).word(), "retryable");
    }

    #[test]
    fn words_are_shown_without_markup_and_secrets() {
        let body = r#"{"exc_type":"PermissionError","_error_message":"No <b>permission</b> for key-123456 & more"}"#;
        let fault = result("update X", &answer(403, body), true).unwrap_err();
        let fault = without(fault, &["key-123456".into()]);
        let why = Failure::from(fault).why().to_owned();
        assert!(why.contains("No permission for … & more"), "{why}");
        let dead = r#"{"exc_type":"PermissionError","session_expired":1}"#;
        assert_eq!(Failure::from(result("list X", &answer(403, dead), false).unwrap_err()).word(), "unauthorized");
    }

    #[test]
    fn an_uncertain_write_is_not_repeated_at_once() {
        let Failure::Retryable(it) = Failure::from(result("create X", &answer(500, ""), true).unwrap_err()) else {
            panic!("retryable")
        };
        assert_eq!((it.status, it.after), (Some(500), Some(5000)));
    }

    #[test]
    fn every_recorded_answer_is_understood() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let recording: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let Some(response) = recording.get("response").filter(|it| it.get("json").is_some()) else { continue };
            let status = response["status"].as_u64().unwrap().try_into().unwrap();
            let json = &response["json"];
            let result = result("do it", &answer(status, &json.to_string()), true);
            let name = path.file_stem().unwrap().to_str().unwrap();
            match (status, json.get("data").or(json.get("message"))) {
                (200..=299, Some(value)) => assert_eq!(result.as_ref(), Ok(value), "{name}"),
                // What these say stands elsewhere, or nowhere; a create is never taken for done by such an answer.
                (200..=299, None) => assert!(
                    ["oauth", "popup", "setup", "crm-10"].iter().any(|start| name.starts_with(start))
                        && result.is_err(),
                    "{name}"
                ),
                _ => {
                    let fault = result.unwrap_err();
                    let kind = json.get("exc_type").unwrap_or(&json["errors"][0]["type"]);
                    assert_eq!(fault.code(), kind, "{name}");
                    assert!(!Failure::from(fault).why().contains("Traceback"), "{name}");
                }
            }
            read += 1;
        }
        assert!(read > 150, "{read}");
    }
}
