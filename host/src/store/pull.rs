//! Jobs that read a source page by page.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::db::{Tx, Value, args};
use super::intake::Intake;
use super::ledger::prepared::Prepared;
use super::{Result, Store, claim_number, span};
use crate::model::Instant;

/// Something to read from beginning to end. Two jobs of one source with the same id are one job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id at the source.
    pub id: String,
    /// The component's own word.
    pub kind: String,
    /// The component's own JSON.
    pub parameters: String,
}

/// How far a stage of a job has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Its name.
    pub stage: String,
    /// Done so far.
    pub processed: u32,
    /// All there is, when known.
    pub total: Option<u32>,
    /// What went wrong.
    pub errors: u32,
}

/// A page that was read, to be stored with its observations in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageDone {
    /// The claim that the page was read under. When it is lost, the commit is refused.
    pub claim: i64,
    /// The job's id at the source.
    pub job: String,
    /// Where to go on; absent when the job is finished.
    pub next: Option<Vec<u8>>,
    /// Not before.
    pub next_at: Instant,
    /// How far each stage has come.
    pub progress: Vec<Progress>,
}

/// A job that a worker has to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The tenant.
    pub tenant: String,
    /// The source.
    pub source: String,
    /// The job.
    pub job: Job,
    /// Where to go on; absent for the first page.
    pub cursor: Option<Vec<u8>>,
    /// 1 for the first try of this page.
    pub attempt: u32,
    /// To be named when the page is stored.
    pub claim: i64,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// There is more to read.
    Running,
    /// Read to its end.
    Done,
    /// Given up.
    Failed,
}

/// A job, as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobRow {
    /// The source.
    pub source: String,
    /// The job.
    #[serde(flatten)]
    pub job: Job,
    /// How it stands.
    pub state: JobState,
    /// How far each stage has come.
    pub progress: Vec<Progress>,
    /// Tries of the present page.
    pub attempts: u32,
    /// Why the last try failed.
    pub why: Option<String>,
    /// When it was started.
    pub started_at: Instant,
    /// When it last moved.
    pub updated_at: Instant,
}

impl JobState {
    /// The word for it, as in tables and the API.
    pub fn word(self) -> &'static str {
        match self {
            JobState::Running => "running",
            JobState::Done => "done",
            JobState::Failed => "failed",
        }
    }
}

impl std::str::FromStr for JobState {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Self, String> {
        [JobState::Running, JobState::Done, JobState::Failed]
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| format!("`{word}` is not a state of a job: running, done or failed"))
    }
}

/// Which intakes may be committed: a page whose claim was lost may not.
pub(super) async fn admit(tx: &mut Tx, items: &[Prepared]) -> Result<Vec<bool>> {
    let mut admitted = vec![true; items.len()];
    for (prepared, admitted) in items.iter().zip(&mut admitted) {
        let Some(page) = &prepared.intake.page else { continue };
        let lock = if tx.is_postgres() { "for update" } else { "" };
        let sql = format!(
            "select 1 from pull where tenant = $1 and source = $2 and id = $3 and claim = $4 and state = 'running' {lock}"
        );
        let (tenant, source) = (prepared.intake.tenant.as_str(), prepared.intake.source.as_str());
        *admitted = !tx.fetch(sql, args![tenant, source, &page.job, page.claim]).await?.is_empty();
    }
    Ok(admitted)
}

/// Starts a job, unless it was started before.
pub(super) async fn start(tx: &mut Tx, tenant: &str, source: &str, job: &Job, again: bool) -> Result<bool> {
    let clock = tx.clock();
    let anew = match again {
        true => {
            "do update set state = 'running', kind = excluded.kind, parameters = excluded.parameters,
            cursor = null, progress = excluded.progress, attempts = 0, next_at = excluded.next_at, why = null,
            claim = null, started_at = excluded.started_at, updated_at = excluded.updated_at
            where p.state <> 'running'"
        }
        false => "do nothing",
    };
    let json = if tx.is_postgres() { "'[]'::jsonb" } else { "'[]'" };
    let sql = format!(
        "insert into pull as p (tenant, source, id, kind, parameters, state, progress, attempts, next_at, started_at,
             updated_at)
         values ($1, $2, $3, $4, $5, 'running', {json}, 0, {clock}, {clock}, {clock})
         on conflict (tenant, source, id) {anew}"
    );
    Ok(tx.execute(sql, args![tenant, source, &job.id, &job.kind, &job.parameters]).await? > 0)
}

