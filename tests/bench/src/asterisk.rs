//! An Asterisk behind a socket: how soon a frame is there after the bytes that caused it, and how much one hub takes of
//! many of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cordboard_tests::ami::{FakeAmi, Recording, SECRET, USER};
use cordboard_tests::hub::{Hub, Setup};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::child::{memory, processor};
use crate::sockets::{Listeners, Server};
use crate::table::{Row, percentile};

/// The sockets that are open.
const LISTENERS: usize = 1_000;

/// Calls whose ringing is timed, the desk where they ring, and the first of the others'.
const CALLS: u64 = 300;
const DESK: usize = 1_001;
const OTHERS: usize = 2_000;

/// Events of another Asterisk meanwhile, in a second.
const LOAD: u32 = 500;

/// Asterisks of the soak, and what each of them would say in a second.
const MANY: usize = 50;
const RATE: u32 = 2_000;

/// How long the soak takes, and how much more memory the hub may hold at its end than after a quarter of it.
const SOAK: Duration = Duration::from_secs(20);
const GROWTH: f64 = 1.1;

/// Calls of each Asterisk before anything is measured.
const FEW: usize = 4;

/// Calls that are left open in all, for their memory.
const OPEN: u64 = 5_000;

/// Events that may wait for a hub that is slower.
const BACKLOG: usize = 2_000;

/// What is said in the soak, one call after the other.
const SCENARIOS: [&str; 8] = [
    "a_inbound_answered",
    "b_inbound_no_answer",
    "c_inbound_busy",
    "d_queue_answered",
    "e_queue_abandoned",
    "f_outbound_answered",
    "g2_outbound_busy",
    "h_internal",
];

/// How long the last calls of the soak may take into the ledger.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both.
pub async fn measure() -> Result<Vec<Row>> {
    let mut rows = latency().await?;
    rows.extend(soak().await?);
    Ok(rows)
}

/// From an Asterisk's bytes to the frame: at the desk that rings, when as many others listen for their own; and at each of
/// as many sockets that all want it.
async fn latency() -> Result<Vec<Row>> {
    let (probe, load) = (Arc::new(FakeAmi::start("asterisk-22").await), Arc::new(FakeAmi::start("asterisk-22").await));
    let hub = hub(&[("probe".to_owned(), &*probe), ("load".to_owned(), &*load)]).await;
    let recording = Recording::load("asterisk-22", "a_inbound_answered");
    let talk: Arc<[Recording]> = [recording.clone()].into();
    let busy = tokio::spawn(say(load.clone(), talk, LOAD, Instant::now() + Duration::from_secs(600)));
    let at = |desks: &str| Server::of(&hub, &format!("/v1/live?sources=probe&types=call.ringing{desks}"));
    let mut rows = Vec::new();
    {
        let others = Listeners::silent(LISTENERS - 1, |n| at(&format!("&agents={}", OTHERS + n))).await?;
        let desk = Listeners::silent(1, |_| at(&format!("&agents={DESK}"))).await?;
        rows.extend(rung(&probe, &recording, desk, 0, format!("at its desk, {LISTENERS} sockets open")).await?);
        drop(others);
    }
    let all = Listeners::silent(LISTENERS, |_| at("")).await?;
    rows.extend(rung(&probe, &recording, all, CALLS, format!("at each of {LISTENERS} sockets that want it")).await?);
    busy.abort();
    Ok(rows)
}

