//! One way to speak to both databases: statements with `$1`, the same values in, the same rows out.
//!
//! What differs in SQL stands in `sqlite` and `postgres`; what a statement means stands with its subject, above.

mod filter;
pub(super) mod postgres;
mod rows;
mod script;
pub(super) mod sqlite;
mod text;
mod value;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{AssertSqlSafe, PgPool, PgTransaction, SqlitePool, SqliteTransaction};

use super::error::StoreError;
pub(super) use filter::{Filter, among, anywhere};
pub(super) use rows::Rows;
pub(super) use script::Script;
pub(super) use value::{Row, Value, args};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A database, with connections for reading and for writing.
#[derive(Clone)]
pub(super) enum Db {
    /// SQLite: any number of readers beside one writer.
    Sqlite {
        /// For reading.
        readers: SqlitePool,
        /// One connection: whoever has it writes.
        writer: SqlitePool,
        /// Statements so far.
        statements: Arc<AtomicU64>,
    },
    /// PostgreSQL.
    Postgres {
        /// For everything but the ledger's own commits.
        pool: PgPool,
        /// For the ledger's own commits: planned for short look-ups by key.
        writer: PgPool,
        /// Statements so far.
        statements: Arc<AtomicU64>,
    },
}

/// A transaction that writes.
pub(super) struct Tx {
    inner: Inner,
    statements: Arc<AtomicU64>,
}

enum Inner {
    Sqlite(SqliteTransaction<'static>),
    Postgres(PgTransaction<'static>),
}

/// What the database's error means to the caller.
pub(super) fn failed(error: sqlx::Error) -> StoreError {
    use sqlx::Error;
    match &error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed
        | Error::Protocol(_)
        | Error::BeginFailed => StoreError::Unavailable(error.to_string()),
        Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            // PostgreSQL: connection lost, out of resources, shutting down, read-only stand-by, too busy.
            // SQLite: busy, locked, out of memory, read-only, input/output error, disk full, cannot open.
            let gone =
                ["08", "53", "57P", "25006", "40"].iter().any(|class| code.starts_with(class)) && code.len() == 5;
            let no_room = code.parse::<u32>().is_ok_and(|code| [5, 6, 7, 8, 10, 13, 14].contains(&(code & 0xff)));
            match gone || (no_room && code.len() < 5) {
                true => StoreError::Unavailable(error.to_string()),
                false => StoreError::Refused(error.to_string()),
            }
        }
        _ => StoreError::Refused(error.to_string()),
    }
}

/// What a failed migration means to a person.
fn migrated(outcome: std::result::Result<(), sqlx::migrate::MigrateError>) -> Result<()> {
    use sqlx::migrate::MigrateError;
    outcome.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::Newer(version),
        MigrateError::Execute(error) => failed(error),
        other => StoreError::Migration(other.to_string()),
    })
}

/// An address that may be shown.
fn without_password(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, host))) if rest.contains('@') => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

pub(super) const SQLITE_CLOCK: &str = "cast(unixepoch('subsec') * 1000 as integer)";
pub(super) const POSTGRES_CLOCK: &str = "(extract(epoch from clock_timestamp()) * 1000)::bigint";

