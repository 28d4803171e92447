//! What is remembered with a delivery: where amoCRM keeps the record, what was written, and who was told.

use cordboard_sdk::crm::{self, Written};
use cordboard_sdk::serde_json;
use serde::{Deserialize, Serialize};

/// What the last delivery left.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memo {
    /// Users who were told that the call rings.
    #[serde(rename = "u", skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<u64>,
    /// Where the call stands.
    #[serde(rename = "p", skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Whose it was said to be.
    #[serde(rename = "w", skip_serializing_if = "Option::is_none")]
    pub who: Option<u64>,
    /// The note with what a person wrote about the call.
    #[serde(rename = "n", skip_serializing_if = "Option::is_none")]
    pub words: Option<u64>,
    /// What was written.
    #[serde(rename = "f", skip_serializing_if = "Written::is_empty")]
    pub fields: Written,
    /// How far amoCRM knows a message to have come: 1 delivered, 2 read, -1 failed.
    #[serde(rename = "s", skip_serializing_if = "Option::is_none")]
    pub status: Option<i8>,
    /// Whether the message was written in amoCRM.
    #[serde(rename = "t", skip_serializing_if = "std::ops::Not::not")]
    pub theirs: bool,
}

/// A call in amoCRM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A note of a card.
    Note(Note),
    /// An incoming lead that waits to be accepted.
    Unsorted {
        /// Its own id.
        uid: String,
        /// The lead that it will be.
        lead: Option<u64>,
    },
}

/// A note of a card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Note {
    /// "leads", "contacts", "companies", "customers".
    pub of: String,
    /// The card.
    pub card: u64,
    /// The note.
    pub id: u64,
}

impl Place {
    /// What the hub keeps as the external id.
    pub fn id(&self) -> String {
        match self {
            Self::Note(note) => note.id.to_string(),
            Self::Unsorted { uid, .. } => uid.clone(),
        }
    }

    /// The card that further notes go to.
    pub fn card(&self) -> Option<(&str, u64)> {
        match self {
            Self::Note(note) => Some((&note.of, note.card)),
            Self::Unsorted { lead, .. } => lead.map(|lead| ("leads", lead)),
        }
    }
}

impl Memo {
    /// Reads a memo; what cannot be read was never written.
    pub fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    /// The bytes to keep.
    pub fn bytes(self) -> Vec<u8> {
        crm::memo(self, |memo| memo.told.pop().is_some())
    }
}
