//! A dialplan's question over a played Asterisk: to whoever looks after the caller, if their telephone can take the call.

use std::time::{Duration, Instant};

use cordboard_tests::ami::{FakeAmi, SECRET, USER};
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::vtiger::{FakeVtiger, HUB_KEY};
use futures::future::join_all;
use reqwest::Method;

use crate::world::connection;

/// Whom Ana, at 1001, looks after.
const CALLER: &str = "600000001";

/// Whom nobody knows.
const STRANGER: &str = "600000009";

/// A dialplan is answered within a second and a half; some of it is the test's own.
const BUDGET: Duration = Duration::from_millis(1_600);

/// A hub between an Asterisk and a CRM.
struct World {
    hub: Hub,
    pbx: FakeAmi,
    crm: FakeVtiger,
}

fn tenant(pbx: u16, crm: &str, routing: &str) -> String {
    let address = crm.trim_start_matches("http://").split('/').next().unwrap_or_default();
    format!(
        r#"
region = "ES"

[[agents]]
login = "ana"
extensions = ["1001"]
users = {{ crm = "19x5" }}

[[agents]]
login = "luis"
extensions = ["1002"]

[sources.pbx]
component = "ami"
allow = ["127.0.0.1"]
backoff = {{ first = "50ms", ceiling = "200ms" }}

[sources.pbx.settings]
host = "127.0.0.1"
port = {pbx}
username = "{USER}"
password = {{ env = "AMI_PASSWORD" }}
agent_channel = "PJSIP/{{extension}}"

[sinks.crm]
component = "vtiger"
allow = ["{address}"]
settings = {{ url = "{crm}", username = "hub", access_key = {{ env = "CRM_KEY" }} }}

[routing]
{routing}

[[routes]]
from = "pbx"
to = "crm"
when = "event.type == 'call.ended'"
"#
    )
}

impl World {
    /// Logged in, with all telephones free, and with the caller known by heart.
    async fn start(routing: &str) -> Self {
        let (pbx, crm) = (FakeAmi::start("asterisk-22").await, FakeVtiger::start().await.unwrap());
        crm.world().add("Contacts", 5, &[("lastname", "Ortega"), ("mobile", CALLER)]);
        for device in ["PJSIP/1001", "PJSIP/1002"] {
            pbx.stands(device, "NOT_INUSE");
        }
        let mut setup = Setup::of(&["ami", "vtiger"], tenant(pbx.port(), &crm.url(), routing));
        let secrets = [("AMI_PASSWORD", SECRET), ("CRM_KEY", HUB_KEY)];
        setup.environment = secrets.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let world = World { hub: Hub::start(setup).await, pbx, crm };
        let logged_in = || async {
            connection(&world.hub).await["status"] == "logged in" && !world.pbx.actions("CoreShowChannels").is_empty()
        };
        world.hub.until("the hub has logged in at the PBX", logged_in).await;
        let known = || async {
            let page = world.hub.get(&format!("/v1/people/{CALLER}")).await;
            page["matches"][0]["owner"]["extension"] == "1001"
        };
        world.hub.until("the caller is known", known).await;
        world
    }

    /// What the dialplan is given, and how long that took.
    async fn route(&self, number: &str) -> (String, Duration) {
        let begun = Instant::now();
        let answer = self.hub.ask(Method::GET, &format!("/v1/route/{number}")).await;
        assert_eq!(answer.status(), 200);
        (answer.text().await.unwrap(), begun.elapsed())
    }

    /// Waits until this is what the dialplan is given: what was said of a telephone is believed for a moment.
    async fn goes(&self, number: &str, to: &str) {
        let so = || async { self.route(number).await.0 == to };
        self.hub.until(&format!("{number} goes to `{to}`"), so).await;
    }

    /// What the PBX was asked for, in order.
    fn asked(&self) -> Vec<String> {
        let variable = |action: Vec<(String, String)>| action.into_iter().find(|(name, _)| name == "Variable");
        self.pbx.actions("Getvar").into_iter().filter_map(variable).map(|(_, value)| value).collect()
    }
}

