//! How the webservice says no: the codes and the texts of Vtiger 8.4.

use serde_json::{Value, json};

/// Why an operation was not carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// An answer with `success: false`. HTTP status 200, as everything that PHP lives through.
    Said {
        /// A text, or the number 0 for duplicates.
        code: Value,
        /// English prose.
        message: String,
    },
    /// PHP died: HTTP 500, `text/html`, no body.
    Died,
}

/// What an operation gives.
pub type Answer = Result<Value, Refusal>;

impl Refusal {
    /// Any code with any text.
    pub fn said(code: &str, message: impl Into<String>) -> Self {
        Self::Said { code: json!(code), message: message.into() }
    }

    /// `ACCESS_DENIED` with its most frequent text.
    pub fn denied() -> Self {
        Self::access("Permission to perform the operation is denied")
    }

    /// `ACCESS_DENIED` with another text.
    pub fn access(message: impl Into<String>) -> Self {
        Self::said("ACCESS_DENIED", message)
    }

    /// An owner that this user may not give a record to.
    pub fn owner() -> Self {
        Self::access("Cannot assign record to the given user")
    }

    /// An id that is none.
    pub fn id() -> Self {
        Self::said("INVALID_ID_ATTRIBUTE", "Id specified is incorrect")
    }

    /// A reference to a module that the field does not take.
    pub fn reference(field: &str) -> Self {
        Self::said("REFERENCE_INVALID", format!("Invalid reference specified for {field}"))
    }

    /// The first mandatory field without a value.
    pub fn mandatory(field: &str) -> Self {
        Self::said("MANDATORY_FIELDS_MISSING", format!("{field} does not have a value"))
    }

    /// A query that the parser does not take.
    pub fn syntax(token: &str) -> Self {
        Self::said("QUERY_SYNTAX_ERROR", format!("Syntax Error on line 1: token '{token}' Unexpected token"))
    }

    /// What every unforeseen exception turns into.
    pub fn internal() -> Self {
        Self::said("INTERNAL_SERVER_ERROR", "Unknown Error while processing request")
    }

    /// No session, or one that has been collected.
    pub fn session() -> Self {
        Self::said("INVALID_SESSIONID", "Session Identifier provided is Invalid")
    }

    /// Duplicate prevention: the one code that is a number.
    pub fn duplicate() -> Self {
        Self::Said { code: json!(0), message: "Duplicate(s) detected!".into() }
    }

    /// The relation label is unknown. The code is spelt this way.
    pub fn relation() -> Self {
        Self::said("UNKOWN_ENTITY", "Relation specified is incorrect")
    }

    /// The code as text, for logs.
    pub fn code(&self) -> String {
        match self {
            Self::Said { code: Value::String(code), .. } => code.clone(),
            Self::Said { code, .. } => code.to_string(),
            Self::Died => "500".into(),
        }
    }
}
