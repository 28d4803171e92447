//! Connections: the socket, the clock and the reconnecting of every source that is a state machine behind a socket.
//!
//! For each such source one task holds the connection, feeds the component's session and carries out what it wants.
//! What a session reports is committed in order; when the store cannot take it, the connection is not read.
//!
//! Nothing here knows what goes over a connection.

mod commit;
mod dial;
mod driver;
mod hold;
mod order;
mod state;
mod talk;
mod timers;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use order::Settled;
pub use state::{Phase, State};

use super::Entry;
use crate::components::contract::{Ability, Command, Failure};
use crate::config::{Authority, Backoff};
use crate::delivery::Bell;
use crate::live::Live;
use crate::store::Store;
use commit::Committer;
use driver::Driver;
use order::{Order, not_connected};
use state::Board;

/// How long a connection may take to end when its source changes.
const PATIENCE: Duration = Duration::from_secs(3);

/// Commands that may wait for a session to take them.
const ORDERS: usize = 64;

/// What a connection is made of.
#[derive(Clone)]
pub struct Spec {
    /// The source.
    pub entry: Arc<Entry>,
    /// Whom its TLS believes.
    pub ca: Option<Authority>,
    /// How long it waits when it was lost.
    pub backoff: Backoff,
}

type Key = (String, String);

/// All connections of the hub.
pub struct Connections {
    store: Store,
    live: Arc<Live>,
    bell: Bell,
    running: RwLock<BTreeMap<Key, Running>>,
    /// Those that still have something to commit and whose sources are gone.
    leaving: Mutex<Vec<Committer>>,
}

struct Running {
    spec: Spec,
    current: Arc<ArcSwap<Entry>>,
    board: Arc<Board>,
    committer: Committer,
    orders: mpsc::Sender<Order>,
    renew: Arc<Notify>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Spec {
    fn key(&self) -> Key {
        (self.entry.tenant.name.clone(), self.entry.name.clone())
    }

    /// Whether a connection made of `other` is the one that this describes.
    fn same(&self, other: &Spec) -> bool {
        Arc::ptr_eq(&self.entry.component, &other.entry.component)
            && self.ca == other.ca
            && self.backoff == other.backoff
    }

    fn connects(&self) -> bool {
        self.entry.component.component().component().abilities().has(Ability::Connection)
    }
}

impl Running {
    fn ready(&self) -> Result<(), Failure> {
        let (phase, why) = self.board.phase();
        match phase {
            Phase::Connected => Ok(()),
            phase => Err(not_connected(why.as_deref().unwrap_or(phase.word()))),
        }
    }

    /// Ends it; what it has reported is still being committed.
    async fn end(self) -> Committer {
        self.stop.cancel();
        let task = self.task;
        let abort = task.abort_handle();
        if tokio::time::timeout(PATIENCE, task).await.is_err() {
            abort.abort();
        }
        self.committer
    }
}

impl Connections {
    /// No connection yet.
    pub fn new(store: Store, live: Arc<Live>, bell: Bell) -> Arc<Self> {
        Arc::new(Connections { store, live, bell, running: RwLock::default(), leaving: Mutex::default() })
    }

    /// Puts these sources' connections in place of those that there are. One that has not changed goes on; so do the
    /// others while the changed ones end.
    pub async fn set(&self, specs: Vec<Spec>) {
        let mut wanted: HashMap<Key, Spec> =
            specs.into_iter().filter(Spec::connects).map(|spec| (spec.key(), spec)).collect();
        let ending: Vec<(Key, Running)> = {
            let mut running = self.write();
            let stays = |key: &Key, one: &Running| wanted.get(key).is_some_and(|spec| spec.same(&one.spec));
            let gone: Vec<Key> =
                running.iter().filter(|(key, one)| !stays(key, one)).map(|(key, _)| key.clone()).collect();
            let ending = gone.into_iter().filter_map(|key| running.remove_entry(&key)).collect();
            for (key, one) in running.iter() {
                if let Some(spec) = wanted.remove(key) {
                    one.current.store(spec.entry);
                    one.renew.notify_one();
                }
            }
            ending
        };
        let ended = ending.into_iter().map(|(key, one)| async { (key, one.end().await) });
        let mut committers: HashMap<Key, Committer> = futures::future::join_all(ended).await.into_iter().collect();
        for (key, spec) in wanted {
            let committer = committers.remove(&key).unwrap_or_else(|| Committer::start(self.store.clone()));
            let running = self.start(spec, committer);
            self.write().insert(key, running);
        }
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        leaving.extend(committers.into_values());
        leaving.retain(Committer::is_busy);
    }

