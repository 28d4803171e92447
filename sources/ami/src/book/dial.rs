//! Telephones that are dialled: who rings, who answers, how dialling ends.

use super::Book;
use super::channel::{Channel, RINGING, Side, UP};
use super::leg::{self, Ending, Leg};
use super::moves::{Move, called};
use crate::message::Chan;
use crate::settings::Place;
use crate::text;

impl Book {
    pub(super) fn dial_begin(&mut self, from: Option<&Chan<'_>>, to: &Chan<'_>, dialled: &[u8], at: u64) {
        let from_index = from.and_then(|from| self.adopt(from, at));
        let to_index = self.adopt(to, at).or_else(|| self.find_device(to.name));
        let Some(to_index) = to_index else { return };
        // Room for the one may have been made at the cost of the other.
        let from_index = from_index.and(from).and_then(|from| self.find(from));
        let Some(from_index) = from_index else {
            let call = self.channels[to_index].call;
            if from.is_none() && self.calls[call].root == Some(to_index) {
                self.places_outside(call, to_index, dialled);
            }
            if from.is_none() && self.channels[to_index].is_party() && self.calls[call].leg(to_index).is_none() {
                self.placed_by(call, to_index, to);
                self.guess_callee(call, to_index, to);
                self.add_leg(call, to_index, None, Side::Caller, at);
                self.touch(call);
            }
            return;
        };
        let call = self.channels[from_index].call;
        self.tie(to_index, call);
        let (dialer, side) = (&self.channels[from_index], self.facing(from_index));
        let (by_party, exten) = (dialer.is_party(), from.map_or(&b""[..], |from| from.exten));
        self.channels[to_index].side = side;
        self.follows_forward(call, from_index, to_index, at);
        if self.settle(call) {
            self.touch(call);
        } else if by_party && self.channels[to_index].is_party() && self.is_redirect(call, from_index, side) {
            let to = text::dialled(exten).or_else(|| self.channels[to_index].extension().map(str::to_owned));
            self.moved(call, Move { kind: "redirect", at, by: None, to, answered: None });
        }
        self.calls[call].hung_up = None;
        if !self.channels[to_index].is_party() || self.calls[call].leg(to_index).is_some_and(|leg| leg.is_open()) {
            return;
        }
        if side == Side::Caller && self.calls[call].placed {
            self.placed_by(call, to_index, to);
            self.add_leg(call, to_index, Some(from_index), side, at);
        } else {
            self.add_leg(call, to_index, Some(from_index), side, at);
            self.dials_out(call, from_index, to_index, exten, to, at);
        }
        if self.channels[to_index].state == RINGING {
            // It was told to ring before it was told that it is dialled.
            self.rings(call, to_index, at);
        }
        self.touch(call);
    }

    /// Who was called is being dialled.
    fn dials_out(&mut self, call: usize, from: usize, to: usize, exten: &[u8], chan: &Chan<'_>, at: u64) {
        let place = self.channels[to].place.clone();
        let outside = matches!(place, Place::Trunk(_));
        let (dialer_ext, number) = (text::dialled(exten), text::dialled(chan.number));
        let from_local_second = self.channels[from].first_half.is_some();
        let state = &mut self.calls[call];
        state.visible = true;
        if state.placed && !from_local_second {
            // Of two numbers outside the first is the agent's own.
            let onwards = outside && dialer_ext.as_ref().is_some_and(|number| !self.plan.is_internal(number));
            state.dialled(dialer_ext, if onwards { 7 } else { 4 });
        }
        if state.callee.is_none() {
            let extension = match &place {
                Place::Extension(extension) => Some(extension.clone()),
                _ => number,
            };
            state.dialled(extension, 2);
        }
        if state.first_leg.is_none() {
            state.first_leg = Some(place.clone());
        }
        if outside && !matches!(state.caller_place, Some(Place::Trunk(_))) {
            let shown = text::number(chan.connected);
            let trunk = match place {
                Place::Trunk(trunk) => Some(trunk),
                _ => None,
            };
            state.line = shown.or(state.line.take()).or(trunk);
            state.ringing.get_or_insert(at);
        }
    }

    /// The PBX places a call: when it calls somebody outside first, the call is meant for that one.
    fn places_outside(&mut self, call: usize, to: usize, dialled: &[u8]) {
        let number = text::dialled(called(dialled)).filter(|number| match &self.channels[to].place {
            Place::Trunk(_) => true,
            Place::Local => !self.plan.is_internal(number),
            Place::Extension(_) => false,
        });
        self.calls[call].dialled(number, 6);
        self.touch(call);
    }

    /// On which side those stand whom a channel dials or talks with. The second half of a Local channel stands for the first.
    pub(super) fn facing(&self, index: usize) -> Side {
        let channel = &self.channels[index];
        match channel.first_half.as_ref().and_then(|first| self.by_uid.get(first)) {
            Some(first) => self.channels[*first].side,
            None => channel.side.other(),
        }
    }

    /// A channel that a queue's member is called on, known by the name of the device alone.
    fn find_device(&self, device: &[u8]) -> Option<usize> {
        if device.is_empty() {
            return None;
        }
        let fits = |channel: &Channel| {
            !channel.gone
                && channel.state != UP
                && channel.name.strip_prefix(device).is_some_and(|rest| rest.starts_with(b"-"))
        };
        self.channels.iter().rfind(|(_, channel)| fits(channel)).map(|(index, _)| index)
    }

