//! The calls under way, as every desk sees them, and who waits for a change at a desk.
//!
//! A tenant's calls are read when somebody first asks for them, and kept by the events of the feed from then on; what
//! other nodes commit, and what was joined, is seen when they are read again. All who wait at one desk share one
//! wake-up. Whoever wants to wait takes a mark before looking: what happens in between is then no secret.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant as Clock};

use futures::future::select_all;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

use super::frame::desks_of;
use crate::model::call::CallPhase;
use crate::model::{Call, Event, Instant, Item, Kind, Subject};
use crate::store::{Events, Store, StoreError};

/// The calls are read again after so long.
const FRESH: Duration = Duration::from_secs(2);

/// An older call that nobody saw end is none any more.
const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// Calls of one tenant that are read.
const CALLS: u32 = 1000;

/// Calls of one tenant that are kept between two readings, those that have ended with them. With more of them all are
/// forgotten, and read again when somebody asks.
const KEPT: usize = 4 * CALLS as usize;

/// Changes that are remembered for those who took their mark before them. Older marks count as changed.
const RECENT: usize = 1024;

/// A call under way.
#[derive(Clone, Debug, PartialEq)]
pub struct UnderWay {
    /// The record's id.
    pub record: i64,
    /// What it is.
    pub subject: Subject,
    /// Grows with every change.
    pub revision: u64,
    /// What is known.
    pub call: Call,
}

/// The desks of all tenants.
pub struct Desks {
    store: Store,
    floors: Mutex<HashMap<String, Arc<Floor>>>,
}

/// The desks of one tenant.
#[derive(Default)]
struct Floor {
    reading: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Grows with every change of a call.
    changes: u64,
    /// The last ones, with the desks that they concern.
    recent: VecDeque<(u64, Vec<String>)>,
    /// By record, with the change that brought it; without a call when that was its end.
    calls: BTreeMap<i64, (u64, Option<Arc<UnderWay>>)>,
    read_at: Option<Clock>,
    waiting: HashMap<String, watch::Sender<()>>,
}

impl Desks {
    /// Follows the feed's events from now on; ends when the `Desks` is dropped or the feed ends.
    pub(super) fn new(store: &Store, heard: broadcast::Receiver<Events>) -> Arc<Self> {
        let desks = Arc::new(Desks { store: store.clone(), floors: Mutex::default() });
        tokio::spawn(follow(Arc::downgrade(&desks), heard));
        desks
    }

    /// The calls that have not ended, newest first.
    pub async fn under_way(&self, tenant: &str) -> Result<Vec<Arc<UnderWay>>, StoreError> {
        let floor = self.floor(tenant);
        if floor.state().is_stale() {
            let _one_at_a_time = floor.reading.lock().await;
            if floor.state().is_stale() {
                let before = floor.state().changes;
                let since = Instant::now().before(OLDEST);
                let read = self.store.calls_under_way(tenant, since, CALLS).await?;
                let known = read.into_iter().filter_map(|record| match record.item {
                    Item::Call(call) => {
                        let (record, subject, revision) = (record.id, record.subject, record.revision);
                        Some(UnderWay { record, subject, revision, call })
                    }
                    _ => None,
                });
                floor.state().take(before, known);
            }
        }
        let state = floor.state();
        let mut calls: Vec<_> = state.calls.values().filter_map(|(_, call)| call.clone()).collect();
        calls.sort_by_key(|known| std::cmp::Reverse((known.call.started_at, known.record)));
        Ok(calls)
    }

    /// A mark, to be taken before looking at anything that one may want to wait for.
    pub fn mark(&self, tenant: &str) -> u64 {
        self.floor(tenant).state().changes
    }

    /// Waits for a change at one of these desks after the mark; false when there was none until then.
    pub async fn changed(&self, tenant: &str, desks: &[String], mark: u64, until: tokio::time::Instant) -> bool {
        let floor = self.floor(tenant);
        let Some(mut place) = Place::take(&floor, desks, mark) else { return true };
        if place.bells.is_empty() {
            tokio::time::sleep_until(until).await;
            return false;
        }
        let rung = select_all(place.bells.iter_mut().map(|bell| Box::pin(bell.changed())));
        tokio::time::timeout_at(until, rung).await.is_ok()
    }

    fn floor(&self, tenant: &str) -> Arc<Floor> {
        let mut floors = self.floors.lock().unwrap_or_else(PoisonError::into_inner);
        match floors.get(tenant) {
            Some(floor) => floor.clone(),
            None => floors.entry(tenant.to_owned()).or_default().clone(),
        }
    }

