//! Calls in the telephony log, which is the default.
#![allow(clippy::unwrap_used)]

use cordboard_sdk::prelude::*;
use cordboard_sdk::records::{Call, CallPhase, Desk, Direction, Recording};
use cordboard_sdk::serde_json::json;
use cordboard_tests::vtiger::{Account, Field};
use cordboard_vtiger::Vtiger;

use crate::bench::{Bench, ONE, START, finished, first, next, number, ringing};

#[test]
fn a_finished_call_is_logged_with_person_and_owner() {
    let bench = Bench::with(json!({}));
    let receipt = bench.one(&first("5f1c2f0e-8a55", finished()));
    let record = bench.record("PBXManager");
    for (field, value) in [
        ("sourceuuid", "5f1c2f0e-8a55"),
        ("direction", "inbound"),
        ("callstatus", "completed"),
        ("starttime", "2026-11-21 09:10:30"),
        ("endtime", "2026-11-21 09:12:55"),
        ("totalduration", "145"),
        ("billduration", "135"),
        ("recordingurl", "https://pbx.example.test/rec/5f1c2f0e.wav"),
        ("gateway", "cordboard"),
        ("customer", "12x3"),
        ("customertype", "Contacts"),
        ("customernumber", ONE),
        ("user", "19x5"),
        ("assigned_user_id", "19x5"),
        ("cf_863", "asterisk-main"),
    ] {
        assert_eq!(record[field], value, "{field}");
    }
    assert_eq!(receipt.external_id.as_deref(), Some(record["id"].as_str()));
    let number = record["id"].split_once('x').unwrap().1;
    let page = format!("{}/index.php?module=PBXManager&view=Detail&record={number}", bench.crm.url());
    assert_eq!(receipt.url.as_deref(), Some(page.as_str()));
    assert_eq!(receipt.shortened, Vec::<String>::new());
}

#[test]
fn what_people_wrote_and_has_no_field_is_said() {
    let noted = |id: &str| first(id, Call { notes: Some("Wants an offer".into()), ..finished() });
    let mut bench = Bench::with(json!({}));
    let receipt = bench.one(&noted("a"));
    let said = "notes: left out, PBXManager has no field for them; name one in `fields.description`";
    assert_eq!(receipt.shortened, [said]);
    assert_eq!(bench.one(&first("b", Call { notes: Some(" ".into()), ..finished() })).shortened, Vec::<String>::new());
    let field = Field::new("cf_990", "Remarks", "text");
    bench.crm.world().modules.get_mut("PBXManager").unwrap().fields.push(field);
    bench.again(json!({"fields": {"description": "Remarks"}}));
    let receipt = bench.one(&noted("a"));
    assert_eq!(receipt.shortened, Vec::<String>::new());
    let records = bench.crm.records("PBXManager");
    let record = records.iter().find(|record| Some(&record["id"]) == receipt.external_id.as_ref()).unwrap();
    assert!(record["cf_990"].ends_with("\nWants an offer"), "{record:?}");
}

#[test]
fn a_call_costs_a_look_up_a_search_and_a_create() {
    let bench = Bench::with(json!({}));
    let change = first("c1", finished());
    assert_eq!(bench.requests(|| drop(bench.one(&change))), 3);
    let receipt = bench.one(&change);
    let same = next(change, &receipt, finished());
    assert_eq!(bench.requests(|| assert_eq!(bench.one(&same).memo, receipt.memo)), 0, "nothing changed");
}

#[test]
fn a_popup_goes_while_nothing_rings_and_comes_again() {
    let bench = Bench::with(json!({}));
    bench.crm.clock().freeze((START / 1000) as i64);
    let rang = |extension: &str, from: u64, until: Option<u64>| Desk {
        extension: extension.into(),
        rang_at: START + from,
        answered_at: None,
        stopped_at: until.map(|until| START + until),
    };
    let rings = |desks: Vec<Desk>| Call { desks, ..ringing() };
    let shown = || bench.crm.world().incoming(6, (START / 1000) as i64)["result"].as_array().map(Vec::len);
    let change = first("c1", rings(vec![rang("101", 0, None)]));
    let receipt = bench.one(&change);
    assert_eq!(shown(), Some(1));
    let change = next(change, &receipt, rings(vec![rang("101", 0, Some(15_000))]));
    let receipt = bench.one(&change);
    assert_eq!((bench.record("PBXManager")["callstatus"].as_str(), shown()), ("no-response", Some(0)));
    let change = next(change, &receipt, rings(vec![rang("101", 0, Some(15_000)), rang("102", 16_000, None)]));
    bench.one(&change);
    assert_eq!((bench.record("PBXManager")["callstatus"].as_str(), shown()), ("ringing", Some(1)));
}

