//! Making amoCRM agree with records: what is there already is looked up, calls that are new go out together, and what
//! stands is reported, whatever becomes of the rest.

use std::cell::RefCell;
use std::collections::HashMap;

use cordboard_sdk::Host;
use cordboard_sdk::abilities::{Change, Outcome, Receipt};
use cordboard_sdk::records::{Call, Item};
use cordboard_sdk::serde_json::Value;
use cordboard_sdk::vocabulary::{Failure, Phone, Retryable};

use crate::account::Account;
use crate::add::Added;
use crate::api::Api;
use crate::call::{self, Doing, Rendering};
use crate::chat;
use crate::memo::{Memo, Place};
use crate::person::{self, Card};
use crate::refusal::Fault;
use crate::responsible::{self, Who};
use crate::session::Session;
use crate::settings::Settings;

/// Milliseconds after which no further change is begun: the rest of a batch is left for the next call.
const BUDGET: u64 = 12_000;

/// Milliseconds after which nothing more is asked of the account. The hub ends a call after 30 s, and the last request
/// may take 10 of them.
const LIMIT: u64 = 19_000;

/// Milliseconds for which amoCRM's search may not find what has just been written.
const SETTLES: u64 = 15_000;

/// One call of `deliver`.
pub struct Work<'h> {
    pub(crate) host: &'h dyn Host,
    pub(crate) settings: Settings,
    pub(crate) session: Session,
    pub(crate) api: Api<'h>,
    /// Who has which number, so that a batch asks once.
    people: RefCell<HashMap<String, Vec<Card>>>,
    /// Cards that this batch has made, by the number.
    pub(crate) made: RefCell<HashMap<String, (&'static str, u64)>>,
    /// Incoming leads that wait, the newest first, once they have been asked for.
    pub(crate) waiting: RefCell<Option<Vec<Value>>>,
    started: u64,
}

/// A call on its way into amoCRM.
pub(crate) struct Prepared<'c> {
    pub(crate) change: &'c Change,
    pub(crate) call: &'c Call,
    pub(crate) key: String,
    pub(crate) who: Who,
    pub(crate) memo: Memo,
    pub(crate) notes: Vec<String>,
}

impl<'h> Work<'h> {
    /// With the grant's session.
    pub fn begin(host: &'h dyn Host) -> Result<Self, Failure> {
        let settings: Settings = host.settings_as()?;
        let session = Session::of(host, &settings)?;
        let started = host.now();
        let api = session.api(host).until(started + LIMIT);
        let (people, made, waiting) = (RefCell::default(), RefCell::default(), RefCell::default());
        Ok(Self { host, settings, session, api, people, made, waiting, started })
    }

    /// Everybody whom amoCRM takes for the owner of this number, the best first.
    pub(crate) fn people(&self, phone: &Phone) -> Result<Vec<Card>, Fault> {
        let Some(digits) = phone.digits() else { return Ok(Vec::new()) };
        if let Some(known) = self.people.borrow().get(&digits) {
            return Ok(known.clone());
        }
        let found = person::everybody(&self.api, &self.settings, phone, &digits)?;
        self.people.borrow_mut().insert(digits, found.clone());
        Ok(found)
    }

    /// Somebody new is there.
    pub(crate) fn forget_people(&self) {
        self.people.borrow_mut().clear();
    }

    /// What is known of the account.
    pub(crate) fn account(&self) -> &Account {
        &self.session.account
    }

