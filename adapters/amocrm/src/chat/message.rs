//! A message as the chat service wants it.

use cordboard_sdk::records::{Correspondent, Direction, Media, Message, MessageStatus, Origin};
use cordboard_sdk::serde_json::{Value, json};

use crate::account::Account;
use crate::settings::Chat;

/// Characters of one text.
const TEXT: usize = 20_000;

/// What stands in the place of a message that was taken back: the service has no way to delete one.
const DELETED: &str = "🗑";

/// What the ids of commands begin with by which is sent what was written over there, before the message's id.
pub const COMMAND: &str = "chat/";

/// A message and all that is needed to write it.
pub struct Rendering<'a> {
    /// The channel.
    pub chat: &'a Chat,
    /// The account.
    pub account: &'a Account,
    /// Its id at the source.
    pub id: &'a str,
    /// Its conversation's id at the source.
    pub conversation: &'a str,
    /// The record.
    pub message: &'a Message,
    /// For messages that no source has timed.
    pub now: u64,
}

/// The session that an id of the source begins with, and the rest: of a conversation the address.
pub fn address(id: &str) -> Option<(&str, &str)> {
    id.split_once(':').filter(|(session, rest)| !session.is_empty() && !rest.is_empty())
}

/// Whether a conversation is with one person: groups, lists and channels have no place among a CRM's clients.
pub fn direct(conversation: &str) -> bool {
    !["@g.us", "@broadcast", "@newsletter"].iter().any(|end| conversation.ends_with(end))
}

/// Whether we wrote it.
pub fn outgoing(message: &Message) -> bool {
    message.direction == Some(Direction::Outbound)
}

/// The id over there of a message that was written there: the command that it was sent by says it.
pub fn written_there(message: &Message) -> Option<&str> {
    let (_, command) = message.attributes.iter().find(|(name, _)| name == "command")?;
    command.rsplit_once(COMMAND).map(|(_, id)| id)
}

/// How far a message has come, in the service's numbers; sent is where it begins, and has none.
pub fn status(message: &Message) -> Option<i8> {
    match message.status? {
        MessageStatus::Delivered => Some(1),
        MessageStatus::Read | MessageStatus::Played => Some(2),
        MessageStatus::Failed => Some(-1),
        MessageStatus::Queued | MessageStatus::Sent => None,
    }
}

/// The body that tells a status. The service's pages differ in the name of the field: it gets both.
pub fn told(id: &str, status: i8, message: &Message) -> Value {
    let mut told = json!({"msgid": id, "delivery_status": status, "status_code": status});
    if status < 0 {
        let why: String = message.error.as_deref().unwrap_or("not delivered").chars().take(200).collect();
        told["error_code"] = json!(905);
        told["error"] = json!(why);
    }
    told
}

