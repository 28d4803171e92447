//! Calls as calendar events, and in a module of one's own; recordings as documents.
#![allow(clippy::unwrap_used)]

use cordboard_sdk::prelude::*;
use cordboard_sdk::records::{Call, Recording};
use cordboard_sdk::serde_json::json;
use cordboard_tests::vtiger::{Crm, Fault, Field, Module};
use cordboard_vtiger::Vtiger;

use crate::bench::{Bench, START, finished, first, next, number};

#[test]
fn an_event_finds_its_fields_by_label() {
    let bench = Bench::with(json!({"module": "Events"}));
    assert_eq!(Vtiger::check(&bench.host).unwrap(), Vec::<String>::new());
    let receipt = bench.one(&first("5f1c2f0e-8a55", finished()));
    let record = bench.record("Events");
    for (field, value) in [
        ("subject", "Incoming call from Caller O'One"),
        ("activitytype", "Call"),
        ("eventstatus", "Held"),
        ("date_start", "2026-11-21"),
        ("time_start", "09:10:30"),
        ("due_date", "2026-11-21"),
        ("time_end", "09:12:55"),
        ("duration_hours", "0"),
        ("duration_minutes", "2"),
        ("assigned_user_id", "19x5"),
        ("contact_id", "12x3"),
        ("parent_id", "11x2"),
        ("visibility", "Public"),
        ("sendnotification", "0"),
        ("cf_853", "5f1c2f0e-8a55"),
        ("cf_855", "+442079460123"),
        ("cf_857", "101"),
        ("cf_859", "asterisk-main"),
        ("cf_861", "145"),
        ("cf_865", "https://pbx.example.test/rec/5f1c2f0e.wav"),
    ] {
        assert_eq!(record[field], value, "{field}");
    }
    assert!(record["description"].contains("Recording: https://pbx.example.test/rec/5f1c2f0e.wav"));
    assert_eq!(receipt.shortened, Vec::<String>::new());
    assert!(receipt.url.unwrap().contains("module=Events&view=Detail"));
}

#[test]
fn leads_and_accounts_are_parents() {
    let bench = Bench::with(json!({"module": "Events"}));
    for (id, caller, parent) in
        [("a", "+33199001122", "10x6"), ("b", "+442079460000", "11x2"), ("c", "+442079460456", "")]
    {
        let receipt = bench.one(&first(id, Call { caller: Some(number(caller)), ..finished() }));
        let records = bench.crm.records("Events");
        let record = records.iter().find(|record| Some(&record["id"]) == receipt.external_id.as_ref()).unwrap();
        assert_eq!(record["parent_id"], parent);
        assert_eq!(record["contact_id"], if id == "c" { "12x4" } else { "" });
    }
}

#[test]
fn a_call_over_midnight_ends_the_next_day() {
    let bench = Bench::with(json!({"module": "Events"}));
    let start = 1_795_305_590_000; // 2026-11-21 23:59:50
    let call = Call { started_at: Some(start), ended_at: Some(start + 3_725_000), duration: Some(3725), ..finished() };
    bench.one(&first("a", call));
    let record = bench.record("Events");
    let of = |field: &str| record[field].as_str();
    assert_eq!((of("date_start"), of("time_start")), ("2026-11-21", "23:59:50"));
    assert_eq!((of("due_date"), of("time_end")), ("2026-11-22", "01:01:55"));
    assert_eq!((of("duration_hours"), of("duration_minutes")), ("1", "2"));
}

#[test]
fn an_edited_description_is_added_to() {
    let bench = Bench::with(json!({"module": "Events"}));
    let change = first("a", Call { recordings: vec![], ..finished() });
    let receipt = bench.one(&change);
    let number: u64 = receipt.external_id.as_ref().unwrap().split_once('x').unwrap().1.parse().unwrap();
    let mut world = bench.crm.world();
    let mut record = world.record("Events", number).unwrap().clone();
    record.values.insert("description".into(), Some("Wants an offer until Friday".into()));
    world.put("Events", record);
    drop(world);
    let change = next(change, &receipt, finished());
    let receipt = bench.one(&change);
    let described = bench.record("Events")["description"].clone();
    assert!(described.starts_with("Wants an offer until Friday\n"), "{described}");
    assert!(described.contains("Recording: https://pbx.example.test/rec/5f1c2f0e.wav"));
    let same = next(change.clone(), &receipt, finished());
    assert_eq!(bench.requests(|| drop(bench.one(&same))), 0);
    let noted = Call { notes: Some("Second thoughts".into()), ..finished() };
    bench.one(&next(change, &receipt, noted));
    let described = bench.record("Events")["description"].clone();
    assert!(
        described.starts_with("Wants an offer until Friday\n") && described.contains("Second thoughts"),
        "{described}"
    );
}

