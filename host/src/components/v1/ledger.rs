//! `ledger`: what a component of this version may ask of its own tenant.

use std::time::Duration;

use wasmtime::component::{HasData, Linker};

use super::bindings::cordboard::hub::ledger::{self, KnownCall, Page, Person, Selection};
use super::bindings::cordboard::hub::vocabulary::{Agent, Command, CommandOutcome, Failure, Subject};
use super::inward::Inward;
use super::outward::Outward;
use crate::components::contract::{self, CallPage};
use crate::components::inside::CALLS;
use crate::components::state::State;
use crate::model::{Instant, Numbering};

/// Nobody waits longer for the end of a command, or for a name.
const PATIENCE: Duration = Duration::from_secs(10);

struct Ledger;

impl HasData for Ledger {
    type Data<'a> = &'a mut State;
}

/// Puts `ledger` into a linker.
pub fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    ledger::add_to_linker::<State, Ledger>(linker, |state| {
        state.call.count();
        state
    })
}

impl ledger::Host for State {
    async fn under_way(&mut self, extension: Option<String>) -> wasmtime::Result<Result<Vec<KnownCall>, Failure>> {
        let Some(inside) = self.call.context.inside() else { return Ok(Ok(Vec::new())) };
        let context = self.call.context.clone();
        let calls = inside.under_way(context.asking(), extension.as_deref()).await;
        Ok(told(calls, &context.numbering))
    }

    async fn calls(
        &mut self,
        which: Selection,
        after: Option<String>,
        limit: u32,
    ) -> wasmtime::Result<Result<Page, Failure>> {
        if !self.call.count_request() {
            return Ok(Err(self.too_many()));
        }
        let Some(inside) = self.call.context.inside() else {
            return Ok(Ok(Page { calls: Vec::new(), next: None }));
        };
        let context = self.call.context.clone();
        let which = contract::Selection {
            extension: which.extension,
            since: which.since.map(Instant::clamped),
            until: which.until.map(Instant::clamped),
        };
        let page = inside.calls(context.asking(), which, after.as_deref(), limit.clamp(1, CALLS)).await;
        Ok(told(page, &context.numbering))
    }

    async fn call_of(&mut self, id: String) -> wasmtime::Result<Result<Option<KnownCall>, Failure>> {
        if !self.call.count_request() {
            return Ok(Err(self.too_many()));
        }
        let Some(inside) = self.call.context.inside() else { return Ok(Ok(None)) };
        let context = self.call.context.clone();
        let call = inside.call_of(context.asking(), &id).await;
        Ok(told(call, &context.numbering))
    }

    fn agents(&mut self, extension: Option<String>, user: Option<String>) -> wasmtime::Result<Vec<Agent>> {
        let context = self.call.context.clone();
        let (extension, user) = (extension.as_deref(), user.as_deref());
        let agents = context.inside().map(|inside| inside.agents(context.asking(), extension, user));
        Ok(agents.unwrap_or_default().outward(&context.numbering))
    }

    async fn who(&mut self, number: String, patience: u64) -> wasmtime::Result<Vec<Person>> {
        if !self.call.count_request() {
            return Ok(Vec::new());
        }
        let Some(inside) = self.call.context.inside() else { return Ok(Vec::new()) };
        let context = self.call.context.clone();
        let patience = Duration::from_millis(patience).min(PATIENCE);
        Ok(inside.who(context.asking(), &number, patience).await.outward(&context.numbering))
    }

    async fn perform(&mut self, command: Command) -> wasmtime::Result<Result<CommandOutcome, Failure>> {
        if !self.call.count_request() {
            return Ok(Err(self.too_many()));
        }
        if !self.call.commands {
            let why = "commands are for endpoints, while they answer a request".to_owned();
            return Ok(Err(Failure::Misconfigured(why)));
        }
        let Some(inside) = self.call.context.inside() else {
            return Ok(Err(Failure::Misconfigured("there is nobody here to carry out a command".to_owned())));
        };
        let command: contract::Command = match command.inward() {
            Ok(command) => command,
            Err(invalid) => {
                let failure = contract::Failure::Rejected { code: "invalid".to_owned(), why: invalid.to_string() };
                return Ok(Err(failure.outward(&Numbering::default())));
            }
        };
        let context = self.call.context.clone();
        Ok(told(inside.perform(context.asking(), command, PATIENCE).await, &context.numbering))
    }
}

impl State {
    fn too_many(&self) -> Failure {
        Failure::Misconfigured(self.call.over().map_or_else(String::new, |fault| fault.to_string()))
    }
}

fn told<A: Outward<B>, B>(answer: Result<A, contract::Failure>, numbering: &Numbering) -> Result<B, Failure> {
    answer.map(|it| it.outward(numbering)).map_err(|failure| failure.outward(numbering))
}

impl Outward<KnownCall> for contract::KnownCall {
    fn outward(self, numbering: &Numbering) -> KnownCall {
        let subject: Subject = self.subject.outward(numbering);
        KnownCall { subject, revision: self.revision, call: self.call.outward(numbering) }
    }
}

impl Outward<Page> for CallPage {
    fn outward(self, numbering: &Numbering) -> Page {
        Page { calls: self.calls.outward(numbering), next: self.next }
    }
}

impl Outward<Person> for contract::Person {
    fn outward(self, _: &Numbering) -> Person {
        let contract::Person { sink, id, kind, name, url, owner } = self;
        Person { sink, id, kind, name, url, owner }
    }
}

impl Outward<CommandOutcome> for contract::CommandOutcome {
    fn outward(self, _: &Numbering) -> CommandOutcome {
        match self {
            contract::CommandOutcome::Done(result) => CommandOutcome::Done(result),
            contract::CommandOutcome::Accepted(subject) => CommandOutcome::Accepted(subject),
            contract::CommandOutcome::Unknown(why) => CommandOutcome::Unknown(why),
            contract::CommandOutcome::Other(name, text) => CommandOutcome::Other((name, text)),
        }
    }
}
