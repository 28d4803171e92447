//! The merge of a whole batch in memory: what the ledger holds and what came in go in, the rows to write come out.
//! No input or output here.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::prepared::{Alone, Kept, Prepared, Sighting, shown, unwritable};
use crate::model::event::{About, Shown};
use crate::model::type_of;
use crate::model::{AtDesks, Event, Instant, Item, Kind, Merged, Subject};
use crate::store::error::{Clash, StoreError};
use crate::store::feed::Code;
use crate::store::intake::Committed;
use crate::store::routes::Want;

/// A subject in the whole hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::store) struct Key<'a> {
    pub tenant: &'a str,
    pub source: &'a str,
    pub kind: Kind,
    pub id: &'a str,
}

/// The keys that a batch speaks of, once each.
pub(in crate::store) fn keys(batch: &[Prepared]) -> Vec<Key<'_>> {
    let mut seen = std::collections::HashSet::new();
    let mut keys = Vec::new();
    for prepared in batch {
        for sighting in &prepared.sightings {
            for id in &sighting.ids {
                let key = prepared.key(sighting.merged.kind(), id);
                if seen.insert(key) {
                    keys.push(key);
                }
            }
        }
    }
    keys
}

/// The last numbers given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Counter {
    pub event: i64,
    pub record: i64,
    pub intake: i64,
}

/// A record that the ledger holds, found under one of the keys.
pub(in crate::store) struct Found {
    /// Which key, counted from 0.
    pub key: usize,
    pub id: i64,
    pub revision: i64,
    /// The subject's id that the record goes by.
    pub subject: String,
    pub also: Vec<String>,
    pub created_at: Instant,
    pub updated_at: Instant,
    pub merged: Merged,
}

/// A record during the merge.
pub(in crate::store) struct Entry<'a> {
    pub id: i64,
    pub tenant: &'a str,
    pub subject: Subject,
    pub also: Vec<String>,
    pub revision: i64,
    pub created_at: Instant,
    pub updated_at: Instant,
    pub merged: Cow<'a, Merged>,
    /// What is known, when it has been looked at.
    pub view: Option<Item>,
    /// What is written, when that was ready.
    pub kept: Option<&'a Kept>,
    pub joined_into: Option<usize>,
    pub dirty: bool,
}

/// A row of the feed.
pub(in crate::store) struct EventRow {
    pub event: Arc<Event>,
    pub body: String,
    pub intake: i64,
}

/// What a batch wants of a sink for a record.
pub(in crate::store) struct WantRow {
    pub entry: usize,
    pub sink: String,
    pub wanted: i64,
    pub holds: Option<String>,
    pub expires_at: Option<Instant>,
}

/// What is to be written.
#[derive(Default)]
pub(in crate::store) struct Plan<'a> {
    pub entries: Vec<Entry<'a>>,
    /// Further ids: key and entry.
    pub aliases: Vec<(Key<'a>, usize)>,
    pub events: Vec<EventRow>,
    pub wants: Vec<WantRow>,
    /// (winner, loser), in order.
    pub joins: Vec<(usize, usize)>,
    /// Codes that are to be told.
    pub codes: Vec<Code>,
    /// One for each intake, in order.
    pub committed: Vec<Committed>,
    /// Why nothing was taken of an intake, by its place.
    pub clashes: BTreeMap<usize, Clash>,
    pub counter: Counter,
}

/// A record as it is written.
pub(in crate::store) struct RecordRow<'a> {
    pub entry: &'a Entry<'a>,
    pub also: Option<String>,
    pub joined_into: Option<i64>,
    pub kept: Cow<'a, Kept>,
}

impl RecordRow<'_> {
    /// The numbers that a contact is known by: tenant, key, record.
    pub fn contact_numbers(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.kept.facets.contact.iter().map(|number| (self.entry.tenant, number.as_str(), self.entry.id))
    }
}

