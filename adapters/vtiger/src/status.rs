//! How a call stands, in the words of each module.

use cordboard_sdk::records::{Call, CallPhase};

use crate::settings::Settings;

/// The states, and their words in PBXManager (and modules of one's own) and in Events.
const WORDS: [(&str, &str, &str); 11] = [
    ("ringing", "ringing", "Planned"),
    ("withdrawn", "no-response", "Planned"),
    ("in-progress", "in-progress", "Planned"),
    ("answered", "completed", "Held"),
    ("no-answer", "no-answer", "Not Held"),
    ("busy", "busy", "Not Held"),
    ("declined", "busy", "Not Held"),
    ("failed", "no-response", "Not Held"),
    ("abandoned", "no-answer", "Not Held"),
    ("voicemail", "no-answer", "Not Held"),
    ("unknown", "completed", "Held"),
];

/// The state that a call is in: a key of the setting `statuses`.
pub fn state(call: &Call) -> &str {
    match (call.phase, call.outcome.as_deref()) {
        (Some(CallPhase::Ended), Some(outcome)) => outcome,
        (Some(CallPhase::Ended), None) if call.answered_at.is_some() || call.talk.is_some_and(|talk| talk > 0) => {
            "answered"
        }
        (Some(CallPhase::Ended), None) => "unknown",
        (Some(CallPhase::Answered), _) => "in-progress",
        // Between two tries of a queue, say: what rings nowhere is no popup.
        (Some(CallPhase::Ringing), _)
            if !call.desks.is_empty() && call.desks.iter().all(|desk| desk.stopped_at.is_some()) =>
        {
            "withdrawn"
        }
        (Some(CallPhase::Ringing), _) => "ringing",
        // The source never says how far calls have come: what is known of the end is all there is.
        (None, Some(outcome)) => outcome,
        (None, None) => "unknown",
    }
}

/// What is written for a state. An outcome that is not on the list is written as it is.
pub fn word(settings: &Settings, state: &str) -> String {
    if let Some(word) = settings.statuses.get(state) {
        return word.clone();
    }
    let known = WORDS.iter().find(|(name, _, _)| *name == state);
    match (known, settings.module.as_str()) {
        (Some((_, _, word)), "Events") => (*word).to_owned(),
        (None, "Events") => "Held".to_owned(),
        (Some((_, word, _)), _) => (*word).to_owned(),
        (None, _) => state.to_owned(),
    }
}

/// Every word that may be written.
pub fn words(settings: &Settings) -> Vec<String> {
    let mut words: Vec<String> = WORDS.iter().map(|(state, _, _)| word(settings, state)).collect();
    words.sort();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::records::Desk;

    use super::*;

    #[test]
    fn the_phase_speaks_until_the_end() {
        let call = |phase, outcome: Option<&str>| Call { phase, outcome: outcome.map(Into::into), ..Call::default() };
        assert_eq!(state(&call(Some(CallPhase::Ringing), Some("busy"))), "ringing");
        let desk = |stopped_at| Desk { extension: "101".into(), rang_at: 1, answered_at: None, stopped_at };
        let rang = |desks: Vec<Desk>| Call { desks, ..call(Some(CallPhase::Ringing), None) };
        assert_eq!(state(&rang(vec![desk(Some(2)), desk(None)])), "ringing");
        assert_eq!(state(&rang(vec![desk(Some(2))])), "withdrawn");
        assert_eq!(state(&call(Some(CallPhase::Answered), None)), "in-progress");
        assert_eq!(state(&call(Some(CallPhase::Ended), Some("busy"))), "busy");
        assert_eq!(state(&call(Some(CallPhase::Ended), None)), "unknown");
        assert_eq!(state(&Call { talk: Some(3), ..call(Some(CallPhase::Ended), None) }), "answered");
        assert_eq!(state(&call(None, Some("no-answer"))), "no-answer");
    }

    #[test]
    fn words_can_be_set() {
        let events = Settings { module: "Events".into(), ..Settings::default() };
        assert_eq!(word(&events, "no-answer"), "Not Held");
        assert_eq!(words(&events), ["Held", "Not Held", "Planned"]);
        let own = Settings { statuses: [("answered".to_owned(), "Erledigt".to_owned())].into(), ..Settings::default() };
        assert_eq!(word(&own, "answered"), "Erledigt");
        assert_eq!(word(&own, "new-outcome"), "new-outcome");
    }
}
