//! MySQL and MariaDB.

use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlDatabaseError, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySql, Pool, Row, TypeInfo, ValueRef};

use super::{Failed, Reads, Verdict};

/// Brings a session nearer to PostgreSQL: `"…"` quotes a name, `\` is a character like others. (That `||` joins texts,
/// and that moments are in UTC, the driver sees to.)
const ALIKE: &str = "set session sql_mode = concat(@@sql_mode, ',ANSI_QUOTES,NO_BACKSLASH_ESCAPES')";

/// "Unknown system variable".
const UNKNOWN_VARIABLE: u16 = 1193;

pub(super) fn pool(url: &str, time: Duration) -> Result<Pool<MySql>, Failed> {
    let options: MySqlConnectOptions = url.parse()?;
    let options = options.disable_statement_logging();
    let pool = super::options().after_connect(move |connection, _| Box::pin(prepare(connection, time)));
    Ok(pool.connect_lazy_with(options))
}

async fn prepare(connection: &mut MySqlConnection, time: Duration) -> Result<(), sqlx::Error> {
    connection.execute(ALIKE).await?;
    // MariaDB counts seconds, MySQL milliseconds, and neither knows the other's word.
    let limits = [
        format!("set session max_statement_time = {}", time.as_secs()),
        format!("set session max_execution_time = {}", time.as_millis()),
    ];
    for limit in limits {
        match connection.execute(AssertSqlSafe(limit)).await {
            Ok(_) => return Ok(()),
            Err(sqlx::Error::Database(error)) if number(error.as_ref()) == UNKNOWN_VARIABLE => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn number(error: &dyn DatabaseError) -> u16 {
    error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number)
}

impl Reads for MySql {
    const BEGIN: &'static str = "start transaction read only";

    fn text(row: &MySqlRow, column: usize) -> Result<Option<String>, sqlx::Error> {
        let value = row.try_get_raw(column)?;
        if value.is_null() {
            return Ok(None);
        }
        let dated = matches!(value.type_info().name(), "DATE" | "DATETIME" | "TIMESTAMP");
        let bytes: &[u8] = row.try_get_unchecked(column)?;
        if dated && bytes.starts_with(b"0000-00-00") {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }
}

/// By the server's own numbers, which are finer than its SQLSTATE.
pub(super) fn verdict(error: &dyn DatabaseError) -> Verdict {
    match number(error) {
        // The time is over: MariaDB, MySQL.
        1969 | 3024 => Verdict::Slow,
        // Access denied to the server, to a database, to a table, to a column; no such user; no such database.
        1044 | 1045 | 1049 | 1142 | 1143 | 1227 | 1698 | 1862 => Verdict::Entry,
        // Too many connections, of one user too; shutting down; out of memory; locks; killed; lost on the way.
        1040 | 1053 | 1037 | 1041 | 1203 | 1205 | 1213 | 1226 | 1317 | 1927 => Verdict::Passing,
        _ => Verdict::Statement,
    }
}
