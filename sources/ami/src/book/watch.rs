//! What each event does to channels and calls.

use jiff::civil::DateTime;

use super::leg::{self, Ending};
use super::{Book, Channel, Leg, NAMES, RINGING, Side, UP};
use crate::event::{Cdr, telling};
use crate::message::{self, Chan};
use crate::settings::{Meaning, Place};
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
        if is_root && self.calls[call].placed && state >= RINGING && self.calls[call].leg(index).is_none() {
            // Before Asterisk 12 nothing else says that the PBX began the call.
            self.placed_by(call, index, chan);
            self.add_leg(call, index, None, Side::Caller, at);
        }
        match state {
            RINGING => self.rings(call, index, at),
            UP if is_root && !self.calls[call].placed => self.calls[call].up = true,
            UP if !self.modern => self.picks_up(call, index, at),
            _ => return,
        }
        self.touch(call);
    }

    fn rings(&mut self, call: usize, index: usize, at: u64) {
        let state = &mut self.calls[call];
        let Some(leg) = state.leg(index) else { return };
        leg.rang.get_or_insert(at);
        state.ringing.get_or_insert(at);
    }

    /// The number that a call which the PBX began is meant for, as far as it shows on who placed it.
    fn guess_callee(&mut self, call: usize, index: usize, chan: &Chan<'_>) {
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

    fn add_leg(&mut self, call: usize, index: usize, from: Option<usize>, side: Side, at: u64) {
        let place = self.channels[index].place.clone();
        let part = self.calls[call].part;
        self.calls[call].push(Leg {
            channel: index,
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
        });
    }

    pub(super) fn dial_begin(&mut self, from: Option<&Chan<'_>>, to: &Chan<'_>, at: u64) {
        let from_index = from.and_then(|from| self.adopt(from, at));
        let to_index = self.adopt(to, at).or_else(|| self.find_device(to.name));
        let Some(to_index) = to_index else { return };
        let Some(from_index) = from_index else {
            let call = self.channels[to_index].call;
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
        let dialer = &self.channels[from_index];
        let side = match dialer.first_half {
            Some(first) => self.channels[first].side,
            None => dialer.side.other(),
        };
        let (by_party, exten) = (dialer.is_party(), from.map_or(&b""[..], |from| from.exten));
        self.channels[to_index].side = side;
        if self.settle(call) {
            self.touch(call);
        } else if by_party && self.channels[to_index].is_party() && self.is_redirect(call, from_index, side) {
            let to = text::dialled(exten).or_else(|| self.channels[to_index].extension().map(str::to_owned));
            self.moved(call, super::moves::Move { kind: "redirect", at, by: None, to, answered: None });
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
            state.dialled(dialer_ext, 4);
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
    fn tie(&mut self, index: usize, call: usize) {
        let own = self.channels[index].call;
        if own == call {
            return;
        }
        let alone = self.calls[own]
            .channels
            .iter()
            .all(|other| *other == index || self.channels[*other].first_half == Some(index));
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
        self.by_id.insert(hollow.id.as_bytes().into(), call);
        if hollow.last_at > 0 {
            self.calls[call].also.push(hollow.id);
        }
        self.touch(call);
    }

    pub(super) fn dial_end(&mut self, to: &Chan<'_>, status: &[u8], forward: &[u8], at: u64) {
        let Some(index) = self.adopt(to, at) else { return };
        self.rename(index, to.name);
        let call = self.channels[index].call;
        if status == b"ANSWER" {
            self.channels[index].state = UP;
            if self.channels[index].is_party() {
                self.picks_up(call, index, at);
                self.touch(call);
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
            if !answered || self.channels[leg.channel].state != UP {
                leg.stopped.get_or_insert(at);
            }
        }
        self.touch(call);
    }

    /// A telephone is picked up.
    fn picks_up(&mut self, call: usize, index: usize, at: u64) {
        let extension = self.channels[index].extension().map(str::to_owned);
        let state = &mut self.calls[call];
        let placed_outside = state.placed && matches!(state.caller_place, Some(Place::Trunk(_)));
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
        // Once somebody talks, whoever is called is called by a transfer, on either side.
        if side == Side::Callee || placed_outside || state.answered {
            state.answer(extension, Some(at));
        }
    }

    pub(super) fn enter(&mut self, bridge: &[u8], chan: &Chan<'_>, holding: bool, at: u64) {
        let Some(index) = self.adopt(chan, at) else { return };
        if self.channels[index].bridge.as_deref() != Some(bridge) {
            self.leave(index);
        }
        if holding || bridge.is_empty() || bridge.len() > super::KEY || self.bridges.len() >= NAMES {
            return;
        }
        let members = self.bridges.entry(bridge.into()).or_default();
        if !members.contains(&index) && members.len() < super::CHANNELS_OF_CALL {
            members.push(index);
        }
        let others: Vec<usize> = members.iter().copied().filter(|other| *other != index).collect();
        self.channels[index].bridge = Some(bridge.into());
        if !self.channels[index].is_party() {
            return;
        }
        let call = self.channels[index].call;
        for other in others.into_iter().filter(|other| self.channels[*other].is_party()).collect::<Vec<_>>() {
            let theirs = self.channels[other].call;
            if theirs == call {
                for end in [index, other] {
                    if self.calls[call].leg(end).is_some_and(|leg| leg.is_open()) {
                        self.picks_up(call, end, at);
                    }
                }
            } else {
                self.meets(call, other, at);
                self.meets(theirs, index, at);
            }
        }
        self.touch(call);
    }

    /// A call that nobody has answered meets somebody of another call in a bridge: a conference, a parked call.
    fn meets(&mut self, call: usize, whom: usize, at: u64) {
        if self.calls[call].answered || self.calls[call].ended {
            return;
        }
        let extension = self.channels[whom].extension().map(str::to_owned);
        self.calls[call].answer(extension, Some(at));
        self.calls[call].ringing.get_or_insert(at);
        self.touch(call);
    }

    pub(super) fn leave(&mut self, index: usize) {
        let Some(bridge) = self.channels[index].bridge.take() else { return };
        if let Some(members) = self.bridges.get_mut(&bridge) {
            members.retain(|member| *member != index);
            if members.is_empty() {
                self.bridges.remove(&bridge);
            }
        }
    }

    pub(super) fn bridge_merged(&mut self, from: &[u8], to: &[u8]) {
        if from == to || to.is_empty() || to.len() > super::KEY {
            return;
        }
        let Some(moving) = self.bridges.remove(from) else { return };
        for index in &moving {
            self.channels[*index].bridge = Some(to.into());
        }
        self.bridges.entry(to.into()).or_default().extend(moving);
    }

    pub(super) fn hold(&mut self, chan: &Chan<'_>, on: bool, at: u64) {
        let Some(index) = self.adopt(chan, at) else { return };
        // An end of holding without a beginning comes with every SIP transfer.
        if std::mem::replace(&mut self.channels[index].holds, on) == on {
            return;
        }
        let call = self.channels[index].call;
        self.count_hold(call, at);
    }

    fn count_hold(&mut self, call: usize, at: u64) {
        let state = &self.calls[call];
        let held = state.channels.iter().any(|index| self.channels[*index].holds && !self.channels[*index].gone);
        self.calls[call].hold(held, at);
        self.touch(call);
    }

    pub(super) fn hangup_request(&mut self, chan: &Chan<'_>) {
        let Some(index) = self.find(chan) else { return };
        let Channel { call, side, .. } = self.channels[index];
        self.calls[call].knows_hangups = true;
        if self.channels[index].gone || !self.channels[index].is_party() {
            return;
        }
        // A telephone that refuses, or a carrier that cannot, hangs up a leg and not the call.
        let refused = self.calls[call].leg(index).is_some_and(|leg| leg.answered.is_none() && !leg.taken);
        if refused {
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
                let side = self.channels[other].side.other();
                self.calls[theirs].hung_up.get_or_insert((side, false));
            }
        }
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
        if self.channels[index].holds {
            self.count_hold(call, at);
        }
        if self.calls[call].live == 0 {
            self.finish(call, at);
        }
        self.touch(call);
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
            self.tie(member, call);
            if self.calls[call].leg(member).is_none() {
                self.add_leg(call, member, Some(index), Side::Callee, at);
            }
            self.picks_up(call, member, at);
        }
        self.touch(call);
    }

    /// Before Asterisk 12 a telephone moves from one channel into another: a transfer, or a call picked up.
    pub(super) fn masqueraded(&mut self, clone: &[u8], original: &[u8], at: u64) {
        let (Some(clone_index), Some(index)) = (self.find_name(clone), self.find_name(original)) else { return };
        let (theirs, own) = (self.channels[clone_index].call, self.channels[index].call);
        if theirs == own {
            self.channels[index].side = self.channels[clone_index].side;
            return;
        }
        if self.calls[theirs].serial < self.calls[own].serial {
            // Who was talked to in the older call goes on in the newer one's channel: an attended transfer.
            let by = self.channels[index].extension().map(str::to_owned);
            let side = self.channels[clone_index].side;
            let to = self.calls[own].callee.clone();
            let answered = self.calls[own].answered;
            let others: Vec<usize> = self.calls[own].channels.iter().copied().filter(|other| *other != index).collect();
            for other in others.into_iter().filter(|other| !self.channels[*other].gone).collect::<Vec<_>>() {
                self.channels[other].side = side.other();
                self.hand_over(other, theirs);
            }
            self.channels[index].side = side;
            self.hand_over(index, theirs);
            self.calls[theirs].pending = None;
            let last = to.clone().filter(|to| self.plan.is_internal(to));
            self.moved(theirs, super::moves::Move { kind: "attended", at, by, to, answered: Some(answered) });
            if answered && last.is_some() {
                self.calls[theirs].last_party = last;
            }
            self.touch(theirs);
            self.touch(own);
            if self.calls[own].live == 0 {
                self.finish(own, at);
            }
        } else {
            // Who dialled the code for it takes the call that rings.
            let name = clone.to_vec();
            self.rename(index, &name);
        }
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
                    self.by_id.entry(id.as_bytes().into()).or_insert(call);
                    state.also.push(id);
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

    /// A call detail record fills in what was not seen, and makes no call.
    pub(super) fn cdr(&mut self, cdr: &Cdr<'_>, at: u64) {
        let Some(index) = self.by_uid.get(cdr.uid).copied() else { return };
        let call = self.channels[index].call;
        let direct = cdr.application.eq_ignore_ascii_case(b"Dial");
        let state = &mut self.calls[call];
        if telling(cdr.application) {
            state.voicemail = true;
        }
        if state.recordings.is_empty()
            && let Some(recording) = text::known(cdr.recording)
        {
            state.recorded(text::short(recording, 1000));
        }
        if state.joined {
            // Times are in the PBX's own zone; that it has just ended tells which.
            let ago = |time: &[u8]| Some(moment(cdr.end)?.checked_sub(moment(time)?)?.max(0) as u64);
            let end = state.ended_at.unwrap_or(at);
            if let Some(ago) = ago(cdr.start) {
                let start = end.saturating_sub(ago);
                state.started = Some(state.started.map_or(start, |known| known.min(start)));
            }
            let answered = direct && cdr.disposition == b"ANSWERED" && state.queue.is_none();
            if answered
                && state.answered_at.is_none()
                && let Some(ago) = ago(cdr.answer)
            {
                if !state.answered {
                    let by = self.plan.extension_of(cdr.destination_channel);
                    state.answer(by, None);
                }
                state.answered_at = Some(end.saturating_sub(ago));
            }
        }
        self.touch(call);
    }

    /// A new part of a call begins because a command moved it.
    pub fn command_moved(&mut self, id: &str, kind: &'static str, by: Option<String>, to: String, at: u64) {
        let Some(call) = self.by_id.get(id.as_bytes()).copied() else { return };
        if self.calls[call].pending.is_none() && !self.calls[call].ended {
            self.calls[call].pending = Some(super::moves::Move { kind, at, by, to: Some(to), answered: None });
        }
    }
}

/// Milliseconds of `2026-11-21 07:32:23`, in whatever zone.
fn moment(bytes: &[u8]) -> Option<i64> {
    let time: DateTime = std::str::from_utf8(bytes).ok()?.trim().parse().ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|time| time.timestamp().as_millisecond())
}
