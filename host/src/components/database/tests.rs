//! Both kinds of database, with a table as FreePBX keeps its call detail records.
//!
//! MariaDB or MySQL is looked for at `CORDBOARD_TEST_MARIADB`, else at `mysql://root@127.0.0.1/`; PostgreSQL as in the
//! store's suite. Each test has a database of its own. Without a server the tests fail and say how to start one;
//! `CORDBOARD_SKIP_MARIADB=1` and `CORDBOARD_SKIP_POSTGRES=1` pass over them, but never in CI.

use std::future::Future;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection, PgConnection, raw_sql};

use super::*;
use crate::config::Secret;

/// A database of a test's own.
struct Bench {
    kind: DatabaseKind,
    server: String,
    name: String,
}

impl Bench {
    async fn make(kind: DatabaseKind) -> Option<Self> {
        let (variable, skip, or, start) = match kind {
            DatabaseKind::MySql => (
                "CORDBOARD_TEST_MARIADB",
                "CORDBOARD_SKIP_MARIADB",
                "mysql://root@127.0.0.1/",
                "docker run -d -p 3306:3306 -e MARIADB_ALLOW_EMPTY_ROOT_PASSWORD=1 mariadb:11",
            ),
            DatabaseKind::Postgres => (
                "CORDBOARD_TEST_POSTGRES",
                "CORDBOARD_SKIP_POSTGRES",
                "postgres://postgres@127.0.0.1/postgres",
                "docker run -d -p 5432:5432 -e POSTGRES_HOST_AUTH_METHOD=trust postgres:15",
            ),
        };
        let server = std::env::var(variable).unwrap_or_else(|_| or.to_owned());
        let said = |name: &str, value: &str| std::env::var(name).is_ok_and(|said| said == value);
        if said(skip, "1") && !said("CI", "true") {
            return None;
        }
        let name = format!("cordboard_test_{}", uuid::Uuid::new_v4().simple());
        let bench = Bench { kind, server, name };
        bench.run_on(&bench.server, &format!("create database {}", bench.name)).await.unwrap_or_else(|why| {
            panic!(
                "no database to test with at {} ({why}).\nStart one: {start}\nOr name one in {variable}, or pass over \
                 these tests with {skip}=1.",
                bench.server
            )
        });
        Some(bench)
    }

    fn url(&self) -> String {
        let mut url = url::Url::parse(&self.server).unwrap();
        url.set_path(&self.name);
        url.into()
    }

    async fn run_on(&self, url: &str, sql: &str) -> Result<(), sqlx::Error> {
        let sql = raw_sql(AssertSqlSafe(sql.to_owned()));
        match self.kind {
            DatabaseKind::MySql => MySqlConnection::connect(url).await?.execute(sql).await.map(drop),
            DatabaseKind::Postgres => PgConnection::connect(url).await?.execute(sql).await.map(drop),
        }
    }

    async fn run(&self, sql: &str) {
        self.run_on(&self.url(), sql).await.unwrap();
    }

    fn databases(&self) -> Databases {
        Databases::new([("cdr".to_owned(), self.address(&self.url()))].into())
    }

    fn address(&self, url: &str) -> DatabaseAddress {
        DatabaseAddress { kind: self.kind, url: Secret::new(url) }
    }

    fn is_mysql(&self) -> bool {
        self.kind == DatabaseKind::MySql
    }
}

/// Runs a test on one kind of database and cleans up whatever comes of it.
fn on<F: Future<Output = ()> + Send + 'static>(kind: DatabaseKind, test: fn(Arc<Bench>) -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let failed = runtime.block_on(async {
        let bench = Arc::new(Bench::make(kind).await?);
        let failed = tokio::spawn(test(bench.clone())).await.err();
        let force = if bench.is_mysql() { "" } else { " with (force)" };
        bench.run_on(&bench.server, &format!("drop database {}{force}", bench.name)).await.unwrap();
        failed
    });
    drop(runtime);
    if let Some(failed) = failed {
        std::panic::resume_unwind(failed.into_panic());
    }
}

macro_rules! both {
    ($(async fn $name:ident($bench:ident) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test($bench: Arc<Bench>) $body

            #[test]
            fn mariadb() {
                on(DatabaseKind::MySql, test);
            }

            #[test]
            fn postgres() {
                on(DatabaseKind::Postgres, test);
            }
        }
    )+};
}

/// As FreePBX 16 makes it, but for the keys and the defaults that PostgreSQL does not take.
const CDR: &str = "create table cdr (
    calldate datetime, clid varchar(80) not null default '', src varchar(80) not null default '',
    dst varchar(80) not null default '', dcontext varchar(80) not null default '',
    channel varchar(80) not null default '', dstchannel varchar(80) not null default '',
    lastapp varchar(80) not null default '', lastdata varchar(80) not null default '', duration int not null default 0,
    billsec int not null default 0, disposition varchar(45) not null default '', amaflags int not null default 0,
    accountcode varchar(20) not null default '', uniqueid varchar(32) not null default '',
    userfield varchar(255) not null default '', did varchar(50) not null default '',
    recordingfile varchar(255) not null default '', cnum varchar(80) not null default '',
    cnam varchar(80) not null default '', outbound_cnum varchar(80) not null default '',
    outbound_cnam varchar(80) not null default '', dst_cnam varchar(80) not null default '',
    linkedid varchar(32) not null default '', peeraccount varchar(80) not null default '', sequence int
)";

