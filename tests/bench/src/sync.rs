//! An account of WhatsApp that is read whole: what the hub itself needs for it, and how long its server's limits make it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::http::Method;
use cordboard_tests::hub::Hub;
use cordboard_tests::inbox_hub::{API_KEY, FakeInboxHub, Limits, SESSION};
use cordboard_tests::whatsapp;
use serde_json::Value;

use crate::child::{memory, processor};
use crate::table::Row;

/// What the account has.
const CONTACTS: usize = 10_000;
const CHATS: usize = 1_000;

/// Of so many chats so many messages are read: what the source has unless it says otherwise.
const LIVELIEST: usize = 20;
const MESSAGES: usize = 50;

/// Contacts of the account by which the memory is judged: it is read for long enough that caches have filled in the
/// first half.
const MANY_CONTACTS: usize = 100_000;

/// Rows on a page, the calls that all pages take, and what stands on them.
const PAGE: usize = 100;
const CALLS: usize = calls(CONTACTS);
const RECORDS: usize = CONTACTS + CHATS + LIVELIEST * MESSAGES;

/// The calls that an account of so many contacts takes.
const fn calls(contacts: usize) -> usize {
    contacts / PAGE + CHATS / PAGE + LIVELIEST
}

/// The lists that the server's limit is for.
const LISTS: [&str; 2] = ["/api/contacts/", "/api/messages/"];

/// Of so many calls that the limit allows reading leaves one for sending.
const SPARED: u64 = 6;

/// A pace that bounds nothing.
const UNBOUND: &str = "rate = \"1000000/s\"";

/// What must be reached: of the minutes that the limit alone makes, and of memory in the first half.
const SLOWER: f64 = 1.25;
const FLAT: f64 = 1.1;

/// An account is read in less, or something is broken.
const PATIENCE: Duration = Duration::from_secs(600);

/// Without limits; and within them, measured only when there is time for it.
pub async fn measure(long: bool) -> Result<Vec<Row>> {
    let server = account(CONTACTS).await?;
    server.limits().lift();
    let hub = ready(&server, UNBOUND).await;
    let reading = read(&hub, &server, CALLS).await?;
    let took = bare(&hub, &server).await?;
    let rate = |took: Duration| RECORDS as f64 / took.as_secs_f64();
    let size = format!("{CONTACTS} contacts, {CHATS} chats, {LIVELIEST} × {MESSAGES} messages");
    let what = "WhatsApp read whole, without limits";
    let mut rows = vec![
        Row::plain(format!("{what} ({size})"), "records/s", rate(reading.took), rate(took)),
        Row::told(format!("{what}: in all"), format!("{:.1} s, {CALLS} calls", reading.took.as_secs_f64())),
        Row::told(
            format!("{what}: the hub's own processor time for each record"),
            format!("{:.0} µs", reading.processor * 1e6 / RECORDS as f64),
        ),
    ];
    rows.extend(reading.held(what));
    drop((hub, server));
    rows.extend(many().await?);
    rows.extend(if long { within_limits().await? } else { vec![computed()] });
    Ok(rows)
}

/// Whether memory grows with what is read.
async fn many() -> Result<[Row; 2]> {
    let server = account(MANY_CONTACTS).await?;
    server.limits().lift();
    let hub = ready(&server, UNBOUND).await;
    let reading = read(&hub, &server, calls(MANY_CONTACTS)).await?;
    let [all, own] = reading.held(&format!("WhatsApp read whole, {MANY_CONTACTS} contacts"));
    let grown = all.ratio.unwrap_or(f64::INFINITY);
    Ok([Row { must: format!("second ≤ {FLAT} of first"), reached: Some(grown <= FLAT), ..all }, own])
}

/// With the server's limits, and the source as it is when nothing is said of its pace.
async fn within_limits() -> Result<Vec<Row>> {
    let server = account(CONTACTS).await?;
    let hub = ready(&server, "").await;
    let reading = read(&hub, &server, CALLS).await?;
    let refused = server.limits().refused();
    let what = "WhatsApp read whole, within its server's limits";
    let (took, alone) = (reading.took.as_secs_f64() / 60.0, minutes(limit()));
    let mut rows = vec![
        Row {
            what: format!("{what}: {CALLS} calls; bare: the limit of {} a minute alone", limit()),
            measured: format!("{took:.2} min"),
            bare: format!("{alone:.2} min"),
            ratio: Some(took / alone),
            must: format!("≤ {SLOWER} of bare"),
            reached: Some(took / alone <= SLOWER),
        },
        Row {
            must: "0".to_owned(),
            reached: Some(refused == 0),
            ..Row::told(format!("{what}: calls that the server refused"), refused.to_string())
        },
    ];
    rows.extend(reading.held(what));
    Ok(rows)
}

/// What the limits make of as many calls, when that is not measured.
fn computed() -> Row {
    let (all, reading) = (limit(), limit() - limit() / SPARED);
    Row::told(
        format!("WhatsApp read whole, within its server's limits: {CALLS} calls, computed; --long measures"),
        format!("{:.2} min at {all} a minute, {:.2} at the {reading} for reading", minutes(all), minutes(reading)),
    )
}

/// Calls in a minute that the server takes.
fn limit() -> u64 {
    Limits::default().session.requests
}

/// Minutes of all calls.
fn minutes(a_minute: u64) -> f64 {
    CALLS as f64 / a_minute as f64
}

async fn account(contacts: usize) -> Result<FakeInboxHub> {
    let server = FakeInboxHub::start().await?;
    server.world().fill(contacts, CHATS, MESSAGES);
    Ok(server)
}

