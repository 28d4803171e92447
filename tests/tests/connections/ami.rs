//! Asterisk, played from recordings, through the component `ami` into the ledger.

use std::time::Duration;

use cordboard_tests::ami::{FakeAmi, Recording, VERSIONS};
use cordboard_tests::hub::Hub;
use serde_json::{Value, json};

use crate::pbx::{hub, logged_in, setup, tenant};
use crate::world::stands;

/// Recordings of each version, without the one that cannot be played.
const RECORDINGS: usize = 75;

/// Every recording of both versions, each on an Asterisk of its own, all at once and at their own pace.
#[tokio::test(flavor = "multi_thread")]
async fn recordings_become_the_records_that_a_good_log_has() {
    let mut all = Vec::new();
    for version in VERSIONS {
        for recording in Recording::all(version) {
            // Its queue stood in the list of channels alone, and the played Asterisk makes that list of its own.
            if recording.name == "o6_listener_joins_in_queue" {
                continue;
            }
            let name = format!("{}-{}", version.replace("asterisk-", "v"), recording.name.replace('_', "-"));
            all.push((name, FakeAmi::start(version).await, recording));
        }
    }
    assert_eq!(all.len(), RECORDINGS * VERSIONS.len(), "each of them is played");
    let ports: Vec<(String, u16)> = all.iter().map(|(name, pbx, _)| (name.clone(), pbx.port())).collect();
    let hub = hub(&ports).await;
    let played = all.iter().map(|(_, pbx, recording)| async {
        pbx.logged_in(1).await;
        pbx.play(recording).await;
    });
    futures::future::join_all(played).await;
    let mut wrong = Vec::new();
    for (name, _, recording) in &all {
        let mut said = String::new();
        for _ in 0..150 {
            said = compare(&hub, name, recording).await;
            if said.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if !said.is_empty() {
            wrong.push(said);
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

/// What of a recording's calls is not in the ledger as it should be.
async fn compare(hub: &Hub, source: &str, recording: &Recording) -> String {
    let page = hub.get(&format!("/v1/calls?limit=100&source={source}")).await;
    let records = page["items"].as_array().cloned().unwrap_or_default();
    let mut wrong = Vec::new();
    let expected = recording.expected["calls"].as_array().cloned().unwrap_or_default();
    let optional = recording.expected["optional_calls"].as_array().cloned().unwrap_or_default();
    for call in &expected {
        let id = &call["linkedid"];
        let is_it = |record: &&Value| {
            record["subject"]["id"] == *id || record["also"].as_array().is_some_and(|also| also.contains(id))
        };
        let found: Vec<&Value> = records.iter().filter(is_it).collect();
        let [record] = found.as_slice() else {
            wrong.push(format!("{} records of {id}", found.len()));
            continue;
        };
        let got = &record["call"];
        let mut same = |what: &str, got: &Value, wanted: Vec<&Value>| {
            if !wanted.contains(&got) {
                wrong.push(format!("{id}: {what} is {got}, not {wanted:?}"));
            }
        };
        same("phase", &got["phase"], vec![&json!("ended")]);
        same("direction", &got["direction"], vec![&call["direction"]]);
        let mut outcomes = vec![&call["status"]];
        outcomes.extend(call["status_alternatives"].as_array().into_iter().flatten());
        same("outcome", &got["outcome"], outcomes);
        same("the caller", &got["caller"]["number"]["raw"], vec![&call["from"]["number"]]);
        let mut called = vec![&call["to"]["number"]];
        called.extend(call["to_alternatives"].as_array().into_iter().flatten());
        same("the callee", &got["callee"]["number"]["raw"], called);
        same("the agent", &got["agent"]["extension"], vec![&call["agent"]]);
        same("the queue", &got["queue"], vec![&call["queue"]]);
    }
    let most = expected.len() + optional.len();
    if records.len() > most {
        wrong.push(format!("{} records, {most} at most are right", records.len()));
    }
    if wrong.is_empty() { String::new() } else { format!("{source}: {}", wrong.join("; ")) }
}

#[tokio::test]
async fn a_wrong_password_is_said_loudly_and_not_tried_over_and_over() {
    let pbx = FakeAmi::start("asterisk-16").await;
    let text = tenant(&[("pbx".to_owned(), pbx.port())]);
    let hub = Hub::start(setup(text, "no-such-password")).await;
    let shown = stands(&hub, "misconfigured").await;
    assert!(shown["why"].as_str().unwrap().contains("Authentication failed"), "{shown}");
    // With the backoff of a loss it would have come back several times.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!((pbx.refused(), pbx.sessions()), (1, 0));
    let until: jiff::Timestamp = shown["until"].as_str().unwrap().parse().unwrap();
    let since: jiff::Timestamp = shown["lost"]["at"].as_str().unwrap().parse().unwrap();
    assert!((until - since).total(jiff::Unit::Second).unwrap() >= 60.0, "{shown}");
    assert!(hub.log().contains("cannot connect until somebody mends it"), "said loudly: {}", hub.log());
    let told = hub.log() + &shown.to_string();
    assert!(!told.contains("no-such-password"), "the password is nobody's business");
}

#[tokio::test]
async fn a_link_that_is_half_open_is_found_out_by_asking() {
    let (hub, pbx) = logged_in().await;
    pbx.freeze();
    hub.until("it is given up", || async { crate::world::connection(&hub).await["connects"].as_u64() > Some(1) }).await;
    pbx.thaw();
    pbx.logged_in(2).await;
    stands(&hub, "connected").await;
}
