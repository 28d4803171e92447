//! From the contract's types to the host's: everything that a component says is looked at here.

use std::time::Duration;

use super::bindings::cordboard::hub::{records as wr, vocabulary as wt};
use super::bindings::exports::cordboard::hub as exported;
use crate::components::contract::{self, Failure};
use crate::model::{
    Instant, Item, Kind, Observation, Phone, Trust, call, contact, conversation, message, party, session,
};

/// What breaks the contract, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// As a path of the contract's names: `call.started-at`.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
    /// True for what a later version of the contract may say: not wrong, only not understood here.
    pub unknown: bool,
}

impl Invalid {
    pub fn new(field: &str, why: impl Into<String>) -> Self {
        Invalid { field: field.to_owned(), why: why.into(), unknown: false }
    }

    /// The same, seen from one level further out.
    fn within(mut self, outer: &str) -> Self {
        let outer = outer.replace('_', "-");
        self.field = if self.field.is_empty() { outer } else { format!("{outer}.{}", self.field) };
        self
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}

/// What can be turned into `To`.
pub trait Inward<To> {
    /// Turns it, or says what is wrong with it.
    fn inward(self) -> Result<To, Invalid>;
}

impl<A: Inward<B>, B> Inward<Option<B>> for Option<A> {
    fn inward(self) -> Result<Option<B>, Invalid> {
        self.map(Inward::inward).transpose()
    }
}

impl<A: Inward<B>, B> Inward<Vec<B>> for Vec<A> {
    fn inward(self) -> Result<Vec<B>, Invalid> {
        let one = |(index, element): (usize, A)| element.inward().map_err(|invalid| invalid.within(&index.to_string()));
        self.into_iter().enumerate().map(one).collect()
    }
}

/// No store keeps a NUL character.
impl Inward<String> for String {
    fn inward(self) -> Result<String, Invalid> {
        if self.contains('\0') { Err(Invalid::new("", "holds a NUL character")) } else { Ok(self) }
    }
}

impl Inward<(String, String)> for (String, String) {
    fn inward(self) -> Result<(String, String), Invalid> {
        Ok((self.0.inward()?, self.1.inward()?))
    }
}

impl Inward<Instant> for u64 {
    fn inward(self) -> Result<Instant, Invalid> {
        Instant::from_millis(self)
            .ok_or_else(|| Invalid::new("", format!("{self} ms after 1970 is past the year 9999")))
    }
}

/// What is the same on both sides.
macro_rules! same {
    ($($ty:ty),+) => {
        $(impl Inward<$ty> for $ty {
            fn inward(self) -> Result<$ty, Invalid> {
                Ok(self)
            }
        })+
    };
}

same!(bool, u16, u32, u64);

/// Records whose fields have the same names.
macro_rules! records {
    ($($from:ty => $to:ty { $($field:ident),+ $(,)? })+) => {
        $(impl Inward<$to> for $from {
            fn inward(self) -> Result<$to, Invalid> {
                type To = $to;
                Ok(To { $($field: self.$field.inward().map_err(|invalid| invalid.within(stringify!($field)))?,)+ })
            }
        })+
    };
}

/// Enums whose cases have the same names.
macro_rules! enums {
    ($($from:ty => $to:ty { $($case:ident),+ $(,)? })+) => {
        $(impl Inward<$to> for $from {
            fn inward(self) -> Result<$to, Invalid> {
                type From = $from;
                type To = $to;
                Ok(match self { $(From::$case => To::$case,)+ })
            }
        })+
    };
}

enums! {
    wr::CallPhase => call::CallPhase { Ringing, Answered, Ended }
    wr::Direction => call::Direction { Inbound, Outbound, Internal }
    wr::MessageStatus => message::MessageStatus { Queued, Sent, Failed, Delivered, Read, Played }
    wr::Origin => message::Origin { Historic, Live }
    wr::Trust => Trust { Inferred, Reported, Settled }
    wt::Kind => Kind { Call, Message, Contact, Conversation, Session }
}

impl Inward<contract::Once> for exported::webhook::Once {
    fn inward(self) -> Result<contract::Once, Invalid> {
        let again = self.again.inward().map_err(|invalid: Invalid| invalid.within("again"))?;
        Ok(contract::Once { within: Duration::from_millis(self.within), again })
    }
}

/// How many were new is for the hub to say.
impl Inward<contract::Progress> for exported::pull::Progress {
    fn inward(self) -> Result<contract::Progress, Invalid> {
        Ok(contract::Progress {
            stage: self.stage.inward().map_err(|invalid: Invalid| invalid.within("stage"))?,
            rows: self.rows.inward()?,
            processed: self.processed,
            total: self.total,
            created: 0,
            updated: 0,
            errors: self.errors,
        })
    }
}

/// A component says only what it saw; the forms of a number are worked out here.
impl Inward<Phone> for wt::Phone {
    fn inward(self) -> Result<Phone, Invalid> {
        Ok(Phone::raw(Inward::<String>::inward(self.raw).map_err(|invalid| invalid.within("raw"))?))
    }
}

impl Inward<message::Location> for wr::Location {
    fn inward(self) -> Result<message::Location, Invalid> {
        let millionths = |field: &str, degrees: f64, most: f64| {
            if degrees.is_finite() && degrees.abs() <= most {
                #[allow(clippy::cast_possible_truncation, reason = "at most 180 million")]
                return Ok((degrees * 1e6).round() as i32);
            }
            Err(Invalid::new(field, format!("{degrees} is not between -{most} and {most}")))
        };
        Ok(message::Location {
            latitude_e6: millionths("latitude", self.latitude, 90.0)?,
            longitude_e6: millionths("longitude", self.longitude, 180.0)?,
            name: self.name.inward().map_err(|invalid: Invalid| invalid.within("name"))?,
            address: self.address.inward().map_err(|invalid: Invalid| invalid.within("address"))?,
        })
    }
}

records! {
    wt::Agent => party::Agent { extension, name, user }
    wt::Party => party::Party { number, name, agent }
    wr::Identity => party::Identity { scheme, value }
    wr::Correspondent => party::Correspondent { ids, number, name, agent }
    wr::Call => call::Call {
        phase, outcome, direction, caller, callee, line, queue, agent, started_at, answered_at, ended_at, duration, talk,
        hold, wait, hangup_cause, hangup_by, desks, recordings, transfers, system, notes, attributes,
    }
    wr::Desk => call::Desk { extension, rang_at, answered_at, stopped_at }
    wr::Recording => call::Recording { id, url, media_type, duration }
    wr::Transfer => call::Transfer { kind, at, by, to, answered }
    wr::Message => message::Message {
        conversation, channel, direction, kind, sender, recipient, text, status, sent_at, delivered_at, read_at, error,
        edited_at, deleted_at, quotes, media, location, cards, poll, reactions, origin, attributes,
    }
    wr::Media => message::Media { id, media_type, file_name, size, url, sha256, duration }
    wr::Card => message::Card { name, numbers }
    wr::Poll => message::Poll { question, options, choices }
    wr::Reaction => message::Reaction { by, emoji, at }
    wr::Contact => contact::Contact {
        ids, numbers, name, push_name, verified_name, business, blocked, picture, labels, attributes,
    }
    wr::Conversation => conversation::Conversation {
        kind, channel, ids, name, contact, archived, pinned, muted_until, unread, last_message, participants, labels,
        assigned_to, attributes,
    }
    wr::LastMessage => conversation::LastMessage { id, preview, at, outgoing }
    wr::Session => session::Session { state, reason, name, number, since, pairing, attributes }
    wr::Pairing => session::Pairing { code, expires_at }
    exported::directory::Match => contract::Match { external_id, kind, name, url, owner, attributes }
    wt::Job => contract::Job { id, kind, parameters, session, anew }
    wt::Command => contract::Command { id, name, agent, arguments }
    wt::Grant => contract::Grant { token, expires_at, attributes }
}

impl Inward<Item> for wr::Item {
    fn inward(self) -> Result<Item, Invalid> {
        Ok(match self {
            wr::Item::Call(call) => Item::Call(call.inward().map_err(|invalid: Invalid| invalid.within("call"))?),
            wr::Item::Message(it) => Item::Message(it.inward().map_err(|invalid: Invalid| invalid.within("message"))?),
            wr::Item::Contact(it) => Item::Contact(it.inward().map_err(|invalid: Invalid| invalid.within("contact"))?),
            wr::Item::Conversation(it) => {
                Item::Conversation(it.inward().map_err(|invalid: Invalid| invalid.within("conversation"))?)
            }
            wr::Item::Session(it) => Item::Session(it.inward().map_err(|invalid: Invalid| invalid.within("session"))?),
            wr::Item::Other((kind, _)) => {
                let why = format!("a record of the kind `{kind}`, which this hub does not know");
                return Err(Invalid { field: "item".into(), why, unknown: true });
            }
        })
    }
}

impl Inward<Observation> for wr::Observation {
    fn inward(self) -> Result<Observation, Invalid> {
        check_id("id", &self.id)?;
        self.also.iter().try_for_each(|id| check_id("also", id))?;
        Ok(Observation {
            id: self.id,
            also: self.also,
            at: self.at.inward().map_err(|invalid: Invalid| invalid.within("at"))?,
            trust: self.trust.inward()?,
            item: self.item.inward()?,
        })
    }
}

fn check_id(field: &str, id: &str) -> Result<(), Invalid> {
    let why = match id.len() {
        0 => "must not be empty".to_owned(),
        length @ 256.. => format!("has {length} bytes; an id has 255 at most"),
        _ if id.chars().any(char::is_control) => "holds a control character".to_owned(),
        _ => return Ok(()),
    };
    Err(Invalid::new(field, why))
}

/// Failures come from outside and are passed on whatever is in them.
impl From<wt::Failure> for Failure {
    fn from(failure: wt::Failure) -> Self {
        let wait = |after: Option<u64>| after.map(Duration::from_millis);
        match failure {
            wt::Failure::Retryable(it) => Failure::Retryable { why: it.why, status: it.status, after: wait(it.after) },
            wt::Failure::RateLimited(after) => Failure::RateLimited { after: wait(after) },
            wt::Failure::Unauthorized(why) => Failure::Unauthorized { why },
            wt::Failure::Rejected(it) => Failure::Rejected { code: it.code, why: it.why },
            wt::Failure::Misconfigured(why) => Failure::Misconfigured { why },
            wt::Failure::Other(it) => match it.class {
                wt::FailureClass::Passing => {
                    Failure::Retryable { why: format!("{}: {}", it.code, it.why), status: None, after: None }
                }
                wt::FailureClass::Lasting => Failure::Rejected { code: it.code, why: it.why },
                wt::FailureClass::Settings => Failure::Misconfigured { why: format!("{}: {}", it.code, it.why) },
            },
        }
    }
}

impl From<wt::CommandOutcome> for contract::CommandOutcome {
    fn from(outcome: wt::CommandOutcome) -> Self {
        match outcome {
            wt::CommandOutcome::Done(json) => contract::CommandOutcome::Done(json),
            wt::CommandOutcome::Accepted(subject) => contract::CommandOutcome::Accepted(subject),
            wt::CommandOutcome::Unknown(why) => contract::CommandOutcome::Unknown(why),
            wt::CommandOutcome::Other((name, text)) => contract::CommandOutcome::Other(name, text),
        }
    }
}

impl Inward<contract::Response> for wt::Response {
    fn inward(self) -> Result<contract::Response, Invalid> {
        if !(200..=599).contains(&self.status) {
            return Err(Invalid::new("response.status", format!("{} is not between 200 and 599", self.status)));
        }
        let headers = headers(self.headers, "response.headers")?;
        Ok(contract::Response { status: self.status, headers, body: self.body })
    }
}

/// Headers that can be sent.
fn headers(headers: contract::Headers, field: &str) -> Result<contract::Headers, Invalid> {
    for (name, value) in &headers {
        let sound =
            http::HeaderName::from_bytes(name.as_bytes()).is_ok() && http::HeaderValue::from_bytes(value).is_ok();
        if !sound {
            return Err(Invalid::new(field, format!("`{}` is no header", name.escape_debug())));
        }
    }
    Ok(headers)
}

impl From<exported::webhook::Refusal> for contract::Refusal {
    fn from(refusal: exported::webhook::Refusal) -> Self {
        use exported::webhook::Refusal;
        match refusal {
            Refusal::Unauthenticated(why) => contract::Refusal::Unauthenticated(why),
            Refusal::Malformed(it) => contract::Refusal::Malformed { field: it.field, why: it.why },
            Refusal::Ignored(why) => contract::Refusal::Ignored(why),
            Refusal::NotMine(why) => contract::Refusal::NotMine(why),
            Refusal::Other(why) => contract::Refusal::Other(why),
        }
    }
}

/// Nobody sits at more desks.
const DESKS: usize = 16;

/// What an adapter is to remember is small.
const MEMO: usize = 4 << 10;

impl Inward<contract::Outcome> for exported::sink::Outcome {
    fn inward(self) -> Result<contract::Outcome, Invalid> {
        use exported::sink::Outcome;
        Ok(match self {
            Outcome::Done(receipt) if receipt.memo.len() > MEMO => {
                let why = format!("has {} bytes; {MEMO} are kept at most", receipt.memo.len());
                return Err(Invalid::new("receipt.memo", why));
            }
            Outcome::Done(receipt) => contract::Outcome::Done(contract::Receipt {
                external_id: receipt.external_id.inward().map_err(|it: Invalid| it.within("receipt.external-id"))?,
                url: receipt.url.inward().map_err(|it: Invalid| it.within("receipt.url"))?,
                shortened: receipt.shortened.inward().map_err(|it: Invalid| it.within("receipt.shortened"))?,
                memo: receipt.memo,
            }),
            Outcome::Skipped(why) => contract::Outcome::Skipped(why),
            Outcome::Failed(failure) => contract::Outcome::Failed(failure.into()),
            Outcome::Other(why) => contract::Outcome::Failed(Failure::Retryable { why, status: None, after: None }),
        })
    }
}

impl Inward<contract::Action> for exported::connection::Action {
    fn inward(self) -> Result<contract::Action, Invalid> {
        use exported::connection::Action;
        Ok(match self {
            Action::Send(bytes) => contract::Action::Send(bytes),
            Action::Observe(observation) => contract::Action::Observe(Box::new(observation.inward()?)),
            Action::SetTimer(timer) => {
                contract::Action::SetTimer { number: timer.number, after: Duration::from_millis(timer.after) }
            }
            Action::CancelTimer(number) => contract::Action::CancelTimer(number),
            Action::Reconnect(it) => contract::Action::Reconnect { why: it.why, misconfigured: it.misconfigured },
            Action::Answer(answer) => contract::Action::Answer {
                command: answer.command,
                result: answer.result.map(Into::into).map_err(Into::into),
            },
            Action::Start(job) => contract::Action::Start(job.inward()?),
            Action::Status(text) => contract::Action::Status(text),
            Action::Other((name, text)) => contract::Action::Other(name, text),
        })
    }
}

impl Inward<contract::Sent> for exported::endpoint::Sent {
    fn inward(self) -> Result<contract::Sent, Invalid> {
        use exported::endpoint::Sent;
        Ok(match self {
            Sent::Response(response) => contract::Sent::Response(response.inward()?),
            Sent::Sound(sound) => contract::Sent::Sound(contract::Sound {
                source: sound.source,
                call: sound.call,
                recording: sound.recording,
                began: sound.began.inward().map_err(|invalid: Invalid| invalid.within("sound.began"))?,
                format: sound.format,
                headers: headers(sound.headers, "sound.headers")?,
                missing: sound.missing.inward().map_err(|invalid: Invalid| invalid.within("sound.missing"))?,
            }),
            Sent::Wait(wait) if wait.desks.len() > DESKS => {
                let why = format!("{} desks; {DESKS} are waited for at most", wait.desks.len());
                return Err(Invalid::new("wait.desks", why));
            }
            Sent::Wait(wait) => contract::Sent::Wait(contract::Wait {
                desks: wait.desks,
                until: wait.until.inward().map_err(|invalid: Invalid| invalid.within("wait.until"))?,
                otherwise: wait.otherwise.inward().map_err(|invalid: Invalid| invalid.within("wait.otherwise"))?,
            }),
            Sent::Other((name, _)) => contract::Sent::Other(name),
        })
    }
}
