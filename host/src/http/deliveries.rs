//! Deliveries: listed, read with their attempts, tried again.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Supervisor;
use super::problem::{Kind, Problem};
use super::query::{Id, Query, limit};
use crate::model::Instant;
use crate::store::{AttemptRow, Delivery, DeliveryFilter, Lane, Page, State as Standing};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// To this sink.
    sink: Option<String>,
    /// `due`, `done`, `parked`, `stale`, `joined`.
    #[param(value_type = Option<String>)]
    state: Option<Standing>,
    /// Of this record.
    record: Option<i64>,
    /// Changed not before.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Instant>,
    /// What the page before gave as `next`.
    after: Option<String>,
    /// At most so many.
    limit: Option<u32>,
}

/// Some of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct DeliveryPage {
    #[schema(value_type = Vec<Object>)]
    items: Vec<Delivery>,
    /// To be given as `after` for what follows; absent at the end.
    next: Option<String>,
}

/// Deliveries, latest first.
#[utoipa::path(get, path = "/v1/deliveries", tag = "deliveries", params(Asked),
    responses((status = 200, body = DeliveryPage), (status = "default", body = super::problem::Document)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    Supervisor(caller): Supervisor,
    Query(asked): Query<Asked>,
) -> Result<Json<DeliveryPage>, Problem> {
    let limit = limit(asked.limit)?;
    let Asked { sink, state, record, since, after, .. } = asked;
    let filter = DeliveryFilter { sink, state, record, since, id: None };
    let Page { items, next } = api.store.deliveries(&caller.tenant.name, &filter, after.as_deref(), limit).await?;
    Ok(Json(DeliveryPage { items, next }))
}

/// A delivery with its attempts, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Whole {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    delivery: Delivery,
    /// Each with the requests that were made and what came back.
    #[schema(value_type = Vec<Object>)]
    tries: Vec<AttemptRow>,
}

/// One delivery, with its attempts and their exchanges.
#[utoipa::path(get, path = "/v1/deliveries/{id}", tag = "deliveries", params(("id" = i64, Path,)),
    responses((status = 200, body = Whole), (status = "default", body = super::problem::Document)))]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Supervisor(caller): Supervisor,
    Id(id): Id,
) -> Result<Json<Whole>, Problem> {
    let found = api.store.delivery(&caller.tenant.name, id).await?;
    let (delivery, tries) = found.ok_or_else(|| Problem::missing("delivery"))?;
    Ok(Json(Whole { delivery, tries }))
}

/// What became due again.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Retried {
    /// How many deliveries.
    retried: u64,
}

/// Tries one delivery again, now.
#[utoipa::path(post, path = "/v1/deliveries/{id}/retry", tag = "deliveries", params(("id" = i64, Path,)),
    responses((status = 200, body = Retried), (status = "default", body = super::problem::Document)))]
pub(super) async fn retry(
    State(api): State<Arc<Api>>,
    Supervisor(caller): Supervisor,
    Id(id): Id,
) -> Result<Json<Retried>, Problem> {
    let found = api.store.delivery(&caller.tenant.name, id).await?;
    let (delivery, _) = found.ok_or_else(|| Problem::missing("delivery"))?;
    let filter = DeliveryFilter { id: Some(id), ..DeliveryFilter::default() };
    let retried = api.store.retry(&caller.tenant.name, &filter).await?;
    if retried == 0 {
        let detail = format!(
            "it is {}: only what is parked or waits for its next try can be tried again",
            delivery.state.word()
        );
        return Err(Problem::new(Kind::Invalid, detail));
    }
    api.lanes.resume(&Lane { tenant: caller.tenant.name.clone(), sink: delivery.sink });
    Ok(Json(Retried { retried }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// To this sink.
    sink: Option<String>,
    /// `parked`, `due`, `stale`, `done`; what is parked or due when absent.
    #[param(value_type = Option<String>)]
    state: Option<Standing>,
    /// Of this record.
    record: Option<i64>,
    /// Changed not before.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Instant>,
}

/// Tries deliveries again, now.
///
/// At least one of sink, state, record and since must be said.
#[utoipa::path(post, path = "/v1/deliveries/retry", tag = "deliveries", params(Which),
    responses((status = 200, body = Retried), (status = "default", body = super::problem::Document)))]
pub(super) async fn retry_many(
    State(api): State<Arc<Api>>,
    Supervisor(caller): Supervisor,
    Query(which): Query<Which>,
) -> Result<Json<Retried>, Problem> {
    let Which { sink, state, record, since } = which;
    if sink.is_none() && state.is_none() && record.is_none() && since.is_none() {
        return Err(Problem::new(Kind::Malformed, "say which ones: sink, state, record or since"));
    }
    if let Some(unknown) = sink.as_ref().filter(|sink| !caller.tenant.sinks.contains_key(*sink)) {
        return Err(
            Problem::new(Kind::Malformed, format!("there is no sink `{}`", unknown.escape_default())).at("sink")
        );
    }
    let lanes: BTreeSet<_> = sink.as_ref().map_or_else(|| caller.tenant.sinks.keys().collect(), |sink| [sink].into());
    let filter = DeliveryFilter { sink: sink.clone(), state, record, since, id: None };
    let retried = api.store.retry(&caller.tenant.name, &filter).await?;
    if retried > 0 {
        for sink in lanes {
            api.lanes.resume(&Lane { tenant: caller.tenant.name.clone(), sink: sink.clone() });
        }
    }
    Ok(Json(Retried { retried }))
}
