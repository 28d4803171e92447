//! Who is calling: named while it rings, and sent to whoever looks after them.

use std::time::{Duration, Instant};

use cordboard_tests::live::Live;
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::vtiger::{FakeVtiger, Fault};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{World, routed};

/// A contact in the CRM that Ana (user 5) looks after.
fn ines(world: &World) -> String {
    let fields = [("firstname", "Inés"), ("lastname", "Ortega"), ("mobile", "600 00 00 01")];
    world.crm.world().add("Contacts", 5, &fields)
}

/// Waits until the lane has looked at the CRM: from then on only the directory asks.
async fn quiet(world: &World) {
    let before = std::cell::Cell::new(0);
    world
        .hub
        .until("the lane's look at the CRM", || async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let now = world.crm.faults().requests();
            before.replace(now) == now && world.crm.faults().count("query") > 0
        })
        .await;
}

async fn anas(world: &World) -> Live {
    Live::open(&world.hub, "", &world.hub.token("agent", "ana")).await
}

/// The body of a route's answer, as a dialplan gets it.
async fn route(world: &World, number: &str) -> String {
    let answer = world.hub.ask(Method::GET, &format!("/v1/route/{number}")).await;
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn the_ringing_comes_at_once_and_the_name_after_it() {
    let world = World::start().await;
    let contact = ines(&world);
    quiet(&world).await;
    let mut ana = anas(&world).await;
    let mut supervisor = Live::open(&world.hub, "?types=call.identified", &world.hub.token("supervisor", "eva")).await;
    world.post(&PbxCall::number(1).ringing()).await;
    let ringing = ana.next().await;
    assert_eq!((&ringing["type"], &ringing["desks"]), (&json!("call.ringing"), &json!({ "ringing": ["101"] })));
    assert_eq!(ringing["call"]["caller"]["number"]["e164"], "+34600000001");
    let named = ana.next().await;
    assert_eq!((&named["type"], &named["complete"]), (&json!("call.identified"), &json!(true)), "{named}");
    assert_eq!(named["call"], json!({ "record": ringing["record"], "subject": ringing["subject"] }));
    assert_eq!(named["number"]["e164"], "+34600000001");
    let first = &named["matches"][0];
    assert_eq!((&first["sink"], &first["id"], &first["kind"]), (&json!("crm"), &json!(contact), &json!("contact")));
    assert_eq!((&first["name"], &first["owner"]["user"]), (&json!("Inés Ortega"), &json!("19x5")), "{named}");
    assert_eq!(first["owner"], json!({ "user": "19x5", "extension": "101", "name": "Ana" }));
    let record = contact.split_once('x').unwrap().1;
    assert!(first["link"].as_str().is_some_and(|link| link.contains(record)), "{first}");
    assert_eq!(supervisor.next().await["matches"], named["matches"]);

    // The same number again is known by heart, however it is written.
    let asked = world.crm.faults().count("query");
    let again = PbxCall { id: "call-2".to_owned(), from: "600 000 001".to_owned(), ..PbxCall::number(1) };
    world.post(&again.ringing()).await;
    let named = ana.next_of("call.identified").await;
    assert_eq!(
        (&named["call"]["subject"]["id"], &named["matches"][0]["name"]),
        (&json!("call-2"), &json!("Inés Ortega"))
    );
    let page = world.hub.get("/v1/people/0034600000001").await;
    assert_eq!((&page["matches"], &page["complete"]), (&named["matches"], &json!(true)));
    assert_eq!(world.crm.faults().count("query"), asked);
    // And the log shows it.
    let timeline = world.hub.get("/v1/people/600-000-001/timeline").await;
    assert_eq!(timeline["items"].as_array().unwrap().len(), 2);
    assert_eq!(timeline["items"][0]["customer"]["name"], "Inés Ortega");
}

#[tokio::test]
async fn nobody_waits_for_a_slow_crm_and_its_late_answer_is_kept() {
    let world = World::with(|mut setup| {
        setup.tenant.push_str("\n[directory]\nbudget = \"300ms\"\n");
        setup
    })
    .await;
    ines(&world);
    quiet(&world).await;
    world.crm.faults().latency(Duration::from_secs(2));
    world.crm.faults().forget();
    let mut ana = anas(&world).await;
    world.post(&PbxCall::number(1).ringing()).await;
    let ringing = ana.next().await;
    assert_eq!(ringing["type"], "call.ringing");
    assert_eq!(world.crm.faults().count("query"), 0, "it did not wait for the CRM");
    let named = ana.next().await;
    assert_eq!((&named["type"], &named["complete"]), (&json!("call.identified"), &json!(false)), "{named}");
    assert_eq!(named["matches"], json!([]));
    let known = || async {
        let page = world.hub.get("/v1/people/600000001").await;
        page["complete"] == true && page["matches"][0]["name"] == "Inés Ortega"
    };
    world.hub.until("the late answer", known).await;
    assert_eq!(world.crm.faults().count("query"), 3, "asked once: contacts, leads, accounts");
    world.post(&PbxCall::number(1).ended()).await;
    let late = ana.next().await;
    assert_eq!(late["type"], "call.ended", "a name that comes late is not told: {late}");
}

#[tokio::test]
async fn all_crms_are_asked_and_believed_in_the_tenants_order() {
    let old = FakeVtiger::start().await.unwrap();
    let world = World::with(|mut setup| {
        setup.tenant.push_str(&second(&old));
        setup
    })
    .await;
    ines(&world);
    old.world().add("Leads", 6, &[("lastname", "Ortega"), ("phone", "+34 600 000 001")]);
    old.world().add("Contacts", 6, &[("lastname", "Ortega Ruiz"), ("phone", "+34 600 000 001")]);
    let by_hand = json!({
        "customer": { "name": "Inés, the baker", "number": "600 000 001" }, "call": { "direction": "inbound" },
    });
    let request = world.hub.http.post(world.hub.url("/v1/calls")).bearer_auth(world.hub.token("admin", "test"));
    assert_eq!(request.json(&by_hand).send().await.unwrap().status(), 201);
    let told = |page: &Value| -> Vec<String> {
        let all = page["matches"].as_array().unwrap().iter();
        all.map(|found| {
            let by = found["sink"].as_str().or(found["source"].as_str()).unwrap();
            format!("{by}: {}", found["name"].as_str().unwrap())
        })
        .collect()
    };
    let page = world.hub.get("/v1/people/600000001").await;
    assert_eq!(
        told(&page),
        ["old: Ortega Ruiz", "old: Ortega", "crm: Inés Ortega", "manual: Inés, the baker"],
        "{page:#}"
    );
    assert_eq!(route(&world, "600000001").await, "", "two CRMs that do not agree whose they are");
    // One of them away costs its own names and nothing else.
    old.faults().down(Fault::Page(503));
    world.crm.world().add("Contacts", 5, &[("lastname", "Sola"), ("phone", "600000002")]);
    let page = world.hub.get("/v1/people/600000002").await;
    assert_eq!((told(&page), &page["complete"]), (vec!["crm: Sola".to_owned()], &json!(false)), "{page}");
    assert_eq!(route(&world, "600000002").await, "", "somebody was not heard");
}

#[tokio::test]
async fn that_nobody_has_a_number_is_remembered_too() {
    let world = World::start().await;
    quiet(&world).await;
    let asked = || world.crm.faults().count("query");
    let before = asked();
    let mut ana = anas(&world).await;
    world.post(&PbxCall::number(1).ringing()).await;
    let named = ana.next_of("call.identified").await;
    assert_eq!((&named["matches"], &named["complete"]), (&json!([]), &json!(true)), "{named}");
    assert_eq!(asked(), before + 3, "asked once: contacts, leads, accounts");
    let again = PbxCall { id: "call-2".to_owned(), from: "600 000 001".to_owned(), ..PbxCall::number(1) };
    world.post(&again.ringing()).await;
    let named = ana.next_of("call.identified").await;
    assert_eq!((&named["call"]["subject"]["id"], &named["complete"]), (&json!("call-2"), &json!(true)), "{named}");
    assert_eq!(world.hub.get("/v1/people/0034600000001").await["matches"], json!([]));
    assert_eq!(route(&world, "600000001").await, "");
    assert_eq!(asked(), before + 3, "and not again");
}

/// Another CRM beside the first, with as much time as it needs.
fn second(crm: &FakeVtiger) -> String {
    let address = crm.url().trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
    format!(
        "\n[sinks.old]\ncomponent = \"vtiger\"\nallow = [\"{address}\"]\n\
         settings = {{ url = \"{}\", username = \"hub\", access_key = {{ env = \"ACME_VTIGER_KEY\" }} }}\n\
         \n[directory]\nsinks = [\"old\", \"crm\"]\nbudget = \"10s\"\n",
        crm.url()
    )
}

#[tokio::test]
async fn all_crms_are_asked_at_once() {
    let old = FakeVtiger::start().await.unwrap();
    let world = World::with(|mut setup| {
        setup.tenant.push_str(&second(&old));
        setup
    })
    .await;
    quiet(&world).await;
    // Both are logged in at from here on.
    let took = async |number: &str| {
        let begun = Instant::now();
        let page = world.hub.get(&format!("/v1/people/{number}")).await;
        assert_eq!((&page["matches"], &page["complete"]), (&json!([]), &json!(true)), "{page}");
        begun.elapsed()
    };
    took("600000010").await;
    world.crm.faults().latency(Duration::from_millis(700));
    let one = took("600000011").await;
    old.faults().latency(Duration::from_millis(700));
    let both = took("600000012").await;
    assert!(one >= Duration::from_millis(700) && both < one + one / 2, "one alone {one:?}, both {both:?}");
}

#[tokio::test]
async fn a_caller_is_sent_to_whoever_looks_after_them_and_nowhere_on_any_doubt() {
    let world = World::start().await;
    ines(&world);
    let person =
        |owner: u64, number: &str| world.crm.world().add("Contacts", owner, &[("lastname", "X"), ("phone", number)]);
    person(6, "600 00 00 02");
    person(5, "600 00 00 03");
    person(6, "600 00 00 03");
    for typed in ["600000001", "+34600000001", "0034%20600%20000%20001", "(600)%20000.001"] {
        assert_eq!(route(&world, typed).await, "101", "{typed}");
    }
    assert_eq!(route(&world, "600000002").await, "", "a user who has no extension in the tenant's file");
    assert_eq!(route(&world, "600000003").await, "", "two owners");
    assert_eq!(route(&world, "600000009").await, "", "nobody");
    assert_eq!(route(&world, "101").await, "", "a colleague is nobody's contact");
    assert_eq!(route(&world, "anonymous").await, "");
    world.crm.faults().down(Fault::Page(503));
    assert_eq!(route(&world, "600000004").await, "", "a CRM that is down");
    assert_eq!(route(&world, "600000001").await, "101", "what is known is known");
    world.crm.faults().up();
}

#[tokio::test]
async fn a_dialplan_does_not_wait_for_a_slow_crm() {
    let world = World::start().await;
    ines(&world);
    quiet(&world).await;
    world.crm.faults().forget();
    world.crm.faults().latency(Duration::from_secs(5));
    assert_eq!(route(&world, "600000001").await, "");
    assert_eq!(world.crm.faults().count("query"), 0, "the answer was there before the CRM's");
}

#[tokio::test]
async fn a_directory_that_keeps_failing_is_left_alone() {
    let world = World::start().await;
    quiet(&world).await;
    world.crm.faults().forget();
    world.crm.faults().down(Fault::Page(503));
    for n in 0..40 {
        let page = world.hub.get(&format!("/v1/people/6001000{n:02}")).await;
        assert_eq!(page["complete"], false, "{page}");
    }
    let asked = world.crm.faults().requests();
    assert!(asked < 40, "{asked} requests to a CRM that is down");
}

#[tokio::test]
async fn a_second_desk_and_the_answer_reach_the_popup_of_the_crm() {
    let popups = "[[routes]]\nfrom = \"pbx\"\nto = \"crm\"\n\
        when = \"event.type in ['call.ringing', 'call.withdrawn', 'call.answered']\"\n";
    let world = World::with(|setup| routed(setup, popups)).await;
    let call = PbxCall::number(1);
    world.post(&call.ringing()).await;
    let row = |field: &str| world.call("call-1").and_then(|row| row.get(field).cloned()).unwrap_or_default();
    world.hub.until("the popup", || async { row("assigned_user_id") == "19x5" }).await;
    assert_eq!(row("callstatus"), "ringing");
    let second = PbxCall { extension: "102".to_owned(), ..call.clone() };
    world.post(&second.ringing()).await;
    world.hub.until("the second desk", || async { row("assigned_user_id") == "19x6" }).await;
    assert_eq!(row("callstatus"), "ringing");
    let events: Value = world.hub.get("/v1/events").await;
    let told: Vec<&Value> = events["events"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(told, ["call.ringing", "call.ringing"]);
    world.post(&second.answered()).await;
    world.hub.until("the answer", || async { row("callstatus") == "in-progress" }).await;
    assert_eq!(world.crm.faults().creates_of("call-1"), 1, "one record from the first ring to the answer");
    let events: Value = world.hub.get("/v1/events").await;
    assert_eq!(events["events"][2]["desks"], json!({ "answered": ["102"], "withdrawn": ["101"] }));
}
