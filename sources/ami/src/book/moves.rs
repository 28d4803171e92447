//! Calls that are moved: transfers, redirects, forwarding, parking, pick-up.

use super::Book;
use super::call::Part;
use super::channel::{Side, UP};
use super::leg::{Ending, Leg};
use crate::device::Device;
use crate::message::Chan;
use crate::settings::Place;
use crate::text;

/// Within what time Asterisk dials where a telephone sends its calls. Milliseconds.
const AT_ONCE: u64 = 2_000;

/// A move of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// As the contract calls it.
    pub kind: &'static str,
    /// When.
    pub at: u64,
    /// Who moved it.
    pub by: Option<String>,
    /// Where to.
    pub to: Option<String>,
    /// Whether anybody answered there.
    pub answered: Option<bool>,
}

/// The number in what is dialled: `447700900123@trunk`, `trunk/447700900123`, `Local/1003@office/n`.
pub fn called(what: &[u8]) -> &[u8] {
    let what = &what[..memchr::memchr(b'@', what).unwrap_or(what.len())];
    &what[memchr::memrchr(b'/', what).map_or(0, |slash| slash + 1)..]
}

impl Book {
    /// A move has shown itself.
    pub(super) fn moved(&mut self, call: usize, what: Move) {
        let call = &mut self.calls[call];
        call.push_move(what);
        call.next_part(Part::Move);
    }

    /// A move that was announced has its first effect.
    pub(super) fn settle(&mut self, call: usize) -> bool {
        match self.calls[call].pending.take() {
            Some(pending) => {
                self.moved(call, pending);
                true
            }
            None => false,
        }
    }

    /// Who is at a channel, in words: the extension, or the number.
    pub(super) fn label(&self, chan: &Chan<'_>) -> Option<String> {
        let known = self.find(chan).map(|index| &self.channels[index].place);
        match known {
            Some(Place::Extension(extension)) => Some(extension.clone()),
            Some(Place::Trunk(_)) => text::number(chan.number),
            _ => self.plan.extension_of(chan.name).or_else(|| text::number(chan.number)),
        }
    }

    /// A blind transfer. It is not told before its first effect: a transfer to a parking place is parking.
    pub(super) fn blind(&mut self, by: &Chan<'_>, who: &Chan<'_>, to: &[u8], at: u64) {
        let Some(index) = self.find(who).or_else(|| self.find(by)) else { return };
        let call = self.channels[index].call;
        let to = text::known(to).map(|to| text::short(to, 80));
        let by = self.label(by);
        self.calls[call].pending = Some(Move { kind: "blind", at, by, to, answered: None });
        self.calls[call].hung_up = None;
        self.touch(call);
    }

    /// An attended transfer: what is left of the second call goes on in the first.
    pub(super) fn attended(&mut self, first: &Chan<'_>, second: &Chan<'_>, who: &Chan<'_>, target: &Chan<'_>, at: u64) {
        let (Some(kept), Some(left)) = (self.find(who).or_else(|| self.find(first)), self.find(second)) else { return };
        let (call, other) = (self.channels[kept].call, self.channels[left].call);
        let by = self.label(first);
        let unnamed = target.name.is_empty() && call == other;
        let target_index = if unnamed { self.consulted(call) } else { self.find(target) };
        let replaced = self.find(first).map_or(Side::Callee, |index| self.channels[index].side);
        let mut to = match target_index {
            Some(index) if self.channels[index].is_party() => self.label(target),
            // The consulted telephone stands behind a Local channel: its number is in the name.
            Some(index) => self.behind(&self.channels[index].name),
            None => self.behind(target.name),
        };
        let mut answered = crate::message::state(target.state) == Some(UP)
            || target_index.is_some_and(|index| self.channels[index].state == UP);
        if call != other {
            if to.is_none() {
                to.clone_from(&self.calls[other].callee);
            }
            answered |= self.calls[other].answered;
        }
        let last = to.clone().filter(|to| self.plan.is_internal(to));
        self.moved(call, Move { kind: "attended", at, by, to, answered: Some(answered) });
        if call != other {
            self.merge_rest(other, call, left, replaced, at);
        } else if let Some(local) = target_index {
            self.stands_in(call, local, replaced);
        }
        if answered && last.is_some() {
            self.calls[call].last_party = last;
        }
        self.touch(call);
    }