impl Plan<'_> {
    /// The records that changed, as they are written.
    pub fn records(&self) -> Result<Vec<RecordRow<'_>>, StoreError> {
        let dirty = self.entries.iter().enumerate().filter(|(_, entry)| entry.dirty);
        dirty.map(|(at, entry)| self.record(at, entry)).collect()
    }

    fn record<'a>(&self, at: usize, entry: &'a Entry<'a>) -> Result<RecordRow<'a>, StoreError> {
        let kept = match (entry.kept, &entry.view) {
            (Some(kept), _) => Cow::Borrowed(kept),
            (None, Some(view)) => Cow::Owned(Kept::of(&entry.merged, view)?),
            (None, None) => Cow::Owned(Kept::of(&entry.merged, &entry.merged.view())?),
        };
        let also = (!entry.also.is_empty()).then(|| serde_json::to_string(&entry.also));
        Ok(RecordRow {
            also: also.transpose().map_err(unwritable)?,
            joined_into: entry.joined_into.map(|_| self.entries[self.root(at)].id),
            kept,
            entry,
        })
    }

    /// The record that an entry belongs to in the end.
    pub fn root(&self, mut at: usize) -> usize {
        while let Some(into) = self.entries[at].joined_into {
            at = into;
        }
        at
    }
}

/// Merges a batch into what the ledger holds. Intakes for which `admitted` is false are passed over; of those that are
/// `repeats` nothing is taken.
pub(in crate::store) fn merge<'a>(
    batch: &'a [Prepared],
    admitted: &[bool],
    repeats: &[Option<Instant>],
    keys: &[Key<'a>],
    found: Vec<Found>,
    counter: Counter,
) -> Result<Plan<'a>, StoreError> {
    let mut merge = Merge { plan: Plan { counter, ..Plan::default() }, index: HashMap::new(), wants: BTreeMap::new() };
    merge.load(keys, found);
    for (at, ((prepared, admitted), repeats)) in batch.iter().zip(admitted).zip(repeats).enumerate() {
        let clash = merge.clash(prepared);
        let taken = *admitted && clash.is_none();
        let committed = if taken { merge.intake(prepared, *repeats)? } else { Committed::default() };
        merge.plan.committed.push(committed);
        merge.plan.clashes.extend(clash.map(|clash| (at, clash)));
    }
    let Merge { mut plan, wants, .. } = merge;
    plan.wants = wants.into_values().collect();
    // One order of rows for all who lock many.
    plan.wants.sort_by_key(|want| plan.entries[want.entry].id);
    Ok(plan)
}

/// What becomes of a record.
struct Change<'c> {
    /// Absent for one that is new.
    before: Option<Item>,
    after: Item,
    shown: &'c Shown,
    changed: &'c [&'static str],
}

struct Merge<'a> {
    plan: Plan<'a>,
    index: HashMap<Key<'a>, usize>,
    wants: BTreeMap<(usize, String), WantRow>,
}

