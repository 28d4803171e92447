//! Reading a source page by page. A page and the cursor that follows it are stored in one transaction, so a crash
//! neither loses a page nor counts one twice.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Entry;
use crate::components::contract::{Failure, Page};
use crate::model::Instant;
use crate::store::{ClaimedJob, PageDone, Store, StoreError};

/// How long one page may be under way before another node may read it.
const LEASE: Duration = Duration::from_secs(120);

/// Between two looks for a job, when none is known of.
const IDLE: Duration = Duration::from_secs(2);

/// The longest wait after a failed page.
const CEILING: Duration = Duration::from_secs(900);

/// A page that failed so often in a row ends its job.
const TRIES: u32 = 12;

/// Reads the jobs of a source until it is stopped.
pub async fn read(entry: Arc<Entry>, store: Store, stop: CancellationToken) {
    loop {
        let wait = match step(&entry, &store).await {
            Ok(Some(wait)) => wait,
            Ok(None) => IDLE,
            Err(why) => {
                tracing::error!(tenant = entry.tenant.name, source = entry.name, "a job cannot go on: {why}");
                IDLE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Reads one page, if one is due; how long to wait before the next, when it is known.
async fn step(entry: &Arc<Entry>, store: &Store) -> Result<Option<Duration>, StoreError> {
    let (tenant, source) = (&entry.tenant.name, &entry.name);
    let Some(claimed) = store.claim_job(tenant, source, LEASE).await? else { return Ok(None) };
    let (job, cursor) = (claimed.job.clone(), claimed.cursor.clone());
    let call = |component: Arc<crate::components::Use>| {
        let (job, cursor) = (job.clone(), cursor.clone());
        async move { component.next(job, cursor).await }
    };
    let page = match entry.component.call(call).await {
        (Ok(Ok(page)), _) => page,
        (Ok(Err(failure)), _) => return failed(store, &claimed, &failure).await,
        (Err(fault), _) => {
            let failure = Failure::Retryable { why: fault.to_string(), status: None, after: None };
            return failed(store, &claimed, &failure).await;
        }
    };
    let wait = page.after.unwrap_or_default();
    keep(entry, store, &claimed, page).await?;
    Ok(Some(wait))
}

/// Stores a page with the cursor that follows it. What the hub would refuse of it is left out and counted.
async fn keep(entry: &Arc<Entry>, store: &Store, claimed: &ClaimedJob, page: Page) -> Result<(), StoreError> {
    let reported = page.observations.len();
    let mut observations = page.observations;
    observations.retain(|observation| match observation.check() {
        Ok(()) => true,
        Err(rejected) => {
            tracing::warn!(tenant = entry.tenant.name, source = entry.name, "left out of a page: {rejected}");
            false
        }
    });
    let mut progress = page.progress;
    if let Some(stage) = progress.last_mut() {
        stage.errors += u32::try_from(reported - observations.len()).unwrap_or(u32::MAX);
    }
    let mut intake = entry.intake(Instant::now(), observations);
    intake.page = Some(PageDone {
        claim: claimed.claim,
        job: claimed.job.id.clone(),
        next: page.next,
        next_at: Instant::now().after(page.after.unwrap_or_default()),
        progress,
    });
    store.commit(intake).await.map(drop)
}

async fn failed(store: &Store, claimed: &ClaimedJob, failure: &Failure) -> Result<Option<Duration>, StoreError> {
    let doubled = Duration::from_secs(1).saturating_mul(2_u32.saturating_pow(claimed.attempt.min(20))).min(CEILING);
    let wait = match failure {
        Failure::Retryable { after, .. } | Failure::RateLimited { after } => Some(after.unwrap_or(doubled)),
        Failure::Unauthorized { .. } => Some(CEILING),
        Failure::Rejected { .. } | Failure::Misconfigured { .. } => None,
    };
    let again = wait.filter(|_| claimed.attempt < TRIES).map(|wait| Instant::now().after(wait));
    let why = failure.to_string();
    if again.is_none() {
        tracing::error!(tenant = claimed.tenant, source = claimed.source, job = claimed.job.id, "given up: {why}");
    }
    store.fail_job(claimed, &why, again).await?;
    Ok(None)
}
