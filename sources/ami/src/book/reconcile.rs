//! After a connect: what the PBX says is under way, against what is known here.

use cordboard_sdk::abilities::Unfinished;
use cordboard_sdk::records::{self, CallPhase, Desk, Item};

use super::call::{Call, Who};
use super::channel::{Channel, RINGING, Side, UP};
use super::{Book, KEY};
use crate::message::Chan;
use crate::settings::Place;
use crate::text;

/// A channel of the PBX's list.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The channel.
    pub chan: Chan<'a>,
    /// Milliseconds since it was made.
    pub age: u64,
    /// The bridge it is in.
    pub bridge: &'a [u8],
    /// The key of the channel it talks with: so Asterisk 11 and before tell it, which know no bridges.
    pub with: &'a [u8],
    /// What it does in the dialplan; `AppDial` is a telephone that was called.
    pub application: &'a [u8],
    /// With which arguments: a queue's name first.
    pub data: &'a [u8],
}

impl Book {
    /// Takes up calls that a session before this one left open. What of them goes on is for the list to say.
    pub fn inherit(&mut self, unfinished: Vec<Unfinished>) {
        for Unfinished { id, item } in unfinished {
            let Item::Call(record) = item else { continue };
            if self.by_id.contains_key(id.as_bytes()) || self.calls.len() >= super::CALLS || id.len() > KEY {
                continue;
            }
            self.serial += 1;
            let subject: Box<[u8]> = id.as_bytes().into();
            let key: Box<[u8]> = id.split('@').next().unwrap_or_default().as_bytes().into();
            let call = self.calls.insert(Call::inherited(id, record, self.serial));
            if key != subject {
                self.known_by(call, subject);
            }
            self.known_by(call, key);
        }
    }

    /// Nothing is confirmed any more: the connection was lost. Whether who held holds on nobody knows.
    pub fn doubt(&mut self, at: u64) {
        self.unlisted = false;
        let mut held = Vec::new();
        for (_, channel) in &mut self.channels {
            channel.confirmed.set(false);
            if channel.holds.take_if(|holds| *holds).is_some() {
                held.push(channel.call);
            }
        }
        for call in held {
            self.calls[call].hold(false, at);
            self.touch(call);
        }
    }

    /// Nobody will say what of all that is still under way.
    pub fn no_list(&mut self) {
        self.unlisted = true;
    }

    /// The PBX lists a channel.
    pub fn listed(&mut self, listed: &Listed<'_>, at: u64) {
        let chan = &listed.chan;
        let known = self.find(chan).is_some();
        let Some(index) = self.adopt(chan, at) else { return };
        let call = self.channels[index].call;
        let started = at.saturating_sub(listed.age);
        let state = &mut self.calls[call];
        if state.joined && !state.inherited {
            state.started = Some(state.started.map_or(started, |known| known.min(started)));
        }
        if listed.application.eq_ignore_ascii_case(b"Queue") && !state.answered {
            state.in_queue = true;
            if state.queue.is_none() {
                let name = &listed.data[..memchr::memchr(b',', listed.data).unwrap_or(listed.data.len())];
                state.queue = text::known(name).map(|queue| text::short(queue, 80));
            }
        }
        // Who was called, when the beginning was missed.
        let called =
            listed.application.eq_ignore_ascii_case(b"AppDial") || listed.application.eq_ignore_ascii_case(b"AppQueue");
        if called && !known {
            self.channels[index].side = Side::Callee;
            match self.channels[index].state {
                RINGING => self.rings_already(call, index, started),
                UP => self.talks_already(call, index, at),
                _ => {}
            }
        }
        // What happened to it meanwhile shows in how it stands.
        if let Some(state) = crate::message::state(chan.state) {
            self.channels[index].state = state;
        }
        let bridge = if listed.with.is_empty() { listed.bridge } else { chan.uid.min(listed.with) };
        if self.channels[index].bridge.as_deref() != Some(bridge) {
            self.leave(index);
            self.join(index, bridge);
        }
        if let Some(other) = self.by_uid.get(listed.with).copied() {
            // Nothing else says here that the two are one call.
            let (one, into) = if called { (index, other) } else { (other, index) };
            self.tie(one, self.channels[into].call);
            for end in [index, other] {
                let Channel { call, side, state, .. } = self.channels[end];
                if side == Side::Callee && state == UP && self.calls[call].leg(end).is_none() {
                    self.talks_already(call, end, at);
                }
            }
        }
        self.touch(self.channels[index].call);
    }

