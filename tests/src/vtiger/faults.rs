//! What a test can do to the server, and what the server remembers of what was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// PHP dies before it has done anything: HTTP 500, no body.
    Dies,
    /// The proxy in front answers with this status and an HTML page; nothing is done.
    Page(u16),
    /// The proxy in front asks for less: HTTP 429 with so many seconds in `Retry-After`; nothing is done.
    TooMany(u64),
    /// Everything is done, and no answer ever comes.
    Hangs,
    /// Everything is done, and the connection breaks in the middle of the answer.
    Breaks,
    /// An answer with `success: false`; nothing is done.
    Refuses(&'static str),
}

/// One request that was answered, or was to be.
#[derive(Debug, Clone)]
pub struct Logged {
    /// "create".
    pub operation: String,
    /// "GET" or "POST".
    pub posted: bool,
    /// The module of a create, the query's text, or the id.
    pub about: String,
    /// "ok", a refusal's code, "500", or what fault there was.
    pub answer: String,
}

/// The switches. All of them can be turned while the server runs.
#[derive(Debug, Default)]
pub struct Faults {
    set: Mutex<Set>,
}

#[derive(Debug, Default)]
struct Set {
    latency: Duration,
    down: Option<Fault>,
    next: VecDeque<(String, Fault)>,
    log: VecDeque<Logged>,
    counts: HashMap<String, usize>,
    created: HashMap<String, usize>,
}

/// How many requests the log keeps.
const LOG: usize = 10_000;

impl Faults {
    fn set(&self) -> std::sync::MutexGuard<'_, Set> {
        self.set.lock().expect("faults")
    }

    /// Every request takes so long, one after the other on one session.
    pub fn latency(&self, latency: Duration) {
        self.set().latency = latency;
    }

    /// Every request meets this fault, until `up`.
    pub fn down(&self, fault: Fault) {
        self.set().down = Some(fault);
    }

    /// Ends `down`.
    pub fn up(&self) {
        self.set().down = None;
    }

    /// The next request of this operation meets the fault. Several are met in the order they were set.
    pub fn next(&self, operation: &str, fault: Fault) {
        self.set().next.push_back((operation.to_owned(), fault));
    }

    /// How many requests there were of an operation.
    pub fn count(&self, operation: &str) -> usize {
        self.set().counts.get(operation).copied().unwrap_or_default()
    }

    /// How many requests there were.
    pub fn requests(&self) -> usize {
        self.set().counts.values().sum()
    }

    /// How many records were created with this value in the field that names the call.
    pub fn creates_of(&self, call: &str) -> usize {
        self.set().created.get(call).copied().unwrap_or_default()
    }

    /// The calls that were created more than once.
    pub fn doubled(&self) -> Vec<String> {
        self.set().created.iter().filter(|(_, count)| **count > 1).map(|(call, _)| call.clone()).collect()
    }

    /// The latest requests, oldest first.
    pub fn log(&self) -> Vec<Logged> {
        self.set().log.iter().cloned().collect()
    }

    /// Forgets requests and counts, not the switches.
    pub fn forget(&self) {
        let mut set = self.set();
        set.log.clear();
        set.counts.clear();
        set.created.clear();
    }

    pub(super) fn meet(&self, operation: &str) -> (Duration, Option<Fault>) {
        let mut set = self.set();
        let at = set.next.iter().position(|(wanted, _)| wanted == operation || wanted == "*");
        let fault = at.and_then(|at| set.next.remove(at)).map(|(_, fault)| fault).or_else(|| set.down.clone());
        (set.latency, fault)
    }

    pub(super) fn record(&self, logged: Logged) {
        let mut set = self.set();
        *set.counts.entry(logged.operation.clone()).or_default() += 1;
        if set.log.len() == LOG {
            set.log.pop_front();
        }
        set.log.push_back(logged);
    }

    pub(super) fn created(&self, call: String) {
        *self.set().created.entry(call).or_default() += 1;
    }
}
