//! Calls into Vtiger: by the hub's lanes with the adapter as a component, and by the same adapter compiled natively.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use cordboard_sdk::native::Connected;
use cordboard_sdk::prelude::*;
use cordboard_sdk::records::{Call, CallPhase, Direction, Recording};
use cordboard_sdk::testing::change;
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::vtiger::{FakeVtiger, Fault, HUB_KEY};
use cordboard_vtiger::Vtiger;
use serde_json::json;

use crate::load::{self, Requests};
use crate::table::Row;

/// Calls of one turn.
const CALLS: usize = 2_000;
const TURNS: usize = 2;

/// Deliveries at once, and changes in each: what a sink has unless it says otherwise.
const LANES: usize = 4;
const BATCH: usize = 20;

/// A turn takes no longer, or something is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Both, in turns, each into a Vtiger of its own.
pub async fn measure() -> Result<Vec<Row>> {
    let (mut hub, mut native) = (Turn::default(), Turn::default());
    for _ in 0..TURNS {
        hub.add(by_hub().await?);
        native.add(natively().await?);
    }
    let what = format!("deliveries through the Vtiger adapter, {LANES} at once");
    Ok(vec![
        Row::share(what.clone(), "/s", hub.rate, native.rate, 0.7),
        Row::plain(format!("{what}: requests for each"), "", hub.requests, native.requests),
    ])
}

/// What the turns came to.
#[derive(Default)]
struct Turn {
    /// Deliveries in a second.
    rate: f64,
    /// Requests to the CRM for each of them.
    requests: f64,
}

impl Turn {
    fn add(&mut self, turn: Turn) {
        self.rate += turn.rate / TURNS as f64;
        self.requests += turn.requests / TURNS as f64;
    }
}

/// All calls are owed before the first is delivered, so that taking them in is not measured.
async fn by_hub() -> Result<Turn> {
    let crm = FakeVtiger::prompt().await?;
    crm.faults().down(Fault::Page(503));
    let hub = Hub::start(Setup::vtiger(&crm.url())).await;
    let requests = tokio::task::spawn_blocking(|| Requests::ended(0..CALLS)).await?;
    let posted = load::run(hub.address(), 32, requests, PATIENCE).await?;
    ensure!(posted.requests == CALLS, "not every webhook was taken");
    crm.faults().forget();
    crm.faults().up();
    ensure!(hub.ask(axum::http::Method::POST, "/v1/deliveries/retry?sink=crm").await.status().is_success(), "no retry");
    rate(&crm).await.map_err(|why| why.context(hub.log()))
}

async fn natively() -> Result<Turn> {
    let crm = FakeVtiger::prompt().await?;
    let host = Connected::new(&json!({ "url": crm.url(), "username": "hub", "access_key": HUB_KEY }));
    let changes: Vec<Change> = (0..CALLS).map(|n| change(&format!("call-{n}"), ended(&PbxCall::number(n)))).collect();
    let waiting = std::sync::Arc::new(Mutex::new(changes));
    let login = host.clone();
    let grant = tokio::task::spawn_blocking(move || Vtiger::issue(&login, None)).await?;
    host.set_grant(Some(grant.map_err(|why| anyhow::anyhow!("no login: {why:?}"))?));
    let lanes: Vec<_> = (0..LANES)
        .map(|_| {
            let (host, waiting) = (host.clone(), waiting.clone());
            tokio::task::spawn_blocking(move || {
                loop {
                    let taken: Vec<Change> = {
                        let mut waiting = waiting.lock().expect("nobody panics with it");
                        let keep = waiting.len().saturating_sub(BATCH);
                        waiting.split_off(keep)
                    };
                    if taken.is_empty() {
                        return Ok(());
                    }
                    let outcomes = Vtiger::deliver(&host, taken);
                    if let Some(other) = outcomes.iter().find(|outcome| !matches!(outcome, Outcome::Done(_))) {
                        bail!("natively not delivered: {other:?}");
                    }
                }
            })
        })
        .collect();
    let rate = rate(&crm).await;
    for lane in lanes {
        lane.await??;
    }
    rate
}

/// From a tenth of the calls to the last: how they come in is not measured.
async fn rate(crm: &FakeVtiger) -> Result<Turn> {
    let begun = Instant::now();
    let mut first = None;
    loop {
        let count = crm.count("PBXManager");
        if count >= CALLS / 10 && first.is_none() {
            first = Some((count, crm.faults().requests(), Instant::now()));
        }
        if let Some((before, asked, since)) = first
            && count >= CALLS
        {
            let calls = (count - before) as f64;
            let requests = (crm.faults().requests() - asked) as f64;
            return Ok(Turn { rate: calls / since.elapsed().as_secs_f64(), requests: requests / calls });
        }
        ensure!(begun.elapsed() < PATIENCE, "only {count} of {CALLS} calls came into Vtiger");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The call as the hub makes it of the PBX's last post.
fn ended(call: &PbxCall) -> Call {
    const START: u64 = 1_795_252_220_000;
    let number = |raw: &str| {
        let phone = Phone { raw: raw.into(), e164: Some(raw.into()), ..Phone::default() };
        Some(Party { number: Some(phone), ..Party::default() })
    };
    Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        direction: Some(Direction::Inbound),
        caller: number(&call.from),
        callee: number("+34911000000"),
        agent: Some(Agent::extension(&call.extension)),
        started_at: Some(START),
        ended_at: Some(START + 145_000),
        duration: Some(145),
        recordings: vec![Recording {
            id: "r1".into(),
            url: Some(format!("https://pbx.example.test/rec/{}.wav", call.id)),
            ..Recording::default()
        }],
        system: Some("demo".into()),
        ..Call::default()
    }
}
