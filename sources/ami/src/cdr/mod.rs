//! Calls of time that was missed, read from the database of call detail records.
//!
//! Such a record tells surely when a call ended and where its recording is. Who spoke with whom it tells roughly, for
//! queues and menus count as answered there: that is reported as inferred, and gives way to whatever was seen.

mod account;
mod entry;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use cordboard_sdk::prelude::*;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::settings::Plan;

use account::Account;
use entry::Entry;

/// The database, as the tenant's file names it.
const DATABASE: &str = "cdr";
/// What the hub says of an answer that is too long.
const TOO_LARGE: &str = "too-large";
/// How much is read at once. Milliseconds.
const WINDOW: u64 = 3_600_000;
/// The shortest time that is read at once, when there is too much in longer ones.
const LEAST: u64 = 1_000;
/// Calls of one page: each is looked up in the ledger, which counts as a request.
const CALLS: usize = 500;
/// Rows of one call may begin so long after its first one.
const MARGIN: u64 = 3 * 3_600_000;
/// Calls may have begun so long before the connection was lost.
const BEFORE: u64 = 3 * 3_600_000;
/// The PBX's clock may be so far from the hub's.
const APART: u64 = 5 * 60_000;
/// Rows may be written so late: with `batch = yes` Asterisk keeps them for five minutes.
const LATE: u64 = 6 * 60_000;

/// The time that was missed, by the hub's clock.
#[derive(Deserialize)]
struct Gap {
    since: u64,
    until: u64,
}

/// Where reading goes on.
#[derive(Serialize, Deserialize)]
struct Cursor {
    from: u64,
    window: u64,
    /// Calls that were told so far.
    #[serde(default)]
    told: u32,
    /// Once more, for rows that were written late.
    #[serde(default)]
    again: bool,
}

/// Reads one window of the missed time.
pub fn page(host: &dyn Host, plan: &Plan, job: &Job, cursor: Option<&[u8]>) -> Result<Page, Failure> {
    if job.kind != "cdr" {
        return Err(Failure::rejected("unknown-job", format!("`{}` is no job of this source", job.kind)));
    }
    let bad = |error: serde_json::Error| {
        Failure::rejected("bad-parameters", format!("the job's parameters do not fit: {error}"))
    };
    let zone = TimeZone::get(&plan.cdr_zone)
        .map_err(|_| Failure::misconfigured(format!("`cdr_zone` is `{}`, which is no time zone", plan.cdr_zone)))?;
    let mut gap: Gap = serde_json::from_str(&job.parameters).map_err(bad)?;
    let now = host.now();
    gap.until = gap.until.min(now);
    gap.since = gap.since.min(gap.until);
    let first = |since: u64| since.saturating_sub(APART + BEFORE);
    let mut at = match cursor {
        Some(cursor) => serde_json::from_slice(cursor).map_err(bad)?,
        None => Cursor { from: first(gap.since), window: WINDOW, told: 0, again: false },
    };
    let calls = loop {
        match begun(host, plan, &zone, at.from..at.from + at.window) {
            Err(Failure::Rejected(why)) if why.code == TOO_LARGE && at.window > LEAST => {
                at.window = (at.window / 2).max(LEAST)
            }
            other => break other?,
        }
    };
    let mut observations = Vec::new();
    for call in calls.iter().filter(|call| call.ended_in(&gap, APART)) {
        let known = host.ledger().call_of(&call.key)?.map(|known| known.call);
        let told = call.observations(plan, known.as_ref(), &gap);
        at.told += u32::from(!told.is_empty());
        observations.extend(told);
    }
    let progress = Progress { stage: "calls".to_owned(), rows: Kind::Call, processed: at.told, total: None, errors: 0 };
    at.from += at.window;
    at.window = (at.window * 2).min(WINDOW);
    let (mut after, mut over) = (None, at.from >= gap.until + APART);
    if over && !at.again && now < gap.until + LATE {
        after = Some(gap.until + LATE - now);
        at = Cursor { from: first(gap.since.max(gap.until.saturating_sub(LATE))), again: true, ..at };
        over = false;
    }
    let next = (!over).then(|| serde_json::to_vec(&at)).transpose().map_err(bad)?;
    Ok(Page { observations, next, after, progress: vec![progress] })
}

/// The calls whose first row lies in this time, with all their rows.
fn begun(host: &dyn Host, plan: &Plan, zone: &TimeZone, time: Range<u64>) -> Result<Vec<Account>, Failure> {
    let read = |rows: &Rows| -> Vec<Entry> { rows.iter().filter_map(|row| Entry::read(&row, zone)).collect() };
    let rows = select(host, plan, zone, &time, "", &[])?;
    let mut known = HashSet::new();
    let entries = read(&rows);
    let roots = entries.iter().filter(|entry| entry.root && time.contains(&entry.start));
    let keys: Vec<&str> = roots.map(|entry| entry.key.as_str()).filter(|key| known.insert(*key)).collect();
    if keys.is_empty() {
        return Ok(vec![]);
    }
    if keys.len() > CALLS {
        return Err(Failure::rejected(TOO_LARGE, format!("more than {CALLS} calls in {} ms", time.end - time.start)));
    }
    let places = (3..keys.len() + 3).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
    let of_keys = match rows.columns.iter().any(|column| column.eq_ignore_ascii_case("linkedid")) {
        true => format!(" and (uniqueid in ({places}) or linkedid in ({places}))"),
        false => format!(" and uniqueid in ({places})"),
    };
    let around = time.start.saturating_sub(MARGIN)..time.end + MARGIN;
    let mut calls: HashMap<String, Vec<Entry>> = HashMap::new();
    for entry in read(&select(host, plan, zone, &around, &of_keys, &keys)?) {
        calls.entry(entry.key.clone()).or_default().push(entry);
    }
    let calls = keys.iter().filter_map(|key| Account::new(calls.remove(*key)?));
    Ok(calls.filter(|call| time.contains(&call.root().start)).collect())
}

/// The rows of a time that fulfil what else is asked. All columns: which there are differs.
fn select(
    host: &dyn Host,
    plan: &Plan,
    zone: &TimeZone,
    time: &Range<u64>,
    and: &str,
    values: &[&str],
) -> Result<Rows, Failure> {
    let table = &plan.cdr_table;
    let statement = format!("select * from {table} where calldate >= $1 and calldate < $2{and} order by calldate");
    let [from, to] = entry::bounds(time, zone);
    let parameters: Vec<&str> = [from.as_str(), &to].into_iter().chain(values.iter().copied()).collect();
    host.query(DATABASE, &statement, &parameters)
}
