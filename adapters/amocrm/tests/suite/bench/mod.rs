//! The adapter, natively, against the fake amoCRM over real HTTP; the hub's part is played by a few lines.

use std::cell::Cell;

use cordboard_amocrm::Amocrm;
use cordboard_sdk::bindings::base::cordboard::hub::host::Content;
use cordboard_sdk::http::Error;
use cordboard_sdk::native::Connected;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::change;
use cordboard_tests::amocrm::{self, ANNA, FakeAmocrm};

/// 2026-11-21 09:10:30 UTC.
pub const START: Instant = 1_795_252_230_000;

/// A number that the account knows, written as people write it.
pub const KNOWN: &str = "+79990001122";

/// A number that nobody has.
pub const STRANGER: &str = "+79995556677";

pub struct Bench {
    // Ends before the runtime that it runs on.
    pub crm: FakeAmocrm,
    pub host: Connected,
    /// The contact of the known number.
    pub ivan: u64,
    _runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// An account with one contact, logged in, with further settings.
    pub fn with(more: Value) -> Self {
        let bench = Self::outside(more);
        bench.login().unwrap();
        bench.crm.faults().forget();
        bench
    }

    /// The same, not logged in.
    pub fn outside(more: Value) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let crm = runtime.block_on(FakeAmocrm::start()).unwrap();
        let ivan = crm.world().contact("Ivan", "8 (999) 000-11-22", ANNA);
        let host = host(&crm, more);
        Self { crm, host, ivan, _runtime: runtime }
    }

    /// The same account under other settings, with the same grant.
    pub fn again(&mut self, more: Value) {
        let grant = self.host.grant();
        self.host = host(&self.crm, more);
        self.host.set_grant(grant);
        self.login().unwrap();
    }

    pub fn login(&self) -> Result<(), Failure> {
        let grant = Amocrm::issue(&self.host, self.host.grant())?;
        self.host.set_grant(Some(grant));
        Ok(())
    }

    /// What the hub does: one new grant on `unauthorized`, and one more try of what was refused.
    pub fn deliver(&self, changes: &[Change]) -> Vec<Outcome> {
        let mut outcomes = Amocrm::deliver(&self.host, changes.to_vec());
        let refused = |outcome: &Outcome| matches!(outcome, Outcome::Failed(Failure::Unauthorized(_)));
        let again: Vec<usize> = (0..outcomes.len()).filter(|at| refused(&outcomes[*at])).collect();
        if again.is_empty() {
            return outcomes;
        }
        self.login().unwrap();
        let new = Amocrm::deliver(&self.host, again.iter().map(|at| changes[*at].clone()).collect());
        again.into_iter().zip(new).for_each(|(at, outcome)| outcomes[at] = outcome);
        outcomes
    }

    /// Goes on as the hub does, until nothing is left to do: what passes is another try, and what makes the lane wait or
    /// pause is none.
    pub fn settle(&self, changes: &[Change]) {
        let mut due = changes.to_vec();
        for _ in 0..8 {
            let outcomes = self.deliver(&due);
            let left = due.iter().zip(outcomes).filter_map(|(change, outcome)| match outcome {
                Outcome::Done(_) | Outcome::Skipped(_) => None,
                Outcome::Failed(Failure::Retryable(_)) => Some(repeated(change)),
                Outcome::Failed(Failure::RateLimited(_) | Failure::Unauthorized(_) | Failure::Misconfigured(_)) => {
                    Some(change.clone())
                }
                other => panic!("nothing to be tried again: {other:?}"),
            });
            due = left.collect();
            if due.is_empty() {
                return;
            }
        }
        panic!("still due: {:?}", due.iter().map(|change| &change.subject.id).collect::<Vec<_>>());
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

    pub fn skipped(&self, change: &Change) -> String {
        match self.deliver(std::slice::from_ref(change)).remove(0) {
            Outcome::Skipped(why) => why,
            other => panic!("not skipped: {other:?}"),
        }
    }

    /// The one note of a call.
    pub fn note(&self, uniq: &str) -> Value {
        let mut notes = self.crm.world().calls(uniq);
        assert_eq!(notes.len(), 1, "{notes:#?}");
        notes.remove(0)
    }

    /// How many requests something takes.
    pub fn requests(&self, work: impl FnOnce()) -> usize {
        let before = self.crm.faults().log().len();
        work();
        self.crm.faults().log().len() - before
    }
}

