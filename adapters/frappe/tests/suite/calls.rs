//! Calls in the call log of Frappe CRM, in ERPNext's, and in a DocType of one's own.

use cordboard_frappe::Frappe;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::change;

use crate::site::{Does, ONE, START, Site, WALL, call_log, finished, next, number, phone, ringing};

#[test]
fn a_finished_call_is_logged_and_linked() {
    let site = Site::with(json!({}));
    let receipt = site.one(&change("call-2026-0007", finished()));
    let doc = site.only("CRM Call Log");
    for (field, value) in [
        ("name", json!("call-2026-0007")),
        ("type", json!("Incoming")),
        ("status", json!("Completed")),
        ("from", json!(ONE)),
        ("to", json!("+34910000001")),
        ("start_time", json!(WALL)),
        ("end_time", json!("2026-03-05 11:17:05")),
        ("duration", json!(95)),
        ("telephony_medium", json!("Manual")),
        ("receiver", json!("ana@example.test")),
        ("reference_doctype", json!("CRM Lead")),
        ("reference_docname", json!("CRM-LEAD-2026-00003")),
        ("links", json!([{"link_doctype": "CRM Lead", "link_name": "CRM-LEAD-2026-00003"}])),
        ("hub_call_id", json!("call-2026-0007")),
        ("hub_talk", json!(85)),
        ("hub_outcome", json!("answered")),
    ] {
        assert_eq!(doc[field], value, "{field}");
    }
    assert!(!doc.contains_key("caller"), "who called is no user");
    assert_eq!(receipt.external_id.as_deref(), Some("call-2026-0007"));
    assert_eq!(receipt.url.as_deref(), Some("https://crm.example.test/app/crm-call-log/call-2026-0007"));
    assert_eq!(receipt.shortened, Vec::<String>::new());
}

#[test]
fn moments_are_in_the_sites_zone_whatever_the_users_is() {
    let site = Site::outside(json!({}));
    site.state().users.get_mut("hub@example.test").unwrap().zone = "Asia/Tokyo".into();
    site.set_up();
    site.login().unwrap();
    site.one(&change("c1", finished()));
    assert_eq!(site.only("CRM Call Log")["start_time"], WALL);
    assert_eq!(Frappe::check(&site).unwrap(), Vec::<String>::new());
    site.plan("GET", "doctype=DefaultValue", Does::Answer(403, json!({"exc_type": "PermissionError"})));
    let problems = Frappe::check(&site).unwrap();
    assert!(
        problems.len() == 1 && problems[0].contains("Asia/Tokyo, is taken for it: set `time_zone`"),
        "{problems:?}"
    );
}

#[test]
fn a_user_that_the_site_lacks_is_left_out_and_that_is_said_once() {
    let site = Site::with(json!({}));
    let agent = Agent { user: Some("gone@example.test".into()), ..Agent::extension("101") };
    // The CRM shows leads to few users, and says so by an empty list.
    site.plan("GET", "/api/resource/CRM%20Lead", Does::Answer(200, json!({"data": []})));
    let receipt = site.one(&change("c1", Call { agent: Some(agent), ..finished() }));
    let doc = site.only("CRM Call Log");
    assert!(!doc.contains_key("receiver"));
    assert_eq!(doc["reference_docname"], "CRM-LEAD-2026-00003");
    assert_eq!(receipt.shortened, ["receiver: there is no User \"gone@example.test\"; it was left out"]);
}

#[test]
fn a_call_grows_in_one_document_and_peoples_edits_stay() {
    let site = Site::with(json!({}));
    let first = change("c1", ringing());
    let (receipt, asked) = site.requests(|| site.one(&first));
    assert_eq!(asked, 2, "a look-up and a create");
    assert_eq!(site.only("CRM Call Log")["status"], "Ringing");
    let (again, asked) = site.requests(|| site.one(&next(&first, &receipt, ringing())));
    assert_eq!((asked, &again.memo), (0, &receipt.memo), "nothing has changed");
    site.state().docs.get_mut("CRM Call Log").unwrap()[0].insert("reference_docname".into(), json!("CRM-LEAD-9"));
    let (_, asked) = site.requests(|| site.one(&next(&first, &receipt, finished())));
    assert_eq!(asked, 1, "one update of what has changed");
    let doc = site.only("CRM Call Log");
    assert_eq!((&doc["status"], &doc["receiver"]), (&json!("Completed"), &json!("ana@example.test")));
    assert_eq!(doc["reference_docname"], "CRM-LEAD-9", "what people have changed is not undone");
    let sent = site.state().asked.last().unwrap().clone();
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert!(sent.get("from").is_none() && sent.get("start_time").is_none(), "{sent}");
}

