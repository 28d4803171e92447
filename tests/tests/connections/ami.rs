//! Asterisk, played from recordings, through the component `ami` into the ledger.

use std::time::Duration;

use cordboard_tests::ami::{FakeAmi, Recording, SECRET, VERSIONS};
use cordboard_tests::database::Database;
use cordboard_tests::hub::Hub;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};

use crate::pbx::{call, hub, id, logged_in, setup, talks, tenant};
use crate::world::{reaches, stands};

/// Recordings of each version, without the one that cannot be played.
const RECORDINGS: usize = 98;

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
    let shown = stands(&hub, "connected").await;
    assert!(shown["lost"]["why"].as_str().is_some_and(|why| why.contains("no answer to a ping")), "{shown}");
}

/// Columns that an Asterisk writes, as far as they are read.
const CDR: &str = "create table cdr (calldate timestamp, clid text, src text, dst text, channel text, dstchannel text, \
                   lastapp text, duration int, billsec int, disposition text, uniqueid text, linkedid text, did text, \
                   recordingfile text)";

#[tokio::test]
async fn what_ended_while_nobody_listened_is_filled_in_from_the_detail_records() {
    let Some(database) = Database::create().await else { return };
    let mut records = PgConnection::connect(&database.url()).await.unwrap();
    records.execute(CDR).await.unwrap();
    let pbx = FakeAmi::start("asterisk-22").await;
    let text = tenant(&[("pbx".to_owned(), pbx.port())]);
    let text = text.replace("keepalive = 5", "keepalive = 5, cdr = true");
    let text = text.replace("backoff =", "databases = { cdr = { env = \"CDR_URL\" } }\nbackoff =");
    let mut setup = setup(text, SECRET);
    setup.environment.push(("CDR_URL".to_owned(), database.url()));
    let hub = Hub::start(setup).await;
    pbx.listed(1).await;
    // One whose recording was told with the answer, and one that was not recorded.
    let recorded = Recording::load("asterisk-22", "n_inbound_recorded");
    let path = recorded.expected["calls"][0]["recording"]["path"].as_str().unwrap();
    let plain = Recording::load("asterisk-22", "a_inbound_answered");
    let ids = [&recorded, &plain].map(id);
    for recording in [&recorded, &plain] {
        talks(&pbx, recording);
        reaches(&hub, &id(recording), "answered").await;
    }
    assert_eq!(call(&hub, &ids[0]).await["recordings"][0]["id"], path);

    pbx.down();
    let lost = jiff::Timestamp::now().as_second();
    let times = [jiff::Timestamp::from_second(lost - 20).unwrap(), jiff::Timestamp::from_second(lost + 1).unwrap()];
    let [began, ended] = times;
    // The two, and another one whose id is the same as a number. A row has the name of a file alone.
    let other = format!("{}0", ids[1]);
    let name = path.rsplit('/').next().unwrap();
    let [first, second] = [ids[0].as_str(), ids[1].as_str()];
    let rows = [(first, name, path), (second, "in-1.wav", "in-1.wav"), (other.as_str(), "in-2.wav", "in-2.wav")];
    for (id, file, _) in rows {
        let row = "insert into cdr values ($1::text::timestamp, '', '447700900123', '1001', 'PJSIP/trunk-00000000', \
                   'PJSIP/1001-00000001', 'Dial', 21, 19, 'ANSWERED', $2, $2, '442079460101', $3)";
        let began = began.strftime("%Y-%m-%d %H:%M:%S").to_string();
        sqlx::query(row).bind(began).bind(id).bind(file).execute(&mut records).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    pbx.restart().await;
    // The job rests then: rows that are written late are read in some minutes.
    let all_three = |job: &Value| job["progress"][0]["processed"] == 3;
    let read = || async { all_three(&hub.get("/v1/sources/pbx/jobs").await[0]) };
    hub.until("the missed time is read", read).await;
    for (id, _, recording) in rows {
        let found = call(&hub, id).await;
        assert_eq!(found["phase"], "ended", "{found}");
        let at: jiff::Timestamp = found["ended_at"].as_str().unwrap_or_default().parse().unwrap();
        assert_eq!(at, ended, "{found}");
        assert_eq!((&found["outcome"], &found["agent"]["extension"]), (&json!("answered"), &json!("1001")), "{found}");
        let recordings = found["recordings"].as_array().unwrap().iter().map(|one| &one["id"]);
        assert_eq!(recordings.collect::<Vec<_>>(), [&json!(recording)], "once, and not by its name as well: {found}");
        let attributes = found["attributes"].as_array().unwrap();
        assert!(attributes.contains(&json!(["repaired", "true"])), "{found}");
    }
    // By hand it is read once more, and told what time; there is nothing else to read.
    let sync = async |query: &str, given: Value| {
        let request = hub.http.post(hub.url(&format!("/v1/sources/pbx/sync{query}"))).json(&given);
        let answer = request.bearer_auth(hub.token("supervisor", "boss")).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, refused) = sync("", json!({})).await;
    assert!(status == 422 && refused["detail"].as_str().unwrap().contains("there are: `cdr`"), "{refused}");
    let (status, refused) = sync("?kind=cdr", json!({ "since": "yesterday", "until": 1 })).await;
    assert_eq!((status, &refused["field"]), (422, &json!("/since")), "{refused}");
    let (status, job) = sync("?kind=cdr", json!({ "since": (lost - 60) * 1000, "until": (lost + 60) * 1000 })).await;
    assert_eq!(status, 202, "{job}");
    let read = || async {
        let jobs = hub.get("/v1/sources/pbx/jobs").await;
        jobs.as_array().unwrap().iter().any(|one| one["id"] == job["id"] && all_three(one))
    };
    hub.until("it is read once more", read).await;
    let calls = hub.get("/v1/calls").await;
    assert_eq!(calls["items"].as_array().map(Vec::len), Some(3), "{calls}");
}
