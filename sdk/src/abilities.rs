//! What a component can do: one trait for each interface that it can export.

use crate::Host;
use crate::records::Observation;
use crate::vocabulary::{Command, CommandOutcome, Failure, Grant, Incoming, Instant, Job, Phone, Reply};

pub use crate::bindings::about::exports::cordboard::hub::about::{Descriptor, Rate};
pub use crate::bindings::commands::exports::cordboard::hub::commands::Performed;
pub use crate::bindings::connection::exports::cordboard::hub::connection::{
    Action, Address, Answer as CommandAnswer, Input, Left, Reconnect, Timer, Unfinished,
};
pub use crate::bindings::directory::exports::cordboard::hub::directory::Match;
pub use crate::bindings::endpoint::exports::cordboard::hub::endpoint::{Answer, Sent, Sound, Wait};
pub use crate::bindings::pull::exports::cordboard::hub::pull::{Page, Progress};
pub use crate::bindings::setup::exports::cordboard::hub::setup::Step;
pub use crate::bindings::sink::exports::cordboard::hub::sink::{Change, Joined, Outcome, Receipt};
pub use crate::bindings::webhook::exports::cordboard::hub::webhook::{Accepted, Malformed, Once, Refusal};

/// Says who the component is. Every component has this.
pub trait About {
    /// Asked once when the component is loaded, before it can do anything else. See [`descriptor!`](crate::descriptor).
    fn describe() -> Descriptor;
}

/// A source that is told by HTTP.
pub trait Webhook {
    /// Verifies and decodes one request: the signature first, over the bytes as they came.
    fn receive(host: &dyn Host, request: Incoming) -> Result<Accepted, Refusal>;
}

/// A source behind a socket, as a state machine without input or output of its own.
pub trait Connection {
    /// One connection's state; it lives over reconnects.
    type Session: Dialog;

    /// Where to connect, asked before each connecting.
    fn target(host: &dyn Host) -> Result<Address, Failure>;
}

/// One connection's state.
pub trait Dialog: 'static {
    /// Before the first input.
    fn begin(host: &dyn Host) -> Self;

    /// What is to be done about what happened. `now` is the only clock there is.
    fn handle(&mut self, host: &dyn Host, now: Instant, inputs: Vec<Input>) -> Vec<Action>;
}

/// A source that can be read page by page.
pub trait Pull {
    /// The reading that is to go on by itself, asked when the source is put to work.
    fn begin(host: &dyn Host) -> Vec<Job> {
        let _ = host;
        vec![]
    }

    /// Reads one bounded page; `cursor` is what the page before gave as `next`.
    fn next(host: &dyn Host, job: Job, cursor: Option<Vec<u8>>) -> Result<Page, Failure>;
}

/// A source that can be asked to do things.
pub trait Commands {
    /// Carries out one command. A plain result becomes what came of it with `into()`.
    fn perform(host: &dyn Host, command: Command) -> Performed;
}

/// An adapter that makes an outside system agree with records.
pub trait Sink {
    /// Makes the outside system agree with each change: one outcome for each, in the same order.
    fn deliver(host: &dyn Host, changes: Vec<Change>) -> Vec<Outcome>;

    /// Looks whether this use can work. Each sentence is something that a person must mend.
    fn check(host: &dyn Host) -> Result<Vec<String>, Failure> {
        let _ = host;
        Ok(vec![])
    }
}

/// An adapter that knows people by their number.
pub trait Directory {
    /// Who has this number, best first. An empty list says: nobody.
    fn find(host: &dyn Host, phone: Phone) -> Result<Vec<Match>, Failure>;
}

/// A component that logs in.
pub trait Grants {
    /// Makes a new grant; `previous` has expired or was refused. [`Host::grant`] has it in every later call.
    fn issue(host: &dyn Host, previous: Option<Grant>) -> Result<Grant, Failure>;
}

/// An adapter that can make what the outside system needs beforehand.
pub trait Setup {
    /// What is lacking, in the order in which it must be made. `endpoint` is this sink's own address, if it has one.
    fn plan(host: &dyn Host, endpoint: Option<String>) -> Result<Vec<Step>, Failure>;

    /// Makes one of them; a text is for the person alone.
    fn make(host: &dyn Host, step: Step) -> Result<Option<String>, Failure>;
}

/// An adapter that the outside system calls.
pub trait Endpoint {
    /// Answers one request. Everything in it is unproved until this function has proved it.
    fn handle(host: &dyn Host, request: Incoming) -> Answer;
}

/// A [`Descriptor`] with the crate's own name (without `cordboard-`) and version, one change for each delivery, and no hosts; put what differs
/// before `..descriptor!(…)`.
#[macro_export]
macro_rules! descriptor {
    ($summary:expr, $settings_schema:expr) => {
        $crate::abilities::Descriptor {
            name: env!("CARGO_PKG_NAME").trim_start_matches("cordboard-").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            summary: $summary.into(),
            settings_schema: $settings_schema.into(),
            hosts: ::std::vec![],
            batch: 1,
            rate: ::core::option::Option::None,
            commands: ::std::vec![],
        }
    };
}

impl From<Result<CommandOutcome, Failure>> for Performed {
    fn from(result: Result<CommandOutcome, Failure>) -> Self {
        Self { result, observations: vec![] }
    }
}

impl From<Result<Receipt, Failure>> for Outcome {
    fn from(result: Result<Receipt, Failure>) -> Self {
        result.map_or_else(Self::Failed, Self::Done)
    }
}

impl Accepted {
    /// These observations, and nothing else.
    pub fn observed(observations: Vec<Observation>) -> Self {
        Self { observations, ..Self::default() }
    }
}

impl Refusal {
    /// Something in the body is wrong; `field` is a JSON pointer, the name of a form field, or empty.
    pub fn malformed(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Malformed(Malformed { field: field.into(), why: why.into() })
    }
}

impl From<Sent> for Answer {
    fn from(sent: Sent) -> Self {
        Self { sent, observations: vec![], commands: vec![] }
    }
}

impl From<Reply> for Answer {
    fn from(response: Reply) -> Self {
        Sent::Response(response).into()
    }
}

impl Answer {
    /// The response, when the component gave one itself.
    pub fn response(&self) -> Option<&Reply> {
        match &self.sent {
            Sent::Response(response) => Some(response),
            _ => None,
        }
    }
}