#[test]
fn a_call_grows_in_one_record_and_pops_up() {
    let bench = Bench::with(json!({}));
    bench.crm.clock().freeze((START / 1000) as i64);
    let change = first("c1", ringing());
    let receipt = bench.one(&change);
    let record = bench.record("PBXManager");
    assert_eq!((record["callstatus"].as_str(), record["user"].as_str()), ("ringing", ""));
    assert_eq!(record["customertype"], "Contacts");
    let popup = bench.crm.world().incoming(6, (START / 1000) as i64);
    assert_eq!(popup["result"][0]["callername"], "Caller O&#039;One");

    let talking = Call {
        phase: Some(CallPhase::Answered),
        agent: Some(Agent::extension("102")),
        answered_at: Some(START + 5000),
        ..ringing()
    };
    let change = next(change, &receipt, talking.clone());
    let receipt = bench.one(&change);
    let record = bench.record("PBXManager");
    assert_eq!((record["callstatus"].as_str(), record["user"].as_str()), ("in-progress", "19x6"));
    assert_eq!(record["assigned_user_id"], "19x6");
    assert_eq!(bench.crm.world().incoming(6, (START / 1000) as i64)["result"], json!([]));

    let over = Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".into()),
        ended_at: Some(START + 65_000),
        talk: Some(60),
        ..talking
    };
    bench.one(&next(change, &receipt, over));
    let record = bench.record("PBXManager");
    assert_eq!((record["callstatus"].as_str(), record["totalduration"].as_str()), ("completed", "65"));
    assert_eq!(record["endtime"], "2026-11-21 09:11:35");
}

#[test]
fn what_people_changed_is_not_undone() {
    let bench = Bench::with(json!({}));
    let without = Call { recordings: vec![], ..finished() };
    let change = first("c1", without);
    let receipt = bench.one(&change);
    let id = receipt.external_id.clone().unwrap();
    let number: u64 = id.split_once('x').unwrap().1.parse().unwrap();
    let mut world = bench.crm.world();
    let mut record = world.record("PBXManager", number).unwrap().clone();
    record.values.insert("assigned_user_id".into(), Some("6".into()));
    record.values.insert("customer".into(), Some("4".into()));
    world.put("PBXManager", record);
    drop(world);
    bench.one(&next(change, &receipt, finished()));
    let record = bench.record("PBXManager");
    assert_eq!(record["recordingurl"], "https://pbx.example.test/rec/5f1c2f0e.wav");
    assert_eq!((record["assigned_user_id"].as_str(), record["customer"].as_str()), ("19x6", "12x4"));
}

#[test]
fn a_batch_is_looked_up_at_once() {
    let bench = Bench::with(json!({}));
    let changes: Vec<Change> = (0..20).map(|number| first(&format!("c{number}"), finished())).collect();
    let before = bench.crm.faults().count("query");
    let outcomes = bench.deliver(&changes);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "{outcomes:?}");
    assert_eq!(bench.crm.faults().count("query") - before, 2, "one for the calls, one for the person");
    assert_eq!(bench.crm.count("PBXManager"), 20);
    // The hub may have lost all receipts: the same again makes no record more.
    bench.deliver(&changes);
    assert_eq!(bench.crm.count("PBXManager"), 20);
    assert!(bench.crm.faults().doubled().is_empty());
}

#[test]
fn people_are_found_however_their_number_is_written() {
    let bench = Bench::with(json!({}));
    for (id, caller, customer, kind) in [
        ("a", "+442079460456", "12x4", "Contacts"),
        ("b", "+442079460999", "12x5", "Contacts"),
        ("c", "+447700900123", "12x3", "Contacts"),
        ("d", "+33199001122", "10x6", "Leads"),
        ("e", "+442079460000", "11x2", "Accounts"),
        ("f", "+15550100200", "", ""),
    ] {
        let receipt = bench.one(&first(id, Call { caller: Some(number(caller)), ..finished() }));
        let records = bench.crm.records("PBXManager");
        let record = records.iter().find(|record| Some(&record["id"]) == receipt.external_id.as_ref()).unwrap();
        assert_eq!((record["customer"].as_str(), record["customertype"].as_str()), (customer, kind), "{caller}");
    }
}

