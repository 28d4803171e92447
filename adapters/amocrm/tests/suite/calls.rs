//! Calls of known and unknown numbers: what stands in amoCRM, and that it stands there once.

use crate::bench::{Bench, KNOWN, START, STRANGER, desk, finished, first, missed, next, placed, recorded, repeated};
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_tests::amocrm::{ANNA, BORIS, Fault};

const LINK: &str = "https://hub.example.com/records/1763700000.42";

#[test]
fn an_answered_call_stands_with_its_card() {
    let bench = Bench::with(json!({"source": "hub"}));
    let receipt = bench.one(&first("1763700000.42", recorded(finished(KNOWN), LINK)));
    let sent = bench.crm.faults().latest("POST /api/v4/calls");
    assert_eq!(
        sent,
        json!([{"request_id": "0", "uniq": "1763700000.42", "direction": "inbound", "duration": 73, "source": "hub",
            "phone": KNOWN, "call_status": 4, "link": LINK, "created_at": START / 1000, "call_responsible": ANNA,
            "responsible_user_id": ANNA, "created_by": ANNA}])
    );
    let note = bench.note("1763700000.42");
    assert_eq!((note["entity_type"].as_str(), note["entity_id"].as_u64()), (Some("contacts"), Some(bench.ivan)));
    assert_eq!(receipt.external_id.unwrap(), note["id"].to_string());
    assert_eq!(receipt.url.unwrap(), format!("{}/contacts/detail/{}", bench.crm.url(), bench.ivan));
    assert!(receipt.shortened.is_empty(), "{:?}", receipt.shortened);
}

#[test]
fn amocrm_chooses_the_lead_and_it_is_linked() {
    let bench = Bench::with(json!({}));
    let lead = bench.crm.world().lead("Roof", bench.ivan, BORIS);
    let receipt = bench.one(&first("a", placed(KNOWN)));
    let note = bench.note("a");
    assert_eq!((note["note_type"].as_str(), note["entity_id"].as_u64()), (Some("call_out"), Some(lead)));
    assert!(receipt.url.unwrap().ends_with(&format!("/leads/detail/{lead}")));
    assert_eq!(note["created_by"], BORIS, "by e-mail, whatever its case");
}

#[test]
fn nothing_is_asked_for_a_call_that_has_not_changed() {
    let bench = Bench::with(json!({}));
    let change = first("a", finished(KNOWN));
    let receipt = bench.one(&change);
    assert_eq!(bench.requests(|| drop(bench.one(&next(change.clone(), &receipt, finished(KNOWN))))), 0);
    assert_eq!(bench.crm.world().seen("a"), 1);
}

#[test]
fn a_call_is_never_added_twice() {
    for lost in [Fault::Lost, Fault::Breaks] {
        for with_lead in [false, true] {
            let bench = Bench::with(json!({}));
            if with_lead {
                bench.crm.world().lead("Roof", bench.ivan, ANNA);
            }
            bench.crm.faults().next("POST /api/v4/calls", lost.clone());
            let change = first("a", finished(KNOWN));
            let Failure::Retryable(it) = bench.fails(&change) else { panic!("{lost:?}") };
            assert!(it.after.unwrap() >= 5000, "amoCRM may still be at it");
            let receipt = bench.one(&repeated(&change));
            assert_eq!(receipt.external_id.unwrap(), bench.note("a")["id"].to_string());
            assert_eq!(bench.crm.faults().count("POST /api/v4/calls"), 1, "found, and not added");
        }
    }
}

#[test]
fn an_incoming_lead_is_never_added_twice() {
    for from in [STRANGER, ""] {
        let bench = Bench::with(json!({}));
        let call =
            if from.is_empty() { Call { caller: Some(Party::default()), ..missed(KNOWN) } } else { missed(from) };
        bench.crm.faults().next("POST /api/v4/leads/unsorted/sip", Fault::Lost);
        let change = first("a", call);
        assert_eq!(bench.fails(&change).word(), "retryable");
        let receipt = bench.one(&repeated(&change));
        assert_eq!(bench.crm.world().seen("a"), 1, "{from:?}");
        assert_eq!(receipt.external_id.as_deref(), bench.crm.world().unsorted[0]["uid"].as_str());
    }
}

