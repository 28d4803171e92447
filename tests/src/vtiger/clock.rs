//! The server's clock: real time, or a moment that a test has set.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, and what a test adds to them.
#[derive(Debug, Default)]
pub struct Clock {
    set: Mutex<Set>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Set {
    frozen: Option<i64>,
    ahead: i64,
}

impl Clock {
    /// The present moment.
    pub fn now(&self) -> i64 {
        let set = *self.set.lock().expect("clock");
        let base = set
            .frozen
            .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64));
        base + set.ahead
    }

    /// The present moment as Vtiger writes it.
    pub fn text(&self) -> String {
        jiff::Timestamp::from_second(self.now())
            .map(|moment| moment.strftime("%Y-%m-%d %H:%M:%S").to_string())
            .unwrap_or_default()
    }

    /// Stops the clock at a moment.
    pub fn freeze(&self, second: i64) {
        *self.set.lock().expect("clock") = Set { frozen: Some(second), ahead: 0 };
    }

    /// Moves the clock on.
    pub fn advance(&self, seconds: i64) {
        self.set.lock().expect("clock").ahead += seconds;
    }
}
