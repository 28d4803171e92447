//! What can be asked of a component: one type for each function of the contract, and the enums that know versions.

use std::time::Duration;

use wasmtime::{Store, Trap};

use super::contract::{Ability, Change, Command, Grant, Job, Request, Step};
use super::engine::STACK;
use super::fault::Fault;
use super::state::{Call, State, last_words};
use super::v1;
use crate::model::{Instant, Numbering, Phone};

/// One function of the contract with its arguments.
pub(super) trait Question: Send + Sync {
    /// Where it belongs to; absent: every component can be asked this.
    const ABILITY: Option<Ability>;
    /// Whether an instance that answered it may answer the next one.
    const KEPT: bool = false;
    /// What comes back.
    type Reply: Send;

    /// Asks a component of version 1.
    fn ask_v1(self, live: &mut v1::Live) -> impl Future<Output = wasmtime::Result<Self::Reply>> + Send;
}

pub(super) struct Describe;
pub(super) struct Receive(pub Request);
pub(super) struct Deliver<'a>(pub Vec<Change>, pub &'a Numbering);
pub(super) struct Check;
pub(super) struct Find<'a>(pub Phone, pub &'a Numbering);
pub(super) struct Issue(pub Option<Grant>);
pub(super) struct Begin;
pub(super) struct Next(pub Job, pub Option<Vec<u8>>);
pub(super) struct Perform(pub Command);
pub(super) struct Lacking<'a>(pub Option<&'a str>);
pub(super) struct Make<'a>(pub &'a Step);
pub(super) struct Handle(pub Request);
pub(super) struct Where;
pub(super) struct Open;
pub(super) struct Happened<'a> {
    pub session: &'a SessionState,
    pub now: Instant,
    pub inputs: Vec<super::contract::Input>,
}

/// A component made ready, by the version of its contract.
pub(super) enum Ready {
    V1(v1::Ready),
}

/// An instance, by the version of its contract.
pub(super) enum Live {
    V1(v1::Live),
}

/// A connection's state inside its instance, by the version of its contract.
pub(super) enum SessionState {
    V1(v1::SessionState),
}

impl Ready {
    /// Makes an instance in this store.
    pub async fn start(&self, store: Store<State>) -> Result<Live, Fault> {
        match self {
            Ready::V1(ready) => match ready.start(store).await {
                Ok(live) => Ok(Live::V1(live)),
                Err((error, mut store)) => Err(match fault(error, &mut store) {
                    Fault::Trap(why) => Fault::Start(why),
                    fault => fault,
                }),
            },
        }
    }
}

impl Live {
    fn store(&mut self) -> &mut Store<State> {
        match self {
            Live::V1(live) => &mut live.store,
        }
    }

    /// Puts a new call in the place of the last one.
    pub fn begin(&mut self, call: Call) {
        let store = self.store();
        store.data_mut().call = call;
        store.set_epoch_deadline(1);
    }

    /// Bytes of memory in use.
    pub fn memory(&mut self) -> usize {
        self.store().data().bounds.memory()
    }

    /// Asks, and waits no longer than `wait`. After a fault the instance is of no more use.
    pub async fn ask<Q: Question>(&mut self, question: Q, wait: Duration) -> Result<Q::Reply, Fault> {
        let asking = async {
            match self {
                Live::V1(live) => question.ask_v1(live).await,
            }
        };
        let reply = match tokio::time::timeout(wait, asking).await {
            Ok(reply) => reply,
            Err(_) => return Err(Fault::Deadline(self.store().data().call.context.limits.timeout)),
        };
        let store = self.store();
        match reply {
            // It went on regardless; what it says is not to be trusted.
            Ok(_) if store.data().call.over().is_some() => Err(store.data().call.over().unwrap_or(Fault::HostCalls(0))),
            Ok(reply) => Ok(reply),
            Err(error) => Err(fault(error, store)),
        }
    }
}

/// What an error of the engine means.
fn fault(error: wasmtime::Error, store: &mut Store<State>) -> Fault {
    let state = store.data_mut();
    let printed = state.printed();
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return fault.clone();
    }
    if let Some(fault) = state.call.over() {
        return fault;
    }
    let trap = error.downcast_ref::<Trap>();
    if trap == Some(&Trap::StackOverflow) {
        return Fault::Stack(STACK >> 10);
    }
    if trap == Some(&Trap::MemoryOutOfBounds) {
        return Fault::Trap("it reached outside its memory, as endless recursion does".to_owned());
    }
    if let Some(fault) = state.bounds.refused() {
        return fault;
    }
    let said = format!("{:#}", error.root_cause());
    if said.contains("fuel allocated for hostcalls") {
        return Fault::TooLarge(state.call.context.limits.transfer >> 10);
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        return Fault::Trap(format!("it ended itself with the status {}", exit.0));
    }
    let why = last_words(&printed).unwrap_or_else(|| said.trim_start_matches("wasm trap: ").to_owned());
    let redactor = state.call.context.access.redactor();
    Fault::Trap(redactor.text(&why, &mut Vec::new()))
}
