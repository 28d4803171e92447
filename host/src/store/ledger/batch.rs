//! The merge of a whole batch in memory: what the ledger holds and what came in go in, the rows to write come out.
//! No input or output here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::facets::Facets;
use crate::model::event::About;
use crate::model::type_of;
use crate::model::{AtDesks, Event, Instant, Item, Kind, Merged, Session, Subject};
use crate::store::error::StoreError;
use crate::store::intake::{Committed, Intake};
use crate::store::routes::Want;

/// A subject in the whole hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::store) struct Key {
    pub tenant: String,
    pub source: String,
    pub kind: Kind,
    pub id: String,
}

/// An intake whose observations are in merged form already.
pub(in crate::store) struct Prepared {
    pub intake: Intake,
    pub sightings: Vec<Sighting>,
    /// The raw body is kept as bytes alone.
    pub bytes_only: bool,
}

/// One observation.
pub(in crate::store) struct Sighting {
    /// The first is the one that the source calls it by.
    pub ids: Vec<String>,
    pub merged: Merged,
}

impl Prepared {
    /// Does what needs no ledger: runs in the caller's task, not in the one that commits.
    pub fn new(mut intake: Intake) -> Self {
        let observations = std::mem::take(&mut intake.observations);
        let sighting = |mut observation: crate::model::Observation| {
            let mut ids = vec![std::mem::take(&mut observation.id)];
            for id in std::mem::take(&mut observation.also) {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
            Sighting { ids, merged: observation.merged(&intake.numbering, intake.received_at) }
        };
        let sightings = observations.into_iter().map(sighting).collect();
        Prepared { intake, sightings, bytes_only: false }
    }

    fn key(&self, kind: Kind, id: &str) -> Key {
        Key { tenant: self.intake.tenant.clone(), source: self.intake.source.clone(), kind, id: id.to_owned() }
    }
}

/// The keys that a batch speaks of, once each.
pub(in crate::store) fn keys(batch: &[Prepared]) -> Vec<Key> {
    let mut seen = std::collections::HashSet::new();
    let mut keys = Vec::new();
    for prepared in batch {
        for sighting in &prepared.sightings {
            for id in &sighting.ids {
                let key = prepared.key(sighting.merged.kind(), id);
                if seen.insert(key.clone()) {
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
pub(in crate::store) struct Entry {
    pub id: i64,
    pub tenant: String,
    pub subject: Subject,
    pub also: Vec<String>,
    pub revision: i64,
    pub created_at: Instant,
    pub updated_at: Instant,
    pub merged: Merged,
    pub view: Option<Item>,
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
pub(in crate::store) struct Plan {
    pub entries: Vec<Entry>,
    /// Further ids: key and entry.
    pub aliases: Vec<(Key, usize)>,
    pub events: Vec<EventRow>,
    pub wants: Vec<WantRow>,
    /// (winner, loser), in order.
    pub joins: Vec<(usize, usize)>,
    /// One for each intake, in order.
    pub committed: Vec<Committed>,
    pub counter: Counter,
}

/// A record as it is written.
pub(in crate::store) struct RecordRow<'a> {
    pub entry: &'a Entry,
    pub also: Option<String>,
    pub joined_into: Option<i64>,
    pub facets: Facets,
    pub merged: String,
}

impl RecordRow<'_> {
    /// The numbers that a contact is known by: tenant, key, record.
    pub fn contact_numbers(&self) -> impl Iterator<Item = (&str, &str, i64)> {
        self.facets.contact.iter().map(|number| (self.entry.tenant.as_str(), number.as_str(), self.entry.id))
    }
}

impl Plan {
    /// The records that changed, as they are written.
    pub fn records(&self) -> Result<Vec<RecordRow<'_>>, StoreError> {
        let dirty = self.entries.iter().enumerate().filter(|(_, entry)| entry.dirty);
        dirty.map(|(at, entry)| self.record(at, entry)).collect()
    }

    fn record<'a>(&self, at: usize, entry: &'a Entry) -> Result<RecordRow<'a>, StoreError> {
        let unwritable = |why: serde_json::Error| StoreError::Refused(why.to_string());
        let facets = match &entry.view {
            Some(view) => Facets::of(view),
            None => Facets::of(&entry.merged.view()),
        };
        let also = (!entry.also.is_empty()).then(|| serde_json::to_string(&entry.also));
        Ok(RecordRow {
            also: also.transpose().map_err(unwritable)?,
            joined_into: entry.joined_into.map(|_| self.entries[self.root(at)].id),
            facets,
            merged: serde_json::to_string(&entry.merged).map_err(unwritable)?,
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

/// Merges a batch into what the ledger holds. Intakes for which `admitted` is false are passed over.
pub(in crate::store) fn merge(
    batch: &[Prepared],
    admitted: &[bool],
    keys: &[Key],
    found: Vec<Found>,
    counter: Counter,
) -> Result<Plan, StoreError> {
    let mut merge = Merge { plan: Plan { counter, ..Plan::default() }, index: HashMap::new(), wants: BTreeMap::new() };
    merge.load(keys, found);
    for (prepared, admitted) in batch.iter().zip(admitted) {
        let committed = if *admitted { merge.intake(prepared)? } else { Committed::default() };
        merge.plan.committed.push(committed);
    }
    let Merge { mut plan, wants, .. } = merge;
    plan.wants = wants.into_values().collect();
    // One order of rows for all who lock many.
    plan.wants.sort_by_key(|want| plan.entries[want.entry].id);
    Ok(plan)
}

struct Merge {
    plan: Plan,
    index: HashMap<Key, usize>,
    wants: BTreeMap<(usize, String), WantRow>,
}

impl Merge {
    fn load(&mut self, keys: &[Key], found: Vec<Found>) {
        let mut by_id: HashMap<i64, usize> = HashMap::new();
        for found in found {
            let key = &keys[found.key];
            let at = *by_id.entry(found.id).or_insert_with(|| {
                self.plan.entries.push(Entry {
                    id: found.id,
                    tenant: key.tenant.clone(),
                    subject: Subject { source: key.source.clone(), kind: key.kind, id: found.subject },
                    also: found.also,
                    revision: found.revision,
                    created_at: found.created_at,
                    updated_at: found.updated_at,
                    merged: found.merged,
                    view: None,
                    joined_into: None,
                    dirty: false,
                });
                self.plan.entries.len() - 1
            });
            self.index.insert(key.clone(), at);
        }
    }

    fn intake(&mut self, prepared: &Prepared) -> Result<Committed, StoreError> {
        let intake = match (prepared.intake.replays, &prepared.intake.raw) {
            (Some(id), _) => id,
            (None, Some(_)) => {
                self.plan.counter.intake += 1;
                self.plan.counter.intake
            }
            (None, None) => 0,
        };
        let mut committed = Committed { intake, ..Committed::default() };
        for sighting in &prepared.sightings {
            let (at, event) = self.sighting(prepared, sighting, intake)?;
            committed.records.push(self.plan.entries[at].id);
            match event {
                Some(event) => committed.events.push(event),
                None => committed.duplicates += 1,
            }
        }
        Ok(committed)
    }

    fn sighting(
        &mut self,
        prepared: &Prepared,
        sighting: &Sighting,
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
        let is_new = known.is_empty();
        let at = match known.first() {
            Some(&at) => at,
            None => self.create(prepared, kind, unknown.remove(0)),
        };
        let before = (!is_new).then(|| self.view(at));
        let mut touched = Vec::new();
        for &loser in known.iter().skip(1) {
            touched.extend(self.join(at, loser));
        }
        for key in unknown {
            self.learn(at, key);
        }
        let entry = &mut self.plan.entries[at];
        touched.extend(entry.merged.join(sighting.merged.clone()));
        if touched.is_empty() && !is_new && known.len() < 2 {
            return Ok((at, None));
        }
        // A newer sighting of the same values is remembered, and is no change of the record.
        entry.dirty = true;
        entry.view = None;
        let after = self.view(at);
        let changed = before.as_ref().map_or(touched, |before| after.differing(before));
        if changed.is_empty() && !is_new && known.len() < 2 {
            return Ok((at, None));
        }
        let event = self.revise(prepared, at, before, &changed, intake, known.len() > 1)?;
        Ok((at, Some(event)))
    }

    fn create(&mut self, prepared: &Prepared, kind: Kind, key: Key) -> usize {
        self.plan.counter.record += 1;
        self.plan.entries.push(Entry {
            id: self.plan.counter.record,
            tenant: key.tenant.clone(),
            subject: Subject { source: key.source.clone(), kind, id: key.id.clone() },
            also: Vec::new(),
            revision: 0,
            created_at: prepared.intake.received_at,
            updated_at: prepared.intake.received_at,
            merged: Merged::empty(kind),
            view: None,
            joined_into: None,
            dirty: true,
        });
        let at = self.plan.entries.len() - 1;
        self.index.insert(key, at);
        at
    }

    fn view(&mut self, at: usize) -> Item {
        let entry = &mut self.plan.entries[at];
        entry.view.get_or_insert_with(|| entry.merged.view()).clone()
    }

    /// The older subject takes the other one in.
    fn join(&mut self, winner: usize, loser: usize) -> Vec<&'static str> {
        let theirs = &mut self.plan.entries[loser];
        theirs.joined_into = Some(winner);
        theirs.dirty = true;
        let (merged, mut also) = (theirs.merged.clone(), std::mem::take(&mut theirs.also));
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
        self.plan.entries[winner].merged.join(merged)
    }

    /// One more id of a subject.
    fn learn(&mut self, at: usize, key: Key) {
        let entry = &mut self.plan.entries[at];
        entry.also.push(key.id.clone());
        entry.dirty = true;
        self.index.insert(key.clone(), at);
        self.plan.aliases.push((key, at));
    }

    /// A new revision, its event, and what the routes want of it.
    fn revise(
        &mut self,
        prepared: &Prepared,
        at: usize,
        before: Option<Item>,
        changed: &[&str],
        intake: i64,
        was_joined: bool,
    ) -> Result<Arc<Event>, StoreError> {
        self.plan.counter.event += 1;
        let entry = &mut self.plan.entries[at];
        entry.revision += 1;
        entry.updated_at = prepared.intake.received_at;
        entry.dirty = true;
        let after = entry.view.get_or_insert_with(|| entry.merged.view()).clone();
        let desks = AtDesks::between(before.as_ref(), &after);
        let event = Arc::new(Event {
            seq: self.plan.counter.event.unsigned_abs(),
            kind: type_of(before.as_ref(), &after, changed, &desks),
            at: prepared.intake.received_at,
            tenant: entry.tenant.clone(),
            about: About {
                record: entry.id,
                subject: entry.subject.clone(),
                revision: entry.revision.unsigned_abs(),
                changed: changed.iter().map(|&field| field.to_owned()).collect(),
                desks,
                item: after,
            },
        });
        let body = body(&event).map_err(|why| StoreError::Refused(why.to_string()))?;
        self.plan.events.push(EventRow { event: event.clone(), body, intake });
        for want in prepared.intake.routes.wants(&prepared.intake.tenant, &event) {
            self.want(at, want);
        }
        if was_joined {
            // What the other subject was wanted for is wanted of this one now, as it has become by the join.
            let revision = self.plan.entries[at].revision;
            self.wants.values_mut().filter(|want| want.entry == at).for_each(|want| want.wanted = revision);
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

/// The event as it is stored: without a code for pairing, which is gone from the store when it has expired.
fn body(event: &Event) -> serde_json::Result<String> {
    match &event.about.item {
        Item::Session(session) if session.pairing.is_some() => {
            let session = Session { pairing: None, ..session.clone() };
            let about = About { item: Item::Session(session), ..event.about.clone() };
            serde_json::to_string(&Event { about, ..event.clone() })
        }
        _ => serde_json::to_string(event),
    }
}
