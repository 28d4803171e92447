//! What was said with whom: calls and messages in one list, and the names that the hub itself knows for a number.
//!
//! Numbers are looked for by their keys, see [`Phone::key`](crate::model::Phone::key).

use std::collections::HashMap;

use super::db::{Row, Value, anywhere};
use super::record::{COLUMNS, LIMIT, Page, Record, place, read};
use super::{Result, Store};
use crate::model::{Instant, Item, Kind};

/// Which calls and messages. Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Communications {
    /// Calls, messages; both when empty.
    pub kinds: Vec<Kind>,
    /// With one of these numbers, as keys; with anybody when empty.
    pub people: Vec<String>,
    /// Of this source.
    pub source: Option<String>,
    /// Not before.
    pub from: Option<Instant>,
    /// Before.
    pub to: Option<Instant>,
    /// `inbound`, `outbound`, `internal`.
    pub direction: Option<String>,
    /// How a call went, or how far a message has come.
    pub outcome: Option<String>,
    /// At one of these extensions; at any when empty.
    pub agents: Vec<String>,
}

/// A call or a message with its place in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Communication {
    /// When it was.
    pub at: Instant,
    /// The number that it was with, as a key.
    pub person: Option<String>,
    /// The record.
    pub record: Record,
}

/// A name that the hub itself knows for a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The record that says so: a contact, or a call logged by hand.
    pub record: i64,
    /// The record's source.
    pub source: String,
    /// The record's id at its source.
    pub subject: String,
    /// The record's kind.
    pub kind: Kind,
}

/// Records that are looked at for one page, from each part of the list. A filter that finds little is answered with a
/// short page and the place to go on, not with a walk through everything.
const LOOKED_AT: i64 = 10_000;

/// Names that are given for one number.
const NAMES: i64 = 10;

/// Statements with their arguments, under construction.
#[derive(Default)]
struct Words {
    values: Vec<Value>,
}

impl Words {
    /// A place for the value.
    fn put(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("${}", self.values.len())
    }

    /// Places for all values, with commas between them.
    fn list<'a>(&mut self, values: impl IntoIterator<Item = &'a str>) -> String {
        let places: Vec<String> = values.into_iter().map(|value| self.put(value)).collect();
        places.join(", ")
    }
}

impl Communications {
    fn kinds(&self) -> Vec<Kind> {
        let both = [Kind::Call, Kind::Message];
        both.into_iter().filter(|kind| self.kinds.is_empty() || self.kinds.contains(kind)).collect()
    }

    /// The parts of the list: each is one walk along an index, newest first.
    fn parts(&self, tenant: &str, after: Option<(i64, i64)>, words: &mut Words) -> Vec<String> {
        let mut all = format!("r.tenant = {} and r.joined_into is null", words.put(tenant));
        for (moment, sign) in [(self.from, ">="), (self.to, "<")] {
            if let Some(moment) = moment {
                all.push_str(&format!(" and r.at {sign} {}", words.put(moment)));
            }
        }
        if let Some((at, id)) = after {
            let (at, id) = (words.put(at), words.put(id));
            all.push_str(&format!(" and r.at <= {at} and (r.at < {at} or r.id < {id})"));
        }
        let kinds = self.kinds();
        if self.people.is_empty() {
            return kinds.iter().map(|kind| format!("{all} and r.kind = {}", words.put(kind.word()))).collect();
        }
        let kinds = words.list(kinds.iter().map(|kind| kind.word()));
        let part = |person: &String| format!("{all} and r.person = {} and r.kind in ({kinds})", words.put(person));
        self.people.iter().map(part).collect()
    }

    /// What no index finds.
    fn rest(&self, words: &mut Words) -> Option<String> {
        let mut rest = Vec::new();
        if let Some(source) = &self.source {
            rest.push(format!("r.source = {}", words.put(source)));
        }
        if let Some(direction) = &self.direction {
            let found =
                "coalesce(r.merged -> 'call' -> 'direction' ->> 'v', r.merged -> 'message' -> 'direction' ->> 'v')";
            rest.push(format!("{found} = {}", words.put(direction)));
        }
        if let Some(outcome) = &self.outcome {
            let found = "coalesce(r.merged -> 'call' -> 'outcome' ->> 'v', r.merged -> 'message' ->> 'status')";
            rest.push(format!("{found} = {}", words.put(outcome)));
        }
        if !self.agents.is_empty() {
            let at =
                |agent: &String| format!("r.agents like {} escape '!'", words.put(anywhere(&format!(" {agent} "))));
            rest.push(format!("({})", self.agents.iter().map(at).collect::<Vec<_>>().join(" or ")));
        }
        (!rest.is_empty()).then(|| rest.join(" and "))
    }

