//! Deliveries: the standing duty to make one sink agree with one record. What they look like from outside.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::db::{Filter, Row, Value, args};
use super::record::{LIMIT, Page};
use super::{Result, Store};
use crate::model::{Instant, Item, Subject};

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The sink is behind.
    Due,
    /// The sink agrees.
    Done,
    /// No retry will mend it: it waits for a person, or for the record to change.
    Parked,
    /// Its moment has passed.
    Stale,
    /// Its subject turned out to be another one, whose delivery carries on.
    Joined,
}

impl State {
    /// All of them.
    pub const ALL: [State; 5] = [State::Due, State::Done, State::Parked, State::Stale, State::Joined];

    /// The word for it, as in tables and the API.
    pub fn word(self) -> &'static str {
        match self {
            State::Due => "due",
            State::Done => "done",
            State::Parked => "parked",
            State::Stale => "stale",
            State::Joined => "joined",
        }
    }
}

impl std::str::FromStr for State {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Self, String> {
        State::ALL
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| format!("`{word}` is not a state: due, done, parked, stale or joined"))
    }
}

/// All deliveries of one (tenant, sink).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Lane {
    /// The tenant.
    pub tenant: String,
    /// The sink.
    pub sink: String,
}

/// A delivery that a worker has to itself until its lease ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The delivery's id.
    pub delivery: i64,
    /// To be named when it is finished: who else has claimed it since has another.
    pub claim: i64,
    /// The record's id.
    pub record: i64,
    /// What it is about.
    pub subject: Subject,
    /// The record as it stands now.
    pub item: Item,
    /// The revision of `item`: what `finish` counts as delivered.
    pub revision: u64,
    /// When the record took this revision.
    pub revised_at: Instant,
    /// The revision that the sink is to agree with.
    pub wanted: u64,
    /// The revision that the sink agreed with last; 0 for none.
    pub done: u64,
    /// 1 for the first try. A claim counts as a try, unless it is released.
    pub attempt: u32,
    /// The id in the outside system.
    pub external_id: Option<String>,
    /// What the last receipt asked to remember.
    pub memo: Vec<u8>,
    /// Subjects that turned out to be this one after they had been delivered by themselves.
    pub joined: Vec<Joined>,
    /// A condition on the record; while it does not hold, nothing is delivered.
    pub holds: Option<String>,
    /// When the want is past.
    pub expires_at: Option<Instant>,
}

/// A subject that turned out to be another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// Its id at the source.
    pub id: String,
    /// What the sink calls it.
    pub external_id: String,
}

/// The end of one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The delivery's id.
    pub delivery: i64,
    /// The claim that ends.
    pub claim: i64,
    /// The revision that was delivered.
    pub revision: u64,
    /// How it ended.
    pub end: End,
    /// What to keep for people; absent when nothing was tried.
    pub attempt: Option<Attempt>,
}

/// How a claim ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The sink agrees.
    Done(Receipt),
    /// There is nothing to do over there, and why.
    Skipped(String),
    /// A passing failure: try again at this moment.
    Retry {
        /// Not before.
        at: Instant,
        /// Why it failed.
        why: String,
    },
    /// No retry will mend it.
    Parked {
        /// For people.
        why: String,
    },
    /// Its moment has passed.
    Stale {
        /// For people.
        why: String,
    },
    /// Not tried, or not counted as a try.
    Released {
        /// Not before; absent for at once, in its old place in the lane.
        at: Option<Instant>,
        /// Why it waits.
        why: Option<String>,
        /// An adapter was asked, and may have carried it out without the hub hearing of it.
        asked: bool,
    },
}

/// That the outside system agrees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The record's id over there.
    pub external_id: Option<String>,
    /// A page about it for people.
    pub url: Option<String>,
    /// What could not be stored as it is.
    pub shortened: Vec<String>,
    /// To be handed back next time.
    pub memo: Vec<u8>,
}

