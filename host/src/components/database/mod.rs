//! Databases of the outside that a component may read, such as a PBX's call detail records.
//!
//! Each use has connections of its own: none to begin with, two at most, closed when nobody asks any more. Statements go
//! out by the protocol in which both kinds of database write every value as text, so nothing here knows their types; a
//! parameter goes with them as a text in quotes, which both read as what it is compared with. Sessions are set up so
//! that the two kinds speak alike, and only read.
//!
//! The host of a database is named by whoever keeps the tenant's secrets, not by the component: any address is allowed.

mod mysql;
mod postgres;
mod statement;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, Column, Database, Executor, Pool, Row, raw_sql};
use tokio::sync::OnceCell;

use super::contract::Failure;
use crate::config::{DatabaseAddress, DatabaseKind};

/// How long a statement may take. Shorter than a call, so that the component hears of it.
const TIME: Duration = Duration::from_secs(20);

/// How much longer the hub waits for the database's own word that the time is over.
const GRACE: Duration = Duration::from_secs(2);

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// One for a call that is asked again and again, one for a call beside it: a PBX's database has few to give.
const CONNECTIONS: u32 = 2;

/// A page of detail records has some hundred rows.
const ROWS: usize = 10_000;

/// Bytes of all values together. A row of Asterisk's detail records has some 300.
const BYTES: usize = 8 << 20;

/// What a database answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

/// The databases of one use, by name.
#[derive(Default)]
pub(super) struct Databases(BTreeMap<String, Connection>);

/// A database, connected to when it is first asked.
struct Connection {
    address: DatabaseAddress,
    pool: OnceCell<Connected>,
    /// How long a statement may take.
    time: Duration,
}

enum Connected {
    MySql(Pool<sqlx::MySql>),
    Postgres(Pool<sqlx::Postgres>),
}

impl Databases {
    pub fn new(addresses: BTreeMap<String, DatabaseAddress>) -> Self {
        let connections = addresses.into_iter().map(|(name, address)| (name, Connection::new(address)));
        Databases(connections.collect())
    }

    /// Asks the database of that name.
    pub async fn query(&self, name: &str, statement: &str, parameters: &[String]) -> Result<Rows, Failure> {
        let Some(connection) = self.0.get(name) else {
            let name = super::trace::clip(name, 100);
            let why = format!(
                "the tenant's file gives no database `{name}` to this use: add \
                 `databases = {{ {name} = {{ env = \"NAME\" }} }}`"
            );
            return Err(Failure::Misconfigured { why });
        };
        let statement = statement::compose(statement, parameters)?;
        let asked = tokio::time::timeout(connection.time + GRACE, connection.ask(statement)).await;
        asked.unwrap_or(Err(Failed::Slow)).map_err(|failed| failed.into_failure(name, connection))
    }
}

impl Connection {
    fn new(address: DatabaseAddress) -> Self {
        Connection { address, pool: OnceCell::new(), time: TIME }
    }

    async fn ask(&self, statement: String) -> Result<Rows, Failed> {
        let url = self.address.url.reveal();
        let connecting = async || match self.address.kind {
            DatabaseKind::MySql => mysql::pool(url, self.time).map(Connected::MySql),
            DatabaseKind::Postgres => postgres::pool(url, self.time).map(Connected::Postgres),
        };
        match self.pool.get_or_try_init(connecting).await? {
            Connected::MySql(pool) => read(pool, statement).await,
            Connected::Postgres(pool) => read(pool, statement).await,
        }
    }
}

/// A kind of database that is read by text.
trait Reads: Database {
    /// Begins a transaction that cannot write.
    const BEGIN: &'static str;

    /// The value in that column, as the contract writes it; absent for NULL.
    fn text(row: &Self::Row, column: usize) -> Result<Option<String>, sqlx::Error>;
}

fn options<DB: Database>() -> PoolOptions<DB> {
    PoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT).idle_timeout(IDLE).max_lifetime(10 * IDLE)
}

async fn read<DB: Reads>(pool: &Pool<DB>, statement: String) -> Result<Rows, Failed>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let mut transaction = pool.begin_with(DB::BEGIN).await?;
    let mut found = Rows::default();
    let mut bytes = 0;
    {
        let mut answer = raw_sql(AssertSqlSafe(statement)).fetch(&mut *transaction);
        while let Some(row) = answer.try_next().await? {
            if found.rows.len() == ROWS {
                return Err(Failed::TooLarge(format!("more than {ROWS} rows")));
            }
            if found.columns.is_empty() {
                found.columns = row.columns().iter().map(|column| column.name().to_owned()).collect();
            }
            let values = (0..row.len()).map(|column| DB::text(&row, column)).collect::<Result<Vec<_>, _>>()?;
            bytes += values.iter().flatten().map(String::len).sum::<usize>();
            if bytes > BYTES {
                return Err(Failed::TooLarge(format!("more than {} MiB", BYTES >> 20)));
            }
            found.rows.push(values);
        }
    }
    transaction.rollback().await?;
    Ok(found)
}

/// Why there are no rows.
enum Failed {
    Sql(sqlx::Error),
    Slow,
    TooLarge(String),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Failed::Sql(error)
    }
}

impl Failed {
    /// As the contract says it. Nothing in it comes from the address but what the database itself repeats.
    fn into_failure(self, name: &str, connection: &Connection) -> Failure {
        let passing = |why: String| Failure::Retryable { why, status: None, after: None };
        let slow = || passing(format!("the database `{name}` did not answer within {} s", connection.time.as_secs()));
        let error = match self {
            Failed::Slow => return slow(),
            Failed::TooLarge(much) => {
                let why = format!("the database `{name}` answers {much}: ask for less with `limit`");
                return Failure::Rejected { code: "too-large".into(), why };
            }
            Failed::Sql(error) => error,
        };
        let sqlx::Error::Database(said) = &error else {
            return match error {
                sqlx::Error::Configuration(_) => {
                    Failure::Misconfigured { why: format!("the address of the database `{name}` is not one") }
                }
                sqlx::Error::PoolTimedOut => {
                    let seconds = CONNECT.as_secs();
                    passing(format!("no connection to the database `{name}` came about within {seconds} s"))
                }
                error => passing(format!("the database `{name}`: {error}")),
            };
        };
        let code = said.code().unwrap_or_default().into_owned();
        let why = format!("the database `{name}`: {}", said.message());
        match connection.address.kind {
            DatabaseKind::MySql => mysql::verdict(said.as_ref()),
            DatabaseKind::Postgres => postgres::verdict(&code),
        }
        .failure(code, why, slow)
    }
}

/// What an error of the database means for the caller.
enum Verdict {
    /// It may go well later.
    Passing,
    /// The time was over.
    Slow,
    /// The login, its rights, or the name of the database.
    Entry,
    /// The statement.
    Statement,
}

impl Verdict {
    fn failure(self, code: String, why: String, slow: impl FnOnce() -> Failure) -> Failure {
        match self {
            Verdict::Passing => Failure::Retryable { why, status: None, after: None },
            Verdict::Slow => slow(),
            Verdict::Entry => Failure::Misconfigured { why },
            Verdict::Statement => Failure::Rejected { code, why },
        }
    }
}
