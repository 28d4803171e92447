//! What goes wrong: sessions, servers, permissions, hostile values. Nothing doubled, nothing lost without a word.
#![allow(clippy::unwrap_used)]

use cordboard_sdk::prelude::*;
use cordboard_sdk::records::Call;
use cordboard_sdk::serde_json::json;
use cordboard_tests::vtiger::Fault;
use cordboard_vtiger::Vtiger;

use crate::bench::{Bench, finished, first, next, ringing};

#[test]
fn an_expired_session_costs_one_login() {
    let bench = Bench::with(json!({}));
    bench.one(&first("a", finished()));
    bench.crm.expire_sessions();
    assert!(matches!(
        Vtiger::deliver(&bench.host, vec![first("b", finished()), first("c", finished())]).as_slice(),
        [Outcome::Failed(Failure::Unauthorized(_)), Outcome::Failed(Failure::Unauthorized(_))]
    ));
    bench.one(&first("b", finished()));
    assert_eq!((bench.crm.logins(), bench.crm.count("PBXManager")), (2, 2));
}

#[test]
fn a_session_that_ends_in_the_middle_of_a_batch() {
    let bench = Bench::with(json!({}));
    let changes: Vec<Change> = (0..5).map(|number| first(&format!("c{number}"), finished())).collect();
    bench.crm.faults().next("create", Fault::Refuses("INVALID_SESSIONID"));
    let outcomes = bench.deliver(&changes);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "{outcomes:?}");
    assert_eq!(bench.crm.count("PBXManager"), 5);
    assert!(bench.crm.faults().doubled().is_empty());
}

#[test]
fn grants_are_made_of_one_challenge_or_two() {
    let bench = Bench::outside(json!({}));
    assert!(matches!(
        Vtiger::deliver(&bench.host, vec![first("a", finished())])[0],
        Outcome::Failed(Failure::Unauthorized(_))
    ));
    // Somebody else's challenge cancelled ours.
    bench.crm.faults().next("login", Fault::Refuses("INVALID_USER_CREDENTIALS"));
    bench.login().unwrap();
    assert_eq!(bench.crm.faults().count("getchallenge"), 2);
    bench.one(&first("a", finished()));

    let misconfigured = |more| match Bench::outside(more).login() {
        Err(Failure::Misconfigured(why)) => why,
        other => panic!("misconfigured, not {other:?}"),
    };
    assert!(misconfigured(json!({"access_key": "wrong"})).contains("INVALID_USER_CREDENTIALS"));
    assert!(misconfigured(json!({"username": "nobody"})).contains("there is no such user"));
    let bench = Bench::outside(json!({}));
    bench.crm.world().accounts.iter_mut().for_each(|account| account.key.clear());
    assert!(matches!(bench.login(), Err(Failure::Misconfigured(why)) if why.contains("ACCESSKEY_UNDEFINED")));
    let bench = Bench::outside(json!({}));
    bench.crm.world().accounts.iter_mut().for_each(|account| account.active = false);
    assert!(matches!(bench.login(), Err(Failure::Misconfigured(why)) if why.contains("inactive")));
}

#[test]
fn a_grant_says_who_and_until_when_and_no_secret() {
    let bench = Bench::with(json!({}));
    let grant = bench.host.grant().unwrap();
    assert!(grant.expires_at.unwrap() > bench.host.now());
    assert!(grant.attributes.contains(&("vtiger-version".to_owned(), "8.4.0".to_owned())));
    assert!(!grant.token.contains(cordboard_tests::vtiger::HUB_KEY));
    // What the hub blacks out in exchanges: every text of the token that stands by itself.
    let token: serde_json::Value = serde_json::from_str(&grant.token).unwrap();
    let alone: Vec<usize> = token.as_object().unwrap().values().map(|text| text.as_str().unwrap().len()).collect();
    assert_eq!(alone.iter().filter(|length| **length < 40).count(), 1, "the session's name alone");
}

