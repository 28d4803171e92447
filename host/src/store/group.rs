//! Group commit: one task takes whatever is waiting, up to a bound, and handles it together.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::error::StoreError;

type Result<T, E = StoreError> = std::result::Result<T, E>;
type Waiting<T, R> = (T, oneshot::Sender<Result<R>>);

/// A commit that takes longer is worth a pause before the next.
const SLOW: Duration = Duration::from_millis(3);
/// A failure so quick was found out, not waited for.
const AT_ONCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(1);

/// Handles a batch: one result for each item, in order, or an error for the whole of it, when nothing was done.
pub(super) trait Handler: Send + Sync + 'static {
    /// What waits.
    type Item: Send + 'static;
    /// What comes of it.
    type Outcome: Send + 'static;

    /// Handles a batch in one transaction.
    fn handle(&self, items: &mut [Self::Item]) -> impl Future<Output = Result<Vec<Result<Self::Outcome>>>> + Send;

    /// Makes the last try for an item that failed by itself as well; false when there is none.
    fn soften(&self, _item: &mut Self::Item) -> bool {
        false
    }
}

/// The queue before a handler.
pub(super) struct Group<H: Handler> {
    sender: mpsc::Sender<Waiting<H::Item, H::Outcome>>,
    stop: CancellationToken,
    task: std::sync::Mutex<Option<JoinHandle<()>>>,
}

impl<H: Handler> Group<H> {
    /// Starts the task.
    pub fn start(handler: H, queue: usize, batch: usize) -> Self {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(handler, receiver, batch.max(1), stop.clone()));
        Group { sender, stop, task: std::sync::Mutex::new(Some(task)) }
    }

    /// Items that wait now.
    pub fn waiting(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// Hands an item over and waits for what comes of it. A full queue is an error at once.
    pub async fn submit(&self, item: H::Item) -> Result<H::Outcome> {
        let (answer, outcome) = oneshot::channel();
        match self.sender.try_send((item, answer)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Err(StoreError::Busy(self.sender.max_capacity())),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(closed()),
        }
        outcome.await.unwrap_or_else(|_| Err(closed()))
    }

    /// As `submit`, waiting for room in the queue.
    pub async fn submit_patiently(&self, item: H::Item) -> Result<H::Outcome> {
        let (answer, outcome) = oneshot::channel();
        self.sender.send((item, answer)).await.map_err(|_| closed())?;
        outcome.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Handles what is waiting and ends the task.
    pub async fn close(&self) {
        self.stop.cancel();
        let task = self.task.lock().ok().and_then(|mut task| task.take());
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

impl<H: Handler> Drop for Group<H> {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().ok().and_then(|mut task| task.take()) {
            task.abort();
        }
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

async fn run<H: Handler>(
    handler: H,
    mut receiver: mpsc::Receiver<Waiting<H::Item, H::Outcome>>,
    batch: usize,
    stop: CancellationToken,
) {
    let mut waiting = Vec::with_capacity(batch);
    loop {
        let taken = tokio::select! {
            biased;
            taken = receiver.recv_many(&mut waiting, batch) => taken,
            () = stop.cancelled(), if !receiver.is_closed() => {
                receiver.close();
                continue;
            }
        };
        if taken == 0 {
            return;
        }
        let began = Instant::now();
        let (mut items, answers): (Vec<_>, Vec<_>) = waiting.drain(..).unzip();
        let outcomes = together(&handler, &mut items).await;
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Who asked may have gone meanwhile: what is done is done.
            let _ = answer.send(outcome);
        }
        // To let go of what was handled takes its time, too; the next batch does not wait for it.
        tokio::spawn(async move { drop(items) });
        // Where a commit waits for the disk, callers fall into two halves, each waiting for the other's commit. A
        // short pause lets those who were just answered come back and share the next one.
        if taken > 1 && taken + receiver.len() <= batch && began.elapsed() > SLOW {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// All in one transaction; when that fails because of an item, each by itself, so that only the bad one fails.
async fn together<H: Handler>(handler: &H, items: &mut [H::Item]) -> Vec<Result<H::Outcome>> {
    let began = Instant::now();
    let mut first = guarded(handler, items).await;
    if matches!(first, Err(StoreError::Unavailable(_))) && began.elapsed() < AT_ONCE {
        // A connection that broke while it was idle is seen only now; a fresh one may well work.
        first = guarded(handler, items).await;
    }
    let why = match first {
        Ok(outcomes) => return outcomes,
        Err(why) => why,
    };
    if let StoreError::Unavailable(why) = why {
        let why: Arc<str> = why.into();
        return items.iter().map(|_| Err(StoreError::Unavailable(why.to_string()))).collect();
    }
    let mut outcomes = Vec::with_capacity(items.len());
    for item in items {
        outcomes.push(alone(handler, item).await);
    }
    outcomes
}

async fn alone<H: Handler>(handler: &H, item: &mut H::Item) -> Result<H::Outcome> {
    let mut outcome = guarded(handler, std::slice::from_mut(item)).await;
    if matches!(outcome, Err(StoreError::Refused(_))) && handler.soften(item) {
        outcome = guarded(handler, std::slice::from_mut(item)).await;
    }
    outcome?.pop().unwrap_or_else(|| Err(StoreError::Refused("nothing came of it".into())))
}

/// A panic in a route's condition or in a merge costs its own item and nothing else.
async fn guarded<H: Handler>(handler: &H, items: &mut [H::Item]) -> Result<Vec<Result<H::Outcome>>> {
    match AssertUnwindSafe(handler.handle(items)).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) => Err(StoreError::Refused("a panic inside the commit".into())),
    }
}
