//! Making Vtiger agree with calls: look up, create or revise, and compare what came back.

use std::collections::HashMap;

use cordboard_sdk::Host;
use cordboard_sdk::abilities::{Change, Outcome, Receipt};
use cordboard_sdk::records::{Call, Item};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::Failure;

use crate::api::{Api, Row, field};
use crate::call::{Key, Rendering};
use crate::field::Slot;
use crate::known::Known;
use crate::memo::{Linked, Memo};
use crate::owner::Owner;
use crate::refusal::Fault;
use crate::settings::Settings;
use crate::text;
use crate::vtql;

/// Milliseconds after which the rest of a batch is left for the next call.
const BUDGET: u64 = 12_000;

/// What the memo has instead of a hash when somebody's own words stand in the field: no text has this hash.
const EDITED: &str = "edited";

/// One call of `deliver`.
pub struct Work<'h> {
    pub(crate) host: &'h dyn Host,
    pub(crate) settings: Settings,
    pub(crate) known: Known,
    pub(crate) api: Api<'h>,
    /// Calls that stand in Vtiger already, by what they are known by; oldest first.
    standing: HashMap<String, Vec<String>>,
    /// Who has which number, so that a batch asks once.
    people: HashMap<String, (Option<Linked>, Vec<String>)>,
}

impl<'h> Work<'h> {
    /// With the grant's session.
    pub fn begin(host: &'h dyn Host) -> Result<Self, Failure> {
        let settings: Settings = host.settings_as()?;
        let known = Known::of(host, &settings)?;
        let api = Api::new(host, settings.site(), &known.session);
        Ok(Self { host, settings, known, api, standing: HashMap::new(), people: HashMap::new() })
    }

    /// One outcome for each change.
    pub fn deliver(&mut self, changes: Vec<Change>) -> Vec<Outcome> {
        if let Some(blocked) = &self.known.blocked {
            let failure = Failure::misconfigured(blocked);
            return changes.iter().map(|_| Outcome::Failed(failure.clone())).collect();
        }
        let started = self.host.now();
        let mut stop = self.look_up(&changes).err();
        let mut outcomes = Vec::with_capacity(changes.len());
        for change in changes {
            let Item::Call(call) = &change.item else {
                outcomes.push(Outcome::Skipped("Vtiger is told of calls only".into()));
                continue;
            };
            if stop.is_none() && self.host.now().saturating_sub(started) > BUDGET {
                // No attempt is spent, and the rest comes again at once.
                stop = Some(Failure::RateLimited(Some(0)));
            }
            let result = match &stop {
                Some(failure) => Err(failure.clone()),
                None => self.agree(&change, call).map_err(|fault| {
                    let ends = ends_batch(&fault);
                    let failure = Failure::from(fault);
                    if ends {
                        stop = Some(failure.clone());
                    }
                    failure
                }),
            };
            outcomes.push(result.into());
        }
        outcomes
    }

    /// Looks up all calls of the batch that have no known record, in one query.
    fn look_up(&mut self, changes: &[Change]) -> Result<(), Failure> {
        let keys: Vec<String> = changes
            .iter()
            .filter(|change| matches!(change.item, Item::Call(_)) && self.external(change).is_none())
            .map(|change| Key::of(&self.settings, &change.subject).text)
            .collect();
        if keys.is_empty() { Ok(()) } else { self.find(&keys).map_err(Failure::from) }
    }

    fn find(&mut self, keys: &[String]) -> Result<(), Fault> {
        let Some(slot) = self.known.slot("call_uuid") else { return Ok(()) };
        let literals: Vec<String> = keys.iter().filter_map(|key| vtql::literal(key)).collect();
        let (condition, limit) = match literals.as_slice() {
            [one] => (format!("= {one}"), 2),
            many => (format!("IN ({})", many.join(",")), 100),
        };
        let query = format!(
            "SELECT id,{} FROM {} WHERE {} {condition} LIMIT 0,{limit};",
            slot.name, self.settings.module, slot.name
        );
        let rows = self.api.query(&query)?;
        for key in keys {
            // The database's collation takes "A" for "a": what comes back is compared again.
            let same = |row: &&Row| field(row, &slot.name) == key;
            let mut ids: Vec<String> = rows.iter().filter(same).map(|row| field(row, "id").to_owned()).collect();
            ids.sort_by_key(|id| id.split_once('x').and_then(|(_, number)| number.parse::<u64>().ok()));
            self.standing.insert(key.clone(), ids);
        }
        Ok(())
    }

