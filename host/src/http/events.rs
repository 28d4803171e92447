//! The feed for those who ask now and then instead of listening.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::problem::Problem;
use super::query::{Query, limit, words};
use crate::live::Subscription;
use crate::model::Event;
use crate::store::EventFilter;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// The number of the last event that you have; 0 for the oldest that is kept.
    #[serde(default)]
    since: u64,
    /// Types, with commas between them: `call.ended`, `call.*`.
    types: Option<String>,
    /// Extensions, with commas between them.
    agents: Option<String>,
    /// Sources, with commas between them.
    sources: Option<String>,
    /// The hub's id of one record.
    record: Option<i64>,
    /// The id of one subject at its source.
    subject: Option<String>,
    /// Events that are looked at, at most.
    limit: Option<u32>,
}

/// Events, oldest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Events {
    /// Those that were asked for.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Arc<Event>>,
    /// To be given as `since` for what follows.
    next: u64,
    /// There may be more at once.
    more: bool,
    /// The number of the newest event.
    last: u64,
}

/// Events after a number.
///
/// An agent gets those that concern its own extensions.
#[utoipa::path(get, path = "/v1/events", tag = "live", params(Asked),
    responses((status = 200, body = Events), (status = "default", body = super::problem::Document)))]
pub(super) async fn events(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(asked): Query<Asked>,
) -> Result<Json<Events>, Problem> {
    let limit = limit(asked.limit)?;
    let wanted = Subscription {
        types: words(asked.types.as_deref()),
        agents: words(asked.agents.as_deref()),
        sources: words(asked.sources.as_deref()),
        record: asked.record,
        subject: asked.subject,
    };
    let filter = EventFilter { record: wanted.record, ..EventFilter::default() };
    let mut page = api.store.events_since(&caller.tenant.name, asked.since, limit, &filter).await?;
    let sight = caller.sight();
    page.events.retain(|event| sight.sees(&event.about.item) && wanted.admits(event, &event.kind));
    let last = api.store.last_seq(&caller.tenant.name).await?;
    Ok(Json(Events { events: page.events, next: page.next, more: page.more, last }))
}