impl Db {
    /// True for PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self, Db::Postgres { .. })
    }

    /// How many statements were executed so far.
    pub fn statements(&self) -> u64 {
        self.counter().load(Ordering::Relaxed)
    }

    fn counter(&self) -> &Arc<AtomicU64> {
        match self {
            Db::Sqlite { statements, .. } | Db::Postgres { statements, .. } => statements,
        }
    }

    /// The present, in milliseconds: on PostgreSQL by the server's clock, which all nodes share.
    pub fn clock(&self) -> &'static str {
        if self.is_postgres() { POSTGRES_CLOCK } else { SQLITE_CLOCK }
    }

    /// Reads, outside any transaction.
    pub async fn fetch(&self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Result<Vec<Row>> {
        self.counter().fetch_add(1, Ordering::Relaxed);
        let sql = AssertSqlSafe(sql.into());
        match self {
            Db::Sqlite { readers, .. } => {
                let query = sqlx::query_with(sql, value::for_sqlite(values)?);
                Ok(query.fetch_all(readers).await.map_err(failed)?.into_iter().map(Row::Sqlite).collect())
            }
            Db::Postgres { pool, .. } => {
                let query = sqlx::query_with(sql, value::for_postgres(values)?);
                Ok(query.fetch_all(pool).await.map_err(failed)?.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Writes by one statement, a transaction of its own; answers how many rows it touched.
    pub async fn execute(&self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Result<u64> {
        self.counter().fetch_add(1, Ordering::Relaxed);
        let sql = AssertSqlSafe(sql.into());
        match self {
            Db::Sqlite { writer, .. } => {
                let query = sqlx::query_with(sql, value::for_sqlite(values)?);
                Ok(query.execute(writer).await.map_err(failed)?.rows_affected())
            }
            Db::Postgres { pool, .. } => {
                let query = sqlx::query_with(sql, value::for_postgres(values)?);
                Ok(query.execute(pool).await.map_err(failed)?.rows_affected())
            }
        }
    }

    /// Begins a transaction that writes.
    pub async fn begin(&self) -> Result<Tx> {
        let inner = match self {
            Db::Sqlite { writer, .. } => Inner::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?),
            Db::Postgres { pool, .. } => Inner::Postgres(pool.begin().await.map_err(failed)?),
        };
        Ok(Tx { inner, statements: self.counter().clone() })
    }

    /// Begins a commit of the ledger.
    pub async fn begin_ledger(&self) -> Result<Tx> {
        match self {
            Db::Sqlite { .. } => self.begin().await,
            Db::Postgres { writer, statements, .. } => {
                Ok(Tx { inner: Inner::Postgres(writer.begin().await.map_err(failed)?), statements: statements.clone() })
            }
        }
    }

    /// Lets go of every connection.
    pub async fn close(&self) {
        match self {
            Db::Sqlite { readers, writer, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Db::Postgres { pool, writer, .. } => {
                writer.close().await;
                pool.close().await;
            }
        }
    }
}

impl Tx {
    /// True for PostgreSQL.
    pub fn is_postgres(&self) -> bool {
        matches!(self.inner, Inner::Postgres(_))
    }

    /// The present, in milliseconds: on PostgreSQL by the server's clock, which all nodes share.
    pub fn clock(&self) -> &'static str {
        if self.is_postgres() { POSTGRES_CLOCK } else { SQLITE_CLOCK }
    }

    /// The function that is the greater of two values.
    pub fn greatest(&self) -> &'static str {
        if self.is_postgres() { "greatest" } else { "max" }
    }

    /// What stands after a selection of rows that are to be changed: rows that another has taken are passed over.
    pub fn taking(&self) -> &'static str {
        if self.is_postgres() { "for update skip locked" } else { "" }
    }

    /// Reads, or writes and reads what was written.
    pub async fn fetch(&mut self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Result<Vec<Row>> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let sql = AssertSqlSafe(sql.into());
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let query = sqlx::query_with(sql, value::for_sqlite(values)?);
                Ok(query.fetch_all(&mut **tx).await.map_err(failed)?.into_iter().map(Row::Sqlite).collect())
            }
            Inner::Postgres(tx) => {
                let query = sqlx::query_with(sql, value::for_postgres(values)?);
                Ok(query.fetch_all(&mut **tx).await.map_err(failed)?.into_iter().map(Row::Postgres).collect())
            }
        }
    }

    /// Writes; answers how many rows it touched.
    pub async fn execute(&mut self, sql: impl Into<String>, values: impl IntoIterator<Item = Value>) -> Result<u64> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let sql = AssertSqlSafe(sql.into());
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let query = sqlx::query_with(sql, value::for_sqlite(values)?);
                Ok(query.execute(&mut **tx).await.map_err(failed)?.rows_affected())
            }
            Inner::Postgres(tx) => {
                let query = sqlx::query_with(sql, value::for_postgres(values)?);
                Ok(query.execute(&mut **tx).await.map_err(failed)?.rows_affected())
            }
        }
    }

    /// Writes what statements that need nothing of each other write.
    pub async fn run(&mut self, script: Script) -> Result<()> {
        let Some(further) = script.len().checked_sub(1) else { return Ok(()) };
        let (sql, values) = if self.is_postgres() { script.at_once() } else { script.in_turn() };
        self.statements.fetch_add(further as u64, Ordering::Relaxed);
        self.execute(sql, values).await.map(drop)
    }

    /// Makes it last.
    pub async fn commit(self) -> Result<()> {
        match self.inner {
            Inner::Sqlite(tx) => tx.commit().await.map_err(failed),
            Inner::Postgres(tx) => tx.commit().await.map_err(failed),
        }
    }
}