/// Turns a page: the job goes on after it, or is over.
pub(super) async fn turn(tx: &mut Tx, intake: &Intake, page: &PageDone) -> Result<()> {
    let state = if page.next.is_some() { JobState::Running } else { JobState::Done };
    let progress = serde_json::to_string(&page.progress).unwrap_or_else(|_| "[]".into());
    let clock = tx.clock();
    let cast = if tx.is_postgres() { "::text::jsonb" } else { "" };
    let sql = format!(
        "update pull set state = $1, cursor = $2, progress = $3{cast}, attempts = 0, next_at = $4, why = null,
             claim = null, updated_at = {clock}
         where tenant = $5 and source = $6 and id = $7"
    );
    let (tenant, source) = (intake.tenant.as_str(), intake.source.as_str());
    let values = [
        state.word().into(),
        page.next.clone().into(),
        Value::Json(Some(progress)),
        page.next_at.into(),
        tenant.into(),
        source.into(),
        (&page.job).into(),
    ];
    tx.execute(sql, values).await.map(drop)
}

impl Store {
    /// Starts a job, unless it has been started before; true when it was new. A job that is over is started anew
    /// with `again`.
    pub async fn start_job(&self, tenant: &str, source: &str, job: &Job, again: bool) -> Result<bool> {
        let mut tx = self.db().begin().await?;
        let new = start(&mut tx, tenant, source, job, again).await?;
        tx.commit().await?;
        Ok(new)
    }

    /// Takes the job of a source whose next page is due longest.
    pub async fn claim_job(&self, tenant: &str, source: &str, lease: Duration) -> Result<Option<ClaimedJob>> {
        let mut tx = self.db().begin().await?;
        let (clock, taking) = (tx.clock(), tx.taking());
        let claim = claim_number();
        let sql = format!(
            "update pull set claim = $3, next_at = {clock} + $4, attempts = attempts + 1, updated_at = {clock}
             where tenant = $1 and source = $2 and id in (
                 select id from pull
                 where tenant = $1 and source = $2 and state = 'running' and next_at <= {clock}
                 order by next_at limit 1 {taking})
             returning id, kind, parameters, cursor, attempts"
        );
        let rows = tx.fetch(sql, args![tenant, source, claim, span(lease)]).await?;
        tx.commit().await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(ClaimedJob {
            tenant: tenant.to_owned(),
            source: source.to_owned(),
            job: Job { id: row.text(0)?, kind: row.text(1)?, parameters: row.text(2)? },
            cursor: row.opt_bytes(3)?,
            attempt: row.count(4)?.try_into().unwrap_or(u32::MAX),
            claim,
        }))
    }

    /// Prolongs the lease; false when it was lost.
    pub async fn renew_job(&self, job: &ClaimedJob, lease: Duration) -> Result<bool> {
        let clock = self.db().clock();
        let sql = format!(
            "update pull set next_at = {clock} + $1 where tenant = $2 and source = $3 and id = $4 and claim = $5"
        );
        let values = args![span(lease), &job.tenant, &job.source, &job.job.id, job.claim];
        Ok(self.db().execute(sql, values).await? > 0)
    }

    /// Gives a job back after a page that failed: tried again at `again`, or given up when that is absent. False when
    /// the claim was lost.
    pub async fn fail_job(&self, job: &ClaimedJob, why: &str, again: Option<Instant>) -> Result<bool> {
        let clock = self.db().clock();
        let state = if again.is_some() { JobState::Running } else { JobState::Failed };
        let sql = format!(
            "update pull set state = $1, why = $2, next_at = $3, claim = null, updated_at = {clock}
             where tenant = $4 and source = $5 and id = $6 and claim = $7"
        );
        let at = again.unwrap_or_else(Instant::now);
        let values = args![state.word(), why, at, &job.tenant, &job.source, &job.job.id, job.claim];
        Ok(self.db().execute(sql, values).await? > 0)
    }

    /// When the next page of a source is due; absent when no job runs. What is claimed counts from the end of its
    /// lease.
    pub async fn next_page(&self, tenant: &str, source: &str) -> Result<Option<Instant>> {
        let sql = "select min(next_at) from pull where tenant = $1 and source = $2 and state = 'running'";
        let rows = self.db().fetch(sql, args![tenant, source]).await?;
        rows.first().map_or(Ok(None), |row| row.opt_instant(0))
    }

    /// The jobs of a tenant, latest first.
    pub async fn jobs(&self, tenant: &str) -> Result<Vec<JobRow>> {
        let sql = "select source, id, kind, parameters, state, progress, attempts, why, started_at, updated_at
                   from pull where tenant = $1 order by started_at desc, id limit 500";
        let rows = self.db().fetch(sql, args![tenant]).await?;
        rows.iter()
            .map(|row| {
                Ok(JobRow {
                    source: row.text(0)?,
                    job: Job { id: row.text(1)?, kind: row.text(2)?, parameters: row.text(3)? },
                    state: row.word(4)?,
                    progress: row.parsed(5)?,
                    attempts: row.count(6)?.try_into().unwrap_or(u32::MAX),
                    why: row.opt_text(7)?,
                    started_at: row.instant(8)?,
                    updated_at: row.instant(9)?,
                })
            })
            .collect()
    }
}
