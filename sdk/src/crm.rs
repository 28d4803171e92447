//! What adapters of CRMs share: whose side of a call is which, numbers compared by their digits, why a request has no
//! result, and what was written where, so that only changes are written again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::records::{Call, CallPhase, Direction, Recording};
use crate::vocabulary::{Failure, Party, Phone, Retryable};

/// Fewer digits than this are an extension or a service, and nobody's number.
const LEAST: usize = 6;

/// Bytes of a memo that the hub keeps.
pub const MEMO: usize = 4096;

/// How long a server may still be at what it has not answered, in milliseconds.
const STILL_AT_IT: u64 = 5000;

impl Call {
    /// The direction, worked out of who is ours when nobody reports it.
    pub fn way(&self) -> Option<Direction> {
        let ours = |party: &Option<Party>| party.as_ref().is_some_and(|party| party.agent.is_some());
        self.direction.or(match (ours(&self.caller), ours(&self.callee)) {
            (true, false) => Some(Direction::Outbound),
            (false, true) => Some(Direction::Inbound),
            (true, true) => Some(Direction::Internal),
            (false, false) => None,
        })
    }

    /// The side that is not ours.
    pub fn other(&self) -> Option<&Party> {
        match self.way() {
            Some(Direction::Inbound) | None => self.caller.as_ref(),
            Some(Direction::Outbound | Direction::Internal) => self.callee.as_ref(),
        }
    }

    /// The recordings that have a link, in a lasting order.
    pub fn linked_recordings(&self) -> Vec<&Recording> {
        let mut all: Vec<&Recording> = self.recordings.iter().filter(|recording| recording.url.is_some()).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// The word for how it stands: "ringing", "withdrawn" (it rings nowhere any more: no popup), "in-progress", then
    /// the outcome, or "unknown".
    pub fn state(&self) -> &str {
        match (self.phase, self.outcome.as_deref()) {
            (Some(CallPhase::Ended), Some(outcome)) => outcome,
            (Some(CallPhase::Ended), None) if self.answered_at.is_some() || self.talk.is_some_and(|talk| talk > 0) => {
                "answered"
            }
            (Some(CallPhase::Ended), None) => "unknown",
            (Some(CallPhase::Answered), _) => "in-progress",
            // Between two tries of a queue, say.
            (Some(CallPhase::Ringing), _)
                if !self.desks.is_empty() && self.desks.iter().all(|desk| desk.stopped_at.is_some()) =>
            {
                "withdrawn"
            }
            (Some(CallPhase::Ringing), _) => "ringing",
            // The source never says how far calls have come: what is known of the end is all there is.
            (None, Some(outcome)) => outcome,
            (None, None) => "unknown",
        }
    }
}

impl Phone {
    /// The number as it is shown and written: with its plus sign, when that is known.
    pub fn shown(&self) -> &str {
        self.e164.as_deref().unwrap_or(self.raw.trim())
    }

    /// The digits that identify it: without the plus sign and the zeros before it. Extensions, services, addresses and
    /// names have none.
    pub fn digits(&self) -> Option<String> {
        let text = self.e164.as_deref().or(self.national.as_deref()).unwrap_or(&self.raw);
        // An address or a name is no number, however many digits it has.
        if self.e164.is_none() && self.national.is_none() && text.chars().any(|c| c.is_alphabetic() || c == '@') {
            return None;
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.trim_start_matches('0').to_owned();
        (digits.len() >= LEAST).then_some(digits)
    }
}

/// Whether a text that a CRM keeps holds the number of these digits: at least `decide` of the last ones must be there
/// and the same. What a CRM's search finds is too much; this decides.
pub fn holds(stored: &str, digits: &str, decide: usize) -> bool {
    let stored = stored.replace("(0)", "");
    stored.split(|c: char| c.is_alphabetic() || "/,;|#".contains(c)).any(|piece| {
        let own: String = piece.chars().filter(char::is_ascii_digit).collect();
        let own = own.trim_start_matches('0');
        let enough = own.len().min(digits.len()) >= decide.min(digits.len());
        enough && (own.ends_with(digits) || digits.ends_with(own))
    })
}

impl Failure {
    /// This failure of something that may have been carried out all the same: not tried again so soon that a look-up
    /// would miss what the server is about to store.
    #[must_use]
    pub fn uncertain(self) -> Self {
        match self {
            Self::Retryable(it) => {
                Self::Retryable(Retryable { after: Some(it.after.unwrap_or(0).max(STILL_AT_IT)), ..it })
            }
            other => other,
        }
    }

