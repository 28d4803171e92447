//! Reading a source page by page. A page and the cursor that follows it are stored in one transaction, so a crash
//! neither loses a page nor counts one twice.
//!
//! One page of a source is under way at a time. What a job waits for holds up nobody else; what the outside system asks
//! for holds up them all.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::Entry;
use super::pace::believed;
use crate::components::Use;
use crate::components::contract::{Ability, Failure, Job, Page};
use crate::delivery::{Alert, Bell};
use crate::live::{Audience, Live};
use crate::model::Instant;
use crate::store::{ClaimedJob, JobRow, JobState, PageDone, Store, StoreError};

/// How long one page may be under way before another node may read it, unless it is prolonged.
const LEASE: Duration = Duration::from_secs(120);

/// Between two looks for a job, when none is known of.
const IDLE: Duration = Duration::from_secs(2);

/// The longest wait after a failed page.
const CEILING: Duration = Duration::from_secs(900);

/// After so many failures in a row a person is told; a job that breaks its component down so often is given up.
const TRIES: u32 = 12;

/// Reads the jobs of one source.
pub struct Reader {
    /// The source.
    pub entry: Arc<Entry>,
    /// Where the jobs are.
    pub store: Store,
    /// Tells how far they are.
    pub live: Arc<Live>,
    /// Tells what does not go on.
    pub bell: Bell,
}

/// Whether a source can be read.
pub fn can_be_read(entry: &Entry) -> bool {
    entry.component.component().component().abilities().has(Ability::Pull)
}

/// Starts reading by hand. A job of this kind that runs goes on at once; one that is over begins anew.
pub async fn start(entry: &Entry, store: &Store, kind: &str, session: Option<&str>) -> Result<JobRow, StoreError> {
    let (tenant, source) = (&entry.tenant.name, &entry.name);
    let rows = store.jobs(tenant, Some(source)).await?;
    let same = |row: &&JobRow| row.job.kind == kind && (session.is_none() || row.job.session.as_deref() == session);
    let running = rows.iter().find(|row| row.state == JobState::Running && same(row));
    let named = || rows.iter().find(|row| session.is_some() && same(row));
    let id = match running.or_else(named) {
        Some(row) => row.job.id.clone(),
        None => session.map_or_else(|| kind.to_owned(), |session| format!("{kind}/{session}")),
    };
    let session = session.map(str::to_owned).or_else(|| running.and_then(|row| row.job.session.clone()));
    let now = Instant::now();
    let parameters = json!({ "session": session, "at": now.millis() }).to_string();
    let job = Job { id, kind: kind.to_owned(), parameters, session, anew: Some(now.after(IDLE)) };
    store.start_job(tenant, source, &job).await?;
    store.job(tenant, source, &job.id).await?.ok_or(StoreError::Missing("job"))
}