    /// One outcome for each change, in their order: calls of a first try go out together, and before any call that comes
    /// after them. Messages come last: they go to another service, and its faults are no reason for calls to wait.
    pub fn deliver(&self, changes: &[Change]) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = changes.iter().map(|_| None).collect();
        let late = || self.host.now().saturating_sub(self.started) > BUDGET;
        let mut new: Vec<(usize, Prepared)> = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            outcomes[at] = match &change.item {
                Item::Call(_) if late() => break,
                Item::Call(call) => self.one(at, change, call, &mut new, &mut outcomes),
                Item::Message(_) => None,
                _ => Some(Outcome::Skipped("amoCRM is told of calls and messages".into())),
            };
        }
        self.add_all(new, &mut outcomes);
        let mut chats = chat::Chats::new(self);
        for (at, change) in changes.iter().enumerate() {
            match &change.item {
                Item::Message(_) if late() => break,
                Item::Message(message) => outcomes[at] = Some(chats.message(change, message)),
                _ => {}
            }
        }
        // Of what there was no time for no attempt is spent, and it comes again at once.
        let left = Failure::RateLimited(Some(0));
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Outcome::Failed(left.clone()))).collect()
    }

    /// What comes of one call; nothing yet when it goes out with others that are new.
    fn one<'c>(
        &self,
        at: usize,
        change: &'c Change,
        call: &'c Call,
        new: &mut Vec<(usize, Prepared<'c>)>,
        outcomes: &mut [Option<Outcome>],
    ) -> Option<Outcome> {
        let memo = Memo::read(&change.memo);
        match call::doing(&self.settings, call) {
            Doing::Nothing(why) => return Some(Outcome::Skipped(why.into())),
            Doing::Show => {
                let shown = self.show(call, memo);
                return Some(shown.unwrap_or_else(|fault| self.failed(&fault, false)));
            }
            Doing::Log => {}
        }
        let before = self.api.written();
        let prepared = match self.prepare(change, call, memo) {
            Ok(Begun::New(prepared)) => prepared,
            Ok(Begun::Ended(outcome)) => return Some(outcome),
            Err(fault) => return Some(self.failed(&fault, self.api.written() > before)),
        };
        if change.attempt == 1 && call::client(call).is_some() {
            new.push((at, prepared));
            return None;
        }
        self.add_all(std::mem::take(new), outcomes);
        Some(self.finished(prepared, None))
    }

    /// Whose the call is, and where it stands, if it does: then it is brought up to date.
    fn prepare<'c>(&self, change: &'c Change, call: &'c Call, memo: Memo) -> Result<Begun<'c>, Fault> {
        let mut notes = Vec::new();
        let who = match (&memo.place, memo.who) {
            // Whom a missed call was given to stays.
            (Some(_), Some(user)) if responsible::agent(call).is_none() => Who { user: Some(user), text: None },
            _ => self.responsible(call, &mut notes)?,
        };
        if let (true, None, None, Some(extension)) = (self.settings.users_only, &memo.place, who.user, &who.text) {
            let why = format!("\"{extension}\" is no user of the account: the setting `users_only`");
            return Ok(Begun::Ended(Outcome::Skipped(why)));
        }
        let key = call::key(&self.settings, &change.subject);
        let mut prepared = Prepared { change, call, key, who, memo, notes };
        if prepared.memo.place.is_none() && (change.attempt > 1 || !change.joined.is_empty()) {
            prepared.memo.place = self.look_up(&prepared)?;
        }
        if prepared.memo.place.is_some() {
            return self.revise(prepared).map(Begun::Ended);
        }
        Ok(Begun::New(prepared))
    }

    /// Adds calls that do not stand there, in one request.
    fn add_all(&self, new: Vec<(usize, Prepared)>, outcomes: &mut [Option<Outcome>]) {
        let batch: Vec<&Prepared> = new.iter().map(|(_, prepared)| prepared).collect();
        match self.add(&batch) {
            Ok(answers) => {
                for ((at, prepared), added) in new.into_iter().zip(answers) {
                    outcomes[at] = Some(self.finished(prepared, Some(added)));
                }
            }
            Err(fault) => {
                for (at, _) in &new {
                    outcomes[*at] = Some(self.failed(&fault, false));
                }
            }
        }
    }

    /// How one call ends, when it is known what amoCRM said of it.
    fn finished(&self, prepared: Prepared, added: Option<Added>) -> Outcome {
        let stands = added.as_ref().is_some_and(Added::may_stand);
        let before = self.api.written();
        match self.finish(prepared, added) {
            Ok(outcome) => outcome,
            Err(fault) => self.failed(&fault, stands || self.api.written() > before),
        }
    }

    /// What a fault means for a change, and for those after it. `written`: something of the change stands in amoCRM, or
    /// may.
    fn failed(&self, fault: &Fault, written: bool) -> Outcome {
        let failure = Failure::from(fault.clone());
        let silent = matches!(fault, Fault::Silent { .. });
        if matches!(failure, Failure::Misconfigured(_)) || (silent && matches!(failure, Failure::Retryable(_))) {
            self.api.stop(fault);
        }
        Outcome::Failed(if written { unfinished(failure) } else { failure })
    }

    /// What becomes of one call, when it is known what amoCRM said of it.
    fn finish(&self, mut prepared: Prepared, added: Option<Added>) -> Result<Outcome, Fault> {
        if call::client(prepared.call).is_none() {
            return self.unknown(prepared);
        }
        let added = match added {
            Some(Added::Unsaid) => match self.look_up(&prepared)? {
                Some(place) => {
                    prepared.memo.place = Some(place);
                    return self.revise(prepared);
                }
                None => self.add_one(&prepared)?,
            },
            Some(added) => added,
            None => self.add_one(&prepared)?,
        };
        match added {
            Added::Nobody => self.unknown(prepared),
            added => self.placed(prepared, added),
        }
    }

    /// What becomes of a call for which there is a card.
    pub(crate) fn placed(&self, prepared: Prepared, added: Added) -> Result<Outcome, Fault> {
        match added {
            Added::Stands(note) => self.stands(prepared, Place::Note(note)),
            Added::Refused(why) => Ok(Outcome::Failed(Failure::rejected("validation", why))),
            Added::Nobody | Added::Unsaid => Ok(unclear("post /api/v4/calls")),
        }
    }

    /// The call stands in amoCRM: what else is to be said of it, and the receipt.
    pub(crate) fn stands(&self, mut prepared: Prepared, place: Place) -> Result<Outcome, Fault> {
        let params = self.rendering(&prepared).params();
        prepared.memo.fields.wrote("params", &params);
        prepared.memo.fields.wrote("link", &params["link"]);
        prepared.memo.place = Some(place);
        self.told(prepared)
    }

    /// The receipt of a call that stands in amoCRM.
    pub(crate) fn told(&self, mut prepared: Prepared) -> Result<Outcome, Fault> {
        self.write_words(&mut prepared)?;
        prepared.memo.who = prepared.who.user;
        let recordings = prepared.call.linked_recordings().len();
        if recordings > 1 {
            prepared.notes.push(format!("recordings: there are {recordings}, and amoCRM has room for one link"));
        }
        let Some(place) = &prepared.memo.place else {
            return Ok(Outcome::Failed(Failure::retryable("it is not known where the call stands")));
        };
        let url = place.card().map(|(of, card)| self.account().page(of, card));
        Ok(Outcome::Done(Receipt {
            external_id: Some(place.id()),
            url,
            shortened: prepared.notes,
            memo: prepared.memo.bytes(),
        }))
    }

    pub(crate) fn rendering<'a>(&'a self, prepared: &'a Prepared) -> Rendering<'a> {
        Rendering {
            settings: &self.settings,
            call: prepared.call,
            key: &prepared.key,
            who: &prepared.who,
            now: self.started,
        }
    }
}

