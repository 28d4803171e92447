//! The ledger and everything else that must outlive the process: over SQLite, embedded, or PostgreSQL.
//!
//! Intake row, record, event and deliveries come in one transaction; commits are grouped. Nothing here knows
//! components, HTTP or configuration files, and nothing here decides what a delivery's failure means.

mod claim;
mod command;
mod db;
mod delivery;
mod error;
mod feed;
mod finish;
mod grant;
mod group;
mod intake;
mod lease;
mod ledger;
mod people;
mod pull;
mod record;
mod retention;
mod routes;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast;

pub use command::{Begun, CommandRow, CommandState};
pub use delivery::{
    Attempt, AttemptRow, Claimed, Delivery, DeliveryFilter, End, Finished, Joined, Lane, LaneSummary, Receipt, Settled,
    State,
};
pub use error::{Clash, StoreError};
pub use feed::{Code, EventFilter, EventPage, Events};
pub use grant::Grant;
pub use intake::{Committed, Consent, Intake, IntakeFilter, IntakeRow, Once, Raw, Verdict};
pub use lease::Lease;
pub use people::{Communication, Communications, Named};
pub use pull::{ClaimedJob, Job, JobRow, JobState, PageDone, Progress};
pub use record::{CallFilter, Page, Place, Record};
pub use retention::{Retention, Swept};
pub use routes::{Routes, Want};

use self::db::Db;
use self::finish::Finisher;
use self::grant::Seal;
use self::group::Group;
use self::ledger::prepared::Prepared;
use self::ledger::{Ledger, Tally};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How the store is opened.
#[derive(Clone)]
pub struct Options {
    /// The folder for what stands beside the database: the key of the grants, when none is given. Made when missing;
    /// a relative SQLite path in the address is taken from the present folder, not from here.
    pub data: PathBuf,
    /// The key that seals grants. Without one, a key is made once and kept in `data/grants.key`, readable by the
    /// owner alone.
    pub key: Option<[u8; 32]>,
    /// Connections for reading.
    pub readers: u32,
    /// Intakes that may wait for a commit; more are refused as busy.
    pub queue: usize,
    /// Intakes in one commit at most.
    pub batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { data: PathBuf::from("data"), key: None, readers: 4, queue: 4096, batch: 512 }
    }
}

/// The store. Clones are one store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    // Before the lock: they end before another hub may open the file.
    ledger: Group<Ledger>,
    finisher: Group<Finisher>,
    db: Db,
    seal: Seal,
    events: broadcast::Sender<Events>,
    lanes: broadcast::Sender<Arc<[Lane]>>,
    codes: broadcast::Sender<Code>,
    tally: Arc<Tally>,
    _lock: Option<db::sqlite::FileLock>,
}

/// Numbers for the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Intakes committed since the start.
    pub intakes: u64,
    /// Commits since the start.
    pub commits: u64,
    /// Events since the start.
    pub events: u64,
    /// Observations since the start that changed nothing.
    pub duplicates: u64,
    /// Intakes refused since the start because the queue was full.
    pub busy: u64,
    /// Intakes that wait now.
    pub waiting: u64,
    /// Statements since the start.
    pub statements: u64,
}

/// Commits that a slow receiver of events may fall behind.
const BACKLOG: usize = 1024;

