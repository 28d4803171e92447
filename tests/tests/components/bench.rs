//! What these tests are made with: a runtime, two components, a server to talk to.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{any, get};
use cordboard::components::contract::{Change, Outcome};
use cordboard::components::{
    Component, Exchange, Fault, Handle, Limits, Lookup, Runtime, RuntimeOptions, SystemLookup, Use, UseOptions,
};
use cordboard::model::{Call, Item, Kind, Numbering, Subject};
use cordboard_tests::built::component;
use futures::future::BoxFuture;
use serde_json::{Value, json};

pub const SECRET: &str = "v3ry-s3cret/value";

/// `evil.example` is this machine, `friends.example` as well; everything else as it is.
struct Names;

impl Lookup for Names {
    fn lookup<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            match name {
                "evil.example" | "good.friends.example" => Ok(vec![[127, 0, 0, 1].into()]),
                "metadata.friends.example" => Ok(vec![[169, 254, 169, 254].into()]),
                name => SystemLookup.lookup(name).await,
            }
        })
    }
}

pub fn runtime() -> Arc<Runtime> {
    runtime_with(|_| {})
}

pub fn runtime_with(change: impl FnOnce(&mut RuntimeOptions)) -> Arc<Runtime> {
    // Every test may run in a process of its own; what one has compiled serves the others.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let mut options = RuntimeOptions { cache: Some(cache), lookup: Arc::new(Names), ..RuntimeOptions::default() };
    change(&mut options);
    Runtime::new(options).unwrap()
}

pub async fn load(runtime: &Arc<Runtime>, package: &str) -> Arc<Component> {
    runtime.load(&component(package)).await.unwrap()
}

/// Bounds that are reached soon.
pub fn tight() -> Limits {
    Limits { timeout: Duration::from_secs(5), memory: 64 << 20, requests: 50, transfer: 8 << 20, ..Limits::default() }
}

pub fn options(settings: Value, allow: &[&str]) -> UseOptions {
    UseOptions {
        tenant: "acme".into(),
        name: "crm".into(),
        settings,
        secrets: Vec::new(),
        allow: allow.iter().map(|host| (*host).to_owned()).collect(),
        databases: BTreeMap::new(),
        numbering: Arc::new(Numbering::default()),
        limits: tight(),
    }
}

pub fn used(runtime: &Arc<Runtime>, component: &Arc<Component>, options: UseOptions) -> Arc<Use> {
    Use::new(runtime, Handle::new(component.clone()), options).unwrap()
}

/// A use of the component that does harm.
pub fn doing(runtime: &Arc<Runtime>, component: &Arc<Component>, misdeed: &str, url: &str, allow: &[&str]) -> Arc<Use> {
    used(runtime, component, options(json!({"misdeed": misdeed, "url": url, "secret": SECRET}), allow))
}

pub fn change(id: &str) -> Change {
    Change {
        subject: Subject { source: "pbx".into(), kind: Kind::Call, id: id.into() },
        revision: 7,
        attempt: 1,
        external_id: None,
        memo: Vec::new(),
        joined: Vec::new(),
        item: Item::Call(Call::default()),
    }
}

/// One delivery of one change.
pub async fn deliver(it: &Use) -> (Result<Outcome, Fault>, Vec<Exchange>) {
    let (outcomes, exchanges) = it.deliver(vec![change("c-1")]).await;
    (outcomes.map(|mut outcomes| outcomes.remove(0)), exchanges)
}

/// The id of a receipt: how the component says what it saw.
pub async fn delivered(it: &Use) -> String {
    match deliver(it).await.0 {
        Ok(Outcome::Done(receipt)) => receipt.external_id.unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A server that answers, redirects, takes its time, and says what it was sent.
pub async fn server() -> SocketAddr {
    let redirect = |Query(query): Query<HashMap<String, String>>| async move {
        (StatusCode::FOUND, [(header::LOCATION, query["to"].clone())])
    };
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        "slow"
    };
    let seen = |headers: HeaderMap, request: Request| async move {
        let body = axum::body::Body::into_data_stream(request.into_body());
        let length: usize =
            futures::StreamExt::fold(body, 0, |sum, piece| async move { sum + piece.map_or(0, |piece| piece.len()) })
                .await;
        let header = |name: header::HeaderName| {
            headers.get(name).map_or_else(|| "none".to_owned(), |value| value.to_str().unwrap().to_owned())
        };
        let (sized, chunked) = (header(header::CONTENT_LENGTH), header(header::TRANSFER_ENCODING));
        format!("body={length} content-length={sized} transfer-encoding={chunked} agent={}", header(header::USER_AGENT))
    };
    let app = axum::Router::new()
        .route("/", get(|| async { "here" }))
        .route("/redirect", get(redirect))
        .route("/slow", get(slow))
        .route("/seen", any(seen))
        .route("/file", get(|| async { ([(header::CONTENT_TYPE, "audio/wav")], vec![b'x'; 50_000]).into_response() }))
        .route("/large", get(|| async { vec![b'x'; 200_000] }))
        .route("/login", any(|| async { r#"{"sessionName":"s3ssion-name-123","user":"me"}"# }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}
