//! A message object, from a webhook or from the history, as observations.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::Value;

use crate::address::Address;
use crate::content::{self, Content};
use crate::fit::{self, Odd};
use crate::key::{self, Key};
use crate::look;
use crate::person::Person;
use crate::refused::{Decoded, Refused, shown};
use crate::settings::Plan;
use crate::status;

/// A day: a time so far ahead of the hub's clock is not believed.
const AHEAD: u64 = 24 * 3_600_000;

/// Where a message object was found.
pub struct Frame<'a> {
    /// The settings.
    pub plan: &'a Plan,
    /// The session it belongs to.
    pub session: &'a str,
    /// Live or historic.
    pub origin: Origin,
    /// When the server says that it sent this.
    pub sent: Option<Instant>,
    /// When the hub received it.
    pub received: Instant,
    /// Whether it is ours, as the event's name says.
    pub ours: bool,
    /// What the event's name says of the message.
    pub news: News,
}

/// What an event says of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// It is there.
    Written,
    /// Its text was changed.
    Edited,
    /// It was taken back.
    Deleted,
}

/// The people and the place of a message.
struct Ends {
    ours: bool,
    chat: Address,
    /// The other side of a direct conversation.
    peer: Option<Person>,
    /// Who wrote it, when that is somebody else.
    author: Option<Person>,
    odd: Odd,
}

/// Where the time of writing stands.
const TIMES: [&str; 5] = ["timestamp", "messageTimestamp", "t", "senderTimestampMs", "sentAt"];

