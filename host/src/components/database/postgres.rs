//! PostgreSQL.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Pool, Postgres, Row, TypeInfo, ValueRef, raw_sql};

use super::{Failed, Reads, Verdict};

pub(super) fn pool(url: &str, time: Duration) -> Result<Pool<Postgres>, Failed> {
    let options: PgConnectOptions = url.parse()?;
    let options = options.disable_statement_logging();
    let time = time.as_millis();
    let limits = format!("set statement_timeout = {time}; set idle_in_transaction_session_timeout = {time}");
    let pool = super::options().after_connect(move |connection: &mut PgConnection, _| {
        let limits = limits.clone();
        Box::pin(async move { raw_sql(AssertSqlSafe(limits)).execute(connection).await.map(drop) })
    });
    Ok(pool.connect_lazy_with(options))
}

impl Reads for Postgres {
    /// What the writing of texts and values hangs on is set for each transaction: behind a pooler the next one may run in
    /// another session.
    const BEGIN: &'static str = "begin read only; set local standard_conforming_strings = on; \
         set local datestyle = 'ISO'; set local timezone = 'UTC'; set local bytea_output = 'hex'";

    fn text(row: &PgRow, column: usize) -> Result<Option<String>, sqlx::Error> {
        let value = row.try_get_raw(column)?;
        if value.is_null() {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(value.as_bytes().map_err(sqlx::Error::Decode)?).into_owned();
        Ok(Some(match value.type_info().name() {
            "BOOL" => if text == "t" { "1" } else { "0" }.to_owned(),
            "TIMESTAMPTZ" => text.strip_suffix("+00").unwrap_or(&text).to_owned(),
            "BYTEA" => {
                let bytes = text.strip_prefix("\\x").and_then(|digits| hex::decode(digits).ok());
                String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
            }
            _ => text,
        }))
    }
}

/// By SQLSTATE: class 08 is connections, 28 logging in, 40 conflicts, 53 resources, 55 locks, 57 the operator, 58 the
/// system; 25P03 is a transaction that idled too long.
pub(super) fn verdict(code: &str) -> Verdict {
    match code {
        "57014" => Verdict::Slow,
        "42501" | "3D000" => Verdict::Entry,
        "25P03" => Verdict::Passing,
        code => match code.get(..2) {
            Some("28") => Verdict::Entry,
            Some("08" | "40" | "53" | "55" | "57" | "58") => Verdict::Passing,
            _ => Verdict::Statement,
        },
    }
}