#[test]
fn what_is_in_the_incoming_stage_already_is_taken_for_done() {
    let bench = Bench::with(json!({}));
    bench.one(&first("a", missed(STRANGER)));
    // The hub has forgotten all of it, and says that it is the first try.
    let receipt = bench.one(&first("a", missed(STRANGER)));
    assert_eq!(bench.crm.world().seen("a"), 1);
    assert_eq!(receipt.external_id.as_deref(), bench.crm.world().unsorted[0]["uid"].as_str());
}

#[test]
fn a_batch_is_one_request_and_is_taken_apart() {
    for mixed in [200, 400] {
        let bench = Bench::with(json!({}));
        bench.crm.world().mixed = mixed;
        let changes = [
            first("known", finished(KNOWN)),
            first("stranger", missed(STRANGER)),
            first("placed", placed(KNOWN)),
            first("nobody", placed(STRANGER)),
        ];
        let outcomes = bench.deliver(&changes);
        assert!(matches!(&outcomes[..3], [Outcome::Done(_), Outcome::Done(_), Outcome::Done(_)]), "{outcomes:?}");
        assert!(matches!(&outcomes[3], Outcome::Skipped(why) if why.contains(STRANGER)), "nothing is lost silently");
        let world = bench.crm.world();
        assert_eq!(["known", "stranger", "placed", "nobody"].map(|id| world.seen(id)), [1, 1, 1, 0], "{mixed}");
        drop(world);
        assert_eq!(bench.crm.faults().count("POST /api/v4/calls"), 1);
    }
}

#[test]
fn one_bad_call_does_not_keep_the_others_out() {
    // Users cannot be listed, so a number that is none of theirs is not noticed before.
    let bench = Bench::outside(json!({"users": {"101": ANNA, "102": 999}}));
    bench.crm.world().administrator = false;
    bench.login().unwrap();
    let outcomes =
        bench.deliver(&[first("a", finished(KNOWN)), first("b", placed(KNOWN)), first("c", finished(KNOWN))]);
    let Outcome::Failed(Failure::Rejected(rejected)) = &outcomes[1] else { panic!("{outcomes:?}") };
    assert!(
        rejected.why.contains("responsible_user_id") && rejected.why.contains("NotSupportedChoice"),
        "{rejected:?}"
    );
    assert!(matches!((&outcomes[0], &outcomes[2]), (Outcome::Done(_), Outcome::Done(_))), "{outcomes:?}");
    assert_eq!(["a", "b", "c"].map(|id| bench.crm.world().seen(id)), [1, 0, 1]);
}

#[test]
fn an_unknown_caller_becomes_an_incoming_lead() {
    let bench = Bench::with(json!({
        "pipeline": "sales", "source_uid": "trunk-1", "source_name": "Office", "service_code": "widget", "default_user": BORIS,
    }));
    let receipt = bench.one(&first("a", recorded(missed(STRANGER), LINK)));
    let sent = bench.crm.faults().latest("POST /api/v4/leads/unsorted/sip");
    assert_eq!(
        sent,
        json!([{"request_id": "a", "source_uid": "trunk-1", "source_name": "Office", "pipeline_id": 31_101,
            "created_at": START / 1000,
            "metadata": {"uniq": "a", "phone": STRANGER, "from": STRANGER, "called_at": START / 1000, "duration": 0,
                "link": LINK, "service_code": "widget", "is_call_event_needed": true, "call_responsible": BORIS},
            "_embedded": {"contacts": [{"name": STRANGER, "custom_fields_values": [{"field_code": "PHONE",
                "values": [{"value": STRANGER, "enum_code": "WORK"}]}]}]}}])
    );
    assert!(receipt.url.unwrap().contains("/leads/detail/"));
}

#[test]
fn a_withheld_number_is_logged_and_nobody_is_searched_for() {
    for caller in [Some(Party::default()), None, Some(Party::number("anonymous"))] {
        let bench = Bench::with(json!({"hidden": "скрыт"}));
        bench.one(&first("a", Call { caller, ..missed(KNOWN) }));
        let world = bench.crm.world();
        let lead = &world.unsorted[0];
        assert_eq!((&lead["metadata"]["phone"], &lead["metadata"]["uniq"]), (&json!("скрыт"), &json!("a")));
        assert_eq!(lead["metadata"].get("call_responsible"), Some(&Value::Null), "nobody, and it is said");
        drop(world);
        let sent = bench.crm.faults().latest("unsorted/sip");
        assert_eq!(sent[0]["_embedded"]["contacts"][0], json!({"name": "скрыт"}), "no number that is none");
        assert_eq!(bench.crm.faults().count("POST /api/v4/calls"), 0);
    }
}

