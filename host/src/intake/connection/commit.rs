//! What connections report, committed in the order in which it was reported, and kept until it is.
//!
//! One task for each source. It outlives sessions and connections: what a session has reported is committed even when
//! the session is gone by then. While the store is away it keeps what it has and tries again; the queue before it is
//! bounded, so a session waits, and its connection is not read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::order::{Reply, Settled};
use crate::components::contract::Job;
use crate::intake::Entry;
use crate::model::{Instant, Observation};
use crate::store::{Intake, Store, StoreError};

/// Reports that may wait; a session that has more waits itself.
const WAITING: usize = 64;

/// Observations that are gathered into one intake. What one step reported is never parted.
const LARGEST: usize = 512;

/// Between two tries while the store is away: the first pause, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What one step of a session reported.
pub(super) struct Report {
    pub entry: Arc<Entry>,
    pub received_at: Instant,
    pub observations: Vec<Observation>,
    pub jobs: Vec<Job>,
    /// Given once all of this is committed.
    pub answers: Vec<(Reply, Settled)>,
    /// Told once all of this is committed.
    pub committed: Option<oneshot::Sender<()>>,
}

impl Report {
    /// Nothing yet.
    pub fn new(entry: Arc<Entry>) -> Self {
        let (observations, jobs, answers) = (Vec::new(), Vec::new(), Vec::new());
        Report { entry, received_at: Instant::now(), observations, jobs, answers, committed: None }
    }

    /// Adds a sighting. When the source's clock says nothing, it counts as seen now: later ones win.
    pub fn observe(&mut self, mut observation: Observation) {
        observation.at.get_or_insert(self.received_at);
        self.observations.push(observation);
    }

    /// Whether there is anything to be stored.
    pub fn has_news(&self) -> bool {
        !self.observations.is_empty() || !self.jobs.is_empty()
    }
}

/// Numbers of what was reported.
#[derive(Default)]
pub(super) struct Tally {
    /// Observations in the ledger.
    pub committed: AtomicU64,
    /// Observations that the ledger can never take.
    pub dropped: AtomicU64,
    /// Observations that wait to be committed.
    pub waiting: AtomicU64,
}

/// Commits what one source's connections report. Clones are one.
#[derive(Clone)]
pub(super) struct Committer {
    queue: mpsc::Sender<Report>,
    tally: Arc<Tally>,
    task: Arc<AbortOnDropHandle<()>>,
}

impl Committer {
    /// Starts the task.
    pub fn start(store: Store) -> Self {
        let tally = Arc::<Tally>::default();
        let (queue, reports) = mpsc::channel(WAITING);
        let task = tokio::spawn(run(store, reports, tally.clone()));
        Committer { queue, tally, task: Arc::new(AbortOnDropHandle::new(task)) }
    }

    /// What it has done so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether something is still to be committed.
    pub fn is_busy(&self) -> bool {
        self.queue.capacity() < self.queue.max_capacity() || self.tally.waiting.load(Ordering::Relaxed) > 0
    }

    /// Waits for room for a report. Ask for it before there is one: then none is lost when the wait is given up.
    pub async fn room(&self) -> Room<'_> {
        // The task, and its end of the queue, live as long as this does.
        Room { place: self.queue.reserve().await.ok(), tally: &self.tally }
    }

    /// Waits until everything that was reported so far is committed.
    pub async fn drained(&self, entry: Arc<Entry>) {
        let committed = self.room().await.committed(Report::new(entry));
        let _ = committed.await;
    }

    /// Waits until everything that was reported is committed, and ends. What is not committed after `patience` is lost;
    /// answers how many observations that are.
    pub async fn finish(self, patience: Duration) -> u64 {
        let Committer { queue, tally, task } = self;
        drop(queue);
        if let Ok(task) = Arc::try_unwrap(task).map_err(drop)
            && tokio::time::timeout(patience, task).await.is_ok()
        {
            return 0;
        }
        tally.waiting.load(Ordering::Relaxed)
    }
}

/// Room for one report.
pub(super) struct Room<'a> {
    place: Option<mpsc::Permit<'a, Report>>,
    tally: &'a Tally,
}