impl Store {
    /// Opens `sqlite:PATH` or `postgres://…`, makes what is missing, brings the tables up to date.
    pub async fn open(url: &str, options: Options) -> Result<Self> {
        let (db, lock) = match url.split_once(':') {
            Some(("sqlite", path)) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                let path = path.split_once('?').map_or(path, |(path, _)| path);
                if path.is_empty() || path == ":memory:" {
                    return Err(StoreError::Address(url.to_owned()));
                }
                let (db, lock) = db::sqlite::open(Path::new(path), options.readers).await?;
                // One process alone has the file: whoever held a claim or a lease before is gone.
                let clock = db.clock();
                for (table, condition) in [("delivery", "claim is not null"), ("pull", "claim is not null")] {
                    let sql = format!("update {table} set claim = null, next_at = {clock} where {condition}");
                    db.execute(sql, []).await?;
                }
                db.execute("delete from lease", []).await?;
                (db, Some(lock))
            }
            Some(("postgres" | "postgresql", _)) => (db::postgres::open(url, options.readers).await?, None),
            _ => return Err(StoreError::Address(url.to_owned())),
        };
        let seal = match &options.key {
            Some(key) => Seal::new(key),
            None => Seal::from_file(&options.data.join("grants.key"))?,
        };
        let (events, _) = broadcast::channel(BACKLOG);
        let (lanes, _) = broadcast::channel(BACKLOG);
        let (codes, _) = broadcast::channel(BACKLOG);
        let tally = Arc::<Tally>::default();
        let ledger = Ledger {
            db: db.clone(),
            events: events.clone(),
            lanes: lanes.clone(),
            codes: codes.clone(),
            tally: tally.clone(),
            counter: std::sync::Mutex::default(),
        };
        let ledger = Group::start(ledger, options.queue, options.batch);
        let finisher = Group::start(Finisher { db: db.clone() }, options.queue, options.batch);
        let alone = lock.is_some();
        let inner = Inner { ledger, finisher, db, seal, events, lanes, codes, tally, _lock: lock };
        let store = Store { inner: Arc::new(inner) };
        if alone {
            store.abandon_commands(Duration::ZERO).await?;
        }
        Ok(store)
    }

    /// Whether other nodes may work on the same store.
    pub fn is_shared(&self) -> bool {
        self.db().is_postgres()
    }

    /// Commits what is waiting, then lets go of the database. Whatever comes later is refused as unavailable.
    pub async fn close(&self) {
        self.inner.ledger.close().await;
        self.inner.finisher.close().await;
        self.inner.db.close().await;
    }

    /// Asks the database for an answer.
    pub async fn ping(&self) -> Result<()> {
        self.db().fetch("select event from counter", []).await.map(drop)
    }

    /// Numbers for the metrics.
    pub fn counts(&self) -> Counts {
        let tally = &self.inner.tally;
        Counts {
            intakes: tally.intakes.load(Ordering::Relaxed),
            commits: tally.commits.load(Ordering::Relaxed),
            events: tally.events.load(Ordering::Relaxed),
            duplicates: tally.duplicates.load(Ordering::Relaxed),
            busy: tally.busy.load(Ordering::Relaxed),
            waiting: self.inner.ledger.waiting() as u64,
            statements: self.db().statements(),
        }
    }

    /// Commits one intake whole, together with whatever else is waiting. When this returns, it is on disk.
    pub async fn commit(&self, intake: Intake) -> Result<Committed> {
        let committed = self.inner.ledger.submit(Prepared::new(intake)?).await;
        if matches!(committed, Err(StoreError::Busy(_))) {
            self.inner.tally.busy.fetch_add(1, Ordering::Relaxed);
        }
        committed
    }

    /// The events of every commit of this process from now on. A receiver that falls 1,024 commits behind is told so
    /// and reads the rest with [`Store::events_since`].
    pub fn subscribe(&self) -> broadcast::Receiver<Events> {
        self.inner.events.subscribe()
    }

    /// The codes for pairing of every commit of this process from now on.
    pub fn codes(&self) -> broadcast::Receiver<Code> {
        self.inner.codes.subscribe()
    }

    /// The lanes in which something became due, after each commit. What became due on another node, or by the passing
    /// of time, is found by asking [`Store::next_due`].
    pub fn wakes(&self) -> broadcast::Receiver<Arc<[Lane]>> {
        self.inner.lanes.subscribe()
    }

    fn db(&self) -> &Db {
        &self.inner.db
    }

    /// Tells the lanes that something became due in them.
    fn wake(&self, mut lanes: Vec<Lane>) {
        lanes.sort_unstable();
        lanes.dedup();
        if !lanes.is_empty() {
            let _ = self.inner.lanes.send(lanes.into());
        }
    }
}

/// A number that no other claim has.
fn claim_number() -> i64 {
    (rand::random::<u64>() >> 1).cast_signed()
}

/// A time span as statements take it.
fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}
