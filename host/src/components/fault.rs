//! What can go wrong with a component itself. It is never the outside system's doing: that is a
//! [`Failure`](super::contract::Failure).

use std::time::Duration;

use super::contract::Ability;

/// Why a call came to no answer. The instance is thrown away; other calls do not notice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The code stopped itself: a panic, an unreachable instruction, an access outside its memory.
    #[error("the component crashed: {0}")]
    Trap(String),
    /// More calls inside calls than the stack holds.
    #[error("the component's calls are nested too deep: its stack of {0} KiB is used up")]
    Stack(usize),
    /// It did not finish in time.
    #[error("the component did not finish within {} s", .0.as_secs_f64())]
    Deadline(Duration),
    /// It wanted more memory than it may have.
    #[error("the component wanted {wanted} MiB of memory; it may have {limit} MiB")]
    Memory {
        /// In MiB, rounded up.
        wanted: u64,
        /// In MiB.
        limit: u64,
    },
    /// It wanted larger tables than it may have.
    #[error("the component wanted a table of {wanted} elements; it may have {limit}")]
    Table {
        /// In elements.
        wanted: u64,
        /// In elements.
        limit: u64,
    },
    /// It gave back, or handed to the hub, more than the hub takes.
    #[error("the component handed over more than {0} KiB at once")]
    TooLarge(usize),
    /// It asked the hub for too much.
    #[error("the component called the hub more than {0} times in one call")]
    HostCalls(u64),
    /// It made too many requests.
    #[error("the component made more than {0} requests in one call")]
    Requests(u32),
    /// What it gave back breaks the contract.
    #[error("the component's answer breaks the contract: {0}")]
    Answer(String),
    /// It does not export the interface.
    #[error("the component `{component}` has no `{ability}`")]
    Unable {
        /// Its name.
        component: String,
        /// What was asked of it.
        ability: Ability,
    },
    /// The hub could not make an instance of it.
    #[error("the component could not be started: {0}")]
    Start(String),
    /// The hub is stopping, or all its instances stayed busy.
    #[error("no instance became free within {} s", .0.as_secs_f64())]
    Busy(Duration),
}