    /// A telephone has begun to ring while nobody listened.
    fn rings_already(&mut self, call: usize, index: usize, since: u64) {
        let channel = &self.channels[index];
        if !channel.is_party() {
            return;
        }
        let place = channel.place.clone();
        let since = self.take_told(call, index).map_or(since, |desk| desk.rang_at);
        self.add_leg(call, index, None, Side::Callee, since);
        self.rings(call, index, since);
        let state = &mut self.calls[call];
        state.first_leg.get_or_insert(place);
        state.visible = true;
    }

    /// A telephone that a session before this one told of talks.
    fn talks_already(&mut self, call: usize, index: usize, at: u64) {
        let Some(desk) = self.take_told(call, index) else { return };
        self.add_leg(call, index, None, Side::Callee, desk.rang_at);
        if let Some(leg) = self.calls[call].leg(index) {
            leg.rang = Some(desk.rang_at);
            leg.answered = desk.answered_at.or(Some(at));
        }
    }

    /// What a session before this one told of a channel's telephone, from now on told by the channel.
    fn take_told(&mut self, call: usize, index: usize) -> Option<Desk> {
        let extension = self.channels[index].extension()?;
        let told = &mut self.calls[call].told;
        let place = told.iter().position(|desk| desk.extension == extension && desk.stopped_at.is_none())?;
        Some(told.remove(place))
    }

    /// The list is complete: what it does not name is over, and what it names together talks.
    pub fn list_complete(&mut self, at: u64) {
        self.unlisted = false;
        let mut over = Vec::new();
        let mut unsure = Vec::new();
        for (index, call) in &self.calls {
            let live = |channel: &&usize| !self.channels[**channel].gone && self.channels[**channel].confirmed.get();
            if call.ended {
                continue;
            }
            if !call.channels.iter().any(|channel| live(&channel)) {
                over.push(index);
            } else if call.joined || !call.answered {
                unsure.push(index);
            }
        }
        for call in over {
            self.vanish(call, at);
        }
        let lost: Vec<usize> = self
            .channels
            .iter()
            .filter(|(_, channel)| !channel.gone && !channel.confirmed.get())
            .map(|(index, _)| index)
            .collect();
        for index in lost {
            // The call goes on without this one.
            self.channels[index].gone = true;
            self.leave(index);
            let call = &mut self.calls[self.channels[index].call];
            call.live -= 1;
            call.repaired = true;
            if let Some(leg) = call.leg(index)
                && leg.ending.is_none()
            {
                leg.ending = Some(super::leg::Ending::Over);
                leg.stopped.get_or_insert(at);
            }
        }
        for call in unsure {
            self.calls[call].told_are_over(at);
            self.seen_together(call, at);
        }
    }

    /// The PBX was started anew since the connection was lost: every call of before is over, nobody knows since when.
    pub fn restarted(&mut self, at: u64) {
        self.give_up_unheard(at);
    }

    /// The PBX goes down now, and every call with it.
    pub fn shut_down(&mut self, at: u64) {
        let all: Vec<usize> = self.calls.iter().filter(|(_, call)| !call.ended).map(|(index, _)| index).collect();
        for call in all {
            if self.calls[call].channels.is_empty() {
                self.vanish(call, at);
                continue;
            }
            for index in self.calls[call].channels.clone() {
                self.channels[index].gone = true;
                self.leave(index);
            }
            self.calls[call].live = 0;
            self.calls[call].knows_hangups = true;
            self.finish(call, at);
        }
    }

    /// Calls that no list has confirmed and of which nothing was heard: there is no right to ask for the list.
    pub fn give_up_unheard(&mut self, at: u64) {
        for call in self.unheard().collect::<Vec<_>>() {
            self.vanish(call, at);
        }
    }

    /// Whether there are calls of which nothing was heard since the last connect.
    pub fn has_unheard(&self) -> bool {
        self.unheard().next().is_some()
    }

