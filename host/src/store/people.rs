//! What was said with whom: calls and messages in one list, and the names that the hub itself knows for a number.
//!
//! Numbers are looked for by their keys, see [`Phone::key`](crate::model::Phone::key).

use std::collections::HashMap;

use super::db::{Value, anywhere};
use super::record::{COLUMNS, LIMIT, Page, Place, Record, place, read};
use super::{Result, Store};
use crate::model::{Instant, Item, Kind};

/// Which calls and messages. Newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Communications {
    /// Calls, messages; both when empty.
    pub kinds: Vec<Kind>,
    /// With whoever has this number, by its keys, see [`Numbering::keys`](crate::model::Numbering::keys); with anybody
    /// when empty.
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
    fn parts(&self, tenant: &str, after: Option<Place>, words: &mut Words) -> Vec<String> {
        let mut all = format!("r.tenant = {} and r.joined_into is null", words.put(tenant));
        for (moment, sign) in [(self.from, ">="), (self.to, "<")] {
            if let Some(moment) = moment {
                all.push_str(&format!(" and r.at {sign} {}", words.put(moment)));
            }
        }
        if let Some(Place { at, id }) = after {
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
    pub(super) fn page(&self, tenant: &str, after: Option<Place>, limit: u32) -> (String, Vec<Value>) {
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

    /// The statement that reads where each part of the list is no longer looked at; absent when all of it is.
    pub(super) fn edges(&self, tenant: &str, after: Option<Place>) -> Option<(String, Vec<Value>)> {
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
        after: Option<Place>,
        limit: u32,
    ) -> Result<Page<Communication>> {
        let limit = limit.clamp(1, LIMIT);
        let (sql, values) = filter.page(tenant, after, limit);
        let rows = self.db().fetch(sql, values).await?;
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            let found = Communication { at: row.instant(9)?, person: row.opt_text(10)?, record: read(row)? };
            items.push((place(row)?, found));
        }
        let mut edge: Option<Place> = None;
        if let Some((sql, values)) = filter.edges(tenant, after) {
            for row in &self.db().fetch(sql, values).await? {
                edge = edge.max(Some(Place { at: row.int(0)?, id: row.int(1)? }));
            }
        }
        // Beyond the nearest edge one part was looked at and another was not: all of it is for the next page.
        items.retain(|(place, _)| Some(*place) >= edge);
        let mut page = Page::of(items.into_iter().map(|(place, item)| (place.to_string(), item)).collect(), limit);
        page.next = page.next.or(edge.map(|edge| edge.to_string()));
        page.items.retain(|found| is_with(&filter.people, found.person.as_deref(), &found.record.item));
        Ok(page)
    }

    /// What the hub's own records call whoever has this number, by its keys: contacts first, then what people wrote when
    /// they logged a call, newest first.
    pub async fn named(&self, tenant: &str, people: &[String]) -> Result<Vec<Named>> {
        let mut all = self.all_named(tenant, people, NAMES).await?;
        all.retain(|(person, record)| is_with(people, Some(person), &record.item));
        let mut names: Vec<Named> = Vec::new();
        for named in all.into_iter().filter_map(|(_, record)| Named::of(record)) {
            if !names.iter().any(|known| known.name.eq_ignore_ascii_case(&named.name)) {
                names.push(named);
            }
        }
        Ok(names)
    }

    /// The best name of each of many numbers, by their keys.
    pub async fn names(&self, tenant: &str, people: &[String]) -> Result<HashMap<String, Named>> {
        let mut names = HashMap::new();
        for (person, record) in self.all_named(tenant, people, i64::from(LIMIT)).await? {
            if let Some(named) = Named::of(record) {
                names.entry(person).or_insert(named);
            }
        }
        Ok(names)
    }

    async fn all_named(&self, tenant: &str, people: &[String], most: i64) -> Result<Vec<(String, Record)>> {
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
        rows.iter().map(|row| Ok((row.text(10)?, read(row)?))).collect()
    }
}

impl Named {
    fn of(record: Record) -> Option<Self> {
        let name = name_in(&record.item)?;
        let Record { id, subject, .. } = record;
        Some(Named { name, record: id, source: subject.source, subject: subject.id, kind: subject.kind })
    }
}

/// Whether what was found under one of these keys of a number is about whoever has it: what has an E.164 number is known
/// by the first key alone.
fn is_with(keys: &[String], found: Option<&str>, item: &Item) -> bool {
    let is_first = || keys.first().map(String::as_str) == found;
    keys.is_empty() || is_first() || !found.is_some_and(|found| item.knows_e164(found))
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