#[test]
fn what_was_made_unheard_is_found_again() {
    let site = Site::with(json!({}));
    let mut change = change("c1", finished());
    site.plan("POST", "/api/resource/CRM%20Call%20Log", Does::Lost(cordboard_sdk::http::Error::Timeout("crm".into())));
    let Failure::Retryable(retryable) = site.fails(&change) else { panic!("retryable") };
    assert!(retryable.after.unwrap() >= 5000, "the server may still be at it");
    change.attempt = 2;
    site.state().docs.get_mut("CRM Call Log").unwrap()[0]
        .insert("links".into(), json!([{"name": "r1", "link_doctype": "CRM Task", "link_name": "7"}]));
    let receipt = site.one(&change);
    assert_eq!(receipt.external_id.as_deref(), Some("c1"));
    let links = site.only("CRM Call Log")["links"].as_array().unwrap().len();
    assert_eq!(links, 2, "rows of others stay when ours are put in");
}

#[test]
fn names_that_frappe_does_not_tell_apart_stay_apart() {
    let site = Site::with(json!({"link": false}));
    for id in [
        "Case-Test-A",
        "case-test-a",
        "véntas",
        "ventas",
        " a",
        "a",
        "<a>",
        "5F/1C",
        "' OR 1=1",
        "😀",
        &"x".repeat(255),
    ] {
        site.one(&change(id, finished()));
    }
    assert_eq!(site.docs("CRM Call Log").len(), 11);
    assert!(site.docs("CRM Call Log").iter().any(|doc| doc["name"] == "case-test-a"));
}

#[test]
fn another_documents_name_is_not_taken() {
    let site = Site::with(json!({"link": false}));
    site.put(
        "CRM Call Log",
        json!({"name": "C1", "id": "C1", "from": "1", "to": "2", "type": "Incoming", "status": "Busy"}),
    );
    let Failure::Rejected(rejected) = site.fails(&change("c1", finished())) else { panic!("rejected") };
    assert_eq!(rejected.code, "name-taken");
    assert_eq!(site.only("CRM Call Log")["status"], "Busy");
}

#[test]
fn a_batch_is_one_look_up_and_one_insert() {
    let site = Site::with(json!({}));
    let changes: Vec<Change> = (0..200).map(|n| change(&format!("c{n}"), finished())).collect();
    let (outcomes, asked) = site.requests(|| site.deliver(&changes));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(_))), "{:?}", outcomes[0]);
    assert_eq!(asked, 3, "one for the person, one for what is there, one for all");
    assert_eq!(site.docs("CRM Call Log").len(), 200);
    let Outcome::Done(receipt) = &outcomes[7] else { unreachable!() };
    assert_eq!(receipt.external_id.as_deref(), Some("c7"));
    // The hub may have lost all receipts: the same again makes no document more.
    site.deliver(&changes[..20]);
    assert_eq!(site.docs("CRM Call Log").len(), 200);
}

#[test]
fn one_bad_row_is_refused_by_itself() {
    let site = Site::with(json!({"link": false}));
    site.state().doctypes.get_mut("CRM Call Log").unwrap()["fields"][8]["options"] = json!("Phone");
    let mut changes: Vec<Change> = (0..5).map(|n| change(&format!("c{n}"), finished())).collect();
    changes[2].item = Call { line: Some(Phone::raw("trunk madrid")), ..finished() }.into();
    let outcomes = site.deliver(&changes);
    for (at, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Outcome::Failed(Failure::Rejected(rejected)) if at == 2 => {
                assert_eq!(rejected.code, "InvalidPhoneNumberError")
            }
            Outcome::Done(_) if at != 2 => {}
            other => panic!("{at}: {other:?}"),
        }
    }
    assert_eq!(site.docs("CRM Call Log").len(), 4);
}

