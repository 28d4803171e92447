//! What a call looks like as a record, and what of it is news.

use std::borrow::Cow;

use cordboard_sdk::records::{self, CallPhase, Direction, Item, Observation, Trust};

use super::call::{Call, Who};
use super::channel::Side;
use super::fresh::{Extension, Face, Number, Rung, fresh, fresh_of};
use super::leg::Leg;
use crate::settings::{Place, Plan};

impl Call {
    /// What the record says by now and `said` did not. Afterwards `said` says it, too.
    fn tell(&self, plan: &Plan, said: &mut records::Call) -> records::Call {
        let direction = self.direction(plan);
        let attributes = self.attributes();
        records::Call {
            phase: fresh(&mut said.phase, self.phase()),
            outcome: fresh(&mut said.outcome, self.outcome(direction)),
            direction: fresh(&mut said.direction, direction),
            caller: fresh(&mut said.caller, self.caller.face()),
            callee: fresh(
                &mut said.callee,
                self.callee.as_deref().map(|number| {
                    let own = direction == Some(Direction::Internal) && plan.is_internal(number);
                    Face { number: Some(number), name: None, extension: own.then_some(number) }
                }),
            ),
            line: fresh(&mut said.line, self.line(direction).map(Number)),
            queue: fresh(&mut said.queue, self.queue.as_deref()),
            agent: fresh(&mut said.agent, self.agent().map(Extension)),
            started_at: fresh(&mut said.started_at, self.started),
            answered_at: fresh(&mut said.answered_at, self.answered_at),
            ended_at: fresh(&mut said.ended_at, self.ended_at),
            duration: None,
            talk: fresh(&mut said.talk, self.talk()),
            hold: fresh(&mut said.hold, self.held()),
            wait: fresh(&mut said.wait, self.waited().map(seconds)),
            hangup_cause: fresh(&mut said.hangup_cause, self.cause.filter(|_| self.ended)),
            hangup_by: fresh(&mut said.hangup_by, self.hangup_by()),
            desks: fresh_of(&mut said.desks, self.desks()),
            recordings: fresh_of(&mut said.recordings, self.audible().iter().map(String::as_str)),
            transfers: fresh_of(&mut said.transfers, self.moves.iter()),
            system: fresh(&mut said.system, plan.name.as_deref()),
            notes: None,
            attributes: fresh_of(&mut said.attributes, attributes.iter()),
        }
    }

    fn phase(&self) -> Option<CallPhase> {
        if self.ended {
            Some(CallPhase::Ended)
        } else if self.answered {
            Some(CallPhase::Answered)
        } else {
            self.ringing.map(|_| CallPhase::Ringing)
        }
    }

    fn line(&self, direction: Option<Direction>) -> Option<&str> {
        match direction? {
            Direction::Inbound => self.did.as_deref().or(self.callee.as_deref()).or(self.line.as_deref()),
            Direction::Outbound => self.line.as_deref(),
            Direction::Internal => None,
        }
    }

    /// When somebody answered, or the call was over with nobody having done so.
    fn settled(&self) -> Option<u64> {
        if self.answered { self.answered_at } else { self.ended_at.filter(|_| self.ended) }
    }

    fn waited(&self) -> Option<u64> {
        Some(self.settled()?.saturating_sub(self.started?))
    }

    fn talk(&self) -> Option<u32> {
        let end = self.ended_at.filter(|_| self.ended)?;
        match (self.answered, self.answered_at) {
            (true, at) => at.map(|at| seconds(end.saturating_sub(at))),
            (false, _) => Some(0),
        }
    }

    /// Milliseconds from the first telephone being called to the answer or the end.
    fn rang(&self) -> Option<u64> {
        let first = |side| self.legs.iter().filter(move |leg| leg.side == side).map(|leg| leg.began).min();
        let settled = self.settled()?;
        // In a callback who is called first has answered before others ring.
        let callee = first(Side::Callee);
        let began = callee.filter(|began| *began < settled).or_else(|| first(Side::Caller)).or(callee)?;
        // What came later says nothing of how long a call rang whose beginning was not seen.
        settled.checked_sub(began)
    }