    fn known_floor(&self, tenant: &str) -> Option<Arc<Floor>> {
        self.floors.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    pub(super) fn missed_some(&self) {
        let floors: Vec<_> = self.floors.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        floors.iter().for_each(|floor| floor.state().missed_some());
    }
}

async fn follow(desks: Weak<Desks>, mut heard: broadcast::Receiver<Events>) {
    loop {
        let events = match heard.recv().await {
            Ok(events) => events,
            Err(RecvError::Lagged(_)) => {
                let Some(desks) = desks.upgrade() else { return };
                desks.missed_some();
                continue;
            }
            Err(RecvError::Closed) => return,
        };
        let Some(desks) = desks.upgrade() else { return };
        for event in events.iter().filter(|event| event.about.item.kind() == Kind::Call) {
            if let Some(floor) = desks.known_floor(&event.tenant) {
                floor.state().note(event);
            }
        }
    }
}

impl Floor {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_stale(&self) -> bool {
        self.read_at.is_none_or(|at| at.elapsed() >= FRESH)
    }

    /// Takes an event into account and wakes those whom it concerns.
    fn note(&mut self, event: &Event) {
        let Item::Call(call) = &event.about.item else { return };
        let about = &event.about;
        let before = self.calls.get(&about.record).and_then(|(_, known)| known.clone());
        if before.as_ref().is_some_and(|known| known.revision >= about.revision) {
            return;
        }
        let mut desks = desks_of(call);
        desks.extend(before.iter().flat_map(|known| desks_of(&known.call)));
        self.ring(desks);
        let (record, subject, revision) = (about.record, about.subject.clone(), about.revision);
        let open = call.phase != Some(CallPhase::Ended);
        let known = open.then(|| Arc::new(UnderWay { record, subject, revision, call: call.clone() }));
        self.calls.insert(record, (self.changes, known));
        if self.calls.len() > KEPT {
            self.calls.clear();
            self.missed_some();
        }
    }

    /// Something has changed at these desks: whoever waits there is woken, and it is remembered.
    fn ring(&mut self, mut desks: Vec<String>) {
        self.changes += 1;
        desks.sort_unstable();
        desks.dedup();
        for bell in desks.iter().filter_map(|desk| self.waiting.get(desk)) {
            bell.send_replace(());
        }
        self.recent.push_back((self.changes, desks));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// Takes what was read; what events have told since the reading began counts more. What the reading is the first to
    /// tell, because another node has committed it or its event is still on its way, is told to the desks here.
    fn take(&mut self, before: u64, read: impl Iterator<Item = UnderWay>) {
        let (kept, mut known): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.calls).into_iter().partition(|(_, (change, _))| *change > before);
        self.calls = kept;
        let mut desks = Vec::new();
        for read in read {
            if self.calls.contains_key(&read.record) {
                continue;
            }
            let was = known.remove(&read.record).and_then(|(_, was)| was);
            if was.as_ref().is_none_or(|was| was.revision != read.revision) {
                desks.extend(was.iter().flat_map(|was| desks_of(&was.call)).chain(desks_of(&read.call)));
            }
            self.calls.insert(read.record, (before, Some(Arc::new(read))));
        }
        desks.extend(known.values().filter_map(|(_, gone)| gone.as_ref()).flat_map(|gone| desks_of(&gone.call)));
        if !desks.is_empty() {
            self.ring(desks);
        }
        self.read_at = Some(Clock::now());
    }

    /// Events went by unseen: everybody looks again.
    fn missed_some(&mut self) {
        self.changes += 1;
        self.recent.clear();
        self.read_at = None;
        for bell in self.waiting.values() {
            bell.send_replace(());
        }
    }

