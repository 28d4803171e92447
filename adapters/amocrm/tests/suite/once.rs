//! Each call stands once, whatever comes in between: limits, tokens that end, answers that say little, time that is over.

use crate::bench::{Bench, KNOWN, START, STRANGER, Slow, finished, first, missed, placed, repeated};
use cordboard_amocrm::Amocrm;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::json;
use cordboard_tests::amocrm::{ANNA, Fault};

fn limited() -> Fault {
    Fault::Says(429, r#"{"title":"Too Many Requests","status":429,"retry_after":300}"#.into())
}

fn unpaid() -> Fault {
    Fault::Says(402, r#"{"title":"Payment Required","status":402}"#.into())
}

/// What is said of a single call whose number is unknown.
fn nobody() -> Fault {
    let error = r#"{"status":404,"title":"Entity not found","request_id":"0"}"#;
    Fault::Says(400, format!(r#"{{"_total_items":0,"errors":[{error}]}}"#))
}

fn noted(call: Call) -> Call {
    Call { notes: Some("calls back".into()), ..call }
}

/// How many contacts were made, with leads or without.
fn made(bench: &Bench) -> usize {
    let making = ["POST /api/v4/contacts", "POST /api/v4/leads/complex"];
    bench.crm.faults().log().iter().filter(|logged| making.contains(&logged.what.as_str())).count()
}

fn all_done(outcomes: &[Outcome]) {
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "{outcomes:?}");
}

#[test]
fn what_stands_is_reported_whatever_stops_the_rest() {
    for refused in [limited(), Fault::Stranger, unpaid(), Fault::Page(503)] {
        let bench = Bench::with(json!({}));
        bench.crm.faults().next("/notes", refused.clone());
        let changes = [first("a", noted(finished(KNOWN))), first("b", finished(KNOWN)), first("c", placed(KNOWN))];
        let outcomes = Amocrm::deliver(&bench.host, changes.to_vec());
        let [Outcome::Failed(Failure::Retryable(it)), Outcome::Done(_), Outcome::Done(_)] = outcomes.as_slice() else {
            panic!("{refused:?}: {outcomes:?}")
        };
        assert!(it.after >= Some(5000), "{refused:?}: {it:?}");
        bench.settle(&[repeated(&changes[0])]);
        assert_eq!(["a", "b", "c"].map(|id| bench.crm.world().seen(id)), [1, 1, 1], "{refused:?}");
        let world = bench.crm.world();
        let words = world.notes.values().filter(|note| note["params"]["text"] == "calls back").count();
        assert_eq!(words, 1, "{refused:?}");
    }
}

#[test]
fn a_batch_that_is_limited_in_its_middle_is_not_added_again() {
    let bench = Bench::with(json!({}));
    bench.crm.faults().next("/notes", limited());
    let changes = ["a", "b", "c"].map(|id| first(id, noted(finished(KNOWN))));
    let outcomes = Amocrm::deliver(&bench.host, changes.to_vec());
    let asked =
        |outcome: &Outcome| matches!(outcome, Outcome::Failed(Failure::Retryable(it)) if it.after == Some(300_000));
    assert!(outcomes.iter().all(asked), "{outcomes:?}");
    assert_eq!(bench.crm.faults().count("/notes"), 1, "and it is asked no more");
    bench.settle(&changes.map(|change| repeated(&change)));
    assert_eq!(["a", "b", "c"].map(|id| bench.crm.world().seen(id)), [1, 1, 1]);
}

#[test]
fn what_may_stand_is_another_try_when_it_cannot_be_looked_for() {
    for held in [limited(), Fault::Stranger, unpaid()] {
        let bench = Bench::with(json!({}));
        bench.crm.faults().next("POST /api/v4/calls", Fault::Says(200, r#"{"_embedded":{"calls":[]}}"#.into()));
        bench.crm.faults().next("GET /api/v4/contacts", held.clone());
        let change = first("a", finished(KNOWN));
        assert_eq!(bench.fails(&change).word(), "retryable", "{held:?}");
        bench.settle(&[repeated(&change)]);
        assert_eq!(bench.crm.world().seen("a"), 1, "{held:?}");
    }
}

#[test]
fn a_refusal_that_names_no_call_is_asked_of_each() {
    let bench = Bench::with(json!({}));
    let odd = || Fault::Says(400, r#"{"title":"Bad Request","status":400,"detail":"?"}"#.into());
    bench.crm.faults().next("POST /api/v4/calls", odd());
    all_done(&bench.deliver(&[first("a", finished(KNOWN)), first("b", finished(KNOWN))]));
    assert_eq!(["a", "b"].map(|id| bench.crm.world().seen(id)), [1, 1]);
    bench.crm.faults().next("POST /api/v4/calls", odd());
    assert_eq!(bench.fails(&first("c", finished(KNOWN))).word(), "rejected", "alone it is the one");
}

#[test]
fn calls_one_by_one_end_before_the_hub_ends_them() {
    // Users cannot be listed, so one call is refused, and with it nothing is said of the others: each is looked for.
    let bench = Bench::outside(json!({"users": {"101": ANNA, "102": 999}}));
    bench.crm.world().administrator = false;
    bench.login().unwrap();
    let mut changes: Vec<Change> = (0..20).map(|n| first(&format!("c{n}"), finished(KNOWN))).collect();
    changes.push(first("bad", placed(KNOWN)));
    let slow = Slow::new(&bench.host, 2000);
    let outcomes = Amocrm::deliver(&slow, changes.clone());
    assert!(slow.took() <= 21_000, "{} ms, and one request may take ten seconds more", slow.took());
    let done = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Done(_))).count();
    assert!(done > 0, "{outcomes:?}");
    let again = |outcome: &Outcome| matches!(outcome, Outcome::Failed(Failure::Retryable(_)));
    let left = changes.iter().zip(&outcomes).filter(|(_, outcome)| again(outcome));
    let left: Vec<Change> = left.map(|(change, _)| repeated(change)).collect();
    assert_eq!(done + left.len(), 20, "{outcomes:?}");
    bench.settle(&left);
    assert!((0..20).all(|n| bench.crm.world().seen(&format!("c{n}")) == 1));
}

#[test]
fn what_there_is_no_time_for_spends_no_try() {
    let bench = Bench::with(json!({}));
    let changes: Vec<Change> =
        (0..9).map(|n| Change { attempt: 2, ..first(&format!("c{n}"), finished(KNOWN)) }).collect();
    let outcomes = Amocrm::deliver(&Slow::new(&bench.host, 2000), changes.clone());
    let begun = outcomes.iter().take_while(|outcome| matches!(outcome, Outcome::Done(_))).count();
    let left = |outcome: &Outcome| matches!(outcome, Outcome::Failed(Failure::RateLimited(Some(0))));
    assert!(begun > 0 && begun < 9 && outcomes[begun..].iter().all(left), "{outcomes:?}");
    bench.settle(&changes);
    assert!((0..9).all(|n| bench.crm.world().seen(&format!("c{n}")) == 1));
}

#[test]
fn looking_has_a_bound() {
    let bench = Bench::with(json!({}));
    for n in 0..12 {
        let mut world = bench.crm.world();
        let contact = world.contact(&format!("Ivan {n}"), KNOWN, ANNA);
        (0..12).for_each(|_| _ = world.lead("Roof", contact, ANNA));
    }
    bench.one(&Change { attempt: 2, ..first("a", finished(KNOWN)) });
    let log = bench.crm.faults().log();
    let looked = log.iter().filter(|one| one.what.starts_with("GET") && one.what.ends_with("/notes")).count();
    assert!((1..=20).contains(&looked), "{looked}");
}

#[test]
fn a_contact_that_is_not_found_yet_is_not_made_again() {
    for (wanted, of) in [("contact", "contacts"), ("contact-and-lead", "leads")] {
        let bench = Bench::with(json!({"unknown_inbound": wanted}));
        (0..2).for_each(|_| bench.crm.faults().next("POST /api/v4/calls", nobody()));
        let receipt = bench.one(&first("a", finished(STRANGER)));
        let note = bench.note("a");
        assert_eq!((note["entity_type"].as_str(), note["note_type"].as_str()), (Some(of), Some("call_in")));
        assert_eq!((receipt.external_id.unwrap(), made(&bench)), (note["id"].to_string(), 1), "{wanted}");
    }
}

#[test]
fn a_contact_is_made_once_though_its_call_is_held_up() {
    for held in [limited(), Fault::Stranger, unpaid(), Fault::Lost] {
        let bench = Bench::with(json!({"unknown_inbound": "contact-and-lead"}));
        bench.crm.faults().next("POST /api/v4/calls", nobody());
        bench.crm.faults().next("POST /api/v4/calls", held.clone());
        let change = first("a", finished(STRANGER));
        let Failure::Retryable(it) = bench.fails(&change) else { panic!("{held:?}: another try") };
        assert!(it.after >= Some(15_000), "{held:?}: what was made is found after a while only");
        bench.settle(&[repeated(&change)]);
        assert_eq!((made(&bench), bench.crm.world().seen("a")), (1, 1), "{held:?}");
    }
}

#[test]
fn two_calls_of_one_new_number_make_one_contact() {
    for wanted in ["contact", "contact-and-lead"] {
        let bench = Bench::with(json!({"unknown_inbound": wanted}));
        all_done(&bench.deliver(&[first("a", finished(STRANGER)), first("b", missed(STRANGER))]));
        assert_eq!((made(&bench), ["a", "b"].map(|id| bench.crm.world().seen(id))), (1, [1, 1]), "{wanted}");
    }
}

#[test]
fn incoming_leads_are_asked_for_once_in_a_batch() {
    let bench = Bench::with(json!({"one_lead_a_day": true}));
    let other = "+79995556678";
    let changes =
        [("a", STRANGER), ("b", STRANGER), ("c", other), ("d", other)].map(|(id, from)| first(id, missed(from)));
    for changes in [changes.clone(), changes.map(|change| repeated(&change))] {
        bench.crm.faults().forget();
        all_done(&bench.deliver(&changes));
        assert_eq!(bench.crm.faults().count("GET /api/v4/leads/unsorted"), 1);
        assert_eq!(["a", "b", "c", "d"].map(|id| bench.crm.world().seen(id)), [1, 1, 1, 1]);
        assert_eq!(bench.crm.world().unsorted.len(), 2, "the second call of each number joined its lead");
    }
}

#[test]
fn a_call_joins_a_lead_once() {
    let bench = Bench::with(json!({"one_lead_a_day": true}));
    bench.one(&first("a", missed(STRANGER)));
    bench.crm.faults().next("/notes", Fault::Lost);
    let change = first("b", missed(STRANGER));
    assert_eq!(bench.fails(&change).word(), "retryable");
    bench.settle(&[repeated(&change)]);
    let world = bench.crm.world();
    assert_eq!((world.calls("b").len(), world.unsorted.len()), (1, 1));
}

#[test]
fn a_day_is_the_accounts() {
    let bench = Bench::outside(json!({"one_lead_a_day": true}));
    let account = json!({"id": 28_805_383, "amojo_id": "52e591f7",
        "_embedded": {"datetime_settings": {"timezone": "Asia/Vladivostok", "timezone_offset": "+10:00"}}});
    bench.crm.faults().next("GET /api/v4/account", Fault::Says(200, account.to_string()));
    bench.login().unwrap();
    // In the evening; after midnight there, on the same day in UTC; on the afternoon after that.
    for (id, hours) in [("a", 0), ("b", 5), ("c", 20)] {
        bench.one(&first(id, Call { started_at: Some(START + hours * 3_600_000), ..missed(STRANGER) }));
    }
    let world = bench.crm.world();
    assert_eq!((world.unsorted.len(), ["a", "b", "c"].map(|id| world.calls(id).len())), (2, [0, 0, 1]));
    assert_eq!(world.calls("c")[0]["entity_id"], world.unsorted[1]["_embedded"]["leads"][0]["id"]);
}
