//! What an adapter is asked to agree with, and what came of it.

use super::Failure;
use crate::model::{Item, Subject};
use crate::store::{Joined, Receipt};

/// A record that the outside system should agree with.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it is about.
    pub subject: Subject,
    /// Grows with every change of the record.
    pub revision: u64,
    /// 1 for the first try.
    pub attempt: u32,
    /// The id over there, when a receipt has named one.
    pub external_id: Option<String>,
    /// What the last receipt asked to remember.
    pub memo: Vec<u8>,
    /// Subjects that turned out to be this one.
    pub joined: Vec<Joined>,
    /// The record as it stands. `agent.user` is filled in for this sink by the caller.
    pub item: Item,
}

/// What came of one change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The outside system agrees.
    Done(Receipt),
    /// Nothing to do over there, and why.
    Skipped(String),
    /// It does not agree.
    Failed(Failure),
}
