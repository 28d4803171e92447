//! What an endpoint can do beside answering: ask its tenant's ledger, wait, have a recording sent, command.

use std::time::{Duration, Instant};

use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::line::LineServer;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{connected, stands, tenant};

async fn asked(hub: &Hub, path: &str) -> Value {
    let url = hub.url(&format!("/v1/endpoints/acme/line/{path}"));
    hub.http.get(url).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn the_ledger_answers_for_the_own_tenant() {
    let (hub, line) = connected().await;
    line.say("CALL c-1 ringing 1001");
    line.say("CALL c-2 answered 1002");
    line.say("CALL c-3 ended 1001");
    crate::world::reaches(&hub, "c-3", "ended").await;
    let told = asked(&hub, "calls").await;
    assert_eq!(told["agents"], json!([{ "extension": "1001", "name": null, "user": null }]), "{told}");
    assert_eq!((&told["at"], &told["user"]), (&json!([1, 0]), &json!([])), "{told}");
    let mut open: Vec<&str> = told["under-way"]["Ok"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    open.sort_unstable();
    assert_eq!(open, ["c-1", "c-2"]);
    assert_eq!(told["calls"], json!([["c-3"], true]), "one, and there are more");
    assert_eq!(told["of"]["phase"], "ringing");
    assert_eq!(told["who"], json!([]));
}

#[tokio::test]
async fn a_poll_waits_for_the_desk_and_no_longer_than_it_said() {
    let (hub, line) = connected().await;
    let begun = Instant::now();
    assert_eq!(asked(&hub, "wait").await, json!([]));
    let took = begun.elapsed();
    assert!((Duration::from_millis(1_400)..Duration::from_millis(2_500)).contains(&took), "{took:?}");
    let both = async { tokio::join!(asked(&hub, "wait"), asked(&hub, "wait"), async { Instant::now() }) };
    let rings = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // Elsewhere: nobody is woken.
        line.say("CALL c-1 ringing 1002");
        tokio::time::sleep(Duration::from_millis(300)).await;
        line.say("CALL c-2 ringing 1001");
        Instant::now()
    };
    let ((one, other, _), rang) = tokio::join!(both, rings);
    assert_eq!((one, other), (json!(["c-2"]), json!(["c-2"])));
    assert!(rang.elapsed() < Duration::from_millis(700), "{:?}", rang.elapsed());
    assert_eq!(asked(&hub, "wait").await, json!(["c-2"]), "what is there already is not waited for");
}

#[tokio::test]
async fn a_hub_that_stops_answers_whoever_waits() {
    let (mut hub, _line) = connected().await;
    let (client, url) = (hub.http.clone(), hub.url("/v1/endpoints/acme/line/wait"));
    let waiting = tokio::spawn(async move { client.get(url).send().await.unwrap().json::<Value>().await.unwrap() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let begun = Instant::now();
    hub.stop().await;
    assert_eq!(waiting.await.unwrap(), json!([]));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_command_ends_in_the_endpoints_hands() {
    let line = LineServer::start().await;
    let text = tenant(&format!("tcp://127.0.0.1:{}", line.port()), "");
    let hub = Hub::start(Setup::of(&["everything"], text)).await;
    line.connected(1).await;
    stands(&hub, "connected").await;
    let asked = |command: Value| {
        let request = hub.http.post(hub.url("/v1/endpoints/acme/line/do")).body(command.to_string());
        async { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let command = |id: &str, name: &str, agent: Value, arguments: Value| json!({ "id": id, "name": name, "agent": agent, "arguments": arguments.to_string() });
    let ana = json!({ "extension": "1001", "name": null, "user": null });
    let placed = asked(command("1", "call.originate", ana.clone(), json!({ "to": "600111222" }))).await;
    assert_eq!(placed["outcome"], json!({ "accepted": "call-line:1" }), "{placed}");
    let again = asked(command("1", "call.originate", ana.clone(), json!({ "to": "600111222" }))).await;
    assert_eq!(again, placed, "the same id is the same command");
    for (name, agent, arguments, code) in [
        ("call.fly", Value::Null, json!({}), "unknown-command"),
        ("call.originate", ana.clone(), json!({ "from": "1002", "to": "1" }), "forbidden"),
        ("call.hangup", ana.clone(), json!({ "call": "nobodys" }), "forbidden"),
        ("call.originate", ana.clone(), json!({ "to": "1\r\nAction: x" }), "invalid"),
    ] {
        let refused = asked(command(name, name, agent, arguments)).await;
        let failure = &refused["failure"]["rejected"];
        assert!(failure["code"] == code, "{name}: {refused}");
    }
    let kept = hub.get("/v1/commands/line:1").await;
    assert_eq!((&kept["state"], &kept["name"]), (&json!("accepted"), &json!("call.originate")));
}

#[tokio::test]
async fn a_recording_is_sent_as_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let day = folder.path().join("2026/11/21");
    std::fs::create_dir_all(&day).unwrap();
    std::fs::write(day.join("a.wav"), b"RIFF....WAVEfmt 0123456789").unwrap();
    let recordings = format!("recordings = {{ root = \"{}\", path = \"%Y/%m/%d/{{file}}\" }}", folder.path().display());
    let hub = Hub::start(Setup::of(&["everything"], tenant("tcp://127.0.0.1:1", &recordings))).await;
    let get = |query: &str, range: &str| {
        let request = hub.http.get(hub.url(&format!("/v1/endpoints/acme/line/sound?{query}"))).header("range", range);
        async { request.send().await.unwrap() }
    };
    let noon = 1_795_262_400_000_u64;
    let part = get(&format!("call=none&recording=a.wav&began={noon}"), "bytes=0-3").await;
    assert_eq!((part.status().as_u16(), part.headers()["x-found"].to_str().unwrap()), (206, "yes"));
    assert_eq!(part.headers()["content-type"], "audio/wav");
    assert_eq!(part.bytes().await.unwrap(), b"RIFF".as_slice());
    for query in ["call=none".to_owned(), format!("call=none&recording=b.wav&began={noon}")] {
        let missing = get(&query, "bytes=0-").await;
        assert_eq!(
            (missing.status().as_u16(), missing.json::<Value>().await.unwrap()),
            (404, json!({ "result": "none" })),
            "{query}"
        );
    }
    let head =
        hub.http.request(Method::HEAD, hub.url(&format!("/v1/endpoints/acme/line/sound?recording=a.wav&began={noon}")));
    assert_eq!(head.send().await.unwrap().headers()["content-length"], "26");
}

#[tokio::test]
async fn no_name_of_a_recording_leads_out_of_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside.wav"));
    let day = root.join("2026/11/21");
    std::fs::create_dir_all(&day).unwrap();
    // One in its place, one where a step up from there leads, one outside of the root, and a link to that.
    for path in [&day.join("a.wav"), &root.join("2026/11/secret.wav"), &outside] {
        std::fs::write(path, b"RIFF....WAVEfmt 0123456789").unwrap();
    }
    std::os::unix::fs::symlink(&outside, day.join("link.wav")).unwrap();
    let absolute = outside.display().to_string().replace('/', "%2F");
    for name in ["{file}", "{path}"] {
        let recordings = format!("recordings = {{ root = \"{}\", path = \"%Y/%m/%d/{name}\" }}", root.display());
        let hub = Hub::start(Setup::of(&["everything"], tenant("tcp://127.0.0.1:1", &recordings))).await;
        let status = async |recording: &str| {
            let asked = format!("sound?call=none&recording={recording}&began=1795262400000");
            let answer = hub.http.get(hub.url(&format!("/v1/endpoints/acme/line/{asked}"))).send().await.unwrap();
            answer.status().as_u16()
        };
        assert_eq!(status("a.wav").await, 200, "{name}");
        for recording in ["..%2Fsecret.wav", "..%2F..%2F..%2F..%2Foutside.wav", "link.wav", absolute.as_str()] {
            assert_eq!(status(recording).await, 404, "{name}: {recording}");
        }
    }
}
