//! How calls end, and what is kept of them afterwards, so that stragglers begin no new ones and no id is given twice.

use cordboard_sdk::records::Trust;

use super::{Book, CALLS, CHANNELS, GONE, GRACE, OVER};

impl Book {
    /// The last channel of a call is gone.
    pub(super) fn finish(&mut self, call: usize, at: u64) {
        let state = &mut self.calls[call];
        if let Some(pending) = state.pending.take() {
            state.push_move(pending);
        }
        if state.ended {
            return;
        }
        state.hold(false, at);
        state.told_are_over(at);
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
    pub(super) fn vanish(&mut self, call: usize, at: u64) {
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

    /// Nothing of a call is kept but its id.
    pub(super) fn forget(&mut self, call: usize) {
        let state = self.calls.remove(call);
        for index in state.channels {
            self.forget_channel(index);
        }
        for key in state.keys {
            self.by_id.remove(&key);
            self.remember(key);
        }
    }

    /// Of the channels of a call that are gone the latest are kept: waiting in a queue takes some for each attempt.
    pub(super) fn forget_gone(&mut self, call: usize) {
        while self.calls[call].channels.len() > self.calls[call].live + GONE {
            let state = &mut self.calls[call];
            let is_spare = |index: &usize| self.channels[*index].gone && state.root != Some(*index);
            let Some(spare) = state.channels.iter().position(is_spare) else { return };
            let index = state.channels.remove(spare);
            state.forwards.retain(|(channel, _)| *channel != index);
            for leg in &mut state.legs {
                leg.channel.take_if(|channel| *channel == index);
                leg.from.take_if(|from| *from == index);
            }
            self.forget_channel(index);
        }
    }

    fn forget_channel(&mut self, index: usize) {
        self.leave(index);
        let channel = self.channels.remove(index);
        self.by_uid.remove(&channel.uid);
        if let Some(pair) = channel.pair
            && self.pairs.get(&pair) == Some(&index)
        {
            self.pairs.remove(&pair);
        }
        self.remember(channel.uid);
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
    pub(super) fn make_room(&mut self, at: u64) {
        while self.calls.len() >= CALLS || self.channels.len() >= CHANNELS {
            let ended = self.calls.iter().find(|(_, call)| call.ended);
            let oldest = ended.or_else(|| self.calls.iter().min_by_key(|(_, call)| call.serial));
            let Some((oldest, _)) = oldest else { return };
            self.evicted += 1;
            self.vanish(oldest, at);
        }
    }
}
