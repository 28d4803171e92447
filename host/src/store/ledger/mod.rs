//! The commit of a batch of intakes: records read, merged in memory, and written with their events and deliveries, in
//! one transaction and a handful of statements, whatever the size of the batch.

pub(super) mod batch;
pub(super) mod facets;
mod postgres;
pub(super) mod prepared;
mod repeats;
mod sqlite;

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;

use self::batch::{Counter, Found, Plan, RecordRow};
use self::prepared::Prepared;
use super::db::{Db, Script, Tx, args};
use super::delivery::Lane;
use super::error::StoreError;
use super::feed::{Code, Events};
use super::group::Handler;
use super::intake::{Committed, Digest, Raw, Verdict};
use super::pull;
use crate::model::Instant;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Numbers since the start.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub intakes: AtomicU64,
    pub commits: AtomicU64,
    pub events: AtomicU64,
    pub duplicates: AtomicU64,
    pub busy: AtomicU64,
}

/// Commits intakes.
pub(super) struct Ledger {
    pub db: Db,
    pub events: broadcast::Sender<Events>,
    pub lanes: broadcast::Sender<Arc<[Lane]>>,
    pub codes: broadcast::Sender<Code>,
    pub tally: Arc<Tally>,
    /// The counter as the last commit left it, where nobody else moves it: on SQLite.
    pub counter: Mutex<Option<Counter>>,
}

/// What becomes of a record that is there already.
const ON_RECORD: &str = "on conflict (id) do update set also = excluded.also, revision = excluded.revision,
    updated_at = excluded.updated_at, at = excluded.at, numbers = excluded.numbers, agents = excluded.agents,
    words = excluded.words, joined_into = excluded.joined_into, person = excluded.person, merged = excluded.merged";

/// What a want makes of a delivery that is there already.
///
/// A want that lasts makes a passing one lasting, and never the other way round while something lasting is owed; so a
/// parked duty that lasts is left to its person when a popup comes by. What is due keeps its tries and its waiting.
fn on_want(greatest: &str) -> String {
    let anew = tries_anew("d.");
    let owed = "(d.state in ('due', 'parked') and d.holds is null and d.expires_at is null)";
    let lasting = format!("(excluded.holds is null and excluded.expires_at is null or {owed})");
    let parked =
        format!("(d.state = 'parked' and {owed} and not (excluded.holds is null and excluded.expires_at is null))");
    format!(
        "on conflict (record, sink) do update set
            wanted = {greatest}(d.wanted, excluded.wanted),
            holds = case when {lasting} then null else excluded.holds end,
            expires_at = case when {lasting} then null else excluded.expires_at end,
            attempts = case when d.state = 'due' or {parked} then d.attempts else {anew} end,
            next_at = case when d.state = 'due' or {parked} then d.next_at else excluded.next_at end,
            since = case when d.state = 'due' or {parked} then d.since else excluded.since end,
            reason = case when d.state = 'due' or {parked} then d.reason end,
            state = case when {parked} then 'parked' else 'due' end"
    )
}

/// The tries of a delivery that has all of them before it again, `of` naming its row. One stays counted where an adapter
/// was asked and never said that it is done: the next one is told to look first.
pub(super) fn tries_anew(of: &str) -> String {
    format!("case when {of}state = 'done' then 0 when {of}attempts > 1 then 1 else {of}attempts end")
}

/// A moment as a column holds it.
pub(super) fn millis(at: Instant) -> i64 {
    i64::try_from(at.millis()).unwrap_or(i64::MAX)
}

/// A raw request as it is written.
pub(super) struct RawRow<'a> {
    pub id: i64,
    pub prepared: &'a Prepared,
    pub raw: &'a Raw,
    pub verdict: Cow<'a, Verdict>,
    /// Of what was accepted: by it a repeat is known.
    pub digest: Option<&'a Digest>,
}

impl<'a> RawRow<'a> {
    fn of(committed: &Committed, prepared: &'a Prepared) -> Option<Self> {
        let raw = prepared.intake.raw.as_ref()?;
        let (verdict, digest) = match committed.repeats {
            None => (Cow::Borrowed(&prepared.intake.verdict), raw.digest.as_ref()),
            Some(at) => {
                let why = format!("a repeat: a request with this very body was accepted at {at}");
                (Cow::Owned(Verdict::Ignored { why }), None)
            }
        };
        Some(RawRow { id: committed.intake, prepared, raw, verdict, digest })
    }
}

/// Kind, field and why of a verdict.
fn verdict(verdict: &Verdict) -> (Option<&str>, Option<&str>, Option<&str>) {
    match verdict {
        Verdict::Accepted => (None, None, None),
        Verdict::Ignored { why } => (None, None, Some(why)),
        Verdict::Refused { kind, field, why } => (Some(kind), Some(field), Some(why)),
    }
}

