//! Carrying a command out, and writing down what became of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Clock};

use serde_json::{Value, json};

use super::form::is_kept;
use super::{Commands, Running};
use crate::components::Use;
use crate::components::contract::{Ability, Command, CommandOutcome, Failure, Performed};
use crate::intake::{Entry, IntakeError, Settled};
use crate::model::{Instant, Observation};
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
        let running = Arc::<Running>::default();
        let of = (entry.tenant.name.clone(), key.clone());
        self.running().insert(of.clone(), running.clone());
        let commands = self.clone();
        self.tasks.spawn(async move {
            let name = command.name.clone();
            let doing = async {
                let Performed { result, observations } = commands.perform(&entry, command).await;
                commands.report(&entry, observations).await;
                commands.note(&entry, &key, &name, result, &running).await;
            };
            commands.held(&of.0, &key, doing).await;
            commands.running().remove(&of);
            running.ended.cancel();
        });
    }

    async fn perform(&self, entry: &Entry, command: Command) -> Performed {
        match by_request(entry) {
            true => asked(entry, command).await,
            false => Performed { result: self.in_session(entry, command, LONGEST).await, observations: Vec::new() },
        }
    }

    /// What a source's session answers within `patience`.
    pub(super) async fn in_session(&self, entry: &Entry, command: Command, patience: Duration) -> Settled {
        let answer = self.connections.order(&entry.tenant.name, &entry.name, command)?;
        match tokio::time::timeout(patience, answer).await {
            Ok(Ok(settled)) => settled,
            Ok(Err(_)) => Ok(CommandOutcome::Unknown("the connection was let go before an answer came".to_owned())),
            Err(_) => Ok(CommandOutcome::Unknown(format!("no answer came within {} s", patience.as_secs()))),
        }
    }

    /// Commits what a command showed, however long the store is away.
    async fn report(&self, entry: &Entry, observations: Vec<Observation>) {
        let (tenant, source) = (&entry.tenant.name, &entry.name);
        for _ in 0..TRIES {
            match self.reception.report(entry, Instant::now(), observations.clone()).await {
                Ok(()) => return,
                Err(IntakeError::Store(why)) if why.passing() => tokio::time::sleep(AGAIN).await,
                Err(why) => {
                    tracing::error!(tenant, source, "what a command showed was left out: {why}");
                    return;
                }
            }
        }
    }

    /// Writes down how a command ended, however long the store is away.
    async fn note(&self, entry: &Entry, key: &str, name: &str, settled: Settled, running: &Running) {
        let (state, mut answer) = told(entry, settled);
        if state == CommandState::Done && !is_kept(name) {
            let _ = running.unkept.set(answer.take().to_string());
            answer = json!({ "why": "what came of it was given to whoever asked, and was not kept" });
        }
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

/// Asks the component, when it is the command's turn. One that the outside refused for being one too many waits, and is
/// asked for again: nothing has come of it.
async fn asked(entry: &Entry, command: Command) -> Performed {
    let begun = Clock::now();
    loop {
        let left = LONGEST.saturating_sub(begun.elapsed());
        if tokio::time::timeout(left, entry.pace.command()).await.is_err() {
            // Its turn did not come: nothing was asked of the outside.
            return Performed { result: Err(Failure::RateLimited { after: None }), observations: Vec::new() };
        }
        // What the last try showed, whatever became of it.
        let shown = Arc::new(Mutex::new(Vec::new()));
        let call = |component: Arc<Use>| {
            let (command, shown) = (command.clone(), shown.clone());
            async move {
                let (performed, exchanges) = component.perform(command).await;
                let result = performed.map(|Performed { result, observations }| {
                    *shown.lock().unwrap_or_else(PoisonError::into_inner) = observations;
                    result
                });
                (result, exchanges)
            }
        };
        let (settled, exchanges) = entry.component.call(call).await;
        entry.pace.more(exchanges.len().saturating_sub(1));
        let result = match settled {
            Ok(Err(Failure::RateLimited { after })) if entry.pace.hold(after) < begun + LONGEST => continue,
            Ok(settled) => settled,
            // How far it had come is not known.
            Err(fault) => {
                tracing::error!(tenant = entry.tenant.name, source = entry.name, "a command broke down: {fault}");
                Ok(CommandOutcome::Unknown("the component broke down over it".to_owned()))
            }
        };
        let observations = std::mem::take(&mut *shown.lock().unwrap_or_else(PoisonError::into_inner));
        return Performed { result, observations };
    }
}

/// Whether a component carries commands out by request and response; else its session does.
pub(super) fn by_request(entry: &Entry) -> bool {
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
