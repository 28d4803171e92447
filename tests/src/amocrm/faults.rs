//! What a test can do to the server, and what the server remembers of what was asked.

use std::collections::VecDeque;
use std::sync::Mutex;

use serde_json::Value;

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Answers this status with a page of HTML; nothing is done.
    Page(u16),
    /// Answers 401 as for a token that has ended; nothing is done.
    Stranger,
    /// Answers this JSON with this status; nothing is done.
    Says(u16, String),
    /// Nothing is done, and nothing is ever answered.
    Hangs,
    /// Everything is done, and a proxy answers 504.
    Lost,
    /// Everything is done, and the connection breaks in the middle of the answer.
    Breaks,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Logged {
    /// "POST /api/v4/calls".
    pub what: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The JSON body; null when there was none.
    pub body: Value,
    /// The answer's status; 0 when there was none.
    pub status: u16,
}

/// The switches.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Set>);

#[derive(Debug, Default)]
struct Set {
    down: Option<Fault>,
    next: VecDeque<(String, Fault)>,
    log: Vec<Logged>,
}

impl Faults {
    fn set(&self) -> std::sync::MutexGuard<'_, Set> {
        self.0.lock().expect("faults")
    }

    /// Every request meets this fault, until `up`.
    pub fn down(&self, fault: Fault) {
        self.set().down = Some(fault);
    }

    /// Ends `down`.
    pub fn up(&self) {
        self.set().down = None;
    }

    /// The next request whose method and path hold this text meets the fault.
    pub fn next(&self, what: &str, fault: Fault) {
        self.set().next.push_back((what.to_owned(), fault));
    }

    /// Every request so far.
    pub fn log(&self) -> Vec<Logged> {
        self.set().log.clone()
    }

    /// How many requests there were whose method and path hold this text.
    pub fn count(&self, what: &str) -> usize {
        self.set().log.iter().filter(|logged| logged.what.contains(what)).count()
    }

    /// The body of the latest request whose method and path hold this text.
    pub fn latest(&self, what: &str) -> Value {
        let set = self.set();
        let found = set.log.iter().rev().find(|logged| logged.what.contains(what));
        found.map(|logged| logged.body.clone()).unwrap_or_default()
    }

    /// Forgets requests, not the switches.
    pub fn forget(&self) {
        self.set().log.clear();
    }

    pub(super) fn meet(&self, what: &str) -> Option<Fault> {
        let mut set = self.set();
        let at = set.next.iter().position(|(wanted, _)| what.contains(wanted.as_str()));
        at.and_then(|at| set.next.remove(at)).map(|(_, fault)| fault).or_else(|| set.down.clone())
    }

    pub(super) fn record(&self, logged: Logged) {
        self.set().log.push(logged);
    }
}
