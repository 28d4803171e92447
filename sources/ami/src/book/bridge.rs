//! Bridges: who hears whom.

use super::{Book, CHANNELS_OF_CALL, KEY, NAMES};
use crate::message::Chan;

impl Book {
    pub(super) fn enter(&mut self, bridge: &[u8], chan: &Chan<'_>, holding: bool, at: u64) {
        let Some(index) = self.adopt(chan, at) else { return };
        if self.channels[index].bridge.as_deref() != Some(bridge) {
            self.leave(index);
        }
        if holding || !self.join(index, bridge) || !self.channels[index].is_party() {
            return;
        }
        let members = self.bridges.get(bridge).map(Vec::as_slice).unwrap_or_default();
        let is_other = |other: &usize| *other != index && self.channels[*other].is_party();
        let others: Vec<usize> = members.iter().copied().filter(is_other).collect();
        let call = self.channels[index].call;
        if !others.iter().any(|other| self.channels[*other].call == call) && self.calls[call].is_moved(index) {
            self.settle(call);
        }
        for other in others {
            let theirs = self.channels[other].call;
            if theirs == call {
                for end in [index, other] {
                    if self.calls[call].leg(end).is_some_and(|leg| leg.is_open()) {
                        self.picks_up(call, end, at);
                    }
                }
            } else {
                self.meet(index, other, at);
            }
        }
        self.touch(call);
    }

    /// Channels of two calls hear each other: in a conference, after parking, because one has picked the other's call up.
    pub(super) fn meet(&mut self, one: usize, other: usize, at: u64) {
        self.meets(self.channels[one].call, other, at);
        self.meets(self.channels[other].call, one, at);
    }

    /// A call meets somebody of another one, and nobody has answered it, or not where it was moved to.
    fn meets(&mut self, call: usize, whom: usize, at: u64) {
        let state = &mut self.calls[call];
        if state.ended || state.answered && state.open_move().is_none() {
            return;
        }
        let extension = self.channels[whom].extension().map(str::to_owned);
        self.calls[call].answer(extension, Some(at));
        self.calls[call].ringing.get_or_insert(at);
        self.touch(call);
    }

    /// A channel is in a bridge from now on, if there is room for one more.
    pub(super) fn join(&mut self, index: usize, bridge: &[u8]) -> bool {
        if bridge.is_empty() || bridge.len() > KEY || self.bridges.len() >= NAMES {
            return false;
        }
        let members = self.bridges.entry(bridge.into()).or_default();
        if !members.contains(&index) && members.len() < CHANNELS_OF_CALL {
            members.push(index);
        }
        self.channels[index].bridge = Some(bridge.into());
        true
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
        if from == to || to.is_empty() || to.len() > KEY {
            return;
        }
        let Some(moving) = self.bridges.remove(from) else { return };
        for index in &moving {
            self.channels[*index].bridge = Some(to.into());
        }
        self.bridges.entry(to.into()).or_default().extend(moving);
    }
}
