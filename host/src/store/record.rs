//! Records as they are read.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::db::{Filter, Row, among, anywhere, args};
use super::ledger::facets::digits;
use super::{Result, Store};
use crate::model::{Instant, Item, Kind, Merged, Subject};

/// A record as it stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// The hub's own id.
    pub id: i64,
    /// What it is about.
    pub subject: Subject,
    /// Other ids of the same subject.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Grows with every change.
    pub revision: u64,
    /// When it was first seen.
    pub created_at: Instant,
    /// When it took this revision.
    pub updated_at: Instant,
    /// What is known.
    #[serde(flatten)]
    pub item: Item,
}

/// Which calls. Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Of this source.
    pub source: Option<String>,
    /// Begun not before.
    pub from: Option<Instant>,
    /// Begun before.
    pub to: Option<Instant>,
    /// `ringing`, `answered`, `ended`.
    pub phase: Option<String>,
    /// `answered`, `no-answer`, ….
    pub outcome: Option<String>,
    /// `inbound`, `outbound`, `internal`.
    pub direction: Option<String>,
    /// Digits that stand in the caller's, the callee's or the line's number.
    pub number: Option<String>,
    /// An extension that rang, answered or placed it.
    pub agent: Option<String>,
    /// Words in names, numbers, notes.
    pub text: Option<String>,
}

/// Some of a list, and where it goes on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page<T> {
    /// What was asked for.
    pub items: Vec<T>,
    /// To be given as `after` for what follows; absent at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The first `limit` of what was read; there is more when one more was read.
    pub(super) fn of(mut items: Vec<(String, T)>, limit: u32) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|(cursor, _)| cursor.clone());
        Page { items: items.into_iter().map(|(_, item)| item).collect(), next }
    }
}

/// A place in a list, newest first: that of the record after which it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When the record was.
    pub(super) at: i64,
    /// The record.
    pub(super) id: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at, self.id)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place =
            text.split_once('.').and_then(|(at, id)| Some(Place { at: at.parse().ok()?, id: id.parse().ok()? }));
        place.ok_or_else(|| {
            let text = text.escape_default();
            format!("`{text}` is no place in this list: give what the page before gave as `next`, or nothing to begin")
        })
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(text: D) -> Result<Self, D::Error> {
        String::deserialize(text)?.parse().map_err(D::Error::custom)
    }
}

/// Lists are given in pieces of at most so many.
pub(super) const LIMIT: u32 = 1000;

pub(super) const COLUMNS: &str =
    "r.id, r.source, r.kind, r.subject, r.also, r.revision, r.created_at, r.updated_at, r.merged, r.at";

pub(super) fn read(row: &Row) -> Result<Record> {
    let merged: Merged = row.parsed(8)?;
    Ok(Record {
        id: row.int(0)?,
        subject: Subject { source: row.text(1)?, kind: row.word(2)?, id: row.text(3)? },
        also: row.opt_json(4)?.and_then(|also| serde_json::from_str(&also).ok()).unwrap_or_default(),
        revision: row.count(5)?,
        created_at: row.instant(6)?,
        updated_at: row.instant(7)?,
        item: merged.view(),
    })
}

/// Where the record of a row stands in a list.
pub(super) fn place(row: &Row) -> Result<Place> {
    Ok(Place { at: row.int(9)?, id: row.int(0)? })
}

impl Store {
    /// A record by its id. The id of a record that was joined into another one finds that one.
    pub async fn record(&self, tenant: &str, id: i64) -> Result<Option<Record>> {
        let sql = format!(
            "select {COLUMNS} from record o join record r on r.id = coalesce(o.joined_into, o.id)
             where o.tenant = $1 and o.id = $2"
        );
        self.db().fetch(sql, args![tenant, id]).await?.first().map(read).transpose()
    }

    /// A record by its subject, or by another id of its subject.
    pub async fn record_of(&self, tenant: &str, subject: &Subject) -> Result<Option<Record>> {
        let key = "o.tenant = $1 and o.source = $2 and o.kind = $3 and o.subject = $4";
        let sql = format!(
            "select {COLUMNS} from record o join record r on r.id = coalesce(o.joined_into, o.id) where {key}
             union all
             select {COLUMNS} from alias o join record r on r.id = o.record where {key}"
        );
        let values = args![tenant, &subject.source, subject.kind.word(), &subject.id];
        self.db().fetch(sql, values).await?.first().map(read).transpose()
    }

