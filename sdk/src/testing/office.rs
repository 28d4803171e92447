//! The tenant that a test gives to a component: its calls, its people, and what becomes of commands.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::host::{CallPage, KnownCall, Ledger, Person, Selection};
use crate::records::{Call, CallPhase};
use crate::vocabulary::{Agent, Command, CommandOutcome, Failure, Kind, Subject};

/// A played tenant. Commands are done unless a test says otherwise.
#[derive(Default)]
pub struct Office(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    calls: Vec<KnownCall>,
    agents: Vec<Agent>,
    people: Vec<(String, Person)>,
    outcomes: Vec<Result<CommandOutcome, Failure>>,
    commands: Vec<Command>,
}

impl Office {
    /// Somebody at an extension who is this user over there.
    pub fn agent(&self, extension: &str, name: &str, user: &str) {
        let [extension, name, user] = [extension, name, user].map(|text| Some(text.to_owned()));
        self.kept().agents.push(Agent { extension, name, user });
    }

    /// Puts a call of the source `pbx` into the ledger, in place of the one with that id.
    pub fn call(&self, id: &str, call: Call) {
        self.call_at("pbx", id, call);
    }

    /// The same of another source.
    pub fn call_at(&self, source: &str, id: &str, call: Call) {
        let mut kept = self.kept();
        kept.calls.retain(|known| known.subject.source != source || known.subject.id != id);
        let subject = Subject { source: source.to_owned(), kind: Kind::Call, id: id.to_owned() };
        kept.calls.insert(0, KnownCall { subject, revision: 1, call });
    }

    /// Somebody who has this number, spelt like this.
    pub fn person(&self, number: &str, person: Person) {
        self.kept().people.push((number.to_owned(), person));
    }

    /// What becomes of the next command.
    pub fn will(&self, outcome: Result<CommandOutcome, Failure>) {
        self.kept().outcomes.push(outcome);
    }

    /// The commands so far.
    pub fn commands(&self) -> Vec<Command> {
        self.kept().commands.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for Office {
    fn under_way(&self, extension: Option<&str>) -> Result<Vec<KnownCall>, Failure> {
        let open = |known: &&KnownCall| known.call.phase != Some(CallPhase::Ended);
        let at = |known: &&KnownCall| extension.is_none_or(|extension| concerns(&known.call, extension));
        Ok(self.kept().calls.iter().filter(open).filter(at).cloned().collect())
    }

    fn calls(&self, which: &Selection, after: Option<&str>, limit: u32) -> Result<CallPage, Failure> {
        let from: usize = after.and_then(|after| after.parse().ok()).unwrap_or(0);
        let kept = self.kept();
        let wanted = kept.calls.iter().filter(|known| {
            let began = known.call.started_at.unwrap_or(0);
            which.extension.as_deref().is_none_or(|extension| concerns(&known.call, extension))
                && which.since.is_none_or(|since| began >= since)
                && which.until.is_none_or(|until| began < until)
        });
        let wanted: Vec<KnownCall> = wanted.cloned().collect();
        let to = wanted.len().min(from + limit as usize);
        let next = (to < wanted.len()).then(|| to.to_string());
        Ok(CallPage { calls: wanted[from.min(to)..to].to_vec(), next })
    }

    fn call_of(&self, id: &str) -> Result<Option<KnownCall>, Failure> {
        Ok(self.kept().calls.iter().find(|known| known.subject.id == id).cloned())
    }

    fn agents(&self, extension: Option<&str>, user: Option<&str>) -> Vec<Agent> {
        let of = |agent: &&Agent| {
            let is = |own: &Option<String>, wanted: Option<&str>| {
                wanted.is_none_or(|wanted| own.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(wanted)))
            };
            is(&agent.extension, extension) && is(&agent.user, user)
        };
        self.kept().agents.iter().filter(of).cloned().collect()
    }

    fn who(&self, number: &str, _patience: u64) -> Vec<Person> {
        let kept = self.kept();
        kept.people.iter().filter(|(own, _)| own == number).map(|(_, person)| person.clone()).collect()
    }

    fn perform(&self, command: Command) -> Result<CommandOutcome, Failure> {
        let mut kept = self.kept();
        kept.commands.push(command);
        if kept.outcomes.is_empty() { Ok(CommandOutcome::Done("{}".to_owned())) } else { kept.outcomes.remove(0) }
    }
}

/// Whether a call rang, was placed or was taken there.
fn concerns(call: &Call, extension: &str) -> bool {
    let is = |agent: &Option<Agent>| agent.as_ref().is_some_and(|agent| agent.extension.as_deref() == Some(extension));
    let party = |party: &Option<crate::vocabulary::Party>| party.as_ref().is_some_and(|party| is(&party.agent));
    is(&call.agent)
        || party(&call.caller)
        || party(&call.callee)
        || call.desks.iter().any(|desk| desk.extension == extension)
}
