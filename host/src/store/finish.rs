//! The ends of claims, committed in groups with their attempts.

use std::collections::HashMap;

use super::db::{Db, Rows, Tx, Value, args};
use super::delivery::{Attempt, End, Finished, Receipt, Settled, State};
use super::group::Handler;
use super::ledger::millis;
use super::{Result, Store};

/// Ends claims.
pub(super) struct Finisher {
    pub db: Db,
}

/// A delivery as it stands when a claim of it ends.
#[derive(Clone)]
struct Standing {
    tenant: String,
    state: State,
    claim: Option<i64>,
    wanted: u64,
    attempts: i64,
    is_lasting: bool,
    joined_into: Option<i64>,
    sink: String,
}

/// A delivery as it is left. `None` keeps what is there.
struct Left {
    id: i64,
    state: State,
    done: Option<u64>,
    receipt: Option<Receipt>,
    attempts: i64,
    /// Absent for at once, in its old place in the lane.
    next_at: Option<i64>,
    reason: Option<String>,
    is_met: bool,
}

impl Store {
    /// Ends claims, each with its attempt in the same transaction; answers in the same order. A claim that was lost
    /// changes nothing but keeps its attempt.
    pub async fn finish(&self, finished: Vec<Finished>) -> Result<Vec<Settled>> {
        let waiting = finished.into_iter().map(|finished| self.inner.finisher.submit_patiently(finished));
        futures::future::join_all(waiting).await.into_iter().collect()
    }
}

impl Handler for Finisher {
    type Item = Finished;
    type Outcome = Settled;

    async fn handle(&self, items: &mut [Finished]) -> Result<Vec<Result<Settled>>> {
        let mut tx = self.db.begin().await?;
        let mut standing = standing(&mut tx, items).await?;
        let mut left = Vec::with_capacity(items.len());
        let mut attempts = Vec::new();
        let mut woken = Vec::new();
        let mut settled = Vec::with_capacity(items.len());
        for finished in items.iter() {
            let Some(stands) = standing.get_mut(&finished.delivery) else {
                settled.push(Ok(Settled::Lost));
                continue;
            };
            if let Some(attempt) = &finished.attempt {
                attempts.push((stands.tenant.clone(), finished, attempt));
            }
            if stands.claim != Some(finished.claim) {
                settled.push(Ok(Settled::Lost));
                continue;
            }
            stands.claim = None;
            let after = end(finished, stands);
            let again = after.state == State::Due && !matches!(finished.end, End::Retry { .. } | End::Released { .. });
            if let (State::Joined, Some(into)) = (after.state, stands.joined_into) {
                woken.push((into, stands.sink.clone()));
            }
            settled.push(Ok(if again { Settled::Again } else { Settled::Noted }));
            left.push(after);
        }
        if !left.is_empty() {
            leave(&mut tx, &left).await?;
        }
        if !attempts.is_empty() {
            keep(&mut tx, &attempts).await?;
        }
        for (record, sink) in woken {
            // The call for the joined subject is over: its successor's may begin, and must speak of what it made.
            let sql = format!(
                "update delivery set next_at = {0}, joins = joins + 1, state = 'due',
                     since = case when state = 'due' then since else {0} end
                 where record = $1 and sink = $2 and claim is null",
                tx.clock()
            );
            tx.execute(sql, args![record, sink]).await?;
        }
        tx.commit().await?;
        Ok(settled)
    }
}

/// The one place that says what an end makes of a delivery.
fn end(finished: &Finished, stands: &Standing) -> Left {
    let grown = stands.wanted > finished.revision;
    let mut left = Left {
        id: finished.delivery,
        state: State::Due,
        done: None,
        receipt: None,
        attempts: stands.attempts,
        next_at: None,
        reason: None,
        is_met: false,
    };
    match &finished.end {
        End::Done(receipt) => {
            left.done = Some(finished.revision);
            left.receipt = Some(receipt.clone());
            left.is_met = !grown;
            left.state = if grown { State::Due } else { State::Done };
        }
        End::Skipped(why) => {
            left.done = Some(finished.revision);
            left.reason = Some(why.clone());
            left.is_met = !grown;
            left.state = if grown { State::Due } else { State::Done };
        }
        End::Retry { at, why } => {
            left.next_at = Some(millis(*at));
            left.reason = Some(why.clone());
        }
        End::Parked { why } => {
            left.reason = Some(why.clone());
            left.state = if grown { State::Due } else { State::Parked };
        }
        End::Stale { why } => {
            left.reason = Some(why.clone());
            left.state = if grown || stands.is_lasting { State::Due } else { State::Stale };
            left.attempts = (stands.attempts - 1).max(0);
        }
        End::Released { at, why, asked } => {
            left.next_at = at.map(millis);
            left.reason = why.clone();
            left.attempts = (stands.attempts - 1).max((*asked).into());
        }
    }
    if left.state == State::Due {
        // The record has changed meanwhile: what is owed now has all its tries before it.
        left.attempts = match finished.end {
            End::Done(_) | End::Skipped(_) => 0,
            End::Parked { .. } | End::Stale { .. } => left.attempts.min(1),
            End::Retry { .. } | End::Released { .. } => left.attempts,
        };
    }
    if stands.state == State::Joined {
        left.state = State::Joined;
        left.is_met = false;
    }
    left
}

