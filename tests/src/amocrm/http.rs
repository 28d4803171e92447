//! The web servers of the account and of the chat service, and the faults that a test has set.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};

use super::Server;
use super::chats::Signed;
use super::faults::{Fault, Logged};
use super::limits::Verdict;
use super::refusal::{Answer, stranger};

/// All of it on one port: the paths tell the services apart.
pub fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(any).with_state(server)
}

async fn any(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, 16 << 20).collect().await else { return page(413) };
    let bytes = body.to_bytes();
    let (method, path) = (head.method.as_str(), head.uri.path());
    let query: Vec<(String, String)> =
        form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let what = format!("{method} {path}");
    let chat = path.starts_with("/v2/origin/");
    let verdict = if chat { Verdict::Fine } else { server.limits.meet(Instant::now()) };
    let fault = server.faults.meet(&what);
    let asked: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    if fault == Some(Fault::Hangs) {
        server.faults.record(Logged { what, query, body: asked, status: 0 });
        return std::future::pending().await;
    }
    let (given, shown): (Option<Answer>, Option<Response<Body>>) = match (verdict, &fault) {
        (Verdict::TooMany(wait), _) => {
            let body = json!({"title": "Too Many Requests", "status": 429, "detail": "Too many requests", "retry_after": wait});
            (Some((429, body)), None)
        }
        (Verdict::ShutOut, _) => (None, Some(text(403, "Forbidden: your address is blocked"))),
        (_, Some(Fault::Page(status))) => (None, Some(page(*status))),
        (_, Some(Fault::Stranger)) => (Some(stranger()), None),
        (_, Some(Fault::Says(status, body))) => (Some((*status, serde_json::from_str(body).unwrap_or_default())), None),
        _ => match answer(&server, method, path, &query, &head.headers, &asked, &bytes) {
            Some(given) => (Some(given), None),
            None => (None, Some(page(404))),
        },
    };
    let status = given.as_ref().map(|(status, _)| *status).or(shown.as_ref().map(|shown| shown.status().as_u16()));
    server.faults.record(Logged { what, query, body: asked, status: status.unwrap_or_default() });
    match (fault, given, shown) {
        (Some(Fault::Lost), ..) => page(504),
        (Some(Fault::Breaks), Some((_, body)), _) => broken(&body),
        (_, Some((status, body)), _) => json_answer(status, &body),
        (_, _, shown) => shown.unwrap_or_default(),
    }
}

/// What the services say; nothing when there is no account at this address.
fn answer(
    server: &Server,
    method: &str,
    path: &str,
    query: &[(String, String)],
    headers: &HeaderMap,
    asked: &Value,
    bytes: &Bytes,
) -> Option<Answer> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut world = server.world();
    if path.starts_with("/v2/origin/") {
        let signed = Signed {
            date: header("date"),
            kind: header("content-type"),
            digest: header("content-md5"),
            signature: header("x-signature"),
        };
        return Some(world.chat(method, path, query, &signed, bytes));
    }
    if (method, path) == ("GET", "/oauth2/account/current/subdomain") {
        return Some(world.subdomain(header("x-refresh-token")));
    }
    if header("host") != world.domain {
        return None;
    }
    if (method, path) == ("POST", "/oauth2/access_token") {
        return Some(world.exchange(asked));
    }
    let bearer = header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    if !world.knows(bearer) {
        return Some(stranger());
    }
    Some(world.rest(method, path, query, asked))
}

fn json_answer(status: u16, body: &Value) -> Response<Body> {
    let kind = if status < 400 { "application/hal+json" } else { "application/problem+json" };
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    Response::builder().status(status).header("content-type", kind).body(body).unwrap_or_default()
}

fn text(status: u16, text: &'static str) -> Response<Body> {
    Response::builder().status(status).header("content-type", "text/plain").body(text.into()).unwrap_or_default()
}

fn page(status: u16) -> Response<Body> {
    let body = Body::from(format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"));
    Response::builder().status(status).header("content-type", "text/html").body(body).unwrap_or_default()
}

fn broken(body: &Value) -> Response<Body> {
    let text = body.to_string();
    let half = Bytes::from(text.as_bytes()[..text.len() / 2].to_vec());
    let pieces = [Ok(half), Err(std::io::Error::other("the connection breaks"))];
    Response::builder().body(Body::from_stream(futures::stream::iter(pieces))).unwrap_or_default()
}
