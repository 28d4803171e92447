//! Leases and grants of lanes that deliver through a real component, with times short enough to watch.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use cordboard::components::contract::Outcome;
use cordboard::config::Plan;
use cordboard::delivery::{Bell, Lanes, Spec};
use cordboard::grants::Granted;
use cordboard::model::call::CallPhase;
use cordboard::model::{Call, Event, Item, Observation, Trust};
use cordboard::recordings::Links;
use cordboard::store::{Delivery, DeliveryFilter, Intake, Options, Routes, State, Store, Want};
use cordboard_tests::web::Web;
use serde_json::json;
use tempfile::TempDir;

use crate::bench;

/// How long a claim lasts here.
const LEASE: Duration = Duration::from_secs(3);

/// In milliseconds.
const HOUR: u64 = 3_600_000;

/// A ledger and a CRM.
struct World {
    folder: TempDir,
    store: Store,
    crm: Web,
}

/// Everything goes to the CRM.
struct ToCrm;

impl Routes for ToCrm {
    fn wants(&self, _tenant: &str, _event: &Event) -> Vec<Want> {
        vec![Want::lasting("crm")]
    }
}

impl World {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder).await;
        let crm = Web::start(|_| (200, String::new())).await.unwrap();
        World { folder, store, crm }
    }

    /// A call that the CRM is to have.
    async fn call(&self, id: &str) {
        let item = Item::Call(Call { phase: Some(CallPhase::Ended), ..Call::default() });
        let seen = Observation { id: id.into(), also: Vec::new(), at: None, trust: Trust::Reported, item };
        let intake = Intake { routes: Arc::new(ToCrm), ..Intake::of("acme", "pbx", vec![seen]) };
        self.store.commit(intake).await.unwrap();
    }

    /// A lane that makes one call after the other, whose claims last for [`LEASE`].
    async fn lane(&self, concurrency: usize) -> Arc<Lanes> {
        let tenant = format!(
            "[sinks.crm]\ncomponent = \"everything\"\nallow = [\"127.0.0.1\"]\nbatch = 1\ntimeout = \"20s\"\n\
             concurrency = {concurrency}\nsettings = {{ url = \"{}\" }}\n",
            self.crm.url("")
        );
        std::fs::create_dir_all(self.folder.path().join("tenants")).unwrap();
        std::fs::write(self.folder.path().join("tenants/acme.toml"), tenant).unwrap();
        let plan = Plan::load(self.folder.path()).unwrap();
        let tenant = plan.tenants["acme"].clone();
        let spec = Spec {
            sink: tenant.sinks["crm"].clone(),
            tenant,
            adapter: adapter(&self.crm, &self.store, HOUR).await,
            store: self.store.clone(),
            bell: Bell::new(plan.hub.alerts.clone()),
            links: Arc::new(Links::new(Arc::new(ArcSwap::from_pointee(plan)), [0; 32])),
            lease: LEASE,
        };
        let lanes = Lanes::new(&self.store);
        lanes.start(spec).await;
        lanes
    }

    async fn delivery(&self, call: &str) -> Delivery {
        let page = self.store.deliveries("acme", &DeliveryFilter::default(), None, 10).await.unwrap();
        page.items.into_iter().find(|delivery| delivery.subject.id == call).unwrap()
    }

    async fn until(&self, what: &str, so: impl AsyncFn() -> bool) {
        let waiting = async {
            while !so().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("in vain for {what}"));
    }

    async fn done(&self) -> usize {
        let page = self.store.deliveries("acme", &DeliveryFilter::default(), None, 10).await.unwrap();
        page.items.iter().filter(|delivery| delivery.state == State::Done).count()
    }
}

/// The adapter, whose grants are good for so many milliseconds.
async fn adapter(crm: &Web, store: &Store, life: u64) -> Arc<Granted> {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "everything").await;
    let mut options = bench::options(json!({"url": crm.url(""), "life": life}), &["127.0.0.1"]);
    options.limits.timeout = Duration::from_secs(20);
    Granted::new("acme", "crm", bench::used(&runtime, &component, options), store.clone())
}

/// The grants that the CRM was shown, one for each request.
fn shown(crm: &Web) -> Vec<String> {
    crm.asked().iter().map(|asked| asked.header("authorization").to_owned()).collect()
}

async fn open(folder: &TempDir) -> Store {
    let options = Options { data: folder.path().to_owned(), ..Options::default() };
    Store::open(&format!("sqlite:{}/ledger.db", folder.path().display()), options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_outlasts_its_lease_is_made_once() {
    let world = World::start().await;
    world.crm.takes(LEASE + LEASE / 2);
    world.call("long").await;
    // There is a place for a second call, which nothing but the claim keeps from being made.
    let lanes = world.lane(2).await;
    world.until("the delivery", async || world.delivery("long").await.state == State::Done).await;
    assert_eq!((world.crm.asked().len(), world.crm.most_at_once()), (1, 1), "its lease was prolonged");
    lanes.shut(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_away_while_it_waited_is_not_delivered() {
    let world = World::start().await;
    world.crm.takes(LEASE + LEASE / 2);
    world.call("first").await;
    world.call("second").await;
    // Both are claimed at once; the second waits for its turn.
    let lanes = world.lane(1).await;
    world.until("the first", async || world.crm.asked().len() == 1).await;
    let waiting = if world.crm.asked()[0].path == "/first" { "second" } else { "first" };
    let delivery = world.delivery(waiting).await;
    assert!(delivery.claimed, "{delivery:?}");
    assert!(world.store.park("acme", delivery.id, "a person's word").await.unwrap());
    world.until("the first", async || world.crm.asked().len() == 1 && world.done().await == 1).await;
    tokio::time::sleep(LEASE / 3).await;
    assert_eq!(world.crm.asked().len(), 1, "the other one is nobody's any more");
    assert_eq!(world.delivery(waiting).await.state, State::Parked);
    lanes.shut(Duration::from_secs(1)).await;
}

async fn delivered(adapter: &Arc<Granted>) {
    let (outcomes, _) = adapter.deliver(vec![bench::change("c-1")]).await;
    assert!(matches!(outcomes.unwrap()[..], [Outcome::Done(_)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_is_renewed_ahead_of_its_end_and_serves_until_then() {
    let World { folder: _folder, store, crm } = World::start().await;
    // Good for a minute longer than it is used.
    let used = Duration::from_secs(3);
    let adapter = adapter(&crm, &store, 60_000 + 3_000).await;
    let begun = std::time::Instant::now();
    delivered(&adapter).await;
    delivered(&adapter).await;
    assert!(begun.elapsed() < used, "this machine is too slow to see it: {:?}", begun.elapsed());
    tokio::time::sleep(used).await;
    delivered(&adapter).await;
    assert_eq!(shown(&crm), ["Bearer grant-1", "Bearer grant-1", "Bearer grant-2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_grant_serves_a_hub_that_starts_again() {
    let World { folder, store, crm } = World::start().await;
    delivered(&adapter(&crm, &store, HOUR).await).await;
    store.close().await;
    drop(store);
    let store = open(&folder).await;
    delivered(&adapter(&crm, &store, HOUR).await).await;
    assert_eq!(shown(&crm), ["Bearer grant-1", "Bearer grant-1"]);
}
