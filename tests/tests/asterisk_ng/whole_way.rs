//! From Asterisk through the hub into amoCRM, into the widget, and back by a click.

use std::time::Duration;

use cordboard_tests::amocrm::ANNA;
use serde_json::json;

use crate::world::{CLIENT, Plan, RINGS, Told, id, recording};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_comes_in_is_seen_is_logged_and_called_back() {
    let world = Plan::default().start().await;
    world.crm.limits().enforce(Duration::from_secs(300));
    let contact = world.crm.world().contact("Irina", &format!("+{CLIENT}"), ANNA);
    world.pbx.originates(&recording("i_click_to_call"));
    let inbound = recording("a_inbound_answered");
    let id = id(&inbound);

    let mut told = Told::of(&world.pbx, &inbound);
    told.before(RINGS);
    world.reaches(&id, "ringing").await;
    let shown = || async { world.crm.world().popups.len() == 1 };
    world.until("the popup is there", shown).await;
    let popup = world.crm.world().popups[0].clone();
    assert_eq!(popup["users"], json!([ANNA]), "{popup}");

    let quiet = json!({ "status": "NOT_CONVERSATION", "call_info": null });
    let waits = world.result("get_agent_status", json!({ "current_status": quiet }));
    let answers = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        told.before("Event: HangupRequest");
    };
    let (state, ()) = tokio::join!(waits, answers);
    assert_eq!(state["status"], "CONVERSATION");
    // A name that the CRM takes long to tell does not hold up the panel: it comes with the next answer.
    let named =
        || async { world.result("get_agent_status", json!({})).await["call_info"]["contact_id"] == json!(contact) };
    world.until("the panel shows the contact", named).await;
    let state = world.result("get_agent_status", json!({})).await;

    told.end();
    world.reaches(&id, "ended").await;
    world.settled().await;
    assert_eq!(world.crm.world().calls(&id).len(), 1);
    assert_eq!(world.result("get_agent_status", json!({ "current_status": state })).await, quiet);

    let number = state["call_info"]["contact_phone"].as_str().unwrap();
    assert_eq!(world.result("originate", json!({ "phone": number })).await, serde_json::Value::Null);
    assert_eq!(
        (world.sent("Originate", "Channel"), world.sent("Originate", "Exten")),
        (vec!["Local/1001@from-internal".to_owned()], vec![CLIENT.to_owned()])
    );
    let placed = || async { world.crm.world().notes.len() == 2 };
    world.until("the call back is logged too", placed).await;
    let refused = world.crm.faults().log().into_iter().filter(|asked| asked.status >= 400);
    let refused: Vec<(String, u16)> = refused.map(|asked| (asked.what, asked.status)).collect();
    assert!(refused.is_empty(), "neither the limit nor anything else was met: {refused:?}");
}
