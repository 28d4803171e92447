//! The SDK carries every interface of the contract: one component that is written with it and exports them all, through
//! the runtime.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod crm;
mod source;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cordboard::components::contract::{Ability, Request};
use cordboard::components::{Library, Limits, Runtime, RuntimeOptions, Use, UseOptions};
use cordboard::config::DatabaseAddress;
use cordboard::model::{Instant, Numbering};
use serde_json::Value;

/// The component in use, and what must live as long.
struct Bench {
    used: Arc<Use>,
    _folder: tempfile::TempDir,
    _library: Arc<Library>,
}

/// Puts the component into a library and into use with these settings.
async fn bench(settings: Value, allow: &[String]) -> Bench {
    bench_with(settings, allow, BTreeMap::new()).await
}

/// The same, with databases to read.
async fn bench_with(settings: Value, allow: &[String], databases: BTreeMap<String, DatabaseAddress>) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(cordboard_tests::built::component("everything"), folder.path().join("everything.wasm")).unwrap();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let runtime = Runtime::new(RuntimeOptions { cache: Some(cache), ..RuntimeOptions::default() }).unwrap();
    let library = Library::open(runtime.clone(), folder.path()).await;
    let handle = library.get("everything").unwrap_or_else(|| panic!("not loaded: {:?}", library.status()));
    let options = UseOptions {
        tenant: "acme".to_owned(),
        name: "everything".to_owned(),
        settings,
        secrets: vec![],
        allow: allow.to_vec(),
        databases,
        numbering: Arc::new(Numbering { region: "ES".parse().ok(), correct: vec![] }),
        limits: Limits::default(),
    };
    Bench { used: Use::new(&runtime, handle, options).unwrap(), _folder: folder, _library: library }
}

fn request(path: &str, query: Option<&str>, secret: &str, body: &str) -> Request {
    Request {
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: query.map(str::to_owned),
        headers: vec![("x-secret".to_owned(), secret.as_bytes().to_vec())],
        body: body.to_owned().into(),
        received_at: Instant::clamped(1_795_262_400_000),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_who_it_is() {
    let bench = bench(serde_json::json!({}), &[]).await;
    let component = bench.used.component();
    let descriptor = component.descriptor();
    assert_eq!(descriptor.name, "everything");
    assert_eq!(descriptor.batch, 100);
    assert_eq!(descriptor.hosts, ["{url}", "{line}"]);
    for ability in [
        Ability::Webhook,
        Ability::Connection,
        Ability::Pull,
        Ability::Commands,
        Ability::Sink,
        Ability::Directory,
        Ability::Grants,
        Ability::Endpoint,
    ] {
        assert!(component.abilities().has(ability), "{ability:?}");
    }
}
