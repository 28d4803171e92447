//! What a component is told of its own tenant.

use crate::model::{Call, Instant, Subject};

/// A call as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownCall {
    /// What it is.
    pub subject: Subject,
    /// Grows with every change.
    pub revision: u64,
    /// What is known.
    pub call: Call,
}

/// Which calls. What is absent does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// That concern this extension.
    pub extension: Option<String>,
    /// Begun not before.
    pub since: Option<Instant>,
    /// Begun before.
    pub until: Option<Instant>,
}

/// Some calls, and where the list goes on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallPage {
    /// Newest first.
    pub calls: Vec<KnownCall>,
    /// To be given for what follows; absent at the end.
    pub next: Option<String>,
}

/// Somebody who has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The sink that knows them; absent when the hub itself does.
    pub sink: Option<String>,
    /// The id over there.
    pub id: String,
    /// `contact`, `lead`, `agent`, ….
    pub kind: String,
    /// Their name.
    pub name: String,
    /// Their page.
    pub url: Option<String>,
    /// The responsible user's id over there.
    pub owner: Option<String>,
}
