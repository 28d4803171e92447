//! Making amoCRM agree with records: what is there already is looked up, calls that are new go out together, and an
//! answer about several of them is taken apart.

use std::cell::RefCell;
use std::collections::HashMap;

use cordboard_sdk::Host;
use cordboard_sdk::abilities::{Change, Outcome, Receipt};
use cordboard_sdk::records::{Call, Item};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Failure, Phone};

use crate::account::Account;
use crate::api::{Api, embedded};
use crate::call::{self, Doing, Rendering};
use crate::chat;
use crate::memo::{Memo, Note, Place};
use crate::person::{self, Card};
use crate::refusal::{self, Fault};
use crate::responsible::{self, Who};
use crate::session::Session;
use crate::settings::Settings;

/// Milliseconds after which the rest of a batch is left for the next call.
const BUDGET: u64 = 12_000;

/// One call of `deliver`.
pub struct Work<'h> {
    pub(crate) host: &'h dyn Host,
    pub(crate) settings: Settings,
    pub(crate) session: Session,
    pub(crate) api: Api<'h>,
    /// Who has which number, so that a batch asks once.
    people: RefCell<HashMap<String, Vec<Card>>>,
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

/// What came of a batch so far.
struct Done {
    outcomes: Vec<Option<Outcome>>,
    /// What holds for the rest of it as well.
    stop: Option<Failure>,
}

impl Done {
    fn put(&mut self, at: usize, outcome: Result<Outcome, Fault>) {
        let outcome = outcome.unwrap_or_else(|fault| {
            let silent = matches!(fault, Fault::Silent { .. });
            let failure = Failure::from(fault);
            let all = matches!(failure, Failure::Unauthorized(_) | Failure::RateLimited(_) | Failure::Misconfigured(_));
            if all || (silent && matches!(failure, Failure::Retryable(_))) {
                self.stop = Some(failure.clone());
            }
            Outcome::Failed(failure)
        });
        self.outcomes[at] = Some(outcome);
    }
}

/// What came of asking amoCRM to add calls.
enum Added {
    /// It stands there.
    Stands(Note),
    /// Nobody has the number.
    Nobody,
    /// It will not be taken as it is.
    Refused(String),
    /// The answer says nothing of it.
    Unsaid,
}

impl<'h> Work<'h> {
    /// With the grant's session.
    pub fn begin(host: &'h dyn Host) -> Result<Self, Failure> {
        let settings: Settings = host.settings_as()?;
        let session = Session::of(host, &settings)?;
        let api = session.api(host);
        Ok(Self { host, settings, session, api, people: RefCell::default(), started: host.now() })
    }