async fn standing(tx: &mut Tx, items: &[Finished]) -> Result<HashMap<i64, Standing>> {
    let columns = "id, tenant, state, claim, wanted, attempts, holds is null and expires_at is null, joined_into, sink";
    let rows = match tx.is_postgres() {
        true => {
            // In one order, as every other that takes many: two that take the same rows do not wait for each other.
            let sql = "select id, tenant, state, claim, wanted, attempts,
                    case when holds is null and expires_at is null then 1::bigint else 0::bigint end, joined_into, sink
                from delivery where id = any($1::bigint[]) order by id for update";
            let ids = Value::Ints(items.iter().map(|finished| Some(finished.delivery)).collect());
            tx.fetch(sql, [ids]).await?
        }
        false => {
            let mut rows = Rows::new();
            for finished in items {
                rows.row().int(finished.delivery);
            }
            let [ids, _] = rows.values();
            let sql = format!("select {columns} from delivery where id in (select value ->> 0 from jsonb_each($1))");
            tx.fetch(sql, [ids]).await?
        }
    };
    let mut standing = HashMap::with_capacity(rows.len());
    for row in &rows {
        let stands = Standing {
            tenant: row.text(1)?,
            state: row.word(2)?,
            claim: row.opt_int(3)?,
            wanted: row.count(4)?,
            attempts: row.int(5)?,
            is_lasting: row.int(6)? == 1,
            joined_into: row.opt_int(7)?,
            sink: row.text(8)?,
        };
        standing.insert(row.int(0)?, stands);
    }
    Ok(standing)
}

/// What the columns become, `f` being the row of ends.
fn left_as(clock: &str) -> String {
    format!(
        "state = f.state, claim = null, attempts = f.attempts,
         next_at = coalesce(f.next_at, case when f.state = 'due' and f.done is null then d.since else {clock} end),
         reason = f.reason, done = coalesce(f.done, d.done), external_id = coalesce(f.external_id, d.external_id),
         url = coalesce(f.url, d.url),
         shortened = case when f.has_receipt = 1 then f.shortened else d.shortened end,
         memo = case when f.has_receipt = 1 then f.memo else d.memo end,
         holds = case when f.is_met = 1 then null else d.holds end,
         expires_at = case when f.is_met = 1 then null else d.expires_at end,
         joins = case when f.is_met = 1 then 0 else d.joins end,
         since = case when f.state = 'due' and f.done is null then d.since else {clock} end"
    )
}

