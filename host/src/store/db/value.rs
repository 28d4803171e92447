//! What goes into a statement and what comes out, the same for both databases.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Row as _, TypeInfo as _, ValueRef as _};

use super::text;
use crate::model::Instant;
use crate::store::error::StoreError;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// An argument of a statement.
#[derive(Clone, Debug)]
pub(in crate::store) enum Value {
    /// A number.
    Int(Option<i64>),
    /// A text of any kind.
    Text(Option<String>),
    /// A JSON text.
    Json(Option<String>),
    /// A text in its kept form already.
    Kept(String),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
    /// A column of numbers (PostgreSQL).
    Ints(Vec<Option<i64>>),
    /// A column of texts (PostgreSQL).
    Texts(Vec<Option<String>>),
    /// A column of JSON texts (PostgreSQL).
    Jsons(Vec<Option<String>>),
    /// A column of bytes (PostgreSQL).
    Blobs(Vec<Option<Vec<u8>>>),
}

/// Arguments as an array.
macro_rules! args {
    ($($value:expr),* $(,)?) => { [$($crate::store::db::Value::from($value)),*] };
}
pub(in crate::store) use args;

macro_rules! from {
    ($($ty:ty => $variant:ident, |$name:ident| $value:expr;)+) => {$(
        impl From<$ty> for Value {
            fn from($name: $ty) -> Self {
                Value::$variant(Some($value))
            }
        }
        impl From<Option<$ty>> for Value {
            fn from(value: Option<$ty>) -> Self {
                Value::$variant(value.map(|$name| $value))
            }
        }
    )+};
}
from! {
    i64 => Int, |value| value;
    u64 => Int, |value| i64::try_from(value).unwrap_or(i64::MAX);
    u32 => Int, |value| value.into();
    Instant => Int, |value| i64::try_from(value.millis()).unwrap_or(i64::MAX);
    &str => Text, |value| value.to_owned();
    &String => Text, |value| value.clone();
    String => Text, |value| value;
    Vec<u8> => Bytes, |value| value;
}

fn keep_text(value: String) -> String {
    match text::keep(&value) {
        std::borrow::Cow::Borrowed(_) => value,
        std::borrow::Cow::Owned(kept) => kept,
    }
}

fn keep_json(value: String) -> String {
    match text::keep_json(&value) {
        std::borrow::Cow::Borrowed(_) => value,
        std::borrow::Cow::Owned(kept) => kept,
    }
}

fn column(values: Vec<Option<String>>, keep: fn(String) -> String) -> Vec<Option<String>> {
    values.into_iter().map(|value| value.map(keep)).collect()
}

/// The arguments for SQLite.
pub(super) fn for_sqlite(values: impl IntoIterator<Item = Value>) -> Result<SqliteArguments> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value.map(keep_text)),
            Value::Json(value) => arguments.add(value.map(keep_json)),
            Value::Kept(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Ints(_) | Value::Texts(_) | Value::Jsons(_) | Value::Blobs(_) => {
                return Err(StoreError::Refused("SQLite takes no columns".into()));
            }
        }
        .map_err(|why| StoreError::Refused(why.to_string()))?;
    }
    Ok(arguments)
}

/// The arguments for PostgreSQL. A JSON text goes as a text: the statement casts it.
pub(super) fn for_postgres(values: impl IntoIterator<Item = Value>) -> Result<PgArguments> {
    let mut arguments = PgArguments::default();
    for value in values {
        match value {
            Value::Int(value) => arguments.add(value),
            Value::Text(value) => arguments.add(value.map(keep_text)),
            Value::Json(value) => arguments.add(value.map(keep_json)),
            Value::Kept(value) => arguments.add(value),
            Value::Bytes(value) => arguments.add(value),
            Value::Ints(values) => arguments.add(values),
            Value::Texts(values) => arguments.add(column(values, keep_text)),
            Value::Jsons(values) => arguments.add(column(values, keep_json)),
            Value::Blobs(values) => arguments.add(values),
        }
        .map_err(|why| StoreError::Refused(why.to_string()))?;
    }
    Ok(arguments)
}

/// A row that was read.
pub(in crate::store) enum Row {
    /// Of SQLite.
    Sqlite(SqliteRow),
    /// Of PostgreSQL.
    Postgres(PgRow),
}

fn unreadable(why: sqlx::Error) -> StoreError {
    StoreError::Corrupt(why.to_string())
}

impl Row {
    /// The number in a column, if there is one.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        }
        .map_err(unreadable)
    }

    /// The number in a column.
    pub fn int(&self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| StoreError::Corrupt(format!("column {column} is empty")))
    }

    /// The count in a column.
    pub fn count(&self, column: usize) -> Result<u64> {
        Ok(self.int(column)?.try_into().unwrap_or(0))
    }

    /// The moment in a column, if there is one.
    pub fn opt_instant(&self, column: usize) -> Result<Option<Instant>> {
        Ok(self.opt_int(column)?.map(|millis| Instant::clamped(millis.try_into().unwrap_or(0))))
    }

    /// The moment in a column.
    pub fn instant(&self, column: usize) -> Result<Instant> {
        Ok(Instant::clamped(self.int(column)?.try_into().unwrap_or(0)))
    }

    fn raw_text(&self, column: usize) -> Result<Option<String>> {
        match self {
            Row::Sqlite(row) => row.try_get(column).map_err(unreadable),
            Row::Postgres(row) => {
                let value = row.try_get_raw(column).map_err(unreadable)?;
                if value.is_null() {
                    return Ok(None);
                }
                let is_jsonb = value.type_info().name() == "JSONB";
                let bytes = value.as_bytes().map_err(|why| StoreError::Corrupt(why.to_string()))?;
                // A version number stands before the text of a JSONB.
                let bytes = if is_jsonb { bytes.get(1..).unwrap_or_default() } else { bytes };
                let text = std::str::from_utf8(bytes).map_err(|why| StoreError::Corrupt(why.to_string()))?;
                Ok(Some(text.to_owned()))
            }
        }
    }

    /// The text in a column, if there is one.
    pub fn opt_text(&self, column: usize) -> Result<Option<String>> {
        Ok(self.raw_text(column)?.map(text::give))
    }

    /// The text in a column.
    pub fn text(&self, column: usize) -> Result<String> {
        self.opt_text(column)?.ok_or_else(|| StoreError::Corrupt(format!("column {column} is empty")))
    }

    /// The JSON text in a column, if there is one.
    pub fn opt_json(&self, column: usize) -> Result<Option<String>> {
        Ok(self.raw_text(column)?.map(text::give_json))
    }

    /// What the JSON in a column says.
    pub fn parsed<T: serde::de::DeserializeOwned>(&self, column: usize) -> Result<T> {
        let json = self.opt_json(column)?.ok_or_else(|| StoreError::Corrupt(format!("column {column} is empty")))?;
        serde_json::from_str(&json).map_err(|why| StoreError::Corrupt(why.to_string()))
    }

    /// The word in a column.
    pub fn word<T: std::str::FromStr<Err = String>>(&self, column: usize) -> Result<T> {
        self.text(column)?.parse().map_err(StoreError::Corrupt)
    }

    /// The bytes in a column, if there are any.
    pub fn opt_bytes(&self, column: usize) -> Result<Option<Vec<u8>>> {
        match self {
            Row::Sqlite(row) => row.try_get(column),
            Row::Postgres(row) => row.try_get(column),
        }
        .map_err(unreadable)
    }
}
