//! What the rows of one call tell.

use cordboard_sdk::prelude::*;

use crate::device::Device;
use crate::settings::{Place, Plan};
use crate::text;

use super::Gap;
use super::entry::Entry;

/// One call: its rows, by when they begin.
pub struct Account {
    pub key: String,
    rows: Vec<Entry>,
    /// The first row of the channel that began it.
    root: usize,
}

impl Account {
    /// Nothing when none of the rows is of the channel that began the call.
    pub fn new(mut rows: Vec<Entry>) -> Option<Self> {
        rows.sort_by_key(|row| row.start);
        let root = rows.iter().position(|row| row.root)?;
        Some(Self { key: rows[root].key.clone(), rows, root })
    }

    pub fn root(&self) -> &Entry {
        &self.rows[self.root]
    }

    fn end(&self) -> u64 {
        self.rows.iter().map(|row| row.end).max().unwrap_or_default()
    }

    /// Whether it ended in this time, or so little before or after.
    pub fn ended_in(&self, gap: &Gap, around: u64) -> bool {
        (gap.since.saturating_sub(around)..=gap.until + around).contains(&self.end())
    }

    /// What is to be told of it, beside what the ledger has.
    pub fn observations(&self, plan: &Plan, known: Option<&Call>, gap: &Gap) -> Vec<Observation> {
        let ended = known.filter(|known| known.phase == Some(CallPhase::Ended));
        // What is under way was heard of until the connection was lost. Records know whole seconds.
        if known.is_some() && ended.is_none() && !self.ended_in(gap, 1000) {
            return vec![];
        }
        let observed = |item: Call, trust| {
            let (id, at) = (self.key.clone(), Some(self.end()));
            Observation { id, also: vec![], at, trust, item: item.into() }
        };
        let recordings = self.recordings(known);
        let repaired = ("repaired".to_owned(), "true".to_owned());
        if let Some(seen) = ended.filter(|ended| !ended.attributes.contains(&repaired)) {
            // All that may not have been told is the recording; there is none when nobody spoke.
            let spoken = matches!(seen.outcome.as_deref(), Some("answered" | "voicemail"));
            let untold = spoken && seen.recordings.is_empty() && !recordings.is_empty();
            return untold
                .then(|| observed(Call { recordings, ..Call::default() }, Trust::Settled))
                .into_iter()
                .collect();
        }
        let known_at = |time: fn(&Call) -> Option<u64>| known.and_then(time);
        let begun = known_at(|known| known.started_at.max(known.answered_at)).unwrap_or(0);
        let sure = Call {
            phase: Some(CallPhase::Ended),
            started_at: known_at(|known| known.started_at).is_none().then_some(self.root().start),
            ended_at: known_at(|known| known.ended_at).is_none().then_some(self.end().max(begun)),
            recordings,
            attributes: vec![repaired],
            ..Call::default()
        };
        vec![observed(sure, Trust::Settled), observed(self.rough(plan), Trust::Inferred)]
    }

    /// The recordings that the ledger has not, each once: rows often have a file's name where it has the path.
    fn recordings(&self, known: Option<&Call>) -> Vec<Recording> {
        let mut names: Vec<&str> = known.iter().flat_map(|known| &known.recordings).map(|one| name(&one.id)).collect();
        let mut recordings = Vec::new();
        for row in self.rows.iter().filter(|row| !row.recording.is_empty()) {
            let name = name(&row.recording);
            if !names.contains(&name) {
                names.push(name);
                let id = text::short(row.recording.as_bytes(), 1000);
                recordings.push(Recording { id, url: None, media_type: None, duration: None });
            }
        }
        recordings
    }

    /// The telephones and lines that were called. Where a Local channel leads, its own rows tell, or else its name.
    fn legs(&self, plan: &Plan) -> Vec<(&Entry, Place)> {
        let is_local = |channel: &str| Device::of(channel.as_bytes()).is_local();
        let told = self.rows.iter().any(|row| is_local(&row.channel));
        let called = self.rows.iter().filter(|row| !row.destination.is_empty());
        let leads = called.filter(|row| !told || !is_local(&row.destination));
        let place = |row: &Entry| match plan.place(row.destination.as_bytes(), b"", b"") {
            Place::Local => plan.extension_of(row.destination.as_bytes()).map_or(Place::Local, Place::Extension),
            place => place,
        };
        leads.map(|row| (row, place(row))).collect()
    }

    /// What the rows tell roughly.
    fn rough(&self, plan: &Plan) -> Call {
        let (root, rows, legs) = (self.root(), &self.rows, self.legs(plan));
        let caller = plan.place(root.channel.as_bytes(), b"", root.source.as_bytes());
        let answered = legs.iter().find(|(row, _)| row.is_answered());
        let first = legs.first().map(|(_, place)| place);
        let direction = match (&caller, first) {
            (Place::Trunk(_), _) => Some(Direction::Inbound),
            (Place::Extension(_), Some(Place::Trunk(_))) => Some(Direction::Outbound),
            (Place::Extension(_), Some(Place::Extension(_))) => Some(Direction::Internal),
            _ => None,
        };
        let extension = |place: &Place| match place {
            Place::Extension(extension) => Some(extension.clone()),
            _ => None,
        };
        let own = extension(&caller);
        let answerer = answered.and_then(|(_, place)| extension(place));
        let queued = rows.iter().find(|row| row.application.eq_ignore_ascii_case("Queue"));
        let has = |disposition: &str| rows.iter().any(|row| row.disposition == disposition);
        let outcome = if answered.is_some() {
            "answered"
        } else if rows.iter().any(|row| row.application.eq_ignore_ascii_case("VoiceMail")) {
            "voicemail"
        } else if queued.is_some() {
            "abandoned"
        } else if has("NO ANSWER") || has("ANSWERED") {
            "no-answer"
        } else if has("BUSY") {
            "busy"
        } else {
            "failed"
        };
        let callee = if root.did.is_empty() { &root.dialled } else { &root.did };
        let number = own.clone().or_else(|| text::number(root.source.as_bytes()));
        let direct = answered.filter(|(row, _)| row.application.eq_ignore_ascii_case("Dial") && rows.len() == 1);
        Call {
            outcome: Some(outcome.to_owned()),
            direction,
            caller: Some(Party {
                number: number.map(Phone::raw),
                name: root.name.clone(),
                agent: own.clone().map(Agent::extension),
            }),
            callee: text::dialled(callee.as_bytes()).map(Party::number),
            queue: queued.and_then(|row| text::dialled(row.dialled.as_bytes())),
            agent: own.or(answerer).map(Agent::extension),
            talk: direct.and_then(|(row, _)| u32::try_from(row.talk).ok()),
            ..Call::default()
        }
    }
}

/// The last part of a path.
fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
