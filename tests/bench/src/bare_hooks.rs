//! The least that takes signed webhooks and loses none: axum, HMAC over the body, and one insert for whatever waits.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use cordboard_tests::pbx;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// What is committed together at most.
const BATCH: usize = 512;

type Waiting = (Bytes, oneshot::Sender<bool>);

/// Serves until it is killed; prints where.
pub async fn serve(store: &str) -> anyhow::Result<()> {
    let store = Store::open(store).await?;
    let (sender, receiver) = mpsc::channel(16_384);
    tokio::spawn(commit(store, receiver));
    let router = Router::new().route("/v1/hooks/acme/pbx", post(take)).with_state(Arc::new(sender));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true))), router).await?;
    Ok(())
}

async fn take(State(queue): State<Arc<mpsc::Sender<Waiting>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let signature = headers.get("x-signature").and_then(|value| hex::decode(value).ok()).unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(pbx::SECRET.as_bytes()) else {
        return StatusCode::INTERNAL_SERVER_ERROR;
    };
    mac.update(&body);
    if mac.verify_slice(&signature).is_err() {
        return StatusCode::UNAUTHORIZED;
    }
    let (answer, committed) = oneshot::channel();
    if queue.send((body, answer)).await.is_ok() && committed.await.unwrap_or(false) {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

async fn commit(store: Store, mut queue: mpsc::Receiver<Waiting>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut waiting, BATCH).await > 0 {
        let done = store.insert(&waiting).await;
        if let Err(why) = &done {
            eprintln!("the bare server: {why}");
        }
        for (_, answer) in waiting.drain(..) {
            let _ = answer.send(done.is_ok());
        }
    }
}

/// One table; as durable as the hub's.
enum Store {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Store {
    async fn open(url: &str) -> sqlx::Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let options = SqliteConnectOptions::new()
                .filename(path)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(10))
                .pragma("cache_size", "-16000")
                .pragma("wal_autocheckpoint", "4000");
            let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false).connect_with(options);
            let pool = pool.await?;
            sqlx::query("create table bare (id integer primary key, body blob not null)").execute(&pool).await?;
            return Ok(Store::Sqlite(pool));
        }
        let pool = PgPoolOptions::new().max_connections(1).test_before_acquire(false).connect(url).await?;
        let table = "create table bare (id bigint generated always as identity primary key, body bytea not null)";
        sqlx::query(table).execute(&pool).await?;
        Ok(Store::Postgres(pool))
    }

    async fn insert(&self, waiting: &[Waiting]) -> sqlx::Result<()> {
        match self {
            Store::Sqlite(pool) => {
                let (mut places, mut bytes) = (String::from("["), Vec::new());
                for (body, _) in waiting {
                    let comma = if bytes.is_empty() { "" } else { "," };
                    places.push_str(&format!("{comma}[{},{}]", bytes.len() + 1, body.len()));
                    bytes.extend_from_slice(body);
                }
                places.push(']');
                let sql = "insert into bare (body) select substr($2, value ->> 0, value ->> 1) from json_each($1)";
                sqlx::query(sql).bind(places).bind(bytes).execute(pool).await.map(drop)
            }
            Store::Postgres(pool) => {
                let bodies: Vec<&[u8]> = waiting.iter().map(|(body, _)| body.as_ref()).collect();
                let sql = "insert into bare (body) select * from unnest($1::bytea[])";
                sqlx::query(sql).bind(bodies).execute(pool).await.map(drop)
            }
        }
    }
}