#[test]
fn an_uncertain_create_is_looked_up() {
    let bench = Bench::with(json!({}));
    let mut change = first("a", finished());
    bench.crm.faults().next("create", Fault::Breaks);
    let Failure::Retryable(retryable) = bench.fails(&change) else { panic!("retryable") };
    assert_eq!(retryable.after, Some(5000), "not at once: the server may still be at it");
    assert_eq!(bench.crm.count("PBXManager"), 1, "it was done all the same");
    change.attempt = 2;
    let receipt = bench.one(&change);
    assert_eq!(receipt.external_id.as_deref(), Some(bench.record("PBXManager")["id"].as_str()));
    assert_eq!(bench.crm.faults().creates_of("a"), 1);
}

#[test]
fn a_server_that_is_down_is_asked_once_for_a_batch() {
    let bench = Bench::with(json!({}));
    let changes: Vec<Change> = (0..5).map(|number| first(&format!("c{number}"), finished())).collect();
    for fault in [Fault::Page(502), Fault::Page(503), Fault::Page(200)] {
        bench.crm.faults().down(fault.clone());
        let before = bench.crm.faults().requests();
        let outcomes = bench.deliver(&changes);
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, Outcome::Failed(Failure::Retryable(_)))),
            "{outcomes:?}"
        );
        assert_eq!(bench.crm.faults().requests() - before, 1, "{fault:?}");
        bench.crm.faults().up();
    }
    bench.deliver(&changes);
    assert_eq!(bench.crm.count("PBXManager"), 5);
}

#[test]
fn php_dying_over_one_record_leaves_the_others() {
    let bench = Bench::with(json!({}));
    let changes: Vec<Change> = (0..3).map(|number| first(&format!("c{number}"), finished())).collect();
    bench.crm.faults().next("create", Fault::Dies);
    let outcomes = bench.deliver(&changes);
    assert!(matches!(&outcomes[0], Outcome::Failed(Failure::Retryable(r)) if r.status == Some(500)), "{outcomes:?}");
    assert!(matches!(&outcomes[1..], [Outcome::Done(_), Outcome::Done(_)]));
}

#[test]
fn refusals_of_a_write_say_what_the_hub_does() {
    let bench = Bench::with(json!({}));
    for (code, expected) in [
        ("MANDATORY_FIELDS_MISSING", "rejected"),
        ("REFERENCE_INVALID", "rejected"),
        ("ACCESS_DENIED", "rejected"),
        ("INTERNAL_SERVER_ERROR", "rejected"),
        ("DATABASE_QUERY_ERROR", "retryable"),
    ] {
        bench.crm.faults().next("create", Fault::Refuses(code));
        let failure = bench.fails(&first(code, finished()));
        let class = match &failure {
            Failure::Rejected(rejected) => {
                assert_eq!(rejected.code, code);
                "rejected"
            }
            Failure::Retryable(_) => "retryable",
            _ => "other",
        };
        assert_eq!(class, expected, "{failure:?}");
    }
    bench.crm.faults().next("create", Fault::Page(413));
    assert!(
        matches!(bench.fails(&first("a", finished())), Failure::Rejected(rejected) if rejected.code == "too-large")
    );
    assert_eq!(bench.crm.count("PBXManager"), 0);
}

#[test]
fn a_record_deleted_in_vtiger_is_made_again() {
    let bench = Bench::with(json!({}));
    let change = first("a", ringing());
    let receipt = bench.one(&change);
    let number: u64 = receipt.external_id.as_ref().unwrap().split_once('x').unwrap().1.parse().unwrap();
    let mut world = bench.crm.world();
    let mut record = world.record("PBXManager", number).unwrap().clone();
    record.deleted = true;
    world.put("PBXManager", record);
    drop(world);
    let again = bench.one(&next(change, &receipt, finished()));
    assert_ne!(again.external_id, receipt.external_id);
    let record = bench.record("PBXManager");
    assert_eq!((record["sourceuuid"].as_str(), record["callstatus"].as_str()), ("a", "completed"));
}

#[test]
fn a_record_of_another_module_is_not_taken_for_the_call() {
    let mut bench = Bench::with(json!({}));
    let change = first("a", finished());
    let receipt = bench.one(&change);
    bench.again(json!({"module": "Events"}));
    let moved = bench.one(&next(change, &receipt, finished()));
    assert_ne!(moved.external_id, receipt.external_id);
    assert_eq!(bench.record("Events")["cf_853"], "a");
}