    /// Calls, newest first by their beginning.
    pub async fn calls(
        &self,
        tenant: &str,
        filter: &CallFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Record>> {
        let words = filter.text.as_ref().map(|text| text.to_lowercase());
        let number = filter.number.as_ref().map(|number| digits(number)).filter(|digits| !digits.is_empty());
        let part = |path: &str| format!("r.merged -> 'call' {path} = ?");
        let filter = of_kind(tenant, Kind::Call)
            .and_some("r.source = ?", filter.source.as_ref())
            .and_some("r.at >= ?", filter.from)
            .and_some("r.at < ?", filter.to)
            .and_some(&part("->> 'phase'"), filter.phase.as_ref())
            .and_some(&part("-> 'outcome' ->> 'v'"), filter.outcome.as_ref())
            .and_some(&part("-> 'direction' ->> 'v'"), filter.direction.as_ref())
            .and_some("r.numbers like ? escape '!'", number.map(|digits| anywhere(&digits)))
            .and_some("r.agents like ? escape '!'", filter.agent.as_ref().map(|agent| anywhere(&format!(" {agent} "))))
            .and_some(
                "(r.words like ? escape '!' or r.numbers like ? escape '!')",
                words.as_ref().map(|words| anywhere(words)),
            );
        self.listed(filter, after, limit).await
    }

    /// The calls of a source that have not ended, newest first: those that began after `since`, at most `limit`.
    pub async fn open_calls(&self, tenant: &str, source: &str, since: Instant, limit: u32) -> Result<Vec<Record>> {
        Ok(self.listed(open(tenant, since).and("r.source = ?", source), None, limit).await?.items)
    }

    /// The calls of a tenant that have not ended, newest first: those that began after `since`, at most `limit`.
    pub async fn calls_under_way(&self, tenant: &str, since: Instant, limit: u32) -> Result<Vec<Record>> {
        Ok(self.listed(open(tenant, since), None, limit).await?.items)
    }

    /// The newest call that has this id at any of these sources, or had it before it was joined.
    pub async fn call_of_any(&self, tenant: &str, sources: Vec<String>, id: &str) -> Result<Option<Record>> {
        // Ids are unique at a source, and are found by it.
        let (among, sources) = among(self.db().is_postgres(), 4, sources);
        let key = format!("o.subject = $1 and o.tenant = $2 and o.kind = $3 and o.source {among}");
        let sql = format!(
            "select {COLUMNS} from record o join record r on r.id = coalesce(o.joined_into, o.id) where {key}
             union all
             select {COLUMNS} from alias o join record r on r.id = o.record where {key}"
        );
        let rows = self.db().fetch(sql, args![id, tenant, Kind::Call.word(), sources]).await?;
        let found: Vec<Record> = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(found.into_iter().max_by_key(|record| record.id))
    }

    /// Records of one kind, newest first.
    pub async fn records(&self, tenant: &str, kind: Kind, after: Option<&str>, limit: u32) -> Result<Page<Record>> {
        self.listed(of_kind(tenant, kind), after, limit).await
    }

    /// Messages with something attached that came in since a moment, the last one first; those before the id `before`.
    pub async fn attached_since(&self, tenant: &str, since: Instant, before: Option<i64>) -> Result<Vec<Record>> {
        let (condition, values) =
            of_kind(tenant, Kind::Message).and("r.created_at >= ?", since).and_some("r.id < ?", before).done();
        let sql = format!(
            "select {COLUMNS} from record r where {condition} and r.merged -> 'message' -> 'media' is not null
             order by r.id desc limit {LIMIT}"
        );
        self.db().fetch(sql, values).await?.iter().map(read).collect()
    }

    async fn listed(&self, filter: Filter, after: Option<&str>, limit: u32) -> Result<Page<Record>> {
        let limit = limit.clamp(1, LIMIT);
        let filter = match after.and_then(|after| after.parse().ok()) {
            Some(Place { at, id }) => filter.and("r.at <= ?", at).and(&format!("(r.at < {at} or r.id < ?)"), id),
            None => filter,
        };
        let (condition, values) = filter.done();
        let sql = format!(
            "select {COLUMNS} from record r where {condition} order by r.at desc, r.id desc limit {}",
            limit + 1
        );
        let rows = self.db().fetch(sql, values).await?;
        let item = |row: &Row| Ok((place(row)?.to_string(), read(row)?));
        Ok(Page::of(rows.iter().map(item).collect::<Result<_>>()?, limit))
    }
}

fn of_kind(tenant: &str, kind: Kind) -> Filter {
    Filter::new("r.tenant = ?", tenant).and("r.joined_into is null and r.kind = ?", kind.word())
}

/// The calls that have not ended, of those that began after `since`.
fn open(tenant: &str, since: Instant) -> Filter {
    let open = "coalesce(r.merged -> 'call' ->> 'phase', '') <> ?";
    of_kind(tenant, Kind::Call).and("r.at >= ?", since).and(open, "ended")
}
