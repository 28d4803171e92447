//! A call as the target module's fields.

use cordboard_sdk::records::{Call, CallPhase, Direction};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Instant, Party, Phone, Subject};
use md5::{Digest, Md5};

use crate::api::Row;
use crate::clock;
use crate::field::Slot;
use crate::known::Known;
use crate::memo::Linked;
use crate::owner::Owner;
use crate::settings::{CallId, Settings};
use crate::status;
use crate::text;

/// The longest id that is written as it is: the column's width.
const LONGEST: usize = 100;

/// What stands for a number that is withheld; the field is mandatory.
const WITHHELD: &str = "anonymous";

/// What a call is known by in Vtiger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Always of letters that no query, column or collation changes: an id that has others, or is too long, is cut and
    /// ends in its hash.
    pub text: String,
    /// It is the call's id as it is.
    pub whole: bool,
}

impl Key {
    /// The key of a subject.
    pub fn of(settings: &Settings, subject: &Subject) -> Self {
        let id = match settings.call_id {
            CallId::Id => subject.id.clone(),
            CallId::SourceAndId => format!("{}:{}", subject.source, subject.id),
        };
        let safe = |c: char| c.is_ascii_alphanumeric() || "._:@+=/#~-".contains(c);
        if id.len() <= LONGEST && id.chars().all(safe) {
            return Self { text: id, whole: true };
        }
        let start: String = id.chars().filter(|c| safe(*c)).take(60).collect();
        Self { text: format!("{start}~{}", hex::encode(Md5::digest(id.as_bytes()))), whole: false }
    }
}

/// A call and all that is needed to write it.
pub struct Rendering<'a> {
    /// The settings of this use.
    pub settings: &'a Settings,
    /// The installation.
    pub known: &'a Known,
    /// The record.
    pub call: &'a Call,
    /// What it is known by.
    pub key: &'a Key,
    /// Who is on the other side.
    pub person: Option<&'a Linked>,
    /// Whose call it is.
    pub owner: &'a Owner,
    /// For calls that no source has timed.
    pub now: Instant,
}

fn side(party: &Party) -> Option<&str> {
    let agent = party.agent.as_ref().and_then(|agent| agent.extension.as_deref());
    party.number.as_ref().map(Phone::shown).or(agent).filter(|text| !text.trim().is_empty())
}