#[test]
fn a_long_link_stands_whole_in_the_description() {
    let bench = Bench::with(json!({"module": "Events"}));
    let url = format!("https://pbx.example.test/rec/1.wav?signature={}", "a".repeat(300));
    let recordings = vec![Recording { id: "r".into(), url: Some(url.clone()), ..Recording::default() }];
    let receipt = bench.one(&first("a", Call { recordings, ..finished() }));
    let record = bench.record("Events");
    assert_eq!(record["cf_865"], "");
    assert!(record["description"].contains(&url));
    assert_eq!(receipt.shortened.len(), 1);
    assert!(receipt.shortened[0].contains("it stands whole in description"));
}

#[test]
fn missing_fields_are_said_one_by_one() {
    let bench = Bench::outside(json!({"module": "Events"}));
    let gone = ["cf_855", "cf_859", "cf_865"];
    bench.crm.world().modules.get_mut("Events").unwrap().fields.retain(|field| !gone.contains(&field.name.as_str()));
    bench.login().unwrap();
    let problems = Vtiger::check(&bench.host).unwrap();
    assert_eq!(problems.len(), 3, "{problems:#?}");
    for label in ["From Number", "PBX System", "Recording URL"] {
        assert!(problems.iter().any(|problem| problem.contains(label)), "{label}");
    }
    let receipt = bench.one(&first("a", finished()));
    assert!(bench.record("Events")["description"].contains("Recording: https"), "{receipt:?}");

    bench.crm.world().modules.get_mut("Events").unwrap().fields.retain(|field| field.name != "cf_853");
    bench.login().unwrap();
    assert!(Vtiger::check(&bench.host).unwrap().iter().any(|problem| problem.contains("Call UUID")));
    let Failure::Misconfigured(why) = bench.fails(&first("b", finished())) else { panic!("misconfigured") };
    assert!(why.contains("call_uuid"), "{why}");
}

#[test]
fn fields_go_by_machine_name_or_label_and_can_be_left_out() {
    let fields = json!({"call_uuid": "cf_853", "from": " from number ", "system": "", "duration": "cf_999"});
    let bench = Bench::with(json!({"module": "Events", "fields": fields}));
    let problems = Vtiger::check(&bench.host).unwrap();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].contains("fields.duration") && problems[0].contains("cf_861 (Duration Seconds)"));
    bench.one(&first("a", finished()));
    let record = bench.record("Events");
    assert_eq!((record["cf_855"].as_str(), record["cf_859"].as_str()), ("+442079460123", ""));
}

#[test]
fn a_label_that_stands_twice_is_said() {
    let bench = Bench::outside(json!({"module": "Events"}));
    let twin = Field::new("cf_999", "Call UUID", "string");
    bench.crm.world().modules.get_mut("Events").unwrap().fields.push(twin);
    bench.login().unwrap();
    let problems = Vtiger::check(&bench.host).unwrap();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].contains("cf_853, cf_999"), "{problems:?}");
}

#[test]
fn words_that_a_picklist_lacks_are_said() {
    let bench = Bench::with(json!({"module": "Events", "statuses": {"busy": "Besetzt"}}));
    let problems = Vtiger::check(&bench.host).unwrap();
    assert!(problems.len() == 1 && problems[0].contains("Besetzt"), "{problems:?}");
}

fn calls() -> Module {
    let fields = vec![
        Field::new("callsno", "Call No", "string").required(),
        Field::new("assigned_user_id", "Assigned To", "owner").required(),
        Field::new("cf_901", "Call UUID", "string").wide(64),
        Field::new("cf_903", "From Number", "phone"),
        Field::new("cf_905", "To Number", "phone"),
        Field::new("cf_907", "Recording URL", "url"),
        Field::new("cf_909", "PBX System", "string").wide(10),
        Field::new("cf_911", "Duration", "integer"),
        Field::new("cf_913", "Customer", "reference").to(&["Contacts"]),
        Field::new("createdtime", "Created Time", "datetime").fixed(),
        Field::new("modifiedtime", "Modified Time", "datetime").fixed(),
    ];
    Module::new("Calls", "Calls", 41, fields)
}