    /// The name of its case in the contract: "retryable".
    pub fn word(&self) -> &'static str {
        match self {
            Self::Retryable(_) => "retryable",
            Self::RateLimited(_) => "rate-limited",
            Self::Unauthorized(_) => "unauthorized",
            Self::Rejected(_) => "rejected",
            Self::Misconfigured(_) => "misconfigured",
            Self::Other(_) => "other",
        }
    }
}

/// Why a request to a CRM has no result.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault<S> {
    /// The CRM answered, and refused in its own form.
    Said(S),
    /// There is no answer of the CRM's.
    Silent {
        /// What the hub should do.
        failure: Failure,
        /// It may have been carried out all the same.
        uncertain: bool,
    },
}

/// A refusal in a CRM's own form: what it means to the hub is the failure it becomes, what it means to the adapter is
/// asked here.
pub trait Refused: Into<Failure> {
    /// The CRM's own name for it; empty when it has none.
    fn code(&self) -> &str {
        ""
    }

    /// The HTTP status, where it says anything.
    fn status(&self) -> Option<u16> {
        None
    }

    /// Whether what it is about is not there, or not for this user.
    fn is_gone(&self) -> bool;

    /// Whether there is such a thing already.
    fn is_duplicate(&self) -> bool {
        false
    }

    /// Whether the user lacks a right.
    fn is_denied(&self) -> bool {
        false
    }

    /// Whether the CRM does not take what was sent: repeating it unchanged is of no use.
    fn is_refused(&self) -> bool {
        false
    }
}

impl<S: Refused> Fault<S> {
    /// The refusal, if there is one.
    pub fn said(&self) -> Option<&S> {
        match self {
            Self::Said(said) => Some(said),
            Self::Silent { .. } => None,
        }
    }

    /// The CRM's own name for it; empty when it has none.
    pub fn code(&self) -> &str {
        self.said().map_or("", S::code)
    }

    /// The HTTP status of a refusal, where it says anything.
    pub fn status(&self) -> Option<u16> {
        self.said().and_then(S::status)
    }

    /// Whether what was asked about is not there, or not for this user.
    pub fn is_gone(&self) -> bool {
        self.said().is_some_and(S::is_gone)
    }

    /// Whether there is such a thing already.
    pub fn is_duplicate(&self) -> bool {
        self.said().is_some_and(S::is_duplicate)
    }

    /// Whether the user lacks a right.
    pub fn is_denied(&self) -> bool {
        self.said().is_some_and(S::is_denied)
    }

    /// Whether the CRM does not take what was sent: repeating it unchanged is of no use.
    pub fn is_refused(&self) -> bool {
        self.said().is_some_and(S::is_refused)
    }
}

impl<S: Into<Failure>> From<Fault<S>> for Failure {
    fn from(fault: Fault<S>) -> Self {
        match fault {
            Fault::Said(said) => said.into(),
            Fault::Silent { failure, uncertain: true } => failure.uncertain(),
            Fault::Silent { failure, .. } => failure,
        }
    }
}

/// What was written, field by field, as short hashes: for memos.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Written(BTreeMap<String, String>);

impl Written {
    /// Whether this very value was written to the field.
    pub fn has(&self, field: &str, value: &Value) -> bool {
        self.0.get(field).is_some_and(|hash| *hash == short(&value.to_string()))
    }

    /// Remembers that the value was written.
    pub fn wrote(&mut self, field: &str, value: &Value) {
        self.0.insert(field.to_owned(), short(&value.to_string()));
    }