impl<'a> Merge<'a> {
    fn load(&mut self, keys: &[Key<'a>], found: Vec<Found>) {
        let mut by_id: HashMap<i64, usize> = HashMap::new();
        for found in found {
            let key = keys[found.key];
            let at = *by_id.entry(found.id).or_insert_with(|| {
                self.plan.entries.push(Entry {
                    id: found.id,
                    tenant: key.tenant,
                    subject: Subject { source: key.source.to_owned(), kind: key.kind, id: found.subject },
                    also: found.also,
                    revision: found.revision,
                    created_at: found.created_at,
                    updated_at: found.updated_at,
                    merged: Cow::Owned(found.merged),
                    view: None,
                    kept: None,
                    joined_into: None,
                    dirty: false,
                });
                self.plan.entries.len() - 1
            });
            self.index.insert(key, at);
        }
    }

    /// Why an intake is not to be merged into what is there, as whoever handed it in says.
    fn clash(&self, prepared: &'a Prepared) -> Option<Clash> {
        let consent = prepared.intake.consent.as_ref()?;
        prepared.sightings.iter().find_map(|sighting| {
            let key = |id: &'a String| prepared.key(sighting.merged.kind(), id);
            let known = sighting.ids.iter().find_map(|id| self.index.get(&key(id)))?;
            let before = &self.plan.entries[self.plan.root(*known)].merged;
            let mut after = before.clone().into_owned();
            after.join(sighting.merged.clone());
            consent(&before.view(), &after.view()).err()
        })
    }

    fn intake(&mut self, prepared: &'a Prepared, repeats: Option<Instant>) -> Result<Committed, StoreError> {
        let intake = match (prepared.intake.replays, &prepared.intake.raw) {
            (Some(id), _) => id,
            (None, Some(_)) => {
                self.plan.counter.intake += 1;
                self.plan.counter.intake
            }
            (None, None) => 0,
        };
        let mut committed = Committed { intake, repeats, ..Committed::default() };
        for sighting in prepared.sightings.iter().filter(|_| repeats.is_none()) {
            let (at, event) = self.sighting(prepared, sighting, intake)?;
            committed.records.push(self.plan.entries[at].id);
            match event {
                Some(event) => committed.events.push(event),
                None => committed.duplicates += 1,
            }
            self.tell(prepared, sighting, at);
        }
        Ok(committed)
    }

    /// A code that still is of use: the session is not connected, and the code is good.
    fn tell(&mut self, prepared: &Prepared, sighting: &Sighting, at: usize) {
        let Some(pairing) = sighting.pairing.as_ref().filter(|it| it.expires_at > prepared.intake.received_at) else {
            return;
        };
        let entry = &self.plan.entries[at];
        let Item::Session(session) = entry.merged.view() else { return };
        if session.state.as_deref() != Some("connected") {
            self.plan.codes.push(Code {
                tenant: entry.tenant.to_owned(),
                source: entry.subject.source.clone(),
                session: entry.subject.id.clone(),
                pairing: pairing.clone(),
            });
        }
    }

    fn sighting(
        &mut self,
        prepared: &'a Prepared,
        sighting: &'a Sighting,
        intake: i64,
    ) -> Result<(usize, Option<Arc<Event>>), StoreError> {
        let kind = sighting.merged.kind();
        let mut unknown = Vec::new();
        let mut known = Vec::new();
        for id in &sighting.ids {
            let key = prepared.key(kind, id);
            match self.index.get(&key).map(|&at| self.plan.root(at)) {
                Some(at) if known.contains(&at) => {}
                Some(at) => known.push(at),
                None => unknown.push(key),
            }
        }
        known.sort_by_key(|&at| self.plan.entries[at].id);
        let Some(&at) = known.first() else {
            let at = self.create(prepared, sighting, unknown.remove(0));
            for key in unknown {
                self.learn(at, key);
            }
            let Alone { changed, view, shown, .. } = &sighting.alone;
            let change = Change { before: None, after: view.clone(), shown, changed };
            let event = self.revise(prepared, at, intake, change)?;
            return Ok((at, Some(event)));
        };
        let before = self.take_view(at);
        let mut touched = Vec::new();
        for &loser in known.iter().skip(1) {
            touched.extend(self.join(at, loser));
        }
        for key in unknown {
            self.learn(at, key);
        }
        let was_joined = known.len() > 1;
        let entry = &mut self.plan.entries[at];
        touched.extend(entry.merged.to_mut().join(sighting.merged.clone()));
        if touched.is_empty() && !was_joined {
            entry.view = Some(before);
            return Ok((at, None));
        }
        // A newer sighting of the same values is remembered, and is no change of the record.
        entry.dirty = true;
        entry.kept = None;
        let after = entry.view.insert(entry.merged.view()).clone();
        let changed = after.differing(&before);
        if changed.is_empty() && !was_joined {
            return Ok((at, None));
        }
        let change = Change { before: Some(before), shown: &shown(&after)?, after, changed: &changed };
        let event = self.revise(prepared, at, intake, change)?;
        if was_joined {
            // What the other subject was wanted for is wanted of this one now, as it has become by the join.
            let revision = self.plan.entries[at].revision;
            self.wants.values_mut().filter(|want| want.entry == at).for_each(|want| want.wanted = revision);
        }
        Ok((at, Some(event)))
    }

    fn create(&mut self, prepared: &Prepared, sighting: &'a Sighting, key: Key<'a>) -> usize {
        self.plan.counter.record += 1;
        self.plan.entries.push(Entry {
            id: self.plan.counter.record,
            tenant: key.tenant,
            subject: Subject { source: key.source.to_owned(), kind: key.kind, id: key.id.to_owned() },
            also: Vec::new(),
            revision: 0,
            created_at: prepared.intake.received_at,
            updated_at: prepared.intake.received_at,
            merged: Cow::Borrowed(&sighting.merged),
            view: None,
            kept: Some(&sighting.alone.kept),
            joined_into: None,
            dirty: true,
        });
        let at = self.plan.entries.len() - 1;
        self.index.insert(key, at);
        at
    }

    /// What is known of a record that is about to change.
    fn take_view(&mut self, at: usize) -> Item {
        let entry = &mut self.plan.entries[at];
        entry.view.take().unwrap_or_else(|| entry.merged.view())
    }

    /// The older subject takes the other one in.
    fn join(&mut self, winner: usize, loser: usize) -> Vec<&'static str> {
        let theirs = &mut self.plan.entries[loser];
        theirs.joined_into = Some(winner);
        theirs.dirty = true;
        let (merged, mut also) = (theirs.merged.clone().into_owned(), std::mem::take(&mut theirs.also));
        let revision = theirs.revision;
        also.insert(0, theirs.subject.id.clone());
        let mine = &mut self.plan.entries[winner];
        // What a sink has had of either is older than what comes of the join.
        mine.revision = mine.revision.max(revision);
        mine.also.append(&mut also);
        mine.dirty = true;
        self.plan.joins.push((winner, loser));
        let moved: Vec<_> = self.wants.keys().filter(|(at, _)| *at == loser).cloned().collect();
        for key in moved {
            if let Some(want) = self.wants.remove(&key) {
                self.want(winner, Want { sink: key.1, holds: want.holds, expires_at: want.expires_at });
            }
        }
        let mine = &mut self.plan.entries[winner];
        mine.kept = None;
        mine.merged.to_mut().join(merged)
    }