#[test]
fn a_module_of_ones_own() {
    let bench = Bench::outside(json!({"module": "Calls", "constants": {"callsno": "from the hub"}}));
    bench.login().unwrap();
    let problems = Vtiger::check(&bench.host).unwrap();
    assert!(problems.len() == 1 && problems[0].contains("there is no such module"), "{problems:?}");
    assert!(problems[0].contains("PBXManager"), "the modules that there are");
    assert!(matches!(bench.fails(&first("a", finished())), Failure::Misconfigured(_)));

    bench.crm.world().modules.insert("Calls".into(), calls());
    bench.login().unwrap();
    assert_eq!(Vtiger::check(&bench.host).unwrap(), Vec::<String>::new());
    let receipt = bench.one(&first("a", finished()));
    let record = bench.record("Calls");
    for (field, value) in [
        ("callsno", "from the hub"),
        ("cf_901", "a"),
        ("cf_903", "+442079460123"),
        ("cf_905", "101"),
        ("cf_909", "asterisk-m"),
        ("cf_911", "145"),
        ("cf_913", "12x3"),
    ] {
        assert_eq!(record[field], value, "{field}");
    }
    // How wide the field is nobody says: what came back tells.
    assert_eq!(receipt.shortened, ["cf_909: Vtiger kept 10 of 13 characters"]);
    let long = "x".repeat(80);
    let receipt = bench.one(&first(&long, finished()));
    assert!(receipt.shortened.iter().any(|note| note.contains("make the field wider")), "{:?}", receipt.shortened);
}

#[test]
fn a_mandatory_field_without_a_value_is_said_before_anything_is_sent() {
    let bench = Bench::outside(json!({"module": "Calls"}));
    bench.crm.world().modules.insert("Calls".into(), calls());
    bench.login().unwrap();
    let problems = Vtiger::check(&bench.host).unwrap();
    assert!(problems.len() == 1 && problems[0].contains("callsno (Call No) is mandatory"), "{problems:?}");
    assert!(matches!(bench.fails(&first("a", finished())), Failure::Misconfigured(_)));
}

// ------------------------------------------------------------------- recordings as documents

const WAV: &str = "https://pbx.example.test/rec/5f1c2f0e.wav";

fn documents() -> Bench {
    let bench = Bench::with(
        json!({"recording": "document", "recording_limit": 1, "recordings_url": "https://pbx.example.test"}),
    );
    bench.host.files.lock().unwrap().insert(WAV.into(), b"RIFF....WAVE".to_vec());
    bench
}

#[test]
fn a_recording_hangs_on_the_person() {
    let bench = documents();
    let change = first("c1", finished());
    let receipt = bench.one(&change);
    assert_eq!(receipt.shortened, Vec::<String>::new());
    let document = bench.record("Documents");
    assert!(document["notes_title"].starts_with("Call c1 recording "), "{document:?}");
    assert_eq!((document["filename"].as_str(), document["filesize"].as_str()), ("c1.wav", "12"));
    assert_eq!((document["filetype"].as_str(), document["assigned_user_id"].as_str()), ("audio/x-wav", "19x5"));
    let number: u64 = document["id"].split_once('x').unwrap().1.parse().unwrap();
    let world = bench.crm.world();
    assert!(world.relations.contains(&(3, number)));
    assert_eq!(world.files.values().next().unwrap().bytes, b"RIFF....WAVE");
    drop(world);
    // Known, and then forgotten: either way it is there once.
    assert_eq!(bench.requests(|| drop(bench.one(&next(change.clone(), &receipt, finished())))), 0);
    bench.one(&change);
    assert_eq!((bench.crm.count("Documents"), bench.crm.world().files.len()), (1, 1));
}

#[test]
fn a_document_whose_relation_was_lost_is_related_again() {
    let bench = documents();
    bench.one(&first("c1", finished()));
    bench.crm.world().relations.clear();
    bench.one(&first("c1", finished()));
    assert_eq!((bench.crm.count("Documents"), bench.crm.world().relations.len()), (1, 1));
}

#[test]
fn a_file_that_vtiger_drops_is_noticed() {
    type Mishap = fn(&mut Crm);
    let mishaps: [(&str, Mishap); 2] =
        [("too large", |crm| crm.upload_limit = 5), ("lost", |crm| crm.loses_files = true)];
    for (what, mishap) in mishaps {
        let bench = documents();
        mishap(&mut bench.crm.world());
        let receipt = bench.one(&first("c1", finished()));
        assert_eq!(bench.crm.count("Documents"), 0, "{what}: no document without its file");
        let said = receipt.shortened.len() == 1 && receipt.shortened[0].contains("upload_max_filesize");
        assert!(said, "{what}: {receipt:?}");
        assert_eq!(bench.record("PBXManager")["recordingurl"], WAV, "{what}");
    }
}

