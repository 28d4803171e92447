//! What is known of the recordings of one source. It is only remembered: the storage is the list of what was copied.

use std::collections::HashMap;
use std::time::{Duration, Instant as Clock};

use crate::model::Instant;

/// Between two looks at all calls whose recordings are still to be tried, or may have grown since they were copied.
const ALL: Duration = Duration::from_secs(3600);

/// When such a look was broken off.
const BROKEN_OFF: Duration = Duration::from_secs(300);

/// After a failure a recording waits so long, then twice as long, up to [`ALL`].
const FIRST: Duration = Duration::from_secs(30);

/// When nothing could be copied for so long, a person is told.
const ALARM: Duration = Duration::from_secs(300);

/// What is known, by the recording's id.
#[derive(Default)]
pub(super) struct Memory {
    all_at: Option<Clock>,
    done: HashMap<String, Copy>,
    failing: HashMap<String, Due>,
    stuck: Option<Trouble>,
}

/// How long a copy is, and until when its original is looked at.
struct Copy {
    length: u64,
    until: Instant,
}

/// A recording that could not be copied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Failing {
    /// The id of its call's record.
    pub call: i64,
    /// Until when it is tried.
    pub until: Instant,
    /// Why not, at its last try.
    pub why: String,
}

struct Due {
    failing: Failing,
    at: Clock,
    wait: Duration,
}

/// Since when nothing can be copied, and whether a person knows.
struct Trouble {
    since: Clock,
    told: bool,
}

impl Memory {
    /// Whether it is time to look at everything. What is too old for that is forgotten.
    pub fn begins_all(&mut self, now: Instant, clock: Clock) -> bool {
        let all = self.all_at.is_none_or(|at| at <= clock);
        if all {
            self.all_at = Some(clock + ALL);
            self.done.retain(|_, copy| copy.until > now);
        }
        all
    }

    /// Whether this recording is to be looked at, be it all of them or only what has no copy.
    pub fn looks_at(&self, id: &str, all: bool, clock: Clock) -> bool {
        match self.failing.get(id) {
            Some(due) => due.at <= clock,
            None => all || !self.done.contains_key(id),
        }
    }

    /// How long its copy is.
    pub fn length(&self, id: &str) -> Option<u64> {
        self.done.get(id).map(|copy| copy.length)
    }

    /// How many could not be copied.
    pub fn failing(&self) -> usize {
        self.failing.len()
    }

    /// It has a copy. Whether that ends a trouble that a person knows of.
    pub fn copied(&mut self, id: &str, length: u64, until: Instant) -> bool {
        self.failing.remove(id);
        let new = self.done.insert(id.to_owned(), Copy { length, until }).is_none_or(|before| before.length != length);
        // What was copied before may be all that there is.
        new && self.stuck.take().is_some_and(|trouble| trouble.told)
    }

    /// It could not be copied. Whether that is news.
    pub fn failed(&mut self, id: &str, failing: Failing, clock: Clock) -> bool {
        let before = self.failing.get(id);
        let wait = before.map_or(FIRST, |due| (due.wait * 2).min(ALL));
        let news = before.is_none_or(|due| due.failing.why != failing.why);
        self.failing.insert(id.to_owned(), Due { failing, at: clock + wait, wait });
        news
    }

    /// Nothing can be copied: for how long that has been so, when a person is to be told. A look at `all` was broken off for
    /// it.
    pub fn stuck(&mut self, all: bool, clock: Clock) -> Option<Duration> {
        if all {
            self.all_at = Some(clock + BROKEN_OFF);
        }
        let trouble = self.stuck.get_or_insert(Trouble { since: clock, told: false });
        let lasting = clock - trouble.since;
        let tell = lasting >= ALARM && !trouble.told;
        trouble.told |= tell;
        tell.then_some(lasting)
    }

    /// A look came to its end, and nothing is failing: whatever it was is over.
    pub fn relieved(&mut self) {
        if self.failing.is_empty() {
            self.stuck = None;
        }
    }

