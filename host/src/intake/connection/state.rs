//! How a connection stands, for those who look after it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::commit::Committer;
use super::wire::Traffic;
use crate::model::Instant;

/// A sentence of a component is cut at so many bytes.
const SENTENCE: usize = 500;

/// How a connection stands.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct State {
    /// What it is doing.
    pub state: Phase,
    /// Why, when it is not connected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Since when it is connected, or is not.
    #[schema(value_type = String, format = DateTime)]
    pub since: Instant,
    /// When it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Instant>,
    /// How it was last lost: one that is there again may have been away for a moment only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Lost>,
    /// What the component says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// When the other side last said something.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_input: Option<Instant>,
    /// Connections made.
    pub connects: u64,
    /// Bytes that came.
    pub received: u64,
    /// Bytes that were sent.
    pub sent: u64,
    /// Observations in the ledger.
    pub observations: u64,
    /// Observations that could not be taken.
    pub dropped: u64,
    /// Observations that wait for the store.
    pub uncommitted: u64,
}

/// How a connection was lost, or did not come to be.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Lost {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Instant,
    /// Why.
    pub why: String,
}

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// On the way.
    Connecting,
    /// It stands.
    Connected,
    /// It is tried again later.
    Waiting,
    /// A person must mend something; it is tried again much later.
    Misconfigured,
    /// Another node has it.
    Elsewhere,
    /// It has ended.
    Stopped,
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 6] =
        [Phase::Connecting, Phase::Connected, Phase::Waiting, Phase::Misconfigured, Phase::Elsewhere, Phase::Stopped];

    /// The word for it, as in the API.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Connecting => "connecting",
            Phase::Connected => "connected",
            Phase::Waiting => "waiting",
            Phase::Misconfigured => "misconfigured",
            Phase::Elsewhere => "elsewhere",
            Phase::Stopped => "stopped",
        }
    }
}

/// What is written down while a connection lives.
pub(super) struct Board {
    standing: Mutex<Standing>,
    pub traffic: Arc<Traffic>,
    pub connects: AtomicU64,
    /// Observations that the hub's own bounds refused.
    pub refused: AtomicU64,
    last_input: AtomicU64,
}

struct Standing {
    phase: Phase,
    why: Option<String>,
    since: Instant,
    until: Option<Instant>,
    lost: Option<Lost>,
    status: Option<String>,
}

impl Board {
    /// It has just been started.
    pub fn new() -> Self {
        let since = Instant::now();
        let standing = Standing { phase: Phase::Connecting, why: None, since, until: None, lost: None, status: None };
        Board {
            standing: Mutex::new(standing),
            traffic: Arc::default(),
            connects: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            last_input: AtomicU64::new(0),
        }
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how it stands; answers how it stood before.
    pub fn set(&self, phase: Phase, why: Option<String>, until: Option<Instant>) -> Phase {
        let mut standing = self.standing();
        let before = standing.phase;
        let stood = |phase| matches!(phase, Phase::Connected);
        let since = if stood(before) == stood(phase) { standing.since } else { Instant::now() };
        let status = standing.status.take().filter(|_| !matches!(phase, Phase::Elsewhere | Phase::Stopped));
        let lost = match (phase, &why) {
            (Phase::Waiting | Phase::Misconfigured, Some(why)) => Some(Lost { at: Instant::now(), why: why.clone() }),
            _ => standing.lost.take(),
        };
        *standing = Standing { phase, why, since, until, lost, status };
        before
    }

    /// Notes what the component says of itself.
    pub fn say(&self, mut status: String) {
        if status.len() > SENTENCE {
            let end = (0..=SENTENCE).rev().find(|at| status.is_char_boundary(*at)).unwrap_or(0);
            status.truncate(end);
        }
        self.standing().status = Some(status).filter(|status| !status.is_empty());
    }

    /// Notes that the other side said something.
    pub fn heard(&self) {
        self.last_input.store(Instant::now().millis(), Ordering::Relaxed);
    }

    /// What it is doing, and why.
    pub fn phase(&self) -> (Phase, Option<String>) {
        let standing = self.standing();
        (standing.phase, standing.why.clone())
    }

    /// All of it.
    pub fn state(&self, committer: &Committer) -> State {
        let standing = self.standing();
        let tally = committer.tally();
        let last_input = self.last_input.load(Ordering::Relaxed);
        State {
            state: standing.phase,
            why: standing.why.clone(),
            since: standing.since,
            until: standing.until,
            lost: standing.lost.clone(),
            status: standing.status.clone(),
            last_input: (last_input > 0).then(|| Instant::clamped(last_input)),
            connects: self.connects.load(Ordering::Relaxed),
            received: self.traffic.received.load(Ordering::Relaxed),
            sent: self.traffic.sent.load(Ordering::Relaxed),
            observations: tally.committed.load(Ordering::Relaxed),
            dropped: tally.dropped.load(Ordering::Relaxed) + self.refused.load(Ordering::Relaxed),
            uncommitted: tally.waiting.load(Ordering::Relaxed),
        }
    }
}