    /// The statement that reads one page, and one record more.
    pub(super) fn page(&self, tenant: &str, after: Option<(i64, i64)>, limit: u32) -> (String, Vec<Value>) {
        let mut words = Words::default();
        let parts = self.parts(tenant, after, &mut words);
        let rest = self.rest(&mut words);
        let (most, look) = (i64::from(limit) + 1, LOOKED_AT);
        let columns = format!("{COLUMNS}, r.person");
        let of = |(n, part): (usize, &String)| match &rest {
            None => format!(
                "select * from (select {columns} from record r where {part} order by r.at desc, r.id desc limit {most}) p{n}"
            ),
            Some(rest) => format!(
                "select * from (select {columns} from (select * from record r where {part}
                     order by r.at desc, r.id desc limit {look}) r where {rest}
                     order by r.at desc, r.id desc limit {most}) p{n}"
            ),
        };
        let all: Vec<String> = parts.iter().enumerate().map(of).collect();
        let all = all.join("\nunion all\n");
        (format!("select * from ({all}) a order by at desc, id desc limit {most}"), words.values)
    }

    /// The statement that reads where each part of the list was no longer looked at; absent when all of it is.
    pub(super) fn edges(&self, tenant: &str, after: Option<(i64, i64)>) -> Option<(String, Vec<Value>)> {
        self.rest(&mut Words::default())?;
        let mut words = Words::default();
        let parts = self.parts(tenant, after, &mut words);
        let edge = |(n, part): (usize, &String)| {
            format!(
                "select * from (select r.at, r.id from record r where {part}
                     order by r.at desc, r.id desc limit 1 offset {}) p{n}",
                LOOKED_AT - 1
            )
        };
        let all: Vec<String> = parts.iter().enumerate().map(edge).collect();
        Some((all.join("\nunion all\n"), words.values))
    }
}

impl Store {
    /// Calls and messages, newest first. A page may be short, or empty, and still have a `next`: there is more to look
    /// through than is looked at in one go.
    pub async fn communications(
        &self,
        tenant: &str,
        filter: &Communications,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<Communication>> {
        let limit = limit.clamp(1, LIMIT);
        let after = after.and_then(place);
        let (sql, values) = filter.page(tenant, after, limit);
        let rows = self.db().fetch(sql, values).await?;
        let key = |row: &Row| Ok((row.int(9)?, row.int(0)?));
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            let found = Communication { at: row.instant(9)?, person: row.opt_text(10)?, record: read(row)? };
            items.push((key(row)?, found));
        }
        let mut edge = None;
        if items.len() <= limit as usize
            && let Some((sql, values)) = filter.edges(tenant, after)
        {
            let edges = self.db().fetch(sql, values).await?;
            edge =
                edges.iter().map(|row| Ok((row.int(0)?, row.int(1)?))).collect::<Result<Vec<_>>>()?.into_iter().max();
        }
        if let Some(edge) = edge {
            items.retain(|(place, _)| *place >= edge);
        }
        let cursor = |(at, id): (i64, i64)| format!("{at}.{id}");
        let mut page = Page::of(items.into_iter().map(|(place, item)| (cursor(place), item)).collect(), limit);
        page.next = page.next.or(edge.map(cursor));
        Ok(page)
    }

    /// What the hub's own records call whoever has one of these numbers: contacts first, then what people wrote when
    /// they logged a call, newest first.
    pub async fn named(&self, tenant: &str, people: &[String]) -> Result<Vec<Named>> {
        let all = self.all_named(tenant, people, NAMES).await?;
        let mut names: Vec<Named> = Vec::new();
        for (_, named) in all {
            if !names.iter().any(|known| known.name.eq_ignore_ascii_case(&named.name)) {
                names.push(named);
            }
        }
        Ok(names)
    }

    /// The best name of each of many numbers, by their keys.
    pub async fn names(&self, tenant: &str, people: &[String]) -> Result<HashMap<String, Named>> {
        let mut names = HashMap::new();
        for (person, named) in self.all_named(tenant, people, i64::from(LIMIT)).await? {
            names.entry(person).or_insert(named);
        }
        Ok(names)
    }

    async fn all_named(&self, tenant: &str, people: &[String], most: i64) -> Result<Vec<(String, Named)>> {
        if people.is_empty() {
            return Ok(Vec::new());
        }
        let mut words = Words::default();
        let tenant_at = words.put(tenant);
        let numbers = words.list(people.iter().map(String::as_str));
        let sql = format!(
            "select {COLUMNS}, n.number from contact_number n join record o on o.id = n.record
             join record r on r.id = coalesce(o.joined_into, o.id)
             where n.tenant = {tenant_at} and n.number in ({numbers}) and r.tenant = {tenant_at}
             order by r.id limit {most}"
        );
        let mut rows = self.db().fetch(sql, words.values.clone()).await?;
        // Spelled out: the index over what people wrote is found by its own words.
        let sql = format!(
            "select {COLUMNS}, r.person from record r
             where r.tenant = {tenant_at} and r.person in ({numbers}) and r.source = 'manual' and r.joined_into is null
             order by r.at desc, r.id desc limit {most}"
        );
        rows.extend(self.db().fetch(sql, words.values).await?);
        let mut all = Vec::new();
        for row in &rows {
            let (person, record) = (row.text(10)?, read(row)?);
            if let Some(name) = name_in(&record.item) {
                let Record { id, subject, .. } = record;
                let named = Named { name, record: id, source: subject.source, subject: subject.id, kind: subject.kind };
                all.push((person, named));
            }
        }
        Ok(all)
    }
}

/// The name that a record gives to whom it is about or was with.
fn name_in(item: &Item) -> Option<String> {
    let name = match item {
        Item::Contact(contact) => {
            let names = [&contact.name, &contact.verified_name, &contact.push_name];
            names.into_iter().flatten().find(|name| !name.trim().is_empty()).map(String::as_str)
        }
        item => item.customer().and_then(|customer| customer.name),
    };
    name.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned)
}