    fn unheard(&self) -> impl Iterator<Item = usize> + '_ {
        self.calls.iter().filter(|(_, call)| !call.ended && !self.is_heard(call)).map(|(index, _)| index)
    }

    /// Whether a channel of the call lives for certain.
    pub(super) fn is_heard(&self, call: &Call) -> bool {
        call.channels.iter().any(|index| self.channels[*index].confirmed.get() && !self.channels[*index].gone)
    }

    /// A call of which something was missed: who is on it, and whether they talk.
    fn seen_together(&mut self, call: usize, at: u64) {
        let talking = |index: &usize| {
            let channel = &self.channels[*index];
            !channel.gone && channel.is_party() && channel.state == UP
        };
        let parties: Vec<usize> = self.calls[call].channels.iter().copied().filter(talking).collect();
        let bridged = |index: &usize| {
            let bridge = self.channels[*index].bridge.as_deref();
            bridge.is_some_and(|bridge| {
                self.bridges.get(bridge).is_some_and(|members| members.iter().any(|member| member != index))
            })
        };
        let caller = parties.iter().copied().find(|index| self.channels[*index].side == Side::Caller);
        let callee = parties.iter().copied().find(|index| self.channels[*index].side == Side::Callee && bridged(index));
        let state = &mut self.calls[call];
        if let Some(callee) = callee {
            let channel = &self.channels[callee];
            state.first_leg.get_or_insert_with(|| channel.place.clone());
            if !state.answered {
                // Nobody knows since when.
                state.answer(channel.extension().map(str::to_owned), None);
                state.in_queue = false;
                state.repaired = true;
                if let Some(leg) = state.leg(callee) {
                    leg.answered.get_or_insert(at);
                }
            }
        }
        state.visible |= caller.is_some() || callee.is_some();
        self.touch(call);
    }
}

impl Call {
    /// A call as a session before this one reported it.
    fn inherited(id: String, record: records::Call, serial: u64) -> Self {
        let party = |party: &Option<cordboard_sdk::vocabulary::Party>| {
            party.as_ref().map_or_else(Who::default, |party| Who {
                number: party.number.as_ref().map(|number| number.raw.clone()),
                name: party.name.clone(),
                extension: party.agent.as_ref().and_then(|agent| agent.extension.clone()),
            })
        };
        let caller = party(&record.caller);
        let callee = party(&record.callee).number;
        let inbound = record.direction == Some(records::Direction::Inbound);
        let outbound = record.direction == Some(records::Direction::Outbound);
        let is = |name: &str| record.attributes.iter().any(|(known, value)| known == name && value == "true");
        let caller_place = match (&caller.extension, inbound) {
            (Some(extension), false) => Some(Place::Extension(extension.clone())),
            (_, true) => Some(Place::Trunk(String::new())),
            // The PBX has called somebody outside.
            _ if outbound && is("click-to-call") => Some(Place::Trunk(String::new())),
            _ => None,
        };
        let by_caller = matches!(caller_place, Some(Place::Extension(_)));
        let first_leg = match (outbound, record.direction) {
            (true, _) => Some(Place::Trunk(String::new())),
            (_, Some(records::Direction::Internal)) => Some(Place::Extension(String::new())),
            _ => None,
        };
        Call {
            serial,
            placed: is("click-to-call"),
            anonymous: is("anonymous"),
            visible: true,
            repaired: true,
            joined: true,
            inherited: true,
            caller_place,
            first_leg,
            callee_surety: if callee.is_some() { 9 } else { 0 },
            callee,
            line: record.line.as_ref().map(|line| line.raw.clone()),
            queue: record.queue.clone(),
            started: record.started_at,
            ringing: record.phase.map(|_| 0),
            answered: record.phase >= Some(CallPhase::Answered),
            answered_at: record.answered_at,
            answered_by: record.agent.as_ref().and_then(|agent| agent.extension.clone()).filter(|_| !by_caller),
            caller,
            last_at: 1,
            told: record.desks.iter().filter(|desk| desk.stopped_at.is_none()).cloned().collect(),
            reported: Some(Box::new(record)),
            id,
            ..Call::default()
        }
    }
}
