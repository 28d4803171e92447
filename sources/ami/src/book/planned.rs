//! Calls that commands begin or move: what is known of them before anything is seen.

use super::Book;
use super::call::Call;
use super::moves::Move;
use crate::message::Chan;
use crate::settings::{CALL_VARIABLE, Place};

/// Commands' calls that have not begun.
const PLANNED: usize = 1_000;
/// How long such a call may take to begin. Milliseconds.
const PLANNED_TIME: u64 = 600_000;

/// What a command said of the call that it begins.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The extension that rings first.
    pub from: String,
    /// The number that it is then connected with.
    pub to: String,
    /// When it was asked for.
    pub at: u64,
}

impl Book {
    /// A command is about to begin a call under this id.
    pub fn plan_call(&mut self, id: String, planned: Planned) {
        // What has not begun by now never will.
        self.planned.retain(|_, waiting| planned.at.saturating_sub(waiting.at) < PLANNED_TIME);
        if self.planned.len() < PLANNED {
            self.planned.insert(id, planned);
        }
    }

    /// That call does not begin.
    pub fn unplan_call(&mut self, id: &str) {
        self.planned.remove(id);
    }

    /// The agent's telephone has answered: this is its channel's key, where nobody may choose it.
    pub fn originated(&mut self, id: &str, uid: &[u8]) {
        if let Some(index) = self.by_uid.get(uid).copied() {
            let uid = self.channels[index].uid.clone();
            let chan = Chan { uid: &uid, ..Chan::default() };
            self.variable(&chan, CALL_VARIABLE.as_bytes(), id.as_bytes());
        }
    }

    /// The agent's telephone was not reached. When it has not even a channel, this is all that is seen of the call.
    pub fn not_originated(&mut self, id: &str, reason: u64, at: u64) {
        let Some(planned) = self.planned.remove(id) else { return };
        self.make_room(at);
        self.serial += 1;
        let began = planned.at;
        let mut call = Call { serial: self.serial, id: id.to_owned(), started: Some(began), ..Call::default() };
        call.planned(planned);
        call.knows_hangups = true;
        call.cause = match reason {
            5 => Some(17),
            3 => Some(19),
            8 => Some(34),
            _ => None,
        };
        call.refused = Some(match reason {
            1 | 3 => "no-answer",
            5 => "busy",
            _ => "failed",
        });
        let index = self.calls.insert(call);
        self.known_by(index, id.as_bytes().into());
        self.finish(index, at);
    }

    /// A telephone on a call was muted by a command, or is heard again.
    pub fn command_muted(&mut self, id: &str, extension: Option<String>, on: bool) {
        let Some(call) = self.by_id.get(id.as_bytes()).copied() else { return };
        let state = &mut self.calls[call];
        let Some(extension) = extension.or_else(|| state.agent().map(str::to_owned)) else { return };
        state.muted.retain(|muted| *muted != extension);
        if on {
            state.muted.push(extension);
        }
        state.was_muted = true;
        self.touch(call);
    }

    /// Whoever stands at this channel has hung up by a command, which no event tells.
    pub fn command_hung_up(&mut self, id: &str, name: &str) {
        let Some(call) = self.by_id.get(id.as_bytes()).copied() else { return };
        let named = |index: &usize| *self.channels[*index].name == *name.as_bytes();
        let Some(index) = self.calls[call].channels.iter().copied().find(named) else { return };
        if !self.goes_on_without(call, index) {
            self.calls[call].hung_up.get_or_insert((self.channels[index].side, true));
            self.touch(call);
        }
    }

    /// A new part of a call begins because a command moved it.
    pub fn command_moved(&mut self, id: &str, kind: &'static str, by: Option<String>, to: String, at: u64) {
        let Some(call) = self.by_id.get(id.as_bytes()).copied() else { return };
        if self.calls[call].pending.is_none() && !self.calls[call].ended {
            self.calls[call].pending = Some(Move { kind, at, by, to: Some(to), answered: None });
        }
    }
}

impl Call {
    /// A command began this call: what it said is known.
    pub(super) fn planned(&mut self, planned: Planned) {
        self.placed = true;
        self.visible = true;
        self.caller.number = Some(planned.from.clone());
        self.caller.extension = Some(planned.from.clone());
        self.caller_place = Some(Place::Extension(planned.from));
        self.dialled(Some(planned.to), 9);
    }
}