#[test]
fn a_user_that_is_not_there_is_left_out_and_said() {
    let site = Site::with(json!({"users": {"101": "gone@example.test"}}));
    let agent = Some(Agent::extension("101"));
    let first = change("c1", Call { agent: agent.clone(), ..finished() });
    let receipt = site.one(&first);
    assert!(!site.only("CRM Call Log").contains_key("receiver"));
    assert!(receipt.shortened.iter().any(|note| note.contains("gone@example.test")), "{:?}", receipt.shortened);
    let again = Call { agent, talk: Some(90), ..finished() };
    let (_, asked) = site.requests(|| site.one(&next(&first, &receipt, again)));
    assert_eq!(asked, 1, "it is not tried with every change");
}

#[test]
fn withheld_numbers_and_extensions_pass_fields_of_numbers() {
    let site = Site::outside(json!({}));
    let mut log = call_log();
    for at in [1, 2] {
        log["fields"][at]["options"] = json!("Phone");
    }
    site.doctype("CRM Call Log", log);
    site.set_up();
    site.login().unwrap();
    let caller = Party { name: Some("sip:anonymous".into()), ..Party::default() };
    let receipt = site.one(&change("a", Call { caller: Some(caller), ..finished() }));
    assert_eq!(site.only("CRM Call Log")["from"], "0");
    assert_eq!(site.only("CRM Call Log")["hub_caller"], "sip:anonymous", "the truth stands beside it");
    assert!(receipt.shortened.iter().any(|note| note.contains("anonymous")), "{:?}", receipt.shortened);
    let inside = Call {
        direction: Some(Direction::Internal),
        caller: Some(Party { agent: Some(Agent::extension("101")), ..Party::default() }),
        callee: Some(Party::number("*97")),
        ..finished()
    };
    site.one(&change("b", inside));
    let docs = site.docs("CRM Call Log");
    let doc = docs.iter().find(|doc| doc["name"] == "b").unwrap();
    assert_eq!((&doc["from"], &doc["to"], &doc["type"]), (&json!("101"), &json!("*97"), &json!("Outgoing")));
    assert_eq!(doc["caller"], "ana@example.test");
}

#[test]
fn hostile_values_are_stored_harmless() {
    let site = Site::with(json!({}));
    let long = "n".repeat(10_000);
    for (id, name) in [
        ("quote", "O'One \\ \"x\""),
        ("markup", "<script>alert(1)</script>"),
        ("emoji", "Ana 😀 \u{202E}שלום"),
        ("nul", "a\0b"),
        ("long", long.as_str()),
    ] {
        let caller = Party { number: Some(Phone::raw("' OR 1=1 -- \\")), name: Some(name.into()), agent: None };
        let call = Call {
            caller: Some(caller),
            queue: Some(name.into()),
            outcome: Some("a-word-of-tomorrow".into()),
            ..finished()
        };
        site.one(&change(id, call));
        let docs = site.docs("CRM Call Log");
        let doc = docs.iter().find(|doc| doc["name"] == id).unwrap();
        let queue = doc["hub_queue"].as_str().unwrap();
        assert!(queue.chars().count() <= 140 && !queue.contains('<') && !queue.contains('\0'), "{queue}");
        assert!(!doc.contains_key("links"), "nobody has such a number");
        assert_eq!(doc["status"], "Completed");
    }
    let far = Call { started_at: Some(u64::MAX), ended_at: Some(0), duration: Some(u32::MAX), ..finished() };
    site.one(&change("far", far));
    let bare = change("bare", Call::default());
    let receipt = site.one(&bare);
    let (_, asked) = site.requests(|| site.one(&next(&bare, &receipt, Call::default())));
    assert_eq!(asked, 0, "the present is written once");
}

