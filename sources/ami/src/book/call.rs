//! One logical call.

use cordboard_sdk::records;
use cordboard_sdk::records::Direction;

use super::channel::Side;
use super::leg::{Ending, Leg};
use super::moves::Move;
use crate::settings::{Place, Plan};

/// Telephones of one call that are kept.
const LEGS: usize = 200;
/// Moves of one call that are kept.
const MOVES: usize = 100;
/// Recordings of one call that are kept.
const RECORDINGS: usize = 16;

/// Somebody at one side.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// As the PBX tells it; absent when withheld.
    pub number: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// When it is one of the tenant's own.
    pub extension: Option<String>,
}

/// Why this part of a call began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// The call itself began.
    #[default]
    Start,
    /// Somebody answered.
    Answer,
    /// The call was moved.
    Move,
}

/// One logical call.
#[derive(Debug, Default)]
pub struct Call {
    /// Tells this call from another at the same place in memory.
    pub serial: u64,
    /// The subject's id.
    pub id: String,
    /// Further ids of it.
    pub also: Vec<String>,
    /// What it is found by.
    pub keys: Vec<Box<[u8]>>,
    /// Its channels, gone ones too.
    pub channels: Vec<usize>,
    /// How many of them live.
    pub live: usize,
    /// The channel that it began with.
    pub root: Option<usize>,
    /// It was begun by the PBX (an Originate): the first telephone that rings is that of who places the call.
    pub placed: bool,
    /// It is to be reported: somebody is on it.
    pub visible: bool,
    /// A part of it was not seen.
    pub repaired: bool,
    /// It was under way when it was first seen: its beginning is not known.
    pub joined: bool,
    /// It was reported by a session before this one.
    pub inherited: bool,
    /// Who calls.
    pub caller: Who,
    /// Where the caller stands, when the caller's channel has been seen.
    pub caller_place: Option<Place>,
    /// The caller does not show a number.
    pub anonymous: bool,
    /// The number first dialled.
    pub callee: Option<String>,
    /// How sure that number is: a surer one replaces it.
    pub callee_surety: u8,
    /// The own number or trunk.
    pub line: Option<String>,
    /// The queue.
    pub queue: Option<String>,
    /// The caller waits in the queue.
    pub in_queue: bool,
    /// The caller gave up in the queue.
    pub abandoned: bool,
    /// The caller reached voicemail.
    pub voicemail: bool,
    /// The caller's channel was answered by something.
    pub up: bool,
    /// Where the first leg led.
    pub first_leg: Option<Place>,
    /// When it began.
    pub started: Option<u64>,
    /// Since when a telephone rings.
    pub ringing: Option<u64>,
    /// A person has answered.
    pub answered: bool,
    /// When.
    pub answered_at: Option<u64>,
    /// The extension of who answered first.
    pub answered_by: Option<String>,
    /// The extension that talked last.
    pub last_party: Option<String>,
    /// It is over.
    pub ended: bool,
    /// When.
    pub ended_at: Option<u64>,
    /// Telephones that commands have muted.
    pub muted: Vec<String>,
    /// One was muted at some time.
    pub was_muted: bool,
    /// Telephones that were called.
    pub legs: Vec<Leg>,
    /// How often a desk was called.
    pub rings: u32,
    /// Telephones of which a session before this one told, and which no channel stands for here: what still rings or talks
    /// by what is known, and, with its end, what has stopped meanwhile.
    pub told: Vec<records::Desk>,
    /// Where it was moved.
    pub moves: Vec<Move>,
    /// Channels that are dialled for a forward, and its moment.
    pub forwards: Vec<(usize, u64)>,
    /// A move that waits for its first sign.
    pub pending: Option<Move>,
    /// The number of the part that goes on.
    pub part: u32,
    /// Why it began.
    pub part_of: Part,
    /// Who hung up, and whether the own channels said so.
    pub hung_up: Option<(Side, bool)>,
    /// This Asterisk tells who hung up: then it was the PBX itself when nobody did.
    pub knows_hangups: bool,
    /// Q.850 cause of the first channel.
    pub cause: Option<u16>,
    /// How a call went that the PBX could not even begin.
    pub refused: Option<&'static str>,
    /// Milliseconds on hold so far.
    pub held: u64,
    /// Since when it is on hold.
    pub held_since: Option<u64>,
    /// It was on hold at some time.
    pub was_held: bool,
    /// Paths of recordings.
    pub recordings: Vec<String>,
    /// The number that an outside caller dialled, as the dialplan keeps it.
    pub did: Option<String>,
    /// What was reported.
    pub reported: Option<Box<records::Call>>,
    /// Ids beside the first that were reported.
    pub reported_also: usize,
    /// When it was reported last, by the calls' clock.
    pub last_at: u64,
    /// In the list of calls to look at.
    pub changed: bool,
}