/// A bench's host on which each request takes so many milliseconds, by its clock alone.
pub struct Slow<'b> {
    host: &'b Connected,
    each: u64,
    took: Cell<u64>,
}

impl<'b> Slow<'b> {
    pub fn new(host: &'b Connected, each: u64) -> Self {
        Self { host, each, took: Cell::new(0) }
    }

    /// What all requests took together.
    pub fn took(&self) -> u64 {
        self.took.get()
    }
}

impl Host for Slow<'_> {
    fn settings(&self) -> &str {
        self.host.settings()
    }

    fn grant(&self) -> Option<Grant> {
        self.host.grant()
    }

    fn log(&self, level: Level, message: &str) {
        self.host.log(level, message);
    }

    fn now(&self) -> Instant {
        START + self.took.get()
    }

    fn random(&self, bytes: &mut [u8]) {
        self.host.random(bytes);
    }

    fn send(&self, request: Request) -> Result<Response, Error> {
        self.took.set(self.took.get() + self.each);
        self.host.send(request)
    }

    fn fetch(&self, url: &str, limit: u64) -> Result<Content, Failure> {
        self.host.fetch(url, limit)
    }
}

fn host(crm: &FakeAmocrm, more: Value) -> Connected {
    let mut settings = json!({
        "url": crm.url(), "client_id": amocrm::CLIENT, "client_secret": amocrm::SECRET,
        "redirect_uri": amocrm::REDIRECT, "code": amocrm::CODE,
        "users": {"101": ANNA, "102": "Boris@Example.com"},
    });
    settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    Connected::new(&settings)
}

/// What the delivery after this one is given.
pub fn next(mut change: Change, receipt: &Receipt, item: impl Into<Item>) -> Change {
    change.revision += 1;
    change.external_id = receipt.external_id.clone();
    change.memo = receipt.memo.clone();
    change.item = item.into();
    change
}

/// The same once more: the hub does not know whether the first try was carried out.
pub fn repeated(change: &Change) -> Change {
    Change { attempt: change.attempt + 1, ..change.clone() }
}

pub fn number(e164: &str) -> Party {
    let phone = Phone { raw: e164.into(), e164: Some(e164.into()), ..Phone::default() };
    Party { number: Some(phone), ..Party::default() }
}

/// An incoming call that extension 101 took.
pub fn finished(from: &str) -> Call {
    Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        direction: Some(Direction::Inbound),
        caller: Some(number(from)),
        agent: Some(Agent::extension("101")),
        started_at: Some(START),
        answered_at: Some(START + 10_000),
        ended_at: Some(START + 83_000),
        talk: Some(73),
        ..Call::default()
    }
}

/// An incoming call that nobody took.
pub fn missed(from: &str) -> Call {
    Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("no-answer".into()),
        direction: Some(Direction::Inbound),
        caller: Some(number(from)),
        started_at: Some(START),
        ended_at: Some(START + 30_000),
        ..Call::default()
    }
}

/// A call that extension 102 placed.
pub fn placed(to: &str) -> Call {
    Call {
        direction: Some(Direction::Outbound),
        caller: Some(Party { agent: Some(Agent::extension("102")), ..Party::default() }),
        callee: Some(number(to)),
        agent: Some(Agent::extension("102")),
        ..finished(to)
    }
}

pub fn desk(extension: &str, rang_at: Instant) -> Desk {
    Desk { extension: extension.into(), rang_at, answered_at: None, stopped_at: None }
}

pub fn recorded(mut call: Call, url: &str) -> Call {
    call.recordings.push(Recording { id: "r1".into(), url: Some(url.into()), ..Recording::default() });
    call
}

pub fn first(id: &str, item: impl Into<Item>) -> Change {
    change(id, item)
}
