//! Calls in the CRM: what is logged, whose it is, and that it is there once.

use std::time::Duration;

use cordboard_tests::ami::{FakeAmi, Recording};
use cordboard_tests::amocrm::{ANNA, BORIS, FakeAmocrm, Fault};
use serde_json::{Value, json};

use crate::world::{CALLED, CLIENT, Plan, RINGS, Told, VERSION, World, id, own_id, recording};

/// Plays a recording to its end and waits until the CRM agrees.
pub async fn play(world: &World, name: &str) -> String {
    let call = recording(name);
    world.pbx.play(&call).await;
    let id = id(&call);
    world.reaches(&id, "ended").await;
    world.settled().await;
    id
}

/// Tells a recorded call all at once, as another one, and waits until it is over.
pub async fn told(world: &World, call: &Recording, n: u64) -> String {
    let call = call.anew(n);
    Told::of(&world.pbx, &call).end();
    let id = own_id(&call);
    world.reaches(&id, "ended").await;
    id
}

/// The call's note, which there must be one of.
pub fn logged(world: &World, id: &str) -> Value {
    let notes = world.crm.world().calls(id);
    assert_eq!(notes.len(), 1, "{id}: {notes:?}");
    notes[0].clone()
}

/// The item of `POST /api/v4/calls` that was sent for a call.
pub fn sent(world: &World, id: &str) -> Value {
    let asked = world.crm.faults().log().into_iter().filter(|asked| asked.what == "POST /api/v4/calls");
    let items: Vec<Value> = asked.flat_map(|asked| asked.body.as_array().cloned().unwrap_or_default()).collect();
    items.into_iter().rfind(|item| item["uniq"] == id).unwrap_or_else(|| panic!("{id} was never sent"))
}

