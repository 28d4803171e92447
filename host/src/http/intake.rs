//! What came in: listed, read raw, decoded again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::{Admin, Caller, Supervisor};
use super::problem::{Kind, Problem};
use super::query::{Id, Query, limit};
use crate::intake::IntakeError;
use crate::model::Instant;
use crate::store::{IntakeFilter, IntakeRow, Page};

/// Rows that one request replays at most.
const AT_ONCE: u32 = 500;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// `accepted`, `ignored`, `refused`.
    verdict: Option<String>,
    /// Of this source.
    source: Option<String>,
    /// Not before.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Instant>,
    /// Before.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Instant>,
    /// What the page before gave as `next`.
    after: Option<String>,
    /// At most so many.
    limit: Option<u32>,
}

/// Some of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct IntakePage {
    #[schema(value_type = Vec<Object>)]
    items: Vec<IntakeRow>,
    /// To be given as `after` for what follows; absent at the end.
    next: Option<String>,
}

/// What came in, newest first.
#[utoipa::path(get, path = "/v1/intake", tag = "intake", params(Asked),
    responses((status = 200, body = IntakePage), (status = "default", body = super::problem::Document)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Supervisor(caller): Supervisor,
    Query(asked): Query<Asked>,
) -> Result<Json<IntakePage>, Problem> {
    let limit = limit(asked.limit)?;
    let Asked { verdict, source, from, to, after, .. } = asked;
    let filter = IntakeFilter { verdict: known(verdict, "verdict")?, source, from, to };
    let Page { items, next } = api.store.intake(&caller.tenant.name, &filter, after.as_deref(), limit).await?;
    Ok(Json(IntakePage { items, next }))
}

fn known(verdict: Option<String>, field: &str) -> Result<Option<String>, Problem> {
    match verdict.as_deref() {
        None | Some("accepted" | "ignored" | "refused") => Ok(verdict),
        Some(_) => Err(Problem::new(Kind::Malformed, "must be one of: accepted, ignored, refused").at(field)),
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Form {
    /// The body alone, as it came.
    #[serde(default)]
    raw: bool,
}

/// One request as it came.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Whole {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    row: IntakeRow,
    /// Secrets taken out.
    headers: Vec<(String, String)>,
    /// The body, when it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The body in base64, when it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

/// One request as it came.
#[utoipa::path(get, path = "/v1/intake/{id}", tag = "intake", params(("id" = i64, Path,), Form),
    responses((status = 200, body = Whole), (status = "default", body = super::problem::Document)))]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Supervisor(caller): Supervisor,
    Id(id): Id,
    Query(form): Query<Form>,
) -> Result<Response, Problem> {
    let found = api.store.raw(&caller.tenant.name, id).await?;
    let (row, raw) = found.ok_or_else(|| Problem::missing("intake"))?;
    if form.raw {
        // A stranger chose these bytes: a browser is not to make a page of them.
        let kind = [(header::CONTENT_TYPE, "application/octet-stream"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
        return Ok((kind, raw.body).into_response());
    }
    let (text, base64) = match String::from_utf8(raw.body) {
        Ok(text) => (Some(text), None),
        Err(odd) => (None, Some(STANDARD.encode(odd.as_bytes()))),
    };
    Ok(Json(Whole { row, headers: raw.headers, text, base64 }).into_response())
}

/// Decodes one request again.
///
/// For admins: after a component or its settings were mended.
#[utoipa::path(post, path = "/v1/intake/{id}/replay", tag = "intake", params(("id" = i64, Path,)),
    responses((status = 200, description = "The row, with its verdict as it is now", body = Object),
        (status = "default", body = super::problem::Document)))]
pub(super) async fn replay(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Id(id): Id,
) -> Result<Json<IntakeRow>, Problem> {
    match api.reception.replay(&caller.tenant.name, id).await {
        Ok(_) | Err(IntakeError::Refused(_)) => {}
        Err(why) => return Err(why.into()),
    }
    let found = api.store.raw(&caller.tenant.name, id).await?;
    found.map(|(row, _)| Json(row)).ok_or_else(|| Problem::missing("intake"))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// `refused` when absent.
    verdict: Option<String>,
    /// Of this source.
    source: Option<String>,
    /// Not before.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Instant>,
    /// Before.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Instant>,
    /// Where the request before stopped.
    after: Option<String>,
}

/// What became of requests that were decoded again.
#[derive(Default, Serialize, utoipa::ToSchema)]
pub(super) struct Replayed {
    /// Taken now, or of no interest.
    accepted: u64,
    /// Refused again.
    refused: u64,
    /// Could not be decoded again: their source is gone, or its component failed.
    failed: u64,
    /// To be given as `after` to go on; absent when all were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Decodes requests again, newest first, at most 500 at once.
#[utoipa::path(post, path = "/v1/intake/replay", tag = "intake", params(Which),
    responses((status = 200, body = Replayed), (status = "default", body = super::problem::Document)))]
pub(super) async fn replay_many(
    State(api): State<Arc<Api>>,
    Admin(caller): Admin,
    Query(which): Query<Which>,
) -> Result<Json<Replayed>, Problem> {
    let Which { verdict, source, from, to, after } = which;
    let verdict = known(verdict, "verdict")?.or_else(|| Some("refused".to_owned()));
    let filter = IntakeFilter { verdict, source, from, to };
    let page = api.store.intake(&caller.tenant.name, &filter, after.as_deref(), AT_ONCE).await?;
    let mut replayed = Replayed { next: page.next, ..Replayed::default() };
    for row in page.items {
        replay_one(&api, &caller, row.id, &mut replayed).await?;
    }
    Ok(Json(replayed))
}

async fn replay_one(api: &Api, caller: &Caller, id: i64, replayed: &mut Replayed) -> Result<(), Problem> {
    match api.reception.replay(&caller.tenant.name, id).await {
        Ok(_) => replayed.accepted += 1,
        Err(IntakeError::Refused(_)) => replayed.refused += 1,
        Err(IntakeError::Unknown | IntakeError::NotReplayable | IntakeError::Fault(_)) => replayed.failed += 1,
        Err(why) => return Err(why.into()),
    }
    Ok(())
}
