//! Deliveries to a CRM that is down, slow, forgetful, or says no.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cordboard_tests::database::Database;
use cordboard_tests::hub::Hub;
use cordboard_tests::mail::MailServer;
use cordboard_tests::pbx::PbxCall;
use cordboard_tests::vtiger::Fault;
use cordboard_tests::web::Web;
use reqwest::Method;
use serde_json::Value;

use crate::world::{EVERYTHING, World, delivery, outcomes, plain, routed, until};

async fn down_and_up(world: World) {
    world.crm.faults().down(Fault::Page(502));
    let calls: Vec<PbxCall> = (0..20).map(PbxCall::number).collect();
    for call in &calls {
        world.post(&call.ringing()).await;
    }
    let tried = || world.crm.faults().log().iter().any(|asked| asked.answer == "502");
    until("the hub has tried", tried).await;
    for call in &calls {
        world.post(&call.answered()).await;
        world.post(&call.ended()).await;
    }
    assert_eq!(world.crm.count("PBXManager"), 0);
    // What is under way may know less than the end of all calls; what begins from here on does not.
    let idle = || async {
        let lanes = world.hub.get("/v1/lanes").await;
        let all = lanes.as_array().or(lanes["items"].as_array()).cloned().unwrap_or_default();
        all.iter().any(|lane| lane["state"] == "waiting" && lane["running"] == 0)
    };
    world.hub.until("the lane waits, and nothing is under way", idle).await;
    world.crm.faults().up();
    world.settled("done").await;
    for call in &calls {
        let row = world.call(&call.id).unwrap();
        assert_eq!((row["callstatus"].as_str(), row["totalduration"].as_str()), ("completed", "145"), "{row:#?}");
        assert_eq!(world.crm.faults().creates_of(&call.id), 1);
    }
    assert_eq!(world.crm.count("PBXManager"), calls.len(), "nothing else");
    assert_eq!(world.crm.faults().count("revise"), 0, "the newest state goes at once, not one state after the other");
}

#[tokio::test]
async fn a_crm_that_was_down_gets_the_newest_state_once() {
    down_and_up(World::with(|setup| routed(setup, EVERYTHING)).await).await;
}

#[tokio::test]
async fn a_crm_that_was_down_gets_the_newest_state_once_on_postgresql() {
    let Some(database) = Database::create().await else { return };
    down_and_up(World::on(database, |setup| routed(setup, EVERYTHING)).await).await;
}

#[tokio::test]
async fn a_create_without_an_answer_is_looked_up_before_the_next() {
    let world = World::with(|mut setup| {
        setup.tenant = setup.tenant.replace("[sinks.crm]\n", "[sinks.crm]\ntimeout = \"2s\"\n");
        setup
    })
    .await;
    // One create hangs after it was done, the next breaks in the middle of its answer.
    world.crm.faults().next("create", Fault::Hangs);
    world.post(&PbxCall::number(1).ended()).await;
    until("the create that hangs", || world.crm.count("PBXManager") == 1).await;
    world.crm.faults().next("create", Fault::Breaks);
    world.post(&PbxCall::number(2).ended()).await;
    world.hub.until("both calls in the CRM", || async { world.calls().len() == 2 }).await;
    world.settled("done").await;
    for id in ["call-1", "call-2"] {
        assert_eq!(world.crm.faults().creates_of(id), 1, "{id}");
        assert_eq!(world.call(id).unwrap()["callstatus"], "completed");
    }
    let page = world.hub.get("/v1/deliveries").await;
    for delivery in page["items"].as_array().unwrap() {
        let whole = world.hub.get(&format!("/v1/deliveries/{}", delivery["id"])).await;
        let tries = whole["tries"].as_array().unwrap();
        assert!(tries.len() > 1, "the first try is told too: {whole:#}");
        assert_eq!(tries[0]["outcome"], "done");
    }
}

#[tokio::test]
async fn expired_sessions_cost_one_login() {
    let world = World::start().await;
    world.post(&PbxCall::number(0).ended()).await;
    world.settled("done").await;
    let before = world.crm.logins();
    world.crm.expire_sessions();
    for n in 1..30 {
        world.post(&PbxCall::number(n).ended()).await;
    }
    world.hub.until("all calls in the CRM", || async { world.crm.count("PBXManager") == 30 }).await;
    world.settled("done").await;
    assert_eq!(world.crm.logins() - before, 1, "one login for all");
    assert_eq!(world.crm.faults().doubled(), Vec::<String>::new());
}