/// What became of a `Finished`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Noted.
    Noted,
    /// Noted, and the record has changed meanwhile: it is due again.
    Again,
    /// The claim was lost to another worker: the attempt is kept, the delivery is left alone.
    Lost,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// Its number.
    pub number: u32,
    /// `done`, `skipped`, `retryable`, `rejected`, `fault`, ….
    pub outcome: String,
    /// For people.
    pub why: String,
    /// The requests and what came back, as a JSON array, secrets taken out. Cut to an empty array when it is no JSON.
    pub exchanges: String,
}

/// One try, as listed.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptRow {
    /// Its id.
    pub id: i64,
    /// When it began.
    pub at: Instant,
    /// Milliseconds.
    pub took: u64,
    /// Its number.
    pub number: u32,
    /// The revision that was delivered.
    pub revision: u64,
    /// `done`, `skipped`, `retryable`, `rejected`, `fault`, ….
    pub outcome: String,
    /// For people.
    pub why: String,
    /// The requests and what came back.
    pub exchanges: serde_json::Value,
}

/// A delivery, as listed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delivery {
    /// Its id.
    pub id: i64,
    /// The sink.
    pub sink: String,
    /// The record's id.
    pub record: i64,
    /// What it is about.
    pub subject: Subject,
    /// How it stands.
    pub state: State,
    /// The revision that the sink is to agree with.
    pub wanted: u64,
    /// The revision that the sink agreed with last; 0 for none.
    pub done: u64,
    /// The id in the outside system.
    pub external_id: Option<String>,
    /// A page about it for people.
    pub url: Option<String>,
    /// What could not be stored as it is.
    pub shortened: Vec<String>,
    /// Tries that count. 0 only for what no adapter can have carried out since it was last done.
    pub attempts: u32,
    /// When it is tried next, while it is due.
    pub next_at: Instant,
    /// A worker has it now.
    pub claimed: bool,
    /// Why it stands so.
    pub reason: Option<String>,
    /// The condition of a want that may pass.
    pub holds: Option<String>,
    /// When the want is past.
    pub expires_at: Option<Instant>,
    /// Since when it is owed, or when it last changed.
    pub since: Instant,
}

/// Which deliveries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryFilter {
    /// To this sink.
    pub sink: Option<String>,
    /// Standing so.
    pub state: Option<State>,
    /// Of this record.
    pub record: Option<i64>,
    /// Changed not before.
    pub since: Option<Instant>,
    /// This one.
    pub id: Option<i64>,
}

/// A lane at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneSummary {
    /// Which one.
    #[serde(flatten)]
    pub lane: Lane,
    /// How many are due.
    pub due: u64,
    /// How many wait for a person.
    pub parked: u64,
    /// How many were past their moment.
    pub stale: u64,
    /// How many agree.
    pub done: u64,
    /// Since when the longest owed one is owed.
    pub oldest_due: Option<Instant>,
}

const COLUMNS: &str = "d.id, d.sink, d.record, r.source, r.kind, r.subject, d.state, d.wanted, d.done, d.external_id,
    d.url, d.shortened, d.attempts, d.next_at, d.claim, d.reason, d.holds, d.expires_at, d.since";

fn read(row: &Row) -> Result<Delivery> {
    let next_at = row.instant(13)?;
    Ok(Delivery {
        id: row.int(0)?,
        sink: row.text(1)?,
        record: row.int(2)?,
        subject: Subject { source: row.text(3)?, kind: row.word(4)?, id: row.text(5)? },
        state: row.word(6)?,
        wanted: row.count(7)?,
        done: row.count(8)?,
        external_id: row.opt_text(9)?,
        url: row.opt_text(10)?,
        shortened: row.opt_json(11)?.and_then(|list| serde_json::from_str(&list).ok()).unwrap_or_default(),
        attempts: row.count(12)?.try_into().unwrap_or(u32::MAX),
        next_at,
        claimed: row.opt_int(14)?.is_some() && next_at > Instant::now(),
        reason: row.opt_text(15)?,
        holds: row.opt_text(16)?,
        expires_at: row.opt_instant(17)?,
        since: row.instant(18)?,
    })
}

