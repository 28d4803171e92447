//! The modules of a stock Vtiger 8.4: Events and PBXManager as they were recorded, custom fields included, the others
//! in the same form.
//!
//! `listtypes` names more modules than are played here; asking for one of those is refused as if it were forbidden.

mod files;
mod people;
mod telephony;

use serde_json::Value;

use super::definition::Module;

/// All modules that the fake plays.
pub fn modules() -> Vec<Module> {
    let mut modules = telephony::modules();
    modules.extend(people::modules());
    modules.extend(files::modules());
    modules
}

/// The recorded answer of `listtypes`.
pub fn types() -> Value {
    result(include_str!("../../../recordings/vtiger/02-listtypes-no-calls-module.json"))
}

/// The `result` in the first answer of a recording.
fn result(recording: &str) -> Value {
    let recording: Value = serde_json::from_str(recording).expect("a recording is JSON");
    let body = recording["exchanges"][0]["response"]["body"].as_str().expect("a recorded answer has a body");
    let mut body: Value = serde_json::from_str(body).expect("a recorded answer is JSON");
    body["result"].take()
}
