//! Jobs that read a source page by page.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::db::{Filter, Tx, Value, args};
use super::intake::Intake;
use super::ledger::prepared::Prepared;
use super::{Result, Store, claim_number, span};
use crate::model::{Event, Instant, Kind};

/// A job whose session is away is let through once in this time, to see whether it is still so: that the session came
/// back may never have been told.
const LOOK: Duration = Duration::from_secs(900);

/// Something to read from beginning to end. Two jobs of one source with the same id are one job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id at the source.
    pub id: String,
    /// The component's own word.
    pub kind: String,
    /// The component's own JSON.
    pub parameters: String,
    /// The id of the session that it reads through: it waits while that one is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// When it is over, it is begun anew if it began before this moment; absent: never.
    #[serde(skip)]
    pub anew: Option<Instant>,
}

/// How far a stage of a job has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Its name.
    pub stage: String,
    /// What its rows are.
    pub rows: Kind,
    /// Rows read so far: created, updated and errors together.
    pub processed: u32,
    /// All there are, when known.
    pub total: Option<u32>,
    /// Those that the ledger had not known.
    #[serde(default)]
    pub created: u32,
    /// Those that it had known.
    #[serde(default)]
    pub updated: u32,
    /// Those that could not be used.
    pub errors: u32,
}

impl Progress {
    /// Counts what a page brought. `before` is how the stage stood; only a stage that went on has brought anything.
    fn count(&mut self, before: Option<&Progress>, events: &[Arc<Event>]) {
        // A job that is done again and again counts each round by itself.
        let before = before.filter(|before| before.processed <= self.processed);
        self.created = before.map_or(0, |before| before.created);
        if self.processed > before.map_or(0, |before| before.processed) {
            let new = |event: &&Arc<Event>| event.about.revision == 1 && event.about.subject.kind == self.rows;
            self.created += u32::try_from(events.iter().filter(new).count()).unwrap_or(u32::MAX);
        }
        let rows = self.processed.saturating_sub(self.errors);
        self.created = self.created.min(rows);
        self.updated = rows - self.created;
    }
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
    /// Its session is away: it waits for it.
    pub held: bool,
    /// Tries of the present page.
    pub attempts: u32,
    /// Why the last try failed.
    pub why: Option<String>,
    /// When the next page is due, while it runs.
    pub next_at: Option<Instant>,
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

/// Starts a job; false when there is nothing to start. One that runs goes on at once with other parameters: a page of it
/// that is under way is lost and read again.
pub(super) async fn start(tx: &mut Tx, tenant: &str, source: &str, job: &Job) -> Result<bool> {
    let clock = tx.clock();
    let json = if tx.is_postgres() { "'[]'::jsonb" } else { "'[]'" };
    let runs = "p.state = 'running'";
    let sql = format!(
        "insert into pull as p (tenant, source, id, kind, parameters, session, state, progress, attempts, next_at,
             started_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, 'running', {json}, 0, {clock}, {clock}, {clock})
         on conflict (tenant, source, id) do update set
             kind = excluded.kind, parameters = excluded.parameters,
             session = coalesce(excluded.session, p.session),
             cursor = case when {runs} then p.cursor end,
             progress = case when {runs} then p.progress else excluded.progress end,
             started_at = case when {runs} then p.started_at else excluded.started_at end,
             state = 'running', attempts = 0, why = null, claim = null, next_at = excluded.next_at,
             updated_at = excluded.updated_at
         where {runs} and p.parameters <> excluded.parameters or p.state <> 'running' and p.started_at < $7"
    );
    let values = args![tenant, source, &job.id, &job.kind, &job.parameters, job.session.as_ref(), job.anew];
    Ok(tx.execute(sql, values).await? > 0)
}

/// Whether the session of a job is known to be away.
const AWAY: &str = "exists (
    select 1 from record r
    where r.subject = pull.session and r.source = pull.source and r.kind = 'session' and r.tenant = pull.tenant
        and r.merged -> 'session' -> 'state' ->> 'v' not in ('connected', 'unknown'))";

/// Turns a page: the job goes on after it, or is over.
pub(super) async fn turn(tx: &mut Tx, intake: &Intake, page: &PageDone, events: &[Arc<Event>]) -> Result<()> {
    let state = if page.next.is_some() { JobState::Running } else { JobState::Done };
    let (tenant, source) = (intake.tenant.as_str(), intake.source.as_str());
    let sql = "select progress from pull where tenant = $1 and source = $2 and id = $3";
    let rows = tx.fetch(sql, args![tenant, source, &page.job]).await?;
    let before: Vec<Progress> = rows.first().map_or(Ok(Vec::new()), |row| row.parsed(0))?;
    let mut progress = page.progress.clone();
    for stage in &mut progress {
        let before = before.iter().find(|before| before.stage == stage.stage);
        stage.count(before, events);
    }
    let progress = serde_json::to_string(&progress).unwrap_or_else(|_| "[]".into());
    let clock = tx.clock();
    let cast = if tx.is_postgres() { "::text::jsonb" } else { "" };
    let sql = format!(
        "update pull set state = $1, cursor = $2, progress = $3{cast}, attempts = 0, next_at = $4, why = null,
             claim = null, updated_at = {clock}
         where tenant = $5 and source = $6 and id = $7 and claim = $8"
    );
    // One that another intake of this very commit has started anew is read from its beginning.
    let values = [
        state.word().into(),
        page.next.clone().into(),
        Value::Json(Some(progress)),
        page.next_at.into(),
        tenant.into(),
        source.into(),
        (&page.job).into(),
        page.claim.into(),
    ];
    tx.execute(sql, values).await.map(drop)
}

