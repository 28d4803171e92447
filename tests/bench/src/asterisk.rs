//! An Asterisk behind a socket: how soon a frame is there after the bytes that caused it, and how much one hub takes of
//! many of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cordboard_tests::ami::{FakeAmi, Recording, SECRET, USER};
use cordboard_tests::hub::{Hub, Setup};
use tokio::task::JoinSet;

use crate::child::{memory, processor};
use crate::sockets::{Listeners, Server};
use crate::table::{Row, percentile};

/// The sockets that every frame goes to.
const LISTENERS: usize = 1_000;

/// Calls whose ringing is timed.
const CALLS: u64 = 200;

/// Events of another Asterisk meanwhile, in a second.
const LOAD: u32 = 500;

/// Asterisks of the soak, and what each of them would say in a second.
const MANY: usize = 50;
const RATE: u32 = 2_000;

/// How long the soak takes, and how much more memory the hub may hold at its end than after a quarter of it.
const SOAK: Duration = Duration::from_secs(20);
const GROWTH: f64 = 1.1;

/// Calls that are left open in all, for their memory.
const OPEN: u64 = 5_000;

/// Events that may wait for a hub that is slower.
const BACKLOG: usize = 2_000;

/// Both.
pub async fn measure() -> Result<Vec<Row>> {
    let mut rows = latency().await?;
    rows.extend(soak().await?);
    Ok(rows)
}

/// From an Asterisk's bytes to the frame, at each of many sockets.
async fn latency() -> Result<Vec<Row>> {
    let (probe, load) = (Arc::new(FakeAmi::start("asterisk-22").await), Arc::new(FakeAmi::start("asterisk-22").await));
    let hub = hub(&[("probe".to_owned(), &*probe), ("load".to_owned(), &*load)]).await;
    let recording = Recording::load("asterisk-22", "a_inbound_answered");
    let server = Server::of(&hub, "/v1/live?sources=probe&types=call.ringing");
    let mut listeners = Listeners::silent(&server, LISTENERS).await?;
    let busy = tokio::spawn(say(load.clone(), recording.clone(), LOAD, Instant::now() + Duration::from_secs(600)));
    for n in 1..=CALLS {
        let call = recording.anew(n);
        listeners.expect();
        let rest = probe.ring(&call);
        listeners.everybody().await.with_context(|| format!("call {n}"))?;
        probe.finish(rest);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    busy.abort();
    let mut late = listeners.late();
    let (half, most) = (percentile(&mut late, 50) / 1000.0, percentile(&mut late, 99) / 1000.0);
    let what = format!("Asterisk's bytes → frame, at each of {LISTENERS} sockets, {LOAD} events/s beside it");
    Ok(vec![Row::below(format!("{what}: p50"), "ms", half, 20.0), Row::below(format!("{what}: p99"), "ms", most, 20.0)])
}

/// As many connections as say as much as the machine takes.
async fn soak() -> Result<Vec<Row>> {
    let mut pbxs = Vec::new();
    for n in 0..MANY {
        pbxs.push((format!("pbx-{n}"), Arc::new(FakeAmi::start("asterisk-22").await)));
    }
    let named: Vec<(String, &FakeAmi)> = pbxs.iter().map(|(name, pbx)| (name.clone(), &**pbx)).collect();
    let hub = hub(&named).await;
    let recording = Recording::load("asterisk-22", "a_inbound_answered");

    // Before anything was freed that open calls could take: each session has seen some calls, no more.
    for n in 0..4 * MANY {
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
    for (_, pbx) in &pbxs {
        saying.spawn(say(pbx.clone(), recording.clone(), RATE, began + SOAK));
    }
    tokio::time::sleep(SOAK / 4).await;
    let quarter = memory(hub.pid(), "VmRSS")?;
    let said: u64 = saying.join_all().await.into_iter().sum();
    let end = memory(hub.pid(), "VmRSS")?;
    let waiting: usize = pbxs.iter().map(|(_, pbx)| pbx.waiting()).sum();
    let (took, used) = (began.elapsed().as_secs_f64(), processor(hub.pid())? - used);
    let taken = said as f64 - waiting as f64;
    let sources = hub.get("/v1/sources").await;
    let lost = sources.as_array().into_iter().flatten().filter(|source| source["connection"]["connects"] != 1).count();
    ensure!(lost == 0, "{lost} connections were lost under the load");
    let what = format!("{MANY} Asterisks at {RATE} events/s each");
    Ok(vec![
        Row::told(format!("{what}: taken"), format!("{:.0} events/s", taken / took)),
        Row::told(format!("{what}: for each second of a core"), format!("{:.0} events", taken / used)),
        Row::below(format!("{what}: memory at the end, of that after a quarter"), "×", end / quarter, GROWTH)
            .beside(format!("{quarter:.0} MiB, then {end:.0}"), None),
        Row::told(format!("{what}: memory of an open call"), format!("{each:.1} KiB")),
    ])
}

/// Call after call at this rate, not faster than they are taken; how many events that were.
async fn say(pbx: Arc<FakeAmi>, recording: Recording, rate: u32, until: Instant) -> u64 {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let (mut said, mut n) = (0, 1_000_000);
    let mut events = Vec::new().into_iter();
    while Instant::now() < until {
        ticks.tick().await;
        for _ in 0..rate / 100 {
            if pbx.waiting() > BACKLOG {
                break;
            }
            let event = match events.next() {
                Some(event) => event,
                None => {
                    n += 1;
                    events = recording.anew(n).events().into_iter();
                    continue;
                }
            };
            pbx.tell(&event);
            said += 1;
        }
    }
    said
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