    /// The record that the hub knows of, if it can be one of the target module.
    fn external(&self, change: &Change) -> Option<String> {
        let joined = change.joined.iter().map(|joined| &joined.external_id);
        let own = |id: &&String| id.split_once('x').is_some_and(|(prefix, _)| prefix == self.known.prefix);
        change.external_id.iter().chain(joined).find(own).cloned()
    }

    fn agree(&mut self, change: &Change, call: &Call) -> Result<Receipt, Fault> {
        let key = Key::of(&self.settings, &change.subject);
        let mut memo = Memo::read(&change.memo, &self.settings.module);
        let mut notes = Vec::new();
        if memo.person.is_none() {
            memo.person = self.person(call, &mut notes)?;
        }
        let owner = self.known.owner(&self.settings, call.agent.as_ref(), &mut notes);
        let rendering = Rendering {
            settings: &self.settings,
            known: &self.known,
            call,
            key: &key,
            person: memo.person.as_ref(),
            owner: &owner,
            now: self.host.now(),
        };
        let mut element = rendering.element(&mut notes);
        if call.started_at.is_none() {
            // A moment that was made up once is not made up again.
            element.retain(|name, _| !memo.fields.knows(name) || !self.made_up(name, call));
        }
        let id = self.write(change, &key.text, &element, &owner, &mut memo, &mut notes)?;
        self.attach(call, &key.text, &owner, change.attempt, &mut memo, &mut notes)?;
        self.bury(change, &id, &mut memo)?;
        notes.dedup();
        let url = self.settings.page(&self.settings.module, &id);
        Ok(Receipt { external_id: Some(id), url, shortened: notes, memo: memo.bytes() })
    }

    fn made_up(&self, name: &str, call: &Call) -> bool {
        let untimed = call.answered_at.is_none() && call.ended_at.is_none() && call.desks.is_empty();
        let times = ["started", "start_date", "start_time", "end_date", "end_time"];
        untimed && self.known.slots.iter().any(|slot| slot.name == name && times.contains(&slot.holds.as_str()))
    }

    fn person(&mut self, call: &Call, notes: &mut Vec<String>) -> Result<Option<Linked>, Fault> {
        let Some(phone) = call.other().and_then(|party| party.number.as_ref()) else { return Ok(None) };
        let Some(digits) = phone.digits() else { return Ok(None) };
        if !self.people.contains_key(&digits) {
            let mut said = Vec::new();
            let found = self.known.person(&self.api, &self.settings, phone, &mut said)?;
            self.people.insert(digits.clone(), (found.map(|person| person.linked), said));
        }
        let (found, said) = self.people.get(&digits).cloned().unwrap_or_default();
        notes.extend(said);
        Ok(found)
    }

