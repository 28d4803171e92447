//! The words that PBXs use for states, directions and outcomes.

use std::borrow::Cow;

use crate::contract::{CallPhase, Direction};

/// What a status word says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How far the call has come at least.
    pub phase: Option<CallPhase>,
    /// How it went.
    pub outcome: Option<Cow<'static, str>>,
}

impl State {
    const fn new(phase: CallPhase, outcome: Option<&'static str>) -> Self {
        let outcome = match outcome {
            Some(word) => Some(Cow::Borrowed(word)),
            None => None,
        };
        State { phase: Some(phase), outcome }
    }
}

/// A word without what spellings differ in: case, blanks, `-` and `_`. Longer words than any that is known are cut.
pub struct Plain {
    bytes: [u8; 40],
    length: usize,
}

impl Plain {
    /// The plain form of a word.
    pub fn of(word: &str) -> Self {
        let mut plain = Plain { bytes: [0; 40], length: 0 };
        for byte in word.bytes().filter(|byte| !matches!(byte, b'-' | b'_' | b' ' | b'\t')) {
            if plain.length == plain.bytes.len() {
                break;
            }
            plain.bytes[plain.length] = byte.to_ascii_lowercase();
            plain.length += 1;
        }
        plain
    }

    /// As text; empty when the cut went through a character, which no known word has.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// What a status word says, when it is one that PBXs are known to use.
pub fn status(plain: &Plain) -> Option<State> {
    use CallPhase::{Answered, Ended, Ringing};
    Some(match plain.as_str() {
        "ringing" | "ring" | "alerting" | "alert" | "dialing" | "dialling" | "calling" | "initiated" | "initiating"
        | "queued" | "started" | "start" | "new" | "trying" | "early" | "progress" => State::new(Ringing, None),
        "answered" | "answer" | "inprogress" | "connected" | "talking" | "active" | "bridged" | "up"
        | "established" | "accepted" | "pickup" | "pickedup" | "hold" | "onhold" => {
            State::new(Answered, Some("answered"))
        }
        "completed" | "complete" | "success" | "successful" => State::new(Ended, Some("answered")),
        "ended" | "end" | "hangup" | "hungup" | "finished" | "terminated" | "disconnected" | "closed" | "released"
        | "bye" => State::new(Ended, None),
        "missed" | "noanswer" | "notanswered" | "unanswered" | "noreply" | "timeout" | "cancelled" | "canceled"
        | "cancel" => State::new(Ended, Some("no-answer")),
        "busy" | "userbusy" => State::new(Ended, Some("busy")),
        "failed" | "failure" | "fail" | "error" | "congestion" | "unavailable" | "chanunavail" => {
            State::new(Ended, Some("failed"))
        }
        "rejected" | "reject" | "declined" | "decline" | "refused" | "denied" => State::new(Ended, Some("declined")),
        "abandoned" | "abandon" => State::new(Ended, Some("abandoned")),
        "voicemail" | "voicemessage" => State::new(Ended, Some("voicemail")),
        _ => return None,
    })
}

/// What a direction word says.
pub fn direction(plain: &Plain) -> Option<Direction> {
    Some(match plain.as_str() {
        "inbound" | "incoming" | "in" | "inboundcall" => Direction::Inbound,
        "outbound" | "outgoing" | "out" | "outboundcall" | "clicktocall" => Direction::Outbound,
        "internal" | "local" | "intern" | "ext" | "extension" => Direction::Internal,
        _ => return None,
    })
}

/// The outcome that a word names, when it is one of the contract's or a usual spelling of one.
pub fn outcome(plain: &Plain) -> Option<Cow<'static, str>> {
    status(plain).and_then(|state| state.outcome)
}

/// Reads what a mapping says about a word: `ended`, `ended/no-answer`, `/busy`, or nothing at all.
pub fn state(text: &str) -> Result<State, String> {
    let (phase, outcome) = match text.split_once('/') {
        Some((phase, outcome)) => (phase.trim(), outcome.trim()),
        None => (text.trim(), ""),
    };
    let phase = match phase {
        "" => None,
        other => Some(self::phase(other)?),
    };
    Ok(State { phase, outcome: (!outcome.is_empty()).then(|| Cow::Owned(outcome.to_owned())) })
}

/// Reads the name of a phase.
pub fn phase(text: &str) -> Result<CallPhase, String> {
    match text {
        "ringing" => Ok(CallPhase::Ringing),
        "answered" => Ok(CallPhase::Answered),
        "ended" => Ok(CallPhase::Ended),
        other => Err(format!("`{other}` is not a phase: write `ringing`, `answered` or `ended`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_do_not_matter() {
        for word in ["no-answer", "No Answer", "NOANSWER", "no_answer", "missed", "Cancelled"] {
            let state = status(&Plain::of(word)).expect(word);
            assert_eq!((state.phase, state.outcome.as_deref()), (Some(CallPhase::Ended), Some("no-answer")), "{word}");
        }
        assert_eq!(status(&Plain::of("in progress")), status(&Plain::of("In-Progress")));
        assert_eq!(status(&Plain::of("transferred")), None);
        assert_eq!(status(&Plain::of(&"é".repeat(200))), None);
        assert_eq!(direction(&Plain::of("INCOMING")), Some(Direction::Inbound));
    }

    #[test]
    fn a_mapping_names_phase_and_outcome() {
        assert_eq!(state("ended/busy").expect("good").outcome.as_deref(), Some("busy"));
        assert_eq!(state("").expect("good"), State::default());
        assert_eq!(state("/voicemail").expect("good").phase, None);
        assert!(state("over").expect_err("bad").contains("`ringing`, `answered` or `ended`"));
    }
}
