//! Asterisk, played from recordings, through the component `ami` into the ledger.

use std::time::Duration;

use cordboard_tests::ami::{FakeAmi, Recording, SECRET, USER, VERSIONS};
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::live::Live;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::stands;

/// A tenant with one Asterisk for each of these ports, named after it.
fn tenant(pbxs: &[(String, u16)]) -> String {
    let people = "region = \"GB\"\n[[agents]]\nname = \"Ana\"\nlogin = \"ana\"\nextensions = [\"1001\"]\n\
        [[agents]]\nlogin = \"luis\"\nextensions = [\"1002\"]\n";
    let source = |(name, port): &(String, u16)| {
        format!(
            "[sources.{name}]\ncomponent = \"ami\"\nallow = [\"127.0.0.1\"]\nbackoff = {{ first = \"50ms\", ceiling = \
             \"200ms\" }}\nsettings = {{ host = \"127.0.0.1\", port = {port}, username = \"{USER}\", password = \
             {{ env = \"AMI_PASSWORD\" }}, trunks = [\"PJSIP/trunk\"], keepalive = 5 }}\n"
        )
    };
    people.to_owned() + &pbxs.iter().map(source).collect::<String>()
}

async fn hub(pbxs: &[(String, u16)], password: &str) -> Hub {
    let mut setup = Setup::of(&["ami"], tenant(pbxs));
    setup.environment.push(("AMI_PASSWORD".to_owned(), password.to_owned()));
    Hub::start(setup).await
}

/// A hub that is logged in at an Asterisk.
async fn logged_in() -> (Hub, FakeAmi) {
    let pbx = FakeAmi::start("asterisk-22").await;
    pbx.originates(&Recording::load("asterisk-22", "i_click_to_call"));
    let hub = hub(&[("pbx".to_owned(), pbx.port())], SECRET).await;
    pbx.logged_in(1).await;
    stands(&hub, "connected").await;
    (hub, pbx)
}

async fn ask(hub: &Hub, who: (&str, &str), key: &str, body: &Value) -> (StatusCode, Value) {
    let request = hub.http.post(hub.url("/v1/commands")).bearer_auth(hub.token(who.0, who.1)).json(body);
    let answer = request.header("idempotency-key", key).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

const BOSS: (&str, &str) = ("supervisor", "boss");
const ANA: (&str, &str) = ("agent", "ana");
const LUIS: (&str, &str) = ("agent", "luis");

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
    let hub = hub(&ports, SECRET).await;
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
async fn a_wrong_password_is_not_tried_over_and_over() {
    let pbx = FakeAmi::start("asterisk-16").await;
    let hub = hub(&[("pbx".to_owned(), pbx.port())], "wrong").await;
    let shown = stands(&hub, "misconfigured").await;
    assert!(shown["why"].as_str().unwrap().contains("Authentication failed"), "{shown}");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!((pbx.refused(), pbx.sessions()), (1, 0));
    assert!(
        !hub.log().contains("\"wrong\"") && !shown.to_string().contains("\"wrong\""),
        "the password is nobody's business"
    );
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

#[tokio::test]
async fn a_click_becomes_a_call_that_can_be_followed() {
    let (hub, pbx) = logged_in().await;
    let mut live = Live::open(&hub, "?types=call.*", &hub.token("agent", "ana")).await;
    let originate = json!({"name": "call.originate", "arguments": {"to": "447700900999"}});
    let (status, told) = ask(&hub, ANA, "click-1", &originate).await;
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("accepted")), "{told}");
    let call = told["subject"].as_str().unwrap().to_owned();
    let seen = live.next_of("call.ringing").await;
    assert_eq!(seen["subject"]["id"], call, "{seen}");
    assert_eq!(live.next_of("call.ended").await["subject"]["id"], call);

    let again = ask(&hub, ANA, "click-1", &originate).await;
    assert_eq!((again.0.as_u16(), again.1["subject"].as_str()), (200, Some(call.as_str())));
    let sent = pbx.actions("Originate");
    assert_eq!(sent.len(), 1, "the same key is one call");
    let has = |name: &str, value: &str| sent[0].iter().any(|(own, is)| own == name && is == value);
    assert!(has("Channel", "PJSIP/1001") && has("Exten", "447700900999") && has("Async", "true"), "{sent:?}");
    let (_, taken) = ask(&hub, ANA, "click-1", &json!({"name": "call.originate", "arguments": {"to": "1002"}})).await;
    assert_eq!(taken["status"], 409);
}

