//! A call as the values of a call log.

use cordboard_sdk::records::{Call, CallPhase, Direction};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Agent, Instant, Party, Phone, Subject};

use crate::field::{Given, Slot};
use crate::key;
use crate::known::Known;
use crate::memo::Linked;
use crate::preset::Kind;
use crate::settings::{CallId, Calls, Settings};
use crate::status;

/// What stands for a number that is withheld; the field is mandatory. A field of numbers gets a 0 instead.
const WITHHELD: &str = "anonymous";

/// What a call is known by.
pub fn key(settings: &Settings, subject: &Subject) -> String {
    match settings.call_id {
        CallId::Id => key::folded(&subject.id),
        CallId::SourceAndId => key::folded(&format!("{}:{}", subject.source, subject.id)),
    }
}

/// A call and all that is needed to write it.
pub struct Rendering<'a> {
    /// The settings of this use.
    pub settings: &'a Settings,
    /// The record.
    pub call: &'a Call,
    /// Whose.
    pub subject: &'a Subject,
    /// What it is known by.
    pub key: &'a str,
    /// Who is on the other side.
    pub person: Option<&'a Person>,
    /// The user who took or placed it.
    pub user: Option<&'a str>,
    /// For calls that no source has timed; absent when one was written before.
    pub now: Option<Instant>,
}

/// Whom a call is linked to.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The deal, lead or contact.
    pub linked: Linked,
    /// The contact of a deal.
    pub contact: Option<String>,
}

impl Person {
    /// The rows that link a call to them.
    pub fn rows(&self) -> Vec<Value> {
        let row = |doctype: &str, name: &str| json!({"link_doctype": doctype, "link_name": name});
        let contact = self.contact.as_ref().map(|contact| row("Contact", contact));
        [row(&self.linked.doctype, &self.linked.name)].into_iter().chain(contact).collect()
    }
}

/// The user of an agent: by the hub's table, the settings, or the CRM's own list.
pub fn user(settings: &Settings, known: &Known, agent: &Agent) -> Option<String> {
    let named = agent.user.as_deref().map(str::trim).filter(|user| !user.is_empty());
    let extension = agent.extension.as_deref().map(str::trim).unwrap_or_default();
    let found = named.or_else(|| settings.users.get(extension).map(String::as_str));
    found.or_else(|| known.agents.get(extension).map(String::as_str)).map(str::to_owned)
}

fn side(party: Option<&Party>) -> Option<&str> {
    let party = party?;
    let extension = party.agent.as_ref().and_then(|agent| agent.extension.as_deref());
    party
        .number
        .as_ref()
        .map(Phone::shown)
        .filter(|text| !text.is_empty())
        .or(extension)
        .filter(|text| !text.is_empty())
}