    /// Writes the call; gives the record's id.
    fn write(
        &mut self,
        change: &Change,
        key: &str,
        element: &Row,
        owner: &Owner,
        memo: &mut Memo,
        notes: &mut Vec<String>,
    ) -> Result<String, Fault> {
        if let Some(id) = self.external(change) {
            let changed: Row = element
                .iter()
                .filter(|(name, value)| !memo.fields.has(name, value))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect();
            if changed.is_empty() {
                return Ok(id);
            }
            let mut edited = false;
            let revised = self.keeping_edits(&id, changed, memo).and_then(|(changed, found)| {
                edited = found;
                self.revise(&id, &changed, owner, memo, notes)
            });
            match revised {
                // Deleted, or hidden from this user: it is looked up and made again.
                Err(fault) if fault.is_gone() => self.find(&[key.to_owned()])?,
                result => {
                    result?;
                    // Of a text that people write in too, it is the own part that is remembered.
                    for (name, value) in element {
                        memo.fields.wrote(name, value);
                    }
                    if let Some(slot) = self.known.slot("description").filter(|_| edited) {
                        memo.fields.mark(&as_stored(&slot.name), EDITED);
                    }
                    return Ok(id);
                }
            }
        }
        memo.fields.clear();
        if let Some(id) = self.stands(key, notes) {
            return self.revise(&id, element, owner, memo, notes).map(|()| id);
        }
        match self.create(element, owner, memo, notes) {
            Err(fault) if fault.is_duplicate() => {
                // Somebody else has just made it, or it is there and the look-up did not show it.
                self.find(&[key.to_owned()])?;
                let Some(id) = self.stands(key, notes) else { return Err(fault) };
                self.revise(&id, element, owner, memo, notes).map(|()| id)
            }
            result => {
                let id = result?;
                self.standing.insert(key.to_owned(), vec![id.clone()]);
                Ok(id)
            }
        }
    }

    /// A description that somebody has edited since is not overwritten: the lines that are new are added to it. Says
    /// whether that was so.
    fn keeping_edits(&self, id: &str, mut changed: Row, memo: &Memo) -> Result<(Row, bool), Fault> {
        let Some(slot) = self.known.slot("description") else { return Ok((changed, false)) };
        let Some(own) = changed.get(&slot.name).and_then(Value::as_str) else { return Ok((changed, false)) };
        let left = as_stored(&slot.name);
        if !memo.fields.knows(&left) {
            return Ok((changed, false));
        }
        let current = self.api.retrieve(id)?;
        let current = field(&current, &slot.name);
        if memo.fields.has(&left, &json!(current)) {
            return Ok((changed, false));
        }
        let new = own.lines().filter(|line| !current.lines().any(|there| text::plain(there) == *line));
        let all: Vec<&str> = current.lines().chain(new).collect();
        let all = json!(all.join("\n"));
        changed.insert(slot.name.clone(), all);
        Ok((changed, true))
    }

    fn stands(&self, key: &str, notes: &mut Vec<String>) -> Option<String> {
        let ids = self.standing.get(key)?;
        if ids.len() > 1 {
            notes.push(format!(
                "the call {key} stands in Vtiger several times: {}; the oldest was written",
                ids.join(", ")
            ));
        }
        ids.first().cloned()
    }

    fn create(&self, element: &Row, owner: &Owner, memo: &mut Memo, notes: &mut Vec<String>) -> Result<String, Fault> {
        let mut full = element.clone();
        for (name, value) in &self.settings.constants {
            full.entry(name.clone()).or_insert_with(|| json!(value));
        }
        let stored =
            self.unless_owner_refused(&mut full, owner, notes, |full| self.api.create(&self.settings.module, full))?;
        let id = field(&stored, "id").to_owned();
        self.compare(&id, &full, stored, memo, notes)?;
        Ok(id)
    }

    fn revise(
        &self,
        id: &str,
        changed: &Row,
        owner: &Owner,
        memo: &mut Memo,
        notes: &mut Vec<String>,
    ) -> Result<(), Fault> {
        let mut changed = changed.clone();
        let stored = self.unless_owner_refused(&mut changed, owner, notes, |changed| self.api.revise(id, changed))?;
        self.compare(id, &changed, stored, memo, notes)
    }

    /// An integration user that is no administrator may not give records to everybody: then it keeps them itself.
    fn unless_owner_refused(
        &self,
        element: &mut Row,
        owner: &Owner,
        notes: &mut Vec<String>,
        write: impl Fn(&Row) -> Result<Row, Fault>,
    ) -> Result<Row, Fault> {
        let refused = |fault: &Fault| fault.said().is_some_and(|said| said.message.contains("assign record"));
        match write(element) {
            Err(fault) if refused(&fault) => {
                notes.push(format!("owner: the integration user may not give calls to {}; it keeps them", owner.id));
                for slot in self.known.slots.iter().filter(|slot| matches!(slot.holds.as_str(), "owner" | "user")) {
                    if slot.holds == "owner" && element.contains_key(&slot.name) {
                        element.insert(slot.name.clone(), json!(self.known.user));
                    } else {
                        element.remove(&slot.name);
                    }
                }
                write(element)
            }
            result => result,
        }
    }

