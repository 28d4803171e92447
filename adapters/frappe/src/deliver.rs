//! Making a site agree with records: what is to be written, all new ones of a kind at once, the others one by one.

use std::collections::HashMap;

use cordboard_sdk::Host;
use cordboard_sdk::abilities::{Change, Outcome, Receipt};
use cordboard_sdk::records::Item;
use cordboard_sdk::serde_json::json;
use cordboard_sdk::vocabulary::Failure;

use crate::api::{Api, Row};
use crate::call::{self, Person};
use crate::clock::Zone;
use crate::key;
use crate::known::{Known, Target};
use crate::memo::Memo;
use crate::person::Search;
use crate::preset::{KINDS, Kind};
use crate::refusal::Fault;
use crate::session;
use crate::settings::{Recordings, Settings};
use crate::whatsapp;

/// Milliseconds after which the rest of a batch is left for the next call.
const BUDGET: u64 = 12_000;

/// Requests after which the rest of a batch is left for the next call.
const REQUESTS: usize = 450;

/// One call of `deliver`.
pub struct Work<'h> {
    pub(crate) host: &'h dyn Host,
    pub(crate) settings: Settings,
    pub(crate) known: Known,
    pub(crate) zone: Zone,
    pub(crate) api: Api<'h>,
    /// Documents of parents, by kind and id at the source; absent ones too.
    pub(crate) parents: HashMap<(Kind, String), Option<String>>,
    /// Sessions whose counters have to be looked at again.
    pub(crate) grown: Vec<(String, Kind)>,
    /// Who has which number, so that a batch asks once.
    people: HashMap<String, (Option<Person>, Vec<String>)>,
}

/// A change that is ready to be written.
pub(crate) struct Prepared<'c> {
    pub(crate) change: &'c Change,
    pub(crate) kind: Kind,
    /// What it is known by.
    pub(crate) key: String,
    /// The session that it belongs to, by its id at the source.
    pub(crate) session: String,
    pub(crate) doc: Row,
    pub(crate) notes: Vec<String>,
    pub(crate) memo: Memo,
    pub(crate) person: Option<Person>,
    /// The document, when it is known to be there.
    pub(crate) name: Option<String>,
    /// The document by which somebody in Frappe asked for it.
    pub(crate) asked: Option<String>,
    /// It has just been made, with all of this in it.
    pub(crate) made: bool,
}

impl<'h> Work<'h> {
    /// With what the grant has.
    pub fn begin(host: &'h dyn Host) -> Result<Self, Failure> {
        let settings: Settings = host.settings_as()?;
        let (credential, known) = session::of(host, &settings)?;
        let zone = known.zone()?;
        let api = Api::new(host, &settings, credential);
        let (parents, people) = (HashMap::new(), HashMap::new());
        Ok(Self { host, settings, known, zone, api, parents, grown: Vec::new(), people })
    }

