//! How fast the ledger is beside a bare group-commit insert of the same bodies in the same run. Ignored; to see it:
//! `cargo nextest run -p cordboard --lib --run-ignored only --no-capture store::tests::speed`

#![allow(clippy::print_stderr, reason = "what this is for")]

use std::time::Instant as Clock;

use super::super::db::{Rows, Value};
use super::super::group::{Group, Handler};
use super::*;

/// Inserts bodies into one table, and nothing else.
struct Bare(Db);

impl Handler for Bare {
    type Item = Vec<u8>;
    type Outcome = ();

    async fn handle(&self, items: &mut [Vec<u8>]) -> Result<Vec<Result<()>>> {
        let mut tx = self.0.begin_ledger().await?;
        if tx.is_postgres() {
            let bodies = Value::Blobs(items.iter().map(|body| Some(body.clone())).collect());
            tx.execute("insert into bare (body) select * from unnest($1::bytea[])", [bodies]).await?;
        } else {
            let mut rows = Rows::new();
            items.iter().for_each(|body| {
                rows.row().bytes(body);
            });
            let sql = "insert into bare (body) select substr($2, value ->> 0, value ->> 1) from json_each($1)";
            tx.execute(sql, rows.values()).await?;
        }
        tx.commit().await?;
        Ok(items.iter().map(|_| Ok(())).collect())
    }
}

fn body(n: u64) -> Vec<u8> {
    format!(
        r#"{{"call_uuid":"call-{n}","from":"+34600112233","to":"1001","direction":"inbound","start_time":"2026-11-21T09:10:20Z","end_time":"2026-11-21T09:12:20Z","status":"answered","recording_url":"https://pbx.example/rec/{n}.wav","agent_ext":"1001","pbx_system":"freepbx-madrid"}}"#
    )
    .into_bytes()
}

fn intake_of(n: u64, routes: &Arc<dyn Routes>) -> Intake {
    let call = Call {
        started_at: Instant::from_millis(1_700_000_000_000 + n),
        ended_at: Instant::from_millis(1_700_000_120_000 + n),
        ..full("+34600112233", "1001", "Ana")
    };
    let raw = Raw {
        method: "POST".into(),
        path: "/v1/hooks/acme/pbx".into(),
        headers: vec![
            ("content-type".into(), "application/json".into()),
            ("user-agent".into(), "pbx/1.0".into()),
            ("x-signature".into(), "…".into()),
        ],
        body: body(n),
        digest: Some([7; 32]),
    };
    Intake { raw: Some(raw), ..intake(vec![seen(&format!("call-{n}"), 1, call)], routes) }
}

/// Processor time of this process so far, in microseconds (Linux; the server of PostgreSQL is not in it).
fn processor() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<u64>().ok()).unwrap_or(0);
    (ticks(11) + ticks(12)) * 10_000
}

/// Operations each second, with so many callers.
async fn rate<F>(callers: u64, operation: impl Fn(u64) -> F + Send + Sync + 'static) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let operation = Arc::new(operation);
    let next = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let began = Clock::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (operation, next) = (operation.clone(), next.clone());
        tasks.spawn(async move {
            while began.elapsed() < Duration::from_secs(3) {
                operation(next.fetch_add(1, Ordering::Relaxed)).await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    next.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64()
}

both! {
    #[ignore = "a benchmark"]
    async fn of_commits(bench) {
        let store = bench.open().await;
        let column = if bench.is_postgres() { "bytea" } else { "blob" };
        store.db().execute(format!("create table bare (body {column} not null)"), []).await.unwrap();
        let bare = Arc::new(Group::start(Bare(store.db().clone()), 4096, 512));
        let routes = to("crm");
        for callers in [64, 256] {
            let group = bare.clone();
            let ceiling = rate(callers, move |n| {
                let group = group.clone();
                async move { group.submit(body(n)).await.unwrap() }
            })
            .await;
            let (before, used) = (store.counts(), processor());
            let (inner, routes) = (store.clone(), routes.clone());
            let ledger = rate(callers, move |n| {
                let (store, routes) = (inner.clone(), routes.clone());
                async move {
                    store.commit(intake_of(callers << 40 | n, &routes)).await.unwrap();
                }
            })
            .await;
            let commits = store.counts().commits - before.commits;
            let each = (store.counts().intakes - before.intakes) / commits;
            let used = (processor() - used) / (store.counts().intakes - before.intakes);
            eprintln!(
                "{}: {callers} callers: bare {ceiling:.0}/s, ledger {ledger:.0}/s (ratio {:.2}), {each} in a commit, {used} µs each",
                if bench.is_postgres() { "postgres" } else { "sqlite" },
                ledger / ceiling
            );
        }
        let began = Clock::now();
        let mut count = 0;
        loop {
            let claimed = store.claim(&lane(), 50, LEASE).await.unwrap();
            if claimed.is_empty() || began.elapsed() > Duration::from_secs(3) {
                break;
            }
            count += claimed.len();
            let ends = claimed.iter().map(|claimed| finished(claimed, done("x"))).collect();
            store.finish(ends).await.unwrap();
        }
        eprintln!("    deliveries claimed and finished by one worker: {:.0}/s", count as f64 / began.elapsed().as_secs_f64());
    }
}