    fn start(&self, spec: Spec, committer: Committer) -> Running {
        let (orders, receiver) = mpsc::channel(ORDERS);
        let current = Arc::new(ArcSwap::new(spec.entry.clone()));
        let (board, renew, stop) = (Arc::new(Board::new()), Arc::<Notify>::default(), CancellationToken::new());
        let driver = Driver {
            spec: spec.clone(),
            current: current.clone(),
            store: self.store.clone(),
            live: self.live.clone(),
            bell: self.bell.clone(),
            board: board.clone(),
            committer: committer.clone(),
            orders: receiver,
            renew: renew.clone(),
            stop: stop.clone(),
        };
        let task = tokio::spawn(driver.run());
        Running { spec, current, board, committer, orders, renew, stop, task }
    }

    /// How a source's connection stands; absent when it has none.
    pub fn state(&self, tenant: &str, source: &str) -> Option<State> {
        self.with(tenant, source, |one| one.board.state(&one.committer))
    }

    /// How many connections of the hub stand in each phase.
    pub fn phases(&self) -> BTreeMap<&'static str, usize> {
        let mut phases = BTreeMap::new();
        for one in self.read().values() {
            *phases.entry(one.board.phase().0.word()).or_default() += 1;
        }
        phases
    }

    /// A tenant's sources that have a connection which does not stand here. What another node holds is not known.
    pub fn away(&self, tenant: &str) -> Vec<String> {
        let gone = |one: &Running| !matches!(one.board.phase().0, Phase::Connected | Phase::Elsewhere);
        let running = self.read();
        let own = running.iter().filter(|((of, _), one)| of == tenant && gone(one));
        own.map(|((_, source), _)| source.clone()).collect()
    }

    /// Whether a source's session could take a command now; why not.
    pub fn ready(&self, tenant: &str, source: &str) -> Result<(), Failure> {
        let ready = self.with(tenant, source, Running::ready);
        ready.unwrap_or_else(|| Err(not_connected("it has no connection")))
    }

    /// Hands a command to a source's session. Its answer comes through what is returned, which is closed when nobody
    /// can say any more what became of it. An error is a command that has not been begun.
    pub fn order(&self, tenant: &str, source: &str, command: Command) -> Result<oneshot::Receiver<Settled>, Failure> {
        let order = |one: &Running| {
            one.ready()?;
            let (reply, answer) = oneshot::channel();
            match one.orders.try_send(Order { command, reply }) {
                Ok(()) => Ok(answer),
                Err(mpsc::error::TrySendError::Full(_)) => Err(Failure::RateLimited { after: None }),
                Err(mpsc::error::TrySendError::Closed(_)) => Err(not_connected("it has ended")),
            }
        };
        self.with(tenant, source, order).unwrap_or_else(|| Err(not_connected("it has no connection")))
    }

    /// Ends all connections; what was reported is committed, if the store takes it within `patience`.
    pub async fn shut(&self, patience: Duration) {
        let running = std::mem::take(&mut *self.write());
        let ended = futures::future::join_all(running.into_values().map(Running::end)).await;
        let leaving = std::mem::take(&mut *self.leaving.lock().unwrap_or_else(PoisonError::into_inner));
        let finished = ended.into_iter().chain(leaving).map(|committer| committer.finish(patience));
        let lost: u64 = futures::future::join_all(finished).await.into_iter().sum();
        if lost > 0 {
            tracing::error!(lost, "the store did not take what connections reported before the hub stopped");
        }
    }

    fn with<T>(&self, tenant: &str, source: &str, look: impl FnOnce(&Running) -> T) -> Option<T> {
        self.read().get(&(tenant.to_owned(), source.to_owned())).map(look)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Key, Running>> {
        self.running.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Key, Running>> {
        self.running.write().unwrap_or_else(PoisonError::into_inner)
    }
}
