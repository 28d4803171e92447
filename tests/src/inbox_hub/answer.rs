//! Answers in the server's own form.

use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

use super::limits::{Limits, Window};
use super::world::{now, written};

/// A refusal in the server's words.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub words: String,
    pub details: Option<Value>,
}

impl Refusal {
    pub fn new(status: u16, code: &'static str, words: &str) -> Self {
        Self { status, code, words: words.to_owned(), details: None }
    }

    pub fn invalid(message: &str) -> Self {
        let details = Some(json!({ "message": message }));
        Self { details, ..Self::new(422, "VALIDATION_ERROR", "Datos de entrada inválidos") }
    }
}

/// The data of a success, with its status.
pub(crate) type Given = Result<(u16, Value), Refusal>;

/// A page of a proxy.
pub(crate) fn page(status: u16) -> Response<Body> {
    let body = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>nginx</body></html>");
    response(status, "text/html", body, &[])
}

/// An answer with the headers of the limits that the request counted for.
pub(crate) fn written_out(given: Given, limits: &Limits, scarce: &Window) -> Response<Body> {
    let mut headers = vec![
        ("RateLimit-Limit", limits.all.requests.to_string()),
        ("RateLimit-Remaining", limits.all.left().to_string()),
        ("RateLimit-Reset", limits.all.ends().saturating_sub(now()).div_ceil(1000).to_string()),
        ("X-RateLimit-Limit", scarce.requests.to_string()),
        ("X-RateLimit-Remaining", scarce.left().to_string()),
        ("X-RateLimit-Reset", written(scarce.ends())),
    ];
    let (status, body) = match given {
        Ok((status, data)) => (status, json!({ "success": true, "data": data })),
        Err(refusal) => {
            if refusal.status == 429 {
                headers.push(("Retry-After", scarce.ends().saturating_sub(now()).div_ceil(1000).to_string()));
            }
            let mut body = json!({
                "success": false, "error": refusal.words, "code": refusal.code, "timestamp": written(now()),
            });
            if let Some(details) = refusal.details {
                body["details"] = details;
            }
            (refusal.status, body)
        }
    };
    response(status, "application/json; charset=utf-8", body.to_string(), &headers)
}

fn response(status: u16, kind: &str, body: String, headers: &[(&str, String)]) -> Response<Body> {
    let mut builder = Response::builder().status(status).header("content-type", kind);
    for (name, value) in headers {
        builder = builder.header(*name, value);
    }
    builder.body(Body::from(body)).expect("an answer")
}
