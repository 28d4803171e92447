//! What came from outside: the raw request, its verdict, and what the commit made of it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::db::{Filter, Row, args};
use super::error::Clash;
use super::pull::{Job, PageDone};
use super::record::{LIMIT, Page};
use super::routes::Routes;
use super::{Result, Store};
use crate::model::{Event, Instant, Item, Numbering, Observation};

/// Whether whoever hands something in wants it taken, seeing the record that is there already and what would become of
/// it. Asked inside the commit: it must not block.
pub type Consent = Arc<dyn Fn(&Item, &Item) -> std::result::Result<(), Clash> + Send + Sync>;

/// Something that came from outside, to be committed whole or not at all.
#[derive(Clone)]
pub struct Intake {
    /// The tenant.
    pub tenant: String,
    /// The source.
    pub source: String,
    /// When the hub had it all.
    pub received_at: Instant,
    /// The request as it came; absent for streams and pulls.
    pub raw: Option<Raw>,
    /// What the source said of it.
    pub verdict: Verdict,
    /// The sightings in it, in order.
    pub observations: Vec<Observation>,
    /// Reading to start.
    pub jobs: Vec<Job>,
    /// Set when it takes effect once.
    pub once: Option<Once>,
    /// Asked before it is taken, where it is about a record that is there already.
    pub consent: Option<Consent>,
    /// The page of a job that this is.
    pub page: Option<PageDone>,
    /// The intake row that this replays: its verdict is replaced, no new row is made.
    pub replays: Option<i64>,
    /// How the tenant's numbers are read.
    pub numbering: Arc<Numbering>,
    /// Which sinks the events concern.
    pub routes: Arc<dyn Routes>,
}

impl Intake {
    /// Sightings and nothing else, accepted now, concerning no sink.
    pub fn of(tenant: &str, source: &str, observations: Vec<Observation>) -> Self {
        Intake {
            tenant: tenant.to_owned(),
            source: source.to_owned(),
            received_at: Instant::now(),
            raw: None,
            verdict: Verdict::Accepted,
            observations,
            jobs: Vec::new(),
            once: None,
            consent: None,
            page: None,
            replays: None,
            numbering: Arc::default(),
            routes: Arc::new(()),
        }
    }
}

/// How long the same body counts as the same request, by whomever it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// From when it was accepted.
    pub within: Duration,
    /// Reading to start when it comes again.
    pub again: Vec<Job>,
}

/// SHA-256.
pub type Digest = [u8; 32];

/// A request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Raw {
    /// Upper case.
    pub method: String,
    /// Path and query, secrets taken out.
    pub path: String,
    /// Secrets taken out.
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Vec<u8>,
    /// SHA-256 of the body, when the request takes effect once.
    pub digest: Option<Digest>,
}

/// What became of something that came from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
pub enum Verdict {
    /// Decoded; its observations are in the ledger.
    Accepted,
    /// Understood, and of no interest.
    Ignored {
        /// Why.
        why: String,
    },
    /// Not to be understood.
    Refused {
        /// `malformed`, `not-mine`, `fault`, ….
        kind: String,
        /// Where in the body; empty for the whole of it.
        field: String,
        /// For people.
        why: String,
    },
}

impl Verdict {
    /// `accepted`, `ignored` or `refused`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Accepted => "accepted",
            Verdict::Ignored { .. } => "ignored",
            Verdict::Refused { .. } => "refused",
        }
    }
}

/// What a commit made.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// The id of the intake row; 0 when there is none (nothing raw).
    pub intake: i64,
    /// The events, in the order of their numbers.
    pub events: Vec<Arc<Event>>,
    /// It takes effect once, and its body was accepted at this moment.
    pub repeats: Option<Instant>,
    /// Observations that changed nothing.
    pub duplicates: usize,
    /// The records that the observations belong to, in the order of the observations.
    pub records: Vec<i64>,
}

