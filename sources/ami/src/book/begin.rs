//! How calls begin: channels that are new, who stands at them, and which call they belong to.

use std::cell::Cell;

use super::call::{Call, Who};
use super::channel::{Channel, RING, Side, UP};
use super::{Book, CHANNELS_OF_CALL, KEY, NAMES};
use crate::device::{Device, Half};
use crate::message::{self, Chan};
use crate::settings::Place;
use crate::text;

impl Book {
    /// A channel was made; `context` is where it began.
    pub(super) fn begin(&mut self, chan: &Chan<'_>, context: &[u8], at: u64) {
        let device = Device::of(chan.name);
        if chan.uid.is_empty() || chan.uid.len() > KEY || chan.linked.len() > KEY || device.is_machinery() {
            return;
        }
        if let Some(index) = self.by_uid.get(chan.uid).copied() {
            let channel = &self.channels[index];
            if !channel.begun && !channel.gone && *channel.name == *chan.name {
                return self.begun_late(index, chan, context, at);
            }
            // The key is used again: what had it before ended without our seeing it.
            let call = channel.call;
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
            .filter(|call| self.calls[*call].live < CHANNELS_OF_CALL);
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
        let first_half = other.map(|other| self.channels[other].uid.clone());
        let index = self.channels.insert(Channel {
            uid: chan.uid.into(),
            name: text::known(chan.name).unwrap_or_default().into(),
            place,
            side,
            call,
            state,
            gone: false,
            bridge: None,
            first_half,
            pair: None,
            dialled: text::dialled(chan.exten),
            holds: Some(false),
            confirmed: Cell::new(true),
            begun: true,
        });
        self.by_uid.insert(chan.uid.into(), index);
        if let Some((base, Half::First)) = device.half
            && self.pairs.len() < NAMES
        {
            self.pairs.insert(base.into(), index);
            self.channels[index].pair = Some(base.into());
        }
        self.calls[call].channels.push(index);
        self.calls[call].live += 1;
        if root {
            self.begin_root(call, index, chan, state);
        }
        self.touch(call);
    }

    /// A new call, without channels.
    pub(super) fn open(&mut self, chan: &Chan<'_>, at: u64) -> usize {
        let key = if chan.linked.is_empty() { chan.uid } else { chan.linked };
        let mut id = text::short(key, KEY);
        let again = self.is_over.contains_key(key) || self.by_id.contains_key(key);
        if again {
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
        self.known_by(call, key.into());
        if again {
            // What commands call it.
            self.known_by(call, self.calls[call].id.as_bytes().into());
        }
        call
    }

    /// A list of channels may name one before the event that it was made: that was under way already.
    fn begun_late(&mut self, index: usize, chan: &Chan<'_>, context: &[u8], at: u64) {
        let place = self.plan.place(chan.name, context, chan.number);
        let channel = &mut self.channels[index];
        channel.begun = true;
        channel.confirmed.set(true);
        channel.place = place;
        channel.dialled = text::dialled(chan.exten);
        let call = channel.call;
        let state = &mut self.calls[call];
        if state.root == Some(index) && !state.inherited {
            state.joined = false;
            // What was told stays told.
            state.repaired = state.last_at > 0;
            state.started = Some(at);
            self.begin_root(call, index, chan, message::state(chan.state).unwrap_or(0));
        }
        self.touch(call);
    }

    /// The channel that a call began with.
    pub(super) fn begin_root(&mut self, call: usize, index: usize, chan: &Chan<'_>, state: u8) {
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
    pub(super) fn placed_by(&mut self, call: usize, index: usize, chan: &Chan<'_>) {
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
    pub(super) fn rename(&mut self, index: usize, name: &[u8]) {
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
}

impl<'a> Chan<'a> {
    fn linked_or_uid(&self) -> &'a [u8] {
        if self.linked.is_empty() { self.uid } else { self.linked }
    }
}
