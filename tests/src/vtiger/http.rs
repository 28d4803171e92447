//! The web server: nginx with PHP behind it, and the faults that a test has set.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{Response, StatusCode};
use axum::routing::any;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};

use super::Server;
use super::faults::{Fault, Logged};
use super::operation;
use super::refusal::{Answer, Refusal};
use super::wire::Asked;

/// Both pages of the site that are played.
pub fn router(server: Arc<Server>) -> Router {
    Router::new().route("/webservice.php", any(webservice)).route("/index.php", any(browser)).with_state(server)
}

async fn webservice(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, server.body_limit).collect().await else { return page(413) };
    let asked = Asked::read(&head, &body.to_bytes());
    let operation = operation::name(&asked);
    let mut logged = Logged {
        operation: operation.clone(),
        posted: asked.posted,
        about: operation::about(&asked),
        answer: "ok".into(),
    };
    let (late, fault) = server.faults.meet(&operation);
    match &fault {
        Some(Fault::Dies) => {
            logged.answer = "500".into();
            server.faults.record(logged);
            return answer(Err(Refusal::Died), false);
        }
        Some(Fault::Page(status)) => {
            logged.answer = status.to_string();
            server.faults.record(logged);
            return page(*status);
        }
        Some(Fault::TooMany(seconds)) => {
            logged.answer = "429".into();
            server.faults.record(logged);
            let mut answer = page(429);
            answer.headers_mut().insert(RETRY_AFTER, (*seconds).into());
            return answer;
        }
        Some(Fault::Refuses(code)) => {
            logged.answer = (*code).into();
            server.faults.record(logged);
            return answer(Err(Refusal::said(code, "as the test wished")), false);
        }
        Some(Fault::Hangs | Fault::Breaks) | None => {}
    }
    // The work goes on when the client leaves, as PHP's does.
    let work = {
        let server = server.clone();
        tokio::spawn(async move { operation::run(&server, asked, late).await })
    };
    let given = work.await.unwrap_or(Err(Refusal::Died));
    if let Err(refusal) = &given {
        logged.answer = refusal.code();
    }
    if fault == Some(Fault::Hangs) {
        logged.answer = "hangs".into();
        server.faults.record(logged);
        return std::future::pending().await;
    }
    server.faults.record(logged);
    answer(given, fault == Some(Fault::Breaks))
}

async fn browser(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (head, _) = request.into_parts();
    let asked = Asked::read(&head, b"");
    let poll = asked.get("action") == "IncomingCallPoll" && asked.get("mode") == "searchIncomingCalls";
    if asked.get("module") != "PBXManager" || !poll {
        return page(404);
    }
    // Who looks is in the browser's session; the cookie's value is the user's number here.
    let cookie = head.headers.get("cookie").and_then(|cookie| cookie.to_str().ok()).unwrap_or_default();
    let Some(viewer) = cookie.strip_prefix("PHPSESSID=").and_then(|user| user.parse().ok()) else { return page(302) };
    let now = server.clock.now();
    let shown = server.crm().incoming(viewer, now);
    response(200, "text/json; charset=UTF-8", shown.to_string())
}

fn answer(given: Answer, breaks: bool) -> Response<Body> {
    let body = match given {
        Ok(result) => json!({"success": true, "result": result}),
        Err(Refusal::Said { code, message }) => {
            json!({"success": false, "error": {"message": message, "code": code}})
        }
        Err(Refusal::Died) => return response(500, "text/html; charset=UTF-8", String::new()),
    };
    if breaks { broken(&body) } else { response(200, "application/json", body.to_string()) }
}

/// An answer in chunks, as PHP behind nginx gives it.
fn response(status: u16, kind: &str, body: String) -> Response<Body> {
    let body = if body.is_empty() {
        Body::empty()
    } else {
        Body::from_stream(futures::stream::iter([Ok::<_, Infallible>(Bytes::from(body))]))
    };
    Response::builder()
        .status(status)
        .header("server", "nginx/1.22.1")
        .header("content-type", kind)
        .header("cache-control", "no-store, no-cache, must-revalidate")
        .body(body)
        .unwrap_or_default()
}

fn broken(body: &Value) -> Response<Body> {
    let text = body.to_string();
    let half = Bytes::from(text.as_bytes()[..text.len() / 2].to_vec());
    let pieces = [Ok(half), Err(std::io::Error::other("the connection breaks"))];
    Response::builder()
        .header("content-type", "application/json")
        .body(Body::from_stream(futures::stream::iter(pieces)))
        .unwrap_or_default()
}

/// An error page of the web server itself.
fn page(status: u16) -> Response<Body> {
    let name = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Error");
    let text = format!(
        "<html>\r\n<head><title>{status} {name}</title></head>\r\n<body>\r\n<center><h1>{status} {name}</h1></center>\
         \r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
    );
    response(status, "text/html", text)
}
