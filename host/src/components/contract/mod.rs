//! The contract in the host's own types: what goes into a component and what comes out, whatever version of the
//! contract the component was built for.
//!
//! Plain data. Nothing here knows Wasm, and nothing outside `components` knows anything but this.

mod command;
mod connection;
mod descriptor;
mod endpoint;
mod failure;
mod http;
mod ledger;
mod people;
mod pull;
mod setup;
mod sink;
mod webhook;

pub use command::{Command, CommandOutcome, Performed};
pub use connection::{Action, Input, Left, Target, Unfinished};
pub use descriptor::{Abilities, Ability, Descriptor, Rate};
pub use endpoint::{Answer, Sent, Sound, Wait};
pub use failure::Failure;
pub use http::{Headers, Request, Response};
pub use ledger::{CallPage, KnownCall, Person, Selection};
pub use people::Match;
pub use pull::Page;
pub use setup::Step;
pub use sink::{Change, Outcome};
pub use webhook::{Accepted, Refusal};

pub use crate::store::{Grant, Job, Joined, Once, Progress, Receipt};
