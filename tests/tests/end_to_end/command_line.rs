//! The command line beside a running hub, and without one.

use std::io::BufRead;
use std::process::Stdio;
use std::time::Duration;

use cordboard_tests::hub::{Hub, Setup, components, program};
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::vtiger::Fault;
use serde_json::Value;

use crate::world::World;

/// What a command says when it succeeds.
fn told(hub: &Hub, arguments: &[&str]) -> String {
    let ended = hub.command(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{arguments:?}: {said}");
    String::from_utf8(ended.stdout).unwrap()
}

/// What a command says when it fails.
fn failed(hub: &Hub, arguments: &[&str]) -> String {
    let ended = hub.command(arguments).output().unwrap();
    assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stdout));
    String::from_utf8(ended.stderr).unwrap()
}

#[tokio::test]
async fn events_deliveries_and_tokens() {
    let world = World::start().await;
    let hub = &world.hub;
    world.crm.faults().next("create", Fault::Refuses("MANDATORY_FIELDS_MISSING"));
    world.post(&PbxCall::number(1).ringing()).await;
    world.post(&PbxCall::number(1).ended()).await;
    world.settled("parked").await;

    let events = told(hub, &["events"]);
    let lines: Vec<&str> = events.lines().collect();
    assert_eq!(lines.len(), 2, "{events}");
    assert!(lines[0].contains("call.ringing") && lines[0].contains("+34600000001"), "{events}");
    let ended = told(hub, &["events", "--type", "call.ended", "--json"]);
    let ended: Value = serde_json::from_str(ended.trim()).unwrap();
    assert_eq!(ended["type"], "call.ended");
    assert_eq!(told(hub, &["events", "--since", &ended["seq"].to_string()]), "");

    let list = told(hub, &["deliveries"]);
    assert!(list.contains("parked") && list.contains("call-1") && list.contains("MANDATORY_FIELDS_MISSING"), "{list}");
    assert_eq!(told(hub, &["deliveries", "list", "--state", "done"]).trim(), "There are none that are done.");
    let id = list.split_whitespace().next().unwrap().to_owned();
    let story = told(hub, &["deliveries", "show", &id]);
    assert!(story.contains("rejected") && story.contains("webservice.php"), "{story}");
    let json: Value = serde_json::from_str(&told(hub, &["deliveries", "show", &id, "--json"])).unwrap();
    assert_eq!(json["state"], "parked");
    let retried = told(hub, &["deliveries", "retry", &id]);
    assert!(retried.contains(&id), "{retried}");
    world.settled("done").await;
    assert!(world.call("call-1").is_some());
    assert!(told(hub, &["deliveries", "retry"]).contains("0 deliveries"));
    let again = failed(hub, &["deliveries", "retry", &id]);
    assert!(again.contains("it is done"), "{again}");
    assert!(failed(hub, &["deliveries", "show", "999999"]).contains("no such delivery"));

    let token = told(hub, &["token", "--tenant", "acme", "--role", "agent", "--sub", "ana"]);
    let mine = hub.http.get(hub.url("/v1/calls")).bearer_auth(token.trim()).send().await.unwrap();
    assert_eq!(mine.status(), 200);
    let others = hub.http.get(hub.url("/v1/deliveries")).bearer_auth(token.trim()).send().await.unwrap();
    assert_eq!(others.status(), 403, "an agent does not see deliveries");
    assert!(failed(hub, &["token", "--tenant", "acne"]).contains("acme"), "it says which there are");
}

#[tokio::test]
async fn events_are_followed_as_they_happen() {
    let world = World::start().await;
    world.post(&PbxCall::number(0).ringing()).await;
    let mut following = world.hub.command(&["events", "--follow", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let output = std::io::BufReader::new(following.stdout.take().unwrap());
    let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    // It is there as soon as it shows the first that comes after it.
    let mut n = 1;
    let first = loop {
        world.post(&PbxCall::number(n).ringing()).await;
        match tokio::time::timeout(Duration::from_millis(700), lines.recv()).await {
            Ok(line) => break line.expect("it runs"),
            Err(_) => n += 1,
        }
        assert!(n < 60, "it shows nothing");
    };
    let first: Value = serde_json::from_str(&first).unwrap();
    assert!(first["seq"].as_u64() > Some(1), "by itself it shows what is still to come: {first}");
    world.post(&PbxCall::number(n).ended()).await;
    let last = async {
        loop {
            let line: Value = serde_json::from_str(&lines.recv().await.expect("it runs")).unwrap();
            if line["type"] == "call.ended" {
                return line;
            }
        }
    };
    let last = tokio::time::timeout(Duration::from_secs(10), last).await.expect("it goes on");
    assert_eq!(last["subject"]["id"], format!("call-{n}"));
    assert_eq!(following.try_wait().unwrap(), None, "until somebody ends it");
    following.kill().unwrap();
    following.wait().unwrap();
}

#[tokio::test]
async fn checking_and_looking_into_components() {
    let hub = Hub::prepare(Setup::vtiger("http://127.0.0.1:9"));
    let good = told(&hub, &["check"]);
    assert!(good.contains("The configuration is good: 1 tenant, 1 source, 1 sink, 1 route."), "{good}");
    let list = told(&hub, &["components"]);
    assert!(list.contains("vtiger") && list.contains("pbx-webhook"), "{list}");
    let file = components().join("vtiger.wasm");
    let inspected = told(&hub, &["components", "inspect", &file.display().to_string()]);
    for part in ["vtiger", "sha256", "cordboard:hub/sink@1.0.0", "access_key", "wasi:http"] {
        assert!(inspected.contains(part), "{part}: {inspected}");
    }
    let odd = hub.folder().join("odd.wasm");
    std::fs::write(&odd, "no component").unwrap();
    let said = failed(&hub, &["components", "inspect", &odd.display().to_string()]);
    assert!(said.contains("odd.wasm"), "{said}");
    let nobody = failed(&hub, &["events"]);
    assert!(nobody.contains("no hub answers") && nobody.contains("cordboard serve"), "{nobody}");
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = std::process::Command::new(program()).args(["completions", shell]).output().unwrap();
        assert!(ended.status.success());
        let script = String::from_utf8(ended.stdout).unwrap();
        assert!(script.contains("deliveries") && script.contains("inspect"), "{shell}");
    }
}

#[test]
fn a_configuration_to_begin_with() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").display().to_string();
    let init = || {
        let ended = std::process::Command::new(program()).args(["init", &path]).output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        String::from_utf8(ended.stdout).unwrap()
    };
    assert!(init().contains("wrote"));
    let file = folder.path().join("new/cordboard.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\n# mine\n")).unwrap();
    assert!(init().contains("kept"), "what is there is not overwritten");
    assert!(std::fs::read_to_string(&file).unwrap().ends_with("# mine\n"));
    let mut check = std::process::Command::new(program());
    check.args(["check", "--config", &path]);
    check.env("CORDBOARD_JWT_SECRET", cordboard_tests::hub::TOKENS).env("CORDBOARD_KEY", cordboard_tests::hub::KEY);
    let ended = check.output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}
