//! What is remembered with a delivery: what was written, so that only changes are written again and nobody's own edits
//! are undone.

use std::collections::BTreeMap;

use cordboard_sdk::serde_json::{self, Value};
use serde::{Deserialize, Serialize};

/// The hub keeps at most so many bytes.
const LIMIT: usize = 4096;

/// What the last delivery left.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memo {
    /// The module that it was written to.
    #[serde(rename = "m")]
    pub module: String,
    /// Field by field, a short hash of what was written.
    #[serde(rename = "f")]
    pub fields: BTreeMap<String, String>,
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
    pub fn bytes(mut self) -> Vec<u8> {
        loop {
            let bytes = serde_json::to_vec(&self).unwrap_or_default();
            if bytes.len() <= LIMIT {
                return bytes;
            }
            if self.gone.pop().is_some() || self.documents.pop_last().is_some() {
                continue;
            }
            self.fields.clear();
            self.person = None;
        }
    }

    /// Whether this very value was written to the field.
    pub fn has(&self, field: &str, value: &Value) -> bool {
        self.fields.get(field).is_some_and(|hash| *hash == hash_of(value))
    }

    /// Remembers that the value was written.
    pub fn wrote(&mut self, field: &str, value: &Value) {
        self.fields.insert(field.to_owned(), hash_of(value));
    }
}

fn hash_of(value: &Value) -> String {
    short(&value.to_string())
}

/// A short, stable hash (FNV-1a), good enough to notice a change.
pub fn short(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{:012x}", hash >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_never_outgrows_its_place() {
        let mut memo = Memo { module: "Events".into(), ..Memo::default() };
        memo.wrote("subject", &"x".into());
        for number in 0..500 {
            memo.documents.insert(format!("recording-{number}"), format!("15x{number}"));
        }
        let bytes = memo.bytes();
        assert!(bytes.len() <= LIMIT);
        let back = Memo::read(&bytes, "Events");
        assert!(back.has("subject", &"x".into()) && !back.has("subject", &"y".into()));
        assert!(!back.documents.is_empty());
        assert_eq!(Memo::read(&bytes, "PBXManager").fields, BTreeMap::new());
        assert_eq!(Memo::read(b"\xff", "Events").module, "Events");
    }
}
