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
    /// The module that it was written to.
    #[serde(rename = "m")]
    pub module: String,
    /// Field by field, a short hash of what was written.
    #[serde(rename = "f")]
    pub fields: Written,
    /// The person that was linked.
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    pub person: Option<Linked>,
    /// Recording to document, once the file is proved to be there.
    #[serde(rename = "d", skip_serializing_if = "BTreeMap::is_empty")]
    pub documents: BTreeMap<String, String>,
    /// Records of joined subjects that have been deleted.
    #[serde(rename = "j", skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
}

/// A person as the memo keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Linked {
    /// The record's id.
    pub id: String,
    /// Its module.
    pub module: String,
    /// For people.
    pub name: String,
    /// The person's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl Memo {
    /// Reads a memo; what cannot be read was never written.
    pub fn read(bytes: &[u8], module: &str) -> Self {
        let memo: Self = serde_json::from_slice(bytes).unwrap_or_default();
        if memo.module == module { memo } else { Self { module: module.to_owned(), ..Self::default() } }
    }

    /// The bytes to keep. Too much of it is given up from the least needed on.
    pub fn bytes(self) -> Vec<u8> {
        crm::memo(self, |memo| {
            if memo.gone.pop().is_some() || memo.documents.pop_last().is_some() {
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
        let mut memo = Memo { module: "Events".into(), ..Memo::default() };
        memo.fields.wrote("subject", &"x".into());
        for number in 0..500 {
            memo.documents.insert(format!("recording-{number}"), format!("15x{number}"));
        }
        let bytes = memo.bytes();
        assert!(bytes.len() <= crm::MEMO);
        let back = Memo::read(&bytes, "Events");
        assert!(back.fields.has("subject", &"x".into()) && !back.fields.has("subject", &"y".into()));
        assert!(!back.documents.is_empty());
        assert_eq!(Memo::read(&bytes, "PBXManager").fields, Written::default());
        assert_eq!(Memo::read(b"\xff", "Events").module, "Events");
    }
}
