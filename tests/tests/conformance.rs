//! The trial that any component can be put to: ours pass it, and one that does wrong does not.

use std::path::PathBuf;

use cordboard::conformance::{self, Grade, Report};
use cordboard_tests::hub::components;
use serde_json::{Value, json};

async fn tried(file: PathBuf, settings: Value) -> Report {
    conformance::run(&file, settings).await.unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

async fn conforms(name: &str, settings: Value) {
    let report = tried(components().join(format!("{name}.wasm")), settings).await;
    assert!(report.conforms(), "{name}\n{report}");
    let advice: Vec<_> = report.findings.iter().filter(|finding| finding.grade == Grade::Advice).collect();
    assert!(advice.is_empty(), "{name}: {advice:#?}");
}

#[tokio::test]
async fn vtiger_conforms() {
    let settings = json!({ "url": "https://crm.test/vtiger", "username": "hub", "access_key": "not-to-be-told" });
    conforms("vtiger", settings).await;
}

#[tokio::test]
async fn pbx_webhook_conforms() {
    conforms("pbx-webhook", json!({ "secret": "not-to-be-told" })).await;
}

#[tokio::test]
async fn inbox_hub_conforms() {
    let settings = json!({
        "url": "https://inbox.test", "sessions": ["main"], "secret": "not-to-be-told", "api_key": "nor-is-this-one",
    });
    conforms("inbox-hub", settings).await;
}

#[tokio::test]
async fn ami_conforms() {
    conforms("ami", json!({ "host": "pbx.test", "username": "hub", "password": "not-to-be-told" })).await;
}

#[tokio::test]
async fn frappe_conforms() {
    let settings =
        json!({ "url": "https://crm.test", "api_key": "the-key-of-the-hub", "api_secret": "not-to-be-told" });
    conforms("frappe", settings).await;
}

#[tokio::test]
async fn settings_that_do_not_fit_are_said_first() {
    let refused = conformance::run(&components().join("vtiger.wasm"), json!({ "url": 7 })).await;
    let why = refused.expect_err("settings that do not fit").to_string();
    assert!(why.contains("/url") && why.contains("access_key"), "{why}");
}

#[tokio::test]
async fn what_agrees_to_everything_is_found_out() {
    // It never asks anybody: it says done to each change, has a grant for everybody, and knows every number.
    let report = tried(components().join("../tests/echo.wasm"), json!({})).await;
    assert!(!report.conforms(), "{report}");
    for part in ["sink", "grants", "directory"] {
        let broken = report.findings.iter().filter(|one| one.part == part && one.grade == Grade::Broken);
        assert_eq!(broken.count(), 6, "{part} is broken by every outside system that refuses\n{report}");
    }
}