#[tokio::test]
async fn what_the_crm_refuses_is_parked_until_somebody_mends_it() {
    let alerts = Web::start(|_| (200, String::new())).await.unwrap();
    let hook = alerts.url("/alert");
    let post = MailServer::start().await.unwrap();
    let world = World::with(|mut setup| {
        let mail =
            format!("{{ smtp = \"smtp://{}\", from = \"hub@acme.test\", to = [\"ops@acme.test\"] }}", post.address);
        setup.hub.push_str(&format!("alerts = {{ webhook = \"{hook}\", mail = {mail} }}\n"));
        setup
    })
    .await;
    world.crm.faults().next("create", Fault::Refuses("MANDATORY_FIELDS_MISSING"));
    world.post(&PbxCall::number(1).ended()).await;
    world.settled("parked").await;
    until("the alert", || !alerts.asked().is_empty()).await;
    let alert = alerts.asked()[0].json();
    assert_eq!(
        (alert["kind"].as_str(), alert["tenant"].as_str(), alert["name"].as_str()),
        (Some("parked"), Some("acme"), Some("crm"))
    );
    assert!(alert["why"].as_str().is_some_and(|why| why.contains("MANDATORY_FIELDS_MISSING")), "{alert}");
    let parked = world.hub.get("/v1/deliveries?state=parked").await["items"][0].clone();
    assert_eq!(parked["id"], alert["delivery"]);
    until("the mail", || !post.taken().is_empty()).await;
    let mail = &post.taken()[0];
    assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("hub@acme.test", &["ops@acme.test".to_owned()][..]));
    assert!(mail.text.contains("Subject: Cordboard: crm of acme parked"), "{}", mail.text);
    assert!(mail.text.contains("MANDATORY_FIELDS_MISSING"), "{}", mail.text);
    assert!(mail.text.contains(&format!("cordboard deliveries show {}", parked["id"])), "{}", mail.text);
    assert!(parked["reason"].as_str().is_some_and(|why| why.contains("MANDATORY_FIELDS_MISSING")), "{parked}");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(world.crm.count("PBXManager"), 0, "it waits");

    world.post(&PbxCall::number(2).ended()).await;
    world.hub.until("its neighbour goes on", || async { world.call("call-2").is_some() }).await;

    let path = format!("/v1/deliveries/{}/retry", parked["id"]);
    let answer = world.hub.ask(Method::POST, &path).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["retried"], 1);
    world.settled("done").await;
    assert_eq!(world.call("call-1").unwrap()["callstatus"], "completed");
    assert_eq!(world.hub.ask(Method::POST, &path).await.status(), 422, "what is done is not tried again");
}

#[tokio::test]
async fn what_was_delivered_is_delivered_again_when_a_person_wants_it() {
    let world = World::start().await;
    for n in 0..3 {
        world.post(&PbxCall::number(n).ended()).await;
    }
    world.settled("done").await;
    let before = world.crm.faults().requests();
    let again = world.hub.command(&["deliveries", "retry", "--sink", "crm", "--state", "done"]).output().unwrap();
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(told.starts_with("3 deliveries"), "{told}{}", String::from_utf8_lossy(&again.stderr));
    world.settled("done").await;
    assert!(world.crm.faults().requests() > before, "the CRM was asked");
    for n in 0..3 {
        let done = delivery(&world.hub, &format!("call-{n}"), "done").await;
        assert_eq!(outcomes(&world.hub, &done).await, ["done", "done"]);
    }
    assert_eq!(world.crm.faults().doubled(), Vec::<String>::new(), "what is there is not made twice");
}

#[tokio::test]
async fn a_wrong_access_key_pauses_the_lane_and_loses_nothing() {
    let alerts = Web::start(|_| (200, String::new())).await.unwrap();
    let hook = alerts.url("/alert");
    let world = World::with(|mut setup| {
        setup.hub.push_str(&format!("alerts = {{ webhook = \"{hook}\" }}\n"));
        setup
    })
    .await;
    let rename = |key: &str| {
        let mut crm = world.crm.world();
        let account = crm.accounts.iter_mut().find(|account| account.name == "hub").unwrap();
        account.key = key.to_owned();
    };
    rename("another");
    world.crm.expire_sessions();
    world.post(&PbxCall::number(1).ended()).await;
    until("the alert", || alerts.asked().iter().any(|asked| asked.json()["kind"] == "paused")).await;
    let lanes = world.hub.get("/v1/lanes").await;
    assert!(lanes.to_string().contains("\"paused\""), "{lanes}");
    let counted = (world.hub.metric("cordboard_lanes_paused").await, world.hub.metric("cordboard_lanes_waiting").await);
    assert_eq!(counted, (Some(1.0), Some(0.0)));
    let due = world.hub.get("/v1/deliveries?state=due").await;
    assert_eq!(due["items"].as_array().unwrap().len(), 1, "no attempt is spent: {due}");
    rename(cordboard_tests::vtiger::HUB_KEY);
    let answer = world.hub.ask(Method::POST, "/v1/deliveries/retry?sink=crm").await;
    assert!(answer.status().is_success(), "{answer:?}");
    world.settled("done").await;
    assert_eq!(world.crm.faults().creates_of("call-1"), 1);
}

