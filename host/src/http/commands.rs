//! Commands over HTTP: what is asked of a source, and how it stands.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Api;
use super::auth::Caller;
use super::body::Json as Body;
use super::problem::{Kind, Problem};
use super::query::Names;
use crate::commands::{Ask, Asker, CommandError};
use crate::components::contract::Failure;
use crate::config::Role;
use crate::model::Instant;
use crate::store::{CommandRow, CommandState};

/// A request waits so long for the end of its command; then it is told that the command is under way.
const PATIENCE: Duration = Duration::from_secs(10);

/// The header that carries a command's key.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Something to be done by a source.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The command's key, when it does not stand in the header `Idempotency-Key`. The same key with the same command is
    /// the same command. Made up when absent.
    #[schema(max_length = 200)]
    pub(super) id: Option<String>,
    /// The source; needed only when several could do it.
    source: Option<String>,
    /// `call.originate`, `call.redirect`, `call.transfer`, `call.hangup`, `call.mute`, `call.hold`, `message.send`, ….
    name: String,
    /// What the command needs: `from` and `to` for `call.originate`, `call` for what is about a call, ….
    #[serde(default)]
    #[schema(value_type = Object)]
    arguments: Map<String, Value>,
}

impl Asked {
    /// With a key, whoever chose it.
    pub(super) fn ask(self) -> Ask {
        let Asked { id, source, name, arguments } = self;
        let key = id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
        Ask { key, source, name, agent: None, arguments }
    }
}

/// How a command stands.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CommandView {
    /// Its key.
    id: String,
    /// The source.
    source: String,
    /// What was asked.
    name: String,
    /// `running`, `done`, `accepted`, `failed`, or `unknown`: it may have happened or not, and is not repeated.
    #[schema(value_type = String)]
    state: CommandState,
    /// `subject`: the id of the call in which the end will be seen. `result`: what came of it. `why`, `failure`, `code`:
    /// what went wrong, in the words of the outside system.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    answer: Map<String, Value>,
    /// When it was asked.
    #[schema(value_type = String, format = DateTime)]
    asked_at: Instant,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Instant,
}

impl From<CommandRow> for CommandView {
    fn from(row: CommandRow) -> Self {
        let answer = row.answer.as_deref().and_then(|answer| serde_json::from_str(answer).ok());
        let mut answer: Map<String, Value> = answer.unwrap_or_default();
        answer.retain(|_, value| !value.is_null());
        let CommandRow { key: id, source, name, state, asked_at, updated_at, .. } = row;
        CommandView { id, source, name, state, answer, asked_at, updated_at }
    }
}

impl CommandView {
    fn word(&self, name: &str) -> &str {
        self.answer.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A command that failed, as a problem.
    fn problem(&self) -> Problem {
        let (why, source) = (self.word("why"), &self.source);
        match self.word("failure") {
            "retryable" | "rate-limited" => Problem::new(Kind::Unavailable, why).after(Duration::from_secs(5)),
            "rejected" => Problem::new(Kind::Refused, why),
            _ => Problem::new(Kind::Outside, format!("the source `{source}` cannot do it: {why}")),
        }
    }
}

/// Asks a source to do something.
///
/// Answered when it is done, accepted (`subject` is the call in which the end will be seen) or unknown (it may have
/// happened or not). What the outside system refuses is a problem with its own words. With the same `Idempotency-Key`
/// nothing is done twice: the answer comes from what was written down. An agent acts from its own extensions, and on
/// calls that ring or are talked on there.
#[utoipa::path(post, path = "/v1/commands", tag = "commands", request_body = Asked,
    params(("Idempotency-Key" = Option<String>, Header, description = "The command's key")),
    responses((status = 200, description = "It has ended", body = CommandView),
        (status = 202, description = "It is under way; `Location` says where to look", body = CommandView),
        (status = "default", body = super::problem::Document)))]
pub(super) async fn ask(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Body(mut asked): Body<Asked>,
) -> Result<Response, Problem> {
    if let Some(key) = headers.get(KEY) {
        let key = key.to_str().map_err(|_| Problem::new(Kind::Malformed, "the key is not ASCII").at(KEY.as_str()))?;
        if asked.id.as_ref().is_some_and(|id| id != key) {
            let detail = "the header and the body's `id` are two different keys";
            return Err(Problem::new(Kind::Malformed, detail).at(KEY.as_str()));
        }
        asked.id = Some(key.to_owned());
    }
    let view = carry_out(&api, &caller, asked.ask(), PATIENCE).await?;
    match view.state {
        CommandState::Failed => Err(view.problem()),
        CommandState::Running => {
            // A key may hold anything that can be seen.
            let key = percent_encoding::utf8_percent_encode(&view.id, percent_encoding::NON_ALPHANUMERIC);
            let place = [(header::LOCATION, format!("/v1/commands/{key}"))];
            Ok((StatusCode::ACCEPTED, place, Json(view)).into_response())
        }
        CommandState::Done | CommandState::Accepted | CommandState::Unknown => Ok(Json(view).into_response()),
    }
}

/// How a command stands.
///
/// An agent sees its own.
#[utoipa::path(get, path = "/v1/commands/{id}", tag = "commands",
    params(("id" = String, Path, description = "The command's key")),
    responses((status = 200, body = CommandView), (status = "default", body = super::problem::Document)))]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    caller: Caller,
    key: Names<1>,
) -> Result<Json<CommandView>, Problem> {
    let Names([key]) = key;
    let row = api.commands.standing(&asker(&caller), &key).await?;
    row.map(|row| Json(row.into())).ok_or_else(|| Problem::missing("command"))
}

/// Carries a command out for whoever asks, over whatever it is asked.
pub(super) async fn carry_out(
    api: &Api,
    caller: &Caller,
    ask: Ask,
    patience: Duration,
) -> Result<CommandView, Problem> {
    Ok(api.commands.carry_out(&asker(caller), ask, patience).await?.into())
}

fn asker(caller: &Caller) -> Asker {
    let desk = (caller.role == Role::Agent).then(|| caller.extensions.clone());
    Asker { tenant: caller.tenant.clone(), name: caller.name.clone(), desk }
}

impl From<CommandError> for Problem {
    fn from(why: CommandError) -> Self {
        let detail = why.to_string();
        match why {
            CommandError::Invalid { field, .. } => Problem::new(Kind::Invalid, detail).at(field),
            CommandError::Forbidden { field, .. } => Problem::new(Kind::Forbidden, detail).at(field),
            CommandError::Clash(_) => Problem::new(Kind::Clash, detail),
            CommandError::TooMany => Problem::new(Kind::TooMany, detail).after(Duration::from_secs(1)),
            CommandError::NotNow(Failure::RateLimited { .. }) => {
                Problem::new(Kind::TooMany, detail).after(Duration::from_secs(1))
            }
            CommandError::NotNow(_) => Problem::new(Kind::Unavailable, detail).after(Duration::from_secs(5)),
            CommandError::Store(why) => why.into(),
        }
    }
}
