//! Components in other languages, built with those languages' public tools, work as they are: each is dropped into the
//! components folder and delivers calls with real requests.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tools;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use cordboard::components::contract::{Ability, Change, Failure, Outcome};
use cordboard::components::{Library, Limits, Runtime, RuntimeOptions, Use, UseOptions};
use cordboard::model::{Call, Contact, Item, Kind, Numbering, Party, Phone, Subject};
use cordboard_tests::web::{Asked, Web};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_in_javascript_delivers() {
    delivers("javascript-sink", &tools::javascript()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_in_python_delivers() {
    delivers("python-sink", &tools::python()).await;
}

async fn delivers(name: &str, file: &Path) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(file, folder.path().join(format!("{name}.wasm"))).unwrap();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let runtime = Runtime::new(RuntimeOptions { cache: Some(cache), ..RuntimeOptions::default() }).unwrap();
    let library = Library::open(runtime.clone(), folder.path()).await;
    let handle = library.get(name).unwrap_or_else(|| panic!("not loaded: {:?}", library.status()));
    assert!(handle.component().abilities().has(Ability::Sink));

    let server = Web::start(answer).await.unwrap();
    let with = |path: &str| {
        let options = UseOptions {
            tenant: "acme".to_owned(),
            name: "crm".to_owned(),
            settings: json!({ "url": server.url(path) }),
            secrets: vec![],
            allow: vec![server.address.to_string()],
            databases: BTreeMap::new(),
            numbering: Arc::new(Numbering::default()),
            limits: Limits::default(),
        };
        Use::new(&runtime, handle.clone(), options).unwrap()
    };

    let (outcomes, exchanges) = with("/calls").deliver(vec![change("1", call()), change("2", contact())]).await;
    let outcomes = outcomes.unwrap();
    let [Outcome::Done(receipt), Outcome::Skipped(_)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(receipt.external_id.as_deref(), Some("c-1"));
    assert_eq!(exchanges.len(), 1);
    assert_eq!(exchanges[0].status, Some(201));

    let posted: Vec<_> = server.asked().iter().map(Asked::json).collect();
    assert_eq!(posted.len(), 1);
    assert_eq!(posted[0]["subject"]["id"], "1");
    assert_eq!(posted[0]["call"]["duration"], 61);
    assert_eq!(posted[0]["call"]["caller"]["number"]["raw"], "+34600111222");

    let (outcomes, _) = with("/busy").deliver(vec![change("3", call())]).await;
    let outcomes = outcomes.unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Failed(Failure::Retryable { .. })]), "{outcomes:?}");
    let (mistakes, _) = with("/calls").check().await;
    assert_eq!(mistakes.unwrap().unwrap(), Vec::<String>::new());
}

/// Like the CRMs that refuse bodies without a length; one path is always busy.
fn answer(asked: &Asked) -> (u16, String) {
    match asked.path.as_str() {
        "/calls" if asked.header("content-length").is_empty() => (411, "say how long it is".to_owned()),
        "/calls" => {
            (201, json!({ "id": format!("c-{}", asked.json()["subject"]["id"].as_str().unwrap()) }).to_string())
        }
        "/busy" => (503, "busy".to_owned()),
        _ => (404, String::new()),
    }
}

fn change(id: &str, item: Item) -> Change {
    let kind = if matches!(item, Item::Call(_)) { Kind::Call } else { Kind::Contact };
    Change {
        subject: Subject { source: "pbx".to_owned(), kind, id: id.to_owned() },
        revision: 1,
        attempt: 1,
        external_id: None,
        memo: vec![],
        joined: vec![],
        item,
    }
}

fn call() -> Item {
    let caller = Party { number: Some(Phone::raw("+34600111222")), ..Party::default() };
    Item::Call(Call { caller: Some(caller), duration: Some(61), ..Call::default() })
}

fn contact() -> Item {
    Item::Contact(Contact::default())
}
