//! PostgreSQL: connecting.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection, PgConnection, PgPool};

use super::{Db, failed};
use crate::store::error::StoreError;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// How long a server that does not answer is waited for: it may be starting anew.
const PATIENCE: Duration = Duration::from_secs(3);

/// Connects to the server that the address names.
pub(in crate::store) async fn open(url: &str, readers: u32) -> Result<Db> {
    let options: PgConnectOptions = url.parse().map_err(|_| StoreError::Address(super::without_password(url)))?;
    // On the machine itself there is nobody to hide from, and records of TLS are packets that wait for each other.
    let is_near = ["localhost", "127.0.0.1", "::1", "[::1]"].contains(&options.get_host());
    let options = match is_near && !url.contains("sslmode") && !url.contains("ssl-mode") {
        true => options.ssl_mode(PgSslMode::Disable),
        false => options,
    };
    let options = options.application_name("cordboard").statement_cache_capacity(200);
    // Once without a pool, which would wait and then say only that it has waited.
    match PgConnection::connect_with(&options).await {
        Ok(connection) => connection.close().await.map_err(failed)?,
        Err(why) => {
            let place = format!("{}:{}", options.get_host(), options.get_port());
            return Err(StoreError::Unavailable(format!("no connection to PostgreSQL at {place}: {why}")));
        }
    }
    // A connection that broke while it was idle is not handed out.
    let pool = connected(options.clone().options([("jit", "off")]), readers.max(2) + 4, true).await?;
    super::migrated(sqlx::migrate!("migrations/postgres").run(&pool).await)?;
    // Statements are planned once, when the tables may be empty still; each of the ledger's is a look-up by key.
    let short = [("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"), ("jit", "off")];
    // Not asked before each commit whether it still lives: a batch that finds it dead is tried once more.
    let writer = connected(options.options(short), 1, false).await?;
    Ok(Db::Postgres { pool, writer, statements: Arc::new(AtomicU64::new(0)) })
}

async fn connected(options: PgConnectOptions, connections: u32, is_tested: bool) -> Result<PgPool> {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(is_tested)
        .connect_with(options)
        .await
        .map_err(failed)
}
