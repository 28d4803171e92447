//! Components that come while the hub runs.

use std::path::Path;

use cordboard_tests::built::component;
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::web::Web;
use serde_json::Value;

use crate::world::{delivery, plain};

/// As a careful person puts a file in place: whole at once.
fn drop_in(folder: &Path, file: &str, bytes: &[u8]) {
    let unfinished = folder.join(format!(".{file}"));
    std::fs::write(&unfinished, bytes).unwrap();
    std::fs::rename(unfinished, folder.join(file)).unwrap();
}

/// The component, whose setting `url` is to be an object and no text.
fn misfit() -> Vec<u8> {
    let mut bytes = std::fs::read(component("everything")).unwrap();
    let (good, bad) = (br#""url": { "type": "string""#, br#""url": { "type": "object""#);
    let at = bytes.windows(good.len()).position(|window| window == good).expect("the schema stands in the file");
    bytes[at..at + bad.len()].copy_from_slice(bad);
    bytes
}

async fn everything(hub: &Hub) -> Value {
    let all = hub.get("/v1/components").await;
    let found = all.as_array().unwrap().iter().find(|one| one["file"] == "everything.wasm").cloned();
    found.unwrap_or_default()
}

#[tokio::test]
async fn a_component_that_comes_late_brings_its_plan_into_force_and_a_misfit_changes_nothing() {
    let crm = Web::start(|_| (200, String::new())).await.unwrap();
    let whole = plain(&crm.url(""), "");
    let sources = whole.tenant.split("[sinks.crm]").next().unwrap().to_owned();
    let hub = Hub::start(Setup { tenant: sources, components: vec!["pbx-webhook"], ..whole.clone() }).await;

    std::fs::write(hub.folder().join("tenants/acme.toml"), &whole.tenant).unwrap();
    let missing = "sink `crm` uses the component `everything`, which is not there";
    hub.until(missing, || async { hub.log().contains(missing) }).await;
    assert_eq!(hub.post(&PbxCall::number(1).ended()).await.unwrap().status(), 200, "the old plan stays in force");
    assert_eq!(hub.get("/v1/deliveries").await["items"].as_array().map(Vec::len), Some(0));

    let folder = hub.folder().join("components");
    drop_in(&folder, "everything.wasm", &std::fs::read(component("everything")).unwrap());
    hub.until("the new plan", || async { hub.log().contains("is in force") }).await;
    assert_eq!(hub.post(&PbxCall::number(2).ended()).await.unwrap().status(), 200);
    delivery(&hub, "call-2", "done").await;
    let loaded = everything(&hub).await;
    assert_eq!(loaded["state"], "loaded", "{loaded}");

    drop_in(&folder, "everything.wasm", &misfit());
    hub.until("the refusal", || async { everything(&hub).await["state"] == "outdated" }).await;
    let outdated = everything(&hub).await;
    let why = outdated["error"].as_str().unwrap();
    assert!(why.contains("does not fit the configuration: tenants/acme.toml:") && why.contains("url"), "{why}");
    assert_eq!(outdated["hash"], loaded["hash"], "the one before goes on");
    assert_eq!(hub.post(&PbxCall::number(3).ended()).await.unwrap().status(), 200);
    delivery(&hub, "call-3", "done").await;
    let paths: Vec<String> = crm.asked().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/call-2", "/call-3"]);
}
