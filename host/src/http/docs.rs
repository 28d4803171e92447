//! The API's own description, and a page to read it.

use std::sync::OnceLock;

use axum::http::header;
use axum::response::{Html, IntoResponse};
use bytes::Bytes;

use super::problem::Kind;

/// The API as OpenAPI.
#[utoipa::path(get, path = "/openapi.json", tag = "hub", security(()), responses((status = 200, body = Object)))]
pub(super) async fn openapi() -> impl IntoResponse {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = TEXT.get_or_init(|| serde_json::to_vec(&super::openapi()).unwrap_or_default().into());
    ([(header::CONTENT_TYPE, "application/json")], text.clone())
}

/// A page to read the API's description.
#[utoipa::path(get, path = "/docs", tag = "hub", security(()), responses((status = 200, content_type = "text/html", body = String)))]
pub(super) async fn page() -> impl IntoResponse {
    static PAGE: OnceLock<String> = OnceLock::new();
    let page = PAGE.get_or_init(|| {
        let row = |kind: &Kind| {
            let (word, status) = (kind.word(), kind.status());
            format!("<tr id=\"problem-{word}\"><td><code>{word}</code><td>{status}<td>{}", kind.meaning())
        };
        include_str!("docs.html").replace("<!--problems-->", &Kind::ALL.iter().map(row).collect::<String>())
    });
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(page.as_str()))
}