#[test]
fn recordings_are_links_or_private_files_once() {
    let url = "https://pbx.example.test/rec/1.wav";
    let recordings = vec![Recording { id: "r1".into(), url: Some(url.into()), ..Recording::default() }];
    let call = Call { recordings, ..finished() };
    let site = Site::with(json!({}));
    site.one(&change("c1", call.clone()));
    assert_eq!(site.only("CRM Call Log")["recording_url"], url);

    let site = Site::with(json!({"recording": "file", "recordings_url": "https://pbx.example.test"}));
    let mut first = change("c1", call.clone());
    let Failure::Retryable(_) = site.fails(&first) else { panic!("the file may come") };
    site.state().files.insert(url.into(), b"RIFF".to_vec());
    first.attempt = 2;
    let receipt = site.one(&first);
    let file = site.only("File");
    assert_eq!((&file["attached_to_doctype"], &file["attached_to_name"]), (&json!("CRM Call Log"), &json!("c1")));
    assert_eq!(site.only("CRM Call Log")["recording_url"], file["file_url"]);
    // Heard or unheard, it is uploaded once.
    site.one(&next(&first, &receipt, call.clone()));
    site.one(&first);
    assert_eq!(site.docs("File").len(), 1);
    assert_eq!(site.only("CRM Call Log")["recording_url"], file["file_url"]);
    // A file that never comes is given up, and said.
    site.state().files.clear();
    let mut lost = change("c2", call);
    lost.attempt = 4;
    assert!(site.one(&lost).shortened.iter().any(|note| note.starts_with("file: not attached")));
}

#[test]
fn a_joined_calls_document_is_deleted_or_said() {
    let site = Site::with(json!({"link": false}));
    for id in ["a", "b", "c"] {
        site.one(&change(id, finished()));
    }
    let joined = |id: &str| Joined { id: id.into(), external_id: id.into() };
    let with = Change { joined: vec![joined("b")], ..change("a", finished()) };
    site.one(&with);
    assert_eq!(site.docs("CRM Call Log").len(), 2);
    site.state().denied.push("delete CRM Call Log".into());
    let with = Change { joined: vec![joined("b"), joined("c")], ..with };
    let receipt = site.one(&with);
    assert!(receipt.shortened.iter().any(|note| note.contains("merge them by hand")), "{:?}", receipt.shortened);
}

#[test]
fn erpnexts_and_ones_own_doctype() {
    let site = Site::outside(json!({"calls": "erpnext", "whatsapp": "off"}));
    let mut log = call_log();
    log["module"] = json!("Telephony");
    log["fields"].as_array_mut().unwrap().push(json!({"fieldname": "summary", "fieldtype": "Small Text"}));
    log["fields"][10]["fieldtype"] = json!("Data");
    site.doctype("Call Log", log);
    site.login().unwrap();
    assert_eq!(Frappe::check(&site).unwrap(), Vec::<String>::new());
    let url = format!("https://pbx.example.test/{}", "a".repeat(200));
    let recordings = vec![Recording { id: "r".into(), url: Some(url), ..Recording::default() }];
    let receipt = site.one(&change("e1", Call { notes: Some("wants\nan offer".into()), recordings, ..finished() }));
    let doc = site.only("Call Log");
    assert_eq!(doc["summary"], "wants\nan offer");
    assert!(!doc.contains_key("links"), "ERPNext links by itself");
    assert!(!doc.contains_key("recording_url") && receipt.shortened.iter().any(|note| note.contains("140")));

    let fields = json!({"call": {"call_id": "uuid", "customer_number": "who", "outcome": "how"}});
    let site = Site::outside(json!({"calls": "own", "doctypes": {"call": "My Call"}, "fields": fields,
        "constants": {"call": {"branch": "Madrid"}}, "whatsapp": "off"}));
    let data = |name: &str, mandatory: u8| json!({"fieldname": name, "fieldtype": "Data", "reqd": mandatory, "unique": u8::from(name == "uuid")});
    site.doctype(
        "My Call",
        json!({"custom": 1, "autoname": "hash",
        "fields": [data("uuid", 1), data("who", 0), data("how", 0), data("branch", 1)]}),
    );
    site.login().unwrap();
    assert_eq!(Frappe::check(&site).unwrap(), Vec::<String>::new());
    let receipt = site.one(&change("1.2", finished()));
    let doc = site.only("My Call");
    assert_eq!(receipt.external_id.as_deref(), doc["name"].as_str());
    assert_eq!(
        (&doc["uuid"], &doc["who"], &doc["how"], &doc["branch"]),
        (&json!("1.2"), &json!(ONE), &json!("answered"), &json!("Madrid"))
    );
    site.one(&change("1.2", finished()));
    assert_eq!(site.docs("My Call").len(), 1, "a unique field is as good as a name");
}

