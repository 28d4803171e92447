//! What a test can do to the server, and what the server remembers of what was asked.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A proxy in front answers with this status and a page of HTML; nothing is done.
    Page(u16),
    /// Everything is done, and no answer ever comes.
    Hangs,
    /// Everything is done, and the proxy answers with this status and a page of HTML.
    Lost(u16),
}

/// The switches. All of them can be turned while the server runs.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Set>);

#[derive(Debug, Default)]
struct Set {
    next: VecDeque<(String, Fault)>,
    down: Option<Fault>,
    asked: Vec<String>,
}

impl Faults {
    fn set(&self) -> MutexGuard<'_, Set> {
        self.0.lock().expect("faults")
    }

    /// The next request whose line (`POST /api/…`) has this in it meets the fault.
    pub fn next(&self, part: &str, fault: Fault) {
        self.set().next.push_back((part.to_owned(), fault));
    }

    /// Every request meets this fault, until `up`.
    pub fn down(&self, fault: Fault) {
        self.set().down = Some(fault);
    }

    /// Ends `down`.
    pub fn up(&self) {
        self.set().down = None;
    }

    /// The lines of all requests.
    pub fn asked(&self) -> Vec<String> {
        self.set().asked.clone()
    }

    /// How many requests had this in their line.
    pub fn count(&self, part: &str) -> usize {
        self.set().asked.iter().filter(|line| line.contains(part)).count()
    }

    pub(super) fn meet(&self, line: &str) -> Option<Fault> {
        let mut set = self.set();
        set.asked.push(line.to_owned());
        let at = set.next.iter().position(|(part, _)| line.contains(part.as_str()));
        at.and_then(|at| set.next.remove(at)).map(|(_, fault)| fault).or_else(|| set.down.clone())
    }
}
