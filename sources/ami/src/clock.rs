//! What time it is for the calls: the hub's clock, mended.

use crate::message::Message;

/// How late an event may be before its time stamp is taken for that of a clock that was set anew. Milliseconds.
const LATE: u64 = 10_000;
/// The quickest event of this and of the last time of this length counts. Milliseconds.
const LATELY: u64 = 60_000;

/// The hub's clock as calls see it: it never goes back while calls are open, and where the PBX stamps its events, the
/// distances between them are those of the stamps.
#[derive(Default)]
pub struct Clock {
    last: u64,
    /// What was added because the hub's clock went back.
    drift: u64,
    /// How far the PBX's clock is behind the hub's (or ahead of it); known with the first stamp.
    behind: Option<Behind>,
    now: u64,
}

/// The least distance of two clocks, of late: they do not run at the same speed, and a connection lives for weeks.
#[derive(Clone, Copy)]
struct Behind {
    /// Since when the least is looked for anew.
    since: u64,
    /// The least since then.
    least: i64,
    /// The least of the time before.
    before: i64,
}

impl Behind {
    fn new(now: u64, behind: i64) -> Self {
        Self { since: now, least: behind, before: behind }
    }

    fn least(&self) -> i64 {
        self.least.min(self.before)
    }

    /// One more distance was seen.
    fn seen(self, now: u64, behind: i64) -> Self {
        let long_ago = now.saturating_sub(self.since) >= 2 * LATELY;
        if long_ago || behind.saturating_sub(self.least()) > LATE as i64 {
            Self::new(now, behind)
        } else if now.saturating_sub(self.since) >= LATELY {
            Self { since: now, least: behind, before: self.least }
        } else {
            Self { least: self.least.min(behind), ..self }
        }
    }
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
        let Some(stamp) = message.head("Timestamp").and_then(stamp) else { return self.now };
        let behind = self.now as i64 - stamp as i64;
        let known = self.behind.map_or_else(|| Behind::new(self.now, behind), |known| known.seen(self.now, behind));
        self.behind = Some(known);
        u64::try_from(stamp as i64 + known.least()).unwrap_or(self.now)
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

    #[test]
    fn clocks_that_drift_apart_stay_together() {
        let mut clock = Clock::default();
        for minute in 0..120 {
            // The PBX loses a tenth of a second in a minute.
            let now = 1_795_246_792_000 + minute * 60_000;
            clock.set(now, true);
            let stamp = format!("{:.3}", (now - minute * 100) as f64 / 1000.0);
            let told = at(&mut clock, &stamp);
            assert!(now - told <= 200, "{minute}: {} ms early", now - told);
        }
    }
}