#[tokio::test]
async fn a_caller_goes_to_the_first_whose_telephone_can_take_the_call() {
    let world = World::start("otherwise = [\"1002\", \"601\"]").await;
    world.goes(CALLER, "1001").await;
    assert_eq!(world.asked(), ["DEVICE_STATE(PJSIP/1001)"], "the next is asked for only when it is their turn");
    world.pbx.stands("PJSIP/1001", "UNAVAILABLE");
    world.goes(CALLER, "1002").await;
    world.pbx.stands("PJSIP/1002", "INVALID");
    world.goes(CALLER, "601").await;
    world.pbx.stands("PJSIP/1001", "INUSE");
    world.goes(CALLER, "1001").await;
    world.pbx.stands("PJSIP/1001", "UNAVAILABLE");
    world.goes(CALLER, "601").await;
    world.pbx.stands("PJSIP/1001", "${SHELL(id)}");
    world.goes(CALLER, "1001").await;
    let odd = world.asked().into_iter().find(|asked| !asked.starts_with("DEVICE_STATE(PJSIP/100"));
    assert_eq!(odd, None, "a queue is no telephone");
    let metrics = world.hub.ask(Method::GET, "/metrics").await.text().await.unwrap();
    assert!(metrics.contains("cordboard_route_total{") && !metrics.contains("cordboard_commands_total{"), "{metrics}");
}

#[tokio::test]
async fn a_caller_whom_nobody_knows_goes_to_the_first_of_those_who_take_such_calls() {
    let world = World::start("unknown = \"1002\"\notherwise = \"601\"").await;
    world.goes(STRANGER, "1002").await;
    world.pbx.stands("PJSIP/1002", "UNAVAILABLE");
    world.goes(STRANGER, "601").await;
}

#[tokio::test]
async fn without_anybody_else_the_dialplan_goes_on_as_if_it_had_not_asked() {
    let world = World::start("").await;
    world.goes(CALLER, "1001").await;
    world.pbx.stands("PJSIP/1001", "UNAVAILABLE");
    world.goes(CALLER, "").await;
}

#[tokio::test]
async fn a_tenant_says_who_is_passed_over() {
    let world = World::start("otherwise = \"601\"\nbusy = \"skip\"\nunreachable = \"ring\"").await;
    world.goes(CALLER, "1001").await;
    for (state, to) in [("RINGING", "601"), ("NOT_INUSE", "1001"), ("INUSE", "601"), ("UNAVAILABLE", "1001")] {
        world.pbx.stands("PJSIP/1001", state);
        world.goes(CALLER, to).await;
    }
    let world = World::start("otherwise = \"601\"\nunreachable = \"ring\"").await;
    world.pbx.stands("PJSIP/1001", "UNAVAILABLE");
    assert_eq!(world.route(CALLER).await.0, "1001");
    assert!(world.asked().is_empty(), "nobody is asked for what does not matter");
}

#[tokio::test]
async fn a_pbx_that_is_away_passes_nobody_over() {
    let world = World::start("otherwise = \"601\"").await;
    world.pbx.stands("PJSIP/1001", "UNAVAILABLE");
    world.goes(CALLER, "601").await;
    world.pbx.down();
    world.goes(CALLER, "1001").await;
    world.pbx.listen().await;
    world.goes(CALLER, "601").await;
}

#[tokio::test]
async fn a_slow_pbx_costs_a_moment_and_is_asked_once() {
    let world = World::start("otherwise = [\"1002\", \"601\"]").await;
    world.pbx.stands("PJSIP/1001", "UNAVAILABLE");
    world.pbx.slow(Duration::from_secs(3));
    for (text, took) in join_all((0..10).map(|_| world.route(CALLER))).await {
        assert_eq!(text, "1001", "as if nobody had been asked");
        assert!(took < BUDGET, "{took:?}");
    }
    assert_eq!(world.route(CALLER).await.0, "1001");
    assert_eq!(world.asked(), ["DEVICE_STATE(PJSIP/1001)"]);
    // The whole time goes by over the CRM, and the PBX is asked for another telephone.
    world.crm.faults().latency(Duration::from_secs(5));
    let (text, took) = world.route(STRANGER).await;
    assert_eq!(text, "1002", "where a caller goes on doubt is said in time");
    assert!(took < BUDGET, "{took:?}");
    // What comes late is heard all the same.
    world.goes(CALLER, "1002").await;
}
