//! What a call looks like as a record, and what of it is news.

use cordboard_sdk::records::{self, CallPhase, Desk, Direction, Item, Observation, Recording, Transfer, Trust};
use cordboard_sdk::vocabulary::{Agent, Party, Phone};

use super::call::{Call, Who};
use super::channel::Side;
use crate::settings::{Place, Plan};

impl Call {
    /// The record, as far as it is known.
    pub fn record(&self, plan: &Plan) -> records::Call {
        let direction = self.direction(plan);
        let outcome = self.outcome(direction);
        records::Call {
            phase: self.phase(),
            outcome: outcome.map(str::to_owned),
            direction,
            caller: self.caller.party(),
            callee: self.callee.as_ref().map(|number| {
                let own = direction == Some(Direction::Internal) && plan.is_internal(number);
                let agent = own.then(|| Agent::extension(number));
                Party { number: Some(Phone::raw(number)), name: None, agent }
            }),
            line: self.line(direction).map(Phone::raw),
            queue: self.queue.clone(),
            agent: self.agent().map(Agent::extension),
            started_at: self.started,
            answered_at: self.answered_at,
            ended_at: self.ended_at,
            duration: None,
            talk: self.talk(),
            hold: (self.was_held && (self.held_since.is_none() || self.ended)).then(|| seconds(self.held)),
            wait: self.waited().map(seconds),
            hangup_cause: self.cause.filter(|_| self.ended),
            hangup_by: self.hangup_by().map(str::to_owned),
            desks: self.desks(),
            recordings: self.recordings(),
            transfers: self.moves.iter().map(super::moves::Move::transfer).collect(),
            system: plan.name.clone(),
            notes: None,
            attributes: self.attributes(),
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
        let began = first(Side::Callee).or_else(|| first(Side::Caller))?;
        Some(self.settled()?.saturating_sub(began))
    }

    fn hangup_by(&self) -> Option<&'static str> {
        self.ended_at.filter(|_| self.ended)?;
        match self.hung_up {
            Some((side, _)) => Some(side.word()),
            None if self.knows_hangups => Some("pbx"),
            None => None,
        }
    }

    fn desks(&self) -> Vec<Desk> {
        let offered = self.legs.iter().filter(|leg| {
            // The telephone of who clicks to call rings too. It is no desk that is called, unless that is all there was.
            leg.was_offered()
                && (leg.side == Side::Callee || leg.part > 0 || self.ended && leg.answered.is_none() && !self.answered)
        });
        let desk = |leg: &super::leg::Leg| match &leg.place {
            Place::Extension(extension) => Some(Desk {
                extension: extension.clone(),
                rang_at: leg.rang.unwrap_or(leg.began),
                answered_at: leg.answered,
                stopped_at: leg.stopped,
            }),
            _ => None,
        };
        let told = self.told.iter().filter(|desk| desk.stopped_at.is_some());
        offered.filter_map(desk).chain(told.cloned()).collect()
    }

    /// A recording that began before anybody answered may never have been written: it is told with the answer.
    fn recordings(&self) -> Vec<Recording> {
        if !self.answered && !self.voicemail {
            return vec![];
        }
        let recording = |path: &String| Recording { id: path.clone(), url: None, media_type: None, duration: None };
        self.recordings.iter().map(recording).collect()
    }

    fn attributes(&self) -> Vec<(String, String)> {
        let mut attributes = Vec::new();
        let mut tell = |name: &str, value: String| attributes.push((name.to_owned(), value));
        if self.anonymous {
            tell("anonymous", "true".to_owned());
        }
        if self.placed {
            tell("click-to-call", "true".to_owned());
        }
        if self.repaired {
            tell("repaired", "true".to_owned());
        }
        if self.was_held && !self.ended {
            tell("on-hold", self.held_since.is_some().to_string());
        }
        if self.was_muted && !self.ended {
            tell("muted", if self.muted.is_empty() { "none".to_owned() } else { self.muted.join(" ") });
        }
        if let Some(rang) = self.rang() {
            tell("ring-seconds", seconds(rang).to_string());
        }
        if let Some(last) = &self.last_party
            && !self.moves.is_empty()
        {
            tell("final-party", last.clone());
        }
        attributes
    }

    /// What is news, as an observation; nothing when nothing is.
    pub fn news(&mut self, plan: &Plan, at: u64, trust: Trust) -> Option<Observation> {
        let record = self.record(plan);
        let news = difference(&self.reported, &record);
        let joined = self.also.len() > self.reported_also;
        if news == records::Call::default() && !joined {
            return None;
        }
        self.last_at = at.max(self.last_at + 1);
        self.reported = record;
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
    fn party(&self) -> Option<Party> {
        if self.number.is_none() && self.name.is_none() && self.extension.is_none() {
            return None;
        }
        Some(Party {
            number: self.number.as_ref().map(Phone::raw),
            name: self.name.clone(),
            agent: self.extension.as_ref().map(Agent::extension),
        })
    }
}

impl super::moves::Move {
    fn transfer(&self) -> Transfer {
        Transfer {
            kind: self.kind.to_owned(),
            at: self.at,
            by: self.by.clone(),
            to: self.to.clone(),
            answered: self.answered,
        }
    }
}

/// What `new` says and `old` did not.
fn difference(old: &records::Call, new: &records::Call) -> records::Call {
    macro_rules! changed {
        ($($field:ident),+; $($list:ident),+) => {
            records::Call {
                $($field: if new.$field == old.$field { None } else { new.$field.clone() },)+
                $($list: new.$list.iter().filter(|item| !old.$list.contains(item)).cloned().collect(),)+
            }
        };
    }
    changed!(
        phase, outcome, direction, caller, callee, line, queue, agent, started_at, answered_at, ended_at, duration,
        talk, hold, wait, hangup_cause, hangup_by, system, notes;
        desks, recordings, transfers, attributes
    )
}

/// Whole seconds, to the nearest.
fn seconds(milliseconds: u64) -> u32 {
    u32::try_from((milliseconds + 500) / 1000).unwrap_or(u32::MAX)
}