impl Frame<'_> {
    /// Reads one message object.
    pub fn read(&self, message: &Value) -> Result<Decoded, Refused> {
        if !message.is_object() {
            return Err(Refused::at("/data", "here stands no message object"));
        }
        let (inner, _) = content::inner(message);
        if let Some(reaction) =
            look::first(inner, &["reactionMessage"]).or_else(|| look::first(message, &["reactionMessage"]))
        {
            return self.reaction(message, reaction);
        }
        let word = look::text(message, &["type", "messageType"]).unwrap_or_default();
        if word == "reaction" {
            let reaction = look::first(message, &["reaction"]).filter(|it| it.is_object()).unwrap_or(message);
            return self.reaction(message, reaction);
        }
        if let Some(protocol) = look::first(inner, &["protocolMessage"]) {
            return self.protocol(message, protocol);
        }
        if inner.get("pollUpdateMessage").is_some() || word == "poll_vote" || word == "poll_update" {
            return self.vote(message);
        }
        let ends = match self.ends(message, &Key::of(message))? {
            Ok(ends) => ends,
            Err(ignored) => return Ok(ignored),
        };
        let gone = ["isDeleted", "isRevoked", "deleted", "revoked"];
        if self.news == News::Deleted
            || matches!(word.as_str(), "revoked" | "deleted")
            || look::flag(message, &gone).unwrap_or(false)
        {
            let target = look::first(message, &["deletedMessageId", "targetMessageId", "revokedMessageId"]);
            let id = target.and_then(|it| Key::pointed(it).id).or_else(|| Key::of(message).id);
            return self.deleted(id, &ends, self.time(message, &["deletedAt", "revokedAt"]));
        }
        self.written(message, ends)
    }

    /// A message as it was written, or as it stands after an edit.
    fn written(&self, message: &Value, mut ends: Ends) -> Result<Decoded, Refused> {
        let at = self.at(message, &mut ends.odd);
        let id = Key::of(message).id;
        let content =
            content::read(message, id.as_deref().unwrap_or("media"), self.plan.settings.view_once, &mut ends.odd);
        let subject = match &id {
            Some(id) => key::message(self.session, id),
            None => {
                ends.odd.note("no-id");
                let second = at.map(|at| (at / 1000).to_string()).unwrap_or_default();
                let author = ends.author.as_ref().map(Person::main).unwrap_or_default();
                let text = content.text.as_deref().unwrap_or_default();
                key::digest(self.session, &[&ends.chat.jid(), &author, &second, content.kind, text])
            }
        };
        let name = ["pushName", "notifyName", "notify", "senderName", "contact.name", "contactName"];
        let name = look::text(message, &name).map(|name| fit::line(&name));
        let edited = self.news == News::Edited
            || look::flag(message, &["isEdited", "edited"]).unwrap_or(false)
            || look::first(message, &["editedAt"]).is_some();
        let edited_at = edited.then(|| self.time(message, &["editedAt"]).unwrap_or(self.received));
        let record = self.record(message, &ends, content, at, edited_at, name.clone());
        let (preview, ours) = (preview(&record), ends.ours);
        let trust = if record.kind.as_deref() == Some("undecryptable") { Trust::Inferred } else { Trust::Reported };
        let mut observations =
            vec![Observation { at: edited_at.max(at), trust, ..Observation::of(subject.clone(), record) }];
        if self.origin == Origin::Live {
            let last = at.map(|at| LastMessage { id: Some(subject), preview, at, outgoing: ours });
            observations.push(self.conversation(message, &ends, last, at));
        }
        let joined = |person: &&Person| !person.aliases().is_empty();
        let told = match self.origin {
            Origin::Live if !ours => ends.author.as_ref(),
            _ => ends.peer.as_ref().or(ends.author.as_ref()).filter(joined),
        };
        if let Some(person) = told {
            let push_name = if ours { None } else { name };
            let verified_name = look::text(message, &["verifiedName", "verifiedBizName"]).map(|it| fit::line(&it));
            let contact = Contact { push_name, verified_name, ..Contact::default() };
            observations.push(person.contact(self.session, contact, at));
        }
        Ok(Decoded::Observations(observations))
    }

    fn record(
        &self,
        message: &Value,
        ends: &Ends,
        content: Content,
        at: Option<Instant>,
        edited_at: Option<Instant>,
        name: Option<String>,
    ) -> Message {
        let mut attributes = content.attributes;
        if let Address::Broadcast(list) = &ends.chat
            && !ends.ours
        {
            attributes.push(("broadcast-list".to_owned(), list.clone()));
        }
        if let Some(words) = ends.odd.words() {
            attributes.push(("inbox-hub-anomalies".to_owned(), words));
        }
        let own = |paths: &[&str]| self.own(message, paths, ends);
        let (sender, recipient) = match ends.ours {
            true => (own(&["from"]), ends.peer.as_ref().map(|peer| peer.correspondent(None))),
            false => (ends.author.as_ref().map(|author| author.correspondent(name)), own(&["to"])),
        };
        Message {
            conversation: Some(key::place(self.session, &ends.main())),
            channel: Some("whatsapp".to_owned()),
            direction: Some(ends.direction()),
            kind: Some(content.kind.to_owned()),
            sender,
            recipient,
            text: content.text,
            status: ends.ours.then(|| status::seen(message, &self.plan.settings).unwrap_or(MessageStatus::Sent)),
            sent_at: at,
            edited_at,
            quotes: content.quotes.map(|id| key::message(self.session, &id)),
            media: content.media.into_iter().collect(),
            location: content.location,
            cards: content.cards,
            poll: content.poll,
            origin: Some(self.origin),
            attributes,
            ..Message::default()
        }
    }

    /// Somebody reacted to a message, or took a reaction back.
    fn reaction(&self, message: &Value, reaction: &Value) -> Result<Decoded, Refused> {
        let target = look::first(reaction, &["key", "targetMessageId", "msgId", "reactedMessageId"]);
        let target = target.or_else(|| look::first(message, &["targetMessageId", "reaction.messageId"]));
        let target = target.map(Key::pointed).unwrap_or_default();
        let Some(id) = target.id.clone() else {
            return Err(Refused::at("/data", "a reaction that does not say to which message"));
        };
        let mut key = Key::of(message);
        key.chat = key.chat.or(target.chat);
        let ends = match self.ends(message, &key)? {
            Ok(ends) => ends,
            Err(ignored) => return Ok(ignored),
        };
        let by = match (&ends.author, ends.ours) {
            (_, true) => "me".to_owned(),
            (Some(author), false) => author.main(),
            (None, false) => return Err(Refused::at("/data", "a reaction that does not say by whom")),
        };
        let time = |value| self.plan.clock.find(value, &["senderTimestampMs", "timestamp", "messageTimestamp"]);
        let at = time(reaction).or_else(|| time(message)).map(|moment| moment.at);
        let at = at.or(self.sent).unwrap_or(self.received);
        let emoji = ["text", "emoji", "reaction"].iter().find_map(|name| reaction.get(*name)?.as_str());
        let emoji = emoji.filter(|emoji| !emoji.is_empty()).map(fit::line);
        let record = Message { reactions: vec![Reaction { by, emoji, at }], ..self.touched(&ends, None) };
        Ok(self.touch(&id, record, Some(at)))
    }

    /// Deletions and edits as Baileys has them.
    fn protocol(&self, message: &Value, protocol: &Value) -> Result<Decoded, Refused> {
        let what = look::text(protocol, &["type"]).unwrap_or_default();
        let id = look::first(protocol, &["key"]).and_then(|key| Key::pointed(key).id);
        let at = self.time(protocol, &["timestampMs"]).or_else(|| self.time(message, &TIMES));
        let ends = match self.ends(message, &Key::of(message))? {
            Ok(ends) => ends,
            Err(ignored) => return Ok(ignored),
        };
        match what.as_str() {
            "REVOKE" | "0" => self.deleted(id, &ends, at),
            "MESSAGE_EDIT" | "14" => {
                let Some(id) = id else {
                    return Err(Refused::at("/data", "an edit that does not say of which message"));
                };
                let mut odd = Odd::default();
                let edited = look::first(protocol, &["editedMessage"]).unwrap_or(&Value::Null);
                let content = content::read(edited, &id, false, &mut odd);
                let at = at.or(self.sent).unwrap_or(self.received);
                let record =
                    Message { text: content.text, edited_at: Some(at), ..self.touched(&ends, Some(ends.direction())) };
                Ok(self.touch(&id, record, Some(at)))
            }
            other => Ok(Decoded::Ignored(format!("a notice of the protocol, {}", shown(other)))),
        }
    }

    fn deleted(&self, id: Option<String>, ends: &Ends, at: Option<Instant>) -> Result<Decoded, Refused> {
        let Some(id) = id else {
            return Err(Refused::at("/data", "a deletion that does not say of which message"));
        };
        let at = at.or(self.sent).unwrap_or(self.received);
        let record = Message { deleted_at: Some(at), ..self.touched(ends, Some(ends.direction())) };
        Ok(self.touch(&id, record, Some(at)))
    }

    /// Somebody chose in a poll: one attribute of the poll's message for each person.
    fn vote(&self, message: &Value) -> Result<Decoded, Refused> {
        let vote = look::first(message, &["vote", "pollVote"]).unwrap_or(message);
        let target = ["pollMessageId", "pollCreationMessageKey", "parentMessageId", "targetMessageId"];
        let target = look::first(vote, &target).or_else(|| look::first(message, &target)).map(Key::pointed);
        let chosen = look::list(vote, &["selectedOptions", "options", "chosen"]);
        let clear = vote.get("selectedOptions").or(vote.get("options")).or(vote.get("chosen")).is_some();
        let Some(id) = target.and_then(|target| target.id).filter(|_| clear) else {
            return Ok(Decoded::Ignored("a vote that the server has not decrypted".to_owned()));
        };
        let ends = match self.ends(message, &Key::of(message))? {
            Ok(ends) => ends,
            Err(ignored) => return Ok(ignored),
        };
        let by = if ends.ours { Some("me".to_owned()) } else { ends.author.as_ref().map(Person::main) };
        let Some(by) = by else { return Err(Refused::at("/data", "a vote that does not say by whom")) };
        let by: String =
            by.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let option = |option: &Value| look::as_text(option).or_else(|| look::text(option, &["name", "optionName"]));
        let chosen: Vec<_> = chosen.iter().take(100).filter_map(option).collect();
        let record = Message {
            attributes: vec![(format!("vote-{by}"), fit::line(&chosen.join(", ")))],
            ..self.touched(&ends, None)
        };
        Ok(self.touch(&id, record, self.time(message, &TIMES)))
    }

    /// What any news of a message shows beside itself.
    fn touched(&self, ends: &Ends, direction: Option<Direction>) -> Message {
        Message {
            conversation: Some(key::place(self.session, &ends.main())),
            channel: Some("whatsapp".to_owned()),
            direction,
            ..Message::default()
        }
    }

    fn touch(&self, id: &str, record: Message, at: Option<Instant>) -> Decoded {
        let observation = Observation { at, ..Observation::of(key::message(self.session, id), record) };
        Decoded::Observations(vec![observation])
    }

    /// Who wrote to whom. Inside, what is of no interest.
    fn ends(&self, message: &Value, key: &Key) -> Result<Result<Ends, Decoded>, Refused> {
        let ours = key.from_me.unwrap_or(self.ours);
        let mut odd = Odd::default();
        let address =
            |path: &str| Address::read(&look::text(message, &[path])?).filter(|_| !self.is_session(message, path));
        let written = key.participant.as_deref().and_then(Address::read);
        let from = address("from").or_else(|| address("sender"));
        let chat = match &key.chat {
            Some(text) => Some(
                Address::read(text)
                    .ok_or_else(|| Refused::at("/data/chatId", format!("{} is no address on WhatsApp", shown(text))))?,
            ),
            None if ours => address("to"),
            None => from.clone().or_else(|| address("contact.phone")),
        };
        let Some(chat) = chat.or_else(|| written.clone()) else {
            return Err(Refused::whole("no_chat: neither a conversation nor a sender stands in it"));
        };
        let settings = &self.plan.settings;
        let passed_over = match &chat {
            Address::Status if !settings.status_posts => Some("a post of status"),
            Address::Channel(_) if !settings.channels => Some("a post in a channel"),
            Address::System(_) => Some("a message of the service itself"),
            _ => None,
        };
        if let Some(what) = passed_over {
            return Ok(Err(Decoded::Ignored(format!("{what}, in {}", shown(&chat.jid())))));
        }
        if look::flag(message, &["isGroup"]).is_some_and(|group| group != matches!(chat, Address::Group(_))) {
            odd.note("is-group-differs");
        }
        let mut peer = Person::of(&chat);
        if let Some(peer) = &mut peer {
            join(peer, message, &["remoteJidAlt", "key.remoteJidAlt", "chatIdAlt"], &mut odd);
            if !ours {
                join(peer, message, &SENDERS, &mut odd);
                joined_card(peer, message, &mut odd);
            }
        }
        let author = match (ours, &peer) {
            (true, _) => None,
            // In a direct conversation the other side writes, whatever name stands in `from`.
            (false, Some(peer)) => match from.as_ref().and_then(Person::of) {
                Some(from) if from.number().is_some_and(|number| peer.is_lid(&number)) => {
                    odd.note("lid-given-as-number");
                    Some(peer.clone())
                }
                Some(from) if !same(&from, peer) => {
                    odd.note("sender-differs-from-chat");
                    Some(from)
                }
                _ => Some(peer.clone()),
            },
            (false, None) => {
                let author = written.or_else(|| from.filter(|from| *from != chat));
                let mut author = author.as_ref().and_then(Person::of);
                match &mut author {
                    Some(author) => {
                        join(author, message, &PARTICIPANTS, &mut odd);
                        join(author, message, &SENDERS, &mut odd);
                    }
                    None => odd.note("no-sender"),
                }
                author
            }
        };
        // A broadcast list stands for the direct conversation with whoever wrote to it.
        let peer = match (&chat, peer) {
            (Address::Broadcast(_), None) if !ours => author.clone(),
            (_, peer) => peer,
        };
        Ok(Ok(Ends { ours, chat, peer, author, odd }))
    }

    /// Whether a member holds the session's own name, which some shapes have in `to`.
    fn is_session(&self, message: &Value, path: &str) -> bool {
        look::text(message, &[path]).is_some_and(|text| text == self.session)
    }

    /// Our own side, when its address is shown.
    fn own(&self, message: &Value, paths: &[&str], ends: &Ends) -> Option<Correspondent> {
        let path = paths.iter().find(|path| look::first(message, &[path]).is_some())?;
        let address = Address::read(&look::text(message, &[path])?).filter(|_| !self.is_session(message, path))?;
        let own = Person::of(&address)?;
        let other = ends.peer.as_ref().or(ends.author.as_ref());
        (!other.is_some_and(|other| same(&own, other))).then(|| own.correspondent(None))
    }

    fn conversation(
        &self,
        message: &Value,
        ends: &Ends,
        last: Option<LastMessage>,
        at: Option<Instant>,
    ) -> Observation {
        let direct = ends.peer.is_some();
        let name = match direct {
            true => None,
            false => look::text(message, &["chatName", "groupName", "subject", "chat.name"]).map(|it| fit::line(&it)),
        };
        let ids = match &ends.peer {
            Some(peer) => peer.identities(),
            None => vec![Identity { scheme: "jid".to_owned(), value: ends.chat.jid() }],
        };
        let record = Conversation {
            kind: Some(if direct { "direct" } else { ends.chat.conversation() }.to_owned()),
            channel: Some("whatsapp".to_owned()),
            ids,
            name,
            contact: ends.peer.as_ref().map(|peer| key::place(self.session, &peer.main())),
            last_message: last,
            ..Conversation::default()
        };
        let aliases = ends.peer.iter().flat_map(Person::aliases);
        Observation {
            also: aliases.map(|alias| key::place(self.session, &alias)).collect(),
            at,
            ..Observation::of(key::place(self.session, &ends.main()), record)
        }
    }

    /// When the message was written: its own time, else that of the webhook.
    fn at(&self, message: &Value, odd: &mut Odd) -> Option<Instant> {
        let moment = self.plan.clock.find(message, &TIMES);
        if moment.is_some_and(|moment| moment.floating) {
            odd.note("time-without-zone");
        }
        match moment.map(|moment| moment.at).or(self.sent) {
            Some(at) if at > self.received.saturating_add(AHEAD) => {
                odd.note("time-ahead");
                None
            }
            at => at,
        }
    }

    fn time(&self, value: &Value, paths: &[&str]) -> Option<Instant> {
        self.plan.clock.find(value, paths).map(|moment| moment.at)
    }
}