#[test]
fn several_with_one_number() {
    let mut bench = Bench::with(json!({}));
    bench.crm.world().add(
        "Contacts",
        5,
        &[("lastname", "Newer"), ("phone", "020 7946 0123"), ("createdtime", "2026-11-20 10:00:00")],
    );
    let receipt = bench.one(&first("a", finished()));
    assert_eq!(receipt.shortened, ["person: 2 Contacts have this number; the newest, Newer, was linked"]);
    bench.again(json!({"ambiguous": "unlinked"}));
    let receipt = bench.one(&first("b", finished()));
    assert_eq!(receipt.shortened, ["person: 2 Contacts have this number; none was linked"]);
    bench.again(json!({"link": ["Accounts", "Leads"]}));
    bench.one(&first("c", finished()));
    let linked: Vec<String> = bench.crm.records("PBXManager").iter().map(|record| record["customer"].clone()).collect();
    assert_eq!((linked[0].starts_with("12x10"), linked[1].as_str(), linked[2].as_str()), (true, "", ""));
}

#[test]
fn outcomes_directions_and_withheld_numbers() {
    let bench = Bench::with(json!({"statuses": {"busy": "user-busy"}}));
    let ended = |outcome: &str| Call { outcome: Some(outcome.into()), ..finished() };
    for (id, call, status) in [
        ("a", ended("no-answer"), "no-answer"),
        ("b", ended("busy"), "user-busy"),
        ("c", ended("declined"), "busy"),
        ("d", ended("failed"), "no-response"),
        ("e", ended("abandoned"), "no-answer"),
        ("f", ended("voicemail"), "no-answer"),
        ("g", ended("something-quite-new-and-long"), "something-quite-new…"),
        ("h", Call { caller: None, ..ended("answered") }, "completed"),
    ] {
        let receipt = bench.one(&first(id, call));
        let records = bench.crm.records("PBXManager");
        let record = records.iter().find(|record| Some(&record["id"]) == receipt.external_id.as_ref()).unwrap();
        assert_eq!(record["callstatus"], status);
        if id == "h" {
            assert_eq!((record["customernumber"].as_str(), record["customer"].as_str()), ("anonymous", ""));
        }
    }
    let outgoing = Call {
        direction: Some(Direction::Outbound),
        caller: Some(Party { agent: Some(Agent::extension("102")), ..Party::default() }),
        callee: Some(number("+33199001122")),
        agent: Some(Agent::extension("102")),
        ..finished()
    };
    let receipt = bench.one(&first("out", outgoing));
    let records = bench.crm.records("PBXManager");
    let record = records.iter().find(|record| Some(&record["id"]) == receipt.external_id.as_ref()).unwrap();
    assert_eq!(record["direction"], "outbound");
    assert_eq!((record["customer"].as_str(), record["customernumber"].as_str()), ("10x6", "+33199001122"));
    assert_eq!(record["assigned_user_id"], "19x6");
}

#[test]
fn owners_are_those_that_vtiger_knows() {
    let bench = Bench::with(json!({"owner": "Support Group", "owners": {"201": "agent2"}}));
    let with = |user: Option<&str>, extension: &str| {
        let agent = Agent { user: user.map(Into::into), extension: Some(extension.into()), name: None };
        Call { agent: Some(agent), ..finished() }
    };
    for (id, call, owner, user, notes) in [
        ("a", with(Some("19x6"), "101"), "19x6", "19x6", 0),
        ("b", with(None, "201"), "19x6", "19x6", 0),
        ("c", with(None, "999"), "20x4", "", 0),
        ("d", with(Some("19x4711"), "999"), "20x4", "", 1),
        ("e", with(Some("4711"), "101"), "19x5", "19x5", 1),
        ("f", with(Some("20x2"), "101"), "20x2", "", 0),
    ] {
        let receipt = bench.one(&first(id, call));
        let records = bench.crm.records("PBXManager");
        let record = records.iter().find(|record| Some(&record["id"]) == receipt.external_id.as_ref()).unwrap();
        assert_eq!((record["assigned_user_id"].as_str(), record["user"].as_str()), (owner, user), "{id}");
        assert_eq!(receipt.shortened.len(), notes, "{id} {:?}", receipt.shortened);
    }
}

fn user(number: u64) -> Account {
    Account { number, name: format!("user{number}"), key: String::new(), admin: false, top: false, active: true }
}