impl Call {
    /// Takes a number for the callee when it is surer than the one that is known.
    pub fn dialled(&mut self, number: Option<String>, surety: u8) {
        if let Some(number) = number
            && (self.callee.is_none() || surety > self.callee_surety)
        {
            self.callee = Some(number);
            self.callee_surety = surety;
        }
    }

    /// The leg of a channel, the latest one.
    pub fn leg(&mut self, channel: usize) -> Option<&mut Leg> {
        self.legs.iter_mut().rev().find(|leg| leg.channel == Some(channel))
    }

    /// One more leg. It rings at the same desk as another one of the extension that is being dialled already. The oldest desk
    /// that nobody answered makes room; the first stays, for it says since when telephones ring.
    pub fn push(&mut self, mut leg: Leg) {
        if self.legs.len() >= LEGS {
            let first = self.legs.iter().find(|leg| leg.side == Side::Callee).map(|leg| leg.ring);
            let is_history = |leg: &Leg| leg.ending.is_some() && leg.answered.is_none();
            let is_over = |ring: u32| self.legs.iter().filter(|leg| leg.ring == ring).all(is_history);
            let spare = self.legs.iter().map(|leg| leg.ring).find(|ring| Some(*ring) != first && is_over(*ring));
            let Some(spare) = spare else { return };
            self.legs.retain(|leg| leg.ring != spare);
        }
        let at_desk = matches!(leg.place, Place::Extension(_));
        let is_beside =
            |other: &&mut Leg| at_desk && other.is_open() && other.side == leg.side && other.place == leg.place;
        match self.legs.iter_mut().rev().find(is_beside) {
            Some(other) => {
                other.shared = true;
                (leg.ring, leg.shared) = (other.ring, true);
            }
            None => {
                leg.ring = self.rings;
                self.rings += 1;
            }
        }
        self.legs.push(leg);
    }

    /// One more move. The moment tells it from others of its kind.
    pub fn push_move(&mut self, mut what: Move) {
        while self.moves.iter().any(|one| one.at == what.at) {
            what.at += 1;
        }
        if self.moves.len() < MOVES {
            self.moves.push(what);
        }
    }

    /// Whether it is this channel that the move is about which waits for its first sign: no telephone called since then.
    pub fn is_moved(&self, channel: usize) -> bool {
        let Some(moved) = self.pending.as_ref().map(|pending| pending.at) else { return false };
        let latest = self.legs.iter().rfind(|leg| leg.channel == Some(channel));
        latest.is_none_or(|leg| leg.answered.is_some_and(|answered| answered <= moved))
    }

    /// The move that waits for somebody to answer. A parked call is fetched, and a forward has telephones of its own.
    pub fn open_move(&mut self) -> Option<&mut Move> {
        let last = self.moves.iter_mut().rfind(|one| one.kind != "forward")?;
        (last.kind != "park" && last.answered != Some(true)).then_some(last)
    }

    /// A telephone was picked up: so was the forward for which it is dialled.
    pub fn forward_answered(&mut self, channel: usize) {
        let forward = self.forwards.iter().find(|(dialled, _)| *dialled == channel);
        if let Some((_, moment)) = forward
            && let Some(forward) = self.moves.iter_mut().find(|one| one.at == *moment)
        {
            forward.answered = Some(true);
        }
    }

    /// One more recording.
    pub fn recorded(&mut self, path: String) {
        if self.recordings.len() < RECORDINGS && !path.is_empty() && !self.recordings.contains(&path) {
            self.recordings.push(path);
        }
    }

    /// Nothing is left of the telephones that a session before this one told of.
    pub fn told_are_over(&mut self, at: u64) {
        for desk in &mut self.told {
            desk.stopped_at.get_or_insert(at);
        }
    }

