//! Whether a lane may call its adapter now: the breaker, the outside's wish for less, and pauses that a person ends.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::breaker::{self, Breaker};
use super::outcome::Meaning;
use crate::config::Sink;
use crate::model;
use crate::store::Lane;

/// A lane that waits for a person looks by itself after so long whether it can go on.
const RECHECK: Duration = Duration::from_secs(300);

/// The longest pause of the breaker.
const CEILING: Duration = Duration::from_secs(900);

/// The shortest wait after a call in which nothing was done, whatever the outside says.
const LEAST: Duration = Duration::from_secs(1);

/// The longest wait that is believed: a date where seconds should stand is many years.
const MOST: Duration = Duration::from_secs(3600);

/// How long the lane waits when the outside asks for less without saying how long.
const SLOW: Duration = Duration::from_secs(5);

/// What the lane may do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Deliver.
    Go,
    /// Deliver one, to see whether the outside is back.
    Trial,
    /// Look whether the sink can work again.
    Recheck,
    /// Nothing before this moment.
    Wait(Instant),
}

/// What some outcomes meant for the lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The lane waits until then: what failed for that reason spends no attempt.
    pub until: Option<Instant>,
    /// It has begun to pause, and why.
    pub paused: Option<String>,
    /// It has stopped pausing.
    pub resumed: bool,
}

/// How a lane stands, for people.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct State {
    /// The sink.
    pub sink: String,
    /// The tenant.
    #[serde(skip)]
    pub tenant: String,
    /// `running`, `waiting` (the outside is down or asked for less), `paused` (waits for a person).
    pub state: &'static str,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What a person should mend, as the sink's check has found it: it works all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advice: Vec<String>,
    /// Calls of the adapter that are under way.
    pub running: usize,
    /// When it tries again by itself.
    #[schema(value_type = Option<String>, format = DateTime)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<model::Instant>,
}

#[derive(Debug)]
pub(super) struct Gate {
    breaker: Breaker,
    slow_until: Option<Instant>,
    paused: Option<Paused>,
    last_failure: Option<String>,
    advice: Vec<String>,
}

#[derive(Debug)]
struct Paused {
    why: String,
    recheck_at: Instant,
}

impl Gate {
    pub(super) fn new(sink: &Sink) -> Self {
        let ceiling = CEILING.max(sink.breaker.pause);
        let breaker = Breaker::new(sink.breaker.failures, sink.breaker.pause, ceiling);
        Gate { breaker, slow_until: None, paused: None, last_failure: None, advice: Vec::new() }
    }

    pub(super) fn ask(&mut self, now: Instant) -> Standing {
        if let Some(paused) = &mut self.paused {
            if now < paused.recheck_at {
                return Standing::Wait(paused.recheck_at);
            }
            // Whatever this look comes to, the next one is not before its time.
            paused.recheck_at = now + RECHECK;
            return Standing::Recheck;
        }
        if let Some(until) = self.slow_until.filter(|until| now < *until) {
            return Standing::Wait(until);
        }
        match self.breaker.gate(now) {
            breaker::Gate::Closed => Standing::Go,
            breaker::Gate::Trial => Standing::Trial,
            breaker::Gate::Open(until) => Standing::Wait(until),
            breaker::Gate::Waiting => Standing::Wait(now + SLOW),
        }
    }

    /// The outside wants less, or a person must mend something: what is not begun waits.
    pub(super) fn must_wait(&self, now: Instant) -> bool {
        self.paused.is_some() || self.slow_until.is_some_and(|until| now < until)
    }

    /// A trial was not made after all.
    pub(super) fn withdrawn(&mut self) {
        self.breaker.withdrawn();
    }

    /// A person wants it to go on.
    pub(super) fn resume(&mut self) {
        self.breaker.succeeded();
        self.slow_until = None;
        if let Some(paused) = &mut self.paused {
            paused.recheck_at = Instant::now();
        }
    }

    /// Takes in what one call came to, for each delivery in it.
    pub(super) fn heard(&mut self, outcomes: &[(i64, Meaning)], now: Instant) -> Verdict {
        let mut verdict = Verdict::default();
        // Beside a failure, what was left for another call shows nothing.
        let failed = outcomes.iter().any(|(_, meaning)| matches!(meaning, Meaning::Again { .. }));
        let shows = |meaning: &Meaning| meaning.is_alive() && !(failed && matches!(meaning, Meaning::Slow(_)));
        let alive = outcomes.iter().any(|(_, meaning)| shows(meaning));
        // A call in which nothing was done would at once do nothing again.
        let none_done = outcomes.iter().all(|(_, meaning)| matches!(meaning, Meaning::Slow(_)));
        let least = if none_done { LEAST } else { Duration::ZERO };
        if alive {
            verdict.resumed = self.breaker.succeeded();
        }
        for (delivery, meaning) in outcomes {
            match meaning {
                Meaning::Again { why, .. } if !alive => {
                    self.last_failure = Some(why.clone());
                    if self.breaker.failed(*delivery, now) {
                        verdict.paused = Some(format!("failed too often in a row: {why}"));
                    }
                }
                Meaning::Slow(after) => {
                    let until = now + after.unwrap_or(SLOW).clamp(least, MOST);
                    self.slow_until = self.slow_until.max(Some(until));
                }
                Meaning::Pause { word, why } => {
                    if self.paused.is_none() {
                        verdict.paused = Some(format!("{word}: {why}"));
                    }
                    self.paused = Some(Paused { why: format!("{word}: {why}"), recheck_at: now + RECHECK });
                }
                _ => {}
            }
        }
        let paused = self.paused.as_ref().map(|paused| paused.recheck_at);
        let slow = self.slow_until.filter(|until| now < *until);
        verdict.until = [paused, slow, self.breaker.holds_until()].into_iter().flatten().max();
        verdict
    }