    fn hangup_by(&self) -> Option<&'static str> {
        self.ended_at.filter(|_| self.ended)?;
        // Whom the PBX calls first in a callback is the one called, although the call began there.
        match self.hung_up {
            Some((side, _)) => Some(if self.is_placed_outside() { side.other() } else { side }.word()),
            None if self.knows_hangups => Some("pbx"),
            None => None,
        }
    }

    fn held(&self) -> Option<u32> {
        (self.was_held && (self.held_since.is_none() || self.ended)).then(|| seconds(self.held))
    }

    fn desks(&self) -> impl Iterator<Item = Rung<'_>> + Clone {
        let rung = self.legs.iter().enumerate().filter_map(|(at, leg)| self.rung(at, leg));
        let told = self.told.iter().filter(|desk| desk.stopped_at.is_some());
        rung.chain(told.map(Rung::from))
    }

    /// The desk that a leg is the first one of. Telephones that ring there together are one: it stops when all have.
    fn rung<'a>(&'a self, at: usize, first: &'a Leg) -> Option<Rung<'a>> {
        let Place::Extension(extension) = &first.place else { return None };
        let together = |leg: &&Leg| leg.ring == first.ring;
        if first.shared && self.legs[..at].iter().any(|leg| together(&leg)) {
            return None;
        }
        let legs = if first.shared { &self.legs[at..] } else { std::slice::from_ref(first) };
        // The telephone of who clicks to call rings too. It is no desk that is called, unless that is all there was.
        let is_called = |leg: &&Leg| {
            leg.side == Side::Callee || leg.part > 0 || self.ended && leg.answered.is_none() && !self.answered
        };
        let offered = || legs.iter().filter(together).filter(|leg| leg.was_offered()).filter(is_called);
        let rang = offered().filter_map(|leg| leg.rang).min();
        let answered_at = offered().filter_map(|leg| leg.answered).min();
        // Who answered may go on while the others have stopped, and one that is dialled may still ring.
        let goes_on = |leg: &Leg| leg.stopped.is_none() && (answered_at.is_none() || leg.answered.is_some());
        let stops = offered().filter(|leg| answered_at.is_none() || leg.answered.is_some()).map(|leg| leg.stopped);
        let may_ring = answered_at.is_none() && legs.iter().filter(together).any(Leg::is_open);
        Some(Rung {
            extension,
            rang_at: rang.or_else(|| offered().map(|leg| leg.began).min().filter(|_| !may_ring))?,
            answered_at,
            stopped_at: stops.max().flatten().filter(|_| !legs.iter().filter(together).any(goes_on)),
        })
    }

    /// The recordings. One that began before anybody answered may never have been written: it is told with the answer.
    fn audible(&self) -> &[String] {
        if self.answered || self.voicemail { &self.recordings } else { &[] }
    }

    fn attributes(&self) -> Vec<(&'static str, Cow<'_, str>)> {
        let mut attributes = Vec::new();
        let mut tell = |name, value| attributes.push((name, value));
        if self.anonymous {
            tell("anonymous", Cow::Borrowed("true"));
        }
        if self.placed {
            tell("click-to-call", Cow::Borrowed("true"));
        }
        if self.repaired {
            tell("repaired", Cow::Borrowed("true"));
        }
        if self.was_held && !self.ended {
            tell("on-hold", Cow::Borrowed(if self.held_since.is_some() { "true" } else { "false" }));
        }
        if self.was_muted && !self.ended {
            tell("muted", if self.muted.is_empty() { "none".into() } else { self.muted.join(" ").into() });
        }
        if let Some(rang) = self.rang() {
            tell("ring-seconds", seconds(rang).to_string().into());
        }
        if let Some(last) = &self.last_party
            && !self.moves.is_empty()
        {
            tell("final-party", Cow::Borrowed(last));
        }
        attributes
    }

    /// What is news, as an observation; nothing when nothing is.
    pub fn news(&mut self, plan: &Plan, at: u64, trust: Trust) -> Option<Observation> {
        let mut said = self.reported.take().unwrap_or_default();
        let news = self.tell(plan, &mut said);
        self.reported = Some(said);
        let joined = self.also.len() > self.reported_also;
        if news == records::Call::default() && !joined {
            return None;
        }
        self.last_at = at.max(self.last_at + 1);
        self.reported_also = self.also.len();
        Some(Observation {
            id: self.id.clone(),
            also: if joined { self.also.clone() } else { vec![] },
            at: Some(self.last_at),
            trust,
            item: Item::Call(news),
        })
    }
}

impl Who {
    fn face(&self) -> Option<Face<'_>> {
        let (number, name, extension) = (self.number.as_deref(), self.name.as_deref(), self.extension.as_deref());
        (number.is_some() || name.is_some() || extension.is_some()).then_some(Face { number, name, extension })
    }
}

/// Whole seconds, to the nearest.
fn seconds(milliseconds: u64) -> u32 {
    u32::try_from((milliseconds + 500) / 1000).unwrap_or(u32::MAX)
}
