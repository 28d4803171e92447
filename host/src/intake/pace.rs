//! One bound for all that a source asks of its outside system: commands go ahead, and reading leaves some of it for them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::config::Rate;

/// Reading leaves one call of so many for commands.
const SPARED: u32 = 6;

/// How long reading waits when the outside asks for less without saying how long.
const SLOW: Duration = Duration::from_secs(60);

/// What is believed of an outside system that names a time: no less, or it would be asked without a pause; no more, or a
/// date where seconds should stand would silence a source for years.
pub(super) fn believed(after: Duration) -> Duration {
    after.clamp(Duration::from_secs(1), Duration::from_secs(24 * 3600))
}

/// Between two looks whether those that go ahead have gone.
const AHEAD: Duration = Duration::from_millis(20);

/// The bound of one source. It outlives reloads of the configuration.
pub struct Pace {
    rate: Option<Rate>,
    state: Mutex<State>,
    /// Commands in the order in which they came.
    ahead: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The calls that were made within the time of the rate, oldest first.
    made: VecDeque<Instant>,
    /// When reading last made one.
    read: Option<Instant>,
    /// The outside wants nothing before this moment.
    held: Option<Instant>,
    /// Commands that wait.
    waiting: usize,
}

impl State {
    /// Whether a call may be made now; else when to look again.
    fn room(&mut self, rate: Option<Rate>, reading: bool, now: Instant) -> Result<(), Instant> {
        if let Some(held) = self.held.filter(|held| now < *held) {
            return Err(held);
        }
        if reading && self.waiting > 0 {
            return Err(now + AHEAD);
        }
        let Some(Rate { count, per }) = rate else { return Ok(()) };
        while self.made.front().is_some_and(|first| now.duration_since(*first) >= per) {
            self.made.pop_front();
        }
        let most = (if reading { readable(count) } else { count }) as usize;
        if self.made.len() >= most {
            // It is so many over the bound: as many of the oldest must pass first.
            let last = self.made.get(self.made.len() - most).copied().unwrap_or(now);
            return Err(last + per);
        }
        // Evenly: what is read all at once can cost a session.
        match self.read.filter(|_| reading).map(|last| last + per / readable(count)) {
            Some(next) if now < next => Err(next),
            _ => Ok(()),
        }
    }

    fn make(&mut self, rate: Option<Rate>, reading: bool, now: Instant) {
        if let Some(Rate { count, .. }) = rate {
            if self.made.len() > count as usize * 2 {
                self.made.pop_front();
            }
            self.made.push_back(now);
        }
        if reading {
            self.read = Some(now);
        }
    }
}

/// How many calls of a window reading may make.
fn readable(count: u32) -> u32 {
    (count - count / SPARED).max(1)
}

impl Pace {
    /// With this bound; absent: none.
    pub fn new(rate: Option<Rate>) -> Arc<Self> {
        Arc::new(Pace { rate, state: Mutex::default(), ahead: tokio::sync::Mutex::default() })
    }

    /// Waits until a page may be read. Take it with [`Pace::page`] when there is one.
    pub async fn room(&self) {
        loop {
            let room = self.state().room(self.rate, true, Instant::now());
            match room {
                Ok(()) => return,
                Err(until) => sleep(until.saturating_duration_since(Instant::now())).await,
            }
        }
    }

    /// Counts the call of a page.
    pub fn page(&self) {
        self.state().make(self.rate, true, Instant::now());
    }

    /// Waits for the turn of a command, and counts its call.
    pub async fn command(&self) {
        let _waits = Waits::begin(self);
        let _turn = self.ahead.lock().await;
        loop {
            let until = {
                let (mut state, now) = (self.state(), Instant::now());
                match state.room(self.rate, false, now) {
                    Ok(()) => return state.make(self.rate, false, now),
                    Err(until) => until,
                }
            };
            sleep(until.saturating_duration_since(Instant::now())).await;
        }
    }

    /// Counts calls beside the one that was waited for: a login, say.
    pub fn more(&self, calls: usize) {
        let (mut state, now) = (self.state(), Instant::now());
        (0..calls).for_each(|_| state.make(self.rate, false, now));
    }

    /// The outside asks for less: nothing is asked of it meanwhile. Until when.
    pub fn hold(&self, after: Option<Duration>) -> Instant {
        let until = Instant::now() + after.map_or(SLOW, believed);
        let mut state = self.state();
        state.held = state.held.max(Some(until));
        until
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that waits, also when whoever asked for it gives up.
struct Waits<'a>(&'a Pace);

impl<'a> Waits<'a> {
    fn begin(pace: &'a Pace) -> Self {
        pace.state().waiting += 1;
        Waits(pace)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Option<Rate> = Some(Rate { count: 30, per: Duration::from_secs(60) });

    /// Plays a minute after minute of reading, with sends in between; the moments of all calls, in milliseconds.
    fn played(seconds: u64, sends: impl Fn(u64) -> bool) -> Vec<(u64, bool)> {
        let (start, mut state, mut calls) = (Instant::now(), State::default(), Vec::new());
        for millis in (0..seconds * 1000).step_by(100) {
            let now = start + Duration::from_millis(millis);
            for reading in [false, true] {
                if (reading || sends(millis)) && state.room(RATE, reading, now).is_ok() {
                    state.make(RATE, reading, now);
                    calls.push((millis, reading));
                }
            }
        }
        calls
    }

    fn most_in_a_minute(calls: &[(u64, bool)]) -> usize {
        calls
            .iter()
            .map(|(at, _)| calls.iter().filter(|(other, _)| (*at..at + 60_000).contains(other)).count())
            .max()
            .unwrap()
    }

    #[test]
    fn reading_is_even_and_leaves_room() {
        let calls = played(600, |_| false);
        assert_eq!(most_in_a_minute(&calls), 25);
        assert!(calls.len() >= 245, "{} pages in ten minutes", calls.len());
        assert!(calls.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 2400));
    }

    #[test]
    fn commands_go_ahead_and_all_together_keep_to_the_bound() {
        // Five at once in each minute are never refused a place.
        let calls = played(600, |millis| millis % 60_000 < 500);
        assert_eq!(calls.iter().filter(|(_, reading)| !reading).count(), 50);
        assert!(most_in_a_minute(&calls) <= 30);
        // As many as can be: reading stands still, and the bound holds.
        let calls = played(600, |_| true);
        assert_eq!(most_in_a_minute(&calls), 30);
        assert!(calls.iter().filter(|(at, reading)| *reading && *at > 60_000).count() == 0);
    }

    #[test]
    fn what_the_outside_asks_for_holds_all_up() {
        let (mut state, now) = (State::default(), Instant::now());
        let until = now + Duration::from_secs(40);
        state.held = Some(until);
        assert_eq!(state.room(RATE, true, now), Err(until));
        assert_eq!(state.room(RATE, false, now), Err(until));
        assert_eq!(state.room(None, true, until), Ok(()));
        state.waiting = 1;
        assert!(state.room(RATE, true, until).is_err(), "a command waits: no page goes before it");
        assert_eq!(state.room(RATE, false, until), Ok(()));
    }
}
