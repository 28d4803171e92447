//! What a message is known by at the server, and by what name the ledger knows it.

use cordboard_sdk::serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fit;
use crate::look;

/// What a message is known by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    /// Given by whoever wrote it.
    pub id: Option<String>,
    /// Whether it is ours.
    pub from_me: Option<bool>,
    /// The address of its conversation, as written.
    pub chat: Option<String>,
    /// Who wrote it, in a group, as written.
    pub participant: Option<String>,
}

impl Key {
    /// The key of a message object, in any of its shapes. A number in `id` is the row in the server's database, and no
    /// message id.
    pub fn of(message: &Value) -> Self {
        let ids = ["id.id", "id", "key.id", "id._serialized"];
        let id = || ids.iter().find_map(|path| look::first(message, &[path])?.as_str().filter(|id| !id.is_empty()));
        let id =
            look::text(message, &["whatsappMessageId", "messageId", "message_id"]).or_else(|| id().map(str::to_owned));
        let mut key = id.as_deref().map(Self::written).unwrap_or_default();
        let from_me = ["fromMe", "from_me", "isFromMe", "is_from_me", "id.fromMe", "key.fromMe"];
        key.from_me = look::flag(message, &from_me).or(key.from_me);
        let chat = ["chatId", "chat_id", "remoteJid", "jid", "id.remote", "id.remote._serialized", "key.remoteJid"];
        key.chat = look::text(message, &chat).or(key.chat);
        key.participant = look::text(message, &["participant", "author", "key.participant"]).or(key.participant);
        key
    }

    /// The key of another message that a member points to: an object or a text.
    pub fn pointed(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::written(text),
            object => Self::of(object),
        }
    }

    /// A text that is an id, or one of the form `false_34600111222@c.us_3EB0…_in`.
    fn written(text: &str) -> Self {
        let mut parts = text.split('_');
        if let (Some(ours @ ("true" | "false")), Some(chat), Some(id)) = (parts.next(), parts.next(), parts.next())
            && chat.contains('@')
            && !id.is_empty()
        {
            let participant = parts.find(|part| part.contains('@')).map(str::to_owned);
            return Self {
                id: Some(id.to_owned()),
                from_me: Some(ours == "true"),
                chat: Some(chat.to_owned()),
                participant,
            };
        }
        Self { id: (!text.is_empty()).then(|| text.to_owned()), ..Self::default() }
    }
}

/// The subject of a message: its session and its id. Statuses tell no more of a message than these two.
pub fn message(session: &str, id: &str) -> String {
    let subject = format!("{session}:{id}");
    match fit::id(&subject) {
        Some(_) => subject,
        None => digest(session, &[id]),
    }
}

/// The subject of something that came without an id, by what it says.
pub fn digest(session: &str, parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    format!("{session}:digest-{}", hex::encode(&hash.finalize()[..16]))
}

/// The subject of a message that a command asked for and that never became one.
pub fn unsent(session: &str, command: &str) -> String {
    format!("{session}:command-{}", hex::encode(&Sha256::digest(command)[..16]))
}

/// The subject of a conversation, or of a contact: what an account calls somebody is that account's own.
pub fn place(session: &str, jid: &str) -> String {
    message(session, jid)
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::serde_json::json;

    use super::*;

    #[test]
    fn the_middle_of_a_written_key_is_the_id() {
        let key = Key::of(&json!({"id": {"_serialized": "true_34600111222@c.us_3EB0AB_out"}}));
        assert_eq!(
            (key.id.as_deref(), key.from_me, key.chat.as_deref()),
            (Some("3EB0AB"), Some(true), Some("34600111222@c.us"))
        );
        let key = Key::pointed(&json!("false_1-2@g.us_3EB0AC_34600111222@c.us"));
        assert_eq!((key.id.as_deref(), key.participant.as_deref()), (Some("3EB0AC"), Some("34600111222@c.us")));
        assert_eq!(Key::pointed(&json!("msg_67890")).id.as_deref(), Some("msg_67890"));
        assert_eq!(Key::of(&json!({"id": 10854})).id, None);
        assert_eq!(Key::of(&json!({"messageId": 12345})).id.as_deref(), Some("12345"));
        assert_eq!(Key::of(&json!({"id": 1, "whatsappMessageId": "A"})).id.as_deref(), Some("A"));
        assert!(message("s", &"x".repeat(300)).starts_with("s:digest-"));
    }
}
