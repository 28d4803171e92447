//! Commands: what was done once under a key is not done twice.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::db::{Row, args};
use super::{Result, Store, span};
use crate::model::Instant;

/// How a command stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommandState {
    /// Under way.
    Running,
    /// Carried out.
    Done,
    /// Taken on by the source; its end will be seen in observations.
    Accepted,
    /// Refused or failed.
    Failed,
    /// It may or may not have happened.
    Unknown,
}

/// A command, as kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CommandRow {
    /// Chosen by whoever asked.
    pub key: String,
    /// The source.
    pub source: String,
    /// `call.originate`, ….
    pub name: String,
    /// What was asked, as JSON.
    pub request: String,
    /// How it stands.
    pub state: CommandState,
    /// What came of it, as JSON.
    pub answer: Option<String>,
    /// When it was asked.
    pub asked_at: Instant,
    /// When it last changed.
    pub updated_at: Instant,
}

/// What `begin_command` found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// New: carry it out.
    New,
    /// Asked before, with the same request.
    Before(CommandRow),
    /// The key was used for another request.
    Clash(CommandRow),
}

/// The answer of a command whose hub died.
const ABANDONED: &str = r#"{"why":"the hub stopped before an answer came"}"#;

impl CommandState {
    const ALL: [CommandState; 5] = [
        CommandState::Running,
        CommandState::Done,
        CommandState::Accepted,
        CommandState::Failed,
        CommandState::Unknown,
    ];

    /// The word for it, as in tables and the API.
    pub fn word(self) -> &'static str {
        match self {
            CommandState::Running => "running",
            CommandState::Done => "done",
            CommandState::Accepted => "accepted",
            CommandState::Failed => "failed",
            CommandState::Unknown => "unknown",
        }
    }
}

impl std::str::FromStr for CommandState {
    type Err = String;

    fn from_str(word: &str) -> std::result::Result<Self, String> {
        CommandState::ALL
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| format!("`{word}` is not a state of a command"))
    }
}

fn read(row: &Row) -> Result<CommandRow> {
    Ok(CommandRow {
        key: row.text(0)?,
        source: row.text(1)?,
        name: row.text(2)?,
        request: row.text(3)?,
        state: row.word(4)?,
        answer: row.opt_text(5)?,
        asked_at: row.instant(6)?,
        updated_at: row.instant(7)?,
    })
}

impl Store {
    /// Notes that a command is about to be carried out, unless one was asked before under this key.
    pub async fn begin_command(
        &self,
        tenant: &str,
        key: &str,
        source: &str,
        name: &str,
        request: &str,
    ) -> Result<Begun> {
        let clock = self.db().clock();
        let sql = format!(
            "insert into command (tenant, key, source, name, request, state, asked_at, updated_at)
             values ($1, $2, $3, $4, $5, 'running', $6, {clock}) on conflict (tenant, key) do nothing"
        );
        loop {
            let values = args![tenant, key, source, name, request, Instant::now()];
            if self.db().execute(sql.clone(), values).await? > 0 {
                return Ok(Begun::New);
            }
            // Swept away between the two statements, it is noted after all.
            let Some(row) = self.command(tenant, key).await? else { continue };
            let same = row.source == source && row.name == name && row.request == request;
            return Ok(if same { Begun::Before(row) } else { Begun::Clash(row) });
        }
    }

    /// Notes how a command ended; what has ended already stays as it is.
    pub async fn end_command(&self, tenant: &str, key: &str, state: CommandState, answer: Option<&str>) -> Result<()> {
        let clock = self.db().clock();
        let sql = format!(
            "update command set state = $3, answer = $4, updated_at = {clock}
             where tenant = $1 and key = $2 and state = 'running'"
        );
        self.db().execute(sql, args![tenant, key, state.word(), answer]).await.map(drop)
    }

    /// A command by its key.
    pub async fn command(&self, tenant: &str, key: &str) -> Result<Option<CommandRow>> {
        let sql = "select key, source, name, request, state, answer, asked_at, updated_at from command
             where tenant = $1 and key = $2";
        self.db().fetch(sql, args![tenant, key]).await?.first().map(read).transpose()
    }

    /// Says that a command is still being carried out.
    pub async fn hold_command(&self, tenant: &str, key: &str) -> Result<()> {
        let clock = self.db().clock();
        let sql =
            format!("update command set updated_at = {clock} where tenant = $1 and key = $2 and state = 'running'");
        self.db().execute(sql, args![tenant, key]).await.map(drop)
    }

    /// Commands of which nobody has said for so long that they are being carried out: whoever did has died, and whether
    /// they happened is unknown. Answers how many there were.
    pub async fn abandon_commands(&self, silence: Duration) -> Result<u64> {
        let clock = self.db().clock();
        let sql = format!(
            "update command set state = 'unknown', answer = $2, updated_at = {clock}
             where state = 'running' and updated_at <= {clock} - $1"
        );
        self.db().execute(sql, args![span(silence), ABANDONED]).await
    }
}
