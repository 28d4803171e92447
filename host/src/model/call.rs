//! A call: one record per logical call, however many channels, legs and transfers it had.

use serde::{Deserialize, Serialize};

use super::Instant;
use super::join::{Earliest, Element, Fact, Furthest, Join, Set, Stamp};
use super::party::{Agent, Party};
use super::phone::Phone;
use super::record::{self, Parts, element, record};

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallPhase {
    /// A telephone rings.
    Ringing,
    /// A person has answered.
    Answered,
    /// It is over.
    Ended,
}

/// Which way something goes, as the tenant sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From outside.
    Inbound,
    /// To outside.
    Outbound,
    /// Between the tenant's own people.
    Internal,
}

record! {
    /// One logical call.
    Call, MergedCall {
        /// How far it has come.
        phase: furthest CallPhase,
        /// `answered`, `no-answer`, `busy`, `declined`, `failed`, `abandoned`, `voicemail`, ….
        outcome: fact String,
        /// Which way it goes.
        direction: fact Direction,
        /// Who calls.
        caller: parts Party,
        /// Who was first dialled.
        callee: parts Party,
        /// The tenant's own number or trunk.
        line: fact Phone,
        /// The queue or ring group.
        queue: fact String,
        /// Whose call it is in a CRM.
        agent: fact Agent,
        /// When it began.
        started_at: earliest Instant,
        /// When a person answered.
        answered_at: earliest Instant,
        /// When it was over.
        ended_at: earliest Instant,
        /// Seconds from start to end.
        duration: fact u32,
        /// Seconds of talk.
        talk: fact u32,
        /// Seconds on hold.
        hold: fact u32,
        /// Seconds that the caller waited.
        wait: fact u32,
        /// Q.850 cause.
        hangup_cause: fact u16,
        /// `caller`, `callee`, `pbx`.
        hangup_by: fact String,
        /// The telephones that rang.
        desks: set Desk,
        /// Its recordings.
        recordings: set Recording,
        /// Where it was moved.
        transfers: set Transfer,
        /// The PBX, in words.
        system: fact String,
        /// What a person wrote about it.
        notes: fact String,
        /// What the contract has no field for.
        attributes: set (String, String),
    }
}

element! {
    /// One telephone that rang, once.
    Desk, DeskTimes [
        /// The extension.
        extension: String,
        /// When it began to ring.
        rang_at: Instant
    ] {
        /// When it was picked up.
        answered_at: earliest Instant,
        /// When it stopped ringing or was hung up.
        stopped_at: earliest Instant,
    }
}

element! {
    /// A recording of the call.
    Recording, RecordingFacts [
        /// Stable at the source.
        id: String
    ] {
        /// Where to get it.
        url: fact String,
        /// `audio/wav`, ….
        media_type: fact String,
        /// Length in seconds.
        duration: fact u32,
    }
}

element! {
    /// A move of the call from one party to another.
    Transfer, TransferFacts [
        /// When.
        at: Instant,
        /// `blind`, `attended`, `redirect`, `forward`, `park`, `pickup`, ….
        kind: String
    ] {
        /// Who moved it.
        by: fact String,
        /// Where to.
        to: fact String,
        /// Whether anybody answered there.
        answered: fact bool,
    }
}

impl Call {
    /// What follows from what is there: a time that was reached says how far the call has come.
    pub fn completed(mut self) -> Self {
        let reached =
            [self.phase, self.answered_at.map(|_| CallPhase::Answered), self.ended_at.map(|_| CallPhase::Ended)];
        self.phase = reached.into_iter().flatten().max();
        self
    }
}

impl MergedCall {
    /// What is known now, lengths worked out from the times where nobody reported them.
    pub fn view(&self) -> Call {
        let mut call = self.plain();
        if call.duration.is_none() {
            call.duration = call.started_at.zip(call.ended_at).map(|(start, end)| end.seconds_since(start));
        }
        if call.talk.is_none() {
            call.talk = call.answered_at.zip(call.ended_at).map(|(answer, end)| end.seconds_since(answer));
        }
        call
    }
}
