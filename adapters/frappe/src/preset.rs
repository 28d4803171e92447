//! Where each kind of record usually goes: DocTypes and their fields.

use serde::{Deserialize, Serialize};

use crate::settings::{Calls, Settings, WhatsApp};

/// The kinds of record, parents before their children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A WhatsApp account.
    Session,
    /// Somebody who writes.
    Contact,
    /// A chat.
    Conversation,
    /// What was written.
    Message,
    /// A call.
    Call,
}

/// All kinds, parents before their children.
pub const KINDS: [Kind; 5] = [Kind::Session, Kind::Contact, Kind::Conversation, Kind::Message, Kind::Call];

/// Where a logical field usually is.
pub struct Usual {
    /// What it holds: "start_time".
    pub holds: &'static str,
    /// The field names that it usually has.
    pub names: &'static [&'static str],
    /// A person is told when it is not there.
    pub wanted: bool,
}

const fn at(holds: &'static str, names: &'static [&'static str]) -> Usual {
    Usual { holds, names, wanted: true }
}

const fn perhaps(holds: &'static str, names: &'static [&'static str]) -> Usual {
    Usual { holds, names, wanted: false }
}

/// Fields that the hub may add to a call log: what the stock one has no place for.
const HUB_FIELDS: [Usual; 6] = [
    perhaps("source_id", &["hub_call_id", "hub_call_uuid"]),
    perhaps("caller_as_seen", &["hub_caller"]),
    perhaps("callee_as_seen", &["hub_callee"]),
    perhaps("outcome", &["hub_outcome"]),
    perhaps("queue", &["hub_queue"]),
    perhaps("talk", &["hub_talk"]),
];

const CRM: [Usual; 16] = [
    at("call_id", &["id"]),
    at("from", &["from"]),
    at("to", &["to"]),
    at("type", &["type"]),
    at("status", &["status"]),
    at("start_time", &["start_time"]),
    at("end_time", &["end_time"]),
    at("duration", &["duration"]),
    at("medium", &["medium"]),
    at("telephony_medium", &["telephony_medium"]),
    at("recording_url", &["recording_url"]),
    at("caller", &["caller"]),
    at("receiver", &["receiver"]),
    at("reference_doctype", &["reference_doctype"]),
    at("reference_docname", &["reference_docname"]),
    at("links", &["links"]),
];

/// ERPNext links the call to contacts and leads by itself.
const ERPNEXT: [Usual; 11] = [
    at("call_id", &["id"]),
    at("from", &["from"]),
    at("to", &["to"]),
    at("type", &["type"]),
    at("status", &["status"]),
    at("start_time", &["start_time"]),
    at("end_time", &["end_time"]),
    at("duration", &["duration"]),
    at("recording_url", &["recording_url"]),
    perhaps("agent_user", &["employee_user_id"]),
    perhaps("notes", &["summary"]),
];

const TELEPHONY: [Usual; 14] = [
    at("call_id", &["id"]),
    at("from", &["from"]),
    at("to", &["to"]),
    at("type", &["type"]),
    at("status", &["status"]),
    at("start_time", &["start_time"]),
    at("end_time", &["end_time"]),
    at("duration", &["duration"]),
    at("recording_url", &["recording_url"]),
    perhaps("medium", &["medium"]),
    perhaps("telephony_medium", &["telephony_medium"]),
    perhaps("caller", &["caller"]),
    perhaps("receiver", &["receiver"]),
    at("links", &["links"]),
];

const OWN_CALL: [Usual; 24] = [
    at("call_id", &["call_id", "call_uuid", "id"]),
    perhaps("from", &["from", "from_number"]),
    perhaps("to", &["to", "to_number"]),
    perhaps("type", &["type"]),
    perhaps("direction", &["direction"]),
    perhaps("status", &["status"]),
    perhaps("outcome", &["outcome"]),
    perhaps("start_time", &["start_time"]),
    perhaps("end_time", &["end_time"]),
    perhaps("duration", &["duration"]),
    perhaps("talk", &["talk"]),
    perhaps("wait", &["wait"]),
    perhaps("medium", &["medium", "line"]),
    perhaps("queue", &["queue"]),
    perhaps("system", &["system"]),
    perhaps("recording_url", &["recording_url"]),
    perhaps("caller", &["caller"]),
    perhaps("receiver", &["receiver"]),
    perhaps("agent_user", &["agent", "user"]),
    perhaps("reference_doctype", &["reference_doctype"]),
    perhaps("reference_docname", &["reference_docname", "reference_name"]),
    perhaps("links", &["links"]),
    perhaps("notes", &["notes"]),
    perhaps("source_id", &["source_id"]),
];

const SESSION: [Usual; 11] = [
    at("session_id", &["session_id"]),
    perhaps("session_name", &["session_name"]),
    at("session_status", &["status"]),
    perhaps("connected", &["is_connected"]),
    perhaps("phone_number", &["phone_number"]),
    perhaps("reason", &["reason"]),
    perhaps("since", &["since"]),
    perhaps("total_contacts", &["total_contacts"]),
    perhaps("total_conversations", &["total_conversations", "total_chats"]),
    perhaps("total_messages_sent", &["total_messages_sent"]),
    perhaps("last_sync", &["last_sync"]),
];

const CONTACT: [Usual; 12] = [
    at("contact_key", &["contact_key", "contact_id"]),
    at("session", &["session"]),
    perhaps("jid", &["jid"]),
    perhaps("lid", &["lid"]),
    perhaps("phone_number", &["phone_number"]),
    perhaps("contact_name", &["contact_name"]),
    perhaps("push_name", &["push_name"]),
    perhaps("verified_name", &["verified_name"]),
    perhaps("business", &["is_business"]),
    perhaps("blocked", &["is_blocked"]),
    perhaps("labels", &["labels"]),
    perhaps("picture", &["profile_picture"]),
];

const CONVERSATION: [Usual; 16] = [
    perhaps("conversation_key", &["conversation_key"]),
    at("session", &["session"]),
    at("chat_id", &["chat_id"]),
    perhaps("contact", &["contact"]),
    perhaps("conversation_name", &["conversation_name"]),
    perhaps("phone_number", &["phone_number"]),
    perhaps("conversation_kind", &["conversation_kind"]),
    perhaps("group", &["is_group"]),
    perhaps("archived", &["is_archived"]),
    perhaps("pinned", &["is_pinned"]),
    perhaps("unread", &["unread_count"]),
    perhaps("last_message", &["last_message"]),
    perhaps("last_message_at", &["last_message_time", "last_message_at"]),
    perhaps("participants", &["participants"]),
    perhaps("labels", &["labels"]),
    perhaps("assigned_to", &["assigned_to"]),
];

const MESSAGE: [Usual; 37] = [
    at("message_key", &["message_key", "message_id"]),
    perhaps("message_id", &["message_id"]),
    at("session", &["session"]),
    at("conversation", &["conversation"]),
    perhaps("contact", &["contact"]),
    perhaps("chat_id", &["chat_id"]),
    at("message_direction", &["direction"]),
    perhaps("from_number", &["from_number"]),
    perhaps("to_number", &["to_number"]),
    perhaps("sender_name", &["sender_name"]),
    perhaps("message_kind", &["message_type"]),
    at("content", &["content"]),
    at("message_status", &["status"]),
    at("timestamp", &["timestamp"]),
    perhaps("sent_at", &["sent_at"]),
    perhaps("delivered_at", &["delivered_at"]),
    perhaps("read_at", &["read_at"]),
    perhaps("edited_at", &["edited_at"]),
    perhaps("deleted_at", &["deleted_at"]),
    perhaps("error", &["error", "error_message"]),
    perhaps("quotes", &["quoted_message"]),
    perhaps("has_media", &["has_media"]),
    perhaps("media_url", &["media_url"]),
    perhaps("media_type", &["media_type"]),
    perhaps("file_name", &["file_name"]),
    perhaps("attachment", &["attachment"]),
    perhaps("details", &["details"]),
    perhaps("reactions", &["reactions"]),
    perhaps("historic", &["is_history"]),
    // What Frappe CRM reads of any DocType called WhatsApp Message, whoever made it.
    perhaps("crm_type", &["type"]),
    perhaps("crm_from", &["from"]),
    perhaps("crm_to", &["to"]),
    perhaps("crm_message", &["message"]),
    perhaps("crm_content_type", &["content_type"]),
    perhaps("crm_profile_name", &["profile_name"]),
    perhaps("crm_reply", &["is_reply"]),
    perhaps("crm_reply_to", &["reply_to_message_id"]),
];

impl Kind {
    /// The word for it in settings.
    pub fn word(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Contact => "contact",
            Self::Conversation => "conversation",
            Self::Message => "message",
            Self::Call => "call",
        }
    }

    /// The DocType that records of this kind go to; `None` when they go nowhere.
    pub fn doctype(self, settings: &Settings) -> Option<String> {
        let named = settings.doctypes.get(self.word()).cloned();
        let usual = match (self, settings.calls, settings.whatsapp) {
            (Self::Call, Calls::Off, _) => return None,
            (Self::Call, Calls::Crm, _) => Some("CRM Call Log".to_owned()),
            (Self::Call, Calls::Erpnext, _) => Some("Call Log".to_owned()),
            (Self::Call, Calls::Telephony, _) => Some("TP Call Log".to_owned()),
            (Self::Call, Calls::Own, _) => None,
            (_, _, WhatsApp::Off) => return None,
            (kind, _, WhatsApp::Own) => Some(format!("{} {}", settings.prefix.trim(), kind.title())),
            (kind, _, WhatsApp::Existing) => Some(format!("WhatsApp {}", kind.title())),
        };
        named.or(usual)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Session => "Session",
            Self::Contact => "Contact",
            Self::Conversation => "Conversation",
            Self::Message => "Message",
            Self::Call => "Call",
        }
    }

    /// The fields that are usually there.
    pub fn usual(self, settings: &Settings) -> Vec<&'static Usual> {
        match self {
            Self::Session => SESSION.iter().collect(),
            Self::Contact => CONTACT.iter().collect(),
            Self::Conversation => CONVERSATION.iter().collect(),
            Self::Message => MESSAGE.iter().collect(),
            Self::Call => match settings.calls {
                Calls::Crm | Calls::Off => CRM.iter().chain(&HUB_FIELDS).collect(),
                Calls::Erpnext => ERPNEXT.iter().chain(&HUB_FIELDS).collect(),
                Calls::Telephony => TELEPHONY.iter().chain(&HUB_FIELDS).collect(),
                Calls::Own => OWN_CALL.iter().collect(),
            },
        }
    }

    /// The logical field that holds what a record is known by.
    pub fn key(self) -> &'static str {
        match self {
            Self::Session => "session_id",
            Self::Contact => "contact_key",
            Self::Conversation => "conversation_key",
            Self::Message => "message_key",
            Self::Call => "call_id",
        }
    }
}