impl Rendering<'_> {
    /// What a new message says.
    pub fn payload(&self) -> Value {
        let at = self.message.sent_at.unwrap_or(self.now);
        let mut payload = json!({
            "timestamp": at / 1000,
            "msec_timestamp": at,
            "msgid": self.id,
            "conversation_id": self.conversation,
            "silent": self.message.origin == Some(Origin::Historic),
            "message": self.content(),
        });
        if outgoing(self.message) {
            payload["sender"] = self.sender();
            payload["receiver"] = self.client();
        } else {
            payload["sender"] = self.client();
        }
        if let Some(source) = self.source() {
            payload["source"] = json!({"external_id": source});
        }
        if let Some(quoted) = &self.message.quotes {
            payload["reply_to"] = json!({"message": {"msgid": quoted}});
        }
        payload
    }

    /// What an edit says: only its content counts.
    pub fn edit(&self) -> Value {
        let at = self.message.edited_at.or(self.message.deleted_at).unwrap_or(self.now);
        json!({
            "timestamp": at / 1000, "msec_timestamp": at, "msgid": self.id, "conversation_id": self.conversation,
            "message": self.content(),
        })
    }

    /// The other person. The conversation is what one is known by: their own ids come and go.
    pub fn client(&self) -> Value {
        let who = if outgoing(self.message) { &self.message.recipient } else { &self.message.sender };
        let number = who.as_ref().and_then(number);
        let name = who.as_ref().and_then(|who| who.name.clone()).filter(|name| !name.trim().is_empty());
        let name = name.or(number.clone()).unwrap_or_else(|| "WhatsApp".into());
        let mut client = json!({"id": self.conversation, "name": name.chars().take(255).collect::<String>()});
        if let Some(number) = number {
            client["profile"] = json!({"phone": number});
        }
        client
    }

    /// Whoever of us wrote it: a user of the account, else the channel's bot.
    fn sender(&self) -> Value {
        let agent = self.message.sender.as_ref().and_then(|who| who.agent.as_ref());
        let user = agent.and_then(|agent| agent.user.as_deref()).and_then(|user| {
            let id = self.account.resolve(&crate::settings::User::Text(user.to_owned()))?;
            self.account.users.as_deref()?.iter().find(|one| one.id == id && !one.amojo.is_empty())
        });
        match user {
            Some(user) => json!({"id": format!("user-{}", user.id), "name": user.email, "ref_id": user.amojo}),
            None => json!({"id": "bot", "name": "WhatsApp", "ref_id": self.chat.bot}),
        }
    }

    /// Which of our numbers it came to, where sources are set up.
    fn source(&self) -> Option<&str> {
        let (session, _) = address(self.conversation)?;
        self.chat.sources.get(session).map(String::as_str)
    }

    /// What stands in it.
    pub fn content(&self) -> Value {
        let message = self.message;
        if message.deleted_at.is_some() {
            return json!({"type": "text", "text": DELETED});
        }
        let text = self.text();
        let linked = message.media.iter().find(|media| media.url.is_some());
        let kind = match (message.kind.as_deref(), linked) {
            (Some("image" | "sticker"), Some(_)) => "picture",
            (Some("video"), Some(_)) => "video",
            (Some("voice"), Some(_)) => "voice",
            (Some("audio"), Some(_)) => "audio",
            (_, Some(_)) => "file",
            (_, None) => return self.without_file(text),
        };
        let Some(media) = linked else { return self.without_file(text) };
        json!({
            "type": kind, "text": text, "media": media.url, "file_name": file_name(media, kind),
            "file_size": media.size.unwrap_or(0),
        })
    }

    fn without_file(&self, text: String) -> Value {
        let message = self.message;
        if let Some(place) = &message.location {
            return json!({"type": "location", "text": text, "location": {"lon": place.longitude, "lat": place.latitude}});
        }
        if let Some(card) = message.cards.first() {
            let phone = card.numbers.first().cloned().unwrap_or_default();
            return json!({"type": "contact", "text": text, "contact": {"name": card.name, "phone": phone}});
        }
        json!({"type": "text", "text": text})
    }

    /// The words; for a message that has none, what it is.
    fn text(&self) -> String {
        let message = self.message;
        let words = message.text.as_deref().unwrap_or_default();
        let text = match (&message.poll, words.trim().is_empty()) {
            (Some(poll), _) => format!("{}\n— {}", poll.question, poll.options.join("\n— ")),
            (None, false) => words.to_owned(),
            (None, true) if message.media.iter().any(|media| media.url.is_some()) => String::new(),
            (None, true) => format!("[{}]", message.kind.as_deref().unwrap_or("message")),
        };
        text.chars().take(TEXT).collect()
    }
}

/// A person's number with its plus sign.
fn number(who: &Correspondent) -> Option<String> {
    let told = who.number.as_ref().map(|phone| phone.shown().to_owned());
    told.or_else(|| who.ids.iter().find(|id| id.scheme == "phone").map(|id| id.value.clone()))
}

/// The file's name; one has to be given.
fn file_name(media: &Media, kind: &str) -> String {
    let ending = media.media_type.as_deref().and_then(|kind| kind.split(['/', ';']).nth(1)).unwrap_or("bin");
    let ending: String = ending.chars().filter(char::is_ascii_alphanumeric).collect();
    media.file_name.clone().unwrap_or_else(|| format!("{kind}.{}", if ending == "jpeg" { "jpg" } else { &ending }))
}
