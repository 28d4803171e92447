//! The calls that are under way: channels and what happens to them, joined to one record for each logical call.
//!
//! This module knows events and nothing of lines, versions or connections. What changed comes out of [`Book::report`].
//! It keeps a bounded number of channels and calls, whatever it is told.

mod begin;
mod bridge;
mod call;
mod channel;
mod detail;
mod dial;
mod ends;
mod fresh;
mod leg;
mod moves;
mod over;
mod planned;
mod reconcile;
mod record;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use cordboard_sdk::records::{Observation, Trust};
use slab::Slab;

pub use ends::Ends;
pub use planned::Planned;
pub use reconcile::Listed;

use crate::event::Event;
use crate::message::Chan;
use crate::settings::Plan;

use call::Call;
use channel::Channel;

/// Calls that are kept at once. A PBX of 100,000 calls a day has some hundreds.
const CALLS: usize = 10_000;
/// Channels that are kept at once.
const CHANNELS: usize = 50_000;
/// Channels of one call that live.
const CHANNELS_OF_CALL: usize = 500;
/// Channels of one call that are gone and still kept.
const GONE: usize = 200;
/// Bridges and other things that are remembered by name.
const NAMES: usize = 50_000;
/// Bytes of a channel's key. Asterisk allows 149.
const KEY: usize = 200;
/// Ids of calls that are over, kept so that stragglers begin no new ones and no id is given twice.
const OVER: usize = 4_096;
/// How long a call is kept after its last channel is gone, for what comes late. Milliseconds.
pub const GRACE: u64 = 1_500;

/// The calls that are under way.
pub struct Book {
    plan: Rc<Plan>,
    channels: Slab<Channel>,
    calls: Slab<Call>,
    by_uid: HashMap<Box<[u8]>, usize>,
    /// Calls by their keys: each stands among those of its call, and nowhere else.
    by_id: HashMap<Box<[u8]>, usize>,
    bridges: HashMap<Box<[u8]>, Vec<usize>>,
    /// First halves of Local channels, by the name without the half.
    pairs: HashMap<Box<[u8]>, usize>,
    planned: HashMap<String, Planned>,
    /// Calls in the grace after their end, with their serial numbers.
    leaving: VecDeque<(u64, usize, u64)>,
    over: VecDeque<Box<[u8]>>,
    is_over: HashMap<Box<[u8]>, u32>,
    changed: Vec<usize>,
    /// Observations of calls that had to go at once.
    ready: Vec<Observation>,
    serial: u64,
    /// Asterisk tells of single legs: version 12 and later.
    modern: bool,
    /// Asterisk says who hung up.
    tells_hangups: bool,
    /// Asterisk does not say with a new channel what was dialled on it: version 1.4.
    untold: bool,
    /// No list can be had of what was under way at the last connect.
    unlisted: bool,
    /// Calls that were put out for want of room.
    evicted: u64,
}

impl Book {
    /// An empty book.
    pub fn new(plan: Rc<Plan>) -> Self {
        Self {
            plan,
            channels: Slab::new(),
            calls: Slab::new(),
            by_uid: HashMap::new(),
            by_id: HashMap::new(),
            bridges: HashMap::new(),
            pairs: HashMap::new(),
            planned: HashMap::new(),
            leaving: VecDeque::new(),
            over: VecDeque::new(),
            is_over: HashMap::new(),
            changed: Vec::new(),
            ready: Vec::new(),
            serial: 0,
            modern: false,
            tells_hangups: false,
            untold: false,
            unlisted: false,
            evicted: 0,
        }
    }