#[test]
fn popups_ring_once_for_whom_it_rings() {
    let desk = |extension: &str| Desk { extension: extension.into(), rang_at: START, ..Desk::default() };
    let caller = Party { name: Some("<b>Eve</b>".into()), ..number("+34699999999") };
    let call = Call { caller: Some(caller), desks: vec![desk("101"), desk("102"), desk("999")], ..ringing() };
    let users = json!({"101": "ana@example.test", "102": "luis@example.test"});
    let site = Site::with(json!({"popup": "notification", "users": users}));
    let first = change("c1", call.clone());
    let receipt = site.one(&first);
    let told = site.docs("CRM Notification");
    assert_eq!(
        told.iter().map(|it| it["to_user"].as_str().unwrap()).collect::<Vec<_>>(),
        ["ana@example.test", "luis@example.test"]
    );
    assert!(!told[0]["notification_text"].as_str().unwrap().contains("<b>Eve"), "{}", told[0]["notification_text"]);
    site.one(&next(&first, &receipt, call.clone()));
    assert_eq!(site.docs("CRM Notification").len(), 2);
    site.one(&change("c2", finished()));
    assert_eq!(site.docs("CRM Notification").len(), 2, "what is over does not ring");

    let site = Site::with(json!({"popup": "exotel", "exotel_key": "verify-token-1", "users": users}));
    site.one(&change("c1", call.clone()));
    let told = site.docs("exotel");
    assert_eq!(
        (told.len(), &told[0]["AgentEmail"], &told[0]["CallSid"]),
        (2, &json!("ana@example.test"), &json!("c1"))
    );
    // That it cannot be shown is no reason to write the call again.
    let site = Site::with(json!({"popup": "notification", "users": users}));
    site.state().denied.push("create CRM Notification".into());
    let receipt = site.one(&change("c1", call));
    assert!(receipt.shortened.iter().any(|note| note.starts_with("popup: not shown")), "{:?}", receipt.shortened);
}

#[test]
fn people_are_found_however_their_number_is_written() {
    let site = Site::with(json!({}));
    site.put("CRM Lead", json!({"name": "L4", "lead_name": "Old Style", "mobile_no": "(600) 333 444"}));
    site.put("Contact", json!({"name": "Luis", "full_name": "Luis Ejemplo", "phone": "+34 910 000 099"}));
    let find = |e164: &str| Frappe::find(&site, phone(e164)).unwrap();
    let found = find(ONE);
    assert_eq!(
        (found.len(), found[0].external_id.as_str(), found[0].kind.as_str()),
        (1, "CRM-LEAD-2026-00003", "lead")
    );
    assert_eq!((found[0].name.as_str(), found[0].owner.as_deref()), ("Ana Prueba", Some("ana@example.test")));
    assert_eq!(found[0].url.as_deref(), Some("https://crm.example.test/app/crm-lead/CRM-LEAD-2026-00003"));
    assert_eq!(find("+34600333444")[0].external_id, "L4");
    assert_eq!(
        (find("+34910000099")[0].external_id.as_str(), find("+34910000099")[0].kind.as_str()),
        ("Luis", "contact")
    );
    assert_eq!(find("+34600111223"), vec![]);
    let national = Frappe::find(&site, Phone::raw("600 111 222")).unwrap();
    assert_eq!(national[0].external_id, "CRM-LEAD-2026-00003", "without its country's code too");
    assert_eq!(Frappe::find(&site, Phone::raw("101")).unwrap(), vec![]);
    for doctype in ["CRM Lead", "Contact"] {
        site.state().denied.push(format!("read {doctype}"));
    }
    assert_eq!(find(ONE).len(), 1, "the CRM's own look-up asks for no right");
    assert!(Frappe::find(&site, phone("+34699999999")).is_err(), "nobody could be looked at: that is not nobody");
}
