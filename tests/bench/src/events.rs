//! The events of an Asterisk: in a session of the component, as the hub runs it, and by the same code natively.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant as Clock;

use anyhow::{Context, Result, ensure};
use cordboard::components::contract;
use cordboard::components::{Handle, Limits, Runtime, RuntimeOptions, Session, Use, UseOptions};
use cordboard::model::{Instant, Numbering};
use cordboard_sdk::abilities::{Action, Dialog, Input};
use cordboard_sdk::native::Connected;
use cordboard_tests::ami::{Recording, SECRET, USER};
use cordboard_tests::built::component;
use serde_json::{Value, json};

use crate::table::Row;

/// As much as the hub reads at once.
const CHUNK: usize = 64 * 1024;

/// How often all recordings are told in one turn, each time as other calls: a session lives for days, so its beginning is
/// not to count.
const ROUNDS: u64 = 60;

/// Turns of each, one after the other; the quickest counts: what disturbs it is not its own.
const TURNS: usize = 5;

/// What must be reached: events in a second, and the component's share of what the same code does natively.
const RATE: f64 = 100_000.0;
const SHARE: f64 = 0.5;

/// When the calls begin, in milliseconds since 1970, and how much time goes by with each chunk.
const BEGAN: u64 = 1_795_246_343_000;
const STEP: u64 = 2_000;

const LOGIN: &[u8] =
    b"Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: cordboard-1\r\n\r\nEvent: FullyBooted\r\n\r\n";

/// Both, and their ratio.
pub async fn measure() -> Result<Vec<Row>> {
    let recordings = Recording::all("asterisk-22");
    let mut bytes = Vec::new();
    let mut events = 0_u32;
    for round in 1..=ROUNDS {
        for event in recordings.iter().flat_map(|recording| recording.anew(round).events()) {
            bytes.extend_from_slice(&event);
            events += 1;
        }
    }
    let chunks: Vec<&[u8]> = bytes.chunks(CHUNK).collect();
    let settings = json!({ "host": "127.0.0.1", "username": USER, "password": SECRET, "trunks": ["PJSIP/trunk"] });
    let cache = tempfile::tempdir()?;
    let runtime = Runtime::new(RuntimeOptions { cache: Some(cache.path().to_owned()), ..RuntimeOptions::default() })?;
    let used = in_a_hub(&runtime, settings.clone()).await?;
    let host = Connected::new(&settings);
    let (mut inside, mut native) = (f64::MAX, f64::MAX);
    for _ in 0..TURNS {
        let began = Clock::now();
        let seen = told(used.open_session().await?, &chunks).await?;
        inside = inside.min(began.elapsed().as_secs_f64());
        let began = Clock::now();
        let same = told_natively(&host, &chunks);
        native = native.min(began.elapsed().as_secs_f64());
        ensure!(seen == same && seen > 0, "the component reports {seen} sightings, the same code natively {same}");
    }
    let rate = |seconds: f64| f64::from(events) / seconds;
    let what = "events of an Asterisk, through the component on one core";
    let mut enough = Row::told(format!("{what}: in a second"), format!("{:.0}", rate(inside)));
    (enough.must, enough.reached) = (format!("≥ {RATE:.0}"), Some(rate(inside) >= RATE));
    Ok(vec![Row::share(what.to_owned(), "/s", rate(inside), rate(native), SHARE), enough])
}

async fn in_a_hub(runtime: &Arc<Runtime>, settings: Value) -> Result<Arc<Use>> {
    let loaded = runtime.load(&component("ami")).await?;
    let options = UseOptions {
        tenant: "acme".into(),
        name: "pbx".into(),
        settings,
        secrets: Vec::new(),
        allow: Vec::new(),
        databases: BTreeMap::new(),
        numbering: Arc::new(Numbering::default()),
        limits: Limits::default(),
    };
    Ok(Use::new(runtime, Handle::new(loaded), options)?)
}

/// What a session reports of all of it.
async fn told(mut session: Session, chunks: &[&[u8]]) -> Result<usize> {
    use contract::{Action, Input};
    let (mut timers, mut seen) = (Timers::default(), 0);
    for (now, bytes) in pieces(chunks) {
        let mut inputs: Vec<Input> = timers.due(now).map(Input::Timer).collect();
        inputs.extend(now.eq(&BEGAN).then_some(Input::Opened));
        inputs.push(Input::Bytes(bytes));
        for action in session.handle(Instant::from_millis(now).context("a moment")?, inputs).await? {
            match action {
                Action::Observe(_) => seen += 1,
                Action::SetTimer { number, after } => timers.set(number, now, after.as_millis() as u64),
                Action::CancelTimer(number) => timers.cancel(number),
                _ => {}
            }
        }
    }
    Ok(seen)
}

/// The same without a sandbox.
fn told_natively(host: &Connected, chunks: &[&[u8]]) -> usize {
    let mut session = cordboard_ami::Session::begin(host);
    let (mut timers, mut seen) = (Timers::default(), 0);
    for (now, bytes) in pieces(chunks) {
        let mut inputs: Vec<Input> = timers.due(now).map(Input::Timer).collect();
        inputs.extend(now.eq(&BEGAN).then_some(Input::Opened));
        inputs.push(Input::Bytes(bytes));
        for action in session.handle(host, now, inputs) {
            match action {
                Action::Observe(_) => seen += 1,
                Action::SetTimer(timer) => timers.set(timer.number, now, timer.after),
                Action::CancelTimer(number) => timers.cancel(number),
                _ => {}
            }
        }
    }
    seen
}

/// The login, then the chunks, each at its time.
fn pieces(chunks: &[&[u8]]) -> impl Iterator<Item = (u64, Vec<u8>)> {
    let all = std::iter::once(&LOGIN).chain(chunks);
    all.zip(0..).map(|(bytes, n)| (BEGAN + n * STEP, bytes.to_vec()))
}

/// The timers of a session, by a clock that only the chunks move.
#[derive(Default)]
struct Timers(BTreeMap<u32, u64>);

impl Timers {
    fn set(&mut self, number: u32, now: u64, after: u64) {
        self.0.insert(number, now + after);
    }

    fn cancel(&mut self, number: u32) {
        self.0.remove(&number);
    }

    fn due(&mut self, now: u64) -> impl Iterator<Item = u32> {
        let (due, later) = std::mem::take(&mut self.0).into_iter().partition::<BTreeMap<_, _>, _>(|(_, at)| *at <= now);
        self.0 = later;
        due.into_keys()
    }
}