#[test]
fn a_second_call_of_the_day_can_join_the_lead_that_waits() {
    let bench = Bench::with(json!({"one_lead_a_day": true}));
    bench.one(&first("a", missed(STRANGER)));
    bench.one(&first("b", missed(STRANGER)));
    let tomorrow = Call { started_at: Some(START + 86_400_000), ..missed(STRANGER) };
    bench.one(&first("c", tomorrow));
    let world = bench.crm.world();
    assert_eq!((world.unsorted.len(), world.calls("b").len()), (2, 1));
    assert_eq!(world.calls("b")[0]["entity_id"], world.unsorted[0]["_embedded"]["leads"][0]["id"]);
    drop(world);
    let bench = Bench::with(json!({}));
    bench.one(&first("a", missed(STRANGER)));
    bench.one(&first("b", missed(STRANGER)));
    assert_eq!(bench.crm.world().unsorted.len(), 2, "each call its lead, unless it is set otherwise");
}

#[test]
fn an_unknown_number_can_become_a_contact() {
    for (setting, call) in [("unknown_inbound", finished(STRANGER)), ("unknown_outbound", placed(STRANGER))] {
        for (wanted, of) in [("contact", "contacts"), ("contact-and-lead", "leads")] {
            let bench = Bench::with(json!({setting: wanted, "pipeline": 31_101}));
            let change = first("a", call.clone());
            bench.one(&change);
            bench.one(&first("b", call.clone()));
            let note = bench.note("a");
            assert_eq!(
                (note["entity_type"].as_str(), bench.crm.world().seen("b")),
                (Some(of), 1),
                "{setting} {wanted}"
            );
            let contacts =
                bench.crm.faults().count("POST /api/v4/contacts") + bench.crm.faults().count("leads/complex");
            assert_eq!(contacts, 1, "the second call finds it");
        }
    }
}

#[test]
fn a_contact_is_made_once_however_often_it_is_tried() {
    let bench = Bench::with(json!({"unknown_inbound": "contact"}));
    bench.crm.faults().next("POST /api/v4/contacts", Fault::Lost);
    let change = first("a", finished(STRANGER));
    assert_eq!(bench.fails(&change).word(), "retryable");
    bench.one(&repeated(&change));
    assert_eq!(bench.crm.faults().count("POST /api/v4/contacts"), 1);
    assert_eq!(bench.crm.world().seen("a"), 1);
}

#[test]
fn how_a_call_went_is_told_by_a_number() {
    let bench = Bench::with(json!({"statuses": {"failed": 6}}));
    for (outcome, status) in [
        ("answered", 4),
        ("no-answer", 6),
        ("busy", 7),
        ("declined", 7),
        ("failed", 6),
        ("abandoned", 6),
        ("voicemail", 1),
        ("a-word-of-tomorrow", 6),
    ] {
        let answered = outcome == "answered";
        let call = if answered { finished(KNOWN) } else { missed(KNOWN) };
        bench.one(&first(outcome, Call { outcome: Some(outcome.into()), ..call }));
        let sent = bench.crm.faults().latest("POST /api/v4/calls");
        assert_eq!(sent[0]["call_status"], status, "{outcome}");
        assert_eq!(sent[0]["duration"], if answered { 73 } else { 0 }, "{outcome}: seconds of talk");
        assert!(sent[0].get("link").is_none(), "a link only where there is a recording");
    }
}

