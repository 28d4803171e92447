//! Long polls: what one costs that waits, and how soon it is answered when something happens at its desk.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::child::memory;
use crate::load;
use crate::table::{Row, percentile};

/// Widgets that wait, each at a desk of its own.
const POLLS: usize = 4_000;

/// Desks at which something happens, one after the other.
const WOKEN: usize = 200;

/// A poll that knows of a call is answered in less, or something is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The secret of the widget.
const KEY: &str = "a-secret-of-the-widget";

/// All of it, with the adapter amocrm and its widget.
pub async fn measure() -> Result<Vec<Row>> {
    let hub = Hub::start(setup()).await;
    let (address, pid) = (hub.address(), hub.pid());
    // Instances and pools are there before anything is counted.
    for desk in 0..50 {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&poll(desk, false)).await?;
        answered(&mut stream).await?;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = memory(pid, "VmRSS")?;
    let (held, mut late) = load::alone(move || async move {
        let (told, mut heard) = tokio::sync::mpsc::channel(POLLS);
        let mut polls = JoinSet::new();
        for desk in 0..POLLS {
            let stream = TcpStream::connect(address).await?;
            polls.spawn(polled(stream, desk, told.clone()));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        let held = memory(pid, "VmRSS")? - before;
        let mut hooks = load::Connection::open(address).await?;
        let mut late = Vec::new();
        for desk in (0..POLLS).step_by(POLLS / WOKEN) {
            let up = Instant::now();
            ensure!(hooks.ask(&answers(desk)).await? == 200, "the webhook was not taken");
            let next = tokio::time::timeout(PATIENCE, heard.recv()).await;
            let next = next.with_context(|| format!("no poll was answered for what happened at desk {desk}"))?;
            let (at_desk, at) = next.context("a poll is answered")?;
            let at: Instant = at?;
            ensure!(at_desk == desk, "the poll at desk {at_desk} was answered for what happened at {desk}");
            late.push(u32::try_from((at - up).as_micros())?);
        }
        Ok((held, late))
    })
    .await
    .with_context(|| format!("the hub says:\n{}", hub.log().lines().rev().take(3).collect::<Vec<_>>().join("\n")))?;
    let what = format!("long poll, webhook in → answer, {POLLS} wait");
    let mut rows = vec![Row::below(
        format!("memory of one of {POLLS} waiting long polls"),
        "KiB",
        held * 1024.0 / POLLS as f64,
        64.0,
    )];
    rows.extend([50, 99].map(|percent| {
        Row::below(format!("{what}: p{percent}"), "ms", percentile(&mut late, percent) / 1000.0, 300.0)
    }));
    Ok(rows)
}

/// Polls as a widget does, one time after the other, until a call is at the desk; tells when that was.
async fn polled(mut stream: TcpStream, desk: usize, told: Sender<(usize, Result<Instant>)>) {
    let until = async {
        loop {
            stream.write_all(&poll(desk, true)).await?;
            let answer = answered(&mut stream).await?;
            if answer.contains("\"CONVERSATION\"") {
                return Ok(Instant::now());
            }
            ensure!(answer.contains("\"NOT_CONVERSATION\""), "a poll was refused: {answer}");
        }
    };
    let at = until.await;
    let _ = told.send((desk, at)).await;
}

fn setup() -> Setup {
    let mut setup = Setup::vtiger("http://127.0.0.1:1");
    setup.components = vec!["pbx-webhook", "amocrm"];
    let agent =
        |desk: usize| format!("[[agents]]\nextensions = [\"{}\"]\nusers = {{ crm = \"{desk}\" }}\n", extension(desk));
    setup.tenant = crate::webhooks::TENANT
        .replace("[sources.pbx]", &((0..POLLS).map(agent).collect::<String>() + "[sources.pbx]"))
        + "[sinks.crm]\ncomponent = \"amocrm\"\nallow = [\"127.0.0.1\"]\npaths = [\"/asterisk_ng\"]\nsettings = { url = \
           \"http://127.0.0.1:1\", token = { env = \"BENCH_KEY\" }, asterisk_ng = { secret_key = { env = \"BENCH_KEY\" } } }\n";
    setup.hub = format!("[limits]\nconnections = {}\nrequests_per_second = 0\n", POLLS + 500);
    setup.environment.push(("BENCH_KEY".to_owned(), KEY.to_owned()));
    setup
}

fn extension(desk: usize) -> usize {
    10_000 + desk
}

/// A poll of the widget at a desk: by one that knows the state, or by one that has just been opened.
fn poll(desk: usize, knows: bool) -> Vec<u8> {
    let mut params = json!({});
    if knows {
        params["current_status"] = json!({ "status": "NOT_CONVERSATION", "call_info": null });
    }
    let body = json!({
        "headers": { "amouser_email": "", "amouser_id": desk, "widget_version": "1.0.0" },
        "content": { "id": 1, "jsonrpc": "2.0", "method": "get_agent_status", "params": params },
    })
    .to_string();
    format!(
        "POST /asterisk_ng?secret_key={KEY} HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A webhook: somebody takes a call there, now. One of long ago would be none any more.
fn answers(desk: usize) -> Vec<u8> {
    let now = cordboard::model::Instant::now().to_string();
    let body = json!({
        "call_uuid": format!("poll-{desk}"), "from": "+34600111222", "to": "+34911222333", "direction": "inbound",
        "start_time": now, "answer_time": now, "status": "answered",
        "agent_ext": extension(desk).to_string(),
    })
    .to_string();
    let signature = pbx::signature(pbx::SECRET, body.as_bytes());
    format!(
        "POST /v1/hooks/acme/pbx HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         X-Signature: {signature}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The whole answer.
async fn answered(stream: &mut TcpStream) -> Result<String> {
    let mut text = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let read = tokio::io::AsyncReadExt::read(stream, &mut piece).await?;
        ensure!(read > 0, "the hub closed a poll");
        text.extend_from_slice(&piece[..read]);
        if text.ends_with(b"}") {
            return Ok(String::from_utf8(text)?);
        }
    }
}
