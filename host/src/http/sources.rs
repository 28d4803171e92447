//! The sources of a tenant: how they stand, and what is read of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::{Caller, Supervisor};
use super::body::Members;
use super::problem::{Kind, Problem};
use super::query::{Names, Query};
use crate::intake::{self, ConnectionState, Entry, Wanted};
use crate::model::Instant;
use crate::store::{Job, JobRow, JobState, Progress};

/// Bytes of a kind of job, and of a session's id.
const WORD: usize = 255;

/// Bytes of what a job is given, as JSON.
const PARAMETERS: usize = 16 * 1024;

/// A source.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct SourceView {
    /// Its name.
    name: String,
    /// The component's word.
    component: String,
    /// Where its webhooks go, if it takes any.
    webhook: String,
    /// Further paths that are its own.
    paths: Vec<String>,
    /// How its connection stands, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionState>,
    /// When it last said something, since the hub knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    heard_at: Option<Instant>,
    /// Since when it says nothing although it should: see `silence` of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    silent_since: Option<Instant>,
}

/// The tenant's sources.
#[utoipa::path(get, path = "/v1/sources", tag = "hub",
    responses((status = 200, body = Vec<SourceView>), (status = "default", body = super::problem::Document)))]
pub(super) async fn list(State(api): State<Arc<Api>>, Supervisor(caller): Supervisor) -> Json<Vec<SourceView>> {
    let public = api.plan.load().hub.address();
    let tenant = &caller.tenant.name;
    let view = |source: &crate::config::Source| {
        let entry = api.reception.entry(tenant, &source.name);
        SourceView {
            name: source.name.clone(),
            component: source.component.clone(),
            webhook: format!("{public}/v1/hooks/{tenant}/{}", source.name),
            paths: source.paths.iter().map(|path| format!("{public}{path}")).collect(),
            connection: api.connections.state(tenant, &source.name),
            heard_at: entry.as_ref().and_then(|entry| entry.hearing.last()),
            silent_since: entry.as_ref().and_then(|entry| entry.hearing.silent()),
        }
    };
    Json(caller.tenant.sources.values().map(view).collect())
}

/// What is read of a source, or was.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct JobView {
    /// The source.
    source: String,
    /// The job's id.
    id: String,
    /// `sync`, `repair`, …: the component's word.
    kind: String,
    /// What it was given, as JSON, by whoever began it.
    parameters: String,
    /// The session that it reads through.
    session: Option<String>,
    /// `running`, `done`, `failed`.
    #[schema(value_type = String)]
    state: JobState,
    /// True while it waits for its session to be connected.
    held: bool,
    /// For each stage: `stage`, `rows` (what they are), `processed` (= `created` + `updated` + `errors`), `total`.
    #[schema(value_type = Vec<Object>)]
    progress: Vec<Progress>,
    /// Why the last try of a page failed.
    why: Option<String>,
    /// When the next page is due, while it runs.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Instant>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    started_at: Instant,
    /// When it last moved.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Instant,
}

impl From<JobRow> for JobView {
    fn from(row: JobRow) -> Self {
        let JobRow { source, job, state, progress, held, why, next_at, started_at, updated_at, .. } = row;
        let Job { id, kind, parameters, session, .. } = job;
        JobView { source, id, kind, parameters, session, state, held, progress, why, next_at, started_at, updated_at }
    }
}

/// What is read of a source, and what was, latest first.
#[utoipa::path(get, path = "/v1/sources/{source}/jobs", tag = "hub",
    params(("source" = String, Path, description = "The source")),
    responses((status = 200, body = Vec<JobView>), (status = "default", body = super::problem::Document)))]
pub(super) async fn jobs(
    State(api): State<Arc<Api>>,
    Supervisor(caller): Supervisor,
    source: Names<1>,
) -> Result<Json<Vec<JobView>>, Problem> {
    let Names([source]) = source;
    readable(&api, &caller, &source)?;
    let rows = api.store.jobs(&caller.tenant.name, Some(&source)).await?;
    Ok(Json(rows.into_iter().map(JobView::from).collect()))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The component's word for what is to be read; `sync` when absent.
    kind: Option<String>,
    /// The session to read; all of them when absent.
    session: Option<String>,
}

