//! A connection's state machine, alive from the first connecting to the last.

use std::sync::Arc;

use super::contract::{Action, Input};
use super::fault::Fault;
use super::question::{Happened, Open, SessionState};
use super::runtime::Instance;
use super::state::Call;
use super::uses::{Fitted, Use};
use crate::model::Instant;

/// One connection's state, in an instance of its own. It stays with the component that it was opened with. After a fault
/// it is dead: open a new one and a new connection.
pub struct Session {
    instance: Instance,
    state: SessionState,
    fitted: Arc<Fitted>,
    dead: Option<Fault>,
}

impl Session {
    pub(super) async fn open(mut instance: Instance, fitted: Arc<Fitted>) -> Result<Session, Fault> {
        let state = instance.live.ask(Open, fitted.context.limits.timeout).await?;
        Ok(Session { instance, state, fitted, dead: None })
    }

    /// Whether the use has a newer component than this session's.
    pub fn is_outdated(&self, used: &Use) -> bool {
        !Arc::ptr_eq(&self.fitted.component, &used.component())
    }

    /// Tells it what happened; answers with what is to be done, in order.
    pub async fn handle(&mut self, now: Instant, inputs: Vec<Input>) -> Result<Vec<Action>, Fault> {
        if let Some(fault) = &self.dead {
            return Err(fault.clone());
        }
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let context = self.fitted.context.clone();
        let wait = context.limits.timeout;
        // Also a call that is given up half-way leaves it dead.
        self.dead = Some(Fault::Deadline(wait));
        self.instance.live.begin(Call::new(context));
        let reply = self.instance.live.ask(Happened { session: &self.state, now, inputs }, wait).await;
        self.dead = reply.as_ref().err().cloned();
        reply
    }
}
