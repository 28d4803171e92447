//! What single channels tell: their states, hold, queues, variables, and that they hang up.

use super::Book;
use super::channel::{BUSY, Channel, RING, RINGING, Side, UP};
use super::leg::Ending;
use crate::event::telling;
use crate::message::{self, Chan};
use crate::settings::Meaning;
use crate::text;

impl Book {
    /// A channel's state, and whose name it bears.
    pub(super) fn state(&mut self, chan: &Chan<'_>, at: u64) {
        let Some(index) = self.adopt(chan, at) else { return };
        let Some(state) = message::state(chan.state) else { return };
        let call = self.channels[index].call;
        let before = std::mem::replace(&mut self.channels[index].state, state);
        if self.calls[call].placed {
            self.guess_callee(call, index, chan);
        }
        if before == state || !self.channels[index].is_party() {
            return;
        }
        let is_root = self.calls[call].root == Some(index);
        if is_root && self.calls[call].placed && state == RING && self.calls[call].leg(index).is_none() {
            // The handset of an analogue line: it is reserved when it is lifted, and has dialled now.
            self.channels[index].dialled = text::dialled(chan.exten);
            self.begin_root(call, index, chan, state);
        }
        if is_root && self.calls[call].placed && state >= RINGING && self.calls[call].leg(index).is_none() {
            // Before Asterisk 12 nothing else says that the PBX began the call.
            self.placed_by(call, index, chan);
            self.add_leg(call, index, None, Side::Caller, at);
        }
        match state {
            RINGING => self.rings(call, index, at),
            UP if is_root && !self.calls[call].placed => self.calls[call].up = true,
            UP if !self.modern => self.picks_up(call, index, at),
            // It was not the caller: the dialplan says that it is busy, or that there is no way.
            BUSY if is_root && !self.calls[call].answered => self.calls[call].hung_up = None,
            _ => return,
        }
        self.touch(call);
    }

    pub(super) fn rings(&mut self, call: usize, index: usize, at: u64) {
        let state = &mut self.calls[call];
        let Some(leg) = state.leg(index).filter(|leg| leg.is_open()) else { return };
        leg.rang.get_or_insert(at);
        state.ringing.get_or_insert(at);
    }

    pub(super) fn hold(&mut self, chan: &Chan<'_>, on: bool, at: u64) {
        let Some(index) = self.adopt(chan, at) else { return };
        // An end of holding without a beginning comes with every SIP transfer.
        if self.channels[index].holds.replace(on) == Some(on) {
            return;
        }
        let call = self.channels[index].call;
        self.count_hold(call, at);
    }

    fn count_hold(&mut self, call: usize, at: u64) {
        let state = &self.calls[call];
        let held =
            state.channels.iter().any(|index| self.channels[*index].holds == Some(true) && !self.channels[*index].gone);
        self.calls[call].hold(held, at);
        self.touch(call);
    }

    pub(super) fn hangup_request(&mut self, chan: &Chan<'_>) {
        let Some(index) = self.find(chan) else { return };
        let Channel { call, side, state, .. } = self.channels[index];
        self.calls[call].knows_hangups = true;
        // Who is told that it is busy has hung up nothing.
        if self.channels[index].gone || !self.channels[index].is_party() || state == BUSY {
            return;
        }
        if self.goes_on_without(call, index) {
            return;
        }
        if !matches!(self.calls[call].hung_up, Some((_, true))) {
            self.calls[call].hung_up = Some((side, true));
        }
        let members = self.channels[index].bridge.as_ref().and_then(|bridge| self.bridges.get(bridge));
        if let Some([one, two]) = members.map(Vec::as_slice) {
            let other = if *one == index { *two } else { *one };
            let theirs = self.channels[other].call;
            if theirs != call {
                let side = self.facing(other);
                self.calls[theirs].hung_up.get_or_insert((side, false));
            }
        }
    }

    /// Whether a call goes on when this telephone is put down: it refuses, or it has parked the call or passed it on, or
    /// another one on its side talks on elsewhere.
    pub(super) fn goes_on_without(&self, call: usize, index: usize) -> bool {
        let (state, who) = (&self.calls[call], &self.channels[index]);
        // A telephone that refuses, or a carrier that cannot, hangs up a leg and not the call. It may do so before it is
        // told that it is dialled.
        let placed = state.placed && who.state != UP;
        let leg = state.legs.iter().rfind(|leg| leg.channel == Some(index));
        let refuses = leg.map_or(placed, |leg| leg.answered.is_none() && !leg.taken);
        let gave_away = state.pending.as_ref().or(state.moves.last()).is_some_and(|last| {
            let by_it = last.by.is_some() && last.by.as_deref() == who.extension();
            by_it && last.answered.is_none() && matches!(last.kind, "park" | "blind" | "redirect")
        });
        let talks_on = |other: &usize| {
            let one = &self.channels[*other];
            let here = one.bridge.is_some() && one.bridge == who.bridge;
            *other != index && !one.gone && one.is_party() && one.side == who.side && one.state == UP && !here
        };
        refuses || gave_away || state.channels.iter().any(talks_on)
    }

