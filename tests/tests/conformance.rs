//! The trial that any component can be put to: ours pass it, and one that does wrong does not.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use cordboard::components::contract::Grant;
use cordboard::components::{Handle, Limits, Runtime, RuntimeOptions, Use, UseOptions};
use cordboard::conformance::{self, Finding, Grade, Report};
use cordboard::model::Numbering;
use cordboard_tests::amocrm::{self, FakeAmocrm};
use cordboard_tests::frappe::FakeFrappe;
use cordboard_tests::hub::components;
use cordboard_tests::vtiger::{FakeVtiger, HUB_KEY};
use serde_json::{Value, json};

async fn tried(file: PathBuf, settings: Value, grant: Option<Grant>) -> Report {
    conformance::run(&file, settings, grant).await.unwrap_or_else(|why| panic!("{}: {why}", file.display()))
}

/// Every rule is kept, and every one was tried, but for those of the parts that ask nothing without a grant.
async fn conforms(name: &str, settings: Value, grant: Option<Grant>, untried: &[&str]) {
    let report = tried(components().join(format!("{name}.wasm")), settings, grant).await;
    let fits = |one: &Finding| match one.grade {
        Grade::Kept => true,
        Grade::NotTried => untried.contains(&one.part),
        Grade::Advice | Grade::Broken => false,
    };
    let others: Vec<_> = report.findings.iter().filter(|one| !fits(one)).collect();
    assert!(others.is_empty(), "{name}: {others:#?}\n{report}");
}

/// A use of a component that has logged in at an outside system that is there, and what it got by that.
async fn logged_in(name: &str, settings: &Value) -> (Arc<Use>, Grant) {
    let runtime = Runtime::new(RuntimeOptions::default()).unwrap();
    let component = runtime.load(&components().join(format!("{name}.wasm"))).await.unwrap();
    let options = UseOptions {
        tenant: "acme".to_owned(),
        name: name.to_owned(),
        settings: settings.clone(),
        secrets: Vec::new(),
        allow: vec!["127.0.0.1".to_owned()],
        databases: BTreeMap::new(),
        numbering: Arc::new(Numbering::default()),
        limits: Limits::default(),
    };
    let used = Use::new(&runtime, Handle::new(component), options).unwrap();
    let grant = used.issue(None).await.0.unwrap().unwrap();
    used.set_grant(Some(grant.clone()));
    (used, grant)
}

#[tokio::test]
async fn vtiger_conforms() {
    let crm = FakeVtiger::start().await.unwrap();
    let settings = json!({ "url": crm.url(), "username": "hub", "access_key": HUB_KEY });
    let (_, grant) = logged_in("vtiger", &settings).await;
    let before = crm.faults().requests();
    conforms("vtiger", settings, Some(grant), &[]).await;
    assert_eq!(crm.faults().requests(), before, "nothing leaves the machine, not even the trial");
}

#[tokio::test]
async fn what_was_not_tried_is_not_said_to_be_kept() {
    let settings = json!({ "url": "https://crm.test/vtiger", "username": "hub", "access_key": "not-to-be-told" });
    let report = tried(components().join("vtiger.wasm"), settings, None).await;
    assert!(report.conforms(), "{report}");
    for part in ["sink", "directory"] {
        let untried = report.findings.iter().filter(|one| one.part == part && one.grade == Grade::NotTried);
        assert!(untried.count() >= 15, "without a grant it asks nobody anything\n{report}");
    }
    let kept = report.findings.iter().filter(|one| one.part == "grants" && one.grade == Grade::Kept);
    assert_eq!(kept.count(), 15, "to log in it does\n{report}");
}

#[tokio::test]
async fn pbx_webhook_conforms() {
    conforms("pbx-webhook", json!({ "secret": "not-to-be-told" }), None, &[]).await;
}

#[tokio::test]
async fn inbox_hub_conforms() {
    let settings = json!({
        "url": "https://inbox.test", "sessions": ["main"], "secret": "not-to-be-told", "api_key": "nor-is-this-one",
    });
    conforms("inbox-hub", settings, None, &["pull"]).await;
}

#[tokio::test]
async fn ami_conforms() {
    conforms("ami", json!({ "host": "pbx.test", "username": "hub", "password": "not-to-be-told" }), None, &["pull"])
        .await;
}

#[tokio::test]
async fn frappe_conforms() {
    let site = FakeFrappe::start().await.unwrap();
    let manager = site.world().user("hub@example.test", &["System Manager"]);
    let settings = json!({ "url": site.url(), "api_key": manager.key, "api_secret": manager.secret });
    let (used, _) = logged_in("frappe", &settings).await;
    for step in used.lacking(None).await.0.unwrap().unwrap() {
        used.make(&step).await.0.unwrap().unwrap();
    }
    // The grant says what the site has.
    let grant = used.issue(None).await.0.unwrap().unwrap();
    let before = site.asked().len();
    conforms("frappe", settings, Some(grant), &[]).await;
    assert_eq!(site.asked().len(), before, "nothing leaves the machine, not even the trial");
}

#[tokio::test]
async fn amocrm_conforms() {
    let crm = FakeAmocrm::start().await.unwrap();
    let settings = json!({
        "url": crm.url(), "client_id": amocrm::CLIENT, "client_secret": amocrm::SECRET, "code": amocrm::CODE,
        "redirect_uri": amocrm::REDIRECT, "hook_token": "a-secret-address-of-it",
    });
    let (_, grant) = logged_in("amocrm", &settings).await;
    let before = crm.faults().log().len();
    conforms("amocrm", settings, Some(grant), &[]).await;
    assert_eq!(crm.faults().log().len(), before, "nothing leaves the machine, not even the trial");
}

#[tokio::test]
async fn settings_that_do_not_fit_are_said_first() {
    let refused = conformance::run(&components().join("vtiger.wasm"), json!({ "url": 7 }), None).await;
    let why = refused.expect_err("settings that do not fit").to_string();
    assert!(why.contains("/url") && why.contains("access_key"), "{why}");
}

#[tokio::test]
async fn what_agrees_to_everything_is_found_out() {
    // It never asks anybody: it says done to each change, has a grant for everybody, and knows every number.
    let report = tried(components().join("../tests/echo.wasm"), json!({}), None).await;
    assert!(!report.conforms(), "{report}");
    for part in ["sink", "grants", "directory"] {
        let broken = report.findings.iter().filter(|one| one.part == part && one.grade == Grade::Broken);
        assert_eq!(broken.count(), 6, "{part} is broken by every outside system that refuses\n{report}");
    }
}