#[tokio::test]
async fn what_fails_to_its_last_try_is_parked_and_a_person_is_told_once() {
    let crm = Web::start(|_| (503, String::new())).await.unwrap();
    let alerts = Web::start(|_| (200, String::new())).await.unwrap();
    let mut setup = plain(&crm.url(""), "attempts = 2\nbreaker = { failures = 100, pause = \"1s\" }");
    setup.hub.push_str(&format!("alerts = {{ webhook = \"{}\" }}\n", alerts.url("/alert")));
    let hub = Hub::start(setup).await;
    for n in 0..3 {
        assert_eq!(hub.post(&PbxCall::number(n).ended()).await.unwrap().status(), 200);
    }
    for n in 0..3 {
        let parked = delivery(&hub, &format!("call-{n}"), "parked").await;
        let reason = parked["reason"].as_str().unwrap();
        assert!(reason.starts_with("given up after 2 tries: ") && reason.contains("503"), "{reason}");
        assert_eq!(outcomes(&hub, &parked).await, ["retryable", "retryable"]);
    }
    assert_eq!(crm.asked().len(), 6, "each was tried twice");
    until("the alert", || !alerts.asked().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let alerts = alerts.asked();
    assert_eq!(alerts.len(), 1, "the others are counted");
    let alert = alerts[0].json();
    assert_eq!((&alert["kind"], &alert["name"]), (&"parked".into(), &"crm".into()), "{alert}");
    assert!(alert["why"].as_str().is_some_and(|why| why.starts_with("given up after 2 tries")), "{alert}");
}

#[tokio::test]
async fn a_change_that_breaks_the_component_costs_its_neighbour_nothing() {
    let refuses = Arc::new(AtomicBool::new(true));
    let refusing = refuses.clone();
    let answer = move |status| (status, String::new());
    let crm = Web::start(move |_| answer(if refusing.load(Ordering::SeqCst) { 400 } else { 200 })).await.unwrap();
    let hub = Hub::start(plain(&crm.url(""), "batch = 2\nconcurrency = 1\nattempts = 1")).await;
    let crash = PbxCall { id: "CRASH".to_owned(), ..PbxCall::number(2) };
    for call in [&PbxCall::number(1), &crash] {
        assert_eq!(hub.post(&call.ended()).await.unwrap().status(), 200);
        delivery(&hub, &call.id, "parked").await;
    }
    refuses.store(false, Ordering::SeqCst);
    // Both become due in one moment, so they are claimed together and go into one call.
    let retried = hub.ask(Method::POST, "/v1/deliveries/retry?sink=crm").await;
    assert_eq!(retried.json::<Value>().await.unwrap()["retried"], 2);
    let good = delivery(&hub, "call-1", "done").await;
    let bad = delivery(&hub, "CRASH", "parked").await;
    assert!(hub.log().contains("each change by itself now"), "they were in one call:\n{}", hub.log());
    assert_eq!(outcomes(&hub, &good).await, ["rejected", "done"]);
    assert_eq!(outcomes(&hub, &bad).await, ["fault", "fault"]);
    let reason = bad["reason"].as_str().unwrap();
    assert!(reason.starts_with("given up after 2 tries: the component crashed"), "{reason}");
}

#[tokio::test]
async fn a_hub_that_starts_again_does_not_log_in_again() {
    let mut world = World::start().await;
    world.post(&PbxCall::number(1).ended()).await;
    world.settled("done").await;
    let logins = world.crm.logins();
    assert_eq!(logins, 1);
    world.hub.stop().await;
    world.hub.launch();
    world.hub.ready().await;
    world.post(&PbxCall::number(2).ended()).await;
    world.hub.until("the second call in the CRM", || async { world.call("call-2").is_some() }).await;
    assert_eq!(world.crm.logins(), logins, "the stored session serves on");
}
