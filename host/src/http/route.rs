//! Where a dialplan should send a caller.
//!
//! Asterisk's `CURL()` hands the body of whatever comes back to the dialplan, which dials it. So there is one kind of
//! answer, whatever happens: 200 with an extension, or with nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq;

use super::auth::Caller;
use super::{Api, client};
use crate::config::{Question, Routing, Tenant};

/// A caller hears nothing meanwhile: the answer is there within a second and a half, with a little in hand for its way.
const PATIENCE: Duration = Duration::from_millis(1450);

/// By then whoever was asked has answered, so that where the caller goes instead can still be said.
const ASKING: Duration = Duration::from_millis(1350);

/// The extension of whoever looks after the person with this number.
///
/// Always 200 and text/plain, within 1.5 s: digits, `*`, `#` and `+` of one extension, without a line's end, or nothing
/// on any doubt (several people are responsible, no extension stands in the tenant's file for them, a CRM does
/// not answer, who asks is not known) and when their telephone is not registered, unless the tenant's `[routing]` says
/// where callers go then. `Authorization` is `Bearer` as everywhere, or `Basic` with a key as the password:
/// `CURL(http://any:ck_…@hub:8420/v1/route/${CALLERID(num)})`.
#[utoipa::path(get, path = "/v1/route/{number}", tag = "people",
    params(("number" = String, Path, description = "A number, as anybody may write it")),
    responses((status = 200, body = String, content_type = "text/plain", description = "An extension, or nothing")))]
pub(super) async fn route(State(api): State<Arc<Api>>, request: Request) -> Response {
    told(async move {
        let (mut parts, _) = request.into_parts();
        let caller = who(&api, &parts.headers).await?;
        let params = RawPathParams::from_request_parts(&mut parts, &api).await;
        let number = params.ok().and_then(|params| params.iter().next().map(|(_, number)| number.to_owned()));
        asked(&api, &caller.tenant, number).await
    })
    .await
}

/// The same at a path that a tenant's file claims. Who asks is not known; a key in the query may be asked for.
pub(super) async fn claimed(api: Arc<Api>, tenant: &str, request: Request) -> Response {
    let tenant = api.plan.load().tenants.get(tenant).cloned();
    let (head, _) = request.into_parts();
    let origin = head.headers.contains_key(header::ORIGIN);
    let mut response = told(async move {
        let tenant = tenant.ok_or(Refused)?;
        let Routing { paths, key, clients, .. } = &tenant.routing;
        if !client::admits(clients, &head) {
            return Err(Refused);
        }
        let query = head.uri.query().unwrap_or_default();
        let parameter = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
        };
        if let Some(key) = key {
            let given = parameter("key").unwrap_or_default();
            if !bool::from(key.reveal().as_bytes().ct_eq(given.as_bytes())) {
                return Err(Refused);
            }
        }
        let question = paths.iter().find(|Question { path, .. }| path == head.uri.path());
        let number = question.and_then(|question| parameter(&question.parameter));
        asked(&api, &tenant, number.filter(|number| !number.trim().is_empty())).await
    })
    .await;
    if origin {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// What a dialplan is told when nothing can be asked.
pub(super) fn nothing() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], "").into_response()
}

/// Who asks is not known, and is not told so.
struct Refused;

async fn told(asking: impl Future<Output = Result<Option<String>, Refused>> + Send + 'static) -> Response {
    // In a task of its own: what breaks down there is an answer without an extension too.
    let asking = tokio::spawn(asking);
    let (extension, outcome) = match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(Ok(Some(extension)))) => (extension, "found"),
        Ok(Ok(Ok(None))) => (String::new(), "doubtful"),
        Ok(Ok(Err(Refused))) => (String::new(), "refused"),
        Ok(Err(_)) => (String::new(), "failed"),
        Err(_) => (String::new(), "late"),
    };
    metrics::counter!("cordboard_route_total", "outcome" => outcome).increment(1);
    let mut response = nothing();
    *response.body_mut() = extension.into();
    response
}

async fn asked(api: &Api, tenant: &Arc<Tenant>, number: Option<String>) -> Result<Option<String>, Refused> {
    match number {
        Some(number) => Ok(api.routing.extension(tenant, &number, ASKING).await),
        None => Ok(None),
    }
}

async fn who(api: &Api, headers: &HeaderMap) -> Result<Caller, Refused> {
    let basic = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(password);
    let caller = match basic {
        Some(key) => Caller::with(api, &key).await,
        None => Caller::of(api, headers).await,
    };
    caller.map_err(|_| Refused)
}

/// The password of `Basic …`.
fn password(authorization: &str) -> Option<String> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| password.to_owned())
}