/// Reads a source now.
///
/// A job of this kind that runs already is answered with that one, which goes on at once if it was resting; where each
/// session has its own, all of them go on, and the first is the answer. A body gives the job parameters; such a job is
/// one of its own, and the same once more while it runs is the same job. How far it is:
/// `GET /v1/sources/{source}/jobs`, and `job.progress` on the live feed.
#[utoipa::path(post, path = "/v1/sources/{source}/sync", tag = "hub",
    params(("source" = String, Path, description = "The source"), Asked),
    request_body(content = Option<Object>, content_type = "application/json", description = "What the job is given, by \
        name: what there is for each kind stands under `x-jobs` in the schema of the component's settings, which \
        `cordboard components inspect` shows. `inbox-hub` takes `since` and `chat` for `repair`"),
    responses((status = 202, description = "The job", body = JobView),
        (status = "default", body = super::problem::Document)))]
pub(super) async fn sync(
    State(api): State<Arc<Api>>,
    Supervisor(caller): Supervisor,
    source: Names<1>,
    Query(asked): Query<Asked>,
    Members(parameters): Members,
) -> Result<Response, Problem> {
    let Names([source]) = source;
    let entry = readable(&api, &caller, &source)?;
    let wanted =
        Wanted { kind: asked.kind.as_deref().unwrap_or("sync"), session: asked.session.as_deref(), parameters };
    for (name, word) in [("kind", Some(wanted.kind)), ("session", wanted.session)] {
        if word.is_some_and(|word| word.is_empty() || word.len() > WORD || word.contains(char::is_control)) {
            let detail = format!("has from 1 to {WORD} bytes and no control characters");
            return Err(Problem::new(Kind::Malformed, detail).at(name));
        }
    }
    fits(&entry, &wanted)?;
    let row = intake::start(&entry, &api.store, &wanted).await?;
    let (tenant, who) = (&caller.tenant.name, &caller.name);
    tracing::info!(tenant, source, who, job = row.job.id, "reading was started by hand");
    let place = [(header::LOCATION, format!("/v1/sources/{source}/jobs"))];
    Ok((StatusCode::ACCEPTED, place, Json(JobView::from(row))).into_response())
}

/// Whether the component has such a job, and takes what it is given.
fn fits(entry: &Entry, wanted: &Wanted<'_>) -> Result<(), Problem> {
    let Wanted { kind, parameters, .. } = wanted;
    let component = entry.component.component().component();
    if let Some(kinds) = component.jobs().filter(|kinds| !kinds.contains(kind)) {
        let detail = format!("`{kind}` is no job of this source; there are: `{}`", kinds.join("`, `"));
        return Err(Problem::new(Kind::Invalid, detail).at("kind"));
    }
    let size = serde_json::to_vec(parameters).map_or(usize::MAX, |json| json.len());
    if size > PARAMETERS {
        let detail = format!("what a job is given has {size} bytes; {PARAMETERS} are the most");
        return Err(Problem::new(Kind::Invalid, detail));
    }
    match component.job_mistakes(kind, parameters).into_iter().next() {
        Some(mistake) => Err(Problem::new(Kind::Invalid, mistake.what).at(mistake.pointer)),
        None => Ok(()),
    }
}

/// A source that can be read.
fn readable(api: &Api, caller: &Caller, source: &str) -> Result<Arc<Entry>, Problem> {
    let known = caller.tenant.sources.contains_key(source);
    let entry = api.reception.entry(&caller.tenant.name, source).filter(|_| known);
    let entry = entry.ok_or_else(|| Problem::missing("source"))?;
    if !intake::can_be_read(&entry) {
        return Err(Problem::new(Kind::Invalid, format!("the source `{source}` only tells; there is nothing to read")));
    }
    Ok(entry)
}
