//! Signed webhooks, committed before they are answered: the hub and the bare server in turns, on both stores.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cordboard_tests::hub::{Hub, Setup};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::child::{Bare, memory, processor};
use crate::load::{self, Requests};
use crate::table::{Row, percentile};

/// A PBX and nobody who is told: nothing is delivered meanwhile.
pub const TENANT: &str = r#"
region = "ES"

[sources.pbx]
component = "pbx-webhook"
settings = { secret = { env = "ACME_WEBHOOK_SECRET" } }
"#;

/// How long each server is measured at a time, and how often.
const TURN: Duration = Duration::from_millis(1_500);
const TURNS: usize = 2;

/// Not counted, before the first turn.
const WARM: Duration = Duration::from_millis(400);

/// More than any server takes in a turn.
const ENOUGH: usize = 90_000;

/// All of it.
pub async fn measure() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let folder = tempfile::tempdir()?;
    let bare = format!("sqlite:{}", folder.path().join("bare.db").display());
    rows.extend(on("SQLite", None, &bare).await?);
    match Schemas::make().await {
        Ok(schemas) => {
            let measured = on("PostgreSQL", Some(&schemas.url("hub")), &schemas.url("bare")).await;
            schemas.drop().await?;
            rows.extend(measured?);
        }
        Err(why) => rows.push(Row::absent("signed webhooks, PostgreSQL", format!("not measured: {why:#}"))),
    }
    Ok(rows)
}

async fn on(store: &str, hub_url: Option<&str>, bare_url: &str) -> Result<Vec<Row>> {
    let mut setup = Setup::vtiger("http://127.0.0.1:1");
    setup.tenant = TENANT.to_owned();
    if let Some(url) = hub_url {
        setup = setup.on(url);
    }
    let hub = Hub::start(setup).await;
    let bare = Bare::start(&["bare-hooks", bare_url]).await?;
    let theirs: SocketAddr = bare.said.first().context("the bare server says where it is")?.parse()?;
    let mut calls = Calls(0);
    for server in [hub.address(), theirs] {
        load::run(server, 64, calls.more(20_000).await?, WARM).await?;
    }
    let servers = [(hub.address(), hub.pid()), (theirs, bare.pid()?)];
    let mut rows = Vec::new();
    for connections in [64, 256] {
        let mut sums = [Sum::default(), Sum::default()];
        for _ in 0..TURNS {
            for ((address, pid), sum) in servers.into_iter().zip(&mut sums) {
                let requests = calls.more(ENOUGH).await?;
                let before = processor(pid)?;
                let done = load::run(address, connections, requests, TURN).await?;
                sum.rate += done.rate() / TURNS as f64;
                sum.processor += processor(pid)? - before;
                sum.latencies.extend(done.latencies);
            }
        }
        let [mut ours, mut theirs] = sums;
        let what = format!("signed webhooks, {store}, {connections} connections");
        rows.push(Row::share(what.clone(), "/s", ours.rate, theirs.rate, 0.5));
        let (p50, p99) = (ours.late(50), ours.late(99));
        let mut row = Row::below(format!("{what}: p99 (p50 {p50:.1} ms)"), "ms", p99, 30.0);
        row = row.beside(format!("{:.1} ms (p50 {:.1} ms)", theirs.late(99), theirs.late(50)), None);
        if connections != 64 {
            (row.must, row.reached) = (String::new(), None);
        }
        rows.push(row);
        let what = format!("{what}: the server's own processor time for each");
        rows.push(Row::plain(what, "µs", ours.each(), theirs.each()));
    }
    let most = memory(hub.pid(), "VmHWM")?;
    rows.push(Row::below(format!("memory at its highest under that load, {store}"), "MiB", most, 250.0));
    Ok(rows)
}

/// What one server did in its turns.
#[derive(Default)]
struct Sum {
    rate: f64,
    processor: f64,
    latencies: Vec<u32>,
}

impl Sum {
    /// So many of a hundred were answered sooner, in milliseconds.
    fn late(&mut self, percent: usize) -> f64 {
        percentile(&mut self.latencies, percent) / 1000.0
    }

    /// Microseconds of the processor for one request.
    fn each(&self) -> f64 {
        self.processor * 1e6 / self.latencies.len() as f64
    }
}

/// Calls that nobody has told of yet.
struct Calls(usize);

impl Calls {
    async fn more(&mut self, count: usize) -> Result<std::sync::Arc<Requests>> {
        let first = self.0;
        self.0 += count;
        Ok(tokio::task::spawn_blocking(move || Requests::ended(first..first + count)).await?)
    }
}

/// Two schemas of the PostgreSQL that the tests use.
struct Schemas {
    server: String,
    name: String,
}

impl Schemas {
    async fn make() -> Result<Self> {
        let server = std::env::var("CORDBOARD_TEST_POSTGRES");
        let server = server.unwrap_or_else(|_| "postgres://postgres@127.0.0.1/postgres".to_owned());
        let schemas = Schemas { server, name: format!("bench_{}", uuid::Uuid::new_v4().simple()) };
        schemas.each("create schema", "").await?;
        Ok(schemas)
    }

    fn url(&self, whose: &str) -> String {
        let joint = if self.server.contains('?') { '&' } else { '?' };
        format!("{}{joint}options=-c%20search_path%3D{}_{whose}&sslmode=disable", self.server, self.name)
    }

    async fn drop(&self) -> Result<()> {
        self.each("drop schema", "cascade").await
    }

    async fn each(&self, before: &str, after: &str) -> Result<()> {
        let connected = PgConnection::connect(&self.server).await;
        let mut connection = match connected {
            Ok(connection) => connection,
            Err(why) => bail!("no PostgreSQL at {}: {why}; CORDBOARD_TEST_POSTGRES names another", self.server),
        };
        for whose in ["hub", "bare"] {
            let sql = format!("{before} {}_{whose} {after}", self.name);
            sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    }
}
