//! "This record changed": what the live feed and routes speak of.

use serde::{Deserialize, Serialize};

pub use super::event_type::type_of;
use super::{AtDesks, Instant, Item, Subject};

/// One change of one record. `seq` grows with every event of the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The sequence number, by which a subscriber resumes.
    pub seq: u64,
    /// One of [`EVENT_TYPES`](super::EVENT_TYPES).
    #[serde(rename = "type")]
    pub kind: String,
    /// When the hub took it in.
    pub at: Instant,
    /// The tenant.
    pub tenant: String,
    /// What it is about.
    #[serde(flatten)]
    pub about: About,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The hub's own id of the record, as in the API.
    pub record: i64,
    /// What the record is about.
    pub subject: Subject,
    /// The record's revision after the change.
    pub revision: u64,
    /// The fields that changed.
    pub changed: Vec<String>,
    /// What it did at telephones.
    #[serde(default, skip_serializing_if = "AtDesks::is_empty")]
    pub desks: AtDesks,
    /// The record after the change, under the name of its kind.
    #[serde(flatten)]
    pub item: Item,
}

/// An event as it is told at a desk: the same, under another type.
#[derive(Serialize)]
struct Told<'a> {
    seq: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    at: Instant,
    tenant: &'a str,
    #[serde(flatten)]
    about: &'a About,
}

impl Event {
    /// The type by which somebody at these extensions is told of it, see [`AtDesks::told`].
    pub fn told_at(&self, extensions: &[String]) -> &str {
        self.about.desks.told(&self.kind, &self.about.item, extensions)
    }

    /// The event under this type.
    pub fn told<'a>(&'a self, kind: &'a str) -> impl Serialize + 'a {
        Told { seq: self.seq, kind, at: self.at, tenant: &self.tenant, about: &self.about }
    }
}
