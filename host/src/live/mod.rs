//! The feed: the ledger's events to any number of subscribers, resumable.
//!
//! Each subscriber has a bounded place, into which what it wants is put and nothing else: nobody is woken for what is not
//! theirs. An event is serialized once, when somebody wants it. Whose place is full is cut and resumes from the store: it
//! never makes the hub or its neighbours wait.
//!
//! Nothing here knows sockets, and nothing here is kept: what must not be lost is read from the store again.

mod desks;
mod feed;
mod frame;
mod place;
mod subscription;

use std::convert::Infallible;
use std::sync::{Arc, Weak};

use serde_json::{Map, Value};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

pub use desks::{Desks, UnderWay};
pub use feed::{Cut, Feed, Gap};
pub use frame::{Audience, Sight, call_concerns};
pub use subscription::Subscription;

use crate::model::Instant;
use crate::store::{Code, Events, Store, StoreError};
use frame::Frame;
use place::{Followers, Wants};

/// Commits that whoever listens to [`Live::published`] may be behind.
const BACKLOG: usize = 1024;

/// The feed of all tenants.
pub struct Live {
    store: Store,
    followers: Arc<Followers>,
    desks: Arc<Desks>,
    published: broadcast::Sender<Events>,
}

impl Live {
    /// Starts handing on what the store commits from now on; ends when the `Live` is dropped or the store closes.
    pub fn new(store: &Store) -> Arc<Self> {
        let (commits, codes) = (store.subscribe(), store.codes());
        let (published, heard) = broadcast::channel(BACKLOG);
        let desks = Desks::new(store, heard);
        let live = Arc::new(Live { store: store.clone(), followers: Arc::default(), desks, published });
        tokio::spawn(pump(Arc::downgrade(&live), commits));
        tokio::spawn(tell(Arc::downgrade(&live), codes));
        live
    }

    /// Begins to follow a tenant: after event number `since`, or from now on.
    pub async fn follow(
        self: &Arc<Self>,
        tenant: &str,
        since: Option<u64>,
        sight: Sight,
        subscription: Subscription,
    ) -> Result<Feed, StoreError> {
        Feed::begin(self.store.clone(), tenant, &self.followers, since, Wants { sight, subscription }).await
    }

    /// The calls under way, and changes at desks.
    pub fn desks(&self) -> &Arc<Desks> {
        &self.desks
    }

    /// The events of every commit from now on, each after its frames are on their way: what is told by a notice upon it
    /// comes after them.
    pub fn published(&self) -> broadcast::Receiver<Events> {
        self.published.subscribe()
    }

    /// Tells a tenant's subscribers something that is not in the ledger: how a source stands, how far a job has come,
    /// a code to scan. It has no number and is not kept. `more` must be a JSON object.
    pub fn notice(&self, tenant: &str, kind: &str, audience: Audience, more: Map<String, Value>) {
        let make = || {
            let mut frame = Map::new();
            frame.insert("type".to_owned(), kind.into());
            frame.insert("at".to_owned(), Instant::now().to_string().into());
            frame.insert("tenant".to_owned(), tenant.into());
            frame.extend(more);
            let text = Value::Object(frame).to_string().into();
            Ok::<_, Infallible>(Frame::Notice { kind: kind.to_owned(), audience: audience.clone(), text })
        };
        let Ok(()) = self.followers.tell(tenant, |wants| wants.hears(kind, &audience), make);
    }

    /// How many follow a tenant now.
    pub fn followers(&self, tenant: &str) -> usize {
        self.followers.of(tenant)
    }

    /// How many follow any tenant now.
    pub fn all_followers(&self) -> usize {
        self.followers.all()
    }

    /// Hands the events of one commit on. Those that nobody wants are not even serialized.
    fn publish(&self, events: &Events) {
        for event in events.iter() {
            let wanted = |wants: &Wants| wants.told(event).is_some();
            if let Err(why) = self.followers.tell(&event.tenant, wanted, || Frame::of(event)) {
                tracing::error!(tenant = event.tenant, seq = event.seq, %why, "an event has no JSON");
            }
        }
    }
}

async fn pump(live: Weak<Live>, mut commits: broadcast::Receiver<Events>) {
    loop {
        let received = commits.recv().await;
        let Some(live) = live.upgrade() else { return };
        match received {
            Ok(events) => {
                live.publish(&events);
                // Nobody listening is no fault.
                let _ = live.published.send(events);
            }
            Err(RecvError::Lagged(missed)) => {
                tracing::warn!(missed, "the live feed fell behind the ledger: subscribers read on from the store");
                live.followers.all_behind();
                live.desks.missed_some();
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Tells codes for pairing to those who pair devices. One that was missed is followed by the next.
async fn tell(live: Weak<Live>, mut codes: broadcast::Receiver<Code>) {
    loop {
        match codes.recv().await {
            Ok(Code { tenant, source, session, pairing }) => {
                let Some(live) = live.upgrade() else { return };
                let mut more = Map::new();
                more.insert("source".to_owned(), source.into());
                more.insert("session".to_owned(), session.into());
                more.insert("code".to_owned(), pairing.code.into());
                more.insert("expires_at".to_owned(), pairing.expires_at.to_string().into());
                live.notice(&tenant, "session.code", Audience::Supervisors, more);
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}