    /// Whether calls are under way.
    pub fn is_busy(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Whether Asterisk tells of single legs, as version 12 and later do.
    pub fn is_modern(&self) -> bool {
        self.modern
    }

    /// Whether steps in the dialplan are needed to know what was dialled.
    pub fn wants_extensions(&self) -> bool {
        self.untold
    }

    /// How many calls were put out for want of room since this was asked last.
    pub fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Takes in what happened at this time.
    pub fn take(&mut self, event: &Event<'_>, at: u64) {
        match event {
            Event::New(chan) => self.begin(chan, chan.context, at),
            Event::State(chan) => self.state(chan, at),
            Event::Renamed { uid, name } => {
                if let Some(index) = self.by_uid.get(*uid) {
                    self.rename(*index, name);
                }
            }
            Event::Masqueraded { clone, original } => self.masqueraded(clone, original, at),
            Event::DialBegin { from, to, dialled, per_leg } => {
                self.modern |= per_leg;
                self.dial_begin(from.as_ref(), to, dialled, at);
            }
            Event::DialEnd { from, to, status, forward } => match to {
                Some(to) => self.dial_end(from.as_ref(), to, status, forward, at),
                None => self.dial_over(from.as_ref(), status, at),
            },
            Event::Enter { bridge, chan, holding } => self.enter(bridge, chan, *holding, at),
            Event::Leave { chan } => {
                if let Some(index) = self.find(chan) {
                    self.leave(index);
                }
            }
            Event::BridgeMerged { from, to } => self.bridge_merged(from, to),
            Event::Hold { chan, on } => self.hold(chan, *on, at),
            Event::HangupRequest(chan) => self.hangup_request(chan),
            Event::Hangup { chan, cause } => self.hangup(chan, cause, at),
            Event::QueueJoin { chan, queue } => self.queue_join(chan, queue, at),
            Event::QueueLeave(chan) => self.with_call(chan, Call::leaves_queue),
            Event::QueueAbandon(chan) => self.with_call(chan, |call| call.abandoned = true),
            Event::AgentConnect { caller, member } => self.agent_connect(caller, member, at),
            Event::Blind { by, who, to } => self.blind(by, who, to, at),
            Event::Attended { first, second, who, target, done } => {
                if *done {
                    self.attended(first, second, who, target, at);
                }
            }
            Event::Parked { who, by, interface } => self.parked(who, by, interface, at),
            Event::Unparked { who, by } => self.unparked(who, by),
            Event::ParkOver { who, given_up } => self.park_over(who, *given_up),
            Event::Pickup { by, target } => self.picked_up(by, target, at),
            Event::Variable { chan, name, value } => self.variable(chan, name, value),
            Event::Application { chan, application } => self.application(chan, application),
            Event::Cdr(cdr) => self.cdr(cdr, at),
        }
    }

    /// What is news, and what is to be said of calls that are kept no longer.
    pub fn report(&mut self, at: u64, mut tell: impl FnMut(Observation)) {
        for call in std::mem::take(&mut self.changed) {
            let Some(call) = self.calls.get_mut(call) else { continue };
            call.changed = false;
            if !call.visible {
                continue;
            }
            let first = call.last_at == 0 && call.joined;
            let trust = if first { Trust::Inferred } else { Trust::Reported };
            if let Some(observation) = call.news(&self.plan, at, trust) {
                tell(observation);
            }
        }
        self.ready.drain(..).for_each(tell);
    }

    /// When the next call is to be forgotten.
    pub fn deadline(&self) -> Option<u64> {
        self.leaving.front().map(|(at, ..)| *at)
    }

    /// The channel that an event speaks of, by its key, or else by its name: it is certain that it was there.
    fn find(&self, chan: &Chan<'_>) -> Option<usize> {
        let index = if chan.uid.is_empty() { self.find_name(chan.name) } else { self.by_uid.get(chan.uid).copied() }?;
        self.channels[index].confirmed.set(true);
        Some(index)
    }

    fn find_name(&self, name: &[u8]) -> Option<usize> {
        if name.is_empty() {
            return None;
        }
        let same = |(_, channel): &(usize, &Channel)| !channel.gone && *channel.name == *name;
        self.channels.iter().find(same).map(|(index, _)| index)
    }

    /// A call is found by this key from now on, and no other call is.
    fn known_by(&mut self, call: usize, key: Box<[u8]>) {
        let before = self.by_id.insert(key.clone(), call);
        if before == Some(call) {
            return;
        }
        if let Some(before) = before.and_then(|before| self.calls.get_mut(before)) {
            before.keys.retain(|known| *known != key);
        }
        self.calls[call].keys.push(key);
    }

    /// The channel that an event speaks of, taken up when it was not known: its beginning was missed.
    fn adopt(&mut self, chan: &Chan<'_>, at: u64) -> Option<usize> {
        if let Some(index) = self.find(chan) {
            return (!self.channels[index].gone).then_some(index);
        }
        if chan.uid.is_empty() || chan.name.is_empty() || self.is_over.contains_key(chan.uid) {
            return None;
        }
        let missed = if chan.linked.is_empty() { chan.uid } else { chan.linked };
        if self.is_over.contains_key(missed) && !self.by_id.contains_key(missed) {
            return None;
        }
        let known = self.by_id.contains_key(missed);
        // Where it is in the dialplan by now says nothing of where it came from.
        self.begin(chan, b"", at);
        let index = self.by_uid.get(chan.uid).copied()?;
        self.channels[index].begun = false;
        if !known {
            let call = &mut self.calls[self.channels[index].call];
            call.joined = true;
            call.repaired = true;
            call.started = None;
        }
        Some(index)
    }

    fn touch(&mut self, call: usize) {
        let state = &mut self.calls[call];
        if !state.changed {
            state.changed = true;
            self.changed.push(call);
        }
    }

    fn with_call(&mut self, chan: &Chan<'_>, change: impl FnOnce(&mut Call)) {
        if let Some(index) = self.find(chan) {
            let call = self.channels[index].call;
            change(&mut self.calls[call]);
            self.touch(call);
        }
    }
}