impl Handler for Ledger {
    type Item = Prepared;
    type Outcome = Committed;

    async fn handle(&self, items: &mut [Prepared]) -> Result<Vec<Result<Committed>>> {
        let mut tx = self.db.begin_ledger().await?;
        // Taken, so that it is read again after a commit that failed.
        let known = self.known().take();
        let counter = match known {
            Some(counter) => counter,
            None => counter(&mut tx).await?,
        };
        let mut admitted = pull::admit(&mut tx, items).await?;
        let keys = batch::keys(items);
        let found = load(&mut tx, &keys).await?;
        let repeats = repeats::of(&mut tx, items).await?;
        let mut plan = batch::merge(items, &admitted, &repeats, &keys, found, counter)?;
        plan.clashes.keys().for_each(|at| admitted[*at] = false);
        write(&mut tx, items, &admitted, &plan, plan.counter != counter).await?;
        tx.commit().await?;
        if !self.db.is_postgres() {
            *self.known() = Some(plan.counter);
        }
        self.publish(&plan);
        let (committed, mut clashes) = (std::mem::take(&mut plan.committed), std::mem::take(&mut plan.clashes));
        let outcome = |(at, (committed, admitted)): (usize, (Committed, bool))| match clashes.remove(&at) {
            Some(clash) => Err(clash.into()),
            None if admitted => Ok(committed),
            None => Err(StoreError::Lost("page's job")),
        };
        Ok(committed.into_iter().zip(admitted).enumerate().map(outcome).collect())
    }

    fn soften(&self, item: &mut Prepared) -> bool {
        !std::mem::replace(&mut item.bytes_only, true)
    }
}

impl Ledger {
    fn known(&self) -> std::sync::MutexGuard<'_, Option<Counter>> {
        self.counter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self, plan: &Plan<'_>) {
        let duplicates: usize = plan.committed.iter().map(|committed| committed.duplicates).sum();
        self.tally.commits.fetch_add(1, Ordering::Relaxed);
        self.tally.intakes.fetch_add(plan.committed.len() as u64, Ordering::Relaxed);
        self.tally.events.fetch_add(plan.events.len() as u64, Ordering::Relaxed);
        self.tally.duplicates.fetch_add(duplicates as u64, Ordering::Relaxed);
        // Nobody listening is no fault.
        if !plan.events.is_empty() {
            let _ = self.events.send(plan.events.iter().map(|row| row.event.clone()).collect());
        }
        for code in &plan.codes {
            let _ = self.codes.send(code.clone());
        }
        let mut lanes: Vec<Lane> = plan
            .wants
            .iter()
            .map(|want| Lane { tenant: plan.entries[want.entry].tenant.to_owned(), sink: want.sink.clone() })
            .collect();
        lanes.sort_unstable();
        lanes.dedup();
        if !lanes.is_empty() {
            let _ = self.lanes.send(lanes.into());
        }
    }
}

async fn counter(tx: &mut Tx) -> Result<Counter> {
    let sql = if tx.is_postgres() { postgres::COUNTER } else { sqlite::COUNTER };
    let rows = tx.fetch(sql, []).await?;
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("the counter is gone".into()))?;
    Ok(Counter { event: row.int(0)?, record: row.int(1)?, intake: row.int(2)? })
}

async fn load(tx: &mut Tx, keys: &[batch::Key<'_>]) -> Result<Vec<Found>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = match tx.is_postgres() {
        true => postgres::load(tx, keys).await?,
        false => sqlite::load(tx, keys).await?,
    };
    let found = |row: &super::db::Row| {
        Ok(Found {
            key: usize::try_from(row.int(0)?).unwrap_or(usize::MAX),
            id: row.int(1)?,
            revision: row.int(2)?,
            subject: row.text(3)?,
            also: row.opt_json(4)?.and_then(|also| serde_json::from_str(&also).ok()).unwrap_or_default(),
            created_at: row.instant(5)?,
            updated_at: row.instant(6)?,
            merged: row.parsed(7)?,
        })
    };
    rows.iter().map(found).collect()
}

