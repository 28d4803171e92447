//! The adapter against the real server's own answers, without anything played between.

use cordboard_frappe::Frappe;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::{Outside, change};

use crate::site::{Site, finished, phone, recorded, ringing, settings};

/// A site that knows what the real one was, with the grant for it.
fn outside(more: Value) -> Outside {
    let mut all = json!({"link": false, "time_zone": "Asia/Kolkata"});
    all.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    let site = Site::with(all.clone());
    let outside = Outside::new().settings(settings(all));
    outside.set_grant(site.grant());
    outside
}

fn answer(outside: &Outside, name: &str) {
    let recording = recorded(name);
    let path = recording.path.split('?').next().unwrap().to_owned();
    outside.expect(&recording.method, &path).answer_with(recording.answer);
}

fn outcome(outside: &Outside, change: Change) -> Outcome {
    Frappe::deliver(outside, vec![change]).remove(0)
}

fn failure(outside: &Outside, change: Change) -> Failure {
    match outcome(outside, change) {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

/// 2026-03-05 10:15:30 on the wall in Kolkata.
const START: Instant = 1_772_685_930_000;

fn recorded_call() -> Call {
    let receiver = Agent { user: Some("hub-agent@example.test".into()), ..Agent::extension("101") };
    Call { started_at: Some(START), line: Some(Phone::raw("sip-trunk-1")), agent: Some(receiver), ..ringing() }
}

#[test]
fn the_recorded_create_is_ours_to_the_letter() {
    let outside = outside(json!({"fields": {"call": {"source_id": "", "caller_as_seen": "", "callee_as_seen": ""}}}));
    let recording = recorded("res-01-create-ok");
    outside.expect("POST", &recording.path).body_json(recording.body).answer_with(recording.answer);
    let Outcome::Done(receipt) = outcome(&outside, change("call-2026-0001", recorded_call())) else { panic!("done") };
    assert_eq!((receipt.external_id.as_deref(), receipt.shortened), (Some("call-2026-0001"), vec![]));
    let recording = recorded("res-40-update-ok");
    let said = json!({"status": "Completed", "end_time": "2026-03-05 10:17:05", "duration": 95});
    assert_eq!(recording.body, said);
    outside.expect("PUT", &recording.path).body_json(said).answer_with(recording.answer);
    let over = Call { phase: Some(CallPhase::Ended), ended_at: Some(START + 95_000), ..recorded_call() };
    let change = Change { external_id: receipt.external_id, memo: receipt.memo, ..change("call-2026-0001", over) };
    assert!(matches!(outcome(&outside, change), Outcome::Done(_)));
}

#[test]
fn a_recorded_duplicate_is_looked_at_and_changed() {
    let outside = outside(json!({}));
    answer(&outside, "res-02-create-duplicate");
    answer(&outside, "res-20-get-ok");
    answer(&outside, "res-40-update-ok");
    let Outcome::Done(receipt) =
        outcome(&outside, change("call-2026-0001", Call { phase: Some(CallPhase::Ended), ..recorded_call() }))
    else {
        panic!("done")
    };
    assert_eq!(receipt.external_id.as_deref(), Some("call-2026-0001"));
    // A name that differs in case is another's.
    answer(&outside, "name-02-case-collide");
    let taken = recorded("name-01-case").answer;
    outside.expect("GET", "/api/resource/CRM%20Call%20Log/case-test-a").answer_with(taken);
    let Failure::Rejected(rejected) = failure(&outside, change("case-test-a", ringing())) else { panic!("rejected") };
    assert_eq!(rejected.code, "name-taken");
}

#[test]
fn recorded_refusals_have_their_meaning() {
    for (name, expected) in [
        ("auth-04-unknown-key", "Unauthorized"),
        ("auth-07-basic-email-password", "Unauthorized"),
        ("auth-09-unknown-scheme", "Unauthorized"),
        ("auth-10-missing-resource", "Misconfigured"),
        ("auth-17-html-when-accept-html", "Unauthorized"),
        ("res-03-create-mandatory", "Rejected"),
        ("res-05-create-select-invalid", "Rejected"),
        ("res-08-create-datetime-iso-z", "Rejected"),
        ("phone-08-call-log-183", "Rejected"),
        ("res-42-update-stale", "Retryable"),
        ("res-54-unknown-route", "Rejected"),
        ("misc-03-notification", "Misconfigured"),
        ("infra-02-maintenance", "Retryable"),
        ("infra-06-rate-limited", "RateLimited"),
        ("infra-10-lock-timeout", "Retryable"),
        ("ddl-01-doctype-no-custom", "Rejected"),
    ] {
        let outside = outside(json!({}));
        outside.expect("POST", "/api/resource/CRM%20Call%20Log").answer_with(recorded(name).answer);
        let failure = failure(&outside, change("c1", ringing()));
        let text = format!("{failure:?}");
        assert!(text.starts_with(&format!("Failure::{expected}")), "{name}: {text}");
        assert!(!text.contains("Traceback") && !text.contains("<strong>") && text.len() < 1000, "{name}: {text}");
    }
    let outside = outside(json!({}));
    outside.expect("POST", "/api/resource/CRM%20Call%20Log").answer_with(recorded("infra-06-rate-limited").answer);
    assert_eq!(failure(&outside, change("c1", ringing())), Failure::RateLimited(Some(29_000)));
}

#[test]
fn recorded_odd_creates_are_done() {
    for (name, id) in [
        ("phone-04-call-log-anonymous", "anon-1"),
        ("phone-09-call-log-183-ext", "ext-183"),
        ("name-07-dt-micro", "dt-2"),
        ("setup-08-bot-create", "bot-1"),
        ("ddl-16-after-property-setter", "ast-1"),
    ] {
        let outside = outside(json!({}));
        answer(&outside, name);
        let Outcome::Done(receipt) = outcome(&outside, change(id, ringing())) else { panic!("{name}") };
        assert_eq!(receipt.external_id.as_deref(), Some(id));
    }
    // A field that the DocType does not have is dropped with success: that is seen.
    let outside = outside(json!({}));
    answer(&outside, "res-07-create-unknown-field");
    let Outcome::Done(receipt) = outcome(&outside, change("call-2026-0002", ringing())) else { panic!("done") };
    assert!(
        receipt.shortened.iter().any(|note| note.starts_with("hub_call_id: Frappe does not show")),
        "{:?}",
        receipt.shortened
    );
}

#[test]
fn a_recorded_batch_and_one_with_a_duplicate() {
    let outside = outside(json!({}));
    let empty = || {
        let answer = recorded("rpc-09b-insert_many-after").answer;
        outside.expect("GET", "/api/resource/CRM%20Call%20Log").answer_with(answer);
    };
    empty();
    answer(&outside, "rpc-08-insert_many");
    let outcomes = Frappe::deliver(&outside, vec![change("im-1", ringing()), change("im-2", ringing())]);
    let names = |outcome: &Outcome| match outcome {
        Outcome::Done(receipt) => receipt.external_id.clone().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(outcomes.iter().map(names).collect::<Vec<_>>(), ["im-1", "im-2"]);
    // All or nothing: what was refused together is tried one by one.
    empty();
    answer(&outside, "rpc-09-insert_many-one-duplicate");
    let created = |id: &str| json!({"data": {"name": id, "id": id}});
    outside.expect("POST", "/api/resource/CRM%20Call%20Log").answer_json(200, created("im-3"));
    outside.expect("POST", "/api/resource/CRM%20Call%20Log").answer_json(200, created("im-4"));
    let outcomes = Frappe::deliver(&outside, vec![change("im-3", ringing()), change("im-4", ringing())]);
    assert_eq!(outcomes.iter().map(names).collect::<Vec<_>>(), ["im-3", "im-4"]);
}

#[test]
fn the_recorded_look_ups_find_people() {
    let outside = outside(json!({"link": true}));
    let method = recorded("crm-01-contact-by-phone-lead");
    outside.expect("GET", &method.path).answer_with(method.answer);
    let linked = recorded("res-15-create-call-with-links");
    outside.expect("POST", &linked.path).body_contains("CRM-LEAD-2026-00003").answer_with(linked.answer);
    assert!(matches!(outcome(&outside, change("call-2026-0007", finished())), Outcome::Done(_)));

    outside
        .expect("GET", "/api/method/crm.integrations.api.get_contact_by_phone_number")
        .answer_with(recorded("crm-06-contact-by-second-phone").answer);
    let nobody = || {
        outside.expect("GET", "/api/resource/CRM%20Lead").answer_json(200, json!({"data": []}));
        outside.expect("GET", "/api/resource/Contact").answer_json(200, json!({"data": []}));
    };
    nobody();
    let found = Frappe::find(&outside, phone("+34910000099")).unwrap();
    assert_eq!((found[0].external_id.as_str(), found[0].kind.as_str()), ("Luis Ejemplo", "contact"));
    let none = recorded("crm-02-contact-by-phone-none");
    outside.expect("GET", &none.path).answer_with(none.answer);
    nobody();
    assert_eq!(Frappe::find(&outside, phone("+34699999999")).unwrap(), vec![]);
    // A user with rights to call logs alone.
    outside
        .expect("GET", "/api/method/crm.integrations.api.get_contact_by_phone_number")
        .answer_with(recorded("setup-09-bot-lookup").answer);
    for doctype in ["CRM%20Lead", "CRM%20Lead", "Contact"] {
        outside
            .expect("GET", &format!("/api/resource/{doctype}"))
            .answer_with(recorded("auth-10-missing-resource").answer);
    }
    assert_eq!(Frappe::find(&outside, phone("+34600111222")).unwrap()[0].external_id, "CRM-LEAD-2026-00001");
}

#[test]
fn recorded_parents_links_and_deletes() {
    let outside = outside(json!({"prefix": "Hub"}));
    let contact = Contact { numbers: vec![phone("+34600111222")], name: Some("Ana".into()), ..Contact::default() };
    let id = "ventas-1:34600111222@s.whatsapp.net";
    for (name, item) in [("wa-03-contact", Item::from(contact)), ("wa-04-conversation", Conversation::default().into())]
    {
        answer(&outside, name);
        // The counters: what was made is counted by the site.
        outside.expect("GET", "/api/method/frappe.client.get_count").answer_with(recorded("rpc-02-get_count").answer);
        outside
            .expect("PUT", "/api/resource/Hub%20Session/ventas-1")
            .answer_with(recorded("wa-14-int-as-string").answer);
        let Outcome::Done(receipt) = outcome(&outside, change(id, item)) else { panic!("{name}") };
        assert_eq!(receipt.external_id.as_deref(), Some(id));
    }
    let joined = vec![Joined { id: "b".into(), external_id: "call-2026-0002".into() }];
    answer(&outside, "res-01-create-ok");
    answer(&outside, "res-50-delete-ok");
    let with = Change { joined, ..change("call-2026-0001", ringing()) };
    assert!(matches!(outcome(&outside, with.clone()), Outcome::Done(_)));
    // It is gone already.
    answer(&outside, "res-01-create-ok");
    outside
        .expect("DELETE", "/api/resource/CRM%20Call%20Log/call-2026-0002")
        .answer_with(recorded("res-21-get-missing").answer);
    assert!(matches!(outcome(&outside, with), Outcome::Done(_)));
}

#[test]
fn the_recorded_files_are_found_or_made() {
    let url = "https://pbx.example.test/rec/1.wav";
    let recordings = vec![Recording { id: "r1".into(), url: Some(url.into()), ..Recording::default() }];
    let call = Call { recordings, ..ringing() };
    let file = json!({"recording": "file", "recordings_url": "https://pbx.example.test"});
    for there in [false, true] {
        let outside = outside(file.clone());
        outside.file(url, "audio/wav", *b"RIFF");
        answer(&outside, "res-01-create-ok");
        if there {
            answer(&outside, "file-13-files-of-doc");
        } else {
            outside.expect("GET", "/api/resource/File").answer_json(200, json!({"data": []}));
            answer(&outside, "file-01-upload-private");
        }
        let set = recorded("file-15-set-recording-url");
        outside.expect("PUT", &set.path).body_json(set.body).answer_with(set.answer);
        let done = outcome(&outside, change("call-2026-0001", call.clone()));
        assert!(matches!(done, Outcome::Done(_)), "{done:?}");
    }
}

#[test]
fn the_recorded_whatsapp_answers_are_understood() {
    // In the recordings the DocTypes are called Hub Session, Hub Contact, …
    let doctypes = json!({"prefix": "Hub"});
    let outside = outside(doctypes);
    let number = |raw: &str| Some(phone(raw));
    let session = Session {
        state: Some("connected".into()),
        name: Some("Ventas".into()),
        number: number("+34910000001"),
        ..Session::default()
    };
    answer(&outside, "wa-02-session-again");
    let got = recorded("wa-01-session").answer;
    outside.expect("GET", "/api/resource/Hub%20Session/ventas-1").answer_with(got);
    answer(&outside, "wa-12-session-totals");
    assert!(matches!(outcome(&outside, change("ventas-1", session)), Outcome::Done(_)));

    let message = Message {
        conversation: Some("ventas-1:34600111222@s.whatsapp.net".into()),
        direction: Some(Direction::Inbound),
        text: Some("Hola, ¿precio? 😀".into()),
        sent_at: Some(START + 270_000),
        ..Message::default()
    };
    answer(&outside, "wa-05-message");
    let Outcome::Done(receipt) = outcome(&outside, change("3EB0AAAA0001", message.clone())) else { panic!("done") };
    assert_eq!(receipt.external_id.as_deref(), Some("ria2cunssj"));
    let sent = outside.asked().pop().unwrap();
    let (sent, real): (Value, Value) = (serde_json::from_slice(&sent.body).unwrap(), recorded("wa-05-message").body);
    for field in ["session", "conversation", "content", "direction", "timestamp", "status"] {
        assert_eq!(sent[field], real[field], "{field}");
    }
    // A unique field is taken: the document is looked up.
    answer(&outside, "wa-06-message-duplicate-unique");
    answer(&outside, "wa-07-message-lookup");
    let mut stored = recorded("wa-05-message").answer;
    stored.status = 200;
    outside.expect("GET", "/api/resource/Hub%20Message/ria2cunssj").answer_with(stored.clone());
    outside.expect("PUT", "/api/resource/Hub%20Message/ria2cunssj").answer_with(stored);
    assert!(matches!(outcome(&outside, change("3EB0AAAA0001", message.clone())), Outcome::Done(_)));
    // What Frappe's filter made of a text is said.
    answer(&outside, "wa-17-html-content");
    let text = recorded("wa-17-html-content").body["content"].as_str().unwrap().to_owned();
    let Outcome::Done(receipt) =
        outcome(&outside, change("3EB0AAAA0006", Message { text: Some(text), ..message.clone() }))
    else {
        panic!("done")
    };
    assert!(receipt.shortened.iter().any(|note| note.starts_with("content: Frappe")), "{:?}", receipt.shortened);
    answer(&outside, "wa-18-html-content-raw");
    let text = recorded("wa-18-html-content-raw").body["content"].as_str().unwrap().to_owned();
    let Outcome::Done(receipt) =
        outcome(&outside, change("3EB0AAAA0018", Message { text: Some(text), ..message.clone() }))
    else {
        panic!("done")
    };
    assert!(!receipt.shortened.iter().any(|note| note.starts_with("content")), "{:?}", receipt.shortened);
    outside.expect("GET", "/api/resource/Hub%20Message").answer_json(200, json!({"data": []}));
    answer(&outside, "wa-09-insert_many");
    let outcomes =
        Frappe::deliver(&outside, vec![change("3EB0AAAA0003", message.clone()), change("3EB0AAAA0004", message)]);
    let Outcome::Done(receipt) = &outcomes[1] else { panic!("done") };
    assert_eq!(receipt.external_id.as_deref(), Some("s4ravcrle2"));
}

#[test]
fn the_recorded_meta_is_read() {
    let outside = Outside::new().settings(settings(json!({
        "calls": "own", "whatsapp": "off", "doctypes": {"call": "CRM Communication Status"},
        "fields": {"call": {"call_id": "status", "status": ""}},
    })));
    answer(&outside, "auth-01-token-ok");
    let denied = json!({"exc_type": "PermissionError"});
    outside.expect("GET", "/api/method/frappe.client.get_list").answer_json(403, denied);
    for name in ["rpc-18-time-zone", "rpc-19-versions", "v2-13-meta"] {
        answer(&outside, name);
    }
    outside
        .expect("GET", "/api/resource/CRM%20Communication%20Status")
        .answer_json(200, json!({"data": [{"name": "Open"}]}));
    answer(&outside, "setup-06-perm-check");
    answer(&outside, "misc-14-method-user-agents");
    let grant = Frappe::issue(&outside, None).unwrap();
    outside.set_grant(Some(grant));
    outside
        .expect("POST", "/api/resource/CRM%20Communication%20Status")
        .body_json(json!({"status": "c1"}))
        .answer_json(200, json!({"data": {"name": "c1", "status": "c1"}}));
    assert!(matches!(outcome(&outside, change("c1", ringing())), Outcome::Done(_)));
}
