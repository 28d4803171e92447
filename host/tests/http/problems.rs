//! Everything that goes wrong is told as a problem document.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{Fixture, answer, token};

#[tokio::test]
async fn bad_requests_are_told_with_their_place() {
    let hub = Fixture::start().await;
    let token = token("acme", "admin", "eva");
    let call = |call: Value| (Method::POST, "/v1/calls", Some(json!({ "call": call }).to_string()));
    let raw = |text: &str| (Method::POST, "/v1/calls", Some(text.to_owned()));
    let get = |path: &'static str| (Method::GET, path, None);
    let cases = [
        (get("/nothing"), 404, "not-found", None),
        (get("/v1/calls/abc"), 404, "not-found", None),
        (get("/v1/calls/7"), 404, "not-found", None),
        (get("/v1/deliveries/7"), 404, "not-found", None),
        (get("/v1/intake/7"), 404, "not-found", None),
        ((Method::DELETE, "/v1/calls", None), 405, "method", None),
        ((Method::GET, "/v1/tickets", None), 405, "method", None),
        (get("/v1/calls?limit=0"), 400, "malformed", Some("limit")),
        (get("/v1/calls?limit=9999"), 400, "malformed", Some("limit")),
        (get("/v1/calls?phase=dancing"), 400, "malformed", Some("phase")),
        (get("/v1/calls?from=yesterday"), 400, "malformed", Some("from")),
        (get("/v1/calls?to=99999-01-01T00:00:00Z"), 400, "malformed", Some("to")),
        (get("/v1/events?since=-1"), 400, "malformed", Some("since")),
        (get("/v1/events?sinse=1"), 400, "malformed", Some("sinse")),
        (get("/v1/intake?verdict=odd"), 400, "malformed", Some("verdict")),
        (get("/v1/live"), 426, "upgrade", None),
        ((Method::POST, "/v1/deliveries/retry", None), 400, "malformed", None),
        ((Method::POST, "/v1/deliveries/retry?sink=odd", None), 400, "malformed", Some("sink")),
        (raw("not json"), 400, "malformed", None),
        (raw(""), 400, "malformed", None),
        (raw(&"[".repeat(10_000)), 422, "invalid", Some("/0")),
        (raw(r#"{"call": {"notes": "\ud800"}}"#), 400, "malformed", Some("/call/notes")),
        (raw(r#"{"call": {}} x"#), 400, "malformed", None),
        (raw(r#"{"kall": {}}"#), 422, "invalid", Some("/kall")),
        (raw("[]"), 422, "invalid", None),
        (call(json!({ "phase": "dancing" })), 422, "invalid", Some("/call/phase")),
        (call(json!({ "duration": -1 })), 422, "invalid", Some("/call/duration")),
        (call(json!({ "started_at": "99999-01-01T00:00:00Z" })), 422, "invalid", Some("/call/started_at")),
        (
            call(json!({ "caller": { "number": { "raw": "1".repeat(200) } } })),
            422,
            "invalid",
            Some("/call/caller/number/raw"),
        ),
        (raw(&json!({ "id": "x".repeat(10_000), "call": {} }).to_string()), 422, "invalid", Some("/id")),
        (raw(&json!({ "id": "a\0b", "call": {} }).to_string()), 422, "invalid", Some("/id")),
    ];
    for ((method, path, body), status, word, field) in cases {
        let shown = body.as_deref().unwrap_or_default().chars().take(60).collect::<String>();
        let mut request = hub.request(method, path, Some(&token));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.unwrap();
        let got = response.status().as_u16();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let allow = response.headers().get("allow").cloned();
        let problem: Value = response.json().await.unwrap();
        assert_eq!(got, status, "{path} {shown}: {problem}");
        assert_eq!(kind, "application/problem+json", "{path} {shown}");
        assert_eq!(problem["type"], format!("/docs#problem-{word}"), "{path} {shown}: {problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["field"].as_str(), field, "{path} {shown}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{path}");
        assert_eq!(allow.is_some(), status == 405, "{path}");
    }
    let text = hub.request(Method::POST, "/v1/calls", Some(&token)).header("content-type", "text/plain").body("{}");
    assert_eq!(answer(text).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn webhooks_of_nobody_are_not_even_read() {
    let hub = Fixture::start().await;
    let mut told = Vec::new();
    for path in ["/v1/hooks/nobody/pbx", "/v1/hooks/acme/nothing"] {
        let (status, mut problem) = answer(hub.request(Method::POST, path, None).body("x".repeat(5 << 20))).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        problem["path"] = Value::Null;
        told.push(problem);
    }
    assert_eq!(told[0], told[1], "whether it is the tenant or the source that is unknown is not told");
    assert_eq!(answer(hub.request(Method::GET, "/v1/hooks/acme/pbx", None)).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let hub = Fixture::with("[auth]\nsecret = { file = \"jwt\" }\n[limits]\nbody = \"1KiB\"\n").await;
    let token = token("acme", "admin", "eva");
    let address = hub.base.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /v1/calls HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: 10485760\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer[..read]));

    let chunks = futures::stream::iter((0..64).map(|_| Ok::<_, std::io::Error>("x".repeat(64))));
    let chunked = hub.request(Method::POST, "/v1/calls", Some(&token)).header("content-type", "application/json");
    let response = chunked.body(reqwest::Body::wrap_stream(chunks)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn one_address_cannot_ask_without_end() {
    let hub = Fixture::with("[auth]\nsecret = { file = \"jwt\" }\n[limits]\nrequests_per_second = 5\n").await;
    let mut refused = 0;
    for _ in 0..20 {
        let response = hub.request(Method::GET, "/healthz", None).send().await.unwrap();
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            assert_eq!(response.headers()["retry-after"], "1");
            refused += 1;
        }
    }
    assert!((10..20).contains(&refused), "{refused} of 20 were refused");
    for _ in 0..20 {
        let response = hub.request(Method::GET, "/v1/route/600111222", None).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let told = (response.status(), kind.starts_with("text/plain"), response.text().await.unwrap());
        assert_eq!(told, (StatusCode::OK, true, String::new()), "a dialplan dials whatever it is given");
    }
}

#[tokio::test]
async fn a_store_that_is_gone_takes_nothing() {
    let hub = Fixture::start().await;
    let token = token("acme", "admin", "eva");
    assert_eq!(answer(hub.request(Method::GET, "/readyz", None)).await.0, StatusCode::OK);
    hub.hub.store.close().await;
    let log = hub.request(Method::POST, "/v1/calls", Some(&token)).json(&json!({ "call": { "phase": "ended" } }));
    let response = log.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(answer(hub.request(Method::GET, "/readyz", None)).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer(hub.request(Method::GET, "/healthz", None)).await.0, StatusCode::OK);
}
