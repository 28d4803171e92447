//! `/asterisk`: the stock widget.

use cordboard_tests::amocrm::ANNA;
use serde_json::{Value, json};

use crate::world::{KEY, Plan};

const LOGIN: &str = "_login=admin&_secret=p4ssw0rd";

fn given(text: &str) -> Value {
    let object = text.strip_prefix("asterisk_cb(").and_then(|rest| rest.strip_suffix(");"));
    serde_json::from_str(object.unwrap_or_else(|| panic!("{text}"))).unwrap()
}

#[tokio::test]
async fn acceptance_01_to_04_the_stock_widget() {
    let world = Plan { pbx: "originate_timeout = 25\n".into(), ..Plan::default() }.start().await;
    let (status, media_type, text) = world.stock(&format!("{LOGIN}&_action=status")).await;
    assert_eq!((status.as_u16(), media_type.as_str()), (200, "text/javascript; charset=utf-8"));
    assert_eq!(given(&text)["status"], "ok");

    let (status, _, text) = world.stock("_login=admin&_secret=wrong&_action=status").await;
    assert_eq!((status.as_u16(), given(&text)), (200, json!({ "status": "not authorized." })));

    for (query, said) in [
        ("_action=call&from=1001", "invalid data."),
        ("_action=call&from=1001&to=12", "invalid phones."),
        ("_action=call&from=999&to=79990001122", "unknown agent number."),
    ] {
        let (status, _, text) = world.stock(&format!("{LOGIN}&{query}")).await;
        assert_eq!((status.as_u16(), given(&text)), (200, json!({ "status": said })), "{query}");
    }
    assert!(world.pbx.actions("Originate").is_empty());

    let (_, _, text) = world.stock(&format!("{LOGIN}&_action=call&from=1001&to=%2B44+%287700%29+900456")).await;
    assert_eq!(given(&text)["status"], "ok");
    // One action, line by line. The telephone shows the number as the caller's name, as it did; beside it stands whose
    // telephone it is, which dialplans go by.
    for (line, value) in [
        ("Channel", "Local/1001@from-internal"),
        ("Context", "from-internal"),
        ("Exten", "+447700900456"),
        ("Priority", "1"),
        ("CallerID", "\"+447700900456\" <1001>"),
        ("Async", "true"),
        ("Timeout", "25000"),
    ] {
        assert_eq!(world.sent("Originate", line), [value], "{line}");
    }
    // Each click is a call of its own, and has an action of its own.
    let (_, _, text) = world.stock(&format!("{LOGIN}&_action=call&from=1002&to=447700900456")).await;
    assert_eq!(given(&text)["status"], "ok");
    let ids = world.sent("Originate", "ActionID");
    assert!(ids.len() == 2 && ids[0] != ids[1] && ids.iter().all(|id| !id.is_empty()), "{ids:?}");
}

/// Exactly what the old server answered, for clients that read its single quotes.
#[tokio::test]
async fn acceptance_01_to_04_in_the_old_servers_own_form() {
    let world = Plan { ng: "short = true\n".into(), ..Plan::default() }.start().await;
    for (query, said) in [
        (format!("{LOGIN}&_action=status"), "ok"),
        ("_login=admin&_secret=wrong&_action=status".to_owned(), "not authorized."),
        (format!("{LOGIN}&_action=cdr"), "no cdr."),
        (format!("{LOGIN}&_action=call&from=1001"), "invalid data."),
        (format!("{LOGIN}&_action=call&from=1001&to=12"), "invalid phones."),
        (format!("{LOGIN}&_action=call&from=999&to=447700900456"), "unknown agent number."),
        (format!("{LOGIN}&_action=call&from=1001&to=447700900456"), "ok"),
        (format!("{LOGIN}&_action=fly"), "unknown action."),
    ] {
        let (status, media_type, text) = world.stock(&query).await;
        assert_eq!((status.as_u16(), media_type.as_str()), (200, "text/javascript; charset=utf-8"), "{query}");
        assert_eq!(text, format!("asterisk_cb({{'status': '{said}'}});"), "{query}");
    }
    assert_eq!(world.sent("Originate", "Exten"), ["447700900456"]);
    let (status, _, text) = world.stock("_login=admin&_secret=p4ssw0rd").await;
    assert!(status == 422 && text.contains("_action"), "{status}: {text}");
}

/// What the PBX refuses is not told as done.
#[tokio::test]
async fn fault_11_failures_of_the_pbx_reach_the_user() {
    let world = Plan::default().start().await;
    world.pbx.lacks("447700900998");
    let (_, _, text) = world.stock(&format!("{LOGIN}&_action=call&from=1001&to=447700900998")).await;
    let told = given(&text);
    assert_eq!(told["status"], "error");
    assert!(told["data"].as_str().unwrap().contains("Extension does not exist."), "{told}");
    let result = world.result("originate", json!({ "phone": "447700900998" })).await;
    assert_eq!(result["exception_name"], "ValueError");
    assert!(result["message"].as_str().unwrap().contains("Extension does not exist."), "{result}");
    world.pbx.down();
    let gone = || async {
        world.result("originate", json!({ "phone": "447700900456" })).await["exception_name"] == "TimeoutError"
    };
    world.until("it is told that there is no connection", gone).await;
}

#[tokio::test]
async fn fault_14_secrets_are_in_no_log_and_none_is_a_default() {
    let mut world = Plan::default().start().await;
    world.stock(&format!("{LOGIN}&_action=status")).await;
    world.stock("_login=admin&_secret=a-wrong-secret&_action=status").await;
    world.result("ping", json!({})).await;
    world.panel_as((ANNA, "anna@example.com"), "a-wrong-key", "ping", json!({})).await;
    let intake = world.hub.get("/v1/intake").await.to_string();
    // What is written late is written when the hub has ended.
    let (_, code) = world.hub.stop().await;
    let log = world.hub.log();
    assert_eq!(code, Some(0), "{log}");
    for path in ["/asterisk", "/asterisk_ng"] {
        let is_logged = |line: &str| line.contains("answered") && line.contains(&format!("path=\"{path}\""));
        assert!(log.lines().any(is_logged), "a request to {path} is logged at this level:\n{log}");
    }
    for secret in ["p4ssw0rd", "a-wrong-secret", KEY, "a-wrong-key"] {
        assert!(!log.contains(secret), "{secret} stands in the log");
        assert!(!intake.contains(secret), "{secret} stands in the intake");
    }
    let file = world.hub.folder().join("tenants/acme.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(world.hub.folder().join("key"), "AsteriskNG").unwrap();
    std::fs::write(&file, text.replace("{ env = \"WIDGET_KEY\" }", "{ file = \"key\" }")).unwrap();
    let checked = world.hub.command(&["check"]).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && said.contains("secret_key"), "the old server's default is refused: {said}");
}
