//! A subscriber's place among those who follow a tenant. Only what it wants is put there, so only that wakes it: what
//! rings at one desk costs nothing at a thousand others but a look at what they want.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::mpsc;

use super::frame::{Audience, Frame, Sight};
use super::subscription::Subscription;
use crate::model::Event;

/// Frames that a subscriber may be behind. At about a kilobyte each, shared by all who want them, that is some megabytes
/// for a tenant.
const BEHIND: usize = 4096;

/// What a subscriber may see, and what of it it wants.
#[derive(Clone, Debug)]
pub(super) struct Wants {
    pub sight: Sight,
    pub subscription: Subscription,
}

impl Wants {
    /// The desks that the subscriber sits at; none for one that looks at the whole tenant.
    pub fn desks(&self) -> &[String] {
        self.sight.at(&self.subscription.agents)
    }

    /// The type under which the subscriber is told of an event; absent when it is not told.
    pub fn told<'e>(&self, event: &'e Event) -> Option<&'e str> {
        let told = match self.desks() {
            [] => &event.kind,
            desks => event.told_at(desks),
        };
        (self.subscription.admits(event, told) && self.sight.sees(&event.about.item)).then_some(told)
    }

    /// Whether it is told something that is not in the ledger.
    pub fn hears(&self, kind: &str, audience: &Audience) -> bool {
        self.sight.hears(audience) && self.subscription.admits_notice(kind, audience)
    }
}

/// All who follow, by tenant.
#[derive(Default)]
pub(super) struct Followers(Mutex<HashMap<String, Places>>);

/// The places of one tenant, in the order in which they were taken.
#[derive(Default)]
struct Places {
    taken: u64,
    slots: BTreeMap<u64, Slot>,
}

/// The hub's side of a place.
struct Slot {
    wants: Wants,
    frames: mpsc::Sender<Arc<Frame>>,
    missed: Arc<AtomicBool>,
}

impl Slot {
    /// Puts a frame there. Where one could not be put nothing is, until the subscriber has noticed.
    fn put(&self, frame: &Arc<Frame>) {
        if !self.missed.load(Ordering::Acquire) && self.frames.try_send(frame.clone()).is_err() {
            self.missed.store(true, Ordering::Release);
        }
    }
}

impl Followers {
    /// Takes a place.
    pub fn take(self: &Arc<Self>, tenant: &str, wants: Wants) -> Place {
        let (sender, frames) = mpsc::channel(BEHIND);
        let missed = Arc::new(AtomicBool::new(false));
        let mut all = self.lock();
        let places = all.entry(tenant.to_owned()).or_default();
        places.taken += 1;
        let id = places.taken;
        places.slots.insert(id, Slot { wants, frames: sender, missed: missed.clone() });
        Place { of: Arc::downgrade(self), tenant: tenant.to_owned(), id, frames, missed }
    }

    /// Puts a frame into the places of those who want it; it is made when there are any.
    pub fn tell<E>(
        &self,
        tenant: &str,
        wanted: impl Fn(&Wants) -> bool,
        make: impl FnOnce() -> Result<Frame, E>,
    ) -> Result<(), E> {
        let all = self.lock();
        let Some(places) = all.get(tenant) else { return Ok(()) };
        let mut slots = places.slots.values().filter(|slot| wanted(&slot.wants)).peekable();
        if slots.peek().is_some() {
            let frame = Arc::new(make()?);
            slots.for_each(|slot| slot.put(&frame));
        }
        Ok(())
    }

    /// Sends everybody to the store.
    pub fn all_behind(&self) {
        let behind = Arc::new(Frame::Behind);
        self.lock().values().flat_map(|places| places.slots.values()).for_each(|slot| slot.put(&behind));
    }

    /// How many follow a tenant.
    pub fn of(&self, tenant: &str) -> usize {
        self.lock().get(tenant).map_or(0, |places| places.slots.len())
    }

