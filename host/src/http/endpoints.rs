//! Requests of outside systems to components: widgets, click-to-call, CRM webhooks.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use super::problem::{Kind, Problem};
use super::query::Names;
use super::{Api, body, hooks};

/// The endpoint of a source or a sink.
///
/// Who asks is for the component to find out. Any method, any path behind the name.
#[utoipa::path(method(get, post, put, patch, delete), path = "/v1/endpoints/{tenant}/{name}/{*path}", tag = "webhooks",
    security(()),
    params(("tenant" = String, Path,), ("name" = String, Path, description = "The source or the sink"),
        ("path" = String, Path,)),
    responses((status = 200, description = "What the component answers"),
        (status = "default", body = super::problem::Document)))]
pub(super) async fn endpoint(
    State(api): State<Arc<Api>>,
    names: Names<2>,
    request: Request,
) -> Result<Response, Problem> {
    let Names([tenant, name]) = names;
    if api.reception.entry(&tenant, &name).is_none() {
        return Err(Problem::new(Kind::NotFound, "there is no such endpoint"));
    }
    let limit = api.plan.load().hub.limits.body;
    let (head, body) = request.into_parts();
    let body = body::read(body, limit).await?;
    let answered = api.reception.endpoint(&tenant, &name, hooks::outside(&head, body)).await?;
    api.commands.carry_out_for(&answered.entry, answered.commands);
    Ok(hooks::answer(answered.response))
}
