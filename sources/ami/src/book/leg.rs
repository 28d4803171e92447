//! A telephone that is called, once.

use super::channel::Side;
use crate::settings::Place;

/// How dialling a leg ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It rang, or did not, until somebody stopped it.
    NoAnswer,
    /// Who called gave up, or another telephone answered.
    Cancelled,
    /// Busy.
    Busy,
    /// It could not be reached.
    Failed,
    /// The telephone sends its calls elsewhere.
    Forwarded,
    /// It went with a transfer into another call.
    Moved,
    /// Somebody answered and has hung up.
    Over,
}

/// Causes of a hang-up that say that nobody could be reached.
const UNREACHABLE: [u16; 22] = [1, 2, 3, 6, 20, 22, 25, 27, 28, 29, 34, 38, 41, 42, 44, 47, 50, 57, 58, 88, 102, 127];

/// What became of a leg that nobody answered, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It rang and nobody came.
    NoAnswer,
    /// Somebody refused.
    Declined,
    /// Busy.
    Busy,
    /// Not reached.
    Failed,
}

/// A telephone that is called, once.
#[derive(Clone, Debug)]
pub struct Leg {
    /// Its channel, for as long as that is kept.
    pub channel: Option<usize>,
    /// Who dials it.
    pub from: Option<usize>,
    /// Who was meant to answer.
    pub place: Place,
    /// Where it stands.
    pub side: Side,
    /// When dialling began.
    pub began: u64,
    /// When it began to ring.
    pub rang: Option<u64>,
    /// When this telephone was picked up.
    pub answered: Option<u64>,
    /// Another telephone took the call over while this one rang.
    pub taken: bool,
    /// When it stopped ringing or was hung up.
    pub stopped: Option<u64>,
    /// How it ended.
    pub ending: Option<Ending>,
    /// Q.850 cause of its hang-up.
    pub cause: Option<u16>,
    /// Which part of the call it belongs to: a new one begins with an answer and with a transfer.
    pub part: u32,
    /// The same for all telephones that ring at one desk together.
    pub ring: u32,
    /// It is not the only one.
    pub shared: bool,
}

impl Leg {
    /// Whether it is still being dialled.
    pub fn is_open(&self) -> bool {
        self.ending.is_none() && self.answered.is_none()
    }

    /// What became of it, nobody having answered it.
    pub fn fate(&self) -> Fate {
        let cause = self.cause.unwrap_or(0);
        let inside = matches!(self.place, Place::Extension(_));
        if self.ending == Some(Ending::Busy) || cause == 17 && self.ending != Some(Ending::Cancelled) {
            Fate::Busy
        } else if self.ending == Some(Ending::Cancelled) {
            Fate::NoAnswer
        } else if cause == 21 && (self.rang.is_some() || inside) {
            Fate::Declined
        } else if self.rang.is_some() {
            Fate::NoAnswer
        } else if self.ending == Some(Ending::Failed) || cause == 21 || UNREACHABLE.contains(&cause) {
            Fate::Failed
        } else {
            Fate::NoAnswer
        }
    }

    /// Whether the telephone was offered the call at all, so that it counts among those that rang.
    pub fn was_offered(&self) -> bool {
        self.rang.is_some()
            || self.answered.is_some()
            || self.ending.is_some() && matches!(self.fate(), Fate::Busy | Fate::Declined | Fate::NoAnswer)
    }
}

/// What Asterisk calls the ways in which dialling ends.
pub fn ending(status: &[u8]) -> Ending {
    match status {
        b"BUSY" => Ending::Busy,
        b"CANCEL" | b"ABORT" => Ending::Cancelled,
        b"CONGESTION" | b"CHANUNAVAIL" | b"INVALIDARGS" => Ending::Failed,
        _ => Ending::NoAnswer,
    }
}
