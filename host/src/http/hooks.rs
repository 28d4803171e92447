//! Webhooks in: committed before they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant as Clock;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header, request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::problem::{Kind, Problem};
use super::query::Names;
use super::{Api, body, client, endpoints, route};
use crate::components::contract::{self, Refusal};
use crate::config::{Claim, Claimed};
use crate::intake::IntakeError;
use crate::model::Instant;

/// A webhook of a source.
///
/// Whoever sends it is known by its signature, as the source's settings say. It is in the ledger before the answer is
/// sent. What is signed well and not understood is answered with 422 and kept, to be replayed. A tenant's file can
/// claim further paths for a source.
#[utoipa::path(post, path = "/v1/hooks/{tenant}/{source}", tag = "webhooks", security(()),
    params(("tenant" = String, Path,), ("source" = String, Path,)),
    request_body(content = String, content_type = "*/*", description = "As the source's component wants it"),
    responses((status = 200, description = "In the ledger, or of no interest"),
        (status = 401, description = "The signature is missing or wrong; nothing is stored", body = super::problem::Document),
        (status = 403, description = "Not from this address, or another tenant's", body = super::problem::Document),
        (status = 404, description = "Unknown tenant or source", body = super::problem::Document),
        (status = 413, description = "The body is too large", body = super::problem::Document),
        (status = 422, description = "Signed well, but not to be understood; `field` says where", body = super::problem::Document),
        (status = 503, description = "Nothing was taken; `Retry-After` says when to try again", body = super::problem::Document)))]
pub(super) async fn hook(State(api): State<Arc<Api>>, names: Names<2>, request: Request) -> Result<Response, Problem> {
    let Names([tenant, source]) = names;
    receive(&api, &tenant, &source, request).await
}

/// The port on which a request came, when it is not the hub's own.
#[derive(Clone, Copy)]
pub(super) struct Door(pub(super) Option<SocketAddr>);

/// What is under none of the hub's own paths: a path that somebody claims, or nothing.
pub(super) async fn elsewhere(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Problem> {
    let plan = api.plan.load_full();
    let door = request.extensions().get::<Door>().and_then(|door| door.0);
    let Some(Claim { tenant, of }) = plan.claimed(door, request.uri().path()) else {
        return Err(Problem::new(Kind::NotFound, "there is nothing under this path; `/docs` says what there is"));
    };
    match of {
        Claimed::Source(_) if request.method() != Method::POST => {
            let allow = Some(HeaderValue::from_static("POST"));
            Err(Problem::new(Kind::Method, "a webhook is posted").allow(allow))
        }
        Claimed::Source(source) => receive(&api, tenant, source, request).await,
        Claimed::Sink(sink) => endpoints::answer(&api, tenant, sink, request).await,
        Claimed::Routing => Ok(route::claimed(api.clone(), tenant, request).await),
    }
}

/// Whether a dialplan asks there where a caller should go: it dials whatever it is answered.
pub(super) fn is_dialplan(api: &Api, door: Option<SocketAddr>, path: &str) -> bool {
    let is_claimed = || api.plan.load().claimed(door, path).is_some_and(|claim| claim.of == Claimed::Routing);
    path.starts_with("/v1/route/") || is_claimed()
}

async fn receive(api: &Api, tenant: &str, source: &str, request: Request) -> Result<Response, Problem> {
    let meters = &api.meters;
    // Nothing is read for those that are not there.
    if api.reception.entry(tenant, source).is_none() {
        meters.unknown.increment(1);
        return Err(IntakeError::Unknown.into());
    }
    let limit = api.plan.load().hub.limits.body;
    let (head, body) = request.into_parts();
    client::admit(api, tenant, source, &head).inspect_err(|_| meters.refused.increment(1))?;
    let body = body::read(body, limit).await.inspect_err(|_| meters.refused.increment(1))?;
    let began = Clock::now();
    let received = api.reception.receive(tenant, source, outside(&head, body)).await;
    meters.webhook.record(began.elapsed().as_secs_f64());
    let meter = match &received {
        Ok(_) => &meters.accepted,
        Err(IntakeError::Unknown | IntakeError::NotReplayable) => &meters.unknown,
        Err(IntakeError::Refused(Refusal::Unauthenticated(_))) => &meters.unauthenticated,
        Err(IntakeError::Refused(_)) => &meters.refused,
        Err(IntakeError::Fault(_) | IntakeError::Store(_)) => &meters.failed,
    };
    meter.increment(1);
    Ok(answer(received?.reply))
}

/// A request as a component sees it.
pub(super) fn outside(head: &request::Parts, body: Bytes) -> contract::Request {
    let headers = head.headers.iter();
    contract::Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect(),
        body,
        received_at: Instant::now(),
    }
}

/// A component's answer. What concerns the connection is the hub's, not the component's; a header that is none is left
/// out.
pub(super) fn answer(reply: contract::Response) -> Response {
    let hub_owns = [
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::DATE,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let status = StatusCode::from_u16(reply.status).ok().filter(|status| (200..600).contains(&status.as_u16()));
    let mut response = (status.unwrap_or(StatusCode::BAD_GATEWAY), reply.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    for (name, value) in reply.headers {
        let header = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_bytes(&value).ok());
        if let Some((name, value)) = header.filter(|(name, _)| !hub_owns.contains(name)) {
            response.headers_mut().append(name, value);
        }
    }
    response
}
