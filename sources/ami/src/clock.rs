//! What time it is for the calls: the hub's clock, mended.

use crate::message::Message;

/// How late an event may be before its time stamp is taken for that of a clock that was set anew. Milliseconds.
const LATE: u64 = 10_000;

/// The hub's clock as calls see it: it never goes back while calls are open, and where the PBX stamps its events, the
/// distances between them are those of the stamps.
#[derive(Default)]
pub struct Clock {
    last: u64,
    /// What was added because the hub's clock went back.
    drift: u64,
    /// The PBX's clock is so far behind the hub's (or ahead of it), at least; known with the first stamp.
    behind: Option<i64>,
    now: u64,
}

impl Clock {
    /// Takes over the hub's time. `busy`: calls are open, whose lengths must come out right.
    pub fn set(&mut self, now: u64, busy: bool) {
        if !busy {
            self.drift = 0;
        }
        let told = now.saturating_add(self.drift);
        if busy && told < self.last {
            self.drift += self.last - told;
        }
        self.now = now.saturating_add(self.drift);
        self.last = self.now;
    }

    /// The PBX's clock is not known any more: another connection.
    pub fn forget(&mut self) {
        self.behind = None;
    }

    /// The time now.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The time now as the hub has it.
    pub fn hub(&self) -> u64 {
        self.now.saturating_sub(self.drift)
    }

    /// When an event happened, by its stamp if it has one. The event that came through quickest gives the distance of
    /// the two clocks; the others were that much later on their way.
    pub fn of(&mut self, message: &Message<'_>) -> u64 {
        let Some(stamp) = message.find("Timestamp").and_then(stamp) else { return self.now };
        let behind = self.now as i64 - stamp as i64;
        let least = match self.behind {
            Some(least) if behind >= least && behind - least <= LATE as i64 => least,
            _ => behind,
        };
        self.behind = Some(least);
        u64::try_from(stamp as i64 + least).unwrap_or(self.now)
    }
}

/// Milliseconds of `1795246792.787711`.
fn stamp(bytes: &[u8]) -> Option<u64> {
    let seconds: f64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (seconds > 1e9 && seconds < 1e11).then_some((seconds * 1000.0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(clock: &mut Clock, stamp: &str) -> u64 {
        let bytes = format!("Event: X\r\nTimestamp: {stamp}").into_bytes();
        let mut lines = Vec::new();
        clock.of(&Message::read(&bytes, &mut lines))
    }

    #[test]
    fn time_does_not_go_back_while_calls_are_open() {
        let mut clock = Clock::default();
        clock.set(10_000, true);
        clock.set(4_000, true);
        assert_eq!(clock.now(), 10_000);
        clock.set(5_000, true);
        assert_eq!(clock.now(), 11_000, "and it goes on from there");
        assert_eq!(clock.hub(), 5_000);
        clock.set(6_000, false);
        assert_eq!(clock.now(), 6_000);
    }

    #[test]
    fn stamps_give_the_distances() {
        let mut clock = Clock::default();
        clock.set(5_000_000, true);
        assert_eq!(at(&mut clock, "1795246792.000"), 5_000_000);
        clock.set(5_003_000, true);
        assert_eq!(at(&mut clock, "1795246793.000"), 5_001_000, "two seconds on its way");
        assert_eq!(at(&mut clock, "1795246795.500"), 5_003_000, "none is from the future");
        assert_eq!(at(&mut clock, "1795246000.000"), 5_003_000, "the PBX's clock was set anew");
        assert_eq!(at(&mut clock, "soon"), 5_003_000);
    }
}