#[test]
fn users_and_groups_beyond_one_answer_are_known() {
    let mut bench = Bench::with(json!({}));
    let mut world = bench.crm.world();
    for number in 1000..1150 {
        world.add_user(user(number), "Agent", "Many", Some(&format!("9{number}")));
        world.seed("Groups", number + 1000, &[("groupname", Some(&format!("group{number}")))]);
    }
    drop(world);
    bench.again(json!({"owner": "group1149"}));
    assert_eq!(Vtiger::check(&bench.host).unwrap(), Vec::<String>::new());
    for (extension, owner) in [("91000", "19x1000"), ("91149", "19x1149"), ("91150", "20x2149")] {
        let call = Call { agent: Some(Agent::extension(extension)), ..finished() };
        let receipt = bench.one(&first(extension, call));
        let records = bench.crm.records("PBXManager");
        let record = records.iter().find(|record| Some(&record["id"]) == receipt.external_id.as_ref()).unwrap();
        assert_eq!(record["assigned_user_id"], owner, "{extension}");
    }
}

#[test]
fn more_users_than_are_read_is_said() {
    let mut bench = Bench::with(json!({}));
    let mut world = bench.crm.world();
    for number in 1000..3000 {
        world.add_user(user(number), "Agent", "Many", None);
    }
    drop(world);
    bench.again(json!({}));
    let problems = Vtiger::check(&bench.host).unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("only the first 2000 Users, by name, are known"), "{problems:?}");
}

#[test]
fn a_link_too_long_is_not_cut() {
    let bench = Bench::with(json!({}));
    let url = format!("https://pbx.example.test/rec/1.wav?signature={}", "a".repeat(300));
    let recording = |id: &str, url: &str| Recording { id: id.into(), url: Some(url.into()), ..Recording::default() };
    let receipt = bench.one(&first("a", Call { recordings: vec![recording("r", &url)], ..finished() }));
    assert_eq!(bench.record("PBXManager")["recordingurl"], "");
    assert_eq!(receipt.shortened.len(), 1);
    assert!(receipt.shortened[0].contains("does not fit into 200") && receipt.shortened[0].contains(&url));
    let two = vec![recording("1", "https://pbx.example.test/1.wav"), recording("2", "https://pbx.example.test/2.wav")];
    let receipt = bench.one(&first("a", Call { recordings: two, ..finished() }));
    assert_eq!(bench.record("PBXManager")["recordingurl"], "https://pbx.example.test/1.wav");
    assert!(receipt.shortened[0].contains("https://pbx.example.test/2.wav"), "{:?}", receipt.shortened);
}

#[test]
fn joined_subjects_become_one_record() {
    let bench = Bench::with(json!({}));
    let one = bench.one(&first("a", ringing()));
    let two = bench.one(&first("b", ringing()));
    let mut change = next(first("a", ringing()), &one, finished());
    change.joined = vec![Joined { id: "b".into(), external_id: two.external_id.clone().unwrap() }];
    let receipt = bench.one(&change);
    assert_eq!(receipt.external_id, one.external_id);
    assert_eq!(bench.record("PBXManager")["sourceuuid"], "a");
    let mut again = next(change, &receipt, finished());
    again.joined = vec![Joined { id: "b".into(), external_id: two.external_id.unwrap() }];
    assert_eq!(bench.requests(|| drop(bench.one(&again))), 0);
}

#[test]
fn only_calls_are_logged() {
    let bench = Bench::with(json!({}));
    let outcomes = bench.deliver(&[first_message(), first("a", finished())]);
    assert!(matches!(outcomes[0], Outcome::Skipped(_)) && matches!(outcomes[1], Outcome::Done(_)));
}

fn first_message() -> Change {
    cordboard_sdk::testing::change("m", Message::default())
}

#[test]
fn people_are_known_by_their_number() {
    let bench = Bench::with(json!({}));
    bench.crm.world().add("Leads", 6, &[("lastname", "Twin"), ("phone", "+44 20 7946 0123")]);
    let phone = |text: &str| Phone { raw: text.into(), e164: Some(text.into()), ..Phone::default() };
    let found = Vtiger::find(&bench.host, phone(ONE)).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].kind.as_str(), found[0].name.as_str()), ("contact", "Caller O'One"));
    assert_eq!(found[0].owner.as_deref(), Some("19x5"));
    let page = format!("{}/index.php?module=Contacts&view=Detail&record=3", bench.crm.url());
    assert_eq!(found[0].url.as_deref(), Some(page.as_str()));
    assert_eq!((found[1].kind.as_str(), found[1].name.as_str()), ("lead", "Twin"));
    assert_eq!(Vtiger::find(&bench.host, phone("+15550100200")).unwrap(), []);
    assert_eq!(bench.requests(|| drop(Vtiger::find(&bench.host, Phone::raw("101")))), 0, "an extension is nobody");
}
