//! A call as amoCRM wants it.

use cordboard_sdk::records::{Call, CallPhase, Direction};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Instant, Phone, Subject};

use crate::responsible::Who;
use crate::settings::{CallId, Settings};

/// What is to be done about a call as it stands.
#[derive(Debug, PartialEq)]
pub enum Doing {
    /// It rings: whose telephone it is should see it.
    Show,
    /// It is over: it should stand in amoCRM.
    Log,
    /// Nothing, and why.
    Nothing(&'static str),
}

/// What a call is known by in amoCRM.
pub fn key(settings: &Settings, subject: &Subject) -> String {
    match settings.call_id {
        CallId::Id => subject.id.clone(),
        CallId::SourceAndId => format!("{}:{}", subject.source, subject.id),
    }
}

/// What is to be done about it.
pub fn doing(settings: &Settings, call: &Call) -> Doing {
    if call.way() == Some(Direction::Internal) {
        return Doing::Nothing("internal calls are not logged");
    }
    match call.state() {
        "ringing" if call.way() == Some(Direction::Outbound) => Doing::Nothing("a call that is placed shows no popup"),
        "ringing" if settings.popup => Doing::Show,
        "ringing" => Doing::Nothing("popups are switched off"),
        "withdrawn" => Doing::Nothing("it rings nowhere any more"),
        "in-progress" => Doing::Nothing("the call still goes on"),
        "unknown" if call.phase.is_none() => Doing::Nothing("nothing is known of how the call went"),
        _ if outbound(call) && !answered(call) && !settings.unanswered_outbound => {
            Doing::Nothing("calls placed that nobody answered are not logged: the setting `unanswered_outbound`")
        }
        _ => Doing::Log,
    }
}

/// Whether we placed it.
pub fn outbound(call: &Call) -> bool {
    call.way() == Some(Direction::Outbound)
}

/// Whether people talked.
pub fn answered(call: &Call) -> bool {
    match call.outcome.as_deref() {
        Some(outcome) if call.phase != Some(CallPhase::Answered) => outcome == "answered",
        _ => call.answered_at.is_some() || call.talk.is_some_and(|talk| talk > 0),
    }
}

/// The number of the client; absent when it is withheld.
pub fn client(call: &Call) -> Option<&Phone> {
    call.other()?.number.as_ref().filter(|phone| !phone.shown().is_empty() && shows(phone))
}

/// Whether it is a number, and not a word for one that is withheld.
fn shows(phone: &Phone) -> bool {
    phone.e164.is_some() || phone.raw.chars().any(|c| c.is_ascii_digit())
}

/// amoCRM's number for how a call went: 1 left a message, 4 talked, 5 wrong number, 6 not reached, 7 busy.
fn status(settings: &Settings, call: &Call) -> u8 {
    let state = if answered(call) { "answered" } else { call.state() };
    if let Some(status) = settings.statuses.get(state) {
        return *status;
    }
    match state {
        "answered" => 4,
        "busy" | "declined" => 7,
        "failed" => 5,
        "voicemail" => 1,
        _ => 6,
    }
}

/// A call and all that is needed to write it.
pub struct Rendering<'a> {
    /// The settings of this use.
    pub settings: &'a Settings,
    /// The record.
    pub call: &'a Call,
    /// What it is known by.
    pub key: &'a str,
    /// Whose it is.
    pub who: &'a Who,
    /// For calls that no source has timed.
    pub now: Instant,
}

impl Rendering<'_> {
    /// When it began, in seconds.
    pub fn began(&self) -> u64 {
        let call = self.call;
        call.started_at.or(call.answered_at).or(call.ended_at).unwrap_or(self.now) / 1000
    }

    /// Seconds of talk.
    pub fn duration(&self) -> u32 {
        let call = self.call;
        if !answered(call) {
            return 0;
        }
        let between = |from: Instant, to: Instant| u32::try_from(to.saturating_sub(from) / 1000).unwrap_or(u32::MAX);
        let timed = call.answered_at.zip(call.ended_at).map(|(from, to)| between(from, to));
        call.talk.or(timed).or(call.duration).unwrap_or(0)
    }

    /// Where the recording is, when there is one.
    pub fn link(&self) -> Option<&str> {
        self.call.linked_recordings().first().and_then(|recording| recording.url.as_deref())
    }

    /// The client's number, or the word for one that is withheld.
    pub fn phone(&self) -> String {
        client(self.call).map_or_else(|| self.settings.hidden.clone(), |phone| self.settings.shown(phone))
    }

    /// "call_in" or "call_out".
    pub fn note_type(&self) -> &'static str {
        if outbound(self.call) { "call_out" } else { "call_in" }
    }

    /// An item of `POST /api/v4/calls`.
    pub fn item(&self, request: &str) -> Value {
        let mut item = json!({
            "request_id": request,
            "uniq": self.key,
            "direction": if outbound(self.call) { "outbound" } else { "inbound" },
            "duration": self.duration(),
            "source": self.settings.source,
            "phone": self.phone(),
            "call_status": status(self.settings, self.call),
            "created_at": self.began(),
        });
        if let Some(link) = self.link() {
            item["link"] = json!(link);
        }
        self.who.put_into(&mut item);
        item
    }

    /// What a note about the call holds: all of it, for whoever changes a note replaces what it held.
    pub fn params(&self) -> Value {
        let mut params = json!({
            "uniq": self.key,
            "duration": self.duration(),
            "source": self.settings.source,
            "phone": self.phone(),
        });
        if let Some(link) = self.link() {
            params["link"] = json!(link);
        }
        if let Some(shown) = self.who.shown() {
            params["call_responsible"] = shown;
        }
        params
    }

    /// A note about the call.
    pub fn note(&self) -> Value {
        let mut note = json!({"note_type": self.note_type(), "params": self.params(), "created_at": self.began()});
        if let Some(user) = self.who.user {
            note["created_by"] = json!(user);
            note["responsible_user_id"] = json!(user);
        }
        note
    }

    /// An incoming lead. Pages differ in who `from` and `phone` are: both are the client, which is right either way,
    /// and the contact says it once more.
    pub fn unsorted(&self, pipeline: Option<u64>) -> Value {
        let (phone, began) = (self.phone(), self.began());
        let metadata = json!({
            "uniq": self.key, "phone": phone, "from": phone, "called_at": began, "duration": self.duration(),
            "link": self.link().unwrap_or_default(), "service_code": self.settings.service_code,
            "call_responsible": self.who.shown(), "is_call_event_needed": true,
        });
        let mut lead = json!({
            "request_id": self.key, "source_uid": self.settings.source_uid, "source_name": self.settings.source_name,
            "created_at": began, "metadata": metadata, "_embedded": {"contacts": [self.contact()]},
        });
        if let Some(pipeline) = pipeline {
            lead["pipeline_id"] = json!(pipeline);
        }
        lead
    }

    /// The client as a contact. A name that came with the call is what a stranger chose, and still better than none.
    pub fn contact(&self) -> Value {
        let named = self.call.other().and_then(|party| party.name.as_deref()).map(str::trim);
        let name = named.filter(|name| !name.is_empty()).map_or_else(|| self.phone(), str::to_owned);
        let name: String = name.chars().filter(|c| !c.is_control()).take(255).collect();
        let mut contact = json!({"name": name});
        if client(self.call).is_some() {
            let value = json!({"value": self.phone(), "enum_code": "WORK"});
            contact["custom_fields_values"] = json!([{"field_code": "PHONE", "values": [value]}]);
        }
        contact
    }
}
