//! Bringing messages into amoCRM's chats, each once. The chat service is another one than the account's: what it refuses
//! holds up messages, and no calls.

use std::collections::HashMap;

use cordboard_sdk::abilities::{Change, Outcome, Receipt};
use cordboard_sdk::records::Message;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::{Failure, Retryable};

use super::line::{self, Line};
use super::message::{self, Rendering};
use crate::deliver::Work;
use crate::memo::Memo;
use crate::refusal::Fault;
use crate::settings::Chat;

/// How far the two sides' times of one message may be apart, in seconds.
const APART: u64 = 15 * 60;

/// The chats of one call of `deliver`.
pub struct Chats<'a, 'h> {
    work: &'a Work<'h>,
    /// What stands in which conversation, so that a batch asks once.
    histories: HashMap<String, Vec<Value>>,
    /// Messages over there that have been found to be ours.
    taken: Vec<String>,
    /// The connected channel, once it has been needed.
    scope: Option<Result<String, Failure>>,
    /// What holds for all messages from now on.
    stop: Option<Failure>,
}

impl<'a, 'h> Chats<'a, 'h> {
    /// None asked for yet.
    pub fn new(work: &'a Work<'h>) -> Self {
        Self { work, histories: HashMap::new(), taken: Vec::new(), scope: None, stop: None }
    }

    /// Makes the chat agree with a message.
    pub fn message(&mut self, change: &Change, message: &Message) -> Outcome {
        self.carry(change, message).unwrap_or_else(|fault| Outcome::Failed(self.failed(fault)))
    }

    /// What a fault means for a message, and for those after it: nothing that makes the hub log in anew, or keeps calls
    /// waiting.
    fn failed(&mut self, fault: Fault) -> Failure {
        let silent = matches!(fault, Fault::Silent { .. });
        let (failure, all) = match Failure::from(fault) {
            Failure::Unauthorized(why) | Failure::Misconfigured(why) => (Failure::rejected("chat-refused", why), true),
            Failure::RateLimited(after) => {
                let why = "the chat service asks for less".to_owned();
                (Failure::Retryable(Retryable { why, status: Some(429), after }), true)
            }
            failure => {
                let away = silent && matches!(failure, Failure::Retryable(_));
                (failure, away)
            }
        };
        if all {
            self.stop = Some(failure.clone());
        }
        failure
    }

    /// The channel as it is connected to the account: the grant says it, or it is connected now.
    fn scope(&mut self) -> Result<String, Fault> {
        let work = self.work;
        let scope = self.scope.get_or_insert_with(|| match &work.account().scope {
            Some(scope) => Ok(scope.clone()),
            None => line::connect(work.host, &work.settings, work.account()).map_err(not_connected),
        });
        scope.clone().map_err(|failure| Fault::Silent { failure, uncertain: false })
    }

    fn carry(&mut self, change: &Change, message: &Message) -> Result<Outcome, Fault> {
        let work = self.work;
        let skipped = |why: &str| Ok(Outcome::Skipped(why.into()));
        let Some(chat) = &work.settings.chat else { return skipped("no chat is set up: the setting `chat`") };
        let Some(conversation) = message.conversation.as_deref() else {
            return skipped("the message is not known to belong to a conversation");
        };
        if !message::direct(conversation) {
            return skipped("groups, lists and channels are not carried into amoCRM");
        }
        let rendering = Rendering {
            chat,
            account: work.account(),
            id: &change.subject.id,
            conversation,
            message,
            now: work.host.now(),
        };
        if message.kind.is_none() && message.text.is_none() && message.media.is_empty() && message.deleted_at.is_none()
        {
            return skipped("nothing is known yet of what stands in the message");
        }
        if let Some(failure) = &self.stop {
            return Ok(Outcome::Failed(failure.clone()));
        }
        let scope = &self.scope()?;
        let line = Line::new(work.host, &work.settings, chat);
        let mut memo = Memo::read(&change.memo);
        let mut notes = Vec::new();
        let mut id = change.external_id.clone();
        if id.is_none() && (message::outgoing(message) || change.attempt > 1) {
            let there = self.there(&line, scope, &rendering)?;
            memo.theirs = there.as_ref().is_some_and(|there| there.written_there);
            id = there.map(|there| there.id);
            if id.is_some() {
                memo.fields.wrote("content", &rendering.content());
            }
        }
        // By what it was sent may become known only after it was found by its words, and is surer.
        let sure = message::written_there(message).filter(|known| memo.theirs && id.as_deref() != Some(*known));
        if sure.is_some()
            && let Some(there) = self.there(&line, scope, &rendering)?
            && Some(there.id.as_str()) == sure
        {
            (id, memo.status) = (Some(there.id), None);
        }
        match &id {
            None => {
                id = match line.message(scope, "new_message", &rendering.payload()) {
                    // Of one id there is one message: perhaps it is there.
                    Err(fault) if fault.is_refused() => match self.there(&line, scope, &rendering)? {
                        Some(there) => Some(there.id),
                        None => return Err(fault),
                    },
                    result => result?,
                };
                memo.fields.wrote("content", &rendering.content());
            }
            Some(_) if memo.theirs => {}
            Some(_) if !memo.fields.has("content", &rendering.content()) => {
                let edited = line.message(scope, "edit_message", &rendering.edit());
                noted(edited.map(|_| ()), "the edit", &mut notes)?;
                memo.fields.wrote("content", &rendering.content());
            }
            Some(_) => {}
        }
        if let (Some(id), true) = (&id, memo.theirs)
            && let Some(status) = message::status(message).filter(|status| further(*status, memo.status))
        {
            let told = line.status(scope, id, &message::told(id, status, message));
            noted(told, "how far it has come", &mut notes)?;
            memo.status = Some(status);
        }
        Ok(Outcome::Done(Receipt { external_id: id, url: None, shortened: notes, memo: memo.bytes() }))
    }

