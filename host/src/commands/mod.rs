//! Commands: from whoever asks (the API, a live socket, a component's endpoint) to the source that can do it, and the
//! answer back.
//!
//! A command stands in the store before it is begun, under a key that whoever asks has chosen, so it is never carried
//! out twice. What may or may not have happened is `unknown`, and is not repeated either.
//!
//! Nothing here knows what a number or an extension means to a PBX.

mod ask;
mod form;
mod hold;
mod perform;
mod place;
mod question;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use ask::{Ask, Asker};
use place::Place;

use crate::components::contract::{Command, Failure};
use crate::intake::{Connections, Entry, Reception};
use crate::store::{Begun, CommandRow, CommandState, Store, StoreError};

/// Commands of one tenant in a second, and how many may come at once: more than all its people can click.
const RATE: NonZeroU32 = NonZeroU32::new(20).expect("more than nothing");
const BURST: NonZeroU32 = NonZeroU32::new(60).expect("more than nothing");

/// Why a command was not begun.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It cannot be understood, or nobody could carry it out as it is.
    #[error("{why}")]
    Invalid {
        /// Where: a JSON pointer.
        field: String,
        /// For people.
        why: String,
    },
    /// Who asks may not.
    #[error("{why}")]
    Forbidden {
        /// Where: a JSON pointer.
        field: String,
        /// For people.
        why: String,
    },
    /// The key was used for another command.
    #[error("the key `{0}` was used for another command: each command has a key of its own")]
    Clash(String),
    /// Too many at once.
    #[error("the tenant asks for too many commands at once")]
    TooMany,
    /// The source cannot take it at the moment.
    #[error("{0}")]
    NotNow(Failure),
    /// It could not be written down.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Carries commands out.
pub struct Commands {
    store: Store,
    reception: Arc<Reception>,
    connections: Arc<Connections>,
    rates: DefaultKeyedRateLimiter<String>,
    /// Those under way here, by tenant and key.
    running: Mutex<HashMap<(String, String), Arc<Running>>>,
    tasks: TaskTracker,
}

/// A command that is under way.
#[derive(Default)]
struct Running {
    /// Cancelled when it has ended.
    ended: CancellationToken,
    /// What came of it, where that is not written down.
    unkept: OnceLock<String>,
}

impl Commands {
    /// Over these sources.
    pub fn new(store: Store, reception: Arc<Reception>, connections: Arc<Connections>) -> Arc<Self> {
        let rates = DefaultKeyedRateLimiter::keyed(Quota::per_second(RATE).allow_burst(BURST));
        let (running, tasks) = (Mutex::default(), TaskTracker::new());
        Arc::new(Commands { store, reception, connections, rates, running, tasks })
    }

    /// Carries a command out, or says what became of it when it was asked before. Waits at most `patience` for its end:
    /// one that takes longer is `running`.
    pub async fn carry_out(
        self: &Arc<Self>,
        asker: &Asker,
        ask: Ask,
        patience: Duration,
    ) -> Result<CommandRow, CommandError> {
        form::check(&ask)?;
        let tenant = &asker.tenant.name;
        if self.rates.check_key(tenant).is_err() {
            return Err(CommandError::TooMany);
        }
        let request = json!({ "arguments": ask.arguments, "by": asker.name }).to_string();
        if let Some(row) = self.store.command(tenant, &ask.key).await? {
            let same = row.name == ask.name
                && row.request == request
                && ask.source.as_ref().is_none_or(|source| *source == row.source);
            return if same { self.settled(tenant, row, patience).await } else { Err(CommandError::Clash(ask.key)) };
        }
        let Place { entry, command } = self.place(asker, &ask).await?;
        self.ready(&entry).map_err(CommandError::NotNow)?;
        let row = match self.store.begin_command(tenant, &ask.key, &entry.name, &ask.name, &request).await? {
            Begun::New => {
                self.begin(entry, command, ask.key.clone());
                self.row(tenant, &ask.key).await?
            }
            Begun::Before(row) => row,
            Begun::Clash(_) => return Err(CommandError::Clash(ask.key)),
        };
        self.settled(tenant, row, patience).await
    }

    /// How a command stands; absent when there is none that this asker may see.
    pub async fn standing(&self, asker: &Asker, key: &str) -> Result<Option<CommandRow>, StoreError> {
        let row = self.store.command(&asker.tenant.name, key).await?;
        Ok(row.filter(|row| asker.sees_all() || asked_by(row).as_deref() == Some(&asker.name)))
    }

    /// Carries out what a component's endpoint wants. Nobody waits for it; what goes wrong is logged. Its keys are its
    /// own: they are never those of another component or of a person.
    pub fn carry_out_for(self: &Arc<Self>, entry: &Entry, wanted: Vec<Command>) {
        if wanted.is_empty() {
            return;
        }
        let asker = Asker { tenant: entry.tenant.clone(), name: format!("endpoint of {}", entry.name), desk: None };
        let (commands, by) = (self.clone(), entry.name.clone());
        self.tasks.spawn(async move {
            for Command { id, name, agent, arguments } in wanted {
                let tenant = &asker.tenant.name;
                let Ok(arguments) = serde_json::from_str(&arguments) else {
                    tracing::warn!(tenant, by, name, "a command was not begun: its arguments are no JSON object");
                    continue;
                };
                let ask = Ask { key: format!("{by}:{id}"), source: None, name: name.clone(), agent, arguments };
                match commands.carry_out(&asker, ask, perform::LONGEST).await {
                    Ok(row) if row.state == CommandState::Done || row.state == CommandState::Accepted => {}
                    Ok(row) => {
                        let answer = row.answer.unwrap_or_default();
                        tracing::warn!(
                            tenant,
                            by,
                            name,
                            state = row.state.word(),
                            answer,
                            "a command was not carried out"
                        );
                    }
                    Err(why) => tracing::warn!(tenant, by, name, "a command was not begun: {why}"),
                }
            }
        });
    }

    /// Lets what is under way be written down.
    pub async fn shut(&self, patience: Duration) {
        self.tasks.close();
        if tokio::time::timeout(patience, self.tasks.wait()).await.is_err() {
            tracing::warn!("some commands were still under way: what became of them is unknown");
        }
    }

    async fn row(&self, tenant: &str, key: &str) -> Result<CommandRow, StoreError> {
        self.store.command(tenant, key).await?.ok_or(StoreError::Missing("command"))
    }

    /// Waits for the end of a command that is under way here.
    async fn settled(&self, tenant: &str, row: CommandRow, patience: Duration) -> Result<CommandRow, CommandError> {
        if row.state != CommandState::Running {
            return Ok(row);
        }
        let running = self.running().get(&(tenant.to_owned(), row.key.clone())).cloned();
        if let Some(running) = &running {
            let _ = tokio::time::timeout(patience, running.ended.cancelled()).await;
        }
        let mut row = self.row(tenant, &row.key).await?;
        if let Some(answer) = running.as_ref().and_then(|running| running.unkept.get()) {
            row.answer = Some(answer.clone());
        }
        Ok(row)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who asked for a command.
fn asked_by(row: &CommandRow) -> Option<String> {
    let request: serde_json::Value = serde_json::from_str(&row.request).ok()?;
    request["by"].as_str().map(str::to_owned)
}