async fn cdr(bench: &Bench) {
    bench.run(&if bench.is_mysql() { CDR.to_owned() } else { CDR.replace("datetime", "timestamp") }).await;
    let row = |date: &str, src: &str, id: &str, sequence: &str| {
        format!(
            "('{date}', '\"Inés O''Neill\" <{src}>', '{src}', '600', 12, 5, 'ANSWERED', '{id}', \
             'in-600-{id}.wav', '{id}', {sequence})"
        )
    };
    let rows = [
        row("2026-11-20 09:15:02", "600111222", "1795245638.1", "7"),
        row("2026-11-20 09:15:03", "600111333", "1795245638.10", "null"),
        row("2026-11-21 10:00:00", "600111444", "1795331000.100", "9"),
    ];
    bench
        .run(&format!(
            "insert into cdr (calldate, clid, src, dst, duration, billsec, disposition, uniqueid, recordingfile, \
             linkedid, sequence) values {}",
            rows.join(", ")
        ))
        .await;
}

async fn ask(databases: &Databases, statement: &str, parameters: &[&str]) -> Result<Rows, Failure> {
    let parameters: Vec<String> = parameters.iter().map(|&parameter| parameter.to_owned()).collect();
    databases.query("cdr", statement, &parameters).await
}

async fn values(databases: &Databases, statement: &str, parameters: &[&str]) -> Vec<Vec<Option<String>>> {
    ask(databases, statement, parameters).await.unwrap_or_else(|failure| panic!("{statement}: {failure}")).rows
}

fn row(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|&value| (value != "NULL").then(|| value.to_owned())).collect()
}

