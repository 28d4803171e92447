//! How long rows are kept.

use std::time::Duration;

use super::db::args;
use super::{Result, Store};
use crate::model::Instant;

/// How long one tenant's rows are kept, for each table; absent for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Raw requests.
    pub intake: Option<Duration>,
    /// Events.
    pub events: Option<Duration>,
    /// Attempts with their exchanges.
    pub attempts: Option<Duration>,
    /// Deliveries that are not due.
    pub deliveries: Option<Duration>,
    /// Records that nothing is owed for, and their deliveries.
    pub records: Option<Duration>,
    /// Commands.
    pub commands: Option<Duration>,
    /// Jobs that have ended. One that is asked for again after that is read again.
    pub jobs: Option<Duration>,
}

/// What a sweep removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Raw requests.
    pub intake: u64,
    /// Events.
    pub events: u64,
    /// Attempts.
    pub attempts: u64,
    /// Deliveries.
    pub deliveries: u64,
    /// Records.
    pub records: u64,
    /// Commands.
    pub commands: u64,
    /// Jobs that have ended.
    pub jobs: u64,
}

impl Swept {
    /// True when some table may have more to remove than one slice.
    pub fn is_full(&self, slice: u32) -> bool {
        let slice = u64::from(slice);
        let Swept { intake, events, attempts, deliveries, records, commands, jobs } = *self;
        [intake, events, attempts, deliveries, records, commands, jobs].into_iter().any(|count| count >= slice)
    }
}

impl Store {
    /// Removes a tenant's rows that are past their time, at most `slice` of each table, each table by itself. Call it
    /// again while it removes that many.
    pub async fn sweep(&self, tenant: &str, retention: &Retention, slice: u32) -> Result<Swept> {
        let now = Instant::now();
        let before = |age: Option<Duration>| age.map(|age| now.before(age));
        let mut swept = Swept::default();
        if let Some(before) = before(retention.intake) {
            // Rows come in the order of their time: only the oldest are looked at.
            let sql = "delete from intake where tenant = $1 and id in (
                 select id from (select id, received_at from intake where tenant = $1 order by id limit $3) o
                 where received_at < $2)";
            swept.intake = self.db().execute(sql, args![tenant, before, slice]).await?;
        }
        if let Some(before) = before(retention.events) {
            let sql = "delete from event where tenant = $1 and seq in (
                 select seq from (select seq, at from event where tenant = $1 order by seq limit $3) o where at < $2)";
            swept.events = self.db().execute(sql, args![tenant, before, slice]).await?;
        }
        if let Some(before) = before(retention.attempts) {
            let sql = "delete from attempt where id in (
                 select id from attempt where tenant = $1 and at < $2 order by at limit $3)";
            swept.attempts = self.db().execute(sql, args![tenant, before, slice]).await?;
        }
        if let Some(before) = before(retention.deliveries) {
            let sql = "delete from delivery where id in (
                 select id from delivery
                 where tenant = $1 and state in ('done', 'stale', 'parked', 'joined') and since < $2 and claim is null
                 limit $3)";
            swept.deliveries = self.db().execute(sql, args![tenant, before, slice]).await?;
        }
        if let Some(before) = before(retention.records) {
            swept.records = self.sweep_records(tenant, before, slice).await?;
        }
        if let Some(before) = before(retention.commands) {
            let sql = "delete from command where tenant = $1 and key in (
                 select key from command where tenant = $1 and asked_at < $2 order by asked_at limit $3)";
            swept.commands = self.db().execute(sql, args![tenant, before, slice]).await?;
        }
        if let Some(before) = before(retention.jobs) {
            // Asked twice: one that is started anew meanwhile stays.
            let sql =
                "delete from pull where tenant = $1 and state <> 'running' and updated_at < $2 and (source, id) in (
                 select source, id from pull where tenant = $1 and state <> 'running' and updated_at < $2 limit $3)";
            swept.jobs = self.db().execute(sql, args![tenant, before, slice]).await?;
        }
        Ok(swept)
    }

    /// Records with their deliveries and further ids. A record for which something is owed stays.
    async fn sweep_records(&self, tenant: &str, before: Instant, slice: u32) -> Result<u64> {
        let mut tx = self.db().begin().await?;
        let (lock, taking) = if tx.is_postgres() { ("for update", tx.taking()) } else { ("", "") };
        // The ledger waits meanwhile: a record that is being changed is not removed under its hands.
        tx.fetch(format!("select event from counter {lock}"), []).await?;
        let sql = format!(
            "select id from record r
             where tenant = $1 and kind in ('call', 'message', 'contact', 'conversation', 'session')
                 and at < $2 and updated_at < $2 and joined_into is null
                 and not exists (select 1 from delivery d where d.record = r.id and d.state = 'due')
             order by kind, at limit $3 {taking}"
        );
        let rows = tx.fetch(sql, args![tenant, before, slice]).await?;
        for row in &rows {
            let id = row.int(0)?;
            tx.execute("delete from delivery where record = $1", args![id]).await?;
            tx.execute("delete from alias where record = $1", args![id]).await?;
            let numbers = "delete from contact_number
                 where record = $1 or record in (select id from record where joined_into = $1)";
            tx.execute(numbers, args![id]).await?;
            let joined = "delete from delivery where record in (select id from record where joined_into = $1)";
            tx.execute(joined, args![id]).await?;
            tx.execute("delete from record where id = $1 or joined_into = $1", args![id]).await?;
        }
        tx.commit().await?;
        Ok(rows.len() as u64)
    }
}