    /// Everybody with this number, the best first.
    pub(crate) fn people(&self, phone: &Phone) -> Result<Vec<Card>, Fault> {
        let Some(digits) = phone.digits() else { return Ok(Vec::new()) };
        if let Some(known) = self.people.borrow().get(&digits) {
            return Ok(known.clone());
        }
        let found = person::everybody(&self.api, &self.settings, &digits)?;
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

    /// One outcome for each change, in their order: calls of a first try go out together, and before anything that comes
    /// after them.
    pub fn deliver(&self, changes: &[Change]) -> Vec<Outcome> {
        let mut done = Done { outcomes: changes.iter().map(|_| None).collect(), stop: None };
        let mut new: Vec<(usize, Prepared)> = Vec::new();
        let mut chats = chat::Chats::new(self);
        for (at, change) in changes.iter().enumerate() {
            if done.stop.is_some() || self.host.now().saturating_sub(self.started) > BUDGET {
                break;
            }
            let outcome = match &change.item {
                Item::Call(call) => match self.begin_call(change, call) {
                    Ok(Begun::Ended(outcome)) => Ok(outcome),
                    Ok(Begun::New(prepared)) if change.attempt == 1 && call::client(call).is_some() => {
                        new.push((at, prepared));
                        continue;
                    }
                    Ok(Begun::New(prepared)) => {
                        self.add_all(std::mem::take(&mut new), &mut done);
                        if done.stop.is_some() { break } else { self.finish(prepared, None) }
                    }
                    Err(fault) => Err(fault),
                },
                Item::Message(message) => chats.message(change, message),
                _ => Ok(Outcome::Skipped("amoCRM is told of calls and messages".into())),
            };
            done.put(at, outcome);
        }
        self.add_all(new, &mut done);
        // Of what there was no time for no attempt is spent, and it comes again at once.
        let left = done.stop.unwrap_or(Failure::RateLimited(Some(0)));
        done.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|| Outcome::Failed(left.clone()))).collect()
    }

    /// What can be said of a call without adding it.
    fn begin_call<'c>(&self, change: &'c Change, call: &'c Call) -> Result<Begun<'c>, Fault> {
        let memo = Memo::read(&change.memo);
        let ended = |outcome| Ok(Begun::Ended(outcome));
        match call::doing(&self.settings, call) {
            Doing::Nothing(why) => return ended(Outcome::Skipped(why.into())),
            Doing::Show => return self.show(call, memo).map(Begun::Ended),
            Doing::Log => {}
        }
        let mut notes = Vec::new();
        let who = match (&memo.place, memo.who) {
            // Whom a missed call was given to stays.
            (Some(_), Some(user)) if responsible::agent(call).is_none() => Who { user: Some(user), text: None },
            _ => self.responsible(call, &mut notes)?,
        };
        let key = call::key(&self.settings, &change.subject);
        let mut prepared = Prepared { change, call, key, who, memo, notes };
        if prepared.memo.place.is_none() && change.attempt > 1 {
            prepared.memo.place = self.look_up(&prepared)?;
        }
        if prepared.memo.place.is_some() {
            return self.revise(prepared).map(Begun::Ended);
        }
        Ok(Begun::New(prepared))
    }

    /// Adds calls that do not stand there, in one request.
    fn add_all(&self, new: Vec<(usize, Prepared)>, done: &mut Done) {
        if done.stop.is_some() {
            return;
        }
        let batch: Vec<&Prepared> = new.iter().map(|(_, prepared)| prepared).collect();
        match self.add(&batch) {
            Ok(answers) => {
                for ((at, prepared), added) in new.into_iter().zip(answers) {
                    if done.stop.is_none() {
                        done.put(at, self.finish(prepared, Some(added)));
                    }
                }
            }
            Err(fault) => new.iter().for_each(|(at, _)| done.put(*at, Err(fault.clone()))),
        }
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
            Added::Stands(note) => self.stands(prepared, Place::Note(note)),
            Added::Nobody => self.unknown(prepared),
            Added::Refused(why) => Ok(Outcome::Failed(Failure::rejected("validation", why))),
            Added::Unsaid => {
                let why = "post /api/v4/calls: success, and the call is not in the answer";
                Ok(Outcome::Failed(Failure::retryable(why).uncertain()))
            }
        }
    }

    /// Adds one call for which a card has just been made.
    pub(crate) fn add_known(&self, prepared: &Prepared) -> Result<Option<Note>, Fault> {
        match self.add_one(prepared)? {
            Added::Stands(note) => Ok(Some(note)),
            _ => Ok(None),
        }
    }

    fn add_one(&self, prepared: &Prepared) -> Result<Added, Fault> {
        Ok(self.add(&[prepared])?.pop().unwrap_or(Added::Unsaid))
    }

    fn add(&self, calls: &[&Prepared]) -> Result<Vec<Added>, Fault> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let item = |(at, prepared): (usize, &&Prepared)| self.rendering(prepared).item(&at.to_string());
        let body: Vec<Value> = calls.iter().enumerate().map(item).collect();
        match self.api.post("/api/v4/calls", &json!(body)) {
            Ok(said) => Ok(taken_apart(&said, calls.len())),
            // An unknown number is a refusal too, and the rest of the batch may have been taken.
            Err(Fault::Said(said)) if said.status == 400 && tells(&said.body) => {
                Ok(taken_apart(&said.body, calls.len()))
            }
            Err(fault) => Err(fault),
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

/// Whether a refusal says which of the calls it is about.
fn tells(body: &Value) -> bool {
    body["errors"].is_array() || body["validation-errors"].is_array() || body["_embedded"]["calls"].is_array()
}

/// What an answer says of each call, by the `request_id` that it went out with.
fn taken_apart(said: &Value, count: usize) -> Vec<Added> {
    let mut all: Vec<Added> = (0..count).map(|_| Added::Unsaid).collect();
    let at = |id: &Value| refusal::plain(id).parse::<usize>().ok().filter(|at| *at < count);
    let invalid = refusal::validation(said);
    for (id, what) in &invalid {
        if let Some(at) = id.parse::<usize>().ok().filter(|at| *at < count) {
            all[at] = Added::Refused(format!("post /api/v4/calls: {what}"));
        }
    }
    let calls = embedded(said, "calls");
    for row in calls {
        if let (Some(at), Some(note)) = (at(&row["request_id"]), note(row)) {
            all[at] = Added::Stands(note);
        }
    }
    let errors = said["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let missing = |error: &&Value| error["title"] == "Entity not found" || error["status"] == 404;
    for error in errors.iter().filter(missing) {
        match at(&error["request_id"]) {
            Some(at) => all[at] = Added::Nobody,
            // An error that names no call is about the only one there is.
            None if count == 1 => all[0] = Added::Nobody,
            None => {}
        }
    }
    for error in errors.iter().filter(|error| !missing(error)) {
        if let Some(at) = at(&error["request_id"]).or((count == 1).then_some(0)) {
            all[at] = Added::Refused(format!("post /api/v4/calls: {}", refusal::words(&json!({"errors": [error]}))));
        }
    }
    all
}

fn note(row: &Value) -> Option<Note> {
    let of = match row["entity_type"].as_str()? {
        "lead" | "leads" => "leads",
        "contact" | "contacts" => "contacts",
        "company" | "companies" => "companies",
        "customer" | "customers" => "customers",
        _ => return None,
    };
    Some(Note { of: of.to_owned(), card: row["entity_id"].as_u64()?, id: row["id"].as_u64()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(said: &Value, count: usize) -> Vec<&'static str> {
        let word = |added: &Added| match added {
            Added::Stands(_) => "stands",
            Added::Nobody => "nobody",
            Added::Refused(_) => "refused",
            Added::Unsaid => "unsaid",
        };
        taken_apart(said, count).iter().map(word).collect()
    }

    #[test]
    fn a_batch_is_taken_apart_by_its_requests() {
        let row = |at: &str| json!({"id": 1, "entity_id": 2, "entity_type": "lead", "request_id": at});
        let missing = |at: &str| json!({"title": "Entity not found", "status": 404, "request_id": at});
        let mixed = json!({"errors": [missing("1")], "_embedded": {"calls": [row("2"), row("0")]}});
        assert_eq!(words(&mixed, 4), ["stands", "nobody", "stands", "unsaid"]);
        let invalid = json!({"validation-errors": [{"request_id": "1", "errors": [{"path": "phone"}]}]});
        assert_eq!(words(&invalid, 2), ["unsaid", "refused"]);
        // As it was seen: without saying which.
        let alone = json!({"_total_items": 0, "errors": [{"title": "Entity not found"}]});
        assert_eq!(words(&alone, 1), ["nobody"]);
        assert_eq!(words(&alone, 2), ["unsaid", "unsaid"]);
        assert_eq!(words(&json!({"_embedded": {"calls": [row("9")]}}), 1), ["unsaid"]);
    }
}
