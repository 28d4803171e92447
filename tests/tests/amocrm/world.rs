//! A hub that delivers to an amoCRM.

use std::time::{Duration, Instant};

use cordboard_tests::amocrm::{self, ANNA, FakeAmocrm};
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::pbx;
use serde_json::Value;

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A hub and an account with one contact.
pub struct World {
    pub hub: Hub,
    pub crm: FakeAmocrm,
}

impl World {
    /// On the embedded store.
    pub async fn start() -> Self {
        let crm = FakeAmocrm::start().await.expect("an amoCRM");
        crm.world().contact("Ivan", "8 (999) 000-11-22", ANNA);
        let hub = Hub::start(setup(&crm.url())).await;
        let world = Self { hub, crm };
        world.until("the login", || async { world.crm.world().tokens.exchanges == 1 }).await;
        world
    }

    /// Waits until something is so, and says what it waited for when it is not in time.
    pub async fn until<F, W>(&self, what: &str, so: F)
    where
        F: FnMut() -> W,
        W: Future<Output = bool>,
    {
        let waited = tokio::time::timeout(PATIENCE, self.hub.until(what, so)).await;
        assert!(waited.is_ok(), "waited in vain for: {what}\n{}", self.hub.log());
    }

    /// Posts a signed webhook that must be taken.
    pub async fn post(&self, body: &Value) {
        let answer = self.hub.post(body).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{body}: {:?}", answer.text().await);
    }

    /// Waits until nothing is due, and everything was done or its moment has passed.
    pub async fn settled(&self) {
        let begun = Instant::now();
        loop {
            let page = self.hub.get("/v1/deliveries?limit=500").await;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            let over = |item: &Value| item["state"] == "done" || item["state"] == "stale";
            if !items.is_empty() && items.iter().all(over) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "not all deliveries are done: {page:#}\n{}", self.hub.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn setup(url: &str) -> Setup {
    let address = url.trim_start_matches("http://");
    let tenant = format!(
        r#"
region = "ES"

[[agents]]
name = "Anna"
extensions = ["101"]
users = {{ crm = "anna@example.com" }}

[sources.pbx]
component = "pbx-webhook"
settings = {{ secret = {{ env = "ACME_WEBHOOK_SECRET" }} }}

[sinks.crm]
component = "amocrm"
allow = ["{address}"]
concurrency = 1
backoff = {{ first = "100ms", ceiling = "1s" }}
breaker = {{ failures = 5, pause = "1s" }}

[sinks.crm.settings]
url = "{url}"
client_id = "{client}"
client_secret = {{ env = "ACME_AMOCRM_SECRET" }}
redirect_uri = "{redirect}"
code = {{ env = "ACME_AMOCRM_CODE" }}
users = {{ 101 = {ANNA} }}

[[routes]]
from = "pbx"
to = "crm"
when = "event.type in ['call.ended', 'call.recorded']"

[[routes]]
from = "pbx"
to = "crm"
when = "event.type == 'call.ringing'"
while = "call.phase == 'ringing'"
ttl = "20s"
"#,
        client = amocrm::CLIENT,
        redirect = amocrm::REDIRECT,
    );
    let mut setup = Setup::of(&["amocrm", "pbx-webhook"], tenant);
    setup.environment = vec![
        ("ACME_WEBHOOK_SECRET".to_owned(), pbx::SECRET.to_owned()),
        ("ACME_AMOCRM_SECRET".to_owned(), amocrm::SECRET.to_owned()),
        ("ACME_AMOCRM_CODE".to_owned(), amocrm::CODE.to_owned()),
    ];
    setup
}
