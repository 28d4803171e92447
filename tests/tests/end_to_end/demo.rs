//! The demo that `cargo xtask run` shows.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cordboard_tests::hub::{components, free_port, keep_compiled, program, share_compiled};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

fn demo(folder: &Path, [hub, crm, site]: [u16; 3]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.arg(program()).arg(components()).arg(folder).stdin(Stdio::null()).stdout(Stdio::piped());
    command.env("CORDBOARD_DEMO_HUB_PORT", hub.to_string()).env("CORDBOARD_DEMO_CRM_PORT", crm.to_string());
    command.env("CORDBOARD_DEMO_SITE_PORT", site.to_string());
    // Of a group of its own, so that it can be told to stop together with its hub, as a terminal does.
    command.stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    command
}

#[tokio::test]
async fn calls_and_messages_go_their_way_and_ctrl_c_ends_everything() {
    let folder = tempfile::tempdir().unwrap();
    share_compiled(folder.path());
    let ports = [free_port(), free_port(), free_port()];
    let [hub, crm, site] = ports;
    let mut running = demo(folder.path(), ports).spawn().unwrap();
    let mut said = BufReader::new(running.stdout.take().unwrap()).lines();
    let mut token = String::new();
    let key = loop {
        let line = said.next_line().await.unwrap();
        let line = line.unwrap_or_else(|| panic!("it ends early; its hub says\n{}", log(folder.path())));
        if let Some((_, value)) = line.split_once("export TOKEN=") {
            token = value.to_owned();
        }
        // The last that it says before it begins: how to look into the Frappe.
        if let Some((_, rest)) = line.split_once("\"Authorization: token ") {
            break rest.split('"').next().unwrap_or_default().to_owned();
        }
    };
    keep_compiled(folder.path());

    // A second provider would only be installed by a second call.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let told = async |path: &str, member: &str| -> Vec<Value> {
        let request = http.get(format!("http://127.0.0.1:{hub}{path}")).bearer_auth(&token);
        let mut page: Value = request.send().await.unwrap().json().await.unwrap();
        page[member].as_array_mut().map(std::mem::take).unwrap_or_default()
    };
    let page = format!("http://127.0.0.1:{crm}/index.php?module=PBXManager");
    until("a call of the PBX in the Vtiger", folder.path(), async || {
        let done = told("/v1/deliveries?state=done&limit=500", "items").await;
        done.iter().any(|one| {
            let stands = one["url"].as_str().is_some_and(|url| url.starts_with(&page));
            one["subject"]["source"] == "pbx" && stands
        })
    })
    .await;
    // What a desk shows while its telephone rings.
    until("a popup of the Asterisk's", folder.path(), async || {
        let rings = told("/v1/events?types=call.ringing&limit=500", "events").await;
        rings.iter().any(|event| {
            let mut desks = event["call"]["desks"].as_array().into_iter().flatten();
            event["subject"]["source"] == "asterisk"
                && event["call"]["caller"]["number"]["raw"] == "447700900123"
                && desks.any(|desk| desk["extension"] == "1001")
        })
    })
    .await;
    let messages = format!(
        "http://127.0.0.1:{site}/api/resource/Hub%20WhatsApp%20Message?fields=%5B%22direction%22%2C%22status%22%5D"
    );
    until("a question and an answer that was read, in the Frappe", folder.path(), async || {
        let request = http.get(&messages).header("authorization", format!("token {key}"));
        let answer = request.header("accept", "application/json").send().await.unwrap();
        let page: Value = answer.json().await.unwrap();
        let rows = page["data"].as_array().cloned().unwrap_or_default();
        let has = |row: Value| rows.contains(&row);
        has(json!({ "direction": "Incoming", "status": "Delivered" }))
            && has(json!({ "direction": "Outgoing", "status": "Read" }))
    })
    .await;

    let second = demo(folder.path(), ports).output().await.unwrap();
    assert_eq!(second.status.code(), Some(1));
    let why = String::from_utf8_lossy(&second.stderr);
    assert!(why.contains(&format!("port {hub} is taken")) && why.contains("another demo"), "{why}");

    let begun = Instant::now();
    let group = format!("-{}", running.id().unwrap());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().await.unwrap().success());
    let ended = tokio::time::timeout(Duration::from_secs(12), running.wait()).await;
    let ended = ended.unwrap_or_else(|_| panic!("it still runs; its hub says\n{}", log(folder.path()))).unwrap();
    assert_eq!(ended.code(), Some(0), "after {:?}", begun.elapsed());
    for port in ports {
        drop(TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|why| panic!("port {port}: {why}")));
    }
}

/// Waits until something is so, and shows the hub's log when it never is.
async fn until(what: &str, folder: &Path, so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain for: {what}\n{}", log(folder));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("hub.log")).unwrap_or_default()
}
