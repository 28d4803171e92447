use proptest::prelude::*;

use super::super::{Numbering, Observation, Stamp, Trust};
use super::*;
use crate::model::Merged;
use crate::model::call::{MergedCall, Transfer};

fn at(second: u64) -> Instant {
    Instant::clamped(1_700_000_000_000 + second * 1000)
}

fn rang(extension: &str, second: u64) -> Desk {
    Desk { extension: extension.to_owned(), rang_at: at(second), answered_at: None, stopped_at: None }
}

fn stopped(extension: &str, second: u64, until: u64) -> Desk {
    Desk { stopped_at: Some(at(until)), ..rang(extension, second) }
}

fn answered(extension: &str, second: u64, taken: u64) -> Desk {
    Desk { answered_at: Some(at(taken)), ..rang(extension, second) }
}

fn call(phase: CallPhase, desks: &[Desk]) -> Call {
    Call { phase: Some(phase), desks: desks.to_vec(), ..Call::default() }
}

/// A call as a source tells of it, one sighting after the other; what each change did.
fn history(sightings: &[Call]) -> Vec<AtDesks> {
    let (mut merged, mut before, mut all) = (MergedCall::default(), None, Vec::new());
    for (second, sighting) in sightings.iter().enumerate() {
        let stamp = Stamp { trust: Trust::Reported, at: at(second as u64) };
        merged.join(MergedCall::of(sighting.clone().completed(), stamp), &mut Vec::new());
        let after = Item::Call(merged.view());
        all.push(AtDesks::between(before.as_ref(), &after));
        before = Some(after);
    }
    all
}

fn did(ringing: &[&str], answered: &[&str], withdrawn: &[&str]) -> AtDesks {
    let all = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    AtDesks { ringing: all(ringing), answered: all(answered), withdrawn: all(withdrawn) }
}

use CallPhase::{Answered, Ended, Ringing};

#[test]
fn a_ring_group_rings_together_and_one_takes_it() {
    let told = history(&[
        call(Ringing, &[rang("1001", 0)]),
        call(Ringing, &[rang("1002", 1)]),
        call(Ringing, &[rang("1002", 1)]),
        call(Answered, &[answered("1002", 1, 5)]),
        call(Answered, &[stopped("1001", 0, 5)]),
        call(Ended, &[]),
    ]);
    let nothing = AtDesks::default();
    let expected =
        [did(&["1001"], &[], &[]), did(&["1002"], &[], &[]), nothing.clone(), did(&[], &["1002"], &["1001"])];
    assert_eq!(told[..4], expected);
    assert_eq!(told[4..], [nothing.clone(), nothing]);
}

#[test]
fn a_queue_tries_one_after_the_other_and_again() {
    let told = history(&[
        call(Ringing, &[rang("1001", 0)]),
        call(Ringing, &[stopped("1001", 0, 10)]),
        call(Ringing, &[rang("1002", 11)]),
        call(Ringing, &[stopped("1002", 11, 20), rang("1001", 21)]),
        call(Ended, &[]),
    ]);
    let expected = [
        did(&["1001"], &[], &[]),
        did(&[], &[], &["1001"]),
        did(&["1002"], &[], &[]),
        did(&["1001"], &[], &["1002"]),
        did(&[], &[], &["1001"]),
    ];
    assert_eq!(told, expected);
    let without_ends = history(&[call(Ringing, &[rang("1001", 0)]), call(Ringing, &[rang("1001", 15)])]);
    assert_eq!(without_ends[1], did(&["1001"], &[], &[]), "a new ring pops up again, whether or not the old one ended");
}

#[test]
fn a_transfer_rings_after_the_answer() {
    let told = history(&[
        call(Answered, &[answered("1001", 0, 3)]),
        call(Answered, &[Desk { stopped_at: Some(at(20)), ..answered("1001", 0, 3) }, rang("1002", 20)]),
        call(Answered, &[rang("1003", 20)]),
        call(Answered, &[answered("1003", 20, 25)]),
    ]);
    assert_eq!(told[0], did(&[], &["1001"], &[]));
    assert_eq!(told[1..3], [did(&["1002"], &[], &[]), did(&["1003"], &[], &[])]);
    assert_eq!(told[3], did(&[], &["1003"], &["1002"]));
}