    /// Behind whom the one stands who was asked before an attended transfer inside of one call: the latest Local channel.
    fn consulted(&self, call: usize) -> Option<usize> {
        let local = |index: &usize| self.channels[*index].pair.is_some() && !self.channels[*index].gone;
        self.calls[call].channels.iter().copied().rfind(local)
    }

    /// Whoever was asked before an attended transfer, behind this Local channel, is on this side from now on.
    fn stands_in(&mut self, call: usize, local: usize, side: Side) {
        let first = &self.channels[local].uid;
        let seconds: Vec<usize> = self.calls[call]
            .channels
            .iter()
            .copied()
            .filter(|index| self.channels[*index].first_half.as_ref() == Some(first))
            .collect();
        for leg in &mut self.calls[call].legs {
            let asked = leg.channel == Some(local) || leg.from.is_some_and(|from| seconds.contains(&from));
            let channel = leg.channel.and_then(|index| self.channels.get_mut(index));
            if let Some(channel) = channel.filter(|channel| asked && channel.call == call) {
                channel.side = side;
                leg.side = side;
            }
        }
    }

    /// The number for which a Local channel was made.
    fn behind(&self, name: &[u8]) -> Option<String> {
        self.plan.extension_of(name).or_else(|| text::dialled(Device::of(name).endpoint))
    }

    /// All of a call but one channel goes over to another call.
    pub(super) fn merge_rest(&mut self, from: usize, to: usize, but: usize, side: Side, at: u64) {
        let moving: Vec<usize> = self.calls[from]
            .channels
            .iter()
            .copied()
            .filter(|index| *index != but && !self.channels[*index].gone)
            .collect();
        if self.calls[from].in_queue && self.calls[from].root == Some(but) {
            // Who is handed over waits on, in the place of who asked.
            self.calls[from].in_queue = false;
            self.calls[to].in_queue = true;
            let queue = self.calls[from].queue.clone();
            self.calls[to].queue = queue;
        }
        let part = self.calls[to].part;
        for index in moving {
            self.channels[index].side = side;
            self.hand_over(index, to);
            let Some(leg) = self.calls[from].leg(index) else { continue };
            let ringing = leg.is_open().then(|| Leg { part, side, from: None, ..leg.clone() });
            leg.channel = None;
            leg.ending = Some(Ending::Moved);
            leg.stopped.get_or_insert(at);
            if let Some(leg) = ringing {
                // It rings on, for the other call.
                self.calls[to].push(leg);
            }
        }
        self.touch(from);
        if self.calls[from].live == 0 {
            self.finish(from, at);
        }
    }

    /// A channel belongs to another call from now on.
    pub(super) fn hand_over(&mut self, index: usize, to: usize) {
        let from = std::mem::replace(&mut self.channels[index].call, to);
        let live = usize::from(!self.channels[index].gone);
        self.calls[from].channels.retain(|other| *other != index);
        self.calls[from].forwards.retain(|(other, _)| *other != index);
        self.calls[from].live -= live;
        self.calls[to].channels.push(index);
        self.calls[to].live += live;
    }

    /// A call was parked.
    pub(super) fn parked(&mut self, who: &Chan<'_>, by: &Chan<'_>, interface: &[u8], at: u64) {
        let Some(index) = self.find(who) else { return };
        let call = self.channels[index].call;
        let announced = self.calls[call].pending.take().and_then(|pending| pending.by);
        let by = announced.or_else(|| self.plan.extension_of(interface)).or_else(|| self.label(by));
        self.moved(call, Move { kind: "park", at, by, to: None, answered: None });
        self.touch(call);
    }