    /// Takes in that the sink can work, and what a person should mend all the same.
    pub(super) fn checked(&mut self, sentences: Vec<String>) -> Verdict {
        self.breaker.succeeded();
        self.advice = sentences;
        Verdict { resumed: self.paused.take().is_some(), ..Verdict::default() }
    }

    pub(super) fn state(&self, lane: &Lane) -> State {
        let now = Instant::now();
        let moment = |until: Instant| model::Instant::now().after(until.saturating_duration_since(now));
        let (state, why, until) = match (&self.paused, self.slow_until.filter(|until| now < *until)) {
            (Some(paused), _) => ("paused", Some(paused.why.clone()), Some(paused.recheck_at)),
            (None, Some(until)) => ("waiting", Some("the outside system asks for less".to_owned()), Some(until)),
            (None, None) => match self.breaker.open_until() {
                Some(until) => ("waiting", self.last_failure.clone(), Some(until)),
                None => ("running", None, None),
            },
        };
        State {
            sink: lane.sink.clone(),
            tenant: lane.tenant.clone(),
            state,
            why,
            advice: self.advice.clone(),
            running: 0,
            until: until.map(moment),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        let breaker = Breaker::new(2, Duration::from_secs(10), CEILING);
        Gate { breaker, slow_until: None, paused: None, last_failure: None, advice: Vec::new() }
    }

    fn down(delivery: i64) -> (i64, Meaning) {
        (delivery, Meaning::Again { word: "retryable", why: "connection refused".to_owned(), after: None })
    }

    fn refused() -> (i64, Meaning) {
        (1, Meaning::Pause { word: "misconfigured", why: "no such module".to_owned() })
    }

    #[test]
    fn a_refused_grant_stops_the_lane_until_it_is_looked_at_again() {
        let (mut gate, now) = (gate(), Instant::now());
        let verdict = gate.heard(&[refused()], now);
        assert_eq!(verdict.paused.as_deref(), Some("misconfigured: no such module"));
        assert_eq!(gate.ask(now), Standing::Wait(now + RECHECK));
        assert_eq!(gate.ask(now + RECHECK), Standing::Recheck);
        assert!(gate.heard(&[refused()], now + RECHECK).paused.is_none(), "a person is told once");
        assert!(gate.checked(vec![]).resumed);
        assert_eq!(gate.ask(now + RECHECK), Standing::Go);
    }

    #[test]
    fn a_recheck_that_comes_to_nothing_is_not_repeated_at_once() {
        let (mut gate, now) = (gate(), Instant::now());
        gate.heard(&[refused()], now);
        assert_eq!(gate.ask(now + RECHECK), Standing::Recheck);
        gate.heard(&[down(1)], now + RECHECK);
        assert_eq!(gate.ask(now + RECHECK), Standing::Wait(now + RECHECK + RECHECK));
    }

    #[test]
    fn an_outside_that_is_down_spends_no_attempts_once_the_breaker_is_open() {
        let (mut gate, now) = (gate(), Instant::now());
        assert_eq!(gate.heard(&[down(1)], now).until, None);
        let verdict = gate.heard(&[down(2)], now);
        assert!(verdict.paused.is_some() && verdict.until.is_some(), "{verdict:?}");
        assert!(matches!(gate.ask(now), Standing::Wait(_)));
    }

    #[test]
    fn one_answer_among_failures_shows_that_the_outside_lives() {
        let (mut gate, now) = (gate(), Instant::now());
        for delivery in 0..5 {
            gate.heard(&[down(delivery), (9, Meaning::Skipped("nothing to do".to_owned()))], now);
        }
        assert_eq!(gate.ask(now), Standing::Go);
    }

    #[test]
    fn the_lane_is_as_slow_as_it_is_asked_to_be() {
        let (mut gate, now) = (gate(), Instant::now());
        let wait = Duration::from_secs(7);
        assert_eq!(gate.heard(&[(1, Meaning::Slow(Some(wait)))], now).until, Some(now + wait));
        assert_eq!(gate.ask(now), Standing::Wait(now + wait));
        assert_eq!(gate.ask(now + wait), Standing::Go);
    }

    #[test]
    fn a_call_in_which_nothing_was_done_is_not_made_again_at_once() {
        let (mut gate, now) = (gate(), Instant::now());
        let nothing = (1, Meaning::Slow(Some(Duration::ZERO)));
        assert_eq!(gate.heard(&[nothing.clone(), nothing.clone()], now).until, Some(now + LEAST));
        let mut gate = self::gate();
        let done = (2, Meaning::Skipped("nothing to do".to_owned()));
        assert_eq!(gate.heard(&[done, nothing], now).until, None, "the rest comes at once");
        let years = (1, Meaning::Slow(Some(Duration::from_secs(1_800_000_000))));
        assert_eq!(gate.heard(&[years], now).until, Some(now + MOST));
    }

    #[test]
    fn what_was_left_beside_a_failure_is_no_sign_of_life() {
        let (mut gate, now) = (gate(), Instant::now());
        let left = || (9, Meaning::Slow(Some(Duration::ZERO)));
        gate.heard(&[down(1), left()], now);
        assert!(gate.heard(&[down(2), left()], now).paused.is_some(), "a slow outage opens the breaker too");
    }

    #[test]
    fn advice_is_shown_and_stops_nothing() {
        let mut gate = gate();
        gate.checked(vec!["the field `cf_1` is missing".to_owned()]);
        assert_eq!(gate.ask(Instant::now()), Standing::Go);
        let lane = Lane { tenant: "acme".to_owned(), sink: "crm".to_owned() };
        assert_eq!(gate.state(&lane).advice.len(), 1);
    }
}