impl Rendering<'_> {
    /// What is to be written to a field.
    pub fn value(&self, slot: &Slot) -> Option<Given> {
        let call = self.call;
        let direction = call.way();
        let inbound = !matches!(direction, Some(Direction::Outbound | Direction::Internal));
        let ours = call.line.as_ref().map(Phone::shown).filter(|text| !text.is_empty());
        let desk = call.desks.first().map(|desk| desk.extension.as_str());
        let agent = call.agent.as_ref().and_then(|agent| agent.extension.as_deref());
        Some(match slot.holds.as_str() {
            "call_id" => Given::Whole(json!(self.key)),
            "source_id" => Given::Text(self.subject.id.clone()),
            "type" => Given::word(if inbound { "Incoming" } else { "Outgoing" }),
            "direction" => Given::Words(match direction? {
                Direction::Inbound => vec!["inbound".into(), "Incoming".into()],
                Direction::Outbound => vec!["outbound".into(), "Outgoing".into()],
                Direction::Internal => vec!["internal".into(), "Outgoing".into()],
            }),
            "status" => {
                let words = status::words(self.settings, Kind::Call, status::call(call));
                // In the words of an own DocType the outcome itself may stand.
                Given::Words(match (self.settings.calls, slot.kind.as_str()) {
                    (Calls::Own, "Select") => [words, vec![status::call(call).to_owned()]].concat(),
                    _ => words,
                })
            }
            "outcome" => Given::Text(call.outcome.clone()?),
            "from" if inbound => Given::Phone(side(call.caller.as_ref()).unwrap_or(WITHHELD).to_owned()),
            "from" => Given::Phone(side(call.caller.as_ref()).or(agent).or(ours).unwrap_or("0").to_owned()),
            "to" if inbound => {
                Given::Phone(side(call.callee.as_ref()).or(ours).or(agent).or(desk).unwrap_or("0").to_owned())
            }
            "to" => Given::Phone(side(call.callee.as_ref()).unwrap_or(WITHHELD).to_owned()),
            "customer_number" => Given::Phone(side(call.other()).unwrap_or(WITHHELD).to_owned()),
            "caller_as_seen" => Given::Text(seen(call.caller.as_ref()?)?),
            "callee_as_seen" => Given::Text(seen(call.callee.as_ref()?)?),
            "start_time" => Given::Moment(self.start()?),
            "end_time" => Given::Moment(self.end()?),
            "duration" => Given::Number(i64::from(call.duration.or_else(|| self.lasted())?)),
            "talk" => Given::Number(i64::from(call.talk?)),
            "wait" => Given::Number(i64::from(call.wait?)),
            "medium" => Given::Text(ours.or(call.system.as_deref())?.to_owned()),
            "telephony_medium" => Given::word("Manual"),
            "queue" => Given::Text(call.queue.clone()?),
            "system" => Given::Text(call.system.clone()?),
            "recording_url" => Given::Link(call.linked_recordings().first()?.url.clone()?),
            "caller" if !inbound => Given::Whole(json!(self.user?)),
            "receiver" if inbound => Given::Whole(json!(self.user?)),
            "agent_user" => Given::Whole(json!(self.user?)),
            "reference_doctype" => Given::Whole(json!(self.reference()?.doctype)),
            "reference_docname" => Given::Whole(json!(self.reference()?.name)),
            "links" => Given::Whole(json!(self.person?.rows())),
            "notes" => Given::Text(call.notes.clone()?),
            "description" => Given::Text(self.description()),
            _ => return None,
        })
    }

    /// The CRM shows a call with the lead or deal that it refers to.
    fn reference(&self) -> Option<&Linked> {
        self.person.map(|person| &person.linked).filter(|linked| linked.doctype != "Contact")
    }

    fn start(&self) -> Option<Instant> {
        let call = self.call;
        let desks = call.desks.iter().map(|desk| desk.rang_at).min();
        call.started_at.or(desks).or(call.answered_at).or(call.ended_at).or(self.now)
    }

    fn end(&self) -> Option<Instant> {
        let start = self.start().unwrap_or_default();
        let duration = self.call.duration.filter(|_| self.call.phase == Some(CallPhase::Ended) && start > 0);
        let lasted = duration.map(|seconds| start.saturating_add(u64::from(seconds) * 1000));
        self.call.ended_at.or(lasted).map(|end| end.max(start))
    }

    fn lasted(&self) -> Option<u32> {
        let end = self.call.ended_at?;
        u32::try_from(end.saturating_sub(self.start()?) / 1000).ok()
    }

    /// What has no field of its own.
    fn description(&self) -> String {
        let call = self.call;
        let sides: Vec<String> = [&call.caller, &call.callee].into_iter().flatten().filter_map(seen).collect();
        let mut lines = vec![sides.join(" → ")];
        lines.extend(call.outcome.as_ref().map(|outcome| format!("Outcome: {outcome}")));
        lines.extend(call.queue.as_ref().map(|queue| format!("Queue: {queue}")));
        for (what, seconds) in [("Talk", call.talk), ("Wait", call.wait), ("Hold", call.hold)] {
            lines.extend(seconds.map(|seconds| format!("{what}: {}:{:02}", seconds / 60, seconds % 60)));
        }
        lines.extend(
            call.linked_recordings().iter().filter_map(|it| it.url.as_ref().map(|url| format!("Recording: {url}"))),
        );
        lines.extend(call.notes.clone());
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}

/// Name and number as they came with the call.
fn seen(party: &Party) -> Option<String> {
    let name = party.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let raw = party.number.as_ref().map(|number| number.raw.trim()).filter(|raw| !raw.is_empty());
    match (name, raw.or(side(Some(party)))) {
        (Some(name), Some(number)) => Some(format!("{name} ({number})")),
        (Some(text), None) | (None, Some(text)) => Some(text.to_owned()),
        (None, None) => None,
    }
}
