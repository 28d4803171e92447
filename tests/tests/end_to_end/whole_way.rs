//! From a PBX's signed webhook to the CRM and to a subscriber.

use cordboard_tests::database::Database;
use cordboard_tests::live::Live;
use cordboard_tests::pbx::PbxCall;

use crate::world::{EVERYTHING, World, routed};

/// A call goes all the way.
async fn a_call(world: World) {
    let call = PbxCall::number(1);
    let contact = world.crm.world().add(
        "Contacts",
        5,
        &[("firstname", "Inés"), ("lastname", "Ortega"), ("mobile", "600 00 00 01")],
    );
    let mut supervisor = Live::open(&world.hub, "", &world.hub.token("supervisor", "eva")).await;
    let mut ana = Live::open(&world.hub, "", &world.hub.token("agent", "ana")).await;
    for body in [call.ringing(), call.answered(), call.ended()] {
        world.post(&body).await;
    }
    for (kind, socket) in [("supervisor", &mut supervisor), ("agent", &mut ana)] {
        for (what, phase) in [("call.ringing", "ringing"), ("call.answered", "answered"), ("call.ended", "ended")] {
            let frame = socket.next_of(what).await;
            assert_eq!(frame["subject"]["id"], "call-1", "{kind}: {frame}");
            assert_eq!(frame["call"]["phase"], phase, "{kind}: {frame}");
            assert_eq!(frame["call"]["caller"]["number"]["e164"], "+34600000001", "{kind}: {frame}");
        }
    }
    world.hub.until("the call in the CRM", || async { world.call("call-1").is_some() }).await;
    world.settled("done").await;
    let row = world.call("call-1").unwrap();
    let expected = [
        ("direction", "inbound"),
        ("callstatus", "completed"),
        ("starttime", "2026-11-21 09:10:20"),
        ("endtime", "2026-11-21 09:12:45"),
        ("totalduration", "145"),
        ("customernumber", "+34600000001"),
        ("recordingurl", "https://pbx.example.test/rec/call-1.wav"),
        ("customer", contact.as_str()),
        ("user", "19x5"),
        ("assigned_user_id", "19x5"),
    ];
    for (field, value) in expected {
        assert_eq!(row.get(field).map(String::as_str), Some(value), "{field} of {row:#?}");
    }
    let page = world.hub.get("/v1/deliveries").await;
    let delivery = &page["items"][0];
    assert_eq!(delivery["external_id"], row["id"], "{delivery}");
    let whole = world.hub.get(&format!("/v1/deliveries/{}", delivery["id"])).await;
    let exchanges = whole["tries"][0]["exchanges"].as_array().unwrap();
    assert!(!exchanges.is_empty(), "the attempt tells what was said to the CRM: {whole:#}");
    assert!(!whole.to_string().contains(cordboard_tests::vtiger::HUB_KEY), "no secret is kept");
    assert_eq!(world.crm.faults().doubled(), Vec::<String>::new());
}

#[tokio::test]
async fn a_call_on_the_embedded_store() {
    a_call(World::start().await).await;
}

#[tokio::test]
async fn a_call_on_postgresql() {
    let Some(database) = Database::create().await else { return };
    a_call(World::on(database, |setup| setup).await).await;
}

#[tokio::test]
async fn a_claimed_path_is_the_source() {
    let world = World::start().await;
    let body = PbxCall::number(2).ended().to_string().into_bytes();
    let answer = world.hub.post_bytes("/webhook/call", body).await.unwrap();
    assert_eq!(answer.status(), 200);
    world.hub.until("the call in the CRM", || async { world.call("call-2").is_some() }).await;
    let other = world.hub.http.get(world.hub.url("/webhook/call")).send().await.unwrap();
    assert_eq!(other.status(), 405);
    let other = world.hub.post_bytes("/webhook/calls", Vec::new()).await.unwrap();
    assert_eq!(other.status(), 404);
}

#[tokio::test]
async fn a_source_is_told_from_where_its_file_says() {
    let world = World::with(|mut setup| {
        setup.hub.insert_str(0, "proxies = [\"127.0.0.1\"]\n");
        let path = "paths = [\"/webhook/call\"]\n";
        assert!(setup.tenant.contains(path), "{}", setup.tenant);
        setup.tenant = setup.tenant.replace(path, &format!("{path}clients = [\"192.0.2.0/24\", \"2001:db8::7\"]\n"));
        setup
    })
    .await;
    let body = PbxCall::number(2).ended().to_string().into_bytes();
    let signed = cordboard_tests::pbx::signature(cordboard_tests::pbx::SECRET, &body);
    for path in ["/webhook/call", "/v1/hooks/acme/pbx"] {
        for (forwarded, status) in [
            (None, 403),
            (Some("203.0.113.9"), 403),
            (Some("192.0.2.7, 203.0.113.9"), 403),
            (Some("203.0.113.9, 192.0.2.7"), 200),
            (Some("192.0.2.7"), 200),
            (Some("2001:db8::7"), 200),
        ] {
            let request = world.hub.http.post(world.hub.url(path)).header("x-signature", &signed).body(body.clone());
            let request = match forwarded {
                Some(forwarded) => request.header("x-forwarded-for", forwarded),
                None => request,
            };
            assert_eq!(request.send().await.unwrap().status(), status, "{path} from {forwarded:?}");
        }
    }
    let kept = world.hub.get("/v1/intake?limit=100").await;
    assert_eq!(kept["items"].as_array().unwrap().len(), 6, "nothing of the others is kept");
}

/// All orders of three posts.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

async fn any_order(world: World) {
    for (n, order) in ORDERS.into_iter().enumerate() {
        let call = PbxCall::number(n);
        let posts = [call.ringing(), call.answered(), call.ended()];
        for index in order {
            world.post(&posts[index]).await;
            world.post(&posts[index]).await;
        }
        world.post(&posts[order[0]]).await;
    }
    world.hub.until("all calls in the CRM", || async { world.calls().len() >= ORDERS.len() }).await;
    world.settled("done").await;
    assert_eq!(world.calls().len(), ORDERS.len(), "{:#?}", world.calls());
    for n in 0..ORDERS.len() {
        let row = world.call(&format!("call-{n}")).unwrap();
        assert_eq!((row["callstatus"].as_str(), row["totalduration"].as_str()), ("completed", "145"), "{row:#?}");
        assert_eq!(row["recordingurl"], format!("https://pbx.example.test/rec/call-{n}.wav"));
    }
    assert_eq!(world.crm.faults().count("create"), ORDERS.len());
    let page = world.hub.get("/v1/calls?limit=100").await;
    assert_eq!(page["items"].as_array().unwrap().len(), ORDERS.len());
}

#[tokio::test]
async fn posts_in_any_order_and_repeated_are_one_record() {
    any_order(World::with(|setup| routed(setup, EVERYTHING)).await).await;
}

#[tokio::test]
async fn posts_in_any_order_and_repeated_are_one_record_on_postgresql() {
    let Some(database) = Database::create().await else { return };
    any_order(World::on(database, |setup| routed(setup, EVERYTHING)).await).await;
}
