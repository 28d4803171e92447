//! Calls in the CRM: what is logged, whose it is, and that it is there once, whatever goes wrong.

use cordboard_tests::ami::FakeAmi;
use cordboard_tests::amocrm::{ANNA, BORIS, FakeAmocrm, Fault};
use serde_json::{Value, json};

use crate::world::{CALLED, CLIENT, Plan, VERSION, World, id, own_id, recording};

/// Plays a recording to its end and waits until the CRM agrees.
async fn play(world: &World, name: &str) -> String {
    let call = recording(name);
    world.pbx.play(&call).await;
    let id = id(&call);
    world.reaches(&id, "ended").await;
    world.settled().await;
    id
}

/// The call's note, which there must be one of.
fn logged(world: &World, id: &str) -> Value {
    let notes = world.crm.world().calls(id);
    assert_eq!(notes.len(), 1, "{id}: {notes:?}");
    notes[0].clone()
}

/// The item of `POST /api/v4/calls` that was sent for a call.
fn sent(world: &World, id: &str) -> Value {
    let asked = world.crm.faults().log().into_iter().filter(|asked| asked.what == "POST /api/v4/calls");
    let items: Vec<Value> = asked.flat_map(|asked| asked.body.as_array().cloned().unwrap_or_default()).collect();
    items.into_iter().rfind(|item| item["uniq"] == id).unwrap_or_else(|| panic!("{id} was never sent"))
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
    for (option, notes) in [("contact", 1), ("nothing", 0)] {
        let settings = format!("unknown_outbound = \"{option}\"\n");
        let world = Plan { settings, ..Plan::default() }.start().await;
        let id = play(&world, "f_outbound_answered").await;
        assert_eq!(world.crm.world().calls(&id).len(), notes, "{option}");
        let delivered = world.hub.get("/v1/deliveries").await.to_string();
        assert!(
            notes == 1 || delivered.contains(CALLED) || delivered.contains("unknown_outbound"),
            "it is said: {delivered}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_19_internal() {
    let world = Plan::default().start().await;
    let id = play(&world, "h_internal").await;
    assert_eq!(world.crm.world().seen(&id), 0);
    assert!(world.crm.world().popups.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_20_click_to_call_by_a_local_channel() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Pyotr", &format!("+{CALLED}"), BORIS);
    let id = play(&world, "i4_click_to_call_by_local_channel").await;
    let item = sent(&world, &id);
    assert_eq!((&item["direction"], &item["responsible_user_id"]), (&json!("outbound"), &json!(ANNA)), "{item}");
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

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_22_and_fault_01_a_refused_token_is_renewed() {
    let world = Plan { oauth: true, ..Plan::default() }.start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let before = world.crm.world().tokens.exchanges;
    world.crm.faults().next("POST /api/v4/calls", Fault::Stranger);
    let id = play(&world, "a_inbound_answered").await;
    logged(&world, &id);
    let after = world.crm.world().tokens.exchanges;
    assert!(after > before || after >= 2, "a new token was got: {before} and {after}");
    world
        .crm
        .faults()
        .next("POST /api/v4/calls", Fault::Says(402, "{\"status\":402,\"title\":\"Payment Required\"}".into()));
    let id = play_anew(&world, "a_inbound_answered", 1).await;
    let paused = || async {
        let lane = world.hub.get("/v1/lanes").await[0].clone();
        lane["state"] == "paused" && lane["why"].to_string().contains("not paid")
    };
    world.until("it is said that the account is not paid", paused).await;
    assert_eq!(world.crm.world().seen(&id), 0);
    // Paid again, a person has it tried at once.
    let retried = world.hub.ask(reqwest::Method::POST, "/v1/deliveries/retry?sink=crm").await;
    assert_eq!(retried.status(), 200);
    let again = || async { world.crm.world().calls(&id).len() == 1 };
    world.until("it is logged once the account is paid", again).await;
}

/// Plays a recording as another call.
async fn play_anew(world: &World, name: &str, n: u64) -> String {
    let call = recording(name).anew(n);
    let id = own_id(&call);
    world.pbx.play(&call).await;
    world.reaches(&id, "ended").await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_23_and_fault_02_the_crm_is_away_and_back() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    world.crm.faults().down(Fault::Page(503));
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(play_anew(&world, "b_inbound_no_answer", n).await);
    }
    assert!(ids.iter().all(|id| world.crm.world().seen(id) == 0));
    world.crm.faults().up();
    world.crm.limits().enforce(std::time::Duration::from_secs(1));
    let all = || async { ids.iter().all(|id| world.crm.world().seen(id) == 1) };
    world.until("all of them appear", all).await;
    world.settled().await;
    let notes = world.crm.world().notes.clone();
    let mut shown: Vec<(u64, String)> =
        notes.iter().filter_map(|(note, value)| Some((*note, value["params"]["uniq"].as_str()?.to_owned()))).collect();
    shown.sort();
    let order: Vec<String> = shown.into_iter().map(|(_, uniq)| uniq).collect();
    assert_eq!(order.len(), 3, "each once: {order:?}");
    assert!(!world.crm.limits().shut_out(), "no flood of repeats");
}

/// Missed calls of new clients, with the strategy that lost them before.
#[tokio::test(flavor = "multi_thread")]
async fn fault_03_missed_calls_are_not_lost() {
    let settings = "responsible = [\"by_entity\", \"last_active\"]\n";
    let world = Plan { settings: settings.into(), ..Plan::default() }.start().await;
    let id = play(&world, "b_inbound_no_answer").await;
    assert_eq!(world.crm.world().seen(&id), 1);
    let queue = play(&world, "e_queue_abandoned").await;
    assert_eq!(world.crm.world().seen(&queue), 1);
}

/// A call with several detail records, told twice.
#[tokio::test(flavor = "multi_thread")]
async fn fault_04_several_records_are_one_call() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    for name in ["j_redirect_ringing", "d2_queue_local_members", "v_parked"] {
        let call = recording(name);
        let cdrs = call.events().iter().filter(|event| event.starts_with(b"Event: Cdr")).count();
        let id = play(&world, name).await;
        assert!(cdrs > 1, "{name} has {cdrs} records");
        assert_eq!(world.crm.world().seen(&id), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_05_outbound_calls_that_nobody_answered() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Pyotr", &format!("+{CALLED}"), BORIS);
    let id = play(&world, "g_outbound_no_answer").await;
    let item = sent(&world, &id);
    assert_eq!((&item["direction"], &item["call_status"]), (&json!("outbound"), &json!(6)), "{item}");
}

/// A caller who shows no number is in the CRM all the same.
#[tokio::test(flavor = "multi_thread")]
async fn fault_06_hidden_callers() {
    let world = Plan::default().start().await;
    let call = recording("b_inbound_no_answer");
    for event in call.events() {
        let text = String::from_utf8_lossy(&event).replace(CLIENT, "<unknown>");
        world.pbx.tell(text.as_bytes());
    }
    let id = id(&call);
    world.reaches(&id, "ended").await;
    world.settled().await;
    assert_eq!(world.crm.world().seen(&id), 1);
    assert_eq!(world.crm.world().unsorted[0]["metadata"]["phone"], "hidden");
}

/// The hub is killed in the middle of a call.
#[tokio::test(flavor = "multi_thread")]
async fn fault_07_calls_under_way_at_a_restart() {
    let mut world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let call = recording("a_inbound_answered");
    let id = id(&call);
    let mut events = call.events();
    let end = events.iter().position(|event| String::from_utf8_lossy(event).contains("Event: HangupRequest")).unwrap();
    let rest = events.split_off(end);
    events.iter().for_each(|event| world.pbx.tell(event));
    world.reaches(&id, "answered").await;
    world.hub.kill();
    world.hub.launch();
    world.hub.ready().await;
    world.pbx.logged_in(2).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    rest.iter().for_each(|event| world.pbx.tell(event));
    world.reaches(&id, "ended").await;
    world.settled().await;
    logged(&world, &id);
    assert_eq!(sent(&world, &id)["call_status"], 4);
}

/// Users are learnt with the login, and not asked for over and over.
#[tokio::test(flavor = "multi_thread")]
async fn fault_12_users_are_not_polled() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    play(&world, "a_inbound_answered").await;
    let asked = world.crm.faults().count("GET /api/v4/users");
    for n in 1..3 {
        let id = play_anew(&world, "b_inbound_no_answer", n).await;
        let there = || async { world.crm.world().seen(&id) == 1 };
        world.until("it is logged", there).await;
    }
    assert_eq!(world.crm.faults().count("GET /api/v4/users"), asked);
}

/// Telephones and trunks of other technologies, and ids with a system's name.
#[tokio::test(flavor = "multi_thread")]
async fn fault_15_other_channels_and_named_systems() {
    let crm = FakeAmocrm::start().await.unwrap();
    crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let pbx = FakeAmi::start(VERSION).await;
    let source = String::new();
    let world = Plan { source, ..Plan::default() }.start_with(pbx, crm).await;
    let call = recording("a_inbound_answered");
    let own = id(&call);
    for event in call.events() {
        let text = String::from_utf8_lossy(&event)
            .replace("PJSIP/1001-", "IAX2/1001-")
            .replace("1795246343.", "pbx1-1795246343.");
        world.pbx.tell(text.as_bytes());
    }
    let named = format!("pbx1-{own}");
    world.reaches(&named, "ended").await;
    world.settled().await;
    assert_eq!(logged(&world, &named)["params"]["uniq"], json!(named));
    assert_eq!(sent(&world, &named)["responsible_user_id"], ANNA);
}