/// Writes a plan, and the counter when it `moved`. What has no rows costs no statement; joins, replays, jobs and pages,
/// all rare, cost their own.
async fn write(tx: &mut Tx, items: &[Prepared], admitted: &[bool], plan: &Plan<'_>, moved: bool) -> Result<()> {
    let postgres = tx.is_postgres();
    let records = plan.records()?;
    let aliases: Vec<_> = plan.aliases.iter().map(|(key, at)| (key, plan.entries[plan.root(*at)].id)).collect();
    let raw: Vec<_> = (plan.committed.iter().zip(items).zip(admitted))
        .filter(|((_, prepared), admitted)| **admitted && prepared.intake.replays.is_none())
        .filter_map(|((committed, prepared), _)| RawRow::of(committed, prepared))
        .collect();
    let mut script = Script::default();
    macro_rules! either {
        ($needed:expr, $name:ident($rows:expr)) => {
            if $needed {
                match postgres {
                    true => postgres::$name(&mut script, $rows),
                    false => sqlite::$name(&mut script, $rows),
                }
            }
        };
    }
    either!(!records.is_empty(), records(&records));
    either!(!aliases.is_empty(), aliases(&aliases));
    let numbers: Vec<_> = records.iter().flat_map(RecordRow::contact_numbers).collect();
    either!(!numbers.is_empty(), contact_numbers(&numbers));
    either!(!raw.is_empty(), intake(&raw));
    either!(!plan.events.is_empty(), events(&plan.events));
    either!(moved, count(plan.counter));
    if !plan.joins.is_empty() {
        tx.run(std::mem::take(&mut script)).await?;
        for &(winner, loser) in &plan.joins {
            join(tx, plan, winner, loser).await?;
        }
    }
    either!(!plan.wants.is_empty(), wants(plan));
    tx.run(script).await?;
    for ((prepared, admitted), committed) in items.iter().zip(admitted).zip(&plan.committed) {
        if *admitted {
            besides(tx, prepared, committed).await?;
        }
    }
    Ok(())
}

/// Jobs to start, the page of a job, the verdict of a replay.
async fn besides(tx: &mut Tx, prepared: &Prepared, committed: &Committed) -> Result<()> {
    let intake = &prepared.intake;
    if intake.replays.is_some() {
        let (kind, field, why) = verdict(&intake.verdict);
        let sql = "update intake set verdict = $1, kind = $2, field = $3, why = $4, replayed_at = $5
                   where tenant = $6 and id = $7";
        let tenant = intake.tenant.as_str();
        let values = args![intake.verdict.word(), kind, field, why, Instant::now(), tenant, committed.intake];
        if tx.execute(sql, values).await? == 0 {
            return Err(StoreError::Missing("intake"));
        }
    }
    let jobs = match &intake.once {
        Some(once) if committed.repeats.is_some() => &once.again,
        _ => &intake.jobs,
    };
    for job in jobs {
        pull::start(tx, &intake.tenant, &intake.source, job).await?;
    }
    if let Some(page) = &intake.page {
        pull::turn(tx, intake, page, &committed.events).await?;
    }
    Ok(())
}

/// The deliveries of a subject that turned out to be another one: where the other has none to that sink, they become
/// its own; else they stop, and what they made over there is handed to the sink as joined.
async fn join(tx: &mut Tx, plan: &Plan<'_>, winner: usize, loser: usize) -> Result<()> {
    let (into, from) = (plan.entries[plan.root(winner)].id, plan.entries[loser].id);
    let revision = plan.entries[plan.root(winner)].revision;
    let (clock, anew) = (tx.clock(), tries_anew(""));
    let sql = "update record set joined_into = $1 where joined_into = $2";
    tx.execute(sql, args![into, from]).await?;
    tx.execute("update alias set record = $1 where record = $2", args![into, from]).await?;
    tx.execute("update delivery set joined_into = $1 where joined_into = $2", args![into, from]).await?;
    let adopt = format!(
        "update delivery set record = $1, wanted = $3, state = 'due',
             holds = case when state = 'due' and external_id is null then holds end,
             expires_at = case when state = 'due' and external_id is null then expires_at end,
             next_at = case when state = 'due' then next_at else {clock} end,
             attempts = case when state = 'due' then attempts else {anew} end,
             since = case when state = 'due' then since else {clock} end
         where record = $2 and state <> 'joined'
             and (external_id is not null or state in ('due', 'parked') or claim is not null)
             and not exists (select 1 from delivery o where o.record = $1 and o.sink = delivery.sink)"
    );
    tx.execute(adopt, args![into, from, revision]).await?;
    // A call that is under way for the loser ends before the winner's begins.
    let greatest = tx.greatest();
    let wake = format!(
        "update delivery set wanted = $3, joins = joins + 1, holds = null, expires_at = null,
             next_at = {greatest}(
                 case when state = 'due' then next_at else {clock} end,
                 (select case when o.claim is null then 0 else o.next_at end from delivery o
                  where o.record = $2 and o.sink = delivery.sink)),
             attempts = case when state = 'due' then attempts else {anew} end,
             since = case when state = 'due' then since else {clock} end,
             state = 'due'
         where record = $1 and exists (
             select 1 from delivery o where o.record = $2 and o.sink = delivery.sink
                 and (o.external_id is not null or o.claim is not null
                     or o.state in ('due', 'parked') and o.holds is null and o.expires_at is null))"
    );
    tx.execute(wake, args![into, from, revision]).await?;
    let stop = "update delivery set state = 'joined', joined_into = $1, reason = 'its subject is another one'
                where record = $2 and state <> 'joined'";
    tx.execute(stop, args![into, from]).await.map(drop)
}
