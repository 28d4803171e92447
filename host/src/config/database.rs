//! The databases that a tenant's file lets a component read, by name.

use std::collections::BTreeMap;

use url::Url;

use super::document::{Node, Table};
use super::secret::Secret;
use super::suggest::suggestion;

/// A database that a component may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseAddress {
    /// What it speaks.
    pub kind: DatabaseKind,
    /// Where it is, and as whom to log in: it may hold a password.
    pub url: Secret,
}

/// What a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseKind {
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL.
    Postgres,
}

const SCHEMES: [(&str, DatabaseKind); 4] = [
    ("mysql", DatabaseKind::MySql),
    ("mariadb", DatabaseKind::MySql),
    ("postgres", DatabaseKind::Postgres),
    ("postgresql", DatabaseKind::Postgres),
];

/// What stands under `databases` of a source or a sink.
pub(super) fn read(table: &Table<'_>) -> BTreeMap<String, DatabaseAddress> {
    let Some(tables) = table.take("databases").and_then(|node| node.table()) else { return BTreeMap::new() };
    let addresses = tables.entries().into_iter();
    addresses.filter_map(|(name, node)| Some((name.to_owned(), address(&node)?))).collect()
}

fn address(node: &Node<'_>) -> Option<DatabaseAddress> {
    let url = node.text_or_kept()?;
    let wrong = |what: &str, hint: String| {
        node.problem(format!("`{}`: {what}", node.path), Some(hint));
        None
    };
    let example = || "write `mysql://user@host/database` or `postgres://user@host/database`".to_owned();
    let Ok(parsed) = Url::parse(url.reveal()) else {
        return wrong("this is not the address of a database", example());
    };
    let Some(&(_, kind)) = SCHEMES.iter().find(|(scheme, _)| *scheme == parsed.scheme()) else {
        let near = suggestion(parsed.scheme(), SCHEMES.iter().map(|(scheme, _)| *scheme));
        return wrong(&format!("`{}` is no kind of database that the hub reads", parsed.scheme()), near);
    };
    if node.kept().is_none() && parsed.password().is_some() {
        let hint = "write `{ env = \"NAME\" }` or `{ file = \"path\" }`".to_owned();
        return wrong("the address has a password in it and must not stand in the file", hint);
    }
    if parsed.host_str().is_none_or(str::is_empty) || parsed.path().trim_matches('/').is_empty() {
        return wrong("the address names no host or no database", example());
    }
    Some(DatabaseAddress { kind, url })
}
