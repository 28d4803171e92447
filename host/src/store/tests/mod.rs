//! One suite over both databases.
//!
//! PostgreSQL is looked for at `CORDBOARD_TEST_POSTGRES`, else at `postgres://postgres@127.0.0.1/postgres`; each test
//! has a schema of its own there. Without it, the tests fail and say how to start one; `CORDBOARD_SKIP_POSTGRES=1`
//! passes over them on a machine that has none, but never in CI.

mod claims;
mod kinds;
mod ledger;
mod migrations;
mod outage;
mod people;
mod speed;
mod standing;
mod upkeep;

use std::future::Future;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::*;
use crate::model::call::{CallPhase, Desk, Direction};
use crate::model::{Agent, Call, Event, Instant, Item, Kind, Observation, Party, Phone, Subject, Trust};

/// A place for a store, fresh for one test.
pub(super) struct Bench {
    pub url: String,
    pub folder: tempfile::TempDir,
    schema: Option<(String, String)>,
}

impl Bench {
    async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Bench { url: format!("sqlite:{}/ledger.db", folder.path().display()), folder, schema: None }
    }

    async fn postgres() -> Option<Self> {
        let server = std::env::var("CORDBOARD_TEST_POSTGRES")
            .unwrap_or_else(|_| "postgres://postgres@127.0.0.1/postgres".to_owned());
        let mut connection = match PgConnection::connect(&server).await {
            Ok(connection) => connection,
            Err(why) => {
                let is_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
                let skip = std::env::var("CORDBOARD_SKIP_POSTGRES").is_ok_and(|skip| skip == "1");
                assert!(
                    skip && !is_ci,
                    "no PostgreSQL at {server} ({why}).\nStart one: docker run -d -p 5432:5432 -e \
                     POSTGRES_HOST_AUTH_METHOD=trust postgres:15\nOr name one in CORDBOARD_TEST_POSTGRES, or pass over \
                     these tests with CORDBOARD_SKIP_POSTGRES=1."
                );
                return None;
            }
        };
        let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
        connection.execute(AssertSqlSafe(format!("create schema {schema}"))).await.unwrap();
        let joint = if server.contains('?') { '&' } else { '?' };
        let url = format!("{server}{joint}options=-c%20search_path%3D{schema}");
        Some(Bench { url, folder: tempfile::tempdir().unwrap(), schema: Some((server, schema)) })
    }

    pub fn options(&self) -> Options {
        Options { data: self.folder.path().to_owned(), ..Options::default() }
    }

    pub async fn open(&self) -> Store {
        self.try_open().await.unwrap()
    }

    pub async fn try_open(&self) -> Result<Store> {
        Store::open(&self.url, self.options()).await
    }

    pub fn is_postgres(&self) -> bool {
        self.schema.is_some()
    }

    async fn end(self) {
        if let Some((server, schema)) = &self.schema {
            let mut connection = PgConnection::connect(server).await.unwrap();
            connection.execute(AssertSqlSafe(format!("drop schema {schema} cascade"))).await.unwrap();
        }
    }
}

