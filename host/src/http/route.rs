//! Where a dialplan should send a caller.
//!
//! Asterisk's `CURL()` hands the body of whatever comes back to the dialplan, which dials it. So there is one kind of
//! answer, whatever happens: 200 with an extension, or with nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Api;
use super::auth::Caller;

/// A caller hears nothing meanwhile: the answer is there within a second and a half, with a little in hand for its way.
const PATIENCE: Duration = Duration::from_millis(1400);

/// The extension of whoever looks after the person with this number.
///
/// Always 200 and text/plain, within 1.5 s: digits, `*`, `#` and `+` of one extension, without a line's end, or nothing
/// on any doubt (nobody or several people are responsible, no extension stands in the tenant's file for them, a CRM does
/// not answer, who asks is not known). `Authorization` is `Bearer` as everywhere, or `Basic` with a key as the password:
/// `CURL(http://any:ck_…@hub:8420/v1/route/${CALLERID(num)})`.
#[utoipa::path(get, path = "/v1/route/{number}", tag = "people",
    params(("number" = String, Path, description = "A number, as anybody may write it")),
    responses((status = 200, body = String, content_type = "text/plain", description = "An extension, or nothing")))]
pub(super) async fn route(State(api): State<Arc<Api>>, request: Request) -> impl IntoResponse {
    // In a task of its own: what breaks down there is an answer without an extension too.
    let asking = tokio::spawn(asked(api, request));
    let (extension, outcome) = match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(Ok(Some(extension)))) => (extension, "found"),
        Ok(Ok(Ok(None))) => (String::new(), "doubtful"),
        Ok(Ok(Err(Refused))) => (String::new(), "refused"),
        Ok(Err(_)) => (String::new(), "failed"),
        Err(_) => (String::new(), "late"),
    };
    metrics::counter!("cordboard_route_total", "outcome" => outcome).increment(1);
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")], extension)
}

/// Who asks is not known, and is not told so.
struct Refused;

async fn asked(api: Arc<Api>, request: Request) -> Result<Option<String>, Refused> {
    let (mut parts, _) = request.into_parts();
    let caller = who(&api, &parts.headers).await?;
    let params = RawPathParams::from_request_parts(&mut parts, &api).await;
    let number = params.ok().and_then(|params| params.iter().next().map(|(_, number)| number.to_owned()));
    match number {
        Some(number) => Ok(api.directory.owner(&caller.tenant.name, &number, PATIENCE).await),
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