#[tokio::test]
async fn what_the_pbx_refuses_is_told_in_its_words() {
    let (hub, pbx) = logged_in().await;
    pbx.lacks("447700900998");
    let originate = json!({"name": "call.originate", "arguments": {"from": "1001", "to": "447700900998"}});
    let (status, told) = ask(&hub, BOSS, "k1", &originate).await;
    assert_eq!((status.as_u16(), &told["type"]), (422, &json!("/docs#problem-refused")), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("Extension does not exist."), "{told}");
    let (status, told) = ask(&hub, BOSS, "k2", &json!({"name": "call.hangup", "arguments": {"call": "1.1"}})).await;
    assert_eq!(status.as_u16(), 422, "{told}");
}

#[tokio::test]
async fn nothing_that_could_be_a_second_action_reaches_the_pbx() {
    let (hub, pbx) = logged_in().await;
    for to in
        ["1002\r\n\r\nAction: Command\r\nCommand: core stop now", "1002\nX: y", "10\u{0}02", "1002&PJSIP/1003", "${X}"]
    {
        let originate = json!({"name": "call.originate", "arguments": {"from": "1001", "to": to}});
        let (status, told) = ask(&hub, BOSS, to.escape_default().to_string().as_str(), &originate).await;
        assert_eq!(status.as_u16(), 422, "{to}: {told}");
    }
    assert_eq!(pbx.actions("Originate").len() + pbx.actions("Command").len(), 0);
}

#[tokio::test]
async fn an_agent_acts_on_calls_of_the_own_desk_alone() {
    let (hub, pbx) = logged_in().await;
    let recording = Recording::load("asterisk-22", "a_inbound_answered");
    let id = recording.expected["calls"][0]["linkedid"].as_str().unwrap().to_owned();
    let play = pbx.play(&recording);
    let acts = async {
        crate::world::reaches(&hub, &id, "answered").await;
        let hangup = json!({"name": "call.hangup", "arguments": {"call": id}});
        let (status, told) = ask(&hub, LUIS, "l", &hangup).await;
        assert_eq!((status.as_u16(), &told["field"]), (403, &json!("/arguments/call")), "{told}");
        assert!(pbx.actions("Hangup").is_empty());
        let (status, told) = ask(&hub, ANA, "a", &hangup).await;
        assert_eq!((status.as_u16(), &told["state"]), (200, &json!("done")), "{told}");
        assert_eq!(pbx.actions("Hangup").len(), 1);
    };
    tokio::join!(play, acts);
    crate::world::reaches(&hub, &id, "ended").await;
}

#[tokio::test]
async fn a_command_whose_connection_is_lost_is_unknown_and_not_repeated() {
    let (hub, pbx) = logged_in().await;
    pbx.freeze();
    let originate = json!({"name": "call.originate", "arguments": {"from": "1001", "to": "447700900999"}});
    let asking = ask(&hub, BOSS, "k", &originate);
    let losing = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        pbx.down();
    };
    let ((status, told), ()) = tokio::join!(asking, losing);
    assert_eq!((status.as_u16(), &told["state"]), (200, &json!("unknown")), "{told}");
    let (status, told) = ask(&hub, BOSS, "other", &originate).await;
    assert_eq!(status.as_u16(), 503, "nothing is begun while there is no connection: {told}");
    pbx.thaw();
    pbx.listen().await;
    pbx.logged_in(2).await;
    stands(&hub, "connected").await;
    let (_, again) = ask(&hub, BOSS, "k", &originate).await;
    assert_eq!(again["state"], "unknown", "{again}");
    assert!(pbx.actions("Originate").len() <= 1, "it was not sent a second time");
}
