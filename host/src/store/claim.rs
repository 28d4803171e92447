//! Claims: a delivery is handed to one worker at a time, whoever asks, on any number of nodes.
//!
//! What is claimed stays due, at the end of its lease: a worker that dies gives it back by doing nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::db::{Row, Rows, Tx, Value, among, args};
use super::delivery::{Claimed, DeliveryFilter, Joined, Lane};
use super::ledger::tries_anew;
use super::{Result, Store, claim_number, span};
use crate::model::{Instant, Item, Kind, Merged, Subject};

impl Store {
    /// Takes up to `limit` deliveries of a lane that are due, longest due first, and leases them for `lease`. A
    /// delivery is never in two claims at once, on any number of nodes. A lease that ends gives the delivery back.
    pub async fn claim(&self, lane: &Lane, limit: u32, lease: Duration) -> Result<Vec<Claimed>> {
        let mut tx = self.db().begin().await?;
        let (clock, taking) = (tx.clock(), tx.taking());
        let claim = claim_number();
        let sql = format!(
            "update delivery set claim = $3, attempts = attempts + 1, next_at = {clock} + $4
             where id in (
                 select id from delivery
                 where tenant = $1 and state = 'due' and sink = $2 and next_at <= {clock}
                 order by next_at, id limit $5 {taking})
             returning id"
        );
        let rows = tx.fetch(sql, args![&lane.tenant, &lane.sink, claim, span(lease), limit]).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "select d.id, d.record, r.source, r.kind, r.subject, r.merged, r.revision, r.updated_at, d.wanted,
                d.done, d.attempts, d.external_id, d.memo, d.holds, d.expires_at, d.joins
             from delivery d join record r on r.id = d.record
             where d.tenant = $1 and d.state = 'due' and d.sink = $2 and d.claim = $3
             order by d.since, d.id";
        let rows = tx.fetch(sql, args![&lane.tenant, &lane.sink, claim]).await?;
        let mut claimed = rows.iter().map(|row| read(row, claim)).collect::<Result<Vec<_>>>()?;
        let with_joins = rows.iter().map(|row| row.int(15)).collect::<Result<Vec<_>>>()?;
        for (claimed, joins) in claimed.iter_mut().zip(with_joins) {
            if joins > 0 {
                claimed.joined = joined(&mut tx, claimed.record, &lane.sink).await?;
            }
        }
        name_others(&mut tx, &lane.tenant, &mut claimed).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// What is due in a lane comes in the order in which it came to be owed, not in that in which its waits ended. What
    /// waits for a call about a subject that has become its own goes on waiting.
    pub async fn recall(&self, lane: &Lane) -> Result<()> {
        let mut tx = self.db().begin().await?;
        let clock = tx.clock();
        let sql = format!(
            "update delivery set next_at = since where id in (
                 select id from delivery d
                 where tenant = $1 and state = 'due' and sink = $2 and claim is null
                     and next_at > since and next_at <= {clock}
                     and not exists (select 1 from delivery o
                         where o.joined_into = d.record and o.sink = d.sink and o.claim is not null)
                 order by id {})",
            tx.taking()
        );
        tx.execute(sql, args![&lane.tenant, &lane.sink]).await?;
        tx.commit().await
    }

    /// Prolongs the leases of (delivery, claim); answers those that are still held.
    pub async fn renew(&self, claims: &[(i64, i64)], lease: Duration) -> Result<Vec<(i64, i64)>> {
        let mut tx = self.db().begin().await?;
        let clock = tx.clock();
        let rows = if tx.is_postgres() {
            // In one order, as all who take many rows.
            let sql = format!(
                "update delivery d set next_at = {clock} + $3 from (
                     select o.id from delivery o join unnest($1::bigint[], $2::bigint[]) as held (id, claim)
                         on o.id = held.id and o.claim = held.claim
                     order by o.id for update of o) f
                 where d.id = f.id returning d.id, d.claim"
            );
            let of = |part: fn(&(i64, i64)) -> i64| Value::Ints(claims.iter().map(|claim| Some(part(claim))).collect());
            tx.fetch(sql, [of(|claim| claim.0), of(|claim| claim.1), span(lease).into()]).await?
        } else {
            let mut held = Rows::new();
            for &(delivery, claim) in claims {
                held.row().int(delivery).int(claim);
            }
            let [held, _] = held.values();
            let sql = format!(
                "update delivery set next_at = {clock} + $2
                 where (id, claim) in (select value ->> 0, value ->> 1 from jsonb_each($1)) returning id, claim"
            );
            tx.fetch(sql, [held, span(lease).into()]).await?
        };
        tx.commit().await?;
        rows.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect()
    }

    /// When the next delivery of a lane is due; in the past when one is due now. Absent when none is. What is claimed
    /// counts from the end of its lease.
    pub async fn next_due(&self, lane: &Lane) -> Result<Option<Instant>> {
        let sql = "select min(next_at) from delivery where tenant = $1 and state = 'due' and sink = $2";
        let rows = self.db().fetch(sql, args![&lane.tenant, &lane.sink]).await?;
        rows.first().map_or(Ok(None), |row| row.opt_instant(0))
    }

    /// Makes deliveries due now with all their tries before them: those that are parked or wait for a retry, unless
    /// the filter names a state. What a worker has now is left alone. Answers how many.
    pub async fn retry(&self, tenant: &str, filter: &DeliveryFilter) -> Result<u64> {
        let mut tx = self.db().begin().await?;
        let clock = tx.clock();
        let (condition, mut values) = filter.condition(tenant);
        let states = match filter.state {
            Some(_) => "state <> 'joined'",
            None => "state in ('due', 'parked')",
        };
        let anew = tries_anew("");
        // One update may touch many rows of one lane, and workers claim by lane: the lock order is theirs.
        let sql = format!(
            "update delivery set state = 'due', attempts = {anew}, next_at = {clock}, claim = null,
                 since = case when state = 'due' then since else {clock} end
             where id in (select id from delivery d where {condition} and {states}
                 and (claim is null or next_at <= {clock}) order by id {})
             returning sink",
            tx.taking()
        );
        let rows = tx.fetch(sql, values.drain(..)).await?;
        tx.commit().await?;
        let lanes = rows.iter().map(|row| Ok(Lane { tenant: tenant.to_owned(), sink: row.text(0)? }));
        self.wake(lanes.collect::<Result<Vec<_>>>()?);
        Ok(rows.len() as u64)
    }

    /// Parks a delivery by a person's word: a worker that has it loses its claim. False when there is no such
    /// delivery that is due.
    pub async fn park(&self, tenant: &str, id: i64, why: &str) -> Result<bool> {
        let sql = format!(
            "update delivery set state = 'parked', reason = $3, claim = null, next_at = {}
             where tenant = $1 and id = $2 and state = 'due'",
            self.db().clock()
        );
        Ok(self.db().execute(sql, args![tenant, id, why]).await? > 0)
    }
}