impl Rendering<'_> {
    /// The fields to write, and a sentence for everything that does not fit.
    pub fn element(&self, notes: &mut Vec<String>) -> Row {
        let mut element = Row::new();
        for slot in &self.known.slots {
            if let Some(value) = self.value(slot, notes) {
                element.insert(slot.name.clone(), value);
            }
        }
        self.left_out(notes);
        element
    }

    /// What a person would miss and could not guess. Line, queue, waiting and holding have no field in the telephony log,
    /// for any call: the README says so once, and not each receipt.
    fn left_out(&self, notes: &mut Vec<String>) {
        let written = self.call.notes.as_deref().is_some_and(|notes| !notes.trim().is_empty());
        if written && self.known.slot("description").is_none() {
            let module = &self.settings.module;
            notes.push(format!("notes: left out, {module} has no field for them; name one in `fields.description`"));
        }
        if let Some(Slot { name, .. }) = self.known.slot("call_uuid").filter(|_| !self.key.whole) {
            let key = &self.key.text;
            notes.push(format!("{name}: the call's id is too long, or no query can hold it; it stands as {key}"));
        }
    }

    fn value(&self, slot: &Slot, notes: &mut Vec<String>) -> Option<Value> {
        let call = self.call;
        let mut fit = |text: &str| json!(text::fitted(&slot.name, text, slot.width, false, notes));
        Some(match slot.holds.as_str() {
            "call_uuid" => json!(self.key.text),
            "direction" => json!(match call.way()? {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
                Direction::Internal => "internal",
            }),
            "status" => fit(&status::word(self.settings, call.state())),
            "started" => json!(clock::datetime(self.start())),
            "ended" => json!(clock::datetime(self.end()?)),
            "start_date" => json!(clock::date(self.start())),
            "start_time" => json!(clock::time(self.start())),
            "end_date" => json!(clock::date(self.end().unwrap_or(self.start()))),
            "end_time" => json!(clock::time(self.end().unwrap_or(self.start()))),
            "duration" => json!(call.duration.or_else(|| self.lasted())?),
            "talk" => json!(call.talk?),
            "hours" => json!(call.duration.or_else(|| self.lasted()).unwrap_or(0) / 3600),
            "minutes" => json!(call.duration.or_else(|| self.lasted()).unwrap_or(0) % 3600 / 60),
            "from" => fit(call.caller.as_ref().and_then(side)?),
            "to" => fit(call.callee.as_ref().and_then(side)?),
            "customer_number" => fit(call.other().and_then(side).unwrap_or(WITHHELD)),
            "recording_url" => self.recording(slot, notes)?,
            "system" => fit(call.system.as_deref()?),
            "gateway" => fit(&self.settings.gateway),
            "customer" => self.link(slot)?,
            "customer_type" => json!(self.person?.module),
            "contact" => json!(self.person.filter(|person| person.module == "Contacts")?.id),
            "parent" => self.parent(slot)?,
            "user" => json!(Some(&self.owner.id).filter(|id| self.owner.agent && self.known.is_user(id))?),
            "owner" => json!(self.owner.id),
            "subject" => fit(&self.subject()),
            "description" => json!(text::fitted(&slot.name, &self.description(), None, true, notes)),
            "queue" => fit(call.queue.as_deref()?),
            "activity_type" => json!("Call"),
            "visibility" => json!(self.settings.visibility),
            _ => return None,
        })
    }

    fn start(&self) -> Instant {
        let call = self.call;
        let desks = call.desks.iter().map(|desk| desk.rang_at).min();
        call.started_at.or(desks).or(call.answered_at).or(call.ended_at).unwrap_or(self.now)
    }

    fn end(&self) -> Option<Instant> {
        let ended = || self.call.phase == Some(CallPhase::Ended);
        let lasted = self
            .call
            .duration
            .filter(|_| ended())
            .map(|seconds| self.start().saturating_add(u64::from(seconds) * 1000));
        self.call.ended_at.or(lasted).map(|end| end.max(self.start()))
    }

    fn lasted(&self) -> Option<u32> {
        let end = self.call.ended_at?;
        u32::try_from(end.saturating_sub(self.start()) / 1000).ok()
    }

    fn link(&self, slot: &Slot) -> Option<Value> {
        let person = self.person?;
        let taken = slot.refers_to.is_empty() || slot.refers_to.contains(&person.module);
        taken.then(|| json!(person.id))
    }

    /// A lead or an account; with a contact, the contact's account. Vtiger refuses a contact here.
    fn parent(&self, slot: &Slot) -> Option<Value> {
        let person = self.person?;
        if person.module == "Contacts" {
            return person
                .account
                .as_ref()
                .filter(|_| slot.refers_to.iter().any(|to| to == "Accounts"))
                .map(|id| json!(id));
        }
        self.link(slot)
    }

    /// A link that is cut opens nothing: it goes in whole, or not at all.
    fn recording(&self, slot: &Slot, notes: &mut Vec<String>) -> Option<Value> {
        let all = self.call.linked_recordings();
        let first = all.first()?.url.as_deref()?;
        let width = slot.width.unwrap_or(255);
        let described = self.known.slot("description");
        if let (Some(more), None) = (all.get(1..).filter(|more| !more.is_empty()), described) {
            let links: Vec<&str> = more.iter().filter_map(|recording| recording.url.as_deref()).collect();
            notes.push(format!("{}: only the first of {} recordings; also {}", slot.name, all.len(), links.join(" ")));
        }
        if let Some(link) = text::link(first, width) {
            return Some(json!(link));
        }
        let length = first.chars().count();
        let instead = match described {
            Some(field) => format!("it stands whole in {}", field.name),
            None => format!("it was left out: {first}"),
        };
        notes.push(format!("{}: the link of {length} characters does not fit into {width}; {instead}", slot.name));
        None
    }

    fn title(&self, party: Option<&Party>) -> String {
        let linked = self.person.map(|person| person.name.as_str()).filter(|name| !name.is_empty());
        let shown = party.and_then(|party| party.name.as_deref()).filter(|name| !name.trim().is_empty());
        let number = party.and_then(side);
        linked.or(shown).or(number).unwrap_or("a withheld number").to_owned()
    }

    fn subject(&self) -> String {
        let state = self.call.state();
        let name = self.title(self.call.other());
        let missed = !matches!(state, "answered" | "in-progress" | "ringing" | "unknown");
        match self.call.way() {
            Some(Direction::Outbound) if missed => format!("Outgoing call to {name}: {state}"),
            Some(Direction::Outbound) => format!("Outgoing call to {name}"),
            Some(Direction::Internal) => format!("Internal call to {name}"),
            Some(Direction::Inbound) if missed => format!("Missed call from {name}"),
            Some(Direction::Inbound) => format!("Incoming call from {name}"),
            None => format!("Call with {name}"),
        }
    }

    /// What has no field of its own.
    fn description(&self) -> String {
        let call = self.call;
        let mut lines = Vec::new();
        let both = [call.caller.as_ref(), call.callee.as_ref()];
        let sides: Vec<String> = both.into_iter().flatten().map(named).collect();
        if !sides.is_empty() {
            lines.push(sides.join(" → "));
        }
        for (what, text) in [("Line", call.line.as_ref().map(Phone::shown)), ("Queue", call.queue.as_deref())] {
            lines.extend(text.map(|text| format!("{what}: {text}")));
        }
        if let Some(agent) = &call.agent {
            let parts: Vec<&str> = [agent.name.as_deref(), agent.extension.as_deref()].into_iter().flatten().collect();
            lines.extend((!parts.is_empty()).then(|| format!("Agent: {}", parts.join(", "))));
        }
        lines.extend(call.outcome.as_ref().map(|outcome| format!("Outcome: {outcome}")));
        for (what, seconds) in [("Talk", call.talk), ("Wait", call.wait), ("Hold", call.hold)] {
            lines.extend(seconds.map(|seconds| format!("{what}: {}:{:02}", seconds / 60, seconds % 60)));
        }
        for recording in call.linked_recordings() {
            let link = recording.url.as_deref().unwrap_or_default();
            let link = text::link(link, usize::MAX).unwrap_or_else(|| link.to_owned());
            lines.push(format!("Recording: {link}"));
        }
        lines.extend(call.notes.clone());
        lines.join("\n")
    }
}

