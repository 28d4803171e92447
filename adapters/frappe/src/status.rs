//! How a call, a session, a message stands, in Frappe's words.

use cordboard_sdk::records::{Call, CallPhase, Direction, Message, MessageStatus};

use crate::preset::Kind;
use crate::settings::Settings;

/// The states of calls, and the words of Frappe's call logs, the best first.
const CALLS: [(&str, &[&str]); 12] = [
    ("initiated", &["Initiated", "Ringing"]),
    ("ringing", &["Ringing"]),
    ("queued", &["Queued", "Ringing"]),
    ("in-progress", &["In Progress"]),
    ("answered", &["Completed"]),
    ("no-answer", &["No Answer"]),
    ("abandoned", &["No Answer", "Canceled"]),
    ("voicemail", &["No Answer"]),
    ("busy", &["Busy"]),
    ("declined", &["Failed"]),
    ("failed", &["Failed"]),
    ("unknown", &["Completed"]),
];

const SESSIONS: [(&str, &[&str]); 8] = [
    ("starting", &["Connecting"]),
    ("pairing", &["QR Code Required", "Connecting"]),
    ("connected", &["Connected"]),
    ("throttled", &["Connected"]),
    ("disconnected", &["Disconnected"]),
    ("banned", &["Error"]),
    ("failed", &["Error"]),
    ("unknown", &["Disconnected"]),
];

const MESSAGES: [(&str, &[&str]); 7] = [
    ("queued", &["Pending"]),
    ("sent", &["Sent"]),
    ("failed", &["Failed"]),
    ("delivered", &["Delivered"]),
    ("read", &["Read"]),
    ("played", &["Played", "Read"]),
    ("deleted", &["Deleted"]),
];

/// The state that a call is in.
pub fn call(call: &Call) -> &str {
    let talked = call.answered_at.is_some() || call.talk.is_some_and(|talk| talk > 0);
    match (call.phase, call.outcome.as_deref()) {
        (Some(CallPhase::Ended), Some(outcome)) => known(outcome, talked),
        (Some(CallPhase::Ended), None) if talked => "answered",
        (Some(CallPhase::Ended), None) => "unknown",
        (Some(CallPhase::Answered), _) => "in-progress",
        (Some(CallPhase::Ringing), _) if call.desks.is_empty() && call.queue.is_some() => "queued",
        (Some(CallPhase::Ringing), _) if call.direction == Some(Direction::Outbound) && call.desks.is_empty() => {
            "initiated"
        }
        (Some(CallPhase::Ringing), _) => "ringing",
        // The source never says how far calls have come: what is known of the end is all there is.
        (None, Some(outcome)) => known(outcome, talked),
        (None, None) => "unknown",
    }
}

/// An outcome of tomorrow is told by whether anybody talked.
fn known(outcome: &str, talked: bool) -> &str {
    match CALLS.iter().any(|(state, _)| *state == outcome) {
        true => outcome,
        false if talked => "answered",
        false => "no-answer",
    }
}

/// The state that a message is in.
pub fn message(message: &Message) -> &'static str {
    match message.status {
        _ if message.deleted_at.is_some() => "deleted",
        Some(MessageStatus::Queued) => "queued",
        Some(MessageStatus::Sent) => "sent",
        Some(MessageStatus::Failed) => "failed",
        Some(MessageStatus::Delivered) => "delivered",
        Some(MessageStatus::Read) => "read",
        Some(MessageStatus::Played) => "played",
        None if message.read_at.is_some() => "read",
        None if message.direction == Some(Direction::Outbound) => "sent",
        // It came to us: it was delivered.
        None => "delivered",
    }
}

/// What may be written for a state, the best first.
pub fn words(settings: &Settings, kind: Kind, state: &str) -> Vec<String> {
    if let Some(word) = Settings::word(&settings.statuses, kind.word(), state) {
        return vec![word.to_owned()];
    }
    let list: &[(&str, &[&str])] = match kind {
        Kind::Call => &CALLS,
        Kind::Session => &SESSIONS,
        _ => &MESSAGES,
    };
    let found = list.iter().find(|(name, _)| *name == state);
    match (found, kind) {
        (Some((_, words)), _) => words.iter().map(|word| (*word).to_owned()).collect(),
        (None, Kind::Session) => vec!["Error".into()],
        (None, _) => vec![state.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phase_speaks_until_the_end() {
        let at = |phase, outcome: Option<&str>| Call { phase, outcome: outcome.map(Into::into), ..Call::default() };
        assert_eq!(call(&at(Some(CallPhase::Ringing), Some("busy"))), "ringing");
        let queued = Call { queue: Some("support".into()), ..at(Some(CallPhase::Ringing), None) };
        assert_eq!(call(&queued), "queued");
        let outbound = Call { direction: Some(Direction::Outbound), ..at(Some(CallPhase::Ringing), None) };
        assert_eq!(call(&outbound), "initiated");
        assert_eq!(call(&at(Some(CallPhase::Answered), None)), "in-progress");
        assert_eq!(call(&at(Some(CallPhase::Ended), Some("busy"))), "busy");
        assert_eq!(call(&at(Some(CallPhase::Ended), Some("a-word-of-tomorrow"))), "no-answer");
        let talked = Call { talk: Some(3), ..at(Some(CallPhase::Ended), Some("a-word-of-tomorrow")) };
        assert_eq!(call(&talked), "answered");
        assert_eq!(call(&at(None, None)), "unknown");
    }

    #[test]
    fn words_are_frappes_and_can_be_set() {
        let settings = Settings::default();
        assert_eq!(words(&settings, Kind::Call, "declined"), ["Failed"]);
        assert_eq!(words(&settings, Kind::Message, "played"), ["Played", "Read"]);
        assert_eq!(words(&settings, Kind::Session, "a-state-of-tomorrow"), ["Error"]);
        let own = [("declined".to_owned(), "Canceled".to_owned())].into();
        let settings = Settings { statuses: [("call".to_owned(), own)].into(), ..settings };
        assert_eq!(words(&settings, Kind::Call, "declined"), ["Canceled"]);
    }
}
