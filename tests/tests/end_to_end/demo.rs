//! The demo that `cargo xtask run` shows.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use cordboard_tests::hub::{components, free_port, keep_compiled, program, share_compiled};
use serde_json::Value;
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
async fn a_call_goes_its_way_and_ctrl_c_ends_everything() {
    let folder = tempfile::tempdir().unwrap();
    share_compiled(folder.path());
    let ports = [free_port(), free_port(), free_port()];
    let [hub, crm, _] = ports;
    let mut running = demo(folder.path(), ports).spawn().unwrap();
    let mut said = BufReader::new(running.stdout.take().unwrap()).lines();
    let mut token = String::new();
    loop {
        let line = said.next_line().await.unwrap();
        let line = line.unwrap_or_else(|| panic!("it ends early; its hub says\n{}", log(folder.path())));
        if let Some((_, value)) = line.split_once("export TOKEN=") {
            token = value.to_owned();
        }
        if line.starts_with("Try next") {
            break;
        }
    }
    keep_compiled(folder.path());

    // A second provider would only be installed by a second call.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://127.0.0.1:{hub}/v1/deliveries?state=done");
    let begun = Instant::now();
    let delivery = loop {
        let page: Value = http.get(&url).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
        if let Some(delivery) = page["items"].as_array().and_then(|items| items.first()) {
            break delivery.clone();
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "no call came into the CRM: {page}\n{}", log(folder.path()));
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let page = format!("http://127.0.0.1:{crm}/index.php?module=PBXManager");
    assert!(delivery["url"].as_str().is_some_and(|url| url.starts_with(&page)), "{delivery}");

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

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("hub.log")).unwrap_or_default()
}