#[test]
fn an_upload_whose_answer_is_lost_is_there_once() {
    let bench = documents();
    let change = first("c1", Call { recordings: vec![], ..finished() });
    let receipt = bench.one(&change);
    let mut change = next(change, &receipt, finished());
    bench.crm.faults().next("create", Fault::Breaks);
    assert!(matches!(bench.fails(&change), Failure::Retryable(_)));
    assert_eq!((bench.crm.count("Documents"), bench.crm.world().relations.len()), (1, 0), "it was done all the same");
    change.attempt = 2;
    assert_eq!(bench.one(&change).shortened, Vec::<String>::new());
    assert_eq!((bench.crm.count("Documents"), bench.crm.world().relations.len()), (1, 1));
    assert_eq!(bench.crm.world().files.len(), 1);
}

#[test]
fn a_recording_that_is_away_for_a_while_is_waited_for() {
    let bench = documents();
    let tried = |id: &str, attempt: u32| {
        let change = Change { attempt, ..first(id, finished()) };
        bench.deliver(&[change]).remove(0)
    };
    *bench.host.away.lock().unwrap() = 2;
    for attempt in 1..=2 {
        let outcome = tried("c1", attempt);
        assert!(matches!(&outcome, Outcome::Failed(Failure::Retryable(_))), "{outcome:?}");
        assert_eq!(bench.record("PBXManager")["recordingurl"], WAV, "the call is there, with its link");
    }
    let outcome = tried("c1", 3);
    assert!(matches!(&outcome, Outcome::Done(receipt) if receipt.shortened.is_empty()), "{outcome:?}");
    assert_eq!((bench.crm.count("PBXManager"), bench.crm.count("Documents")), (1, 1));
    // In the end the call counts for more than its file.
    *bench.host.away.lock().unwrap() = 9;
    let outcome = tried("c2", 4);
    assert!(matches!(&outcome, Outcome::Done(receipt) if receipt.shortened[0].contains("HTTP 503")), "{outcome:?}");
}

#[test]
fn whoever_may_give_nothing_away_keeps_the_document() {
    let mut bench = documents();
    bench.again(json!({
        "username": "agent1", "access_key": "agent1AccessKey1", "recording": "document",
        "recordings_url": "https://pbx.example.test",
    }));
    bench.host.files.lock().unwrap().insert(WAV.into(), b"RIFF....WAVE".to_vec());
    let agent = Agent { user: Some("19x6".into()), ..Agent::default() };
    bench.one(&first("c1", Call { agent: Some(agent), ..finished() }));
    assert_eq!(bench.record("Documents")["assigned_user_id"], "19x5");
}

#[test]
fn a_recording_that_cannot_be_attached_leaves_the_call_logged() {
    let bench = documents();
    for (id, call, why) in [
        ("nobody", Call { caller: Some(number("+15550100200")), ..finished() }, "nobody is linked"),
        ("empty", with("https://pbx.example.test/empty.wav"), "is empty"),
        ("gone", with("https://pbx.example.test/gone.wav"), "not found"),
        ("huge", with("https://pbx.example.test/huge.wav"), "longer than"),
    ] {
        let mut files = bench.host.files.lock().unwrap();
        files.insert("https://pbx.example.test/empty.wav".into(), vec![]);
        files.insert("https://pbx.example.test/huge.wav".into(), vec![0; (1 << 20) + 1]);
        drop(files);
        let receipt = bench.one(&first(id, call));
        assert!(receipt.shortened.len() == 1 && receipt.shortened[0].contains(why), "{id}: {:?}", receipt.shortened);
    }
    assert_eq!((bench.crm.count("PBXManager"), bench.crm.count("Documents")), (4, 0));
    assert_eq!(bench.crm.records("PBXManager")[0]["starttime"], cordboard_start());
}

fn with(url: &str) -> Call {
    let recordings = vec![Recording { id: url.into(), url: Some(url.into()), ..Recording::default() }];
    Call { recordings, ..finished() }
}

fn cordboard_start() -> &'static str {
    assert_eq!(START % 1000, 0);
    "2026-11-21 09:10:30"
}
