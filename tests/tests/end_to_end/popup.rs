//! Deliveries whose moment passes.

use cordboard_tests::pbx::PbxCall;
use cordboard_tests::vtiger::Fault;

use crate::world::{World, routed, until};

const POPUPS: &str = "[[routes]]\nfrom = \"pbx\"\nto = \"crm\"\nwhen = \"event.type == 'call.ringing'\"\n\
    while = \"call.phase == 'ringing'\"\nttl = \"20s\"\n";

#[tokio::test]
async fn a_popup_is_there_while_it_rings() {
    let world = World::with(|setup| routed(setup, POPUPS)).await;
    world.post(&PbxCall::number(1).ringing()).await;
    world.hub.until("the popup", || async { world.call("call-1").is_some() }).await;
    assert_eq!(world.call("call-1").unwrap()["callstatus"], "ringing");
    world.settled("done").await;
}

#[tokio::test]
async fn a_popup_for_a_call_that_is_over_is_not_shown() {
    let world = World::with(|setup| routed(setup, POPUPS)).await;
    world.crm.faults().down(Fault::Page(503));
    world.post(&PbxCall::number(1).ringing()).await;
    world
        .hub
        .until("a try that failed", || async {
            let due = world.hub.get("/v1/deliveries?state=due").await["items"][0].clone();
            due["attempts"].as_u64() > Some(0) && due["claimed"] == false
        })
        .await;
    world.post(&PbxCall::number(1).answered()).await;
    // A try that was judged before is over; whatever comes after it knows better.
    let idle = || async { world.hub.get("/v1/deliveries").await["items"][0]["claimed"] == false };
    world.hub.until("nothing is under way", idle).await;
    world.crm.faults().up();
    world.settled("stale").await;
    assert_eq!(world.crm.count("PBXManager"), 0);
}

#[tokio::test]
async fn popups_that_waited_out_an_outage_are_looked_at_again() {
    let world = World::with(|setup| routed(setup, POPUPS)).await;
    world.crm.faults().down(Fault::Page(503));
    for n in 0..16 {
        world.post(&PbxCall::number(n).ringing()).await;
    }
    let failed = || world.crm.faults().log().iter().filter(|asked| asked.answer == "503").count();
    until("the lane waits", || failed() >= 6).await;
    for n in 0..16 {
        world.post(&PbxCall::number(n).answered()).await;
    }
    world.crm.faults().up();
    world.settled("stale").await;
    assert_eq!(world.crm.count("PBXManager"), 0);
}

#[tokio::test]
async fn a_popup_that_comes_too_late_is_not_shown() {
    let world = World::with(|setup| routed(setup, &POPUPS.replace("20s", "1s"))).await;
    world.crm.faults().down(Fault::Page(503));
    world.post(&PbxCall::number(1).ringing()).await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    world.crm.faults().up();
    world.settled("stale").await;
    assert_eq!(world.crm.count("PBXManager"), 0);
}

#[tokio::test]
async fn a_popup_becomes_the_call_that_is_logged() {
    let logged = "\n[[routes]]\nfrom = \"pbx\"\nto = \"crm\"\nwhen = \"event.type == 'call.ended'\"\n";
    let world = World::with(|setup| routed(setup, &format!("{POPUPS}{logged}"))).await;
    world.post(&PbxCall::number(1).ringing()).await;
    world.hub.until("the popup", || async { world.call("call-1").is_some() }).await;
    world.post(&PbxCall::number(1).ended()).await;
    world.hub.until("the end", || async { world.call("call-1").unwrap()["callstatus"] == "completed" }).await;
    assert_eq!(world.crm.faults().creates_of("call-1"), 1);
}