    /// Where Asterisk has no linked ids, dialling is what ties channels to one call.
    pub(super) fn tie(&mut self, index: usize, call: usize) {
        let own = self.channels[index].call;
        if own == call {
            return;
        }
        let uid = &self.channels[index].uid;
        let alone = self.calls[own]
            .channels
            .iter()
            .all(|other| *other == index || self.channels[*other].first_half.as_ref() == Some(uid));
        if !alone || self.calls[own].ended {
            return;
        }
        for channel in std::mem::take(&mut self.calls[own].channels) {
            self.calls[own].live -= usize::from(!self.channels[channel].gone);
            self.calls[call].live += usize::from(!self.channels[channel].gone);
            self.channels[channel].call = call;
            self.calls[call].channels.push(channel);
        }
        // It was never a call of its own; if it was told as one, it is told to be the same.
        let hollow = self.calls.remove(own);
        for key in hollow.keys {
            self.known_by(call, key);
        }
        if hollow.last_at > 0 {
            self.calls[call].also.push(hollow.id);
        }
        self.touch(call);
    }

    pub(super) fn dial_end(&mut self, from: Option<&Chan<'_>>, to: &Chan<'_>, status: &[u8], forward: &[u8], at: u64) {
        let Some(index) = self.adopt(to, at) else { return };
        self.rename(index, to.name);
        let call = self.channels[index].call;
        if status == b"ANSWER" {
            self.channels[index].state = UP;
            if self.channels[index].is_party() {
                if self.calls[call].joined && self.calls[call].leg(index).is_none() {
                    // That it was dialled was missed.
                    self.add_leg(call, index, None, Side::Callee, at);
                }
                self.picks_up(call, index, at);
                self.touch(call);
                // Who has picked up what rang elsewhere is in a call of its own.
                if let Some(dialer) = from.and_then(|from| self.find(from))
                    && self.channels[dialer].call != call
                {
                    self.meet(dialer, index, at);
                }
            }
            return;
        }
        let Some(leg) = self.calls[call].leg(index) else {
            if let Some(forward) = text::known(forward) {
                self.forwarded(call, None, forward, at);
                self.touch(call);
            }
            return;
        };
        if !leg.is_open() {
            return;
        }
        leg.stopped.get_or_insert(at);
        if text::known(forward).is_some() {
            leg.ending = Some(Ending::Forwarded);
            let by = match &leg.place {
                Place::Extension(extension) => Some(extension.clone()),
                _ => None,
            };
            self.forwarded(call, by, forward, at);
        } else {
            leg.ending = Some(leg::ending(status));
        }
        self.touch(call);
    }

    /// Before Asterisk 12 dialling ends for all telephones at once.
    pub(super) fn dial_over(&mut self, from: Option<&Chan<'_>>, status: &[u8], at: u64) {
        let Some(from) = from.and_then(|from| self.find(from)) else { return };
        let call = self.channels[from].call;
        let state = &mut self.calls[call];
        for leg in state.legs.iter_mut().filter(|leg| leg.from == Some(from) && leg.is_open()) {
            let answered = status == b"ANSWER";
            leg.ending = Some(if answered { Ending::Cancelled } else { leg::ending(status) });
            let channel = leg.channel.and_then(|index| self.channels.get(index));
            if !answered || channel.is_none_or(|channel| channel.state != UP) {
                leg.stopped.get_or_insert(at);
            }
        }
        self.touch(call);
    }

    pub(super) fn add_leg(&mut self, call: usize, index: usize, from: Option<usize>, side: Side, at: u64) {
        let place = self.channels[index].place.clone();
        let part = self.calls[call].part;
        self.calls[call].push(Leg {
            channel: Some(index),
            from,
            place,
            side,
            began: at,
            rang: None,
            answered: None,
            taken: false,
            stopped: None,
            ending: None,
            cause: None,
            part,
            ring: 0,
            shared: false,
        });
    }

    /// A telephone is picked up.
    pub(super) fn picks_up(&mut self, call: usize, index: usize, at: u64) {
        let extension = self.channels[index].extension().map(str::to_owned);
        let state = &mut self.calls[call];
        let placed_outside = state.is_placed_outside();
        let Some(leg) = state.leg(index) else { return };
        if leg.answered.is_some() {
            return;
        }
        let meant = match &leg.place {
            Place::Extension(meant) => Some(meant.clone()),
            _ => None,
        };
        let side = leg.side;
        if meant == extension {
            leg.answered = Some(at);
            leg.stopped = None;
            leg.ending = None;
        } else {
            // Another telephone took the call over: this one only stopped ringing.
            leg.taken = true;
            leg.ending = Some(Ending::Cancelled);
            leg.stopped.get_or_insert(at);
        }
        state.forward_answered(index);
        // Once somebody talks, whoever is called is called by a transfer, on either side.
        if side == Side::Callee || placed_outside || state.answered {
            state.answer(extension, Some(at));
        }
    }

    /// The number that a call which the PBX began is meant for, as far as it shows on who placed it.
    pub(super) fn guess_callee(&mut self, call: usize, index: usize, chan: &Chan<'_>) {
        let Channel { side, state, .. } = self.channels[index];
        if side != Side::Caller || self.channels[index].first_half.is_some() {
            return;
        }
        let own = self.calls[call].caller.extension.clone();
        let foreign = |number: &[u8]| text::dialled(number).filter(|number| Some(number) != own.as_ref());
        let number = if state == UP { foreign(chan.exten).map(|number| (number, 3)) } else { None };
        let number = number.or_else(|| foreign(chan.connected).map(|number| (number, 1)));
        if let Some((number, surety)) = number
            && self.calls[call].callee_surety < surety
        {
            self.calls[call].dialled(Some(number), surety);
            self.touch(call);
        }
    }
}
