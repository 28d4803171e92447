//! `/redirecting`: where a dialplan should send a caller.

use std::time::Duration;

use cordboard_tests::amocrm::{ANNA, BORIS, Fault};
use reqwest::Method;

use crate::world::{CLIENT, Plan, Told, id, recording};

/// A dialplan that dials whatever it is given: what it would dial.
fn dialled(answer: &str) -> Option<String> {
    match answer {
        "" => None,
        text => Some(text.to_owned()),
    }
}

const BUDGET: Duration = Duration::from_millis(1_600);

/// With a CRM that never answers, what was waited for it and what the machine takes besides.
const SLOWEST: Duration = Duration::from_secs(2);

#[tokio::test]
async fn acceptance_14_the_responsible_or_nothing() {
    let world = Plan { routing: "unknown = \"600\"".into(), ..Plan::default() }.start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), BORIS);
    world.crm.world().contact("Pyotr", "+447700900777", ANNA);
    // Somebody of the account who has no telephone here: that is no stranger, and no default is for them.
    world.crm.world().contact("Vera's", "+447700900888", 504_199);
    for (query, extension) in [
        (format!("?phone={CLIENT}"), Some("1002")),
        ("?phone=%2B44+7700+900777".to_owned(), Some("1001")),
        ("?phone=447700900888".to_owned(), None),
        ("?phone=447700900000".to_owned(), Some("600")),
        ("?phone=".to_owned(), None),
        (String::new(), None),
    ] {
        let (status, text, took) = world.redirecting(&query).await;
        assert_eq!((status.as_u16(), dialled(&text).as_deref()), (200, extension), "{query}");
        assert!(took < BUDGET, "{query}: {took:?}");
    }
    let internal = Fault::Says(500, "Internal Server Error".into());
    let faults = [(Fault::Hangs, SLOWEST), (Fault::Page(502), BUDGET), (internal, BUDGET), (Fault::Page(403), BUDGET)];
    for (last, (fault, budget)) in (1..).zip(faults) {
        world.crm.faults().down(fault.clone());
        let asked = || world.crm.faults().count("GET /api/v4/contacts");
        let before = asked();
        let (status, text, took) = world.redirecting(&format!("?phone=44770090000{last}")).await;
        assert_eq!((status.as_u16(), text.as_str()), (200, ""), "{fault:?}");
        assert!(took < budget, "{fault:?}: {took:?}");
        assert!(asked() > before, "{fault:?}: the CRM was asked");
    }
}

#[tokio::test]
async fn the_old_addresses_are_asked_from_where_the_file_says() {
    let clients = "clients = [\"192.0.2.0/24\"]\n".to_owned();
    let world = Plan {
        hub: "proxies = [\"127.0.0.1\"]\n".into(),
        routing: format!("unknown = \"600\"\n{clients}"),
        sink: clients,
        ..Plan::default()
    }
    .start()
    .await;
    for (from, told, widget) in [("203.0.113.9", "", 403), ("192.0.2.7", "600", 200)] {
        let headers = [("x-forwarded-for", from)];
        let answer = world.plain(Method::GET, "/redirecting?phone=447700900000", &headers).await;
        assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().as_str()), (200, told), "{from}");
        let status = "/asterisk?_action=status&_login=admin&_secret=p4ssw0rd";
        for path in [status.to_owned(), format!("/v1/endpoints/acme/crm{status}")] {
            let answer = world.plain(Method::GET, &path, &headers).await;
            assert_eq!(answer.status().as_u16(), widget, "{path} from {from}");
        }
    }
}

#[tokio::test]
async fn fault_09_nothing_but_an_extension_is_ever_dialled() {
    let hub = "[limits]\nrequests_per_second = 3\n";
    let world = Plan { hub: hub.into(), routing: "otherwise = \"601\"".into(), ..Plan::default() }.start().await;
    world.crm.faults().down(Fault::Page(500));
    // What the start has asked counts too.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (_, first, _) = world.redirecting("?phone=447700900001&x=%0d%0a").await;
    assert_eq!(dialled(&first).as_deref(), Some("601"), "where callers go on any doubt, and nothing besides");
    for _ in 0..12 {
        let (status, text, _) = world.redirecting("?phone=447700900001&x=%0d%0a").await;
        assert_eq!(status.as_u16(), 200);
        assert!(
            matches!(dialled(&text).as_deref(), None | Some("601")),
            "a flood is answered in no other words: {text:?}"
        );
    }
    let private = world.crm.faults().log().iter().any(|asked| asked.what.contains("/private/"));
    assert!(!private, "only what the vendor documents is asked");
}

#[tokio::test]
async fn a_busy_responsible_is_passed_over_and_a_key_may_be_asked_for() {
    let routing = "otherwise = \"602\"\nbusy = \"skip\"\nkey = { env = \"ROUTE_KEY\" }";
    let world = Plan { routing: routing.into(), ..Plan::default() }.start().await;
    world.crm.world().contact("Irina", &format!("+{CLIENT}"), ANNA);
    let query = format!("?phone={CLIENT}&key=a-key-of-the-dialplan");
    assert_eq!(world.redirecting(&query).await.1, "1001");
    assert_eq!(world.redirecting(&format!("?phone={CLIENT}")).await.1, "", "without the key");
    let call = recording("a_inbound_answered");
    let mut told = Told::of(&world.pbx, &call);
    told.before("Event: HangupRequest");
    world.reaches(&id(&call), "answered").await;
    assert_eq!(world.redirecting(&query).await.1, "602", "Anna is on the telephone");
    let route = world.hub.ask(Method::GET, &format!("/v1/route/{CLIENT}")).await;
    assert_eq!(route.text().await.unwrap(), "602", "the hub's own address says the same");
    told.end();
    world.reaches(&id(&call), "ended").await;
    assert_eq!(world.redirecting(&query).await.1, "1001");
    assert!(!world.hub.log().contains("a-key-of-the-dialplan"));
}