/// Calls one after the other, each timed at every listener.
async fn rung(
    probe: &FakeAmi,
    recording: &Recording,
    mut listeners: Listeners,
    before: u64,
    at: String,
) -> Result<[Row; 2]> {
    for n in before + 1..=before + CALLS {
        let call = recording.anew(n);
        listeners.expect();
        let rest = probe.ring(&call);
        listeners.everybody().await.with_context(|| format!("call {n}"))?;
        probe.finish(rest);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut late = listeners.late();
    let what = format!("Asterisk's bytes → frame {at}, {LOAD} events/s beside it");
    Ok([50, 99]
        .map(|percent| Row::below(format!("{what}: p{percent}"), "ms", percentile(&mut late, percent) / 1000.0, 20.0)))
}

/// As many connections as say as much as the machine takes.
async fn soak() -> Result<Vec<Row>> {
    let mut pbxs = Vec::new();
    for n in 0..MANY {
        pbxs.push((format!("pbx-{n}"), Arc::new(FakeAmi::start("asterisk-22").await)));
    }
    let named: Vec<(String, &FakeAmi)> = pbxs.iter().map(|(name, pbx)| (name.clone(), &**pbx)).collect();
    let hub = hub(&named).await;
    let scenarios: Arc<[Recording]> = SCENARIOS.map(|name| Recording::load("asterisk-22", name)).into();
    let recording = &scenarios[0];

    // Before anything was freed that open calls could take: each session has seen some calls, no more.
    for n in 0..FEW * MANY {
        let (_, pbx) = &pbxs[n % MANY];
        recording.anew(n as u64).events().iter().for_each(|event| pbx.tell(event));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = memory(hub.pid(), "VmRSS")?;
    for n in 0..OPEN {
        let (_, pbx) = &pbxs[n as usize % MANY];
        pbx.ring(&recording.anew(100_000 + n));
        if n % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    let each = (memory(hub.pid(), "VmRSS")? - before) * 1024.0 / OPEN as f64;

    let (used, began) = (processor(hub.pid())?, Instant::now());
    let mut saying = JoinSet::new();
    for (name, pbx) in &pbxs {
        let (name, pbx, scenarios) = (name.clone(), pbx.clone(), scenarios.clone());
        saying.spawn(async move { (name, say(pbx, scenarios, RATE, began + SOAK).await) });
    }
    tokio::time::sleep(SOAK / 4).await;
    // Without the store's file, which is mapped and grows with what it keeps.
    let quarter = memory(hub.pid(), "RssAnon")?;
    let told = saying.join_all().await;
    let said: u64 = told.iter().map(|(_, told)| told.events).sum();
    let end = memory(hub.pid(), "RssAnon")?;
    let waiting: usize = pbxs.iter().map(|(_, pbx)| pbx.waiting()).sum();
    let (took, used) = (began.elapsed().as_secs_f64(), processor(hub.pid())? - used);
    let taken = said as f64 - waiting as f64;
    let sources = hub.get("/v1/sources").await;
    let lost = sources.as_array().into_iter().flatten().filter(|source| source["connection"]["connects"] != 1).count();
    ensure!(lost == 0, "{lost} connections were lost under the load");
    let mut calls = 0;
    for (name, told) in &told {
        let mut due = told.calls(&scenarios);
        *due.entry(facts_due(&recording.expected["calls"][0])).or_default() += FEW;
        calls += right(&hub, name, &due).await?;
    }
    let what = format!("{MANY} Asterisks at {RATE} events/s each");
    Ok(vec![
        Row::told(format!("{what}: taken"), format!("{:.0} events/s", taken / took)),
        Row::told(format!("{what}: for each second of a core"), format!("{:.0} events", taken / used)),
        Row::below(format!("{what}: memory at the end, of that after a quarter"), "×", end / quarter, GROWTH)
            .beside(format!("{quarter:.0} MiB, then {end:.0}"), None),
        Row::told(format!("{what}: memory of an open call"), format!("{each:.1} KiB")),
        Row::told(format!("{what}: calls, each of them in the ledger once, as it was"), calls.to_string()),
    ])
}

/// What one Asterisk has said.
struct Told {
    events: u64,
    /// How many calls; the scenarios take turns.
    calls: usize,
}

impl Told {
    /// How many calls of each kind that were.
    fn calls(&self, scenarios: &[Recording]) -> BTreeMap<Facts, usize> {
        let mut calls = BTreeMap::new();
        for n in 0..self.calls {
            for call in scenarios[n % scenarios.len()].expected["calls"].as_array().into_iter().flatten() {
                *calls.entry(facts_due(call)).or_default() += 1;
            }
        }
        calls
    }
}

/// Direction, outcome, caller, callee, agent, queue.
type Facts = [String; 6];

/// What a good log says of a call.
fn facts_due(call: &Value) -> Facts {
    let from_to = [&call["from"]["number"], &call["to"]["number"]];
    [&call["direction"], &call["status"], from_to[0], from_to[1], &call["agent"], &call["queue"]].map(Value::to_string)
}

/// What the ledger says of it.
fn facts(call: &Value) -> Facts {
    let number = |side: &str| &call[side]["number"]["raw"];
    let agent = &call["agent"]["extension"];
    [&call["direction"], &call["outcome"], number("caller"), number("callee"), agent, &call["queue"]]
        .map(Value::to_string)
}

/// Waits until the ledger has these calls of a source as ended, no more and no others; how many they are.
async fn right(hub: &Hub, source: &str, due: &BTreeMap<Facts, usize>) -> Result<usize> {
    let began = Instant::now();
    loop {
        let (mut found, mut after) = (BTreeMap::new(), String::new());
        loop {
            let page = hub.get(&format!("/v1/calls?source={source}&phase=ended&limit=500{after}")).await;
            for record in page["items"].as_array().context("a page of calls")? {
                *found.entry(facts(&record["call"])).or_default() += 1;
            }
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        if found == *due {
            return Ok(due.values().sum());
        }
        if began.elapsed() > PATIENCE {
            bail!("{source} has not the calls that were told: {found:#?}, not {due:#?}");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Call after call at this rate, not faster than they are taken; the last one to its end.
async fn say(pbx: Arc<FakeAmi>, scenarios: Arc<[Recording]>, rate: u32, until: Instant) -> Told {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut told = Told { events: 0, calls: 0 };
    let mut events = Vec::new().into_iter();
    loop {
        ticks.tick().await;
        for _ in 0..rate / 100 {
            if pbx.waiting() > BACKLOG {
                break;
            }
            let Some(event) = events.next() else {
                if Instant::now() >= until {
                    return told;
                }
                let n = 1_000_000 + told.calls as u64;
                events = scenarios[told.calls % scenarios.len()].anew(n).events().into_iter();
                told.calls += 1;
                continue;
            };
            pbx.tell(&event);
            told.events += 1;
        }
    }
}

async fn hub(pbxs: &[(String, &FakeAmi)]) -> Hub {
    let source = |(name, pbx): &(String, &FakeAmi)| {
        format!(
            "[sources.{name}]\ncomponent = \"ami\"\nallow = [\"127.0.0.1\"]\nsettings = {{ host = \"127.0.0.1\", port = {}, \
             username = \"{USER}\", password = {{ env = \"AMI_PASSWORD\" }}, trunks = [\"PJSIP/trunk\"] }}\n",
            pbx.port()
        )
    };
    let tenant = "region = \"GB\"\n".to_owned() + &pbxs.iter().map(source).collect::<String>();
    let mut setup = Setup::of(&["ami"], tenant);
    setup.environment.push(("AMI_PASSWORD".to_owned(), SECRET.to_owned()));
    let hub = Hub::start(setup).await;
    for (_, pbx) in pbxs {
        pbx.logged_in(1).await;
    }
    hub
}