impl Room<'_> {
    /// Hands a report over.
    pub fn report(self, report: Report) {
        self.tally.waiting.fetch_add(report.observations.len() as u64, Ordering::Relaxed);
        if let Some(place) = self.place {
            place.send(report);
        }
    }

    /// Hands a report over; what is returned is told when it is committed.
    pub fn committed(self, mut report: Report) -> oneshot::Receiver<()> {
        let (told, committed) = oneshot::channel();
        report.committed = Some(told);
        self.report(report);
        committed
    }
}

async fn run(store: Store, mut reports: mpsc::Receiver<Report>, tally: Arc<Tally>) {
    let mut waiting = Vec::new();
    while reports.recv_many(&mut waiting, WAITING).await > 0 {
        let (mut ready, mut of_size): (Vec<Report>, usize) = (Vec::new(), 0);
        for report in waiting.drain(..) {
            // One intake has one entry: what its numbers and routes are.
            let fits = ready.last().is_none_or(|last| Arc::ptr_eq(&last.entry, &report.entry));
            if !fits || of_size + report.observations.len() > LARGEST {
                commit(&store, std::mem::take(&mut ready), &tally).await;
                of_size = 0;
            }
            of_size += report.observations.len();
            ready.push(report);
        }
        commit(&store, ready, &tally).await;
    }
}

async fn commit(store: &Store, mut reports: Vec<Report>, tally: &Tally) {
    let Some(last) = reports.last() else { return };
    let entry = last.entry.clone();
    let received_at = last.received_at;
    entry.hearing.heard(received_at);
    let observations: Vec<Observation> =
        reports.iter_mut().flat_map(|report| std::mem::take(&mut report.observations)).collect();
    let jobs: Vec<Job> = reports.iter_mut().flat_map(|report| std::mem::take(&mut report.jobs)).collect();
    let count = observations.len();
    if count > 0 || !jobs.is_empty() {
        let mut intake = entry.intake(received_at, observations);
        intake.jobs = jobs;
        let kept = keep(store, intake).await;
        tally.committed.fetch_add(kept as u64, Ordering::Relaxed);
        tally.dropped.fetch_add((count - kept) as u64, Ordering::Relaxed);
        tally.waiting.fetch_sub(count as u64, Ordering::Relaxed);
        count_observations(&entry, kept, count - kept);
    }
    for report in reports {
        for (reply, settled) in report.answers {
            // Who asked may have gone meanwhile.
            let _ = reply.send(settled);
        }
        if let Some(told) = report.committed {
            let _ = told.send(());
        }
    }
}

fn count_observations(entry: &Entry, kept: usize, dropped: usize) {
    for (outcome, count) in [("committed", kept), ("dropped", dropped)] {
        if count > 0 {
            let (tenant, source) = (entry.tenant.name.clone(), entry.name.clone());
            metrics::counter!("cordboard_observations_total", "tenant" => tenant, "source" => source, "outcome" => outcome)
                .increment(count as u64);
        }
    }
}

/// Commits, however long it takes; answers how many observations the ledger took. What it refuses for ever is left out,
/// and only that.
async fn keep(store: &Store, intake: Intake) -> usize {
    let all = intake.observations.len();
    let Err(why) = persist(store, &intake).await else { return all };
    if all <= 1 {
        refused(&intake, &why);
        return 0;
    }
    let mut kept = 0;
    for (at, observation) in intake.observations.iter().enumerate() {
        let mut one = Intake { observations: vec![observation.clone()], jobs: Vec::new(), ..intake.clone() };
        if at == 0 {
            one.jobs = intake.jobs.clone();
        }
        match persist(store, &one).await {
            Ok(()) => kept += 1,
            Err(why) => refused(&one, &why),
        }
    }
    kept
}

fn refused(intake: &Intake, why: &StoreError) {
    let Intake { tenant, source, observations, .. } = intake;
    let subject = observations.first().map(|observation| &observation.id);
    tracing::error!(tenant, source, subject, "the ledger does not take what a connection reported: {why}");
}

/// Tries until the store is there.
async fn persist(store: &Store, intake: &Intake) -> Result<(), StoreError> {
    let mut pause = PAUSE;
    loop {
        match store.commit(intake.clone()).await {
            Ok(_) => return Ok(()),
            Err(why) if why.passing() => {
                if pause == PAUSE {
                    let Intake { tenant, source, observations, .. } = intake;
                    let count = observations.len();
                    tracing::warn!(tenant, source, count, "what a connection reported waits for the store: {why}");
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(why) => return Err(why),
        }
    }
}