#[test]
fn settings_that_changed_ask_for_a_new_grant() {
    let mut bench = Bench::with(json!({}));
    let grant = bench.host.grant();
    bench.again(json!({"gateway": "other"}));
    assert!(grant.is_some() && Vtiger::check(&bench.host).is_ok());
    let stale = Vtiger::issue(&bench.host, None).unwrap();
    assert_ne!(Some(stale.token), grant.map(|grant| grant.token));
}

#[test]
fn duplicate_prevention_is_a_friend() {
    let bench = Bench::with(json!({}));
    bench.crm.world().modules.get_mut("PBXManager").unwrap().field_mut("sourceuuid").unwrap().unique = true;
    let receipt = bench.one(&first("a", ringing()));
    assert_eq!(bench.one(&first("a", finished())).external_id, receipt.external_id);
    // The look-up misses, and the create is refused: the twin cannot be seen.
    let Failure::Rejected(rejected) = ({
        let agent = Bench::with(json!({"username": "agent1", "access_key": "agent1AccessKey1"}));
        agent.crm.world().modules.get_mut("PBXManager").unwrap().field_mut("sourceuuid").unwrap().unique = true;
        agent.crm.world().add("PBXManager", 6, &[("sourceuuid", "a"), ("customernumber", "1")]);
        agent.fails(&first("a", finished()))
    }) else {
        panic!("rejected")
    };
    assert_eq!(rejected.code, "duplicate");
}

#[test]
fn doubles_made_by_others_are_said_and_the_oldest_is_written() {
    let bench = Bench::with(json!({}));
    let oldest = bench.crm.world().add("PBXManager", 5, &[("sourceuuid", "a"), ("customernumber", "1")]);
    bench.crm.world().add("PBXManager", 5, &[("sourceuuid", "a"), ("customernumber", "1")]);
    let receipt = bench.one(&first("a", finished()));
    assert_eq!(receipt.external_id, Some(oldest));
    assert!(receipt.shortened.iter().any(|note| note.contains("several times")), "{:?}", receipt.shortened);
    assert_eq!(bench.crm.count("PBXManager"), 2);
}

#[test]
fn an_agent_for_integration_user_is_warned_of() {
    let bench = Bench::with(json!({"username": "agent1", "access_key": "agent1AccessKey1"}));
    let problems = Vtiger::check(&bench.host).unwrap();
    assert!(problems.len() == 1 && problems[0].contains("may not read Users"), "{problems:?}");
    let agent = Agent { user: Some("19x6".into()), extension: Some("102".into()), name: None };
    let receipt = bench.one(&first("a", Call { agent: Some(agent), ..finished() }));
    assert!(
        receipt.shortened.iter().any(|note| note.contains("may not give calls to 19x6")),
        "{:?}",
        receipt.shortened
    );
    assert_eq!(bench.record("PBXManager")["assigned_user_id"], "19x5");
}

#[test]
fn an_owner_that_vtiger_does_not_confirm_is_not_left() {
    let bench = Bench::with(json!({"recording": "document", "recordings_url": "https://pbx.example.test"}));
    let files = &bench.host.files;
    files.lock().unwrap().insert("https://pbx.example.test/rec/5f1c2f0e.wav".into(), b"RIFF....WAVE".to_vec());
    // Known at the login, and gone since: an administrator is told success, and nobody owns the record.
    bench.crm.world().remove("Users", 6);
    let agent = Agent { user: Some("19x6".into()), ..Agent::default() };
    let receipt = bench.one(&first("a", Call { agent: Some(agent), ..finished() }));
    let said = "owner: Vtiger made 6 of 19x6; the integration user owns it now";
    assert!(receipt.shortened.iter().any(|note| note == said), "{:?}", receipt.shortened);
    assert_eq!(bench.record("PBXManager")["assigned_user_id"], "19x7");
    assert_eq!(bench.record("Documents")["assigned_user_id"], "19x7");
}