    /// A parked call was fetched.
    pub(super) fn unparked(&mut self, who: &Chan<'_>, by: &Chan<'_>) {
        let Some(index) = self.find(who) else { return };
        let call = self.channels[index].call;
        let to = self.label(by);
        if let Some(park) = self.calls[call].moves.iter_mut().rev().find(|one| one.kind == "park") {
            park.to.clone_from(&to);
            park.answered = Some(true);
        }
        let last = to.filter(|to| self.plan.is_internal(to));
        if last.is_some() {
            self.calls[call].last_party = last;
        }
        self.touch(call);
    }

    /// Nobody fetched a parked call.
    pub(super) fn park_over(&mut self, who: &Chan<'_>, given_up: bool) {
        let Some(index) = self.find(who) else { return };
        let call = self.channels[index].call;
        if let Some(park) = self.calls[call].moves.iter_mut().rev().find(|one| one.kind == "park") {
            park.answered.get_or_insert(false);
        }
        if !given_up {
            // It goes back to who parked it: that is no redirect.
            self.calls[call].next_part(Part::Move);
        }
        self.touch(call);
    }

    /// Somebody takes a call that rings elsewhere.
    pub(super) fn picked_up(&mut self, by: &Chan<'_>, target: &Chan<'_>, at: u64) {
        let Some(index) = self.find(target) else { return };
        let call = self.channels[index].call;
        let who = self.label(by);
        self.moved(call, Move { kind: "pickup", at, by: who.clone(), to: who, answered: None });
        self.touch(call);
    }

    /// A telephone sends its calls elsewhere.
    pub(super) fn forwarded(&mut self, call: usize, by: Option<String>, forward: &[u8], at: u64) {
        let to = text::known(called(forward)).map(|to| text::short(to, 80));
        self.moved(call, Move { kind: "forward", at, by, to, answered: None });
    }

    /// For a forward is dialled who is dialled at once where it leads, and who is dialled from there, behind a Local channel.
    pub(super) fn follows_forward(&mut self, call: usize, from: usize, to: usize, at: u64) {
        let (state, channel) = (&self.calls[call], &self.channels[to]);
        let number = channel.extension().or(channel.dialled.as_deref());
        let leads_there = |one: &&Move| {
            one.kind == "forward" && one.to.is_some() && one.to.as_deref() == number && at.abs_diff(one.at) <= AT_ONCE
        };
        let first = self.channels[from].first_half.as_ref().and_then(|first| self.by_uid.get(first));
        let behind = first.and_then(|first| state.forwards.iter().find(|(channel, _)| channel == first));
        let forward = behind.map(|(_, forward)| *forward);
        let forward = forward.or_else(|| state.moves.iter().rev().find(leads_there).map(|one| one.at));
        if let Some(forward) = forward {
            let known = &mut self.calls[call].forwards;
            if !known.contains(&(to, forward)) {
                known.push((to, forward));
            }
        }
    }

    /// Whether dialling on from this channel is a redirect: the call was somewhere, nobody hung up, no transfer was
    /// told, and yet it goes on elsewhere.
    pub(super) fn is_redirect(&self, call: usize, from: usize, side: Side) -> bool {
        let call = &self.calls[call];
        if call.in_queue || call.joined && call.legs.is_empty() {
            return false;
        }
        let caller = self.channels[from].side;
        if matches!(call.hung_up, Some((by, _)) if by != caller) {
            return false;
        }
        let mut legs = call.legs.iter().filter(|leg| leg.part == call.part && leg.side == side);
        match call.part_of {
            Part::Answer => legs.next().is_none() && call.legs.iter().any(|leg| leg.side == side),
            Part::Start | Part::Move => {
                let mut last = None;
                for leg in legs {
                    if leg.is_open() {
                        return false;
                    }
                    last = Some(leg.ending);
                }
                last == Some(Some(Ending::Cancelled))
            }
        }
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
            self.moved(theirs, Move { kind: "attended", at, by, to, answered: Some(answered) });
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
}