/// A row of the intake, as listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IntakeRow {
    /// Its id.
    pub id: i64,
    /// The source.
    pub source: String,
    /// When the hub had it all.
    pub received_at: Instant,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Upper case.
    pub method: String,
    /// Path and query, secrets taken out.
    pub path: String,
    /// Length of the body.
    pub size: u64,
    /// When it was replayed last.
    pub replayed_at: Option<Instant>,
}

/// Which rows of the intake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntakeFilter {
    /// `accepted`, `ignored` or `refused`.
    pub verdict: Option<String>,
    /// Of this source.
    pub source: Option<String>,
    /// Not before.
    pub from: Option<Instant>,
    /// Before.
    pub to: Option<Instant>,
}

const COLUMNS: &str = "id, source, received_at, verdict, kind, field, why, method, path, cast(length(body) as bigint),
    replayed_at";

fn read(row: &Row) -> Result<IntakeRow> {
    let why = row.opt_text(6)?.unwrap_or_default();
    Ok(IntakeRow {
        id: row.int(0)?,
        source: row.text(1)?,
        received_at: row.instant(2)?,
        verdict: match row.text(3)?.as_str() {
            "accepted" => Verdict::Accepted,
            "ignored" => Verdict::Ignored { why },
            _ => Verdict::Refused {
                kind: row.opt_text(4)?.unwrap_or_default(),
                field: row.opt_text(5)?.unwrap_or_default(),
                why,
            },
        },
        method: row.text(7)?,
        path: row.text(8)?,
        size: row.count(9)?,
        replayed_at: row.opt_instant(10)?,
    })
}

impl Store {
    /// When a source was last heard, as far as that is kept.
    pub async fn last_intake(&self, tenant: &str, source: &str) -> Result<Option<Instant>> {
        let filter = IntakeFilter { source: Some(source.to_owned()), ..IntakeFilter::default() };
        Ok(self.intake(tenant, &filter, None, 1).await?.items.first().map(|row| row.received_at))
    }

    /// The intake, newest first.
    pub async fn intake(
        &self,
        tenant: &str,
        filter: &IntakeFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Page<IntakeRow>> {
        let limit = limit.clamp(1, LIMIT);
        let (condition, values) = Filter::new("tenant = ?", tenant)
            .and_some("id < ?", after.and_then(|after| after.parse::<i64>().ok()))
            .and_some("source = ?", filter.source.as_ref())
            .and_some("received_at >= ?", filter.from)
            .and_some("received_at < ?", filter.to)
            .done();
        // Spelled out: the index over what was not accepted is found by its own words.
        let verdict = match filter.verdict.as_deref() {
            None => "",
            Some("accepted") => "and verdict = 'accepted'",
            Some("ignored") => "and verdict = 'ignored' and verdict <> 'accepted'",
            Some("refused") => "and verdict = 'refused' and verdict <> 'accepted'",
            Some(_) => return Ok(Page { items: Vec::new(), next: None }),
        };
        let sql =
            format!("select {COLUMNS} from intake where {condition} {verdict} order by id desc limit {}", limit + 1);
        let rows = self.db().fetch(sql, values).await?;
        let item = |row: &Row| Ok((row.int(0)?.to_string(), read(row)?));
        Ok(Page::of(rows.iter().map(item).collect::<Result<_>>()?, limit))
    }

    /// One raw request with its body, byte for byte.
    pub async fn raw(&self, tenant: &str, id: i64) -> Result<Option<(IntakeRow, Raw)>> {
        let sql = format!("select {COLUMNS}, headers, body, digest from intake where tenant = $1 and id = $2");
        let rows = self.db().fetch(sql, args![tenant, id]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let listed = read(row)?;
        let raw = Raw {
            method: listed.method.clone(),
            path: listed.path.clone(),
            headers: row.parsed(11)?,
            body: row.opt_bytes(12)?.unwrap_or_default(),
            digest: row.opt_bytes(13)?.and_then(|digest| digest.try_into().ok()),
        };
        Ok(Some((listed, raw)))
    }
}
