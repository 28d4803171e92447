//! Questions: what is asked of sessions and changes nothing. Nothing of it is written down, and nobody is told of it but
//! whoever asks.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Map, Value};

use super::Commands;
use super::perform::by_request;
use super::place::has;
use crate::components::contract::{Ability, Command};
use crate::config::Tenant;
use crate::intake::{Entry, Settled};

/// Nobody waits for an answer any more by then.
const LONGEST: Duration = Duration::from_secs(5);

impl Commands {
    /// Asks all sessions of a tenant's sources at once; what each says, or why it cannot be asked. A source that would
    /// have to send a request is left alone: that takes longer than a question is worth.
    pub async fn question(&self, tenant: &Tenant, name: &str, arguments: Map<String, Value>) -> Vec<Settled> {
        let arguments = Value::Object(arguments).to_string();
        let entries = tenant.sources.keys().filter_map(|source| self.reception.entry(&tenant.name, source));
        let able: Vec<Arc<Entry>> = entries.filter(|entry| has(entry, name) && has_session(entry)).collect();
        join_all(able.iter().map(|entry| {
            let id = format!("question-{}", uuid::Uuid::now_v7());
            let command = Command { id, name: name.to_owned(), agent: None, arguments: arguments.clone() };
            self.in_session(entry, command, LONGEST)
        }))
        .await
    }
}

fn has_session(entry: &Entry) -> bool {
    entry.component.component().component().abilities().has(Ability::Connection) && !by_request(entry)
}