fn read(row: &Row, claim: i64) -> Result<Claimed> {
    let merged: Merged = row.parsed(5)?;
    Ok(Claimed {
        delivery: row.int(0)?,
        claim,
        record: row.int(1)?,
        subject: Subject { source: row.text(2)?, kind: row.word(3)?, id: row.text(4)? },
        item: merged.view(),
        revision: row.count(6)?,
        revised_at: row.instant(7)?,
        wanted: row.count(8)?,
        done: row.count(9)?,
        attempt: row.count(10)?.try_into().unwrap_or(u32::MAX),
        external_id: row.opt_text(11)?,
        memo: row.opt_bytes(12)?.unwrap_or_default(),
        joined: Vec::new(),
        holds: row.opt_text(13)?,
        expires_at: row.opt_instant(14)?,
    })
}

/// Other subjects that a record names, of the same source: the conversation of a message, the contact of a conversation.
fn named(item: &mut Item) -> Option<(Kind, &mut String)> {
    match item {
        Item::Message(message) => message.conversation.as_mut().map(|id| (Kind::Conversation, id)),
        Item::Conversation(conversation) => conversation.contact.as_mut().map(|id| (Kind::Contact, id)),
        Item::Call(_) | Item::Contact(_) | Item::Session(_) => None,
    }
}

/// A subject that has several ids is named by the one that its own record is delivered under, whichever was seen.
async fn name_others(tx: &mut Tx, tenant: &str, claimed: &mut [Claimed]) -> Result<()> {
    let mut asked: BTreeMap<(String, Kind), BTreeSet<String>> = BTreeMap::new();
    for Claimed { subject, item, .. } in claimed.iter_mut() {
        if let Some((kind, id)) = named(item) {
            asked.entry((subject.source.clone(), kind)).or_default().insert(id.clone());
        }
    }
    let mut own: HashMap<(String, Kind, String), String> = HashMap::new();
    for ((source, kind), ids) in asked {
        let (among, ids) = among(tx.is_postgres(), 4, ids);
        let sql = format!(
            "select a.subject, w.subject from alias a join record w on w.id = a.record
             where a.tenant = $1 and a.source = $2 and a.kind = $3 and a.subject {among}
             union all
             select r.subject, w.subject from record r join record w on w.id = r.joined_into
             where r.tenant = $1 and r.source = $2 and r.kind = $3 and r.subject {among}"
        );
        for row in tx.fetch(sql, args![tenant, &source, kind.word(), ids]).await? {
            own.insert((source.clone(), kind, row.text(0)?), row.text(1)?);
        }
    }
    for Claimed { subject, item, .. } in claimed.iter_mut() {
        if let Some((kind, id)) = named(item)
            && let Some(known) = own.get(&(subject.source.clone(), kind, id.clone()))
        {
            id.clone_from(known);
        }
    }
    Ok(())
}

/// What was delivered of subjects that turned out to be this one.
async fn joined(tx: &mut Tx, record: i64, sink: &str) -> Result<Vec<Joined>> {
    let sql = "select r.subject, d.external_id from delivery d join record r on r.id = d.record
         where d.joined_into = $1 and d.sink = $2 and d.external_id is not null order by d.id";
    let rows = tx.fetch(sql, args![record, sink]).await?;
    rows.iter().map(|row| Ok(Joined { id: row.text(0)?, external_id: row.text(1)? })).collect()
}