impl DeliveryFilter {
    /// The condition on `delivery d`.
    pub(super) fn condition(&self, tenant: &str) -> (String, Vec<Value>) {
        self.filter(tenant).done()
    }

    fn filter(&self, tenant: &str) -> Filter {
        Filter::new("d.tenant = ?", tenant)
            .and_some("d.state = ?", self.state.map(State::word))
            .and_some("d.sink = ?", self.sink.as_ref())
            .and_some("d.record = ?", self.record)
            .and_some("d.since >= ?", self.since)
            .and_some("d.id = ?", self.id)
    }
}

impl Store {
    /// Deliveries, latest first.
    pub async fn deliveries(
        &self,
        tenant: &str,
        filter: &DeliveryFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Delivery>> {
        let limit = limit.clamp(1, LIMIT);
        let after = after.and_then(|after| after.parse::<i64>().ok());
        let (condition, values) = filter.filter(tenant).and_some("d.id < ?", after).done();
        let sql = format!(
            "select {COLUMNS} from delivery d join record r on r.id = d.record where {condition}
             order by d.id desc limit {}",
            limit + 1
        );
        let rows = self.db().fetch(sql, values).await?;
        let item = |row: &Row| Ok((row.int(0)?.to_string(), read(row)?));
        Ok(Page::of(rows.iter().map(item).collect::<Result<_>>()?, limit))
    }

    /// One delivery with its last 100 attempts, newest first.
    pub async fn delivery(&self, tenant: &str, id: i64) -> Result<Option<(Delivery, Vec<AttemptRow>)>> {
        let filter = DeliveryFilter { id: Some(id), ..DeliveryFilter::default() };
        let Some(delivery) = self.deliveries(tenant, &filter, None, 1).await?.items.pop() else { return Ok(None) };
        let sql = "select id, at, took, number, revision, outcome, why, exchanges from attempt
             where delivery = $1 order by id desc limit 100";
        let rows = self.db().fetch(sql, args![id]).await?;
        let attempt = |row: &Row| {
            Ok(AttemptRow {
                id: row.int(0)?,
                at: row.instant(1)?,
                took: row.count(2)?,
                number: row.count(3)?.try_into().unwrap_or(u32::MAX),
                revision: row.count(4)?,
                outcome: row.text(5)?,
                why: row.text(6)?,
                exchanges: row.parsed(7)?,
            })
        };
        Ok(Some((delivery, rows.iter().map(attempt).collect::<Result<_>>()?)))
    }

    /// The lanes at a glance: of one tenant or of all.
    pub async fn lanes(&self, tenant: Option<&str>) -> Result<Vec<LaneSummary>> {
        let sql = "select tenant, sink, state, count(*), min(case when state = 'due' then since end) from delivery
             where $1 is null or tenant = $1 group by tenant, state, sink order by tenant, sink";
        let sql = if self.db().is_postgres() { sql.replace("$1", "$1::text") } else { sql.to_owned() };
        let mut lanes: Vec<LaneSummary> = Vec::new();
        for row in &self.db().fetch(sql, args![tenant]).await? {
            let lane = Lane { tenant: row.text(0)?, sink: row.text(1)? };
            if lanes.last().is_none_or(|last| last.lane != lane) {
                lanes.push(LaneSummary { lane, due: 0, parked: 0, stale: 0, done: 0, oldest_due: None });
            }
            let Some(last) = lanes.last_mut() else { continue };
            let count = row.count(3)?;
            match row.word(2)? {
                State::Due => {
                    last.due = count;
                    last.oldest_due = row.opt_instant(4)?;
                }
                State::Parked => last.parked = count,
                State::Stale => last.stale = count,
                State::Done => last.done = count,
                State::Joined => {}
            }
        }
        Ok(lanes)
    }
}