fn named(party: &Party) -> String {
    match (party.name.as_deref().filter(|name| !name.trim().is_empty()), side(party)) {
        (Some(name), Some(number)) => format!("{name} ({number})"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => "withheld".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(id: &str) -> Subject {
        Subject { source: "pbx".into(), id: id.into(), kind: Default::default() }
    }

    #[test]
    fn keys_survive_query_column_and_collation() {
        let settings = Settings::default();
        let key = |id: &str| Key::of(&settings, &subject(id));
        assert_eq!(key("5f1c2f0e-8a55"), Key { text: "5f1c2f0e-8a55".into(), whole: true });
        let both = Settings { call_id: CallId::SourceAndId, ..Settings::default() };
        assert_eq!(Key::of(&both, &subject("1.2")), Key { text: "pbx:1.2".into(), whole: true });
        for strange in ["a'b", "a\\", "😀", "a b ", "<x>", &"x".repeat(101), &"x".repeat(255), "ä"] {
            let Key { text, whole } = key(strange);
            assert!(text.len() <= LONGEST && text.contains('~') && !whole, "{text}");
            assert!(text.chars().all(|c| c.is_ascii_graphic() && !"'\"\\<>&%".contains(c)), "{text}");
        }
        assert_ne!(key("a'b"), key("a\\b"));
    }
}