impl Ends {
    /// The id that the conversation is known by.
    fn main(&self) -> String {
        self.peer.as_ref().map_or_else(|| self.chat.jid(), Person::main)
    }

    fn direction(&self) -> Direction {
        if self.ours { Direction::Outbound } else { Direction::Inbound }
    }
}

/// Members that show a further id of whoever wrote.
const SENDERS: [&str; 10] = [
    "senderPn",
    "senderLid",
    "key.senderPn",
    "key.senderLid",
    "from_lid",
    "fromLid",
    "senderAlt",
    "user_id",
    "userId",
    "wa_id",
];
/// The same in a group.
const PARTICIPANTS: [&str; 6] = [
    "participantAlt",
    "key.participantAlt",
    "participantPn",
    "participantLid",
    "key.participantPn",
    "key.participantLid",
];

/// Takes in the further ids that these members show.
fn join(person: &mut Person, message: &Value, paths: &[&str], odd: &mut Odd) {
    for path in paths {
        let Some(text) = look::text(message, &[path]) else { continue };
        let lid = path.to_ascii_lowercase().ends_with("lid") && !text.contains('@');
        let text = if lid { format!("{text}@lid") } else { text };
        // `userId` is also what servers call their own users: only ids of this form are WhatsApp's.
        let own = path.starts_with("user") && !matches!(Address::read(&text), Some(Address::UserId(_)));
        match Address::read(&text) {
            Some(address) if !own => person.also(&address, odd),
            _ => {}
        }
    }
}

/// Takes in the ids of the contact that came with a message.
fn joined_card(person: &mut Person, message: &Value, odd: &mut Odd) {
    if let Some(contact) = look::first(message, &["contact"]).filter(|contact| contact.is_object()) {
        crate::chat::ids(person, contact, odd);
    }
}

/// Whether two have an id in common.
fn same(one: &Person, other: &Person) -> bool {
    let others = other.identities();
    one.identities().iter().any(|id| others.contains(id))
}

fn preview(message: &Message) -> String {
    match (&message.text, &message.kind) {
        (Some(text), _) => fit::preview(text),
        (None, kind) => format!("[{}]", kind.as_deref().unwrap_or("unsupported")),
    }
}
