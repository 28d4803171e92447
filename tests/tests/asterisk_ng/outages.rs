//! amoCRM refuses, asks for less, is away and comes back, and the hub goes down in the middle of a call: every call is
//! there afterwards, once.

use std::time::Duration;

use cordboard_tests::amocrm::{BORIS, Fault};
use serde_json::{Value, json};

use crate::calls::{logged, play, sent, taken, told};
use crate::world::{CLIENT, Plan, id, recording};

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_22_and_fault_01_a_refused_token_is_renewed() {
    let world = Plan { oauth: true, ..Plan::default() }.start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let exchanges = || world.crm.world().tokens.exchanges;
    world.until("the login", || async { exchanges() == 1 }).await;
    world.crm.faults().next("POST /api/v4/calls", Fault::Stranger);
    let id = play(&world, "a_inbound_answered").await;
    logged(&world, &id);
    assert_eq!(exchanges(), 2, "one refusal is one renewal");
    let posts = world.crm.faults().log().into_iter().filter(|asked| asked.what == "POST /api/v4/calls");
    assert_eq!(posts.map(|asked| asked.status).collect::<Vec<_>>(), [401, 200], "and one repeat");
    world
        .crm
        .faults()
        .next("POST /api/v4/calls", Fault::Says(402, "{\"status\":402,\"title\":\"Payment Required\"}".into()));
    let id = told(&world, &recording("a_inbound_answered"), 1).await;
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
    assert_eq!(exchanges(), 2, "the tokens were kept");
}

/// Calls of an outage: more than the lane claims at once, and so in several requests.
const CALLS: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_23_calls_of_an_outage_appear_in_their_order_once() {
    let sink = "concurrency = 1\nbatch = 10\n";
    let world = Plan { sink: sink.into(), ..Plan::default() }.start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    world.crm.faults().down(Fault::Page(503));
    let call = recording("b_inbound_no_answer");
    let mut ids = Vec::new();
    for n in 0..10 {
        ids.push(told(&world, &call, n).await);
    }
    let waits = || async { world.hub.get("/v1/lanes").await[0]["state"] == "waiting" };
    world.until("the lane waits for the CRM", waits).await;
    let before = world.crm.faults().log().len();
    for n in 10..CALLS {
        ids.push(told(&world, &call, n).await);
    }
    let asked = world.crm.faults().log().len() - before;
    assert!(asked <= 8, "now and then, and not for every call: {asked} requests to a CRM that is away");
    assert!(ids.iter().all(|id| world.crm.world().seen(id) == 0));
    let back = jiff::Timestamp::now().as_second();
    world.crm.limits().enforce(Duration::from_secs(1));
    world.crm.faults().up();
    world.until("the lane goes on", || async { !taken(&world).is_empty() }).await;
    let all = || async { ids.iter().all(|id| world.crm.world().seen(id) > 0) };
    world.until("all of them appear", all).await;
    world.settled().await;
    assert!(ids.iter().all(|id| world.crm.world().seen(id) == 1), "each once");
    let taken = taken(&world);
    let items: Vec<&Value> = taken.iter().flatten().collect();
    let order: Vec<&str> = items.iter().filter_map(|item| item["uniq"].as_str()).collect();
    assert_eq!(order, ids, "each sent once, in the order in which they were");
    let times: Vec<i64> = items.iter().filter_map(|item| item["created_at"].as_i64()).collect();
    assert!(times.len() == ids.len() && times.is_sorted() && times[ids.len() - 1] <= back, "{back}: {times:?}");
    assert!(taken.iter().filter(|calls| calls.len() > 1).count() > 1, "several together, in several requests");
    assert!(!world.crm.limits().shut_out(), "a flood of repeats would be shut out");
}

/// Five times "too many requests", and the old server asked nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn fault_02_asking_for_less_stops_nothing_for_good() {
    let world = Plan::default().start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    let too_many = json!({ "title": "Too Many Requests", "status": 429, "retry_after": 0 });
    world.crm.faults().down(Fault::Says(429, too_many.to_string()));
    let call = recording("b_inbound_no_answer");
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(told(&world, &call, n).await);
    }
    let refused = || world.crm.faults().log().iter().filter(|asked| asked.status == 429).count();
    world.until("more refusals than five", || async { refused() > 5 }).await;
    assert!(ids.iter().all(|id| world.crm.world().seen(id) == 0));
    world.crm.faults().up();
    let all = || async { ids.iter().all(|id| world.crm.world().seen(id) > 0) };
    world.until("all of them appear", all).await;
    world.settled().await;
    assert!(ids.iter().all(|id| world.crm.world().seen(id) == 1), "each once");
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
    let lists = world.pbx.lists();
    world.hub.kill();
    world.hub.launch();
    world.hub.ready().await;
    // It has asked what is under way: from here on it hears the rest.
    world.pbx.listed(lists + 1).await;
    rest.iter().for_each(|event| world.pbx.tell(event));
    world.reaches(&id, "ended").await;
    world.settled().await;
    logged(&world, &id);
    assert_eq!(sent(&world, &id)["call_status"], 4);
}
