//! When the outside system itself is down, trying every delivery only spends their attempts: the lane pauses instead.

use std::time::{Duration, Instant};

/// Counts failures in a row; opens at a bound, lets one try through after a pause, closes on a success.
///
/// Failures of one and the same delivery may be its own fault: they hold back that delivery and no other.
#[derive(Debug)]
pub struct Breaker {
    bound: u32,
    pause: Duration,
    ceiling: Duration,
    failures: u32,
    failing: Option<Failing>,
    open: Option<Open>,
}

/// Whose failures the present row is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    One(i64),
    Several,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    pause: Duration,
    trying: bool,
}

/// Whether a call may be made.
#[derive(Debug, PartialEq, Eq)]
pub enum Gate {
    /// As many as the lane allows.
    Closed,
    /// One, to see whether the outside system is back.
    Trial,
    /// None before this moment.
    Open(Instant),
    /// None before the trial has ended.
    Waiting,
}

impl Breaker {
    /// Opens after `bound` failures in a row, for `pause`, then twice as long each time up to `ceiling`.
    pub fn new(bound: u32, pause: Duration, ceiling: Duration) -> Self {
        Breaker { bound: bound.max(1), pause, ceiling, failures: 0, failing: None, open: None }
    }

    /// Asks to make a call. A `Trial` must be followed by `succeeded`, `failed` or `withdrawn`.
    pub fn gate(&mut self, now: Instant) -> Gate {
        match &mut self.open {
            None => Gate::Closed,
            Some(_) if self.failing != Some(Failing::Several) => Gate::Closed,
            Some(open) if open.trying => Gate::Waiting,
            Some(open) if now < open.until => Gate::Open(open.until),
            Some(open) => {
                open.trying = true;
                Gate::Trial
            }
        }
    }

    /// The outside system answered; true when that closed the breaker.
    pub fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.failing = None;
        self.open.take().is_some()
    }

    /// It did not, for this delivery; true when that opened the breaker.
    pub fn failed(&mut self, delivery: i64, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let same = *self.failing.get_or_insert(Failing::One(delivery)) == Failing::One(delivery);
        if !same {
            self.failing = Some(Failing::Several);
        }
        match &mut self.open {
            Some(open) if same || open.trying => {
                open.pause = (open.pause * 2).min(self.ceiling);
                open.until = now + open.pause;
                open.trying = false;
                false
            }
            Some(_) => false,
            None if self.failures >= self.bound => {
                self.open = Some(Open { until: now + self.pause, pause: self.pause, trying: false });
                true
            }
            None => false,
        }
    }

    /// The trial was not made after all.
    pub fn withdrawn(&mut self) {
        if let Some(open) = &mut self.open {
            open.trying = false;
        }
    }

    /// Until when what has failed is held back, if it is.
    pub fn holds_until(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.until)
    }

    /// Until when nothing is tried, if that is so.
    pub fn open_until(&self) -> Option<Instant> {
        self.holds_until().filter(|_| self.failing == Some(Failing::Several))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    fn opened(now: Instant) -> Breaker {
        let mut breaker = Breaker::new(3, PAUSE, Duration::from_secs(25));
        assert!(!breaker.failed(1, now));
        assert!(!breaker.failed(2, now));
        assert!(breaker.failed(1, now), "the third failure in a row opens");
        breaker
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let now = Instant::now();
        let mut breaker = Breaker::new(2, PAUSE, PAUSE);
        for delivery in 0..10 {
            assert!(!breaker.failed(delivery, now));
            breaker.succeeded();
        }
        assert_eq!(breaker.gate(now), Gate::Closed);
    }

    #[test]
    fn one_trial_after_the_pause() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.gate(now), Gate::Open(now + PAUSE));
        assert_eq!(breaker.gate(now + PAUSE), Gate::Trial);
        assert_eq!(breaker.gate(now + PAUSE), Gate::Waiting);
        assert!(breaker.succeeded());
        assert_eq!(breaker.gate(now + PAUSE), Gate::Closed);
    }

    #[test]
    fn each_failed_trial_doubles_the_pause_up_to_the_ceiling() {
        let mut now = Instant::now();
        let mut breaker = opened(now);
        for pause in [10, 20, 25, 25] {
            now += Duration::from_secs(pause);
            assert_eq!(breaker.gate(now), Gate::Trial, "after {pause} s");
            breaker.failed(1, now);
        }
    }

    #[test]
    fn one_delivery_that_always_fails_holds_back_no_other() {
        let now = Instant::now();
        let mut breaker = Breaker::new(2, PAUSE, Duration::from_secs(25));
        breaker.failed(1, now);
        assert!(breaker.failed(1, now), "a person is told");
        assert_eq!((breaker.holds_until(), breaker.open_until()), (Some(now + PAUSE), None));
        assert_eq!(breaker.gate(now), Gate::Closed);
        breaker.failed(1, now + PAUSE);
        assert_eq!(breaker.holds_until(), Some(now + PAUSE * 3), "it waits twice as long");
        assert!(!breaker.failed(2, now + PAUSE), "a person knows already");
        assert_eq!(breaker.gate(now + PAUSE), Gate::Open(now + PAUSE * 3), "with a second one it is an outage");
    }

    #[test]
    fn a_withdrawn_trial_can_be_made_again() {
        let now = Instant::now();
        let mut breaker = opened(now);
        assert_eq!(breaker.gate(now + PAUSE), Gate::Trial);
        breaker.withdrawn();
        assert_eq!(breaker.gate(now + PAUSE), Gate::Trial);
    }
}
