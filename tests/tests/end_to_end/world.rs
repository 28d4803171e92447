//! What the tests stand on: a hub, a Vtiger, and what a test waits for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cordboard_tests::database::Database;
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx;
use cordboard_tests::vtiger::FakeVtiger;
use serde_json::Value;

/// A record of the CRM, texts by field name.
pub type Row = BTreeMap<String, String>;

/// A hub that delivers to a Vtiger.
pub struct World {
    pub hub: Hub,
    pub crm: FakeVtiger,
    _database: Option<Database>,
}

impl World {
    /// On the embedded store.
    pub async fn start() -> Self {
        Self::with(|setup| setup).await
    }

    /// With a configuration of its own, on the embedded store.
    pub async fn with(change: impl FnOnce(Setup) -> Setup) -> Self {
        let crm = FakeVtiger::start().await.unwrap();
        let setup = change(Setup::vtiger(&crm.url()));
        Self { hub: Hub::start(setup).await, crm, _database: None }
    }

    /// On a database of its own.
    pub async fn on(database: Database, change: impl FnOnce(Setup) -> Setup) -> Self {
        let crm = FakeVtiger::start().await.unwrap();
        let setup = change(Setup::vtiger(&crm.url()).on(&database.url()));
        Self { hub: Hub::start(setup).await, crm, _database: Some(database) }
    }

    /// The records of calls in the CRM.
    pub fn calls(&self) -> Vec<Row> {
        self.crm.records("PBXManager")
    }

    /// The one record of a call; more than one ends the test.
    pub fn call(&self, id: &str) -> Option<Row> {
        let mut found = self.calls().into_iter().filter(|row| row["sourceuuid"] == id);
        let call = found.next();
        assert!(found.next().is_none(), "the call {id} stands in the CRM more than once");
        call
    }

    /// Waits until the lanes have nothing due and every delivery stands like this.
    pub async fn settled(&self, state: &str) {
        self.hub.settled(&[state]).await;
    }

    /// Posts a signed webhook that must be taken.
    pub async fn post(&self, body: &Value) {
        let answer = self.hub.post(body).await.unwrap();
        assert_eq!(answer.status(), 200, "{body}: {:?}", answer.text().await);
    }
}

/// The routes of a tenant's file replaced by these.
pub fn routed(mut setup: Setup, routes: &str) -> Setup {
    let at = setup.tenant.find("[[routes]]").unwrap();
    setup.tenant.truncate(at);
    setup.tenant.push_str(routes);
    setup
}

/// Signed webhooks into a sink that puts each record to `url`/id when its call has ended; `keys` stand in the sink's table.
pub fn plain(url: &str, keys: &str) -> Setup {
    let tenant = format!(
        r#"
region = "ES"

[sources.pbx]
component = "pbx-webhook"
settings = {{ secret = {{ env = "ACME_WEBHOOK_SECRET" }} }}

[sinks.crm]
component = "everything"
allow = ["127.0.0.1"]
backoff = {{ first = "50ms", ceiling = "200ms" }}
{keys}
settings = {{ url = "{url}" }}

[[routes]]
from = "pbx"
to = "crm"
when = "event.type == 'call.ended'"
"#
    );
    let environment = vec![("ACME_WEBHOOK_SECRET".to_owned(), pbx::SECRET.to_owned())];
    Setup { environment, ..Setup::of(&["pbx-webhook", "everything"], tenant) }
}

/// What each try of a delivery came to, the first one first.
pub async fn outcomes(hub: &Hub, delivery: &Value) -> Vec<String> {
    let whole = hub.get(&format!("/v1/deliveries/{}", delivery["id"])).await;
    let tries = whole["tries"].as_array().into_iter().flatten().rev();
    tries.map(|one| one["outcome"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The delivery of a call, once it stands so.
pub async fn delivery(hub: &Hub, call: &str, state: &str) -> Value {
    let find = async || {
        let page = hub.get(&format!("/v1/deliveries?state={state}&limit=500")).await;
        page["items"].as_array()?.iter().find(|item| item["subject"]["id"] == call).cloned()
    };
    hub.until(&format!("the delivery of {call} is {state}"), || async { find().await.is_some() }).await;
    find().await.unwrap()
}

/// Everything that happens to a call goes to the CRM.
pub const EVERYTHING: &str = "[[routes]]\nfrom = \"pbx\"\nto = \"crm\"\n";

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