impl Store {
    /// Starts a job; false when it is over and is not begun anew, or runs with these parameters already.
    pub async fn start_job(&self, tenant: &str, source: &str, job: &Job) -> Result<bool> {
        let mut tx = self.db().begin().await?;
        let new = start(&mut tx, tenant, source, job).await?;
        tx.commit().await?;
        Ok(new)
    }

    /// Takes the job of a source whose next page is due longest, past those whose session is away.
    pub async fn claim_job(&self, tenant: &str, source: &str, lease: Duration) -> Result<Option<ClaimedJob>> {
        let mut tx = self.db().begin().await?;
        let (clock, taking) = (tx.clock(), tx.taking());
        let claim = claim_number();
        let sql = format!(
            "update pull set claim = $3, next_at = {clock} + $4, attempts = attempts + 1, updated_at = {clock}
             where tenant = $1 and source = $2 and id in (
                 select id from pull
                 where tenant = $1 and source = $2 and state = 'running' and next_at <= {clock}
                     and (session is null or next_at <= {clock} - $5 or not {AWAY})
                 order by next_at limit 1 {taking})
             returning id, kind, parameters, session, cursor, attempts"
        );
        let rows = tx.fetch(sql, args![tenant, source, claim, span(lease), span(LOOK)]).await?;
        tx.commit().await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (id, kind, parameters, session) = (row.text(0)?, row.text(1)?, row.text(2)?, row.opt_text(3)?);
        Ok(Some(ClaimedJob {
            tenant: tenant.to_owned(),
            source: source.to_owned(),
            job: Job { id, kind, parameters, session, anew: None },
            cursor: row.opt_bytes(4)?,
            attempt: row.count(5)?.try_into().unwrap_or(u32::MAX),
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

    /// Gives a job back without a try of its page: it goes on at `again`.
    pub async fn put_back_job(&self, job: &ClaimedJob, why: &str, again: Instant) -> Result<bool> {
        let clock = self.db().clock();
        let sql = format!(
            "update pull set why = $1, next_at = $2, attempts = attempts - 1, claim = null, updated_at = {clock}
             where tenant = $3 and source = $4 and id = $5 and claim = $6"
        );
        let values = args![why, again, &job.tenant, &job.source, &job.job.id, job.claim];
        Ok(self.db().execute(sql, values).await? > 0)
    }

    /// When the next page of a source is due; absent when no job runs. What is claimed counts from the end of its
    /// lease.
    pub async fn next_page(&self, tenant: &str, source: &str) -> Result<Option<Instant>> {
        let sql = "select min(next_at) from pull where tenant = $1 and source = $2 and state = 'running'";
        let rows = self.db().fetch(sql, args![tenant, source]).await?;
        rows.first().map_or(Ok(None), |row| row.opt_instant(0))
    }

    /// The jobs of a tenant or of one of its sources, latest first.
    pub async fn jobs(&self, tenant: &str, source: Option<&str>) -> Result<Vec<JobRow>> {
        let (condition, values) = Filter::new("tenant = ?", tenant).and_some("source = ?", source).done();
        self.job_rows(&format!("{condition} order by started_at desc, id limit 500"), values).await
    }

    /// One job.
    pub async fn job(&self, tenant: &str, source: &str, id: &str) -> Result<Option<JobRow>> {
        let rows = self.job_rows("tenant = $1 and source = $2 and id = $3", args![tenant, source, id]).await?;
        Ok(rows.into_iter().next())
    }

    async fn job_rows(&self, which: &str, values: impl IntoIterator<Item = Value>) -> Result<Vec<JobRow>> {
        let sql = format!(
            "select source, id, kind, parameters, session, state, progress, attempts, why, started_at, updated_at,
                 next_at, case when state = 'running' and {AWAY} then cast(1 as bigint) else cast(0 as bigint) end
             from pull where {which}"
        );
        let rows = self.db().fetch(sql, values).await?;
        rows.iter()
            .map(|row| {
                let (id, kind, parameters, session) = (row.text(1)?, row.text(2)?, row.text(3)?, row.opt_text(4)?);
                let state: JobState = row.word(5)?;
                Ok(JobRow {
                    source: row.text(0)?,
                    job: Job { id, kind, parameters, session, anew: None },
                    state,
                    progress: row.parsed(6)?,
                    held: row.count(12)? > 0,
                    attempts: row.count(7)?.try_into().unwrap_or(u32::MAX),
                    why: row.opt_text(8)?,
                    next_at: row.opt_instant(11)?.filter(|_| state == JobState::Running),
                    started_at: row.instant(9)?,
                    updated_at: row.instant(10)?,
                })
            })
            .collect()
    }
}