    /// What is not tried any more.
    pub fn give_up(&mut self, now: Instant) -> Vec<(String, Failing)> {
        let over = self.failing.extract_if(|_, due| due.failing.until <= now);
        over.map(|(id, due)| (id, due.failing)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(why: &str) -> Failing {
        Failing { call: 7, until: Instant::clamped(1_000_000), why: why.to_owned() }
    }

    #[test]
    fn what_failed_waits_longer_each_time_and_says_so_once_for_each_reason() {
        let (mut memory, clock) = (Memory::default(), Clock::now());
        let after = |seconds| clock + Duration::from_secs(seconds);
        assert!(memory.looks_at("a", false, clock));
        assert!(memory.failed("a", failing("no such bucket"), clock));
        assert!(!memory.looks_at("a", true, after(29)) && memory.looks_at("a", false, after(30)));
        assert!(!memory.failed("a", failing("no such bucket"), after(30)), "the same again");
        assert!(!memory.looks_at("a", false, after(89)) && memory.looks_at("a", false, after(90)));
        assert!(memory.failed("a", failing("it is not there"), after(90)), "another reason");
        assert_eq!(memory.failing(), 1);
        memory.copied("a", 10, Instant::clamped(1_000_000));
        assert_eq!((memory.failing(), memory.length("a")), (0, Some(10)));
    }

    #[test]
    fn what_was_never_copied_is_told_when_its_time_is_over() {
        let mut memory = Memory::default();
        memory.failed("a", failing("the PBX does not have it"), Clock::now());
        assert!(memory.give_up(Instant::clamped(999_999)).is_empty());
        let told = [("a".to_owned(), failing("the PBX does not have it"))];
        assert_eq!(memory.give_up(Instant::clamped(1_000_000)), told);
        assert!(memory.give_up(Instant::clamped(1_000_000)).is_empty(), "once");
    }

    #[test]
    fn a_person_is_told_once_of_each_trouble_that_lasts() {
        let (mut memory, clock) = (Memory::default(), Clock::now());
        let after = |seconds| clock + Duration::from_secs(seconds);
        let until = Instant::clamped(1_000_000);
        memory.copied("old", 3, until);
        assert_eq!(memory.stuck(false, after(0)), None);
        assert_eq!(memory.stuck(false, after(299)), None);
        assert!(!memory.copied("old", 3, until), "a copy from before is no news");
        assert_eq!(memory.stuck(false, after(310)), Some(Duration::from_secs(310)));
        assert_eq!(memory.stuck(false, after(900)), None, "it is known");
        assert!(memory.copied("a", 3, until), "it is over");
        assert_eq!(memory.stuck(false, after(1000)), None);
        assert!(!memory.copied("b", 3, until), "nobody was told of that");
        assert_eq!(memory.stuck(false, after(1300)), None, "it begins anew");
        memory.relieved();
        assert_eq!(memory.stuck(false, after(1700)), None, "what was over is not counted on");
        memory.failed("c", failing("no such bucket"), after(1700));
        memory.relieved();
        assert!(memory.stuck(false, after(2000)).is_some(), "it was not over");
    }

    #[test]
    fn what_was_copied_is_looked_at_again_as_long_as_its_call_is() {
        let (mut memory, clock) = (Memory::default(), Clock::now());
        let now = Instant::clamped(1_000_000);
        assert!(memory.begins_all(now, clock));
        memory.copied("a", 3, now.after(ALL));
        assert!(!memory.begins_all(now, clock + ALL / 2) && !memory.looks_at("a", false, clock));
        assert!(memory.begins_all(now, clock + ALL) && memory.looks_at("a", true, clock));
        assert_eq!(memory.length("a"), Some(3));
        memory.stuck(true, clock + ALL);
        assert!(memory.begins_all(now.after(ALL), clock + ALL + BROKEN_OFF), "sooner when it was broken off");
        assert_eq!(memory.length("a"), None);
    }
}
