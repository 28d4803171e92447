//! The promise of the merge, for every kind of record: any order, any number of repeats and any grouping of the same
//! observations end in the same record.

use proptest::prelude::*;

use super::call::{CallPhase, Desk, Direction, Recording, Transfer};
use super::conversation::LastMessage;
use super::message::{Card, Location, Media, MessageStatus, Origin, Poll, Reaction};
use super::session::Pairing;
use super::*;

/// Values out of small pools, so that they collide often; zeros when the bytes run out.
struct Dice<'a>(std::slice::Iter<'a, u8>);

impl Dice<'_> {
    fn roll(&mut self, sides: u8) -> u8 {
        self.0.next().copied().unwrap_or(0) % sides
    }

    fn pick<T: Clone>(&mut self, pool: &[T]) -> T {
        pool[usize::from(self.roll(pool.len() as u8))].clone()
    }
}

trait Rolled: Sized {
    fn rolled(dice: &mut Dice<'_>) -> Self;
}

impl<T: Rolled> Rolled for Option<T> {
    fn rolled(dice: &mut Dice<'_>) -> Self {
        (dice.roll(3) == 1).then(|| T::rolled(dice))
    }
}

impl<T: Rolled> Rolled for Vec<T> {
    fn rolled(dice: &mut Dice<'_>) -> Self {
        let count = [0, 0, 1, 2, 3][usize::from(dice.roll(5))];
        (0..count).map(|_| T::rolled(dice)).collect()
    }
}

impl<A: Rolled, B: Rolled> Rolled for (A, B) {
    fn rolled(dice: &mut Dice<'_>) -> Self {
        (A::rolled(dice), B::rolled(dice))
    }
}

macro_rules! pools {
    ($($ty:ty: $pool:expr;)+) => {
        $(impl Rolled for $ty {
            fn rolled(dice: &mut Dice<'_>) -> Self {
                dice.pick(&$pool)
            }
        })+
    };
}

pools! {
    bool: [false, true];
    u16: [0, 1, 16];
    u32: [0, 1, 2];
    u64: [0, 1, 2];
    i32: [-1, 0, 1];
    String: ["", "a", "b", "é\u{1F600}"].map(str::to_owned);
    Instant: [0, 1, 2, 1000, 2500].map(Instant::clamped);
    Trust: [Trust::Inferred, Trust::Reported, Trust::Settled];
    Phone: ["1001", "911234567", "+34911234567", "anonymous"].map(Phone::raw);
    CallPhase: [CallPhase::Ringing, CallPhase::Answered, CallPhase::Ended];
    Direction: [Direction::Inbound, Direction::Outbound, Direction::Internal];
    MessageStatus: [
        MessageStatus::Queued, MessageStatus::Sent, MessageStatus::Failed, MessageStatus::Delivered,
        MessageStatus::Read, MessageStatus::Played,
    ];
    Origin: [Origin::Historic, Origin::Live];
}

macro_rules! rolled {
    ($($ty:ident { $($field:ident),+ })+) => {
        $(impl Rolled for $ty {
            fn rolled(dice: &mut Dice<'_>) -> Self {
                $ty { $($field: Rolled::rolled(dice)),+ }
            }
        })+
    };
}

rolled! {
    Agent { extension, name, user }
    Party { number, name, agent }
    Identity { scheme, value }
    Correspondent { ids, number, name, agent }
    Desk { extension, rang_at, answered_at, stopped_at }
    Recording { id, url, media_type, duration }
    Transfer { at, kind, by, to, answered }
    Media { id, media_type, file_name, size, url, sha256, duration }
    Location { latitude_e6, longitude_e6, name, address }
    Poll { question, options, choices }
    Card { name, numbers }
    Reaction { by, emoji, at }
    LastMessage { at, id, preview, outgoing }
    Pairing { expires_at, code }
    Call {
        phase, outcome, direction, caller, callee, line, queue, agent, started_at, answered_at, ended_at, duration, talk,
        hold, wait, hangup_cause, hangup_by, desks, recordings, transfers, system, notes, attributes
    }
    Contact {
        ids, numbers, name, push_name, verified_name, business, blocked, picture, labels, attributes
    }
    Conversation {
        kind, channel, ids, name, contact, archived, pinned, muted_until, unread, last_message, participants, labels,
        assigned_to, attributes
    }
    Session { state, reason, name, number, since, pairing, attributes }
}

impl Rolled for Message {
    fn rolled(dice: &mut Dice<'_>) -> Self {
        Message {
            conversation: Rolled::rolled(dice),
            channel: Rolled::rolled(dice),
            direction: Rolled::rolled(dice),
            kind: Option::<()>::rolled(dice).map(|()| dice.pick(&["text", "undecryptable", "voice"]).to_owned()),
            sender: Rolled::rolled(dice),
            recipient: Rolled::rolled(dice),
            text: Rolled::rolled(dice),
            status: Rolled::rolled(dice),
            sent_at: Rolled::rolled(dice),
            delivered_at: Rolled::rolled(dice),
            read_at: Rolled::rolled(dice),
            error: Rolled::rolled(dice),
            edited_at: Rolled::rolled(dice),
            deleted_at: Rolled::rolled(dice),
            quotes: Rolled::rolled(dice),
            media: Rolled::rolled(dice),
            location: Rolled::rolled(dice),
            cards: Rolled::rolled(dice),
            poll: Rolled::rolled(dice),
            reactions: Rolled::rolled(dice),
            origin: Rolled::rolled(dice),
            attributes: Rolled::rolled(dice),
        }
    }
}

impl Rolled for () {
    fn rolled(_: &mut Dice<'_>) {}
}

/// An observation of that kind as the ledger takes it in.
fn observed(kind: Kind, bytes: &[u8]) -> Merged {
    let mut dice = Dice(bytes.iter());
    let dice = &mut dice;
    let (trust, at, received_at): (Trust, Option<Instant>, Instant) =
        (Rolled::rolled(dice), Rolled::rolled(dice), Rolled::rolled(dice));
    let item = match kind {
        Kind::Call => Item::Call(Rolled::rolled(dice)),
        Kind::Message => Item::Message(Rolled::rolled(dice)),
        Kind::Contact => Item::Contact(Rolled::rolled(dice)),
        Kind::Conversation => Item::Conversation(Rolled::rolled(dice)),
        Kind::Session => Item::Session(Rolled::rolled(dice)),
    };
    let numbering = Numbering { region: "ES".parse().ok(), correct: Vec::new() };
    Observation { id: "x".into(), also: Vec::new(), at, trust, item }.merged(&numbering, received_at)
}

fn joined(kind: Kind, observations: &[Merged]) -> Merged {
    let mut record = Merged::empty(kind);
    for observation in observations {
        record.join(observation.clone());
    }
    record
}

/// The record of the observations shuffled, some of them repeated, joined in groups of groups.
fn shuffled(kind: Kind, observations: &[Merged], order: &[u8]) -> Merged {
    let mut dice = Dice(order.iter());
    let mut heap: Vec<Merged> = observations.to_vec();
    for _ in 0..dice.roll(4) {
        heap.push(dice.pick(observations));
    }
    while heap.len() > 1 {
        let one = heap.swap_remove(usize::from(dice.roll(heap.len() as u8)));
        let at = usize::from(dice.roll(heap.len() as u8));
        if dice.roll(2) == 0 {
            heap[at].join(one);
        } else {
            let mut one = one;
            one.join(std::mem::replace(&mut heap[at], Merged::empty(kind)));
            heap[at] = one;
        }
    }
    let mut record = Merged::empty(kind);
    record.join(heap.remove(0));
    record
}

/// The fields whose merged forms differ.
fn differing(before: &Merged, after: &Merged) -> Vec<String> {
    let fields = |merged: &Merged| match serde_json::to_value(merged).unwrap() {
        serde_json::Value::Object(kinds) => kinds.into_iter().next().unwrap().1.as_object().unwrap().clone(),
        other => panic!("{other}"),
    };
    let (before, after) = (fields(before), fields(after));
    let mut names: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| before.get(name) != after.get(name));
    names
}

/// How far a record has come.
fn reached(item: &Item) -> (Option<CallPhase>, Option<MessageStatus>, Option<Origin>) {
    match item {
        Item::Call(call) => (call.phase, None, None),
        Item::Message(message) => (None, message.status, message.origin),
        _ => (None, None, None),
    }
}

fn observations() -> impl Strategy<Value = (Kind, Vec<Merged>)> {
    let bytes = prop::collection::vec(any::<u8>(), 0..160);
    (prop::sample::select(Kind::ALL.to_vec()), prop::collection::vec(bytes, 1..7))
        .prop_map(|(kind, all)| (kind, all.iter().map(|bytes| observed(kind, bytes)).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn order_repeats_and_grouping_do_not_matter(
        (kind, observations) in observations(),
        order in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let record = joined(kind, &observations);
        let other = shuffled(kind, &observations, &order);
        prop_assert_eq!(&record, &other);
        prop_assert_eq!(record.view(), other.view());
        prop_assert_eq!(serde_json::to_string(&record).unwrap(), serde_json::to_string(&other).unwrap());
    }

    #[test]
    fn what_is_stored_is_what_was_merged((kind, observations) in observations()) {
        let record = joined(kind, &observations);
        let stored: Merged = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        prop_assert_eq!(&stored, &record);
        let shown: Item = serde_json::from_str(&serde_json::to_string(&record.view()).unwrap()).unwrap();
        prop_assert_eq!(shown, record.view());
        let mut again = stored;
        prop_assert!(observations.into_iter().all(|observation| again.join(observation).is_empty()));
    }

    #[test]
    fn changes_are_named_and_nothing_goes_back((kind, observations) in observations()) {
        let mut record = Merged::empty(kind);
        for observation in observations {
            let before = record.clone();
            let mut changed = record.join(observation);
            changed.sort_unstable();
            prop_assert_eq!(differing(&before, &record), changed);
            let (then, now) = (reached(&before.view()), reached(&record.view()));
            prop_assert!(then.0 <= now.0 && then.1 <= now.1 && then.2 <= now.2);
        }
    }
}