/// Runs a test on one database and cleans up whatever comes of it.
pub(super) fn run<F: Future<Output = ()> + Send + 'static>(postgres: bool, test: fn(Arc<Bench>) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let failed = runtime.block_on(async {
        let bench = if postgres { Bench::postgres().await } else { Some(Bench::sqlite().await) };
        let bench = Arc::new(bench?);
        let failed = tokio::spawn(test(bench.clone())).await.err();
        if let Ok(bench) = Arc::try_unwrap(bench) {
            bench.end().await;
        }
        failed
    });
    drop(runtime);
    if let Some(failed) = failed {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// Defines tests that run on both databases.
macro_rules! both {
    ($($(#[$meta:meta])* async fn $name:ident($bench:ident) $body:block)+) => {$(
        mod $name {
            #[allow(unused_imports, reason = "not every test needs them")]
            use super::*;

            #[allow(unused_variables)]
            async fn test($bench: std::sync::Arc<$crate::store::tests::Bench>) $body

            #[test]
            $(#[$meta])*
            fn sqlite() {
                $crate::store::tests::run(false, test);
            }

            #[test]
            $(#[$meta])*
            fn postgres() {
                $crate::store::tests::run(true, test);
            }
        }
    )+};
}
pub(super) use both;

/// A sighting of a call at second `at`.
pub(super) fn seen(id: &str, at: u64, call: Call) -> Observation {
    Observation {
        id: id.to_owned(),
        also: Vec::new(),
        at: Instant::from_millis(1_700_000_000_000 + at * 1000),
        trust: Trust::Reported,
        item: Item::Call(call),
    }
}

/// A call that is at `phase` and nothing else.
pub(super) fn at(phase: CallPhase) -> Call {
    Call { phase: Some(phase), ..Call::default() }
}

pub(super) fn ringing(id: &str) -> Observation {
    seen(id, 1, at(CallPhase::Ringing))
}

pub(super) fn answered(id: &str) -> Observation {
    seen(id, 5, at(CallPhase::Answered))
}

pub(super) fn ended(id: &str) -> Observation {
    seen(id, 9, at(CallPhase::Ended))
}

/// A call with all that lists search by.
pub(super) fn full(number: &str, extension: &str, name: &str) -> Call {
    Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        direction: Some(Direction::Inbound),
        caller: Some(Party { number: Some(Phone::raw(number)), name: Some(name.into()), agent: None }),
        agent: Some(Agent { extension: Some(extension.into()), ..Agent::default() }),
        desks: vec![Desk {
            extension: extension.into(),
            rang_at: Instant::from_millis(1_700_000_000_000).unwrap(),
            answered_at: None,
            stopped_at: None,
        }],
        ..Call::default()
    }
}

/// An intake of "acme" from "pbx" with routes to sinks.
pub(super) fn intake(observations: Vec<Observation>, routes: &Arc<dyn Routes>) -> Intake {
    Intake { routes: routes.clone(), ..Intake::of("acme", "pbx", observations) }
}

/// Every event concerns this sink, for good.
pub(super) struct To(pub &'static str);

impl Routes for To {
    fn wants(&self, _tenant: &str, _event: &Event) -> Vec<Want> {
        vec![Want::lasting(self.0)]
    }
}

pub(super) fn to(sink: &'static str) -> Arc<dyn Routes> {
    Arc::new(To(sink))
}

/// Ringing is a popup that passes, an end is for good.
pub(super) struct Popups;

impl Routes for Popups {
    fn wants(&self, _tenant: &str, event: &Event) -> Vec<Want> {
        let Item::Call(call) = &event.about.item else { return Vec::new() };
        match call.phase {
            Some(CallPhase::Ringing) => vec![Want {
                sink: "crm".into(),
                holds: Some("call.phase == 'ringing'".into()),
                expires_at: Instant::from_millis(1_700_000_020_000),
            }],
            Some(CallPhase::Ended) => vec![Want::lasting("crm")],
            _ => Vec::new(),
        }
    }
}

pub(super) fn lane() -> Lane {
    Lane { tenant: "acme".into(), sink: "crm".into() }
}

pub(super) fn subject(id: &str) -> Subject {
    Subject { source: "pbx".into(), kind: Kind::Call, id: id.into() }
}

/// The end of a claim, with its attempt.
pub(super) fn finished(claimed: &Claimed, end: End) -> Finished {
    let outcome = match &end {
        End::Done(_) => "done",
        End::Skipped(_) => "skipped",
        End::Parked { .. } => "rejected",
        _ => "retryable",
    };
    Finished {
        delivery: claimed.delivery,
        claim: claimed.claim,
        revision: claimed.revision,
        end,
        attempt: Some(Attempt {
            at: Instant::now(),
            took: Duration::from_millis(12),
            number: claimed.attempt,
            outcome: outcome.into(),
            why: String::new(),
            exchanges: r#"[{"method":"POST","status":200}]"#.into(),
        }),
    }
}

pub(super) fn done(external_id: &str) -> End {
    End::Done(Receipt { external_id: Some(external_id.into()), memo: b"memo".to_vec(), ..Receipt::default() })
}

pub(super) const LEASE: Duration = Duration::from_secs(60);
