//! A command on its way to a session, and the answer on its way back.

use tokio::sync::oneshot;

use crate::components::contract::{Command, CommandOutcome, Failure};

/// How a command ended.
pub type Settled = Result<CommandOutcome, Failure>;

/// Where the answer goes.
pub(super) type Reply = oneshot::Sender<Settled>;

/// A command for a session.
pub(super) struct Order {
    pub command: Command,
    pub reply: Reply,
}

impl Order {
    /// It was not handed to the session, so it has not happened.
    pub fn refuse(self, why: &str) {
        let _ = self.reply.send(Err(not_connected(why)));
    }
}

/// The failure of a command that was never sent.
pub(super) fn not_connected(why: &str) -> Failure {
    Failure::Retryable { why: format!("the source is not connected: {why}"), status: None, after: None }
}
