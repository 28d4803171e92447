//! Reading a source page by page. A page and the cursor that follows it are stored in one transaction, so a crash
//! neither loses a page nor counts one twice.
//!
//! One page of a source is under way at a time. What a job waits for holds up nobody else; what the outside system asks
//! for holds up them all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
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

/// What somebody wants read.
#[derive(Clone, Debug, Default)]
pub struct Wanted<'a> {
    /// The component's own word.
    pub kind: &'a str,
    /// The session; all of them when absent.
    pub session: Option<&'a str>,
    /// What the job is given, as the component says that it may be.
    pub parameters: Map<String, Value>,
}

/// How the ids of jobs begin that were given something of their own.
const ASKED: &str = "asked/";

/// Starts reading by hand. A job of this kind that runs goes on at once; one that is over begins anew. What is given
/// parameters is a job of its own: none that goes on by itself is led elsewhere. Of several jobs the first.
pub async fn start(entry: &Entry, store: &Store, wanted: &Wanted<'_>) -> Result<JobRow, StoreError> {
    let (tenant, source) = (&entry.tenant.name, &entry.name);
    let rows = store.jobs(tenant, Some(source)).await?;
    let now = Instant::now();
    let jobs = meant(&rows, wanted);
    for (id, session) in &jobs {
        let mut parameters = wanted.parameters.clone();
        parameters.insert("session".to_owned(), session.clone().into());
        parameters.insert("at".to_owned(), now.millis().into());
        let (id, kind, parameters) = (id.clone(), wanted.kind.to_owned(), Value::Object(parameters).to_string());
        let job = Job { id, kind, parameters, session: session.clone(), anew: Some(now.after(IDLE)) };
        store.start_job(tenant, source, &job).await?;
    }
    let first = jobs.first().map_or("", |(id, _)| id.as_str());
    store.job(tenant, source, first).await?.ok_or(StoreError::Missing("job"))
}

/// The jobs that are meant, with the sessions that they read through.
fn meant(rows: &[JobRow], wanted: &Wanted<'_>) -> Vec<(String, Option<String>)> {
    let Wanted { kind, session, parameters } = wanted;
    let runs = |row: &&JobRow| row.state == JobState::Running;
    let own = || rows.iter().filter(move |row| row.job.kind == *kind && !row.job.id.starts_with(ASKED));
    let sessions: BTreeSet<&str> = rows.iter().filter(runs).filter_map(|row| row.job.session.as_deref()).collect();
    if !parameters.is_empty() {
        let only = || sessions.first().copied().filter(|_| sessions.len() == 1);
        let session = (*session).or_else(only);
        let digest = Sha256::digest(json!([kind, session, parameters]).to_string());
        return vec![(format!("{ASKED}{kind}/{}", hex::encode(&digest[..8])), session.map(str::to_owned))];
    }
    let of = |session: &str| {
        let mut same = own().filter(|row| row.job.session.as_deref() == Some(session)).peekable();
        let latest = same.peek().copied();
        let id = match same.find(runs).or(latest) {
            Some(row) => row.job.id.clone(),
            // The one session that a source has needs no name.
            None if sessions.iter().all(|one| *one == session) => (*kind).to_owned(),
            None => format!("{kind}/{session}"),
        };
        (id, Some(session.to_owned()))
    };
    if let Some(session) = *session {
        return vec![of(session)];
    }
    if let Some(whole) = own().filter(runs).find(|row| row.job.session.is_none()) {
        return vec![(whole.job.id.clone(), None)];
    }
    if own().any(|row| runs(&row)) {
        // Each session has a job of its own.
        return sessions.iter().copied().map(of).collect();
    }
    vec![((*kind).to_owned(), None)]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, kind: &str, session: Option<&str>, state: JobState) -> JobRow {
        let (id, kind, session) = (id.to_owned(), kind.to_owned(), session.map(str::to_owned));
        JobRow {
            source: "whatsapp".to_owned(),
            job: Job { id, kind, session, ..Job::default() },
            state,
            progress: Vec::new(),
            held: false,
            attempts: 0,
            why: None,
            next_at: None,
            started_at: Instant::default(),
            updated_at: Instant::default(),
        }
    }

    fn ids(rows: &[JobRow], kind: &str, session: Option<&str>) -> Vec<String> {
        let wanted = Wanted { kind, session, ..Wanted::default() };
        meant(rows, &wanted).into_iter().map(|(id, _)| id).collect()
    }

    #[test]
    fn by_hand_it_is_the_job_that_is_there() {
        use JobState::{Done, Running};
        assert_eq!(ids(&[], "sync", None), ["sync"]);
        assert_eq!(ids(&[], "sync", Some("main")), ["sync"]);
        let one = [row("repair", "repair", Some("main"), Running), row("sync", "sync", Some("main"), Done)];
        for session in [None, Some("main")] {
            assert_eq!(ids(&one, "sync", session), ["sync"]);
            assert_eq!(ids(&one, "repair", session), ["repair"]);
        }
        assert_eq!(ids(&one, "sync", Some("other")), ["sync/other"]);

        let repairs = ["a", "b"].map(|session| row(&format!("repair/{session}"), "repair", Some(session), Running));
        assert_eq!(ids(&repairs, "repair", None), ["repair/a", "repair/b"], "all sessions");
        assert_eq!(ids(&repairs, "repair", Some("b")), ["repair/b"]);
        assert_eq!(ids(&repairs, "sync", None), ["sync"]);
        assert_eq!(ids(&repairs, "sync", Some("b")), ["sync/b"]);
        let [first, second] = repairs;
        let half = [row("sync/a", "sync", Some("a"), Running), first.clone(), second.clone()];
        assert_eq!(ids(&half, "sync", None), ["sync/a", "sync/b"], "and none twice");
        let whole = [row("sync", "sync", None, Running), first, second];
        assert_eq!(ids(&whole, "sync", None), ["sync"]);
    }

    #[test]
    fn what_is_given_parameters_leads_no_other_job_elsewhere() {
        let rows = [row("repair", "repair", Some("main"), JobState::Running)];
        let asked = |chat: &str| {
            let parameters = Map::from_iter([("chat".to_owned(), Value::from(chat))]);
            meant(&rows, &Wanted { kind: "repair", session: None, parameters }).remove(0)
        };
        let (id, session) = asked("34600111222");
        assert!(id.starts_with("asked/repair/"), "{id}");
        assert_eq!(session.as_deref(), Some("main"), "it waits for its session, too");
        assert_eq!(asked("34600111222").0, id, "the same is one job");
        assert_ne!(asked("34600111333").0, id);
        let with = [row(&id, "repair", Some("main"), JobState::Running), rows[0].clone()];
        assert_eq!(ids(&with, "repair", None), ["repair"]);
    }
}
