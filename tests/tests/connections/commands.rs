//! What is asked of a source: over the API, over a live socket, by a component's endpoint.

use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::live::Live;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::tenant;

/// A hub whose source carries commands out by request and response.
async fn hub() -> Hub {
    let people = "[[agents]]\nlogin = \"luis\"\nextensions = [\"1002\", \"1003\"]\n[[agents]]\nlogin = \"none\"\n";
    let text = tenant("tcp://127.0.0.1:1", "");
    Hub::start(Setup::of(&["everything"], text.replace("[sources.line]", &format!("{people}[sources.line]")))).await
}

/// Asks as this person, under a key.
async fn ask(hub: &Hub, who: (&str, &str), key: Option<&str>, body: &Value) -> (StatusCode, Value) {
    let mut request = hub.http.post(hub.url("/v1/commands")).bearer_auth(hub.token(who.0, who.1)).json(body);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

const BOSS: (&str, &str) = ("supervisor", "boss");
const ANA: (&str, &str) = ("agent", "ana");
const LUIS: (&str, &str) = ("agent", "luis");

#[tokio::test]
async fn a_command_ends_in_each_way() {
    let hub = hub().await;
    let originate = json!({"name": "call.originate", "arguments": {"from": "1001", "to": "600111222"}});
    let (status, told) = ask(&hub, BOSS, Some("k1"), &originate).await;
    assert_eq!(
        (status.as_u16(), &told["state"], &told["subject"]),
        (200, &json!("accepted"), &json!("call-k1")),
        "{told}"
    );
    let (status, told) =
        ask(&hub, BOSS, None, &json!({"name": "message.send", "arguments": {"text": "¡hola! 👋"}})).await;
    assert_eq!(
        (status.as_u16(), &told["state"], &told["result"]["text"]),
        (200, &json!("done"), &json!("¡hola! 👋")),
        "{told}"
    );
    let (status, told) = ask(&hub, BOSS, Some("k2"), &json!({"name": "call.hangup", "arguments": {"call": "x"}})).await;
    assert_eq!(
        (status.as_u16(), &told["state"], &told["why"]),
        (200, &json!("unknown"), &json!("no answer")),
        "{told}"
    );
    let (status, told) = ask(&hub, BOSS, Some("k3"), &json!({"name": "call.fly"})).await;
    assert_eq!((status.as_u16(), &told["type"]), (422, &json!("/docs#problem-refused")), "{told}");
    assert_eq!(told["detail"], "`call.fly` is no command of this source");

    for (key, state) in [("k1", "accepted"), ("k2", "unknown"), ("k3", "failed")] {
        let kept = hub.get(&format!("/v1/commands/{key}")).await;
        assert_eq!(
            (&kept["id"], &kept["state"], &kept["source"]),
            (&json!(key), &json!(state), &json!("line")),
            "{kept}"
        );
    }
    assert_eq!(hub.get("/v1/commands/k3").await["code"], "unknown-command");
    assert_eq!(hub.ask(Method::GET, "/v1/commands/k4").await.status(), 404);
}

#[tokio::test]
async fn a_command_goes_to_the_source_that_has_it() {
    let pbx = "\n[sources.pbx]\ncomponent = \"ami\"\nallow = [\"127.0.0.1\"]\nsettings = { host = \"127.0.0.1\", port = 1, \
               username = \"hub\", password = { env = \"AMI_PASSWORD\" }, trunks = [\"PJSIP/trunk\"] }\n";
    let mut setup = Setup::of(&["everything", "ami"], tenant("tcp://127.0.0.1:1", "") + pbx);
    setup.environment.push(("AMI_PASSWORD".to_owned(), "secret".to_owned()));
    let hub = Hub::start(setup).await;
    let message = json!({"name": "message.send", "arguments": {"text": "hi"}});
    assert_eq!(ask(&hub, BOSS, None, &message).await.0, 200, "the PBX sends no messages");
    for (asked, field, words) in [
        (json!({"name": "call.originate", "arguments": {"from": "1", "to": "2"}}), "/source", "`line`, `pbx`"),
        (
            json!({"name": "message.send", "source": "pbx", "arguments": {"text": "hi"}}),
            "/name",
            "it has: call.originate",
        ),
        (
            json!({"name": "message.send", "source": "fax", "arguments": {"text": "hi"}}),
            "/source",
            "`fax` is no source",
        ),
        (json!({"name": "call.swim"}), "/name", "there are: call.originate"),
    ] {
        let (status, told) = ask(&hub, BOSS, None, &asked).await;
        assert_eq!((status.as_u16(), &told["field"]), (422, &json!(field)), "{told}");
        assert!(told["detail"].as_str().is_some_and(|detail| detail.contains(words)), "{told}");
    }
}

#[tokio::test]
async fn a_key_is_one_command() {
    let hub = hub().await;
    let to = |to: &str| json!({"name": "call.originate", "arguments": {"from": "1001", "to": to}});
    let (_, first) = ask(&hub, BOSS, Some("k"), &to("1")).await;
    let (status, again) = ask(&hub, BOSS, Some("k"), &to("1")).await;
    assert_eq!((status, again), (StatusCode::OK, first.clone()), "answered from what was written down");
    let mut by_id = to("1");
    by_id["id"] = "k".into();
    assert_eq!(ask(&hub, BOSS, None, &by_id).await.1, first, "the key may stand in the body");
    assert_eq!(ask(&hub, BOSS, Some("other"), &by_id).await.0, 400, "two keys");
    for (who, body) in
        [(BOSS, to("2")), (ANA, to("1")), (BOSS, json!({"name": "call.hangup", "arguments": {"call": "k"}}))]
    {
        let (status, told) = ask(&hub, who, Some("k"), &body).await;
        assert_eq!((status.as_u16(), &told["type"]), (409, &json!("/docs#problem-clash")), "{told}");
    }
    let failed = json!({"name": "call.fly"});
    let refused = ask(&hub, BOSS, Some("f"), &failed).await;
    assert_eq!(ask(&hub, BOSS, Some("f"), &failed).await, refused, "a refusal stays one");
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_place() {
    let hub = hub().await;
    for (body, field) in [
        (
            json!({"name": "call.originate", "arguments": {"from": "1001", "to": "1\r\nAction: Command"}}),
            "/arguments/to",
        ),
        (json!({"name": "call.originate", "arguments": {"from": "1001", "to": "1\u{0}"}}), "/arguments/to"),
        (
            json!({"name": "call.originate", "arguments": {"from": "1", "to": "2", "variables": {"A": "b\nc"}}}),
            "/arguments/variables/A",
        ),
        (json!({"name": "call.originate", "arguments": {"from": "1001"}}), "/arguments/to"),
        (json!({"name": "call.originate", "arguments": {"to": "1"}}), "/arguments/from"),
        (json!({"name": "call.hold", "arguments": {"call": "1"}}), "/arguments/on"),
        (json!({"name": "Call Me"}), "/name"),
        (json!({"name": "message.send", "arguments": {"text": "x".repeat(70_000)}}), "/arguments"),
        (json!({"name": "call.hangup", "source": "pbx", "arguments": {"call": "1"}}), "/source"),
        (json!({"name": "call.hangup", "argument": {}}), "/argument"),
    ] {
        let (status, told) = ask(&hub, BOSS, None, &body).await;
        assert_eq!((status.as_u16(), told["field"].as_str()), (422, Some(field)), "{body}: {told}");
    }
    let (_, told) =
        ask(&hub, BOSS, None, &json!({"name": "call.hangup", "source": "pbx", "arguments": {"call": "1"}})).await;
    assert!(told["detail"].as_str().unwrap().contains("these are: `line`"), "{told}");
    let key = "k".repeat(201);
    assert_eq!(ask(&hub, BOSS, Some(&key), &json!({"name": "call.fly"})).await.0, 422);
}

#[tokio::test]
async fn an_agent_acts_from_the_own_desk_and_on_its_calls() {
    let hub = hub().await;
    let originate = |arguments: Value| json!({"name": "call.originate", "arguments": arguments});
    let (status, told) = ask(&hub, LUIS, Some("l1"), &originate(json!({"to": "600111222"}))).await;
    assert_eq!(
        (status.as_u16(), &told["state"]),
        (200, &json!("accepted")),
        "the first extension goes without saying: {told}"
    );
    assert_eq!(ask(&hub, LUIS, None, &originate(json!({"from": "1003", "to": "1"}))).await.0, 200);
    for (who, body, field) in [
        (LUIS, originate(json!({"from": "1001", "to": "1"})), Some("/arguments/from")),
        (LUIS, json!({"name": "message.send", "arguments": {"text": "x"}}), Some("/name")),
        (LUIS, json!({"name": "call.hangup", "arguments": {"call": "nobodys"}}), Some("/arguments/call")),
        (("agent", "none"), originate(json!({"to": "1"})), None),
    ] {
        let (status, told) = ask(&hub, who, None, &body).await;
        assert_eq!((status.as_u16(), told["field"].as_str()), (403, field), "{body}: {told}");
    }
    let own = hub.http.get(hub.url("/v1/commands/l1"));
    assert_eq!(own.bearer_auth(hub.token("agent", "luis")).send().await.unwrap().status(), 200);
    let others = hub.http.get(hub.url("/v1/commands/l1"));
    assert_eq!(others.bearer_auth(hub.token("agent", "ana")).send().await.unwrap().status(), 404);
    let nobody = hub.http.post(hub.url("/v1/commands")).json(&json!({"name": "call.fly"})).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
}

#[tokio::test]
async fn a_command_may_come_over_the_live_socket() {
    let hub = hub().await;
    let mut live = Live::open(&hub, "", &hub.token("agent", "luis")).await;
    live.say(
        &json!({"type": "command", "id": "w1", "source": "line", "name": "call.originate", "arguments": {"to": "1"}}),
    )
    .await;
    let told = live.next_of("command").await;
    assert_eq!(
        (&told["id"], &told["state"], &told["subject"]),
        (&json!("w1"), &json!("accepted"), &json!("call-w1")),
        "{told}"
    );
    live.say(
        &json!({"type": "command", "id": "w2", "name": "call.originate", "arguments": {"from": "1001", "to": "1"}}),
    )
    .await;
    let told = live.next_of("command").await;
    assert_eq!(
        (&told["id"], &told["state"], &told["problem"]["status"]),
        (&json!("w2"), &json!("refused"), &json!(403)),
        "{told}"
    );
    live.say(&json!({"type": "command", "name": "call.fly", "argumentz": {}})).await;
    assert!(live.next_of("error").await["detail"].as_str().unwrap().contains("argumentz"));
    live.say(&json!({"subscribe": {"types": ["call.*"]}})).await;
    assert_eq!(live.next_of("subscribed").await["subscription"]["types"][0], "call.*");
}

#[tokio::test]
async fn what_an_endpoint_wants_is_carried_out() {
    let hub = hub().await;
    let clicked = hub.http.post(hub.url("/v1/endpoints/acme/line/call")).body("{}").send().await.unwrap();
    assert_eq!(clicked.status(), 200);
    hub.until("the command has ended", || async {
        hub.ask(Method::GET, "/v1/commands/line:click-1")
            .await
            .json::<Value>()
            .await
            .is_ok_and(|told| told["state"] == "accepted")
    })
    .await;
}

#[tokio::test]
async fn a_tenant_asks_for_so_much_at_once() {
    let hub = hub().await;
    let fly = json!({"name": "call.fly"});
    let asked = futures::future::join_all((0..120).map(|_| ask(&hub, BOSS, None, &fly))).await;
    let turned_away = asked.iter().filter(|(status, _)| *status == 429).count();
    assert!((1..=100).contains(&turned_away), "{turned_away}");
}