#[test]
fn a_source_that_tells_only_whose_call_it_is() {
    let agent = |extension: &str| Some(Agent { extension: Some(extension.to_owned()), ..Agent::default() });
    let of = |phase, extension: &str, desks: &[Desk]| Call { agent: agent(extension), ..call(phase, desks) };
    let told = history(&[
        of(Ringing, "1001", &[rang("1001", 0)]),
        of(Ringing, "1002", &[rang("1002", 0)]),
        of(Answered, "1001", &[]),
        of(Ended, "1001", &[]),
    ]);
    assert_eq!(told[2], did(&[], &["1001"], &["1002"]));
    assert_eq!(told[3], AtDesks::default(), "the end is told as the end");
}

#[test]
fn what_is_first_seen_past_its_ringing_rings_nowhere() {
    assert_eq!(history(&[call(Answered, &[rang("1001", 0)])]), [AtDesks::default()]);
    assert_eq!(history(&[call(Ended, &[rang("1001", 0), answered("1002", 0, 2)])]), [AtDesks::default()]);
    let late = history(&[call(Ended, &[]), call(Ringing, &[rang("1001", 0)])]);
    assert_eq!(late[1], AtDesks::default());
    let late = history(&[call(Answered, &[answered("1002", 0, 5)]), call(Ringing, &[rang("1001", 0)])]);
    assert_eq!(late[1], AtDesks::default());
    let late = history(&[call(Ringing, &[stopped("1001", 20, 25)]), call(Ringing, &[rang("1001", 0)])]);
    assert_eq!(late[1], AtDesks::default(), "a ring before one that is known to be over");
}

#[test]
fn an_answer_that_is_seen_with_the_end_is_no_withdrawal() {
    let over = Desk { stopped_at: Some(at(60)), ..answered("1001", 0, 3) };
    let told = history(&[call(Ringing, &[rang("1001", 0), rang("1002", 0)]), call(Ended, &[over])]);
    assert_eq!(told[1], did(&[], &[], &["1002"]));
}

#[test]
fn an_event_is_told_from_the_place_of_the_desk() {
    let desks = [answered("1001", 0, 5), rang("1002", 0), stopped("1003", 0, 2)];
    let item = Item::Call(call(Answered, &desks));
    let at = did(&[], &["1001"], &["1002"]);
    let told = |own: &str| at.told("call.answered", &item, &[own.to_owned()]);
    assert_eq!([told("1001"), told("1002"), told("1003")], ["call.answered", "call.withdrawn", "call.updated"]);
    assert_eq!(told("1099"), "call.answered", "whoever placed it");
    let taken = Item::Call(call(Answered, &[stopped("1001", 0, 5)]));
    let elsewhere = |own: &str| AtDesks::default().told("call.answered", &taken, &[own.to_owned()]);
    assert_eq!(
        [elsewhere("1001"), elsewhere("1099")],
        ["call.updated", "call.answered"],
        "picked up where nothing rang"
    );
    let rings = did(&["1002"], &[], &[]);
    assert_eq!(rings.told("call.ringing", &item, &["1001".to_owned()]), "call.updated");
    let unknown = AtDesks::default();
    assert_eq!(unknown.told("call.ringing", &item, &["1001".to_owned()]), "call.ringing", "a source without desks");
    assert_eq!(unknown.told("message.received", &item, &["1001".to_owned()]), "message.received");
}

/// Sightings of one call at two desks, as a source may report them.
fn sightings() -> impl Strategy<Value = Vec<Call>> {
    let desk = (0..2u8, 0..3u64, prop::option::of(0..4u64), prop::option::of(0..4u64)).prop_map(
        |(which, rang_at, answered_at, stopped_at)| Desk {
            extension: ["1001", "1002"][usize::from(which)].to_owned(),
            rang_at: at(rang_at),
            answered_at: answered_at.map(at),
            stopped_at: stopped_at.map(at),
        },
    );
    let phase = prop::sample::select(vec![None, Some(Ringing), Some(Answered), Some(Ended)]);
    let sighting = (phase, prop::collection::vec(desk, 0..3));
    prop::collection::vec(sighting.prop_map(|(phase, desks)| Call { phase, desks, ..Call::default() }), 1..8)
}