#[test]
fn what_is_no_call_with_a_client_is_not_logged() {
    let bench = Bench::with(json!({}));
    let internal = Call { direction: Some(Direction::Internal), ..finished(KNOWN) };
    let going = Call { phase: Some(CallPhase::Answered), outcome: None, ..finished(KNOWN) };
    let withdrawn = Call {
        phase: Some(CallPhase::Ringing),
        outcome: None,
        desks: vec![Desk { stopped_at: Some(START + 1), ..desk("101", START) }],
        ..missed(KNOWN)
    };
    let nothing = Call::default();
    // Nobody says which way it went, and both sides are the tenant's own people.
    let own = |extension: &str| Party { agent: Some(Agent::extension(extension)), ..Party::number(extension) };
    let colleagues = Call { direction: None, caller: Some(own("102")), callee: Some(own("101")), ..finished(KNOWN) };
    let rings = Call {
        phase: Some(CallPhase::Ringing),
        outcome: None,
        ended_at: None,
        desks: vec![desk("101", START)],
        ..colleagues.clone()
    };
    for call in [internal, going, withdrawn, nothing, colleagues, rings] {
        bench.skipped(&first("a", call));
    }
    assert!(bench.crm.faults().log().is_empty());
    // Placed, and nobody answered: logged, unless it is set otherwise.
    let unanswered = || Call { outcome: Some("no-answer".into()), talk: None, answered_at: None, ..placed(KNOWN) };
    bench.one(&first("b", unanswered()));
    assert_eq!(bench.crm.faults().latest("POST /api/v4/calls")[0]["call_status"], 6);
    let bench = Bench::with(json!({"unanswered_outbound": false}));
    bench.skipped(&first("b", unanswered()));
    bench.one(&first("c", placed(KNOWN)));
}

#[test]
fn a_missed_call_is_somebodys() {
    let who = |bench: &Bench, id: &str, call: Call| {
        bench.one(&first(id, call));
        bench.crm.faults().latest("POST /api/v4/calls")[0].get("created_by").and_then(|user| user.as_u64())
    };
    let bench = Bench::with(json!({}));
    assert_eq!(who(&bench, "a", missed(KNOWN)), None, "nobody is set");
    let alone = Call { desks: vec![desk("102", START)], ..missed(KNOWN) };
    assert_eq!(who(&bench, "b", alone), Some(BORIS), "whose telephone alone rang");
    let group = || Call { desks: vec![desk("101", START), desk("102", START)], ..missed(KNOWN) };
    let bench = Bench::with(json!({"default_user": "boris@example.com"}));
    assert_eq!(who(&bench, "a", group()), Some(BORIS));
    let bench = Bench::with(json!({"responsible": ["by_entity"], "default_user": BORIS}));
    assert_eq!(who(&bench, "a", group()), Some(ANNA), "the contact's, though nothing follows in the list");
    bench.crm.faults().next("GET /api/v4/contacts", Fault::Page(500));
    assert_eq!(who(&bench, "b", group()), Some(BORIS), "a fault is the next element");
    bench.one(&first("c", missed(STRANGER)));
    let lead = bench.crm.world().unsorted[0].clone();
    assert_eq!(lead["metadata"]["call_responsible"], BORIS, "and an unknown contact as well");
    let bench = Bench::with(json!({"responsible": ["last_active", "by_entity"]}));
    assert_eq!(who(&bench, "a", group()), Some(ANNA), "nobody had a call yet");
    bench.one(&first("b", placed(KNOWN)));
    let change = first("c", group());
    let receipt = bench.one(&change);
    assert_eq!(bench.note("c")["created_by"], BORIS, "who had the last one");
    bench.one(&first("d", finished(KNOWN)));
    let late = next(change, &receipt, recorded(group(), LINK));
    bench.one(&late);
    assert_eq!(bench.note("c")["params"]["call_responsible"], BORIS, "and stays theirs");
}

#[test]
fn an_extension_that_is_no_user_is_shown_as_it_is() {
    let bench = Bench::with(json!({}));
    let receipt = bench.one(&first("a", Call { agent: Some(Agent::extension("999")), ..finished(KNOWN) }));
    let sent = bench.crm.faults().latest("POST /api/v4/calls");
    assert_eq!((&sent[0]["call_responsible"], sent[0].get("created_by")), (&json!("999"), None));
    assert!(receipt.shortened[0].contains("999"));
    // The hub's own table comes first.
    let agent = Agent { user: Some(BORIS.to_string()), ..Agent::extension("101") };
    bench.one(&first("b", Call { agent: Some(agent), ..finished(KNOWN) }));
    assert_eq!(bench.note("b")["created_by"], BORIS);
}

