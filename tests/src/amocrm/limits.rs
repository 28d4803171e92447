//! Seven requests a second; who goes on regardless is shut out.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Requests in any second.
const MOST: usize = 7;

/// How often "too many requests" is said before the address is shut out.
const PATIENCE: usize = 3;

/// What the limits make of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    TooMany(u64),
    ShutOut,
}

/// The limits; none are kept until `enforce`.
#[derive(Debug, Default)]
pub struct Limits(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    wait: Option<Duration>,
    recent: VecDeque<Instant>,
    refused: usize,
    quiet_until: Option<Instant>,
    shut_out: bool,
    most: usize,
}

impl Limits {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("limits")
    }

    /// Keeps the limits; whoever exceeds them is told to wait so long (300 s, says the vendor's example).
    pub fn enforce(&self, wait: Duration) {
        self.state().wait = Some(wait);
    }

    /// The most requests that there were in one second.
    pub fn most(&self) -> usize {
        self.state().most
    }

    /// Whether somebody has been shut out.
    pub fn shut_out(&self) -> bool {
        self.state().shut_out
    }

    /// Lets everybody in again.
    pub fn forgive(&self) {
        let mut state = self.state();
        (state.shut_out, state.refused, state.quiet_until) = (false, 0, None);
        state.recent.clear();
    }

    pub(super) fn meet(&self, now: Instant) -> Verdict {
        let mut state = self.state();
        while state.recent.front().is_some_and(|at| now - *at >= Duration::from_secs(1)) {
            state.recent.pop_front();
        }
        state.recent.push_back(now);
        state.most = state.most.max(state.recent.len());
        let Some(wait) = state.wait else { return Verdict::Fine };
        if state.shut_out {
            return Verdict::ShutOut;
        }
        let quiet = state.quiet_until.is_some_and(|until| now < until);
        if !quiet && state.recent.len() <= MOST {
            return Verdict::Fine;
        }
        state.refused += 1;
        state.shut_out = state.refused > PATIENCE;
        state.quiet_until = Some(now + wait);
        Verdict::TooMany(wait.as_secs().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eighth_is_too_many_and_who_goes_on_is_shut_out() {
        let (limits, start) = (Limits::default(), Instant::now());
        limits.enforce(Duration::from_secs(2));
        let at = |ms: u64| limits.meet(start + Duration::from_millis(ms));
        assert!((0..7).all(|n| at(n * 10) == Verdict::Fine));
        assert_eq!(at(100), Verdict::TooMany(2));
        assert_eq!(at(1500), Verdict::TooMany(2), "before the wait is over");
        assert_eq!(at(3600), Verdict::Fine);
        (0..8).for_each(|_| _ = at(3700));
        assert_eq!(at(3800), Verdict::ShutOut);
        assert_eq!(at(60_000), Verdict::ShutOut, "on every request");
        limits.forgive();
        assert_eq!(at(61_000), Verdict::Fine);
    }
}