    /// How many follow any.
    pub fn all(&self) -> usize {
        self.lock().values().map(|places| places.slots.len()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Places>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The subscriber's side. It is given up when it is dropped.
pub(super) struct Place {
    of: Weak<Followers>,
    tenant: String,
    id: u64,
    frames: mpsc::Receiver<Arc<Frame>>,
    missed: Arc<AtomicBool>,
}

/// Why there is no frame.
pub(super) enum Without {
    /// There are none yet.
    Frames,
    /// Some were missed: the place was full.
    Some,
    /// The hub is stopping.
    Hub,
}

impl Place {
    /// A frame that is there already.
    pub fn ready(&mut self) -> Result<Arc<Frame>, Without> {
        if self.missed.load(Ordering::Acquire) {
            // Nothing is put here before the mark is taken away: what comes then is newer than whatever the store is
            // asked for after it.
            while self.frames.try_recv().is_ok() {}
            self.missed.store(false, Ordering::Release);
            return Err(Without::Some);
        }
        self.frames.try_recv().map_err(|why| match why {
            mpsc::error::TryRecvError::Empty => Without::Frames,
            mpsc::error::TryRecvError::Disconnected => Without::Hub,
        })
    }

    /// The next frame. May be dropped before it is done: nothing is lost.
    pub async fn next(&mut self) -> Result<Arc<Frame>, Without> {
        match self.ready() {
            Err(Without::Frames) => self.frames.recv().await.ok_or(Without::Hub),
            ready => ready,
        }
    }

    /// Wants something else from now on.
    pub fn want(&self, wants: Wants) {
        let Some(of) = self.of.upgrade() else { return };
        if let Some(slot) = of.lock().get_mut(&self.tenant).and_then(|places| places.slots.get_mut(&self.id)) {
            slot.wants = wants;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(of) = self.of.upgrade() else { return };
        let mut all = of.lock();
        if let Some(places) = all.get_mut(&self.tenant) {
            places.slots.remove(&self.id);
            if places.slots.is_empty() {
                all.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::About;
    use crate::model::{Agent, Call, Instant, Item, Kind, Subject};

    fn event(seq: u64, desk: &str) -> Arc<Event> {
        let agent = Some(Agent { extension: Some(desk.to_owned()), ..Agent::default() });
        let item = Item::Call(Call { agent, ..Call::default() });
        let subject = Subject { source: "pbx".into(), kind: Kind::Call, id: seq.to_string() };
        let about = About { record: 1, subject, revision: 1, changed: vec![], desks: Default::default(), item };
        Arc::new(Event { seq, kind: "call.updated".into(), at: Instant::now(), tenant: "acme".into(), about })
    }

    fn at(desk: &str) -> Wants {
        Wants { sight: Sight::Desk([desk.to_owned()].into()), subscription: Subscription::default() }
    }

    /// Tells an event; how many frames were made for it.
    fn told(followers: &Followers, event: &Arc<Event>) -> usize {
        let mut made = 0;
        let make = || {
            made += 1;
            Frame::of(event)
        };
        followers.tell("acme", |wants| wants.told(event).is_some(), make).unwrap();
        made
    }

    fn seq(place: &mut Place) -> Option<u64> {
        match &*place.ready().ok()? {
            Frame::Event { event, .. } => Some(event.seq),
            _ => None,
        }
    }

    #[test]
    fn a_place_holds_what_is_wanted_and_nothing_else() {
        let followers = Arc::new(Followers::default());
        let (mut one, mut two) = (followers.take("acme", at("1")), followers.take("acme", at("2")));
        let _elsewhere = followers.take("other", at("1"));
        assert_eq!((followers.of("acme"), followers.all()), (2, 3));
        assert_eq!([event(1, "1"), event(2, "3"), event(3, "2")].map(|event| told(&followers, &event)), [1, 0, 1]);
        assert_eq!((seq(&mut one), seq(&mut one)), (Some(1), None));
        assert_eq!((seq(&mut two), seq(&mut two)), (Some(3), None));
        two.want(at("3"));
        told(&followers, &event(4, "2"));
        told(&followers, &event(5, "3"));
        assert_eq!((seq(&mut two), seq(&mut two)), (Some(5), None));
        drop((one, two));
        assert_eq!((followers.of("acme"), followers.all()), (0, 1));
    }

    #[tokio::test]
    async fn whose_place_is_full_is_told_so_and_gets_what_comes_after() {
        let followers = Arc::new(Followers::default());
        let mut place = followers.take("acme", at("1"));
        for seq in 0..=BEHIND as u64 {
            told(&followers, &event(seq, "1"));
        }
        told(&followers, &event(9_000, "1"));
        assert!(matches!(place.next().await, Err(Without::Some)));
        assert!(matches!(place.ready(), Err(Without::Frames)), "what was there is in the store");
        told(&followers, &event(9_001, "1"));
        assert_eq!(seq(&mut place), Some(9_001));
        drop(followers);
        assert!(matches!(place.next().await, Err(Without::Hub)));
    }
}
