//! The calls that are under way: channels and what happens to them, joined to one record for each logical call.
//!
//! This module knows events and nothing of lines, versions or connections. What changed comes out of [`Book::report`].
//! It keeps a bounded number of channels and calls, whatever it is told.

mod call;
mod channel;
mod ends;
mod leg;
mod moves;
mod reconcile;
mod record;
mod watch;

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use cordboard_sdk::records::{Observation, Trust};
use slab::Slab;

pub use ends::Ends;
pub use reconcile::Listed;

use crate::device::{Device, Half};
use crate::event::Event;
use crate::message::{self, Chan};
use crate::settings::{Place, Plan};
use crate::text;

use call::{Call, Who};
use channel::{Channel, RING, RINGING, Side, UP};
use leg::Leg;

/// Calls that are kept at once. A PBX of 100,000 calls a day has some hundreds.
const CALLS: usize = 10_000;
/// Channels that are kept at once.
const CHANNELS: usize = 50_000;
/// Channels of one call.
const CHANNELS_OF_CALL: usize = 500;
/// Bridges and other things that are remembered by name.
const NAMES: usize = 50_000;
/// Bytes of a channel's key. Asterisk allows 149.
const KEY: usize = 200;
/// Ids of calls that are over, kept so that stragglers begin no new ones and no id is given twice.
const OVER: usize = 4_096;
/// Commands' calls that have not begun.
const PLANNED: usize = 1_000;
/// How long such a call may take to begin. Milliseconds.
const PLANNED_TIME: u64 = 600_000;
/// How long a call is kept after its last channel is gone, for what comes late. Milliseconds.
pub const GRACE: u64 = 1_500;

/// What a command said of the call that it begins.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The extension that rings first.
    pub from: String,
    /// The number that it is then connected with.
    pub to: String,
    /// When it was asked for.
    pub at: u64,
}

/// The calls that are under way.
pub struct Book {
    plan: Rc<Plan>,
    channels: Slab<Channel>,
    calls: Slab<Call>,
    by_uid: HashMap<Box<[u8]>, usize>,
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

    /// A command is about to begin a call under this id.
    pub fn plan_call(&mut self, id: String, planned: Planned) {
        // What has not begun by now never will.
        self.planned.retain(|_, waiting| planned.at.saturating_sub(waiting.at) < PLANNED_TIME);
        if self.planned.len() < PLANNED {
            self.planned.insert(id, planned);
        }
    }

    /// That call does not begin.
    pub fn unplan_call(&mut self, id: &str) {
        self.planned.remove(id);
    }

    /// The agent's telephone has answered: this is its channel's key, where nobody may choose it.
    pub fn originated(&mut self, id: &str, uid: &[u8], at: u64) {
        if let Some(index) = self.by_uid.get(uid).copied() {
            let uid = self.channels[index].uid.clone();
            let chan = Chan { uid: &uid, ..Chan::default() };
            self.variable(&chan, crate::settings::CALL_VARIABLE.as_bytes(), id.as_bytes());
            let _ = at;
        }
    }