/// How far a call has come.
enum Begun<'c> {
    Ended(Outcome),
    New(Prepared<'c>),
}

/// Something was to be added, and the answer does not say that it was.
pub(crate) fn unclear(operation: &str) -> Outcome {
    let why = format!("{operation}: success, and what was added is not in the answer");
    Outcome::Failed(unfinished(Failure::retryable(why)))
}

/// The failure of a change of which something stands in amoCRM, or may. The next try must be known for a second one, so
/// that it looks before it adds: what makes the hub wait or log in anew counts as no try.
fn unfinished(failure: Failure) -> Failure {
    let why = format!("not all of it is written: {}", failure.why());
    let passing = match failure {
        Failure::RateLimited(after) => Retryable { why, status: Some(429), after },
        Failure::Unauthorized(_) | Failure::Misconfigured(_) => Retryable { why, status: None, after: None },
        Failure::Retryable(it) => it,
        other => return other,
    };
    let after = passing.after.unwrap_or_default().max(SETTLES);
    Failure::Retryable(Retryable { after: Some(after), ..passing }).uncertain()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_done_is_always_another_try() {
        for failure in [
            Failure::RateLimited(Some(300_000)),
            Failure::unauthorized("x"),
            Failure::misconfigured("x"),
            Failure::retryable("x"),
        ] {
            let asked = if failure.word() == "rate-limited" { 300_000 } else { SETTLES };
            let Failure::Retryable(it) = unfinished(failure.clone()) else { panic!("{failure:?}") };
            assert_eq!(it.after, Some(asked), "{failure:?}");
        }
        assert_eq!(unfinished(Failure::rejected("x", "y")).word(), "rejected", "no retry mends it");
    }
}
