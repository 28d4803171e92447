//! Something asked of a source, and how it ended.

use super::Failure;
use crate::model::{Agent, Observation};

/// Something asked of a source: place a call, send a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What was done once under an id is not done twice.
    pub id: String,
    /// `call.originate`, `message.send`, ….
    pub name: String,
    /// For whom.
    pub agent: Option<Agent>,
    /// A JSON object.
    pub arguments: String,
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq)]
pub struct Performed {
    /// How it ended.
    pub result: Result<CommandOutcome, Failure>,
    /// What it showed.
    pub observations: Vec<Observation>,
}

/// How a command ended, when it did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandOutcome {
    /// Carried out; a JSON object with what came of it.
    Done(String),
    /// Taken on; its end will be seen in observations of this subject.
    Accepted(Option<String>),
    /// It may or may not have happened, and why.
    Unknown(String),
    /// A case of a later version of the contract: its name and text. Treated as unknown.
    Other(String, String),
}
