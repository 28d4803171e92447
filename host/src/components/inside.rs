//! What a component may ask of the hub about its own tenant. The hub that stands above answers; where there is none,
//! nobody and nothing is there.

use std::time::Duration;

use futures::future::BoxFuture;

use super::contract::{CallPage, Command, CommandOutcome, Failure, KnownCall, Person, Selection};
use crate::model::Agent;

/// Calls of one answer, at most.
pub const CALLS: u32 = 500;

/// A use that asks: its tenant, and its name there.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Whose ledger.
    pub tenant: &'a str,
    /// The source or the sink.
    pub name: &'a str,
}

/// What the hub knows of a tenant, and does for it. Every answer is of the tenant of who asks.
pub trait Inside: Send + Sync {
    /// The calls that have not ended, newest first; with an extension those that concern it.
    fn under_way<'a>(
        &'a self,
        who: Asking<'a>,
        extension: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<KnownCall>, Failure>>;

    /// Calls, newest first, at most [`CALLS`].
    fn calls<'a>(
        &'a self,
        who: Asking<'a>,
        which: Selection,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<CallPage, Failure>>;

    /// The call with this id at any source.
    fn call_of<'a>(&'a self, who: Asking<'a>, id: &'a str) -> BoxFuture<'a, Result<Option<KnownCall>, Failure>>;

    /// The tenant's people, one for each extension: all, or those of an extension or a user.
    fn agents(&self, who: Asking<'_>, extension: Option<&str>, user: Option<&str>) -> Vec<Agent>;

    /// Who has this number, as far as it is known in this time.
    fn who<'a>(&'a self, who: Asking<'a>, number: &'a str, patience: Duration) -> BoxFuture<'a, Vec<Person>>;

    /// Has a source carry out a command, and waits for its end.
    fn perform<'a>(
        &'a self,
        who: Asking<'a>,
        command: Command,
        patience: Duration,
    ) -> BoxFuture<'a, Result<CommandOutcome, Failure>>;
}