    /// The message over there, if it is: sent there by an earlier try, or written there and sent by us.
    fn there(&mut self, line: &Line, scope: &str, rendering: &Rendering) -> Result<Option<There>, Fault> {
        let conversation = rendering.conversation.to_owned();
        if !self.histories.contains_key(&conversation) {
            let history = match line.chat(scope, &conversation, &rendering.client())? {
                Some(chat) => line.history(scope, &chat)?,
                None => Vec::new(),
            };
            self.histories.insert(conversation.clone(), history);
        }
        let history = self.histories.get(&conversation).map(Vec::as_slice).unwrap_or_default();
        let id = |row: &Value| row["message"]["id"].as_str().map(str::to_owned);
        if let Some(own) = history.iter().find(|row| row["message"]["client_id"] == rendering.id) {
            return Ok(id(own).map(|id| There { id, written_there: false }));
        }
        if !message::outgoing(rendering.message) {
            return Ok(None);
        }
        let known = message::written_there(rendering.message);
        if let Some(known) = known.filter(|known| history.iter().any(|row| row["message"]["id"] == *known)) {
            let known = known.to_owned();
            self.taken.push(known.clone());
            return Ok(Some(There { id: known, written_there: true }));
        }
        let sent = rendering.message.sent_at.unwrap_or(rendering.now) / 1000;
        let near = |row: &&Value| row["timestamp"].as_u64().unwrap_or_default().abs_diff(sent);
        // What came over from here has an id of ours. What was written there has none, or one of somebody else's making.
        let session = message::address(rendering.id).map(|(session, _)| session);
        let ours =
            |id: &str| !id.is_empty() && session.is_none_or(|own| message::address(id).is_some_and(|it| it.0 == own));
        let candidates = history.iter().filter(|row| {
            let carried = row["message"]["client_id"].as_str().is_some_and(ours);
            let by_client = row["sender"]["client_id"] == rendering.conversation;
            let taken = id(row).is_none_or(|id| self.taken.contains(&id));
            !carried && !by_client && !taken && near(row) <= APART && says_the_same(&row["message"], rendering.message)
        });
        let Some(found) = candidates.min_by_key(near).and_then(id) else { return Ok(None) };
        self.taken.push(found.clone());
        Ok(Some(There { id: found, written_there: true }))
    }
}

/// Without its channel no message has a place to go to; a channel that could not be asked for is asked for again.
fn not_connected(failure: Failure) -> Failure {
    let why = format!("the chat's channel is not connected to the account: {}", failure.why());
    match failure {
        Failure::Retryable(it) => Failure::Retryable(Retryable { why, ..it }),
        Failure::RateLimited(after) => Failure::RateLimited(after),
        _ => Failure::rejected("chat-not-connected", format!("{why}; mend it, and retry the message")),
    }
}

/// A message over there.
struct There {
    id: String,
    written_there: bool,
}

/// Whether a message written over there is the one that went out.
fn says_the_same(there: &Value, message: &Message) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let theirs = words(there["text"].as_str().unwrap_or_default());
    let ours = words(message.text.as_deref().unwrap_or_default());
    let file = there["media"].as_str().is_some_and(|link| !link.is_empty());
    // Buttons went out as lines below the text.
    let same = theirs == ours || (!theirs.is_empty() && ours.starts_with(&format!("{theirs} — ")));
    same && (!theirs.is_empty() || (file && !message.media.is_empty()))
}

/// Never backwards: what was read was delivered, and what failed was not.
fn further(status: i8, told: Option<i8>) -> bool {
    match told {
        None => true,
        Some(told) => told > 0 && status > told,
    }
}

/// What the service refuses of a message that stands there is said, and no reason to try again.
fn noted(result: Result<(), Fault>, what: &str, notes: &mut Vec<String>) -> Result<(), Fault> {
    match result {
        Err(fault) if fault.is_refused() || fault.is_gone() => {
            notes.push(format!("{what}: amoCRM does not take it (HTTP {})", fault.status().unwrap_or_default()));
            Ok(())
        }
        result => result,
    }
}

/// The session of a source.
pub fn session_of<'c>(chat: &'c Chat, source: &str) -> Option<&'c str> {
    chat.sources.iter().find(|(_, external)| *external == source).map(|(session, _)| session.as_str())
}

/// The arguments of a command to send.
pub fn arguments(session: &str, to: &str) -> Value {
    json!({"session": session, "to": to})
}
