//! A conversation: what messages belong to.

use serde::{Deserialize, Serialize};

use super::Instant;
use super::join::{Fact, Join, Set, Stamp};
use super::party::{Agent, Identity};
use super::record::{self, record};

record! {
    /// One conversation.
    Conversation, MergedConversation {
        /// `direct`, `group`, `broadcast`, `channel`, `system`, ….
        kind: fact String,
        /// `whatsapp`, `sms`, ….
        channel: fact String,
        /// Ids of the conversation and, when direct, of the other person.
        ids: set Identity,
        /// Its name.
        name: fact String,
        /// The contact at the same source, when direct.
        contact: fact String,
        /// Put away.
        archived: fact bool,
        /// Kept on top.
        pinned: fact bool,
        /// Silent until.
        muted_until: fact Instant,
        /// Messages of the other side that nobody has read.
        unread: fact u32,
        /// The newest message.
        last_message: fact LastMessage,
        /// How many take part.
        participants: fact u32,
        /// The tenant's labels.
        labels: set String,
        /// Whose conversation it is.
        assigned_to: fact Agent,
        /// What the contract has no field for.
        attributes: set (String, String),
    }
}

/// The newest message of a conversation, in short.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastMessage {
    /// When it was written.
    pub at: Instant,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its beginning.
    pub preview: String,
    /// Ours, not theirs.
    pub outgoing: bool,
}
