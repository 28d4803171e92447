//! The adapter, natively, against the fake Vtiger over real HTTP; the hub's part is played by a few lines.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use cordboard_sdk::native::Connected;
use cordboard_sdk::prelude::*;
use cordboard_sdk::records::{Call, CallPhase, Direction, Recording};
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::change;
use cordboard_sdk::{Host, http};
use cordboard_tests::vtiger::{FakeVtiger, HUB_KEY};
use cordboard_vtiger::Vtiger;

/// 2026-11-21 09:10:30 UTC.
pub const START: Instant = 1_795_252_230_000;

/// The number of the recorded contact 12x3, Caller O'One.
pub const ONE: &str = "+442079460123";

pub struct Bench {
    // Ends before the runtime that it runs on.
    pub crm: FakeVtiger,
    pub host: Files,
    _runtime: tokio::runtime::Runtime,
}

/// A host over real connections that has a few files.
#[derive(Clone)]
pub struct Files {
    connected: Connected,
    pub files: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    /// So many times more whoever has the files does not answer.
    pub away: Arc<Mutex<u32>>,
}

impl Host for Files {
    fn settings(&self) -> &str {
        self.connected.settings()
    }

    fn grant(&self) -> Option<Grant> {
        self.connected.grant()
    }

    fn log(&self, level: Level, message: &str) {
        self.connected.log(level, message);
    }

    fn now(&self) -> Instant {
        self.connected.now()
    }

    fn random(&self, bytes: &mut [u8]) {
        self.connected.random(bytes);
    }

    fn send(&self, request: Request) -> Result<Response, http::Error> {
        self.connected.send(request)
    }

    fn fetch(
        &self,
        url: &str,
        limit: u64,
    ) -> Result<cordboard_sdk::bindings::base::cordboard::hub::host::Content, Failure> {
        let mut away = self.away.lock().unwrap();
        if *away > 0 {
            *away -= 1;
            return Err(Failure::retryable(format!("{url}: HTTP 503")));
        }
        let bytes = self.files.lock().unwrap().get(url).cloned();
        let bytes = bytes.ok_or_else(|| Failure::rejected("http-404", format!("{url}: not found")))?;
        if bytes.len() as u64 > limit {
            return Err(Failure::rejected("too-long", format!("{url} is longer than {limit} bytes")));
        }
        Ok(cordboard_sdk::bindings::base::cordboard::hub::host::Content {
            media_type: Some("audio/x-wav".into()),
            bytes,
        })
    }
}

impl Bench {
    /// The recorded server, logged in, with further settings.
    pub fn with(more: Value) -> Self {
        let bench = Self::outside(more);
        bench.login().unwrap();
        bench
    }

    /// The recorded server, not logged in.
    pub fn outside(more: Value) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let crm = runtime.block_on(FakeVtiger::start()).unwrap();
        let host = host(&crm, more);
        Self { crm, host, _runtime: runtime }
    }

    /// The same server under other settings.
    pub fn again(&mut self, more: Value) {
        self.host = host(&self.crm, more);
        self.login().unwrap();
    }

    pub fn login(&self) -> Result<(), Failure> {
        let grant = Vtiger::issue(&self.host, self.host.grant())?;
        self.host.connected.set_grant(Some(grant));
        Ok(())
    }

    /// What the hub does: one new grant on `unauthorized`, and one more try.
    pub fn deliver(&self, changes: &[Change]) -> Vec<Outcome> {
        let outcomes = Vtiger::deliver(&self.host, changes.to_vec());
        if outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed(Failure::Unauthorized(_)))) {
            self.login().unwrap();
            return Vtiger::deliver(&self.host, changes.to_vec());
        }
        outcomes
    }

    pub fn one(&self, change: &Change) -> Receipt {
        match self.deliver(std::slice::from_ref(change)).remove(0) {
            Outcome::Done(receipt) => receipt,
            other => panic!("not done: {other:?}"),
        }
    }

    pub fn fails(&self, change: &Change) -> Failure {
        match self.deliver(std::slice::from_ref(change)).remove(0) {
            Outcome::Failed(failure) => failure,
            other => panic!("not failed: {other:?}"),
        }
    }

    /// The one record of the module.
    pub fn record(&self, module: &str) -> BTreeMap<String, String> {
        let mut records = self.crm.records(module);
        assert_eq!(records.len(), 1, "{records:#?}");
        records.remove(0)
    }

    /// How many requests something takes.
    pub fn requests(&self, work: impl FnOnce()) -> usize {
        let before = self.crm.faults().requests();
        work();
        self.crm.faults().requests() - before
    }
}

fn host(crm: &FakeVtiger, more: Value) -> Files {
    let mut settings = json!({"url": crm.url(), "username": "hub", "access_key": HUB_KEY});
    settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    Files { connected: Connected::new(&settings), files: Default::default(), away: Default::default() }
}

/// What the delivery after this one is given.
pub fn next(mut change: Change, receipt: &Receipt, call: Call) -> Change {
    change.revision += 1;
    change.external_id = receipt.external_id.clone();
    change.memo = receipt.memo.clone();
    change.item = call.into();
    change
}

pub fn number(e164: &str) -> Party {
    let phone = Phone { raw: e164.into(), e164: Some(e164.into()), ..Phone::default() };
    Party { number: Some(phone), ..Party::default() }
}

/// An incoming call that extension 101 took.
pub fn finished() -> Call {
    Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        direction: Some(Direction::Inbound),
        caller: Some(number(ONE)),
        callee: Some(Party { agent: Some(Agent::extension("101")), ..Party::default() }),
        agent: Some(Agent::extension("101")),
        started_at: Some(START),
        answered_at: Some(START + 10_000),
        ended_at: Some(START + 145_000),
        duration: Some(145),
        talk: Some(135),
        recordings: vec![Recording {
            id: "r1".into(),
            url: Some("https://pbx.example.test/rec/5f1c2f0e.wav".into()),
            ..Recording::default()
        }],
        system: Some("asterisk-main".into()),
        ..Call::default()
    }
}

/// The same call while it rings.
pub fn ringing() -> Call {
    Call {
        phase: Some(CallPhase::Ringing),
        direction: Some(Direction::Inbound),
        caller: Some(number(ONE)),
        started_at: Some(START),
        ..Call::default()
    }
}

pub fn first(id: &str, call: Call) -> Change {
    change(id, call)
}