/// What was taken by `POST /api/v4/calls`: the calls of each request, in the order in which they came.
pub fn taken(world: &World) -> Vec<Vec<Value>> {
    let asked = world.crm.faults().log().into_iter();
    let taken = asked.filter(|asked| asked.what == "POST /api/v4/calls" && asked.status == 200);
    taken.map(|asked| asked.body.as_array().cloned().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_15_inbound_answered() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let id = play(&world, "a_inbound_answered").await;
    logged(&world, &id);
    let item = sent(&world, &id);
    assert_eq!((&item["direction"], &item["call_status"]), (&json!("inbound"), &json!(4)));
    assert_eq!((&item["responsible_user_id"], &item["created_by"]), (&json!(ANNA), &json!(ANNA)));
    let talk = recording("a_inbound_answered").expected["calls"][0]["talk_seconds"]["value"].as_f64().unwrap();
    assert!((item["duration"].as_f64().unwrap() - talk).abs() <= 1.5, "{item}: {talk}");
    let call = world.call(&id).await;
    let began: jiff::Timestamp = call["started_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(item["created_at"], began.as_second(), "the time of the call, not of the sending");
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_16_missed_in_a_ring_group() {
    let world = Plan::default().start().await;
    let id = play(&world, "p2_ring_group_nobody").await;
    assert_eq!(world.crm.world().seen(&id), 1);
    let crm = world.crm.world();
    let [lead] = &crm.unsorted[..] else { panic!("{:?}", crm.unsorted) };
    assert_eq!(
        (&lead["metadata"]["uniq"], &lead["metadata"]["call_responsible"]),
        (&json!(id), &json!(ANNA)),
        "{lead}"
    );
}

/// The queue picks up, nobody does, the caller gives up.
#[tokio::test(flavor = "multi_thread")]
async fn acceptance_17_answered_by_the_queue_alone() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let id = play(&world, "e_queue_abandoned").await;
    let item = sent(&world, &id);
    assert_eq!((&item["call_status"], &item["duration"]), (&json!(6), &json!(0)), "{item}");
    logged(&world, &id);
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_18_outbound_to_somebody_unknown() {
    for (option, of) in [("contact", Some("contacts")), ("contact-and-lead", Some("leads")), ("nothing", None)] {
        let settings = format!("unknown_outbound = \"{option}\"\n");
        let world = Plan { settings, ..Plan::default() }.start().await;
        let id = play(&world, "f_outbound_answered").await;
        let item = sent(&world, &id);
        assert_eq!((&item["direction"], &item["call_status"]), (&json!("outbound"), &json!(4)), "{option}: {item}");
        let delivery = world.delivery(&id).await;
        assert_eq!(delivery["state"], "done", "{option}: {delivery}");
        let cards = world.crm.world().cards.clone();
        let Some(of) = of else {
            assert!(cards.is_empty() && world.crm.world().seen(&id) == 0, "{option}: {cards:?}");
            let reason = delivery["reason"].as_str().unwrap_or_default();
            assert!(reason.contains(CALLED) && reason.contains("unknown_outbound"), "it is said: {delivery}");
            continue;
        };
        let note = logged(&world, &id);
        assert_eq!((&note["entity_type"], &note["note_type"]), (&json!(of), &json!("call_out")), "{option}");
        assert_eq!(delivery["external_id"], note["id"].to_string(), "{option}");
        let contacts: Vec<&Value> =
            cards.iter().filter(|((kind, _), _)| *kind == "contacts").map(|(_, card)| card).collect();
        let [contact] = &contacts[..] else { panic!("{option}: {contacts:?}") };
        let number = contact["custom_fields_values"][0]["values"][0]["value"].as_str().unwrap_or_default();
        assert!(number.ends_with(CALLED), "{option}: {contact}");
        assert_eq!(cards.keys().filter(|(kind, _)| *kind == "leads").count(), usize::from(of == "leads"), "{option}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_19_internal() {
    let world = Plan::default().start().await;
    let id = play(&world, "h_internal").await;
    assert_eq!(world.crm.world().seen(&id), 0);
    let written = world.crm.faults().log().into_iter().filter(|asked| !asked.what.starts_with("GET "));
    let written: Vec<String> = written.map(|asked| asked.what).collect();
    assert!(written.is_empty(), "neither a call nor a popup: {written:?}");
}

/// Neither side is an agent's: a telephone of the house that is nobody's in the account.
#[tokio::test(flavor = "multi_thread")]
async fn acceptance_19_a_telephone_that_is_no_agents() {
    let world = Plan { settings: "users_only = true\n".into(), ..Plan::default() }.start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let call = recording("a_inbound_answered");
    let nobodys = id(&call);
    Told::changed(&world.pbx, &call, |event| event.replace("PJSIP/1001", "PJSIP/1009").replace(": 1001", ": 1009"))
        .end();
    world.reaches(&nobodys, "ended").await;
    world.settled().await;
    assert_eq!(world.call(&nobodys).await["agent"]["extension"], "1009");
    assert!(world.delivery(&nobodys).await["reason"].as_str().unwrap_or_default().contains("1009"));
    assert_eq!(world.crm.world().seen(&nobodys), 0);
    assert!(world.crm.world().popups.is_empty());
    let own = told(&world, &call, 1).await;
    world.settled().await;
    logged(&world, &own);
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_20_click_to_call_by_a_local_channel() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Pyotr", &format!("+{CALLED}"), BORIS);
    let id = play(&world, "i4_click_to_call_by_local_channel").await;
    let item = sent(&world, &id);
    assert_eq!((&item["direction"], &item["responsible_user_id"]), (&json!("outbound"), &json!(ANNA)), "{item}");
    logged(&world, &id);
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_21_the_corrector() {
    let settings = "client_corrector = [[\"^447(\\\\d{9})$\", \"07${1}\"]]\n";
    let world = Plan { settings: settings.into(), ..Plan::default() }.start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let id = play(&world, "a_inbound_answered").await;
    assert_eq!(sent(&world, &id)["phone"], "07700900123");
    let popups = world.crm.world().popups.clone();
    assert!(popups.iter().all(|popup| popup["phone_number"] == "07700900123") && !popups.is_empty(), "{popups:?}");
    world.result("originate", json!({ "phone": CALLED })).await;
    assert_eq!(world.sent("Originate", "Exten"), [CALLED], "what is dialled is left alone");
}

/// Missed calls of new clients, by strategies that know nobody.
#[tokio::test(flavor = "multi_thread")]
async fn fault_03_missed_calls_are_not_lost() {
    let settings = "responsible = [\"by_entity\", \"last_active\"]\n";
    let world = Plan { settings: settings.into(), ..Plan::default() }.start().await;
    // Not every event of the account is a call.
    world.crm.world().happened("entity_responsible_changed", "contact", 1, BORIS);
    for name in ["p2_ring_group_nobody", "e_queue_abandoned"] {
        let asked = ["GET /api/v4/contacts", "GET /api/v4/events"].map(|what| world.crm.faults().count(what));
        let id = play(&world, name).await;
        let [contacts, events] =
            ["GET /api/v4/contacts", "GET /api/v4/events"].map(|what| world.crm.faults().count(what));
        assert!(contacts > asked[0] && events > asked[1], "{name}: both strategies were tried");
        assert_eq!(world.crm.world().seen(&id), 1, "{name}");
        let lead = world.crm.world().unsorted.last().cloned().unwrap_or_default();
        assert_eq!(
            (&lead["metadata"]["uniq"], &lead["metadata"]["call_responsible"]),
            (&json!(id), &json!(ANNA)),
            "{name}: {lead}"
        );
    }
}

/// A call with several detail records, which come again all at once.
#[tokio::test(flavor = "multi_thread")]
async fn fault_04_several_records_are_one_call() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let mut ids = Vec::new();
    for name in ["j_redirect_ringing", "d2_queue_local_members", "v_parked"] {
        let call = recording(name);
        let mut records = call.events();
        records.retain(|event| event.starts_with(b"Event: Cdr"));
        assert!(records.len() > 1, "{name} has {} records", records.len());
        ids.push(play(&world, name).await);
        records.iter().for_each(|record| world.pbx.tell(record));
    }
    // What was told before this call has been heard when it is over.
    ids.push(told(&world, &recording("b_inbound_no_answer"), 1).await);
    world.settled().await;
    let taken = taken(&world);
    for id in &ids {
        assert_eq!(world.crm.world().seen(id), 1, "{id}");
        assert_eq!(taken.iter().flatten().filter(|item| item["uniq"] == *id).count(), 1, "{id}: {taken:?}");
    }
    assert_eq!(taken.iter().flatten().count(), ids.len(), "and nothing besides: {taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_05_outbound_calls_that_nobody_answered() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Pyotr", &format!("+{CALLED}"), BORIS);
    let id = play(&world, "g_outbound_no_answer").await;
    let item = sent(&world, &id);
    assert_eq!((&item["direction"], &item["call_status"]), (&json!("outbound"), &json!(6)), "{item}");
    logged(&world, &id);
}

/// A caller who shows no number pops up and is in the CRM all the same, taken or missed.
#[tokio::test(flavor = "multi_thread")]
async fn fault_06_hidden_callers() {
    let world = Plan::default().start().await;
    let hidden = |event: &str| event.replace(CLIENT, "<unknown>");
    let call = recording("a_inbound_answered");
    let taken = id(&call);
    let mut told = Told::changed(&world.pbx, &call, hidden);
    told.before(RINGS);
    world.reaches(&taken, "ringing").await;
    let shown = || async { world.crm.world().popups.len() == 1 };
    world.until("the popup is there", shown).await;
    let popup = world.crm.world().popups[0].clone();
    assert_eq!(popup, json!({ "type": "phone_call", "phone_number": "hidden", "users": [ANNA] }));
    told.before("Event: HangupRequest");
    world.reaches(&taken, "answered").await;
    let state = world.result("get_agent_status", json!({})).await;
    let info = &state["call_info"];
    assert_eq!(
        (&state["status"], &info["contact_phone"], &info["contact_id"]),
        (&json!("CONVERSATION"), &Value::Null, &Value::Null),
        "{state}"
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    told.end();
    world.reaches(&taken, "ended").await;
    world.settled().await;
    let call = recording("b_inbound_no_answer");
    let missed = id(&call);
    Told::changed(&world.pbx, &call, hidden).end();
    world.reaches(&missed, "ended").await;
    world.settled().await;
    let leads: Vec<Value> = world.crm.world().unsorted.iter().map(|lead| lead["metadata"].clone()).collect();
    assert_eq!(leads.len(), 2, "each once: {leads:?}");
    for (lead, own) in leads.iter().zip([&taken, &missed]) {
        assert_eq!(
            (&lead["uniq"], &lead["phone"], &lead["call_responsible"]),
            (&json!(own), &json!("hidden"), &json!(ANNA)),
            "{lead}"
        );
    }
    assert!(leads[0]["duration"].as_u64().unwrap() >= 1, "{}", leads[0]);
    assert_eq!(leads[1]["duration"], json!(0));
}

/// Users are learnt with the login, and not asked for over and over.
#[tokio::test(flavor = "multi_thread")]
async fn fault_12_users_are_not_polled() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    play(&world, "a_inbound_answered").await;
    let asked = world.crm.faults().count("GET /api/v4/users");
    assert!(asked > 0, "they are known by a list");
    let call = recording("b_inbound_no_answer");
    for n in 1..10 {
        let id = told(&world, &call, n).await;
        let there = || async { world.crm.world().seen(&id) == 1 };
        world.until("it is logged", there).await;
    }
    assert_eq!(world.crm.faults().count("GET /api/v4/users"), asked);
}

/// A list that could not be had is asked for again, and no call is lost or is nobody's meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn fault_12_a_list_of_users_that_fails_is_asked_for_again() {
    let crm = FakeAmocrm::start().await.unwrap();
    crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    for _ in 0..2 {
        crm.faults().next("GET /api/v4/users", Fault::Page(500));
    }
    let world = Plan::default().start_with(FakeAmi::start(VERSION).await, crm).await;
    let id = play(&world, "a_inbound_answered").await;
    assert!(world.crm.faults().count("GET /api/v4/users") > 2);
    logged(&world, &id);
    assert_eq!(sent(&world, &id)["responsible_user_id"], json!(ANNA), "whom the tenant's file names by e-mail");
}

/// Telephones and trunks of other technologies, and ids with a system's name.
#[tokio::test(flavor = "multi_thread")]
async fn fault_15_other_channels_and_named_systems() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let call = recording("a_inbound_answered");
    let elsewhere = |event: &str| {
        event
            .replace("PJSIP/1001", "IAX2/1001")
            .replace("PJSIP/trunk-00000000", "DAHDI/i1/442079460101-1")
            .replace("PJSIP/trunk", "DAHDI/i1")
            .replace("1795246343.", "pbx1-1795246343.")
    };
    let named = format!("pbx1-{}", id(&call));
    let mut told = Told::changed(&world.pbx, &call, elsewhere);
    told.before(RINGS);
    world.reaches(&named, "ringing").await;
    let shown = || async { world.crm.world().popups.len() == 1 };
    world.until("the popup is there", shown).await;
    let popup = world.crm.world().popups[0].clone();
    assert_eq!(popup["users"], json!([ANNA]), "the telephone is Anna's: {popup}");
    told.before("Event: HangupRequest");
    world.reaches(&named, "answered").await;
    assert_eq!(world.result("set_mute", json!({ "is_mute": true })).await, Value::Null);
    assert_eq!(world.result("hangup", json!({})).await, Value::Null);
    for action in ["MuteAudio", "Hangup"] {
        let channels = world.sent(action, "Channel");
        assert!(channels.len() == 1 && channels[0].starts_with("IAX2/1001-"), "{action}: {channels:?}");
    }
    told.end();
    world.reaches(&named, "ended").await;
    world.settled().await;
    assert_eq!(logged(&world, &named)["params"]["uniq"], json!(named));
    let item = sent(&world, &named);
    assert_eq!(
        (&item["direction"], &item["call_status"], &item["responsible_user_id"]),
        (&json!("inbound"), &json!(4), &json!(ANNA)),
        "the trunk is outside, and the telephone is Anna's: {item}"
    );
}