    /// Whether something happened at one of these desks after the mark, as far as that is remembered.
    fn changed_since(&self, mark: u64, desks: &[String]) -> bool {
        let remembered = self.recent.front().map_or(self.changes, |(first, _)| first - 1);
        let since = self.recent.iter().rev().take_while(|(change, _)| *change > mark);
        mark < remembered || since.flat_map(|(_, at)| at).any(|desk| desks.contains(desk))
    }
}

/// A place among those who wait.
struct Place {
    floor: Arc<Floor>,
    desks: Vec<String>,
    bells: Vec<watch::Receiver<()>>,
}

impl Place {
    /// Absent when there is nothing to wait for any more.
    fn take(floor: &Arc<Floor>, desks: &[String], mark: u64) -> Option<Self> {
        let mut state = floor.state();
        if state.changed_since(mark, desks) {
            return None;
        }
        let bell =
            |desk: &String| state.waiting.entry(desk.clone()).or_insert_with(|| watch::Sender::new(())).subscribe();
        let bells = desks.iter().map(bell).collect();
        Some(Place { floor: floor.clone(), desks: desks.to_vec(), bells })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.bells.clear();
        let mut state = self.floor.state();
        for desk in &self.desks {
            if state.waiting.get(desk).is_some_and(|bell| bell.receiver_count() == 0) {
                state.waiting.remove(desk);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Agent;
    use crate::model::event::About;

    fn event(record: i64, revision: u64, desk: &str, phase: CallPhase) -> Event {
        let call = Call {
            phase: Some(phase),
            agent: Some(Agent { extension: Some(desk.to_owned()), ..Agent::default() }),
            ..Call::default()
        };
        let subject = Subject { source: "pbx".into(), kind: Kind::Call, id: record.to_string() };
        let about =
            About { record, subject, revision, changed: vec![], desks: Default::default(), item: Item::Call(call) };
        Event { seq: revision, kind: "call.updated".into(), at: Instant::now(), tenant: "acme".into(), about }
    }

    fn open(state: &State) -> Vec<(i64, u64)> {
        state.calls.values().filter_map(|(_, known)| known.as_ref().map(|it| (it.record, it.revision))).collect()
    }

    #[test]
    fn what_happens_while_the_calls_are_read_is_not_lost() {
        let mut state = State::default();
        let read = |record, revision| {
            let Event { about, .. } = event(record, revision, "1", CallPhase::Answered);
            let Item::Call(call) = about.item else { unreachable!() };
            UnderWay { record, subject: about.subject, revision, call }
        };
        state.note(&event(1, 1, "1", CallPhase::Ringing));
        let before = state.changes;
        state.note(&event(2, 2, "1", CallPhase::Ended));
        state.note(&event(3, 3, "1", CallPhase::Answered));
        state.take(before, [read(2, 1), read(3, 2), read(4, 1)].into_iter());
        assert_eq!(open(&state), [(3, 3), (4, 1)], "1 is not there any more, 2 has ended, 3 has gone on");
        state.note(&event(3, 2, "1", CallPhase::Ringing));
        assert_eq!(open(&state), [(3, 3), (4, 1)], "an older revision is nothing new");
    }

    #[test]
    fn what_a_reading_is_the_first_to_tell_is_told_to_the_desks() {
        let read = |record, revision, desk: &str| {
            let Event { about, .. } = event(record, revision, desk, CallPhase::Answered);
            let Item::Call(call) = about.item else { unreachable!() };
            UnderWay { record, subject: about.subject, revision, call }
        };
        let mut state = State::default();
        state.note(&event(1, 1, "1", CallPhase::Ringing));
        state.note(&event(2, 1, "2", CallPhase::Ringing));
        let rung = |state: &State, mark: u64| ["1", "2", "3"].map(|desk| state.changed_since(mark, &[desk.to_owned()]));
        // The commit is there before its event.
        let mark = state.changes;
        state.take(mark, [read(1, 1, "1"), read(2, 1, "2"), read(3, 1, "3")].into_iter());
        assert_eq!(rung(&state, mark), [false, false, true]);
        let mark = state.changes;
        state.note(&event(3, 1, "3", CallPhase::Answered));
        assert_eq!(rung(&state, mark), [false, false, false], "the event says nothing new then");
        // Another node has moved one and ended another.
        let mark = state.changes;
        state.take(mark, [read(1, 2, "2"), read(3, 1, "3")].into_iter());
        assert_eq!(rung(&state, mark), [true, true, false]);
        let mark = state.changes;
        state.take(mark, [read(1, 2, "2"), read(3, 1, "3")].into_iter());
        assert_eq!(state.changes, mark, "nothing is new");
    }

    #[test]
    fn a_mark_shows_what_came_after_it() {
        let mut state = State::default();
        let desks = |one: &str| [one.to_owned()];
        assert!(!state.changed_since(0, &desks("1")));
        state.note(&event(1, 1, "1", CallPhase::Ringing));
        assert!(state.changed_since(0, &desks("1")) && !state.changed_since(0, &desks("2")));
        assert!(!state.changed_since(1, &desks("1")));
        for revision in 2..RECENT as u64 + 10 {
            state.note(&event(1, revision, "2", CallPhase::Ringing));
        }
        assert!(state.changed_since(0, &desks("9")), "what is forgotten may have been anything");
        state.missed_some();
        assert!(state.changed_since(state.changes - 1, &desks("9")));
        assert!(!state.changed_since(state.changes, &desks("9")));
    }

    #[test]
    fn calls_that_nobody_reads_are_not_kept_for_ever() {
        let mut state = State { read_at: Some(Clock::now()), ..State::default() };
        for record in 0..KEPT as i64 {
            state.note(&event(record, 1, "1", CallPhase::Ended));
        }
        assert_eq!((state.calls.len(), state.is_stale()), (KEPT, false));
        let mark = state.changes;
        state.note(&event(-1, 1, "1", CallPhase::Ended));
        assert!(state.calls.is_empty() && state.is_stale());
        assert!(state.changed_since(mark, &["9".to_owned()]), "everybody looks again");
    }

    #[tokio::test]
    async fn all_who_wait_at_a_desk_are_woken_and_nobody_else() {
        let floor = Arc::new(Floor::default());
        let wait = |desk: &str| Place::take(&floor, &[desk.to_owned()], 0).unwrap();
        let (one, other, elsewhere) = (wait("1"), wait("1"), wait("2"));
        assert_eq!(floor.state().waiting.len(), 2, "one bell for a desk");
        floor.state().note(&event(1, 1, "1", CallPhase::Ringing));
        assert!(one.bells[0].has_changed().unwrap() && other.bells[0].has_changed().unwrap());
        assert!(!elsewhere.bells[0].has_changed().unwrap());
        assert!(Place::take(&floor, &["1".to_owned()], 0).is_none());
        drop((one, other, elsewhere));
        assert!(floor.state().waiting.is_empty());
    }
}