    /// The agent's telephone was not reached. When it has not even a channel, this is all that is seen of the call.
    pub fn not_originated(&mut self, id: &str, reason: u64, at: u64) {
        let Some(planned) = self.planned.remove(id) else { return };
        self.make_room(at);
        self.serial += 1;
        let began = planned.at;
        let mut call = Call { serial: self.serial, id: id.to_owned(), started: Some(began), ..Call::default() };
        call.planned(planned);
        call.knows_hangups = true;
        call.cause = match reason {
            5 => Some(17),
            3 => Some(19),
            8 => Some(34),
            _ => None,
        };
        call.refused = Some(match reason {
            1 | 3 => "no-answer",
            5 => "busy",
            _ => "failed",
        });
        let index = self.calls.insert(call);
        self.by_id.insert(id.as_bytes().into(), index);
        self.finish(index, at);
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
            Event::DialBegin { from, to, per_leg } => {
                self.modern |= per_leg;
                self.dial_begin(from.as_ref(), to, at);
            }
            Event::DialEnd { from, to, status, forward } => match to {
                Some(to) => self.dial_end(to, status, forward, at),
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
            Event::QueueLeave(chan) => self.with_call(chan, |call| call.in_queue = false),
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
            Event::ParkOver(who) => self.park_over(who),
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

    /// Forgets calls whose grace is over.
    pub fn forget_old(&mut self, at: u64) {
        while let Some((deadline, call, serial)) = self.leaving.front().copied() {
            if deadline > at {
                break;
            }
            self.leaving.pop_front();
            if self.calls.get(call).is_some_and(|call| call.serial == serial) {
                self.forget(call);
            }
        }
    }

    /// The channel that an event speaks of, by its key, or else by its name.
    fn find(&self, chan: &Chan<'_>) -> Option<usize> {
        if !chan.uid.is_empty() {
            return self.by_uid.get(chan.uid).copied();
        }
        self.find_name(chan.name)
    }

    fn find_name(&self, name: &[u8]) -> Option<usize> {
        if name.is_empty() {
            return None;
        }
        let same = |(_, channel): &(usize, &Channel)| !channel.gone && *channel.name == *name;
        self.channels.iter().find(same).map(|(index, _)| index)
    }

    /// The channel that an event speaks of, taken up when it was not known: its beginning was missed.
    fn adopt(&mut self, chan: &Chan<'_>, at: u64) -> Option<usize> {
        if let Some(index) = self.find(chan) {
            self.channels[index].confirmed = true;
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

    /// A channel was made; `context` is where it began.
    fn begin(&mut self, chan: &Chan<'_>, context: &[u8], at: u64) {
        let device = Device::of(chan.name);
        if chan.uid.is_empty() || chan.uid.len() > KEY || chan.linked.len() > KEY || device.is_machinery() {
            return;
        }
        if let Some(index) = self.by_uid.get(chan.uid).copied() {
            // The key is used again: what had it before ended without our seeing it.
            let call = self.channels[index].call;
            self.vanish(call, at);
        }
        self.make_room(at);
        self.tells_hangups |= !chan.linked.is_empty();
        let other = device.half.and_then(|(base, half)| match half {
            Half::Second => self.pairs.get(base).copied().filter(|index| !self.channels[*index].gone),
            Half::First => None,
        });
        let moving = chan.name.starts_with(b"AsyncGoto/").then(|| self.find_name(&chan.name[10..])).flatten();
        let call = self
            .by_id
            .get(chan.linked_or_uid())
            .copied()
            .filter(|call| chan.linked_or_uid() != chan.uid || self.calls[*call].root.is_none())
            .or_else(|| other.or(moving).map(|index| self.channels[index].call))
            .filter(|call| self.calls[*call].channels.len() < CHANNELS_OF_CALL);
        let place = self.plan.place(chan.name, context, chan.number);
        let state = message::state(chan.state).unwrap_or(0);
        let (call, side, root) = match call {
            Some(call) => {
                let side = moving.or(other).map_or(Side::Callee, |index| self.channels[index].side);
                (call, side, false)
            }
            None => (self.open(chan, at), Side::Caller, chan.linked_or_uid() == chan.uid),
        };
        let root = root || chan.linked_or_uid() == chan.uid && self.calls[call].root.is_none();
        let side = if root { Side::Caller } else { side };
        let index = self.channels.insert(Channel {
            uid: chan.uid.into(),
            name: text::known(chan.name).unwrap_or_default().into(),
            place,
            side,
            call,
            state,
            gone: false,
            bridge: None,
            first_half: other,
            dialled: text::dialled(chan.exten),
            holds: false,
            confirmed: true,
        });
        self.by_uid.insert(chan.uid.into(), index);
        if let Some((base, Half::First)) = device.half
            && self.pairs.len() < NAMES
        {
            self.pairs.insert(base.into(), index);
        }
        self.calls[call].channels.push(index);
        self.calls[call].live += 1;
        if root {
            self.begin_root(call, index, chan, state);
        }
        self.touch(call);
    }

    /// A new call, without channels.
    fn open(&mut self, chan: &Chan<'_>, at: u64) -> usize {
        let key = if chan.linked.is_empty() { chan.uid } else { chan.linked };
        let mut id = text::short(key, KEY);
        if self.is_over.contains_key(key) || self.by_id.contains_key(key) {
            // A PBX that was started anew with its clock set back gives ids again. Two calls are two subjects.
            id = format!("{id}@{at}");
        }
        self.serial += 1;
        let call = self.calls.insert(Call {
            serial: self.serial,
            id,
            started: Some(at),
            knows_hangups: self.tells_hangups,
            ..Call::default()
        });
        self.by_id.insert(key.into(), call);
        call
    }

    /// The channel that a call began with.
    fn begin_root(&mut self, call: usize, index: usize, chan: &Chan<'_>, state: u8) {
        let place = self.channels[index].place.clone();
        let dialled = self.channels[index].dialled.clone();
        let planned = self.planned.remove(&self.calls[call].id);
        self.untold |= chan.exten.is_empty();
        let call = &mut self.calls[call];
        call.root = Some(index);
        if call.inherited {
            call.up |= state == UP;
            return;
        }
        call.placed = state < RING && chan.linked_or_uid() == chan.uid;
        if let Some(planned) = planned {
            call.planned(planned);
        }
        if place == Place::Local {
            call.placed = true;
            return;
        }
        call.caller_place = Some(place.clone());
        call.caller.name = call.caller.name.take().or_else(|| text::name(chan.caller_name));
        if let Place::Extension(extension) = &place {
            call.caller.number = Some(extension.clone());
            call.caller.extension = Some(extension.clone());
        } else {
            call.caller.number = text::number(chan.number);
            call.anonymous = text::withheld(chan.number);
        }
        if call.placed {
            call.caller.number = call.caller.number.take().filter(|_| matches!(place, Place::Extension(_)));
            return;
        }
        call.visible = true;
        call.up = state == UP;
        call.dialled(dialled, 5);
        if let Place::Trunk(trunk) = place {
            call.line = Some(trunk);
        }
    }

    /// The telephone of who places a call that the PBX began: it rings first.
    fn placed_by(&mut self, call: usize, index: usize, chan: &Chan<'_>) {
        let place = self.channels[index].place.clone();
        let call = &mut self.calls[call];
        call.placed = true;
        call.visible = true;
        if call.caller_place.is_some() && call.caller.number.is_some() {
            return;
        }
        if let Place::Extension(extension) = &place {
            call.caller = Who {
                number: Some(extension.clone()),
                name: call.caller.name.take().or_else(|| text::name(chan.caller_name)),
                extension: Some(extension.clone()),
            };
        }
        call.caller_place = Some(place);
    }

    /// A channel has another name: see who is there now.
    fn rename(&mut self, index: usize, name: &[u8]) {
        if name.is_empty() || name.len() > KEY || *self.channels[index].name == *name {
            return;
        }
        if name.contains(&b'<') {
            self.channels[index].name = name.into();
            return;
        }
        let device = Device::of(name);
        let known = self.channels.iter().find(|(other, channel)| {
            let theirs = Device::of(&channel.name);
            *other != index && theirs.endpoint == device.endpoint && theirs.technology == device.technology
        });
        let place = match known {
            Some((_, channel)) => channel.place.clone(),
            None => self.plan.place(name, b"", b""),
        };
        let channel = &mut self.channels[index];
        channel.name = name.into();
        channel.place = place;
    }

    /// The last channel of a call is gone.
    fn finish(&mut self, call: usize, at: u64) {
        self.settle(call);
        let state = &mut self.calls[call];
        if state.ended {
            return;
        }
        state.hold(false, at);
        state.ended = true;
        state.ended_at = Some(at);
        for leg in &mut state.legs {
            if leg.stopped.is_none() {
                leg.stopped = Some(at);
            }
        }
        for one in &mut state.moves {
            one.answered.get_or_insert(false);
        }
        let serial = state.serial;
        self.leaving.push_back((at + GRACE, call, serial));
        self.touch(call);
    }

    /// A call is over, nobody knows since when.
    fn vanish(&mut self, call: usize, at: u64) {
        let state = &mut self.calls[call];
        if !state.ended {
            state.ended = true;
            state.repaired = true;
            state.held_since = None;
            if state.visible
                && let Some(observation) = state.news(&self.plan, at, Trust::Inferred)
            {
                self.ready.push(observation);
            }
        }
        self.forget(call);
    }

    /// Nothing of a call is kept but its id.
    fn forget(&mut self, call: usize) {
        let state = self.calls.remove(call);
        for index in state.channels {
            self.leave(index);
            let channel = self.channels.remove(index);
            self.by_uid.remove(&channel.uid);
            if let Some((base, Half::First)) = Device::of(&channel.name).half
                && self.pairs.get(base) == Some(&index)
            {
                self.pairs.remove(base);
            }
            self.remember(channel.uid);
        }
        let id = state.id.split('@').next().unwrap_or_default();
        for key in std::iter::once(id).chain(state.also.iter().map(String::as_str)) {
            if self.by_id.get(key.as_bytes()) == Some(&call) {
                self.by_id.remove(key.as_bytes());
            }
            self.remember(key.as_bytes().into());
        }
    }

    fn remember(&mut self, key: Box<[u8]>) {
        if self.over.len() >= OVER
            && let Some(oldest) = self.over.pop_front()
            && let Some(times) = self.is_over.get_mut(&oldest)
        {
            *times -= 1;
            if *times == 0 {
                self.is_over.remove(&oldest);
            }
        }
        *self.is_over.entry(key.clone()).or_insert(0) += 1;
        self.over.push_back(key);
    }

    /// Puts out the oldest call when there are too many.
    fn make_room(&mut self, at: u64) {
        while self.calls.len() >= CALLS || self.channels.len() >= CHANNELS {
            let ended = self.calls.iter().find(|(_, call)| call.ended);
            let oldest = ended.or_else(|| self.calls.iter().min_by_key(|(_, call)| call.serial));
            let Some((oldest, _)) = oldest else { return };
            self.evicted += 1;
            self.vanish(oldest, at);
        }
    }
}

impl<'a> Chan<'a> {
    fn linked_or_uid(&self) -> &'a [u8] {
        if self.linked.is_empty() { self.uid } else { self.linked }
    }
}

impl Call {
    /// A command began this call: what it said is known.
    fn planned(&mut self, planned: Planned) {
        self.placed = true;
        self.visible = true;
        self.caller.number = Some(planned.from.clone());
        self.caller.extension = Some(planned.from.clone());
        self.caller_place = Some(Place::Extension(planned.from));
        self.dialled(Some(planned.to), 9);
    }
}
