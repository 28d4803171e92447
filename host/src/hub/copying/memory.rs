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

/// So many recordings that cannot be had, and none that can, are no matter of single ones.
const SEVERAL: usize = 3;

/// What is known, by the recording's id.
#[derive(Default)]
pub(super) struct Memory {
    all_at: Option<Clock>,
    /// At the last try of this look the place or the storage did not answer.
    doubted: bool,
    /// Why the last one of this look was not copied; nothing when one was since.
    failed: Option<String>,
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
    /// A look begins: whether it is time to look at everything. What is too old for that is forgotten.
    pub fn begins_all(&mut self, now: Instant, clock: Clock) -> bool {
        (self.doubted, self.failed) = (false, None);
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
        if !new {
            return false;
        }
        (self.doubted, self.failed) = (false, None);
        self.stuck.take().is_some_and(|trouble| trouble.told)
    }

    /// It could not be copied. Whether that is news.
    pub fn failed(&mut self, id: &str, failing: Failing, clock: Clock) -> bool {
        let before = self.failing.get(id);
        let wait = before.map_or(FIRST, |due| (due.wait * 2).min(ALL));
        let news = before.is_none_or(|due| due.failing.why != failing.why);
        self.failed = Some(failing.why.clone());
        self.failing.insert(id.to_owned(), Due { failing, at: clock + wait, wait });
        news
    }

    /// One was tried; `general` when the place or the storage did not answer. Whether to break the look off: the others would
    /// have to wait as long, for the same. Once may be about one recording.
    pub fn breaks_off(&mut self, general: bool) -> bool {
        std::mem::replace(&mut self.doubted, general) && general
    }

    /// A look is over, or was broken off. For how long nothing can be copied, and why, when a person is to be told.
    pub fn ends(&mut self, all: bool, broken_off: bool, clock: Clock) -> Option<(Duration, String)> {
        if broken_off && all {
            self.all_at = Some(clock + BROKEN_OFF);
        }
        match self.failed.take() {
            Some(why) if broken_off || self.failing.len() >= SEVERAL => self.stuck(clock).map(|lasting| (lasting, why)),
            _ => {
                self.relieved();
                None
            }
        }
    }

    fn stuck(&mut self, clock: Clock) -> Option<Duration> {
        let trouble = self.stuck.get_or_insert(Trouble { since: clock, told: false });
        let lasting = clock - trouble.since;
        let tell = lasting >= ALARM && !trouble.told;
        trouble.told |= tell;
        tell.then_some(lasting)
    }

    /// When nothing is failing, whatever it was is over.
    fn relieved(&mut self) {
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

    /// A look at one recording that ends so; for how long, if a person is told.
    fn look(memory: &mut Memory, id: &str, broken_off: bool, clock: Clock) -> Option<u64> {
        memory.begins_all(Instant::clamped(0), clock);
        memory.failed(id, failing("no such bucket"), clock);
        memory.ends(false, broken_off, clock).map(|(lasting, _)| lasting.as_secs())
    }

    #[test]
    fn a_person_is_told_once_of_each_trouble_that_lasts() {
        let (mut memory, clock) = (Memory::default(), Clock::now());
        let after = |seconds| clock + Duration::from_secs(seconds);
        let until = Instant::clamped(1_000_000);
        memory.copied("old", 3, until);
        assert_eq!(look(&mut memory, "x", true, after(0)), None);
        assert_eq!(look(&mut memory, "x", true, after(299)), None);
        assert!(!memory.copied("old", 3, until), "a copy from before is no news");
        assert_eq!(look(&mut memory, "x", true, after(310)), Some(310));
        assert_eq!(look(&mut memory, "x", true, after(900)), None, "it is known");
        assert!(memory.copied("a", 3, until), "it is over");
        assert_eq!(look(&mut memory, "x", true, after(1000)), None);
        assert!(!memory.copied("b", 3, until), "nobody was told of that");
        assert_eq!(look(&mut memory, "x", true, after(1300)), None, "it begins anew");
        assert_eq!(memory.ends(false, false, after(1400)), None);
        assert!(
            look(&mut memory, "x", true, after(1700)).is_some(),
            "a look without a try ends nothing that is failing"
        );
        memory.copied("x", 3, until);
        assert_eq!(look(&mut memory, "y", true, after(1800)), None);
        memory.failing.clear();
        assert_eq!(memory.ends(false, false, after(1900)), None);
        assert_eq!(look(&mut memory, "y", true, after(2200)), None, "what was over is not counted on");
    }

    #[test]
    fn single_recordings_that_are_not_there_are_no_trouble_and_several_are() {
        let (mut memory, clock) = (Memory::default(), Clock::now());
        let after = |seconds| clock + Duration::from_secs(seconds);
        for (id, seconds) in [("a", 0), ("b", 400), ("a", 800), ("b", 1200)] {
            assert_eq!(look(&mut memory, id, false, after(seconds)), None, "two of them");
        }
        assert_eq!(look(&mut memory, "c", false, after(1600)), None, "now it begins");
        assert_eq!(look(&mut memory, "c", false, after(1900)), Some(300));
        memory.begins_all(Instant::clamped(0), after(2000));
        memory.failed("d", failing("it is not there"), after(2000));
        memory.copied("e", 3, Instant::clamped(1_000_000));
        assert_eq!(memory.ends(false, false, after(2000)), None, "one was copied after it");
    }

    #[test]
    fn a_look_is_broken_off_when_the_place_does_not_answer_twice() {
        let mut memory = Memory::default();
        assert_eq!([true, false, true, true].map(|general| memory.breaks_off(general)), [false, false, false, true]);
        memory.begins_all(Instant::clamped(0), Clock::now());
        assert!(!memory.breaks_off(true), "another look");
        memory.copied("a", 3, Instant::clamped(1_000_000));
        assert!(!memory.breaks_off(true), "it has answered meanwhile");
        assert!(
            !memory.copied("a", 3, Instant::clamped(1_000_000)) && memory.breaks_off(true),
            "that was asked of nobody"
        );
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
        memory.ends(true, true, clock + ALL);
        assert!(memory.begins_all(now.after(ALL), clock + ALL + BROKEN_OFF), "sooner when it was broken off");
        assert_eq!(memory.length("a"), None);
    }
}
