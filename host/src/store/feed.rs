//! The events of the ledger, as they are committed and as they are read again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::db::args;
use super::{Result, Store};
use crate::model::Event;
use crate::model::session::Pairing;

/// The events of one commit, in the order of their numbers; of all tenants.
pub type Events = Arc<[Arc<Event>]>;

/// A code to pair a device with, as it came in. It is told while it is good, and kept nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// The tenant.
    pub tenant: String,
    /// The source.
    pub source: String,
    /// The session's id at the source.
    pub session: String,
    /// What to show, and until when.
    pub pairing: Pairing,
}

/// Which events of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventFilter {
    /// Types, whole (`call.ended`) or by their first word (`call`). Empty for all.
    pub types: Vec<String>,
    /// Of this record.
    pub record: Option<i64>,
    /// Of this source.
    pub source: Option<String>,
}

impl EventFilter {
    /// True when the event is one of those.
    pub fn admits(&self, event: &Event) -> bool {
        let of_type = |word: &String| {
            event.kind.strip_prefix(word.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        (self.types.is_empty() || self.types.iter().any(of_type))
            && self.record.is_none_or(|record| event.about.record == record)
            && self.source.as_ref().is_none_or(|source| event.about.subject.source == *source)
    }
}

/// Events read again.
#[derive(Clone, Debug, Default)]
pub struct EventPage {
    /// Those that the filter admits.
    pub events: Vec<Arc<Event>>,
    /// The number to go on after: everything up to it has been looked at.
    pub next: u64,
    /// There may be more at once.
    pub more: bool,
}

impl Store {
    /// The tenant's events after number `after`, oldest first. At most `limit` are looked at.
    pub async fn events_since(&self, tenant: &str, after: u64, limit: u32, filter: &EventFilter) -> Result<EventPage> {
        let limit = limit.clamp(1, 10_000);
        let sql = "select body from event where tenant = $1 and seq > $2 order by seq limit $3";
        let rows = self.db().fetch(sql, args![tenant, after, limit]).await?;
        let mut page = EventPage { events: Vec::new(), next: after, more: rows.len() as u64 == u64::from(limit) };
        for row in &rows {
            let event: Event = row.parsed(0)?;
            page.next = event.seq;
            if filter.admits(&event) {
                page.events.push(Arc::new(event));
            }
        }
        Ok(page)
    }

    /// The number of the tenant's newest event; 0 when there is none.
    pub async fn last_seq(&self, tenant: &str) -> Result<u64> {
        let rows = self.db().fetch("select coalesce(max(seq), 0) from event where tenant = $1", args![tenant]).await?;
        rows.first().map_or(Ok(0), |row| row.count(0))
    }
}
