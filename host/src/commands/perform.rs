//! Carrying a command out, and writing down what became of it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::Commands;
use crate::components::contract::{Ability, Command, CommandOutcome, Failure};
use crate::intake::{Entry, Settled};
use crate::store::CommandState;

/// A session that has not answered after so long will not: a telephone rings for half a minute.
pub(super) const LONGEST: Duration = Duration::from_secs(120);

/// Between two tries to write down how a command ended.
const AGAIN: Duration = Duration::from_millis(500);

/// So many tries; later the hub's next start, or a sweep, says that it is unknown.
const TRIES: u32 = 240;

impl Commands {
    /// Whether the source could take a command now. What is refused here has left no trace.
    pub(super) fn ready(&self, entry: &Entry) -> Result<(), Failure> {
        if by_request(entry) { Ok(()) } else { self.connections.ready(&entry.tenant.name, &entry.name) }
    }

    /// Begins a command that stands in the store.
    pub(super) fn begin(self: &Arc<Self>, entry: Arc<Entry>, command: Command, key: String) {
        let ended = CancellationToken::new();
        let of = (entry.tenant.name.clone(), key.clone());
        self.running().insert(of.clone(), ended.clone());
        let commands = self.clone();
        self.tasks.spawn(async move {
            let name = command.name.clone();
            let settled = commands.perform(&entry, command).await;
            commands.note(&entry, &key, &name, settled).await;
            commands.running().remove(&of);
            ended.cancel();
        });
    }

    async fn perform(&self, entry: &Entry, command: Command) -> Settled {
        if by_request(entry) {
            let call = |component: Arc<crate::components::Use>| {
                let command = command.clone();
                async move { component.perform(command).await }
            };
            return match entry.component.call(call).await.0 {
                Ok(settled) => settled,
                // How far it had come is not known.
                Err(fault) => {
                    tracing::error!(tenant = entry.tenant.name, source = entry.name, "a command broke down: {fault}");
                    Ok(CommandOutcome::Unknown("the component broke down over it".to_owned()))
                }
            };
        }
        let answer = self.connections.order(&entry.tenant.name, &entry.name, command)?;
        match tokio::time::timeout(LONGEST, answer).await {
            Ok(Ok(settled)) => settled,
            Ok(Err(_)) => Ok(CommandOutcome::Unknown("the connection was let go before an answer came".to_owned())),
            Err(_) => Ok(CommandOutcome::Unknown(format!("no answer came within {} s", LONGEST.as_secs()))),
        }
    }

    /// Writes down how a command ended, however long the store is away.
    async fn note(&self, entry: &Entry, key: &str, name: &str, settled: Settled) {
        let (state, answer) = told(entry, settled);
        let (tenant, source) = (&entry.tenant.name, &entry.name);
        metrics::counter!("cordboard_commands_total", "tenant" => tenant.clone(), "source" => source.clone(),
            "outcome" => state.word())
        .increment(1);
        tracing::info!(tenant, source, name, key, state = state.word(), "a command has ended");
        let answer = answer.to_string();
        for _ in 0..TRIES {
            match self.store.end_command(tenant, key, state, Some(&answer)).await {
                Ok(()) => return,
                Err(why) if why.passing() => tokio::time::sleep(AGAIN).await,
                Err(why) => {
                    tracing::error!(tenant, key, "how a command ended cannot be written down: {why}");
                    return;
                }
            }
        }
    }
}

/// Whether a component carries commands out by request and response; else its session does.
fn by_request(entry: &Entry) -> bool {
    entry.component.component().component().abilities().has(Ability::Commands)
}

/// The state and the answer, as they are kept and shown.
fn told(entry: &Entry, settled: Settled) -> (CommandState, Value) {
    let redacted = |text: &str| entry.component.component().redacted(text);
    match settled {
        Ok(CommandOutcome::Done(result)) => {
            let result = redacted(&result);
            let result: Value = serde_json::from_str(&result).unwrap_or(Value::String(result));
            (CommandState::Done, json!({ "result": result }))
        }
        Ok(CommandOutcome::Accepted(subject)) => (CommandState::Accepted, json!({ "subject": subject })),
        Ok(CommandOutcome::Unknown(why)) => (CommandState::Unknown, json!({ "why": redacted(&why) })),
        Ok(CommandOutcome::Other(_, why)) => (CommandState::Unknown, json!({ "why": redacted(&why) })),
        Err(failure) => {
            let (word, code, why) = match failure {
                Failure::Retryable { why, .. } => ("retryable", None, why),
                Failure::RateLimited { .. } => ("rate-limited", None, failure.to_string()),
                Failure::Unauthorized { why } => ("unauthorized", None, why),
                Failure::Rejected { code, why } => ("rejected", Some(code), why),
                Failure::Misconfigured { why } => ("misconfigured", None, why),
            };
            (CommandState::Failed, json!({ "failure": word, "code": code, "why": redacted(&why) }))
        }
    }
}
