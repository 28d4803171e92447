//! Lanes: what is due is claimed, handed to the adapter as it stands now, and its outcome noted.
//!
//! A delivery is claimed under a lease before its adapter is called, so one subject is never in two calls at once, on
//! any number of nodes. What happens next is decided by the adapter's outcome alone: retry with backoff, waiting, parking.
//! Nothing here knows what an adapter does.

mod alert;
pub mod backoff;
mod breaker;
mod change;
mod gate;
mod lane;
mod outcome;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

pub use alert::{Alert, Bell};
pub use breaker::{Breaker, Gate};
pub use change::name_people;
pub use gate::State;
pub use lane::{LEASE, Spec};

use crate::store::{Lane, Store};
use lane::Runner;

/// All lanes of the hub.
pub struct Lanes {
    running: RwLock<BTreeMap<Lane, Running>>,
    waker: JoinHandle<()>,
}

struct Running {
    runner: Arc<Runner>,
    task: JoinHandle<()>,
}

impl Lanes {
    /// No lane yet; the store's commits will wake those that are started.
    pub fn new(store: &Store) -> Arc<Self> {
        let mut wakes = store.wakes();
        Arc::new_cyclic(|lanes: &std::sync::Weak<Lanes>| {
            let lanes = lanes.clone();
            let waker = tokio::spawn(async move {
                loop {
                    let woken = wakes.recv().await;
                    let Some(lanes) = lanes.upgrade() else { return };
                    match woken {
                        Ok(woken) => woken.iter().for_each(|lane| lanes.wake(lane)),
                        Err(RecvError::Lagged(_)) => lanes.wake_all(),
                        Err(RecvError::Closed) => return,
                    }
                }
            });
            Lanes { running: RwLock::default(), waker }
        })
    }

    /// Starts a lane, in place of the one of the same name if there is one.
    pub async fn start(&self, spec: Spec) {
        let runner = Runner::new(spec);
        self.stop(&runner.lane).await;
        let task = tokio::spawn(runner.clone().run());
        let lane = runner.lane.clone();
        self.running.write().unwrap_or_else(PoisonError::into_inner).insert(lane, Running { runner, task });
    }

    /// Stops a lane once its calls under way have ended.
    pub async fn stop(&self, lane: &Lane) {
        let running = self.running.write().unwrap_or_else(PoisonError::into_inner).remove(lane);
        if let Some(Running { runner, task }) = running {
            runner.stop();
            let _ = task.await;
        }
    }

    /// Stops all lanes; those whose calls have not ended after `patience` are left behind, and their deliveries are
    /// taken up again when their leases end.
    pub async fn shut(&self, patience: Duration) {
        self.waker.abort();
        let running = std::mem::take(&mut *self.running.write().unwrap_or_else(PoisonError::into_inner));
        running.values().for_each(|one| one.runner.stop());
        let ended = futures::future::join_all(running.into_values().map(|one| one.task));
        if tokio::time::timeout(patience, ended).await.is_err() {
            tracing::warn!("some deliveries were still under way; they will be taken up again");
        }
    }

    /// Something may be due in this lane.
    pub fn wake(&self, lane: &Lane) {
        self.with(|running| running.get(lane).into_iter().for_each(|one| one.runner.wake()));
    }

    fn wake_all(&self) {
        self.with(|running| running.values().for_each(|one| one.runner.wake()));
    }

    /// A person wants this lane to go on now, whatever it waits for. False when there is none.
    pub fn resume(&self, lane: &Lane) -> bool {
        self.with(|running| running.get(lane).map(|one| one.runner.resume()).is_some())
    }

    /// How the lanes of a tenant stand.
    pub fn states(&self, tenant: &str) -> Vec<State> {
        self.with(|running| {
            let own = running.iter().filter(|(lane, _)| lane.tenant == tenant);
            own.map(|(_, one)| one.runner.state()).collect()
        })
    }

    /// The lanes there are.
    pub fn all(&self) -> Vec<Lane> {
        self.with(|running| running.keys().cloned().collect())
    }

    fn with<T>(&self, look: impl FnOnce(&BTreeMap<Lane, Running>) -> T) -> T {
        look(&self.running.read().unwrap_or_else(PoisonError::into_inner))
    }
}
