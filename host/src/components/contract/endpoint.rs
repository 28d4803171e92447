//! What an endpoint answers.

use super::{Command, Headers, Response};
use crate::model::{Instant, Observation};

/// What an endpoint answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// To whoever asked.
    pub sent: Sent,
    /// What the request reports.
    pub observations: Vec<Observation>,
    /// Carried out after the commit.
    pub commands: Vec<Command>,
}

/// What is sent to whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// This.
    Response(Response),
    /// The sound of a call.
    Sound(Sound),
    /// Nothing yet.
    Wait(Wait),
    /// A case of a later version of the contract: its name.
    Other(String),
}

/// Which recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound {
    /// The source whose recordings are meant.
    pub source: String,
    /// The call's id at that source.
    pub call: String,
    /// The recording's id; absent: the first that is known.
    pub recording: Option<String>,
    /// When the call began, if the ledger does not know it.
    pub began: Option<Instant>,
    /// `mp3`, `opus`; as it is when absent.
    pub format: Option<String>,
    /// Sent along.
    pub headers: Headers,
    /// Sent when there is no such recording.
    pub missing: Response,
}

/// A long poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The extensions whose changes end it.
    pub desks: Vec<String>,
    /// When it ends by itself.
    pub until: Instant,
    /// Sent then.
    pub otherwise: Response,
}