    /// Whether anything was written to the field.
    pub fn knows(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// Remembers of the field a word that no value has as its hash.
    pub fn mark(&mut self, field: &str, word: &str) {
        self.0.insert(field.to_owned(), word.to_owned());
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// A short, stable hash (FNV-1a), good enough to notice a change.
pub fn short(text: &str) -> String {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    format!("{:012x}", hash >> 16)
}

/// Changes when anything in it does: what was learnt under other settings is not used.
pub fn stamp(settings: &impl Serialize) -> String {
    short(&serde_json::to_string(settings).unwrap_or_default())
}

/// A memo's bytes, no more than the hub keeps. While it is too long, `give_up` drops the least needed piece; false says
/// that nothing is left to drop, and then nothing is kept.
pub fn memo<T: Serialize>(mut memo: T, mut give_up: impl FnMut(&mut T) -> bool) -> Vec<u8> {
    loop {
        let bytes = serde_json::to_vec(&memo).unwrap_or_default();
        if bytes.len() <= MEMO {
            return bytes;
        }
        if !give_up(&mut memo) {
            return Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Desk;
    use crate::vocabulary::Agent;

    #[test]
    fn stored_numbers_are_verified_by_their_digits() {
        let number = "34600111222";
        for stored in ["+34 600 111 222", "600-111-222", "0034600111222", "(600) 111222", "+34600111222 / +33199001122"]
        {
            assert!(holds(stored, number, 9), "{stored}");
        }
        for stored in ["", "11222", "+34600111223", "+44600111222", "6001112220"] {
            assert!(!holds(stored, number, 9), "{stored}");
        }
        let number = "442079460123";
        for stored in ["+44 (0)20 7946 0123", "20.7946.0123", "7946 0123", "tel. +44 20 7946 0123 ext 5"] {
            assert!(holds(stored, number, 8), "{stored}");
        }
        for stored in ["0123", "+44 20 7946 0124", "+49 20 7946 0123", "+44 20 7946 01230", "79460123 4"] {
            assert!(!holds(stored, number, 8), "{stored}");
        }
    }

    #[test]
    fn extensions_and_names_are_no_numbers() {
        for raw in ["101", "sip:0034600111222@pbx", "%' OR 1=1", "anonymous", ""] {
            assert_eq!(Phone::raw(raw).digits(), None, "{raw}");
        }
        assert_eq!(Phone::raw("600 111 222").digits().as_deref(), Some("600111222"));
        let known = Phone { e164: Some("+34600111222".into()), ..Phone::raw(" 600111222 ") };
        assert_eq!((known.digits().as_deref(), known.shown()), (Some("34600111222"), "+34600111222"));
    }

    #[test]
    fn the_other_side_is_the_one_that_is_not_ours() {
        let ours = || Some(Party { agent: Some(Agent::extension("101")), ..Party::default() });
        let theirs = || Some(Party::number("600111222"));
        let placed = Call { caller: ours(), callee: theirs(), ..Call::default() };
        assert_eq!((placed.way(), placed.other()), (Some(Direction::Outbound), theirs().as_ref()));
        let took = Call { caller: theirs(), callee: ours(), ..Call::default() };
        assert_eq!((took.way(), took.other()), (Some(Direction::Inbound), theirs().as_ref()));
        let strangers = Call { caller: theirs(), callee: theirs(), ..Call::default() };
        assert_eq!(strangers.way(), None);
        let colleagues = Call { caller: ours(), callee: ours(), ..Call::default() };
        assert_eq!(colleagues.way(), Some(Direction::Internal));
        assert_eq!(Call { direction: Some(Direction::Internal), ..took }.way(), Some(Direction::Internal));
    }

    #[test]
    fn the_phase_speaks_until_the_end() {
        let call = |phase, outcome: Option<&str>| Call { phase, outcome: outcome.map(Into::into), ..Call::default() };
        assert_eq!(call(Some(CallPhase::Ringing), Some("busy")).state(), "ringing");
        let desk = |stopped_at| Desk { extension: "101".into(), rang_at: 1, answered_at: None, stopped_at };
        let rang = |desks: Vec<Desk>| Call { desks, ..call(Some(CallPhase::Ringing), None) };
        assert_eq!(rang(vec![desk(Some(2)), desk(None)]).state(), "ringing");
        assert_eq!(rang(vec![desk(Some(2))]).state(), "withdrawn");
        assert_eq!(call(Some(CallPhase::Answered), None).state(), "in-progress");
        assert_eq!(call(Some(CallPhase::Ended), Some("busy")).state(), "busy");
        assert_eq!(call(Some(CallPhase::Ended), None).state(), "unknown");
        assert_eq!(Call { talk: Some(3), ..call(Some(CallPhase::Ended), None) }.state(), "answered");
        assert_eq!(call(None, Some("no-answer")).state(), "no-answer");
    }

    #[test]
    fn a_memo_never_outgrows_its_place() {
        let many: Vec<u32> = (0..5000).collect();
        let bytes = memo(many, |list| list.pop().is_some());
        assert!(bytes.len() <= MEMO && bytes.len() > MEMO - 6);
        assert_eq!(memo("x".repeat(MEMO), |_| false), Vec::<u8>::new());
        let mut written = Written::default();
        written.wrote("status", &"Ringing".into());
        assert!(written.has("status", &"Ringing".into()) && !written.has("status", &"Busy".into()));
    }
}