/// Telephones of the house that are nobody's in the account: the old server knew nothing of their calls.
#[test]
fn calls_of_telephones_that_are_no_users_can_be_left_out() {
    let stranger = || Some(Agent::extension("999"));
    let calls = || {
        [
            Call { agent: stranger(), ..finished(KNOWN) },
            Call { caller: Some(Party { agent: stranger(), ..Party::default() }), agent: stranger(), ..placed(KNOWN) },
            Call { desks: vec![desk("999", START)], ..missed(STRANGER) },
        ]
    };
    let bench = Bench::with(json!({"users_only": true}));
    for call in calls() {
        assert!(bench.skipped(&first("a", call)).contains("999"));
    }
    assert!(bench.crm.faults().log().is_empty(), "nothing is asked for them");
    let group = Call { desks: vec![desk("999", START), desk("101", START)], ..missed(KNOWN) };
    for (id, call) in [("b", finished(KNOWN)), ("c", placed(KNOWN)), ("d", group), ("e", missed(KNOWN))] {
        bench.one(&first(id, call));
        assert_eq!(bench.crm.world().seen(id), 1, "{id}");
    }
    let bench = Bench::with(json!({}));
    for (id, call) in ["a", "b", "c"].into_iter().zip(calls()) {
        bench.one(&first(id, call));
        assert_eq!(bench.crm.world().seen(id), 1, "{id}: unless it is set otherwise");
    }
}

#[test]
fn a_recording_that_comes_late_is_put_into_the_note() {
    let bench = Bench::with(json!({}));
    let change = first("a", finished(KNOWN));
    let receipt = bench.one(&change);
    assert!(bench.note("a")["params"].get("link").is_none());
    let late = next(change, &receipt, recorded(finished(KNOWN), LINK));
    let receipt = bench.one(&late);
    let note = bench.note("a");
    assert_eq!((&note["params"]["link"], &note["params"]["duration"]), (&json!(LINK), &json!(73)), "all of it stays");
    assert_eq!(receipt.external_id.unwrap(), note["id"].to_string());
    // A person deletes the note: it is not made again.
    bench.crm.world().notes.clear();
    let other =
        next(late, &receipt_of(&note, &receipt.memo), recorded(finished(KNOWN), "https://hub.example.com/other"));
    let receipt = bench.one(&other);
    assert!(receipt.shortened[0].contains("404") && bench.crm.world().notes.is_empty(), "{:?}", receipt.shortened);
}

fn receipt_of(note: &Value, memo: &[u8]) -> Receipt {
    Receipt { external_id: Some(note["id"].to_string()), memo: memo.to_vec(), ..Receipt::default() }
}

#[test]
fn a_recording_that_comes_after_an_incoming_lead_is_told_in_a_note() {
    let bench = Bench::with(json!({}));
    let change = first("a", missed(STRANGER));
    let receipt = bench.one(&change);
    let late = next(change, &receipt, recorded(missed(STRANGER), LINK));
    bench.one(&late);
    bench.one(&repeated(&late));
    let world = bench.crm.world();
    let notes: Vec<_> = world.notes.values().filter(|note| note["params"]["text"] == LINK).collect();
    assert_eq!((notes.len(), world.unsorted.len()), (1, 1), "{notes:?}");
}

#[test]
fn what_a_person_wrote_is_a_note_that_follows_their_changes() {
    let bench = Bench::with(json!({}));
    let change = first("a", Call { notes: Some("calls back\ntomorrow".into()), ..finished(KNOWN) });
    let receipt = bench.one(&change);
    let words = |bench: &Bench| -> Vec<String> {
        let world = bench.crm.world();
        let notes = world.notes.values().filter(|note| note["note_type"] == "common");
        notes.map(|note| note["params"]["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(words(&bench), ["calls back\ntomorrow"]);
    let edited = next(change, &receipt, Call { notes: Some("has called".into()), ..finished(KNOWN) });
    bench.one(&edited);
    assert_eq!(words(&bench), ["has called"]);
    // Of a first note it is not known whether it was taken.
    let change = first("b", Call { notes: Some("once".into()), ..finished(KNOWN) });
    bench.crm.faults().next("/notes", Fault::Lost);
    assert_eq!(bench.fails(&change).word(), "retryable");
    bench.one(&repeated(&change));
    assert_eq!(words(&bench), ["has called", "once"]);
    assert_eq!(bench.crm.world().seen("b"), 1);
}

#[test]
fn two_calls_of_one_id_at_two_pbxs_can_be_told_apart() {
    let bench = Bench::with(json!({"call_id": "source:id"}));
    bench.one(&first("a", finished(KNOWN)));
    assert_eq!(bench.note("pbx:a")["params"]["uniq"], "pbx:a");
}
