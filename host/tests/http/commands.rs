//! Commands, as far as they go without a component: who asks, what is asked, and that nobody can do it here.

use reqwest::Method;
use serde_json::{Value, json};

use crate::fixture::{Fixture, KEY, answer, token};

#[tokio::test]
async fn what_is_asked_is_looked_at_before_anybody_is_asked_to_do_it() {
    let hub = Fixture::start().await;
    let (boss, ana) = (token("acme", "supervisor", "eva"), token("acme", "agent", "ana"));
    let originate = |arguments: Value| json!({"name": "call.originate", "arguments": arguments});
    let cases = [
        (&boss, originate(json!({"from": "1001", "to": "600"})), 422, "invalid", Some("/source")),
        (&boss, originate(json!({"from": "1001"})), 422, "invalid", Some("/arguments/to")),
        (&boss, originate(json!({"from": "1001", "to": "6\r\n"})), 422, "invalid", Some("/arguments/to")),
        (&boss, originate(json!({"from": 1001, "to": "6"})), 422, "invalid", Some("/arguments/from")),
        (&boss, json!({"name": ""}), 422, "invalid", Some("/name")),
        (&boss, json!({"id": "", "name": "call.fly"}), 422, "invalid", Some("/id")),
        (&boss, json!({"nome": "call.fly"}), 422, "invalid", Some("/nome")),
        (&boss, json!({"name": "call.fly", "arguments": []}), 422, "invalid", Some("/arguments")),
        (&ana, originate(json!({"from": "1002", "to": "600"})), 403, "forbidden", Some("/arguments/from")),
        (&ana, originate(json!({"to": "600"})), 422, "invalid", Some("/source")),
        (&ana, json!({"name": "session.disconnect"}), 403, "forbidden", Some("/name")),
    ];
    for (who, body, status, word, field) in cases {
        let (got, problem) = hub.post("/v1/commands", who, &body).await;
        assert_eq!(got.as_u16(), status, "{body}: {problem}");
        assert_eq!(problem["type"], format!("/docs#problem-{word}"), "{body}: {problem}");
        assert_eq!(problem["field"].as_str(), field, "{body}: {problem}");
    }
    let asked = |key: &str| {
        let body = json!({"id": "a", "name": "call.fly"});
        answer(hub.request(Method::POST, "/v1/commands", Some(&boss)).header("idempotency-key", key).json(&body))
    };
    assert_eq!(asked("b").await.1["field"], "idempotency-key");
    assert_eq!(asked("a").await.1["field"], "/source");
    assert_eq!(answer(hub.request(Method::POST, "/v1/commands", None).json(&json!({"name": "x"}))).await.0, 401);
    assert_eq!(
        hub.post("/v1/commands", KEY, &json!({"name": "call.fly"})).await.1["field"],
        "/source",
        "a machine too"
    );
}

#[tokio::test]
async fn a_command_is_seen_by_its_asker_and_by_those_who_see_all() {
    let hub = Fixture::start().await;
    let asked = json!({"arguments": {}, "by": "ana"}).to_string();
    hub.hub.store.begin_command("acme", "k/1", "pbx", "call.hangup", &asked).await.unwrap();
    for (tenant, role, sub, status) in [
        ("acme", "agent", "ana", 200),
        ("acme", "agent", "luis", 404),
        ("acme", "supervisor", "eva", 200),
        ("other", "admin", "eva", 404),
    ] {
        let (got, body) = hub.get("/v1/commands/k%2F1", &token(tenant, role, sub)).await;
        assert_eq!(got.as_u16(), status, "{tenant} {role} {sub}: {body}");
        if status == 200 {
            assert_eq!((&body["id"], &body["state"]), (&json!("k/1"), &json!("running")), "{body}");
        }
    }
}

#[tokio::test]
async fn a_live_socket_takes_commands_too() {
    let hub = Fixture::start().await;
    let mut socket = hub.socket("", &token("acme", "agent", "ana")).await;
    assert_eq!(socket.next().await["type"], "hello");
    socket.say(r#"{"type": "command", "id": "c1", "name": "call.originate", "arguments": {"to": "1\n2"}}"#).await;
    let told = loop {
        let frame = socket.next().await;
        if frame["type"] == "command" {
            break frame;
        }
    };
    assert_eq!((&told["id"], &told["state"]), (&json!("c1"), &json!("refused")), "{told}");
    assert_eq!(
        (&told["problem"]["status"], &told["problem"]["field"]),
        (&json!(422), &json!("/arguments/to")),
        "{told}"
    );
}