async fn leave(tx: &mut Tx, left: &[Left]) -> Result<()> {
    let clock = tx.clock();
    let shortened = |left: &Left| {
        let shortened = &left.receipt.as_ref()?.shortened;
        (!shortened.is_empty()).then(|| serde_json::to_string(shortened).unwrap_or_default())
    };
    let signed = |value: Option<u64>| value.map(u64::cast_signed);
    if tx.is_postgres() {
        let receipt = |part: fn(&Receipt) -> Option<String>| {
            Value::Texts(left.iter().map(|left| left.receipt.as_ref().and_then(part)).collect())
        };
        let memo = |left: &Left| left.receipt.as_ref().map(|receipt| receipt.memo.clone());
        let values = [
            Value::Ints(left.iter().map(|left| Some(left.id)).collect()),
            Value::Texts(left.iter().map(|left| Some(left.state.word().to_owned())).collect()),
            Value::Ints(left.iter().map(|left| signed(left.done)).collect()),
            Value::Ints(left.iter().map(|left| Some(left.attempts)).collect()),
            Value::Ints(left.iter().map(|left| left.next_at).collect()),
            Value::Texts(left.iter().map(|left| left.reason.clone()).collect()),
            Value::Ints(left.iter().map(|left| Some(left.is_met.into())).collect()),
            Value::Ints(left.iter().map(|left| Some(left.receipt.is_some().into())).collect()),
            receipt(|receipt| receipt.external_id.clone()),
            receipt(|receipt| receipt.url.clone()),
            Value::Jsons(left.iter().map(shortened).collect()),
            Value::Blobs(left.iter().map(memo).collect()),
        ];
        let sql = format!(
            "update delivery d set {} from (
                select id, state, done, attempts, next_at, reason, is_met, has_receipt, external_id, url,
                    shortened::jsonb as shortened, memo
                from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
                    $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[], $12::bytea[])
                    as u (id, state, done, attempts, next_at, reason, is_met, has_receipt, external_id, url, shortened,
                        memo)) f
             where d.id = f.id",
            left_as(clock)
        );
        return tx.execute(sql, values).await.map(drop);
    }
    let mut rows = Rows::new();
    for left in left {
        let receipt = left.receipt.as_ref();
        rows.row()
            .int(left.id)
            .text(left.state.word())
            .opt_int(signed(left.done))
            .int(left.attempts)
            .opt_int(left.next_at)
            .opt_text(left.reason.as_deref())
            .int(left.is_met.into())
            .int(receipt.is_some().into())
            .opt_text(receipt.and_then(|receipt| receipt.external_id.as_deref()))
            .opt_text(receipt.and_then(|receipt| receipt.url.as_deref()))
            .opt_text(shortened(left).as_deref())
            .bytes(receipt.map_or(&[], |receipt| &receipt.memo));
    }
    let sql = format!(
        "update delivery as d set {} from (
            select value ->> 0 as id, value ->> 1 as state, value ->> 2 as done, value ->> 3 as attempts,
                value ->> 4 as next_at, value ->> 5 as reason, value ->> 6 as is_met, value ->> 7 as has_receipt,
                value ->> 8 as external_id, value ->> 9 as url, value ->> 10 as shortened,
                substr($2, value ->> 11, value ->> 12) as memo
            from jsonb_each($1)) f
         where d.id = f.id",
        left_as(clock)
    );
    tx.execute(sql, rows.values()).await.map(drop)
}

async fn keep(tx: &mut Tx, attempts: &[(String, &Finished, &Attempt)]) -> Result<()> {
    // Some come from components' own words: what is no JSON is not kept.
    let exchanges = |attempt: &Attempt| {
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&attempt.exchanges).is_ok();
        if is_json { attempt.exchanges.clone() } else { "[]".to_owned() }
    };
    let took = |attempt: &Attempt| i64::try_from(attempt.took.as_millis()).unwrap_or(i64::MAX);
    if tx.is_postgres() {
        let values = [
            Value::Texts(attempts.iter().map(|(tenant, ..)| Some(tenant.clone())).collect()),
            Value::Ints(attempts.iter().map(|(_, finished, _)| Some(finished.delivery)).collect()),
            Value::Ints(attempts.iter().map(|(.., attempt)| Some(millis(attempt.at))).collect()),
            Value::Ints(attempts.iter().map(|(.., attempt)| Some(took(attempt))).collect()),
            Value::Ints(attempts.iter().map(|(.., attempt)| Some(attempt.number.into())).collect()),
            Value::Ints(attempts.iter().map(|(_, finished, _)| Some(finished.revision.cast_signed())).collect()),
            Value::Texts(attempts.iter().map(|(.., attempt)| Some(attempt.outcome.clone())).collect()),
            Value::Texts(attempts.iter().map(|(.., attempt)| Some(attempt.why.clone())).collect()),
            Value::Jsons(attempts.iter().map(|(.., attempt)| Some(exchanges(attempt))).collect()),
        ];
        let sql = "insert into attempt (tenant, delivery, at, took, number, revision, outcome, why, exchanges)
             select tenant, delivery, at, took, number, revision, outcome, why, exchanges::json
             from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
                 $8::text[], $9::text[])
                 as a (tenant, delivery, at, took, number, revision, outcome, why, exchanges)";
        return tx.execute(sql, values).await.map(drop);
    }
    let mut rows = Rows::new();
    for (tenant, finished, attempt) in attempts {
        rows.row()
            .text(tenant)
            .int(finished.delivery)
            .int(millis(attempt.at))
            .int(took(attempt))
            .int(attempt.number.into())
            .int(finished.revision.cast_signed())
            .text(&attempt.outcome)
            .text(&attempt.why)
            .json(&exchanges(attempt));
    }
    let sql = "insert into attempt (tenant, delivery, at, took, number, revision, outcome, why, exchanges)
         select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
             cast(substr($2, value ->> 8, value ->> 9) as text)
         from jsonb_each($1)";
    tx.execute(sql, rows.values()).await.map(drop)
}
