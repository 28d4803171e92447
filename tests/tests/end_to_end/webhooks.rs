//! What PBXs post, on its way through ledger and CRM: calls seen in part, and the bodies of PBXs with ready mappings.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cordboard_tests::pbx::{self, PbxCall};
use serde_json::{Value, json};

use crate::world::{EVERYTHING, World, routed};

/// A call as the API shows it.
async fn shown(world: &World, id: &str) -> Value {
    let page = world.hub.get("/v1/calls?limit=100").await;
    let mut items = page["items"].as_array().cloned().unwrap().into_iter();
    let item = items.find(|item| item["subject"]["id"] == id).unwrap_or_else(|| panic!("{id} is not in {page:#}"));
    item["call"].clone()
}

/// Waits until the CRM has the call like this.
async fn in_crm(world: &World, id: &str, status: &str) {
    let so = || async { world.call(id).is_some_and(|row| row["callstatus"] == status) };
    world.hub.until(&format!("{id} as {status} in the CRM"), so).await;
}

#[tokio::test]
async fn a_start_without_an_end_and_an_end_without_a_start() {
    let world = World::with(|setup| routed(setup, EVERYTHING)).await;
    let (first, second) = (PbxCall::number(1), PbxCall::number(2));
    let end = |call: &PbxCall, status: &str| {
        let mut end = call.ended();
        end["status"] = status.into();
        end.as_object_mut().unwrap().remove("start_time");
        end
    };
    world.post(&first.ringing()).await;
    world.post(&end(&second, "missed")).await;
    in_crm(&world, "call-1", "ringing").await;
    in_crm(&world, "call-2", "no-answer").await;
    let one = shown(&world, "call-1").await;
    assert_eq!((&one["phase"], &one["ended_at"], &one["duration"]), (&json!("ringing"), &Value::Null, &Value::Null));
    let two = shown(&world, "call-2").await;
    assert_eq!((&two["phase"], &two["started_at"], &two["duration"]), (&json!("ended"), &Value::Null, &Value::Null));
    assert_eq!(world.call("call-2").unwrap()["endtime"], "2026-11-21 09:12:45");

    // The other halves: nobody said how long the calls were.
    world.post(&end(&first, "completed")).await;
    world.post(&second.ringing()).await;
    in_crm(&world, "call-1", "completed").await;
    for (id, outcome) in [("call-1", "answered"), ("call-2", "no-answer")] {
        world.hub.until("the length", || async { world.call(id).unwrap()["totalduration"] == "145" }).await;
        let call = shown(&world, id).await;
        assert_eq!((&call["duration"], &call["outcome"]), (&json!(145), &json!(outcome)), "{id}: {call:#}");
        let row = world.call(id).unwrap();
        assert_eq!(
            (row["starttime"].as_str(), row["endtime"].as_str()),
            ("2026-11-21 09:10:20", "2026-11-21 09:12:45"),
            "{id}"
        );
    }
    assert_eq!(world.call("call-2").unwrap()["callstatus"], "no-answer");
    assert_eq!(world.crm.faults().doubled(), Vec::<String>::new());
}

/// Sources with ready mappings, each proved in its PBX's own way.
const READY: &str = r#"
[sources.threecx]
component = "pbx-webhook"
settings = { format = "3cx", token = { prefix = "Bearer ", secret = { env = "ACME_WEBHOOK_SECRET" } } }

[sources.yeastar]
component = "pbx-webhook"
settings = { format = "yeastar", secret = { env = "ACME_WEBHOOK_SECRET" }, zone = "Europe/Madrid" }

[sources.freeswitch]
component = "pbx-webhook"
settings = { format = "freeswitch", token = { prefix = "Basic ", encoding = "base64", secret = { env = "ACME_CDR_LOGIN" } } }
"#;

macro_rules! payload {
    ($name:literal) => {
        include_str!(concat!("../../../sources/pbx-webhook/tests/payloads/", $name))
    };
}

#[tokio::test]
async fn bodies_of_pbxs_with_a_ready_mapping() {
    let world = World::with(|setup| {
        let route = |from: &str| format!("[[routes]]\nfrom = \"{from}\"\nto = \"crm\"\n");
        let routes: String = ["threecx", "yeastar", "freeswitch"].map(route).concat();
        let mut setup = routed(setup, &format!("{READY}{routes}"));
        setup.environment.push(("ACME_CDR_LOGIN".into(), "pbx:a-word".into()));
        setup
    })
    .await;
    let post = |source: &str| world.hub.http.post(world.hub.url(&format!("/v1/hooks/acme/{source}")));
    let (threecx, freeswitch) = (payload!("3cx-inbound.json"), payload!("freeswitch.json"));
    let yeastar = [payload!("yeastar-ringing.json"), payload!("yeastar-cdr.json")];
    let form = form_urlencoded::Serializer::new(String::new()).append_pair("cdr", freeswitch).finish();
    let mut requests = vec![
        post("threecx").bearer_auth(pbx::SECRET).header("content-type", "application/json").body(threecx),
        post("freeswitch")
            .basic_auth("pbx", Some("a-word"))
            .header("content-type", "application/json")
            .body(freeswitch),
        // The same call again, as the module posts it when it encodes.
        post("freeswitch")
            .basic_auth("pbx", Some("a-word"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form),
    ];
    for body in yeastar {
        let signature = STANDARD.encode(hex::decode(pbx::signature(pbx::SECRET, body.as_bytes())).unwrap());
        requests.push(
            post("yeastar").header("x-signature", signature).header("content-type", "application/json").body(body),
        );
    }
    for request in requests {
        let again = request.try_clone().unwrap();
        for request in [request, again] {
            let answer = request.send().await.unwrap();
            let (status, url) = (answer.status(), answer.url().clone());
            assert_eq!(status, 200, "{url}: {:?}", answer.text().await);
        }
    }
    for id in ["2026-11-20T09:15:02Z_+34600111222", "1795252502.118", "7be1c0de-9f5c-4a53-8a52-0e9d34c1aa01"] {
        in_crm(&world, id, "completed").await;
        world.settled("done").await;
        let row = world.call(id).unwrap();
        let expected = [
            ("direction", "inbound"),
            ("customernumber", "+34600111222"),
            ("starttime", "2026-11-20 09:15:02"),
            ("totalduration", "225"),
        ];
        for (field, value) in expected {
            assert_eq!(row.get(field).map(String::as_str), Some(value), "{field} of {row:#?}");
        }
    }
    assert_eq!(world.calls().len(), 3, "each call once");
}