    /// Compares what was sent with what is stored: Vtiger says success to much that it does not keep.
    fn compare(
        &self,
        id: &str,
        sent: &Row,
        mut stored: Row,
        memo: &mut Memo,
        notes: &mut Vec<String>,
    ) -> Result<(), Fault> {
        if let Some(Slot { name, .. }) = self.known.slot("owner")
            && sent.contains_key(name)
        {
            stored = self.owned(id, name, field(sent, name), stored, notes)?;
        }
        if let Some(slot) = self.known.slot("description").filter(|slot| sent.contains_key(&slot.name)) {
            memo.fields.wrote(&as_stored(&slot.name), &json!(field(&stored, &slot.name)));
        }
        for (name, value) in sent {
            // What was wanted is remembered, not what became of it: it is not tried again with every change.
            memo.fields.wrote(name, value);
            let slot = self.known.slots.iter().find(|slot| slot.name == *name);
            let wanted = plain(value);
            let kept = text::plain(field(&stored, name));
            if wanted == kept || slot.is_some_and(|slot| slot.holds == "owner") {
                continue;
            }
            notes.push(match slot.map(|slot| slot.holds.as_str()) {
                Some("call_uuid") => format!(
                    "{name}: of the call's id {wanted} Vtiger kept {kept}: make the field wider, or the call may be logged again"
                ),
                _ if !stored.contains_key(name) => format!("{name}: Vtiger does not show this field; it may be lost"),
                Some(_) if wanted.starts_with(&kept) && !kept.is_empty() => {
                    format!("{name}: Vtiger kept {} of {} characters", kept.chars().count(), wanted.chars().count())
                }
                _ => format!("{name}: Vtiger made \"{kept}\" of \"{wanted}\""),
            });
        }
        Ok(())
    }

    /// Nothing is left with an owner that Vtiger did not confirm: the integration user owns it then. Gives the record as
    /// it is stored now.
    pub(crate) fn owned(
        &self,
        id: &str,
        name: &str,
        wanted: &str,
        stored: Row,
        notes: &mut Vec<String>,
    ) -> Result<Row, Fault> {
        let given = field(&stored, name);
        if given == wanted || wanted == self.known.user {
            return Ok(stored);
        }
        notes.push(format!("owner: Vtiger made {given} of {wanted}; the integration user owns it now"));
        let mended = [(name.to_owned(), json!(self.known.user))].into_iter().collect();
        self.api.revise(id, &mended)
    }

    /// Deletes the records of subjects that turned out to be this one.
    fn bury(&self, change: &Change, id: &str, memo: &mut Memo) -> Result<(), Fault> {
        for joined in &change.joined {
            let other = &joined.external_id;
            let own = other.split_once('x').is_some_and(|(prefix, _)| prefix == self.known.prefix);
            if !own || other == id || memo.gone.contains(other) {
                continue;
            }
            match self.api.delete(other) {
                Err(fault) if !fault.is_gone() => return Err(fault),
                // It is gone already, or was never ours to delete.
                _ => memo.gone.push(other.clone()),
            }
        }
        Ok(())
    }
}

/// Under this name the memo remembers what Vtiger showed of a field, beside what was sent.
fn as_stored(name: &str) -> String {
    format!("{name}+")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text::plain(text),
        other => other.to_string(),
    }
}

/// Whether the rest of a batch would only run into the same: no session, no server.
fn ends_batch(fault: &Fault) -> bool {
    match fault {
        Fault::Said(_) => matches!(Failure::from(fault.clone()), Failure::Unauthorized(_)),
        // One record that PHP dies over says nothing of the next.
        Fault::Silent { failure: Failure::Retryable(retryable), .. } => retryable.status != Some(500),
        Fault::Silent { failure, .. } => !matches!(failure, Failure::Rejected(_)),
    }
}