    /// The next part begins.
    pub fn next_part(&mut self, why: Part) {
        self.part += 1;
        self.part_of = why;
        self.hung_up = None;
    }

    /// The caller waits in the queue no more. Who was not answered and has not given up goes on in the dialplan.
    pub fn leaves_queue(&mut self) {
        self.in_queue = false;
        if !self.answered && !self.abandoned && self.hung_up.is_none() {
            self.next_part(Part::Move);
        }
    }

    /// A person of this extension (absent: somebody outside) talks.
    pub fn answer(&mut self, extension: Option<String>, at: Option<u64>) {
        if self.answered {
            if extension.is_some() {
                self.last_party.clone_from(&extension);
                if self.is_placed_outside() && self.answered_by.is_none() {
                    self.answered_by = extension;
                }
            }
        } else {
            self.answered = true;
            self.answered_at = at;
            self.answered_by.clone_from(&extension);
            self.last_party = extension;
        }
        if let Some(open) = self.open_move() {
            open.answered = Some(true);
        }
        self.next_part(Part::Answer);
    }

    /// The PBX began it with somebody outside, for whom it then rings inside.
    pub fn is_placed_outside(&self) -> bool {
        self.placed && matches!(self.caller_place, Some(Place::Trunk(_)))
    }

    /// The call is on hold from now on, or not any more.
    pub fn hold(&mut self, on: bool, at: u64) {
        match (on, self.held_since) {
            (true, None) => {
                self.held_since = Some(at);
                self.was_held = true;
            }
            (false, Some(since)) => {
                self.held += at.saturating_sub(since);
                self.held_since = None;
            }
            _ => {}
        }
    }

    /// Which way it goes, as far as one can tell by now.
    pub fn direction(&self, plan: &Plan) -> Option<Direction> {
        let by_number = || {
            let callee = self.callee.as_ref()?;
            let inside = plan.is_internal(callee) || callee.starts_with(['*', '#']);
            Some(if inside { Direction::Internal } else { Direction::Outbound })
        };
        match self.caller_place.as_ref()? {
            Place::Trunk(_) if self.placed => Some(Direction::Outbound),
            Place::Trunk(_) => Some(Direction::Inbound),
            _ => match &self.first_leg {
                Some(Place::Trunk(_)) => Some(Direction::Outbound),
                Some(_) => Some(Direction::Internal),
                None if self.queue.is_some() => Some(Direction::Internal),
                None => by_number(),
            },
        }
    }

    /// The extension whose call it is: who placed it, or who answered.
    pub fn agent(&self) -> Option<&str> {
        self.caller.extension.as_deref().or(self.answered_by.as_deref())
    }

    /// How it went, as far as that is certain.
    pub fn outcome(&self, direction: Option<Direction>) -> Option<&'static str> {
        if self.answered {
            return Some("answered");
        }
        if !self.ended || self.ended_at.is_none() {
            return None;
        }
        if self.refused.is_some() {
            return self.refused;
        }
        if self.voicemail {
            return Some("voicemail");
        }
        let by_caller = matches!(self.hung_up, Some((Side::Caller, _)));
        if self.abandoned || self.in_queue && by_caller {
            return Some("abandoned");
        }
        let called = self.legs.iter().filter(|leg| leg.side == Side::Callee && leg.ending != Some(Ending::Forwarded));
        let best = called.map(Leg::fate).min().or_else(|| {
            // Of a call that the PBX began perhaps only the first telephone was tried.
            self.placed.then(|| self.legs.iter().map(Leg::fate).min()).flatten()
        });
        if let Some(best) = best {
            return Some(match best {
                super::leg::Fate::NoAnswer => "no-answer",
                super::leg::Fate::Declined => "declined",
                super::leg::Fate::Busy => "busy",
                super::leg::Fate::Failed => "failed",
            });
        }
        if self.placed {
            return Some("failed");
        }
        match (self.up, by_caller) {
            (true, true) if direction != Some(Direction::Internal) => Some("abandoned"),
            (true, false) if direction == Some(Direction::Inbound) => Some("no-answer"),
            // An extension that heard an announcement, or its own voicemail.
            (true, _) => None,
            (false, true) => Some("abandoned"),
            (false, false) if self.cause == Some(17) => Some("busy"),
            (false, false) => Some("failed"),
        }
    }
}
