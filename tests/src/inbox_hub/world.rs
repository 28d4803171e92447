//! What the server knows: contacts, chats, messages, webhooks, one session.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Milliseconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// As the server writes moments.
pub fn written(at: u64) -> String {
    let at = jiff::Timestamp::from_millisecond(i64::try_from(at).expect("a moment")).expect("a moment");
    format!("{at:.3}")
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// WhatsApp's id.
    pub id: String,
    /// Ours.
    pub from_me: bool,
    /// What stands in it; the whole object for media.
    pub content: String,
    /// "text", "image", ….
    pub kind: String,
    /// Milliseconds since 1970.
    pub at: u64,
    /// "sent", "received", ….
    pub status: String,
}

/// A registered webhook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Its number.
    pub id: usize,
    /// Where it posts to.
    pub url: String,
    /// What it signs with.
    pub secret: String,
    /// The events that it wants; empty for all.
    pub events: Vec<String>,
}

/// All of it.
#[derive(Debug)]
pub struct World {
    /// Names by address.
    pub contacts: BTreeMap<String, String>,
    /// Messages by the chat's address, oldest first.
    pub chats: BTreeMap<String, Vec<Message>>,
    /// The webhooks.
    pub hooks: Vec<Hook>,
    /// Whether the session is connected.
    pub connected: bool,
    /// What lists say that they hold, when not the truth.
    pub total: Option<usize>,
    /// Every page of every list is the first.
    pub circle: bool,
    /// Whether sends are told by webhooks: some versions do not.
    pub tells_sends: bool,
    sequence: u64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            contacts: BTreeMap::new(),
            chats: BTreeMap::new(),
            hooks: vec![],
            connected: true,
            total: None,
            circle: false,
            tells_sends: true,
            sequence: 0,
        }
    }
}

impl World {
    /// So many contacts, the first of them with chats, each with so many messages.
    pub fn fill(&mut self, contacts: usize, chats: usize, messages: usize) {
        let start = now() - 86_400_000;
        for number in 0..contacts {
            let jid = format!("{}@s.whatsapp.net", 34_600_000_000_usize + number);
            self.contacts.insert(jid.clone(), format!("Contacto {number}"));
            if number >= chats {
                continue;
            }
            for place in 0..messages {
                let at = start + (place as u64) * 60_000 - (number as u64) * 1000;
                let from_me = place % 2 == 1;
                let status = if from_me { "read" } else { "received" };
                let message = self.message(from_me, format!("Mensaje {place}"), "text", at, status);
                self.chats.entry(jid.clone()).or_default().push(message);
            }
            self.chats.entry(jid).or_default();
        }
    }

    /// A message that came in.
    pub fn receive(&mut self, chat: &str, text: &str) -> Message {
        let message = self.message(false, text.to_owned(), "text", now(), "received");
        self.chats.entry(chat.to_owned()).or_default().push(message.clone());
        message
    }

    /// A message of ours.
    pub fn send(&mut self, chat: &str, content: String, kind: &str) -> Message {
        let message = self.message(true, content, kind, now(), "sent");
        self.chats.entry(chat.to_owned()).or_default().push(message.clone());
        message
    }

    /// Notes how far a message has come.
    pub fn advance(&mut self, id: &str, status: &str) {
        let mut messages = self.chats.values_mut().flatten();
        if let Some(message) = messages.find(|message| message.id == id) {
            status.clone_into(&mut message.status);
        }
    }

    /// The messages of ours with this text.
    pub fn sent(&self, text: &str) -> usize {
        self.chats.values().flatten().filter(|message| message.from_me && message.content == text).count()
    }

    fn message(&mut self, from_me: bool, content: String, kind: &str, at: u64, status: &str) -> Message {
        self.sequence += 1;
        let id = format!("3EB0{:016X}", self.sequence);
        Message { id, from_me, content, kind: kind.to_owned(), at, status: status.to_owned() }
    }

    /// The rows of chats, the liveliest first.
    pub fn chat_rows(&self) -> Vec<Value> {
        let last = |messages: &[Message]| messages.last().map_or(0, |message| message.at);
        let mut chats: Vec<_> = self.chats.iter().collect();
        chats.sort_by_key(|(_, messages)| std::cmp::Reverse(last(messages)));
        let row = |(jid, messages): (&String, &Vec<Message>)| {
            let last = messages.last().map(|message| {
                json!({"content": message.content, "timestamp": written(message.at), "fromMe": message.from_me})
            });
            let unread = messages.iter().filter(|message| message.status == "received").count();
            json!({
                "chatId": jid, "name": self.contacts.get(jid), "lastMessage": last, "unreadCount": unread,
                "isGroup": jid.ends_with("@g.us"),
            })
        };
        chats.into_iter().map(row).collect()
    }

    /// The rows of a chat's messages, newest first.
    pub fn message_rows(&self, chat: &str) -> Vec<Value> {
        let messages = self.chats.get(chat).map(Vec::as_slice).unwrap_or_default();
        let row = |(number, message): (usize, &Message)| {
            json!({
                "id": number + 1, "whatsappMessageId": message.id, "chatId": chat, "fromMe": message.from_me,
                "type": message.kind, "content": message.content, "timestamp": written(message.at),
                "status": message.status, "isRead": message.status == "read",
            })
        };
        messages.iter().enumerate().rev().map(row).collect()
    }
}

/// The row of a contact.
pub(super) fn contact_row((jid, name): (&String, &String)) -> Value {
    let phone = jid.split('@').next().unwrap_or_default();
    json!({"id": jid, "name": name, "phone": phone, "isUser": true, "isGroup": false})
}
