//! What is remembered with a delivery: what was written, so that only changes are written again and nobody's own edits
//! are undone.

use std::collections::BTreeMap;

use cordboard_sdk::crm::{self, Written};
use cordboard_sdk::serde_json;
use serde::{Deserialize, Serialize};

/// What the last delivery left.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memo {
    /// The DocType that it was written to.
    #[serde(rename = "d")]
    pub doctype: String,
    /// Field by field, a short hash of what was written.
    #[serde(rename = "f")]
    pub fields: Written,
    /// Files that are attached: their id at the source, and where Frappe has them.
    #[serde(rename = "a", skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Users that were told of the call.
    #[serde(rename = "u", skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
    /// Records of joined subjects that are dealt with.
    #[serde(rename = "j", skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// Whom the call was linked to.
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    pub person: Option<Linked>,
}

/// Somebody of the CRM, as the memo keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linked {
    /// "CRM Lead", "CRM Deal", "Contact", …
    #[serde(rename = "d")]
    pub doctype: String,
    /// The document's name.
    #[serde(rename = "n")]
    pub name: String,
    /// For people.
    #[serde(rename = "t", default)]
    pub title: String,
}

impl Memo {
    /// Reads a memo; what cannot be read was never written.
    pub fn read(bytes: &[u8], doctype: &str) -> Self {
        let memo: Self = serde_json::from_slice(bytes).unwrap_or_default();
        if memo.doctype == doctype { memo } else { Self::default() }
    }

    /// The bytes to keep. Too much of it is given up from the least needed on.
    pub fn bytes(self) -> Vec<u8> {
        crm::memo(self, |memo| {
            if memo.gone.pop().is_some() || memo.told.pop().is_some() || memo.files.pop_last().is_some() {
                return true;
            }
            let some = !memo.fields.is_empty() || memo.person.is_some();
            memo.fields.clear();
            memo.person = None;
            some
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_never_outgrows_its_place() {
        let mut memo = Memo { doctype: "CRM Call Log".into(), ..Memo::default() };
        memo.fields.wrote("status", &"Ringing".into());
        for number in 0..500 {
            memo.files.insert(format!("recording-{number}"), format!("/private/files/{number}.wav"));
        }
        let bytes = memo.bytes();
        assert!(bytes.len() <= crm::MEMO);
        let back = Memo::read(&bytes, "CRM Call Log");
        assert!(back.fields.has("status", &"Ringing".into()) && !back.fields.has("status", &"Busy".into()));
        assert!(!back.files.is_empty());
        assert_eq!(Memo::read(&bytes, "Call Log"), Memo::default());
        assert_eq!(Memo::read(b"\xff\0", "CRM Call Log"), Memo::default());
    }
}
