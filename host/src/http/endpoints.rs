//! Requests of outside systems to components: widgets, click-to-call, CRM webhooks.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header, request};
use axum::response::Response;

use super::problem::{Kind, Problem};
use super::query::Names;
use super::{Api, body, client, hooks, recordings};
use crate::components::contract::{self, Sent, Sound, Wait};
use crate::model::Instant;
use crate::recordings::Unserved;

/// The longest poll, from its request to its answer.
const LONGEST: Duration = Duration::from_secs(60);

/// The endpoint of a source or a sink.
///
/// Who asks is for the component to find out. Any method, any path behind the name. A sink's `paths` in the tenant's
/// file claim further paths for it.
#[utoipa::path(method(get, post, put, patch, delete, options), path = "/v1/endpoints/{tenant}/{name}/{*path}",
    tag = "webhooks", security(()),
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
    answer(&api, &tenant, &name, request).await
}

/// Answers a request to the endpoint of this name.
pub(super) async fn answer(api: &Api, tenant: &str, name: &str, request: Request) -> Result<Response, Problem> {
    if api.reception.entry(tenant, name).is_none() {
        return Err(Problem::new(Kind::NotFound, "there is no such endpoint"));
    }
    let limit = api.plan.load().hub.limits.body;
    let (head, body) = request.into_parts();
    client::admit(api, tenant, name, &head)?;
    let body = body::read(body, limit).await?;
    let request = hooks::outside(&head, body);
    loop {
        let mark = api.live.desks().mark(tenant);
        let answered = api.reception.endpoint(tenant, name, request.clone()).await?;
        api.commands.carry_out_for(&answered.entry, answered.commands);
        match answered.sent {
            Sent::Response(response) => return Ok(hooks::answer(response)),
            Sent::Sound(asked) => return sound(api, tenant, asked, &head).await,
            Sent::Wait(wait) => {
                if !changed(api, tenant, &wait, mark, request.received_at).await {
                    return Ok(hooks::answer(wait.otherwise));
                }
            }
            Sent::Other(word) => {
                let detail = format!("the component wants `{word}`, which this hub does not know");
                return Err(Problem::new(Kind::Component, detail));
            }
        }
    }
}

/// Keeps a long poll. False when nothing has changed by the end of it, or the hub stops.
async fn changed(api: &Api, tenant: &str, wait: &Wait, mark: u64, received_at: Instant) -> bool {
    let until = wait.until.min(received_at.after(LONGEST));
    let left = Duration::from_millis(until.millis().saturating_sub(Instant::now().millis()));
    let _counted = Counted::new();
    tokio::select! {
        changed = api.live.desks().changed(tenant, &wait.desks, mark, tokio::time::Instant::now() + left) => changed,
        () = api.stopping.cancelled() => false,
    }
}

/// One more who waits.
struct Counted(metrics::Gauge);

impl Counted {
    fn new() -> Self {
        let gauge = metrics::gauge!("cordboard_long_polls");
        gauge.increment(1.0);
        Counted(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// Hands a recording out; what the component wants said when there is none.
async fn sound(api: &Api, tenant: &str, asked: Sound, head: &request::Parts) -> Result<Response, Problem> {
    let (headers, missing) = (asked.headers.clone(), asked.missing.clone());
    let mut response = match recordings::sound_for(api, tenant, asked, head).await? {
        Ok(response) => response,
        Err(Unserved::Missing(_, after)) => {
            let mut response = hooks::answer(missing);
            if let Some(after) = after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
            }
            response
        }
        Err(other) => return Err(other.into()),
    };
    put(&mut response, headers);
    Ok(response)
}

fn put(response: &mut Response, headers: contract::Headers) {
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
}