both! {
    async fn detail_records_are_read_by_one_statement_everywhere(bench) {
        cdr(&bench).await;
        let databases = bench.databases();
        let statement = "select calldate, clid, \"src\", duration, billsec / 2.0 as half, sequence, uniqueid || '!' as id
             from cdr where uniqueid = $1 or linkedid = $1";
        let found = ask(&databases, statement, &["1795245638.10"]).await.unwrap();
        assert_eq!(found.columns, ["calldate", "clid", "src", "duration", "half", "sequence", "id"]);
        let half = found.rows[0][4].clone().unwrap();
        assert!(half.starts_with("2.5"), "{half}");
        let [calldate, clid, src, duration, _, sequence, id] = &found.rows[0][..] else { panic!("{found:?}") };
        let found: Vec<Option<String>> = [calldate, clid, src, duration, sequence, id].map(Clone::clone).to_vec();
        let clid = "\"Inés O'Neill\" <600111333>";
        assert_eq!(found, row(&["2026-11-20 09:15:03", clid, "600111333", "12", "NULL", "1795245638.10!"]));

        // An id is a text: 1795245638.1 is another call than 1795245638.10.
        for id in ["1795245638.1", "1795245638.10"] {
            assert_eq!(values(&databases, "select uniqueid from cdr where uniqueid = $1", &[id]).await, [row(&[id])]);
        }
        let since = "select uniqueid from cdr where calldate >= $1 and calldate < $2 and duration > $3
             order by calldate, sequence limit 2";
        let times = ["2026-11-20 09:15:03", "2026-11-22", "11"];
        assert_eq!(values(&databases, since, &times).await, [row(&["1795245638.10"]), row(&["1795331000.100"])]);
        let among = "select count(*) from cdr where src in ($1, $2)";
        assert_eq!(values(&databases, among, &["600111222", "600111333"]).await, [row(&["2"])]);
        assert_eq!(values(&databases, "select src from cdr where src = $1", &["none"]).await.len(), 0);
        assert!(values(&databases, "select version()", &[]).await[0][0].is_some());
    }

    async fn a_parameter_is_a_text_whatever_is_in_it(bench) {
        let databases = bench.databases();
        for odd in ["", "'", "''", "\\", "\\'", "\\' or 1=1 -- ", "a\nb", "¡hola! 👋", "%_$1?", "\"`;"] {
            assert_eq!(values(&databases, "select $1, $1 || 'x'", &[odd]).await, [row(&[odd, &format!("{odd}x")])]);
        }
    }

    async fn every_type_is_told_as_text(bench) {
        if bench.is_mysql() {
            bench.run("create table kinds (a datetime(3), b timestamp null, c date, d decimal(8,2), e bool, f blob,
                g bigint, h double, i time, j datetime, k enum('x', 'y'))").await;
            bench.run("set time_zone = '+02:00', sql_mode = ''; insert into kinds values ('2026-11-20 09:15:02.5',
                '2026-11-20 09:15:02', '2026-11-20', 0.5, true, x'61ff62', -9007199254740993, 1.5, '25:00:01', 0, 'y')").await;
        } else {
            bench.run("create table kinds (a timestamp(3), b timestamptz, c date, d decimal(8,2), e bool, f bytea,
                g bigint, h float8, i interval, j timestamp, k uuid)").await;
            bench.run("insert into kinds values ('2026-11-20 09:15:02.5', '2026-11-20 09:15:02+02', '2026-11-20', 0.5,
                true, '\\x61ff62', -9007199254740993, 1.5, '25:00:01', null, '6ba7b810-9dad-11d1-80b4-00c04fd430c8')").await;
        }
        let databases = bench.databases();
        let found = values(&databases, "select a, b, c, d, e, f, g, h, i, j, k from kinds", &[]).await.remove(0);
        let (a, k) = if bench.is_mysql() { ("2026-11-20 09:15:02.500", "y") } else {
            ("2026-11-20 09:15:02.5", "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
        };
        let expected = [a, "2026-11-20 07:15:02", "2026-11-20", "0.50", "1", "a\u{fffd}b", "-9007199254740993", "1.5",
            "25:00:01", "NULL", k];
        assert_eq!(found, row(&expected));
    }

    async fn nothing_is_written(bench) {
        cdr(&bench).await;
        bench.run("create sequence numbers").await;
        let databases = bench.databases();
        let next = if bench.is_mysql() { "select nextval(numbers)" } else { "select nextval('numbers')" };
        let failure = ask(&databases, next, &[]).await.unwrap_err();
        assert!(matches!(&failure, Failure::Rejected { why, .. } if why.to_lowercase().contains("read only")
            || why.to_lowercase().contains("read-only")), "{failure}");
        for writing in ["delete from cdr", "select 1; delete from cdr", "select * into gone from cdr"] {
            assert!(matches!(ask(&databases, writing, &[]).await, Err(Failure::Rejected { code, .. }) if code == "statement"));
        }
        assert_eq!(values(&databases, "select count(*) from cdr", &[]).await, [row(&["3"])]);
    }

    async fn a_failure_says_what_is_to_be_done(bench) {
        cdr(&bench).await;
        let databases = bench.databases();
        let failure = ask(&databases, "select nothing from cdr", &[]).await.unwrap_err();
        let code = if bench.is_mysql() { "42S22" } else { "42703" };
        assert!(matches!(&failure, Failure::Rejected { code: told, why } if told == code && why.contains("nothing")),
            "{failure}");
        let failure = databases.query("other", "select 1", &[]).await.unwrap_err();
        assert!(matches!(&failure, Failure::Misconfigured { why } if why.contains("databases = { other = ")), "{failure}");

        let many = "select 1 from cdr a, cdr b, cdr c, cdr d, cdr e, cdr f, cdr g, cdr h, cdr i";
        let large = "select repeat('x', 1000000) from cdr a, cdr b";
        for much in [many, large] {
            let failure = ask(&databases, much, &[]).await.unwrap_err();
            assert!(matches!(&failure, Failure::Rejected { code, .. } if code == "too-large"), "{failure}");
        }
        // What was broken off does not stand in the way of what comes after it.
        assert_eq!(values(&databases, "select count(*) from cdr", &[]).await, [row(&["3"])]);

        let mut nowhere = url::Url::parse(&bench.url()).unwrap();
        nowhere.set_path("no_such_database");
        let mut stranger = url::Url::parse(&bench.url()).unwrap();
        stranger.set_username("nobody_at_all").unwrap();
        stranger.set_password(Some("sesame")).unwrap();
        for url in [nowhere, stranger] {
            let databases = Databases::new([("cdr".to_owned(), bench.address(url.as_str()))].into());
            let failure = ask(&databases, "select 1", &[]).await.unwrap_err();
            assert!(matches!(failure, Failure::Misconfigured { .. }), "{failure}");
            assert!(!failure.to_string().contains("sesame"), "{failure}");
        }
    }

    async fn what_takes_too_long_is_ended(bench) {
        let mut databases = bench.databases();
        databases.0.get_mut("cdr").unwrap().time = Duration::from_secs(1);
        let sleep = if bench.is_mysql() { "select sleep(600)" } else { "select pg_sleep(600)" };
        let failure = ask(&databases, sleep, &[]).await.unwrap_err();
        assert!(matches!(&failure, Failure::Retryable { why, .. } if why.contains("did not answer within 1 s")), "{failure}");
        assert_eq!(values(&databases, "select 1", &[]).await, [row(&["1"])]);
    }
}

#[tokio::test]
async fn a_database_that_is_away_may_come_back() {
    for (kind, url) in [
        (DatabaseKind::MySql, "mysql://root:sesame@127.0.0.1:1/cdr"),
        (DatabaseKind::Postgres, "postgres://root:sesame@127.0.0.1:1/cdr"),
    ] {
        let address = DatabaseAddress { kind, url: Secret::new(url) };
        let failure = ask(&Databases::new([("cdr".to_owned(), address)].into()), "select 1", &[]).await.unwrap_err();
        assert!(matches!(&failure, Failure::Retryable { why, .. } if !why.contains("sesame")), "{failure}");
    }
}
