//! The adapter against the real server's own recorded answers, without any fake between.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use cordboard_sdk::prelude::*;
use cordboard_sdk::records::{Call, CallPhase, Direction};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::{Outside, Recording, change};
use cordboard_vtiger::Vtiger;

const ID: &str = "5f1c2f0e-8a55-4c1e-9d51-2f6f0f3b7a10";

fn recording(name: &str) -> Recording {
    Recording::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/recordings/vtiger/{name}.json")))
}

/// The recorded answers of one recording, to be given to requests that ask the same in the adapter's own way.
fn answer(outside: &Outside, method: &str, path: &str, name: &str, at: usize) {
    let recorded = recording(name).exchanges[at].answer.clone().unwrap();
    outside.expect(method, path).answer_with(recorded);
}

const DESCRIBE: &str = "/webservice.php?operation=describe&elementType=";

fn outside(more: Value) -> Outside {
    let mut settings = json!({
        "url": "https://vtiger.example.test/", "username": "hub", "access_key": "b71UgJOy33Qz3mYZ", "link": []
    });
    settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    Outside::new().settings(settings)
}

fn log_in(outside: &Outside, describe: &str, module: &str) {
    outside.play(&recording("01-challenge-login"));
    answer(outside, "POST", &format!("{DESCRIBE}{module}"), describe, 0);
    answer(outside, "POST", "/webservice.php", "08-users-by-extension", 0);
    answer(outside, "POST", "/webservice.php", "08-users-by-extension", 2);
    let grant = Vtiger::issue(outside, None).unwrap();
    assert!(!outside.asked().iter().any(|request| request.url.contains("sessionName")), "no session in an address");
    outside.set_grant(Some(grant));
}

fn call() -> Call {
    Call {
        phase: Some(CallPhase::Ringing),
        direction: Some(Direction::Inbound),
        caller: Some(Party::number("+442079460123")),
        agent: Some(Agent::extension("101")),
        started_at: Some(1_795_252_220_000),
        ..Call::default()
    }
}

#[test]
fn the_recorded_login_is_ours_to_the_letter() {
    // The recording's digest is the expected body: a wrong one fails the script.
    log_in(&outside(json!({})), "04-describe-pbxmanager", "PBXManager");
    log_in(&outside(json!({"module": "Events"})), "03-describe-events", "Events");
}

#[test]
fn a_recorded_call_in_the_telephony_log() {
    let outside = outside(json!({"gateway": "hub"}));
    log_in(&outside, "04-describe-pbxmanager", "PBXManager");
    let query = format!(
        "/webservice.php?operation=query&query={}",
        cordboard_sdk::http::encode(&format!(
            "SELECT id,sourceuuid FROM PBXManager WHERE sourceuuid = '{ID}' LIMIT 0,2;"
        ))
    );
    answer(&outside, "POST", &query, "12-pbxmanager-call", 0);
    answer(&outside, "POST", "/webservice.php", "12-pbxmanager-call", 1);
    let change = change(ID, call());
    let Outcome::Done(receipt) = Vtiger::deliver(&outside, vec![change.clone()]).remove(0) else { panic!("done") };
    assert_eq!(receipt.external_id.as_deref(), Some("24x107"));
    // The recorded record was linked by the people of that day; nobody was asked for here.
    assert_eq!(receipt.shortened, Vec::<String>::new());

    answer(&outside, "POST", "/webservice.php", "12-pbxmanager-call", 2);
    let over = Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        ended_at: Some(1_795_252_365_000),
        talk: Some(135),
        ..call()
    };
    let change = Change { external_id: receipt.external_id, memo: receipt.memo, item: over.into(), ..change };
    let Outcome::Done(receipt) = Vtiger::deliver(&outside, vec![change]).remove(0) else { panic!("done") };
    assert_eq!(receipt.shortened, Vec::<String>::new());
    let revised = String::from_utf8(outside.asked().last().unwrap().body.clone()).unwrap();
    assert!(revised.contains("operation=revise") && revised.contains("24x107"), "{revised}");
    assert!(!revised.contains("sourceuuid") && !revised.contains("starttime"), "only what changed: {revised}");
}

#[test]
fn a_recorded_session_that_has_ended_asks_for_a_new_grant() {
    let outside = outside(json!({}));
    log_in(&outside, "04-describe-pbxmanager", "PBXManager");
    answer(&outside, "POST", "/webservice.php", "16-session-expired-relogin", 0);
    let outcome = Vtiger::deliver(&outside, vec![change(ID, call())]).remove(0);
    let Outcome::Failed(Failure::Unauthorized(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("INVALID_SESSIONID"));
}

#[test]
fn a_recorded_refusal_parks_the_call() {
    let outside = outside(json!({}));
    log_in(&outside, "04-describe-pbxmanager", "PBXManager");
    answer(&outside, "POST", "/webservice.php", "12-pbxmanager-call", 0);
    answer(&outside, "POST", "/webservice.php", "17-mandatory-field-missing", 0);
    let outcome = Vtiger::deliver(&outside, vec![change(ID, call())]).remove(0);
    let Outcome::Failed(Failure::Rejected(rejected)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(rejected.code, "MANDATORY_FIELDS_MISSING");
    assert!(rejected.why.contains("eventstatus does not have a value"));
}

#[test]
fn a_recorded_installation_without_the_module() {
    let outside = outside(json!({"module": "Calls"}));
    outside.play(&recording("01-challenge-login"));
    answer(&outside, "POST", &format!("{DESCRIBE}Calls"), "02-listtypes-no-calls-module", 1);
    answer(&outside, "POST", "/webservice.php?operation=listtypes", "02-listtypes-no-calls-module", 0);
    answer(&outside, "POST", "/webservice.php", "08-users-by-extension", 0);
    answer(&outside, "POST", "/webservice.php", "08-users-by-extension", 2);
    let grant = Vtiger::issue(&outside, None).unwrap();
    outside.set_grant(Some(grant));
    let outcome = Vtiger::deliver(&outside, vec![change(ID, call())]).remove(0);
    let Outcome::Failed(Failure::Misconfigured(why)) = outcome else { panic!("{outcome:?}") };
    assert!(why.contains("there is no such module") && why.contains("PBXManager"), "{why}");
}
