//! How Frappe says no.

use serde_json::{Value, json};

/// A refusal: the status, the exception's class, and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The exception's class.
    pub kind: &'static str,
    /// What stands behind the class.
    pub exception: String,
    /// What a person is shown.
    pub shown: String,
    /// It is told in the form of version 2.
    pub second: bool,
}

impl Refusal {
    /// With the same words for programs and people.
    pub fn new(status: u16, kind: &'static str, words: impl Into<String>) -> Self {
        let exception: String = words.into();
        Self { status, kind, shown: exception.clone(), exception, second: false }
    }

    /// The credentials are none. Nothing is said beside the class.
    pub fn stranger() -> Self {
        Self::new(401, "AuthenticationError", "")
    }

    /// A right is missing.
    pub fn denied(user: &str, doctype: &str) -> Self {
        let shown = format!(
            "User <strong>{user}</strong> does not have doctype access via role permission for document \
             <strong>{doctype}</strong>"
        );
        Self { shown, ..Self::new(403, "PermissionError", format!("No permission for {doctype}")) }
    }

    /// The path leads nowhere.
    pub fn gone() -> Self {
        Self::new(404, "DoesNotExistError", "")
    }

    /// There is no such document.
    pub fn missing(doctype: &str, name: &str) -> Self {
        Self::new(404, "DoesNotExistError", format!("{doctype} {name} not found"))
    }

    /// The name is taken.
    pub fn duplicate(doctype: &str, name: &str) -> Self {
        let exception =
            format!("('{doctype}', '{name}', IntegrityError(1062, \"Duplicate entry '{name}' for key 'PRIMARY'\"))");
        let shown = format!("{doctype} <strong>{name}</strong> already exists");
        Self { shown, ..Self::new(409, "DuplicateEntryError", exception) }
    }

    /// A unique field's value is taken.
    pub fn unique(doctype: &str, name: &str, field: &str, label: &str, value: &str) -> Self {
        let exception =
            format!("('{doctype}', '{name}', IntegrityError(1062, \"Duplicate entry '{value}' for key '{field}'\"))");
        Self { shown: format!("{label} must be unique"), ..Self::new(417, "UniqueValidationError", exception) }
    }

    /// The JSON.
    pub fn body(&self) -> Value {
        let Self { status, kind, exception, shown, second } = self;
        if *second {
            return json!({"errors": [{"type": kind, "message": shown, "title": "Message", "indicator": "red"}]});
        }
        let mut body = json!({ "exc_type": kind });
        if *status != 404 {
            let module = if *kind == "OperationalError" { "pymysql.err" } else { "frappe.exceptions" };
            let words = if exception.is_empty() || *status == 403 { String::new() } else { format!(": {exception}") };
            body["exception"] = json!(format!("{module}.{kind}{words}"));
            let trace =
                "Traceback (most recent call last):\n  File \"apps/frappe/frappe/app.py\", line 114, in application";
            body["exc"] = json!(json!([trace]).to_string());
        }
        if !shown.is_empty() {
            let message = json!({"message": shown, "title": "Message", "indicator": "red"}).to_string();
            body["_server_messages"] = json!(json!([message]).to_string());
        }
        if *status == 403 {
            body["_error_message"] = json!(exception);
        }
        body
    }
}
