//! A webhook's body: the event's name, its session, and what it is about.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::Value;

use crate::chat;
use crate::jobs;
use crate::look;
use crate::message::{Frame, News};
use crate::receipt;
use crate::refused::{Decoded, Refused, shown};
use crate::session;
use crate::settings::Plan;

/// Events in one body.
const BATCH: usize = 1000;

/// What a body comes to.
#[derive(Debug, Default)]
pub struct Events {
    /// What was seen.
    pub observations: Vec<Observation>,
    /// What to read now.
    pub jobs: Vec<Job>,
    /// What was of no interest.
    pub ignored: Vec<String>,
    /// What to read when the same comes again, where something does not say its time.
    pub again: Vec<Job>,
}

/// What a header may add: it is not signed, so it counts only where the body is silent.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// The event.
    pub event: Option<&'a str>,
    /// The session.
    pub session: Option<&'a str>,
}

/// Why a body is not taken.
#[derive(Debug, PartialEq)]
pub enum Not {
    /// It cannot be understood.
    Understood(Refused),
    /// It is about a session of somebody else.
    Ours(String),
}

impl From<Refused> for Not {
    fn from(refused: Refused) -> Self {
        Self::Understood(refused)
    }
}

/// Reads a body: one event, or a list of them, all or none.
pub fn read(plan: &Plan, body: &Value, hints: Hints<'_>, received: Instant) -> Result<Events, Not> {
    let mut events = Events::default();
    match body {
        Value::Array(list) if list.len() > BATCH => {
            return Err(Refused::whole(format!("{} events in one body; {BATCH} are taken", list.len())).into());
        }
        Value::Array(list) => {
            for (at, one) in list.iter().enumerate() {
                self::one(plan, one, hints, received, &mut events).map_err(|not| match not {
                    Not::Understood(Refused { field, why }) => Refused::at(format!("/{at}{field}"), why).into(),
                    ours => ours,
                })?;
            }
        }
        one => self::one(plan, one, hints, received, &mut events)?,
    }
    Ok(events)
}

fn one(plan: &Plan, body: &Value, hints: Hints<'_>, received: Instant, events: &mut Events) -> Result<(), Not> {
    if !body.is_object() {
        return Err(Refused::whole("here stands no object").into());
    }
    let event = look::text(body, &["event"]).or_else(|| hints.event.map(str::to_owned));
    let event = event.ok_or_else(|| Refused::at("/event", "no event is named"))?;
    let session = look::text(body, &["sessionId", "session", "data.sessionId", "data.session"]);
    let session = session.or_else(|| hints.session.map(str::to_owned));
    let session = session.ok_or_else(|| Refused::at("/sessionId", "no session is named"))?;
    if !plan.has(&session) {
        return Err(Not::Ours(format!(
            "the session {} is not one of this source; the setting `sessions` lists those that are",
            shown(&session)
        )));
    }
    let data = look::first(body, &["data"]).filter(|data| data.is_object()).unwrap_or(body);
    let sent = plan.clock.find(body, &["timestamp"]).map(|moment| moment.at);
    let happened = plan.clock.find(data, &["timestamp"]).map(|moment| moment.at).or(sent);
    let message = look::first(data, &["message", "payload"]).filter(|it| it.is_object());
    // A content object of Baileys has its key beside it.
    let message = message.filter(|_| data.get("key").is_none()).unwrap_or(data);
    let frame =
        |ours: bool, news: News| Frame { plan, session: &session, origin: Origin::Live, sent, received, ours, news };
    let status = |level: Option<MessageStatus>| receipt::read(plan, &session, message, level, sent);
    let state = |word: &str| {
        let observation = session::changed(&session, data, word, happened);
        Ok(Decoded::Observations(vec![observation]))
    };
    let decoded = match event.as_str() {
        "message.received" | "message" => frame(false, News::Written).read(message),
        "message.sent" if has_content(message) => frame(true, News::Written).read(message),
        "message.edited" => frame(false, News::Edited).read(message),
        "message.deleted" | "message.revoked" => frame(false, News::Deleted).read(message),
        "message.reaction" => frame(false, News::Reacted).read(message),
        "message.sent" => status(Some(MessageStatus::Sent)),
        "message.delivered" => status(Some(MessageStatus::Delivered)),
        "message.read" => status(Some(MessageStatus::Read)),
        "message.failed" => status(Some(MessageStatus::Failed)),
        "message.ack" | "message_status" => status(None),
        "session.connected" => state("connected"),
        "session.disconnected" => state("disconnected"),
        "session.qr" => session::pairing(&session, data, plan, happened, received),
        "session_status" => {
            let word = look::text(data, &["status", "state"])
                .ok_or_else(|| Refused::at("/data/status", "a session's state without the state"))?;
            state(session::state(&word))
        }
        "contact.updated" | "contact.created" => {
            let contact = look::first(data, &["contact"]).filter(|it| it.is_object()).unwrap_or(data);
            chat::contact(plan, &session, contact, happened)
        }
        "chat.archived" => chat::conversation(plan, &session, data, happened, Some(true)),
        "chat.unarchived" => chat::conversation(plan, &session, data, happened, Some(false)),
        "conversation.created" | "conversation.updated" => {
            let row = look::first(data, &["conversation", "chat"]).filter(|it| it.is_object()).unwrap_or(data);
            chat::conversation(plan, &session, row, happened, None)
        }
        "lid-mapping.update" => chat::mapping(&session, data, happened),
        other => Ok(Decoded::Ignored(format!("{} is no event that this source reads", shown(other)))),
    };
    match decoded? {
        Decoded::Observations(observations) => {
            let connected = observations.iter().any(
                |seen| matches!(&seen.item, Item::Session(session) if session.state.as_deref() == Some("connected")),
            );
            if connected {
                events.jobs.extend(jobs::connected(plan, &session, happened.unwrap_or(received)));
            }
            // What says no time of its own has that of its coming, or none.
            let timeless = observations.iter().any(|seen| seen.at.is_none_or(|at| at == received));
            let look = timeless.then(|| jobs::again(plan, &session, received));
            events.again.extend(look.filter(|look| !events.again.contains(look)));
            events.observations.extend(observations);
        }
        Decoded::Ignored(why) => events.ignored.push(why),
    }
    Ok(())
}

/// Whether a `message.sent` shows the message itself, and not only its status.
fn has_content(message: &Value) -> bool {
    let members = ["content", "body", "text", "type", "message", "caption", "media", "mediaUrl"];
    look::first(message, &members).is_some()
}