impl Reader {
    /// Reads until it is stopped. A source that is `new` is asked first what is to be read by itself.
    pub async fn run(self, new: bool, stop: CancellationToken) {
        let mut asked = !new;
        loop {
            tokio::select! {
                () = self.entry.pace.room() => {}
                () = stop.cancelled() => return,
            }
            let step = async {
                if !asked {
                    self.begin().await?;
                    asked = true;
                }
                self.step().await
            };
            let wait = match step.await {
                Ok(true) | Err(StoreError::Lost(_)) => Duration::ZERO,
                Ok(false) => self.idle().await,
                Err(why) => {
                    self.complain(&format!("jobs cannot go on: {why}"));
                    IDLE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Starts what the component wants to be read by itself.
    async fn begin(&self) -> Result<(), StoreError> {
        let (tenant, source) = self.names();
        match self.entry.component.component().begin().await.0 {
            Ok(jobs) => {
                for job in jobs {
                    self.store.start_job(tenant, source, &job).await?;
                }
            }
            Err(fault) => self.complain(&fault.to_string()),
        }
        Ok(())
    }

    /// Until the next page is due, if that is soon.
    async fn idle(&self) -> Duration {
        let (tenant, source) = self.names();
        let due = self.store.next_page(tenant, source).await.ok().flatten();
        let now = Instant::now();
        // What is due and not to be had waits for its session, or another node has it.
        due.filter(|due| *due > now).map_or(IDLE, |due| Duration::from_millis(due.millis() - now.millis())).min(IDLE)
    }

    /// Reads one page, if one is due.
    async fn step(&self) -> Result<bool, StoreError> {
        let (tenant, source) = self.names();
        let Some(claimed) = self.store.claim_job(tenant, source, LEASE).await? else { return Ok(false) };
        self.entry.pace.page();
        match self.page(&claimed).await {
            Ok(page) => match self.keep(&claimed, page).await {
                // What the ledger never takes is told and given up, as when a component breaks down.
                Err(why @ (StoreError::Refused(_) | StoreError::Corrupt(_))) => {
                    let failure = Failure::Retryable { why: why.to_string(), status: None, after: None };
                    self.failed(&claimed, failure, true).await?;
                }
                kept => kept?,
            },
            Err((failure, fault)) => self.failed(&claimed, failure, fault).await?,
        }
        if let Some(row) = self.store.job(tenant, source, &claimed.job.id).await? {
            self.tell(&row);
        }
        Ok(true)
    }

    /// Asks the component for a page; its claim is prolonged meanwhile. A fault is a failure of the component's own.
    async fn page(&self, claimed: &ClaimedJob) -> Result<Page, (Failure, bool)> {
        let (job, cursor) = (claimed.job.clone(), claimed.cursor.clone());
        let call = |component: Arc<Use>| {
            let (job, cursor) = (job.clone(), cursor.clone());
            async move { component.next(job, cursor).await }
        };
        let mut called = std::pin::pin!(self.entry.component.call(call));
        let (page, exchanges) = loop {
            tokio::select! {
                called = &mut called => break called,
                () = tokio::time::sleep(LEASE / 3) => drop(self.store.renew_job(claimed, LEASE).await),
            }
        };
        self.entry.pace.more(exchanges.len().saturating_sub(1));
        match page {
            Ok(page) => page.map_err(|failure| (failure, false)),
            Err(fault) => Err((Failure::Retryable { why: fault.to_string(), status: None, after: None }, true)),
        }
    }

    /// Stores a page with the cursor that follows it. What the hub would refuse of it is left out and counted.
    async fn keep(&self, claimed: &ClaimedJob, page: Page) -> Result<(), StoreError> {
        let reported = page.observations.len();
        let mut observations = page.observations;
        observations.retain(|observation| match observation.check() {
            Ok(()) => true,
            Err(rejected) => {
                let (tenant, source) = self.names();
                tracing::warn!(tenant, source, "left out of a page: {rejected}");
                false
            }
        });
        let mut progress = page.progress;
        if let Some(stage) = progress.last_mut() {
            stage.errors += u32::try_from(reported - observations.len()).unwrap_or(u32::MAX);
        }
        let mut intake = self.entry.intake(Instant::now(), observations);
        intake.page = Some(PageDone {
            claim: claimed.claim,
            job: claimed.job.id.clone(),
            next: page.next,
            next_at: Instant::now().after(page.after.unwrap_or_default()),
            progress,
        });
        self.store.commit(intake).await.map(drop)
    }

    async fn failed(&self, claimed: &ClaimedJob, failure: Failure, fault: bool) -> Result<(), StoreError> {
        let why = self.entry.component.component().redacted(&failure.to_string());
        let doubled = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(claimed.attempt.min(20))).min(CEILING);
        let wait = match failure {
            Failure::RateLimited { after } => {
                let held = self.entry.pace.hold(after).saturating_duration_since(std::time::Instant::now());
                return self.store.put_back_job(claimed, &why, Instant::now().after(held)).await.map(drop);
            }
            Failure::Retryable { .. } if fault && claimed.attempt >= TRIES => None,
            Failure::Retryable { after, .. } => Some(after.map_or(doubled, believed)),
            Failure::Unauthorized { .. } | Failure::Misconfigured { .. } => Some(CEILING),
            Failure::Rejected { .. } => None,
        };
        let (id, source) = (&claimed.job.id, &claimed.source);
        // What only passes by itself is told late, what a person must mend at once.
        let told = if matches!(failure, Failure::Retryable { .. }) { TRIES } else { 1 };
        match wait {
            None => self.ring("given up", format!("the job `{id}` of the source `{source}` was given up: {why}")),
            Some(_) if claimed.attempt == told => {
                self.ring("paused", format!("the job `{id}` of the source `{source}` does not go on: {why}"));
            }
            Some(_) => tracing::warn!(tenant = claimed.tenant, source, job = id, "a page was not read: {why}"),
        }
        let again = wait.map(|wait| Instant::now().after(wait));
        self.store.fail_job(claimed, &why, again).await.map(drop)
    }

    /// Tells how far a job is to those who see the whole tenant.
    fn tell(&self, row: &JobRow) {
        let mut about = Map::new();
        about.insert("source".to_owned(), row.source.clone().into());
        about.insert("job".to_owned(), serde_json::to_value(row).unwrap_or(Value::Null));
        self.live.notice(&self.entry.tenant.name, "job.progress", Audience::Supervisors, about);
    }

    fn ring(&self, kind: &'static str, why: String) {
        let (tenant, name) = (self.entry.tenant.name.clone(), self.entry.name.clone());
        self.bell.ring(Alert { kind, tenant, name, delivery: None, why, more: 0 });
    }

    fn complain(&self, why: &str) {
        let (tenant, source) = self.names();
        tracing::error!(tenant, source, "{why}");
    }

    fn names(&self) -> (&str, &str) {
        (self.entry.tenant.name.as_str(), self.entry.name.as_str())
    }
}
