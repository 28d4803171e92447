//! The timers of a session, by their numbers.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A session that wants more timers at once is broken.
const MOST: usize = 10_000;

/// No shorter: a session that starts a timer of nothing over and over still leaves time for others.
const SHORTEST: Duration = Duration::from_millis(1);

/// No longer: clocks have an end.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// The timers that run.
#[derive(Default)]
pub(super) struct Timers(HashMap<u32, Instant>);

impl Timers {
    /// Starts a timer, or starts it anew; false when there are too many.
    pub fn set(&mut self, number: u32, after: Duration) -> bool {
        self.0.insert(number, Instant::now() + after.clamp(SHORTEST, LONGEST));
        self.0.len() <= MOST
    }

    /// Stops a timer, if it runs.
    pub fn cancel(&mut self, number: u32) {
        self.0.remove(&number);
    }

    /// Waits for the next timer, and takes all that have gone off by then, in the order of their times. Nothing is taken
    /// when the wait is given up.
    pub async fn next(&mut self) -> Vec<u32> {
        let Some(first) = self.0.values().min().copied() else { return std::future::pending().await };
        sleep_until(first).await;
        let now = Instant::now();
        let mut due: Vec<(Instant, u32)> =
            self.0.iter().filter(|(_, at)| **at <= now).map(|(number, at)| (*at, *number)).collect();
        due.sort_unstable();
        due.into_iter().inspect(|(_, number)| self.cancel(*number)).map(|(_, number)| number).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn timers_go_off_in_their_order_and_once() {
        let mut timers = Timers::default();
        for (number, after) in [(1, 30), (2, 10), (3, 20), (2, 25), (4, 5)] {
            assert!(timers.set(number, Duration::from_millis(after)));
        }
        timers.cancel(4);
        assert_eq!(timers.next().await, [3]);
        assert_eq!(timers.next().await, [2], "started anew, it goes off later");
        assert_eq!(timers.next().await, [1]);
        let none = tokio::time::timeout(Duration::from_secs(3600), timers.next()).await;
        assert!(none.is_err());
    }
}