    pub(super) fn hangup(&mut self, chan: &Chan<'_>, cause: &[u8], at: u64) {
        let Some(index) = self.find(chan) else { return };
        if std::mem::replace(&mut self.channels[index].gone, true) {
            return;
        }
        self.leave(index);
        let call = self.channels[index].call;
        let cause = message::integer(cause).and_then(|cause| u16::try_from(cause).ok()).filter(|cause| *cause <= 255);
        let root = self.calls[call].root == Some(index);
        let state = &mut self.calls[call];
        state.live -= 1;
        if root {
            state.cause = cause;
        }
        if let Some(leg) = state.leg(index) {
            leg.stopped.get_or_insert(at);
            leg.cause = cause;
            if leg.ending.is_none() {
                leg.ending = Some(if leg.answered.is_some() { Ending::Over } else { Ending::NoAnswer });
            }
        }
        if self.channels[index].holds == Some(true) {
            self.count_hold(call, at);
        }
        // Of the others nothing has been heard since the connection was lost, and nobody says that they live.
        let alone = self.unlisted && !self.is_heard(&self.calls[call]);
        if self.calls[call].live == 0 || alone {
            self.finish(call, at);
        }
        self.touch(call);
        self.forget_gone(call);
    }

    pub(super) fn queue_join(&mut self, chan: &Chan<'_>, queue: &[u8], at: u64) {
        let Some(index) = self.adopt(chan, at) else { return };
        let call = self.channels[index].call;
        self.settle(call);
        let state = &mut self.calls[call];
        state.in_queue = true;
        state.abandoned = false;
        state.queue = text::known(queue).map(|queue| text::short(queue, 80));
        self.touch(call);
    }

    /// A queue's caller talks with a member: tells where nothing else did.
    pub(super) fn agent_connect(&mut self, caller: &Chan<'_>, member: &Chan<'_>, at: u64) {
        let Some(index) = self.find(caller) else { return };
        let call = self.channels[index].call;
        self.calls[call].in_queue = false;
        let member = self.find(member).or_else(|| self.find_name(member.name));
        if let Some(member) = member.filter(|member| self.channels[*member].is_party()) {
            if !self.modern {
                self.tie(member, call);
            }
            // Who has picked the call up is in a call of its own, and shows in the bridge.
            if self.channels[member].call == call {
                if self.calls[call].leg(member).is_none() {
                    self.add_leg(call, member, Some(index), Side::Callee, at);
                }
                self.picks_up(call, member, at);
            }
        }
        self.touch(call);
    }

    pub(super) fn variable(&mut self, chan: &Chan<'_>, name: &[u8], value: &[u8]) {
        let (Some(meaning), Some(value), Some(index)) = (self.plan.variable(name), text::known(value), self.find(chan))
        else {
            return;
        };
        let call = self.channels[index].call;
        let state = &mut self.calls[call];
        match meaning {
            Meaning::Did => {
                let did = text::dialled(value);
                state.did.clone_from(&did);
                state.dialled(did, 2);
            }
            Meaning::Dialled => state.dialled(text::dialled(value), 1),
            Meaning::Recording => state.recorded(text::short(value, 1000)),
            Meaning::Call => {
                let id = text::short(value, super::KEY);
                if id != state.id && !state.also.contains(&id) && state.also.len() < 8 {
                    if let Some(planned) = self.planned.remove(&id) {
                        state.planned(planned);
                    }
                    let key: Box<[u8]> = id.as_bytes().into();
                    state.also.push(id);
                    if !self.by_id.contains_key(&key) {
                        self.known_by(call, key);
                    }
                }
            }
        }
        self.touch(call);
    }

    pub(super) fn application(&mut self, chan: &Chan<'_>, application: &[u8]) {
        let Some(index) = self.find(chan) else { return };
        let call = self.channels[index].call;
        if telling(application) {
            self.calls[call].voicemail = true;
            self.settle(call);
            self.touch(call);
        }
        // Asterisk 1.4 does not tell with a new channel what was dialled on it.
        if self.channels[index].dialled.is_none() && self.calls[call].root == Some(index) && !self.calls[call].placed {
            let dialled = text::dialled(chan.exten);
            self.channels[index].dialled.clone_from(&dialled);
            if dialled.is_some() && self.calls[call].callee_surety < 2 {
                self.calls[call].dialled(dialled, 4);
                self.touch(call);
            }
        }
    }
}
