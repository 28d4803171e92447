//! Before each place that may not answer, so that a dead one costs itself: so many are in there at once, and nobody waits
//! for longer than so.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The way to one place.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    patience: Duration,
}

/// It was not reached, or did not answer, in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not answer")]
pub(crate) struct Late;

impl From<Late> for std::io::Error {
    fn from(late: Late) -> Self {
        std::io::Error::new(ErrorKind::TimedOut, late)
    }
}

impl Gate {
    /// For so many at once.
    pub fn new(places: usize, patience: Duration) -> Self {
        Gate { places: Arc::new(Semaphore::new(places)), patience }
    }

    /// A place, until it is dropped.
    pub async fn place(&self) -> Result<OwnedSemaphorePermit, Late> {
        let place = tokio::time::timeout(self.patience, self.places.clone().acquire_owned()).await;
        place.map_err(|_| Late)?.map_err(|_| Late)
    }

    /// Does this. Work that is late goes on, and keeps its place until it ends.
    pub async fn task<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Late> {
        let passing = async {
            let place = self.places.clone().acquire_owned().await.map_err(|_| Late)?;
            let working = tokio::spawn(async move {
                let _place = place;
                work.await
            });
            working.await.map_err(|_| Late)
        };
        tokio::time::timeout(self.patience, passing).await.map_err(|_| Late)?
    }

    /// Does this on a thread of its own, which may never come back.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Late> {
        self.task(async move { tokio::task::spawn_blocking(work).await }).await?.map_err(|_| Late)
    }
}

/// A gate for each place, by its name.
pub(super) struct Gates {
    gates: Mutex<HashMap<String, Gate>>,
    places: usize,
    patience: Duration,
}

impl Gates {
    /// All of them alike.
    pub fn new(places: usize, patience: Duration) -> Self {
        Gates { gates: Mutex::default(), places, patience }
    }

    /// The one before this place.
    pub fn of(&self, place: &str) -> Gate {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(place.to_owned()).or_insert_with(|| Gate::new(self.places, self.patience)).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_dead_place_takes_its_own_threads_and_nobody_waits_for_it() {
        let gates = Gates::new(2, Duration::from_secs(1));
        let begun = Arc::new(AtomicUsize::new(0));
        let (release, held) = mpsc::sync_channel::<()>(0);
        let held = Arc::new(Mutex::new(held));
        let ask = || {
            let (begun, held) = (begun.clone(), held.clone());
            let hangs = move || {
                begun.fetch_add(1, Ordering::SeqCst);
                let _ = held.lock().unwrap_or_else(PoisonError::into_inner).recv();
            };
            let gate = gates.of("dead");
            async move { gate.blocking(hangs).await }
        };
        let all = futures::future::join_all((0..20).map(|_| ask())).await;
        assert_eq!(all, vec![Err(Late); 20]);
        assert_eq!(ask().await, Err(Late), "those who wait in there are still in there");
        assert_eq!(begun.load(Ordering::SeqCst), 2, "no more threads than places");
        assert_eq!(gates.of("other").blocking(|| 7).await, Ok(7), "another place has its own");
        drop(release);
        let answered = async { while gates.of("dead").blocking(|| 7).await != Ok(7) {} };
        tokio::time::timeout(Duration::from_secs(10), answered).await.expect("it answers again, and is asked again");
    }
}