proptest! {
    #[test]
    fn repeats_tell_nothing(calls in sightings()) {
        let twice: Vec<Call> = calls.iter().flat_map(|call| [call.clone(), call.clone()]).collect();
        for (n, told) in history(&twice).into_iter().enumerate() {
            prop_assert!(n % 2 == 0 || told.is_empty(), "{told:?}");
        }
        let mut again = calls.clone();
        again.extend(calls.iter().cloned());
        prop_assert!(history(&again)[calls.len()..].iter().all(AtDesks::is_empty));
    }

    #[test]
    fn each_popup_is_taken_away_once(calls in sightings()) {
        let mut shown = std::collections::BTreeSet::new();
        let (mut merged, mut before) = (MergedCall::default(), None);
        for (n, sighting) in calls.iter().enumerate() {
            let stamp = Stamp { trust: Trust::Reported, at: at(n as u64) };
            merged.join(MergedCall::of(sighting.clone().completed(), stamp), &mut Vec::new());
            let call = merged.view();
            let after = Item::Call(call.clone());
            let told = AtDesks::between(before.as_ref(), &after);
            for gone in told.answered.iter().chain(&told.withdrawn) {
                let was = shown.remove(gone);
                prop_assert!(was || told.answered.contains(gone), "{gone} was withdrawn and did not ring");
            }
            shown.extend(told.ringing.clone());
            let lists = [&told.ringing, &told.answered, &told.withdrawn];
            let total: usize = lists.iter().map(|list| list.len()).sum();
            let distinct: std::collections::BTreeSet<_> = lists.iter().flat_map(|list| list.iter()).collect();
            prop_assert_eq!(total, distinct.len(), "one thing at a time at one desk");
            if call.phase == Some(Ended) {
                prop_assert!(told.ringing.is_empty() && told.answered.is_empty());
                // Whoever had picked up is told of the end itself.
                shown.retain(|extension| !picked_up(&call, extension));
                prop_assert!(shown.is_empty(), "{shown:?} ring on after the end");
            }
            before = Some(after);
        }
    }
}

#[test]
fn nothing_rings_in_a_message() {
    let observation = Observation {
        id: "m".to_owned(),
        also: Vec::new(),
        at: None,
        trust: Trust::Reported,
        item: Item::Message(crate::model::Message::default()),
    };
    let merged: Merged = observation.merged(&Numbering::default(), at(0));
    assert!(AtDesks::between(None, &merged.view()).is_empty());
}

#[test]
fn a_telephone_has_a_call_while_it_rings_or_somebody_talks_there() {
    let has = |call: &Call| ["1001", "1002", "1003"].map(|extension| occupies(call, extension));
    let agent = |extension: &str| Some(Agent { extension: Some(extension.to_owned()), ..Agent::default() });
    let rings = call(Ringing, &[rang("1001", 0), rang("1002", 0), stopped("1003", 0, 2)]);
    assert_eq!(has(&rings), [true, true, false]);
    let taken = call(Answered, &[rang("1001", 0), answered("1002", 0, 5)]);
    assert_eq!(has(&taken), [false, true, false], "what a colleague has taken");
    let over = call(Ended, &[answered("1002", 0, 5)]);
    assert_eq!(has(&over), [false; 3]);
    let by = Some(crate::model::Party { agent: agent("1001"), ..Default::default() });
    let placed = Call { caller: by, ..call(Answered, &[answered("1002", 0, 5)]) };
    assert_eq!(has(&placed), [true, true, false]);
    let moved = |second: u64, by: &str, to: &str, answered: bool| Transfer {
        at: at(second),
        kind: "blind".to_owned(),
        by: Some(by.to_owned()),
        to: Some(to.to_owned()),
        answered: Some(answered),
    };
    let desks = vec![rang("1003", 9)];
    let transfers = vec![moved(9, "1001", "1003", false)];
    let away = Call { transfers, desks, answered_at: Some(at(5)), ..placed };
    assert_eq!(has(&away), [false, false, true], "whoever has handed it on has it no more");
    let elsewhere = [stopped("1001", 0, 4)];
    let taken_up = Call { transfers: vec![moved(4, "1002", "1002", true)], ..call(Answered, &elsewhere) };
    assert_eq!(has(&taken_up), [false, true, false], "picked up at a telephone that did not ring");
    let further = vec![moved(4, "1002", "1002", true), moved(8, "1002", "1003", true)];
    assert_eq!(has(&Call { transfers: further, ..taken_up }), [false, false, true]);
    let told = Call { agent: agent("1003"), ..call(Answered, &[]) };
    assert_eq!(has(&told), [false, false, true], "a source that tells of no telephones");
    let elsewhere = Call { agent: agent("1003"), ..call(Ringing, &[rang("1001", 0)]) };
    assert_eq!(has(&elsewhere), [true, false, true], "whoever placed it, where nothing else tells of them");
    assert_eq!(has(&Call { agent: agent("1003"), ..taken }), [false, true, false]);
    assert_eq!(has(&Call { agent: agent("1003"), ..rings }), [true, true, false], "whose telephone rings no more");
}
