//! How far a job of reading has come: all that there is to know between two pages.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{self, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::api::Listing;
use crate::look;

/// What is read, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The session's row.
    Session,
    /// Whether it is connected.
    Status,
    /// Everybody known.
    Contacts,
    /// All conversations.
    Chats,
    /// The messages of some of them.
    Messages,
}

/// A conversation whose messages are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chat {
    /// Its address.
    pub jid: String,
    /// When its last message was written; 0 when that is unknown.
    pub at: Instant,
}

/// Rows of one stage, for people.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Count {
    /// Rows that were read, without those that are of no interest.
    pub processed: u32,
    /// How many the server says there are.
    pub total: Option<u32>,
    /// Rows that could not be used, and lists that went wrong.
    pub errors: u32,
}

impl Count {
    /// Something that is no row could not be read: a list, a session.
    pub fn passed_over(&mut self) {
        self.processed += 1;
        self.errors += 1;
    }
}

/// How far a job has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cursor {
    /// When the job, or its present round, began.
    pub begun: Instant,
    /// When the last page was read.
    pub last: Instant,
    /// The moment of connecting after which a quiet time was kept.
    pub quiet: Option<Instant>,
    /// How far back a repair's present round reads; absent for the first.
    pub since: Option<Instant>,
    /// Between two rounds.
    pub rests: bool,
    /// Which of its sessions it reads.
    pub session: usize,
    /// What it reads.
    pub stage: Stage,
    /// The number of the session's row at the server.
    pub row: Option<u64>,
    /// The next page of the present list, from 1.
    pub page: u32,
    /// Rows read of the present list.
    pub read: u32,
    /// A digest of each page's rows of the present list: rows that come twice are a list that goes in circles.
    seen: Vec<u64>,
    /// The chats whose messages are read, and which is next.
    pub chats: Vec<Chat>,
    /// The place in `chats`.
    pub chat: usize,
    /// Contacts, chats and messages.
    pub counts: [Count; 3],
}

/// What a page says of its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There is more.
    More,
    /// That was all.
    Over,
    /// The page was there before: nothing of it counts, and the list is over.
    Circle,
}

impl Cursor {
    /// Before the first page.
    pub fn new(begun: Instant) -> Self {
        Self {
            begun,
            last: begun,
            quiet: None,
            since: None,
            rests: false,
            session: 0,
            stage: Stage::Session,
            row: None,
            page: 1,
            read: 0,
            seen: vec![],
            chats: vec![],
            chat: 0,
            counts: Default::default(),
        }
    }

    /// One that was written before.
    pub fn read(bytes: &[u8]) -> Result<Self, Failure> {
        serde_json::from_slice(bytes)
            .map_err(|error| Failure::rejected("bad-cursor", format!("not a cursor of this source: {error}")))
    }

    /// As bytes.
    pub fn written(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self).map_err(|error| Failure::rejected("bad-cursor", error.to_string()))
    }

    /// Before the next round of a repair, which reads what was written since this one began.
    pub fn rest(self, overlap: u64) -> Self {
        let next = Self::new(self.begun);
        Self {
            since: Some(self.begun.saturating_sub(overlap)),
            rests: true,
            row: self.row,
            counts: self.counts,
            quiet: self.quiet,
            ..next
        }
    }

    /// Begins a round after a rest.
    pub fn rise(&mut self, now: Instant) {
        (self.rests, self.begun, self.counts) = (false, now, Default::default());
        self.begin(if self.row.is_some() { Stage::Status } else { Stage::Session });
    }

    /// Begins a list.
    pub fn begin(&mut self, stage: Stage) {
        (self.stage, self.page, self.read) = (stage, 1, 0);
        self.seen.clear();
    }

    /// Takes note of a page, and decides whether there is another one. Totals alone decide nothing: a list ends with an
    /// empty page, a short one, one that was there before, the last one by the server's consistent word, or `most`.
    pub fn turn(&mut self, listing: &Listing, asked: usize, most: u32) -> Turn {
        let rows = listing.rows.len();
        let digest = digest(&listing.rows);
        if rows > 0 && self.seen.contains(&digest) {
            return Turn::Circle;
        }
        self.seen.push(digest);
        self.read = self.read.saturating_add(u32::try_from(rows).unwrap_or(u32::MAX));
        let page = u64::from(self.page);
        self.page += 1;
        let whole = listing.limit.map_or(asked, |limit| asked.min(usize::try_from(limit).unwrap_or(asked)).max(1));
        let more_promised = listing.pages.is_some_and(|pages| pages > page);
        let all_told = listing.pages.is_some_and(|pages| pages <= page) && listing.total == Some(self.read);
        if rows == 0 || self.page > most || all_told || (rows < whole && !more_promised) {
            return Turn::Over;
        }
        Turn::More
    }

    /// The stages, for people.
    pub fn progress(&self) -> Vec<Progress> {
        let stages =
            [("contacts", Kind::Contact), ("chats", Kind::Conversation), ("messages", Kind::Message)].into_iter();
        stages
            .zip(self.counts)
            .map(|((stage, rows), Count { processed, total, errors })| Progress {
                stage: stage.to_owned(),
                rows,
                processed,
                total,
                errors,
            })
            .collect()
    }
}

/// Where the id of a row stands, whatever it is a row of.
const IDS: [&str; 9] =
    ["whatsappMessageId", "messageId", "id._serialized", "id.id", "key.id", "id", "chatId", "jid", "remoteJid"];

/// Which rows a page holds, in short: whatever else of them changes from one request to the next, and in whatever order.
fn digest(rows: &[Value]) -> u64 {
    let mut ids: Vec<_> = rows.iter().map(|row| look::text(row, &IDS).unwrap_or_else(|| row.to_string())).collect();
    ids.sort_unstable();
    let mut hash = Sha256::new();
    for id in ids {
        hash.update(id);
        hash.update(b"\n");
    }
    let hash = hash.finalize();
    u64::from_be_bytes(hash[..8].try_into().unwrap_or_default())
}