    /// Looks for people.
    pub fn search(&self) -> Search<'_> {
        Search { api: &self.api, known: &self.known, settings: &self.settings }
    }

    /// One outcome for each change.
    pub fn deliver(&mut self, changes: &[Change]) -> Vec<Outcome> {
        let started = self.host.now();
        let mut outcomes: Vec<Option<Outcome>> = changes.iter().map(|_| None).collect();
        let mut stop: Option<Failure> = None;
        // Parents go first: what links to them finds them there.
        for kind in KINDS {
            let places: Vec<usize> = (0..changes.len()).filter(|at| kind_of(&changes[*at]) == Some(kind)).collect();
            let mut ready: Vec<(usize, Prepared)> = Vec::new();
            if stop.is_none()
                && let Err(fault) = self.know_contacts(kind, places.iter().map(|at| &changes[*at]))
            {
                failed(fault, &mut stop);
            }
            for at in places {
                self.mind(started, &mut stop);
                let result = match &stop {
                    Some(failure) => Err(failure.clone()),
                    None => self.prepare(kind, &changes[at]).map_err(|fault| failed(fault, &mut stop)),
                };
                match result {
                    Ok(Ok(prepared)) => ready.push((at, prepared)),
                    Ok(Err(outcome)) => outcomes[at] = Some(outcome),
                    Err(failure) => outcomes[at] = Some(Outcome::Failed(failure)),
                }
            }
            let found = if kind == Kind::Message { self.find_asked(all(&mut ready)) } else { Ok(()) };
            if let Err(failure) = found.and_then(|()| self.make_at_once(kind, all(&mut ready))) {
                for (at, _) in ready.drain(..).filter(|(_, prepared)| !prepared.made) {
                    outcomes[at] = Some(Outcome::Failed(failure.clone()));
                }
                stop = Some(failure);
            }
            for (at, mut prepared) in ready {
                if !prepared.made {
                    self.mind(started, &mut stop);
                }
                let result = match &stop {
                    Some(failure) if !prepared.made => Err(failure.clone()),
                    _ => self.agree(&mut prepared).map_err(|fault| failed(fault, &mut stop)),
                };
                outcomes[at] = Some(result.into());
            }
        }
        self.count();
        let other = || Outcome::Skipped("this kind of record has no place in Frappe".into());
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(other)).collect()
    }

    /// Leaves the rest for another call when this one has taken long, or the site is asked for too much. No attempt is
    /// spent by that.
    fn mind(&self, started: u64, stop: &mut Option<Failure>) {
        if stop.is_none() && (self.host.now().saturating_sub(started) > BUDGET || self.api.requests() > REQUESTS) {
            *stop = Some(Failure::RateLimited(Some(0)));
        } else if let (None, Some(wait)) = (&stop, self.api.spent()) {
            *stop = Some(Failure::RateLimited(Some(wait)));
        }
    }

    /// What is to be written; or that there is nothing to do.
    fn prepare<'c>(&mut self, kind: Kind, change: &'c Change) -> Result<Result<Prepared<'c>, Outcome>, Fault> {
        if let Some(why) = self.known.blocked.get(&kind) {
            return Ok(Err(Outcome::Failed(Failure::misconfigured(why))));
        }
        let Some(target) = self.known.targets.get(&kind).cloned() else {
            return Ok(Err(Outcome::Skipped(format!("the settings say that a {} is not written", kind.word()))));
        };
        let memo = Memo::read(&change.memo, &target.doctype);
        let name = change.external_id.clone().filter(|_| !memo.doctype.is_empty());
        if let Item::Message(message) = &change.item
            && name.is_none()
            && !whatsapp::shows(message)
        {
            return Ok(Err(Outcome::Skipped("of the message itself nothing is known yet".into())));
        }
        let mut prepared = Prepared {
            change,
            kind,
            key: match kind {
                Kind::Call => call::key(&self.settings, &change.subject),
                Kind::Message => key::folded(&change.subject.id),
                _ => key::exact(&change.subject.id),
            },
            session: whatsapp::session_of(&change.subject, &change.item),
            doc: Row::new(),
            notes: Vec::new(),
            memo: Memo { doctype: target.doctype.clone(), ..memo },
            person: None,
            name,
            asked: None,
            made: false,
        };
        match &change.item {
            Item::Call(call) => self.render_call(call, &target, &mut prepared)?,
            _ => self.render_whatsapp(&target, &mut prepared)?,
        }
        Ok(Ok(prepared))
    }

    fn render_call(
        &mut self,
        call: &cordboard_sdk::records::Call,
        target: &Target,
        prepared: &mut Prepared,
    ) -> Result<(), Fault> {
        let links = ["links", "reference_docname"].iter().any(|holds| target.slot(holds).is_some());
        if self.settings.link
            && prepared.memo.person.is_none()
            && (links || self.settings.popup != crate::settings::Popup::Off)
        {
            prepared.person = self.person(call, &mut prepared.notes)?;
        }
        let user = call.agent.as_ref().and_then(|agent| call::user(&self.settings, &self.known, agent));
        let timed = target.slot("start_time").is_some_and(|slot| prepared.memo.fields.knows(&slot.name));
        let rendering = call::Rendering {
            settings: &self.settings,
            call,
            subject: &prepared.change.subject,
            key: &prepared.key,
            person: prepared.person.as_ref(),
            user: user.as_deref(),
            now: (!timed).then(|| self.host.now()),
        };
        let filed = self.settings.recording == Recordings::File && !prepared.memo.files.is_empty();
        for slot in target.slots.iter().filter(|slot| !(filed && slot.holds == "recording_url")) {
            if let Some(value) =
                rendering.value(slot).and_then(|given| slot.fit(given, &self.zone, &mut prepared.notes))
            {
                prepared.doc.insert(slot.name.clone(), value);
            }
        }
        let more = call.linked_recordings().len();
        if more > 1 && self.settings.recording == Recordings::Link && target.slot("recording_url").is_some() {
            prepared.notes.push(format!("recording: only the first of {more} is linked"));
        }
        Ok(())
    }

    fn person(
        &mut self,
        call: &cordboard_sdk::records::Call,
        notes: &mut Vec<String>,
    ) -> Result<Option<Person>, Fault> {
        let Some(phone) = call.other().and_then(|party| party.number.clone()) else { return Ok(None) };
        // Between two of our own nobody is a customer.
        if call.other().is_some_and(|party| party.agent.is_some()) {
            return Ok(None);
        }
        let number = phone.shown().to_owned();
        if let Some((person, said)) = self.people.get(&number) {
            notes.extend(said.clone());
            return Ok(person.clone());
        }
        let mut said = Vec::new();
        let person = self.search().person(&phone, &mut said)?;
        notes.extend(said.clone());
        self.people.insert(number, (person.clone(), said));
        Ok(person)
    }

    fn render_whatsapp(&mut self, target: &Target, prepared: &mut Prepared) -> Result<(), Fault> {
        let change = prepared.change;
        let session = Some(prepared.session.clone()).filter(|_| prepared.kind != Kind::Session);
        let conversation = match &change.item {
            Item::Message(message) => whatsapp::conversation_of(message, &prepared.session),
            _ => None,
        };
        let contacts = whatsapp::contacts(&change.item, &prepared.session);
        let mut parent = |kind: Kind, holds: &str, id: Option<&str>| match (target.slot(holds), id) {
            (Some(_), Some(id)) => self.parent(kind, id, &prepared.session),
            _ => Ok(None),
        };
        let session = parent(Kind::Session, "session", session.as_deref())?;
        let conversation = parent(Kind::Conversation, "conversation", conversation.as_deref())?;
        let contact = match target.slot("contact") {
            Some(_) if !contacts.is_empty() => self.contact_among(&contacts)?,
            _ => None,
        };
        let timed = target.slot("timestamp").is_some_and(|slot| prepared.memo.fields.knows(&slot.name));
        let now = (!timed).then(|| self.host.now());
        let rendering =
            whatsapp::Rendering { id: &change.subject.id, key: &prepared.key, session, conversation, contact, now };
        for slot in &target.slots {
            let given = rendering.value(&self.settings, &change.item, slot);
            if let Some(value) = given.and_then(|given| slot.fit(given, &self.zone, &mut prepared.notes)) {
                prepared.doc.insert(slot.name.clone(), value);
            }
        }
        Ok(())
    }

    /// Writes one, with all that belongs to it.
    fn agree(&mut self, prepared: &mut Prepared) -> Result<Receipt, Fault> {
        let name = self.write(prepared)?;
        let doc = std::mem::take(&mut prepared.doc);
        for (field, value) in &doc {
            // What was wanted is remembered, not what became of it: it is not tried again with every change.
            prepared.memo.fields.wrote(field, value);
        }
        if let Some(person) = &prepared.person {
            prepared.memo.person = Some(person.linked.clone());
        }
        self.attach(prepared, &name)?;
        self.show(prepared, &name);
        self.bury(prepared, &name)?;
        let target = &self.known.targets[&prepared.kind];
        let mut shortened = std::mem::take(&mut prepared.notes);
        shortened.dedup();
        shortened.truncate(20);
        let url = Some(self.settings.page(&target.doctype, &name));
        let memo = std::mem::take(&mut prepared.memo).bytes();
        Ok(Receipt { external_id: Some(name), url, shortened, memo })
    }

    /// Deletes the documents of subjects that turned out to be this one.
    fn bury(&self, prepared: &mut Prepared, name: &str) -> Result<(), Fault> {
        let doctype = self.known.targets[&prepared.kind].doctype.clone();
        for joined in &prepared.change.joined {
            let other = &joined.external_id;
            if other.is_empty() || other.eq_ignore_ascii_case(name) || prepared.memo.gone.contains(other) {
                continue;
            }
            match self.api.delete(&doctype, other) {
                Err(fault) if fault.is_gone() => {}
                Err(Fault::Said(said)) if fault_is_lasting(&said) => prepared.notes.push(format!(
                    "{doctype} {other} is the same as this one, and could not be deleted ({}): merge them by hand",
                    said.kind
                )),
                result => result?,
            }
            prepared.memo.gone.push(other.clone());
        }
        Ok(())
    }
}

