//! A message of a channel such as WhatsApp.

use serde::{Deserialize, Serialize};

use super::Instant;
use super::call::Direction;
use super::join::{Earliest, Element, Fact, Furthest, Join, Set, Stamp};
use super::party::Correspondent;
use super::record::{self, Parts, element, record};

/// How far a message of ours has come, in the order of merging: a failure counts only while not yet delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageStatus {
    /// Waiting to be sent.
    Queued,
    /// Taken by the channel.
    Sent,
    /// Not delivered, for good.
    Failed,
    /// At the other side's device.
    Delivered,
    /// Seen by the other side.
    Read,
    /// A voice message was listened to.
    Played,
}

/// How the hub came to see a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Read from the past: it raises no popup.
    Historic,
    /// Seen as it happened.
    Live,
}

record! {
    /// One message.
    Message, MergedMessage {
        /// The id of its conversation at the same source.
        conversation: fact String,
        /// `whatsapp`, `sms`, ….
        channel: fact String,
        /// Which way it goes.
        direction: fact Direction,
        /// `text`, `image`, `voice`, ….
        kind: fact String,
        /// Who wrote it.
        sender: parts Correspondent,
        /// Who it is for.
        recipient: parts Correspondent,
        /// The text or the caption, as written.
        text: fact String,
        /// How far it has come.
        status: furthest MessageStatus,
        /// When it was written.
        sent_at: earliest Instant,
        /// When it reached the other side.
        delivered_at: earliest Instant,
        /// When it was seen.
        read_at: earliest Instant,
        /// Why it failed.
        error: fact String,
        /// When it was first edited.
        edited_at: earliest Instant,
        /// When it was taken back.
        deleted_at: earliest Instant,
        /// The message that this one answers.
        quotes: fact String,
        /// Pictures, sounds, documents.
        media: set Media,
        /// A place.
        location: fact Location,
        /// Contact cards.
        cards: set Card,
        /// A question with options.
        poll: fact Poll,
        /// Who reacted how.
        reactions: set Reaction,
        /// How the hub came to see it.
        origin: furthest Origin,
        /// What the contract has no field for.
        attributes: set (String, String),
    }
}

element! {
    /// Something attached.
    Media, MediaFacts [
        /// Stable at the source.
        id: String
    ] {
        /// `image/jpeg`, ….
        media_type: fact String,
        /// As the sender named it.
        file_name: fact String,
        /// Bytes.
        size: fact u64,
        /// Where the source has it.
        url: fact String,
        /// Lower-case hex SHA-256.
        sha256: fact String,
        /// Length in seconds.
        duration: fact u32,
    }
}

/// A place on the earth, in millionths of a degree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Millionths of a degree north.
    pub latitude_e6: i32,
    /// Millionths of a degree east.
    pub longitude_e6: i32,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// A question with options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Poll {
    /// What is asked.
    pub question: String,
    /// What can be chosen.
    pub options: Vec<String>,
    /// How many options one person may choose.
    pub choices: u32,
}

/// A contact card inside a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The name on it.
    pub name: String,
    /// The numbers on it.
    pub numbers: Vec<String>,
}

impl Element for Card {
    type Key = (String, Vec<String>);
    type Body = ();

    fn split(self, _stamp: Stamp) -> (Self::Key, ()) {
        ((self.name, self.numbers), ())
    }

    fn unite((name, numbers): &Self::Key, (): &()) -> Self {
        Card { name: name.clone(), numbers: numbers.clone() }
    }
}

/// One person's reaction; the latest one counts, by its own time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reaction {
    /// Who reacted.
    pub by: String,
    /// Absent when taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// When.
    pub at: Instant,
}

impl Element for Reaction {
    type Key = String;
    type Body = Fact<Option<String>>;

    fn split(self, stamp: Stamp) -> (Self::Key, Self::Body) {
        (self.by, Fact { value: self.emoji, stamp: Stamp { at: self.at, ..stamp } })
    }

    fn unite(by: &String, body: &Self::Body) -> Self {
        Reaction { by: by.clone(), emoji: body.value.clone(), at: body.stamp.at }
    }
}
