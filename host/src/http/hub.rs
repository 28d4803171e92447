//! The hub itself: what runs in it, and whether it does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract;
use serde::Serialize;
use serde_json::{Value, json};

use super::Api;
use super::auth::Supervisor;
use super::problem::{Kind, Problem};
use crate::components::Status;
use crate::delivery::State;
use crate::model::Instant;

/// What this is.
#[utoipa::path(get, path = "/", tag = "hub", security(()), responses((status = 200, body = Object)))]
pub(super) async fn root() -> Json<Value> {
    Json(json!({
        "name": "cordboard",
        "version": env!("CARGO_PKG_VERSION"),
        "what": "a communications hub: calls and messages in, CRMs made to agree with them",
        "documentation": "/docs",
        "openapi": "/openapi.json",
    }))
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", tag = "hub", security(()), responses((status = 200, body = Object)))]
pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether the hub takes anything in.
#[utoipa::path(get, path = "/readyz", tag = "hub", security(()),
    responses((status = 200, body = Object),
        (status = 503, description = "The store does not answer, or the hub is stopping", body = super::problem::Document)))]
pub(super) async fn ready(extract::State(api): extract::State<Arc<Api>>) -> Result<Json<Value>, Problem> {
    let not = |why: String| Problem::new(Kind::Unavailable, why).after(Duration::from_secs(5));
    if api.stopping.is_cancelled() {
        return Err(not("the hub is stopping".to_owned()));
    }
    match tokio::time::timeout(Duration::from_secs(2), api.store.ping()).await {
        Ok(Ok(())) => Ok(Json(json!({ "status": "ready" }))),
        // What the database says of itself is for the log, not for whoever can reach the hub.
        Ok(Err(why)) => {
            tracing::warn!(%why, "not ready");
            Err(not("the store does not answer".to_owned()))
        }
        Err(_) => Err(not("the store did not answer within 2 s".to_owned())),
    }
}

/// The components folder.
#[utoipa::path(get, path = "/v1/components", tag = "hub",
    responses((status = 200, body = Vec<Status>), (status = "default", body = super::problem::Document)))]
pub(super) async fn components(extract::State(api): extract::State<Arc<Api>>, _: Supervisor) -> Json<Vec<Status>> {
    Json(api.library.status())
}

/// A lane.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Lane {
    #[serde(flatten)]
    standing: State,
    /// How many are due.
    due: u64,
    /// How many wait for a person.
    parked: u64,
    /// How many were past their moment.
    stale: u64,
    /// How many agree.
    done: u64,
    /// Since when the longest owed one is owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_due: Option<Instant>,
}

/// The tenant's lanes.
#[utoipa::path(get, path = "/v1/lanes", tag = "deliveries",
    responses((status = 200, body = Vec<Lane>), (status = "default", body = super::problem::Document)))]
pub(super) async fn lanes(
    extract::State(api): extract::State<Arc<Api>>,
    Supervisor(caller): Supervisor,
) -> Result<Json<Vec<Lane>>, Problem> {
    let tenant = &caller.tenant;
    let counted = api.store.lanes(Some(&tenant.name)).await?;
    let states = api.lanes.states(&tenant.name);
    let names: BTreeSet<&String> = tenant.sinks.keys().chain(counted.iter().map(|lane| &lane.lane.sink)).collect();
    let lane = |sink: &String| {
        let count = counted.iter().find(|lane| lane.lane.sink == *sink);
        let standing = states.iter().find(|lane| lane.sink == *sink).cloned();
        let stopped = || State {
            sink: sink.clone(),
            tenant: tenant.name.clone(),
            state: "stopped",
            why: Some("no such sink is configured".to_owned()),
            advice: Vec::new(),
            running: 0,
            until: None,
        };
        Lane {
            standing: standing.unwrap_or_else(stopped),
            due: count.map_or(0, |lane| lane.due),
            parked: count.map_or(0, |lane| lane.parked),
            stale: count.map_or(0, |lane| lane.stale),
            done: count.map_or(0, |lane| lane.done),
            oldest_due: count.and_then(|lane| lane.oldest_due),
        }
    };
    Ok(Json(names.into_iter().map(lane).collect()))
}