    /// One more id of a subject.
    fn learn(&mut self, at: usize, key: Key<'a>) {
        let entry = &mut self.plan.entries[at];
        entry.also.push(key.id.to_owned());
        entry.dirty = true;
        self.index.insert(key, at);
        self.plan.aliases.push((key, at));
    }

    /// A new revision, its event, and what the routes want of it.
    fn revise(
        &mut self,
        prepared: &Prepared,
        at: usize,
        intake: i64,
        change: Change<'_>,
    ) -> Result<Arc<Event>, StoreError> {
        let Change { before, after, shown, changed } = change;
        self.plan.counter.event += 1;
        let entry = &mut self.plan.entries[at];
        entry.revision += 1;
        entry.updated_at = prepared.intake.received_at;
        entry.dirty = true;
        let desks = AtDesks::between(before.as_ref(), &after);
        let event = Event {
            seq: self.plan.counter.event.unsigned_abs(),
            kind: type_of(before.as_ref(), &after, changed, &desks),
            at: prepared.intake.received_at,
            tenant: entry.tenant.to_owned(),
            about: About {
                record: entry.id,
                subject: entry.subject.clone(),
                revision: entry.revision.unsigned_abs(),
                changed: changed.iter().map(|&field| field.to_owned()).collect(),
                desks,
                item: shown,
            },
        };
        let body = serde_json::to_string(&event).map_err(unwritable)?;
        let event = Arc::new(event.with(after));
        self.plan.events.push(EventRow { event: event.clone(), body, intake });
        for want in prepared.intake.routes.wants(&prepared.intake.tenant, &event) {
            self.want(at, want);
        }
        Ok(event)
    }

    /// One want for each sink and record: one that lasts stays, a passing one gives way to the newest.
    fn want(&mut self, at: usize, want: Want) {
        let wanted = self.plan.entries[at].revision;
        let row = self.wants.entry((at, want.sink.clone())).or_insert_with(|| WantRow {
            entry: at,
            sink: want.sink.clone(),
            wanted,
            holds: want.holds.clone(),
            expires_at: want.expires_at,
        });
        row.wanted = row.wanted.max(wanted);
        let lasting = row.holds.is_none() && row.expires_at.is_none();
        if !lasting {
            row.holds = want.holds;
            row.expires_at = want.expires_at;
        }
    }
}
