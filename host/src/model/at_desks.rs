//! What a change of a call did at the tenant's telephones: what popups come and go by.
//!
//! A desk is quiet, it rings, or somebody talks at it. Which of these is worked out from the call alone, before the
//! change and after it; what is told is the difference. So a sighting that comes late or twice tells nothing again.

use serde::{Deserialize, Serialize};

use super::call::{CallPhase, Desk};
use super::{Agent, Call, Instant, Item};

/// The extensions at which something happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AtDesks {
    /// They began to ring, or ring anew.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ringing: Vec<String>,
    /// They were picked up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answered: Vec<String>,
    /// They rang and do not any more, and nobody talks there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub withdrawn: Vec<String>,
}

/// How one telephone stands in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing to hear.
    Quiet,
    /// It rings, since then.
    Rings(Instant),
    /// Somebody talks.
    Talks,
}

impl AtDesks {
    /// What the change from `before` (absent: a call that was not known) to `after` did.
    pub fn between(before: Option<&Item>, after: &Item) -> Self {
        let mut at = AtDesks::default();
        let Item::Call(call) = after else { return at };
        let old = match before {
            Some(Item::Call(old)) => Some(old),
            _ => None,
        };
        for extension in extensions(call) {
            let was = old.map_or(State::Quiet, |old| state(old, extension));
            match (was, state(call, extension)) {
                (was, is) if was == is => {}
                (_, State::Rings(_)) => at.ringing.push(extension.to_owned()),
                (_, State::Talks) => at.answered.push(extension.to_owned()),
                // Whoever picked up and has let go since hears that the call is over, and nothing of a withdrawal.
                (State::Rings(_), _) if !(is_over(call) && picked_up(call, extension)) => {
                    at.withdrawn.push(extension.to_owned());
                }
                _ => {}
            }
        }
        at
    }

    /// Nothing happened at any desk.
    pub fn is_empty(&self) -> bool {
        self.ringing.is_empty() && self.answered.is_empty() && self.withdrawn.is_empty()
    }

    /// The type by which somebody at these extensions is told of an event of type `kind` about `item`.
    ///
    /// What happened at their own telephone comes first. That another one rang or was picked up is no reason for a
    /// popup here: it is told as an update, but to whoever placed the call that it was answered.
    pub fn told<'a>(&self, kind: &'a str, item: &Item, own: &[String]) -> &'a str {
        let one_of = |desks: &[String]| desks.iter().any(|desk| own.contains(desk));
        if one_of(&self.ringing) {
            return "call.ringing";
        }
        if one_of(&self.answered) {
            return "call.answered";
        }
        if one_of(&self.withdrawn) {
            return "call.withdrawn";
        }
        let rang = || matches!(item, Item::Call(call) if call.desks.iter().any(|desk| own.contains(&desk.extension)));
        match kind {
            "call.ringing" if !self.ringing.is_empty() => "call.updated",
            "call.answered" if rang() => "call.updated",
            "call.withdrawn" => "call.updated",
            kind => kind,
        }
    }
}

/// Whether this extension rings for the call or somebody talks there: whoever rang, whoever placed it and has not handed
/// it on, and whoever it went to last without ringing (picked up elsewhere, retrieved, transferred after a talk). Where
/// the source tells neither of an answer nor of this telephone, it counts whose call it is.
pub fn occupies(call: &Call, extension: &str) -> bool {
    if is_over(call) {
        return false;
    }
    let is = |agent: Option<&Agent>| agent.is_some_and(|agent| agent.extension.as_deref() == Some(extension));
    let placed = is(call.caller.as_ref().and_then(|caller| caller.agent.as_ref()));
    let tells = |desk: &Desk| desk.answered_at.is_some() || desk.extension == extension;
    let has = is(call.agent.as_ref()) && !call.desks.iter().any(tells);
    let moved = call.transfers.iter().any(|transfer| transfer.by.as_deref() == Some(extension));
    let last = call.transfers.iter().max_by_key(|transfer| transfer.at);
    let came = last.is_some_and(|last| last.answered == Some(true) && last.to.as_deref() == Some(extension));
    came || (placed || has) && !moved || state(call, extension) != State::Quiet
}

/// Those that rang for the call, once each.
fn extensions(call: &Call) -> Vec<&str> {
    let mut all: Vec<&str> = call.desks.iter().map(|desk| desk.extension.as_str()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn state(call: &Call, extension: &str) -> State {
    if is_over(call) {
        return State::Quiet;
    }
    let mut own = call.desks.iter().filter(|desk| desk.extension == extension);
    if own.clone().any(|desk| desk.stopped_at.is_none() && holds(call, desk)) {
        return State::Talks;
    }
    // An earlier ring whose end nobody reported ended when the telephone rang anew.
    match own.by_ref().max_by_key(|desk| desk.rang_at) {
        Some(desk) if rings(call, desk) => State::Rings(desk.rang_at),
        _ => State::Quiet,
    }
}

fn is_over(call: &Call) -> bool {
    call.phase == Some(CallPhase::Ended)
}

fn picked_up(call: &Call, extension: &str) -> bool {
    call.desks.iter().any(|desk| desk.extension == extension && holds(call, desk))
}

/// Whether the call was taken there. A source that does not tell it of each telephone tells whose call it is.
fn holds(call: &Call, desk: &Desk) -> bool {
    let agent = call.agent.as_ref().and_then(|agent| agent.extension.as_deref());
    let told = call.desks.iter().any(|desk| desk.answered_at.is_some());
    let is_agents = agent == Some(&desk.extension) && !told;
    desk.answered_at.is_some() || (is_agents && call.phase >= Some(CallPhase::Answered))
}

/// Whether it rings: nobody has taken the call since it began to.
fn rings(call: &Call, desk: &Desk) -> bool {
    let mut taken = call.desks.iter().filter_map(|desk| desk.answered_at).chain(call.answered_at).peekable();
    let never = taken.peek().is_none();
    let waiting = if never { call.phase != Some(CallPhase::Answered) } else { taken.all(|taken| taken < desk.rang_at) };
    desk.stopped_at.is_none() && desk.answered_at.is_none() && waiting
}

#[cfg(test)]
#[path = "at_desks_tests.rs"]
mod tests;