fn all<'r, 'c>(ready: &'r mut [(usize, Prepared<'c>)]) -> Vec<&'r mut Prepared<'c>> {
    ready.iter_mut().map(|(_, prepared)| prepared).collect()
}

fn fault_is_lasting(said: &crate::refusal::Said) -> bool {
    matches!(Failure::from(Fault::Said(said.clone())), Failure::Rejected(_) | Failure::Misconfigured(_))
}

fn kind_of(change: &Change) -> Option<Kind> {
    Some(match &change.item {
        Item::Call(_) => Kind::Call,
        Item::Message(_) => Kind::Message,
        Item::Contact(_) => Kind::Contact,
        Item::Conversation(_) => Kind::Conversation,
        Item::Session(_) => Kind::Session,
        Item::Other(_) => return None,
    })
}

/// What a fault means, and whether the rest of the batch would only run into the same: no credentials, no server.
fn failed(fault: Fault, stop: &mut Option<Failure>) -> Failure {
    let ends = match &fault {
        Fault::Said(said) => {
            matches!(Failure::from(fault.clone()), Failure::Unauthorized(_) | Failure::RateLimited(_))
                || said.status == 503
        }
        Fault::Silent { failure, .. } => !matches!(failure, Failure::Rejected(_)),
    };
    let failure = Failure::from(fault);
    if ends {
        *stop = Some(failure.clone());
    }
    failure
}

/// The condition that finds documents of a target by one field's values.
pub(crate) fn among(field: &str, values: &[&str]) -> serde_json::Value {
    json!([[field, "in", values]])
}