#[test]
fn ids_that_would_break_a_query_are_still_one_call_each() {
    let bench = Bench::with(json!({}));
    let long = "x".repeat(255);
    let ids = [
        "a'b",
        "a\\",
        "a\\' OR 1=1 -- ",
        "' OR sourceuuid != '",
        "A",
        "a",
        "😀",
        "ä",
        "a\"b",
        " a ",
        "<b>x</b>",
        "%",
        "_",
        &long,
    ];
    for _ in 0..2 {
        for id in ids {
            let receipt = bench.one(&first(id, finished()));
            let whole = matches!(id, "A" | "a" | "_");
            let said = receipt.shortened.iter().any(|note| note.starts_with("sourceuuid: the call's id is too long"));
            assert_eq!(said, !whole, "{id}: {:?}", receipt.shortened);
        }
    }
    assert_eq!(bench.crm.count("PBXManager"), ids.len());
    let changes: Vec<Change> = ids.iter().map(|id| first(id, finished())).collect();
    bench.deliver(&changes);
    assert_eq!(bench.crm.count("PBXManager"), ids.len());
    assert!(bench.crm.faults().doubled().is_empty());
}

#[test]
fn hostile_values_are_stored_harmless_and_said() {
    let bench = Bench::with(json!({"module": "Events"}));
    let party = |name: &str| Party { number: Some(Phone::raw("' OR 1=1 -- \\")), name: Some(name.into()), agent: None };
    let long = "n".repeat(10_000);
    for (id, name, notes) in [
        ("quote", "O'One \\ \"x\"", 0),
        ("emoji", "Ana 😀", 2),
        ("markup", "<script>alert(1)</script>", 0),
        ("nul", "a\0b\u{202E}c", 2),
        ("long", long.as_str(), 1),
    ] {
        let call = Call { caller: Some(party(name)), recordings: vec![], ..finished() };
        let receipt = bench.one(&first(id, call));
        let records = bench.crm.records("Events");
        let record = records.iter().find(|record| record["cf_853"] == id).unwrap();
        assert_eq!(receipt.shortened.len(), notes, "{id}: {:?}", receipt.shortened);
        let subject = &record["subject"];
        assert!(subject.chars().count() <= 255 && !subject.contains('<') && !subject.contains("??"), "{subject}");
        assert_eq!(record["contact_id"], "", "nobody has such a number");
    }
    assert_eq!(bench.crm.faults().log().iter().filter(|logged| logged.answer != "ok").count(), 0);
}

#[test]
fn times_that_cannot_be_are_kept_within_what_vtiger_holds() {
    let bench = Bench::with(json!({"module": "Events"}));
    let call = Call {
        started_at: Some(u64::MAX),
        ended_at: Some(0),
        duration: Some(u32::MAX),
        talk: Some(u32::MAX),
        ..finished()
    };
    let receipt = bench.one(&first("far", call));
    let record = bench.record("Events");
    assert_eq!(record["date_start"], "9999-12-31");
    assert!(receipt.shortened.iter().any(|note| note.starts_with("cf_861")), "{:?}", receipt.shortened);
    // No time at all: the present, once.
    let timeless = Call { started_at: None, answered_at: None, ended_at: None, duration: None, ..finished() };
    let change = first("timeless", timeless.clone());
    let receipt = bench.one(&change);
    assert_eq!(bench.requests(|| drop(bench.one(&next(change, &receipt, timeless)))), 0);
}

#[test]
fn calls_side_by_side_are_each_there_once() {
    let bench = Bench::with(json!({}));
    std::thread::scope(|scope| {
        for lane in 0..4 {
            let host = bench.host.clone();
            scope.spawn(move || {
                for number in 0..10 {
                    let outcomes = Vtiger::deliver(&host, vec![first(&format!("{lane}-{number}"), finished())]);
                    assert!(matches!(outcomes[0], Outcome::Done(_)), "{outcomes:?}");
                }
            });
        }
    });
    assert_eq!(bench.crm.count("PBXManager"), 40);
    assert!(bench.crm.faults().doubled().is_empty());
}