/// A hub that has compiled its component before: compiling leaves memory behind.
async fn ready(server: &FakeInboxHub, rate: &str) -> Hub {
    let mut hub = Hub::start(whatsapp::inbox(&["inbox-hub"], "ES", &server.url(), rate)).await;
    hub.stop().await;
    hub.launch();
    hub.ready().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    hub
}

/// What reading came to.
struct Reading {
    /// From the first page asked for to the last one committed.
    took: Duration,
    /// Seconds of the hub's processor time.
    processor: f64,
    /// All of the hub's memory, and what of it is no part of a file: the store's is mapped.
    memory: [Held; 2],
}

impl Reading {
    fn held(&self, what: &str) -> [Row; 2] {
        let [all, own] = &self.memory;
        let all = all.row(format!("{what}: the hub's memory before, most in the first half, most in the second"));
        [all, own.row(format!("{what}: of that, what is no part of a file"))]
    }
}

/// A line of the hub's memory in MiB: before, and at its highest in each half of the calls.
struct Held {
    line: &'static str,
    before: f64,
    halves: [f64; 2],
}

impl Held {
    fn before(pid: u32, line: &'static str) -> Result<Self> {
        Ok(Held { line, before: memory(pid, line)?, halves: [0.0; 2] })
    }

    fn look(&mut self, pid: u32, half: usize) -> Result<()> {
        let half = &mut self.halves[half];
        *half = half.max(memory(pid, self.line)?);
        Ok(())
    }

    fn row(&self, what: String) -> Row {
        let [first, second] = self.halves;
        let shown = format!("{:.1}, {first:.1}, {second:.1} MiB", self.before);
        Row::told(what, shown).beside(String::new(), Some(second / first))
    }
}

/// Has the hub read the account in so many calls, and sees to it that all of it is in the ledger.
async fn read(hub: &Hub, server: &FakeInboxHub, enough: usize) -> Result<Reading> {
    let pid = hub.pid();
    let mut memory = [Held::before(pid, "VmRSS")?, Held::before(pid, "RssAnon")?];
    let (before, asked, mut began) = (processor(pid)?, Instant::now(), None);
    let started = hub.ask(Method::POST, "/v1/sources/whatsapp/sync").await;
    ensure!(started.status().is_success(), "reading was not started: {}", started.status());
    let took = loop {
        let calls: usize = LISTS.iter().map(|list| server.faults().count(list)).sum();
        for held in &mut memory {
            held.look(pid, usize::from(calls > enough / 2))?;
        }
        if calls > 0 {
            let began: &Instant = began.get_or_insert_with(Instant::now);
            if calls >= enough && over(hub).await? {
                ensure!(calls == enough, "{calls} calls were made where {enough} are enough:\n{}", hub.log());
                break began.elapsed();
            }
        }
        ensure!(asked.elapsed() < PATIENCE, "only {calls} of {enough} calls were made:\n{}", hub.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let processor = processor(pid)? - before;
    each_once(hub, server).await?;
    Ok(Reading { took, processor, memory })
}

async fn over(hub: &Hub) -> Result<bool> {
    let jobs = hub.get("/v1/sources/whatsapp/jobs").await;
    ensure!(jobs[0]["state"] != "failed", "reading was given up: {jobs}");
    Ok(jobs[0]["state"] == "done")
}

/// How long the same pages take a client that keeps nothing of them.
async fn bare(hub: &Hub, server: &FakeInboxHub) -> Result<Duration> {
    let asked = server.faults().asked();
    let began = Instant::now();
    for line in asked.iter().filter(|line| LISTS.iter().any(|list| line.contains(list))) {
        let path = line.strip_prefix("GET ").context("a page is asked for by GET")?;
        let request = hub.http.get(format!("{}{path}", server.url())).header("x-api-key", API_KEY);
        let page: Value = request.send().await?.json().await?;
        ensure!(page["success"] == true, "the server refused a page: {page}");
    }
    Ok(began.elapsed())
}

/// Each record of the account is in the ledger, once, and no other.
async fn each_once(hub: &Hub, server: &FakeInboxHub) -> Result<()> {
    let (mut records, mut since) = (BTreeMap::new(), 0);
    loop {
        let page = hub.get(&format!("/v1/events?since={since}&limit=500")).await;
        for event in page["events"].as_array().into_iter().flatten() {
            let word = |name: &str| event["subject"][name].as_str().unwrap_or_default().to_owned();
            records.insert(event["record"].as_i64(), (word("kind"), word("id")));
        }
        since = page["next"].as_u64().context("a page of events says where to go on")?;
        if page["more"] != true {
            break;
        }
    }
    let mut found: Vec<_> = records.into_values().collect();
    found.sort();
    let there = subjects(server);
    ensure!(found == there, "the ledger has {} records, not each of the account's {} once", found.len(), there.len());
    Ok(())
}

/// What must be in the ledger, by kind and id, in order.
fn subjects(server: &FakeInboxHub) -> Vec<(String, String)> {
    let world = server.world();
    let subject = |kind: &str, id: &str| (kind.to_owned(), format!("{SESSION}:{id}"));
    let mut chats: Vec<_> = world.chats.iter().collect();
    chats.sort_by_key(|(_, messages)| Reverse(messages.last().map(|message| message.at)));
    let messages = chats.iter().take(LIVELIEST).flat_map(|(_, messages)| messages.iter().rev().take(MESSAGES));
    let mut all = vec![("session".to_owned(), SESSION.to_owned())];
    all.extend(world.contacts.keys().map(|jid| subject("contact", jid)));
    all.extend(world.chats.keys().map(|jid| subject("conversation", jid)));
    all.extend(messages.map(|message| subject("message", &message.id)));
    all.sort();
    all
}
