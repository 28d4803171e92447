//! What the tests stand on: a hub, the server, and what a test waits for.

use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::inbox_hub::{API_KEY, FakeInboxHub, IDENTIFIER, PASSWORD, SESSION};
use cordboard_tests::live::Live;
use serde_json::{Value, json};

/// What webhooks are signed with.
pub const SECRET: &str = "the-webhook-secret-of-the-tests";

/// A hub that listens to an Inbox Hub server.
pub struct World {
    pub hub: Hub,
    pub server: FakeInboxHub,
}

/// What a test wants otherwise.
#[derive(Default)]
pub struct Wish {
    /// Lines of `cordboard.toml`.
    pub hub: String,
    /// Lines of the source, before its settings.
    pub source: String,
    /// Further hosts that are allowed.
    pub allow: String,
    /// Members of the settings `sync` and `repair`.
    pub sync: String,
    pub repair: String,
    /// A further environment.
    pub environment: Vec<(String, String)>,
}

impl Wish {
    /// Reading at once, as fast as can be, and no repairs.
    pub fn sync() -> Self {
        Wish { sync: "delay = 0, min_interval = 0".to_owned(), repair: "auto = false".to_owned(), ..Wish::default() }
    }

    /// Nothing but what a repair reads.
    pub fn repair(settings: &str) -> Self {
        Wish { sync: "auto = false, delay = 0".to_owned(), repair: settings.to_owned(), ..Wish::default() }
    }

    /// At this pace.
    pub fn at(mut self, rate: &str) -> Self {
        self.source = format!("rate = \"{rate}\"\n");
        self
    }
}

fn setup(server: &FakeInboxHub, wish: Wish) -> Setup {
    let (url, Wish { hub, mut source, allow, sync, repair, mut environment }) = (server.url(), wish);
    if !source.contains("rate") {
        source.push_str("rate = \"1000/s\"\n");
    }
    let host = url.trim_start_matches("http://");
    let tenant = format!(
        r#"
region = "ES"

[[agents]]
login = "ana"
extensions = ["101"]

[sources.whatsapp]
component = "inbox-hub"
allow = ["{host}"{allow}]
{source}
[sources.whatsapp.settings]
url = "{url}"
sessions = ["{SESSION}"]
secret = {{ env = "ACME_WHATSAPP_SECRET" }}
api_key = {{ env = "ACME_WHATSAPP_KEY" }}
identifier = "{IDENTIFIER}"
password = {{ env = "ACME_WHATSAPP_PASSWORD" }}
sync = {{ {sync} }}
repair = {{ {repair} }}
"#
    );
    let secrets =
        [("ACME_WHATSAPP_SECRET", SECRET), ("ACME_WHATSAPP_KEY", API_KEY), ("ACME_WHATSAPP_PASSWORD", PASSWORD)];
    environment.extend(secrets.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Setup { hub, environment, ..Setup::of(&["inbox-hub"], tenant) }
}

impl World {
    /// A server without limits, filled before the hub starts.
    pub async fn start(wish: Wish, fill: impl FnOnce(&FakeInboxHub)) -> Self {
        let server = FakeInboxHub::start().await.unwrap();
        server.limits().lift();
        fill(&server);
        let hub = Hub::start(setup(&server, wish)).await;
        server.register(&hub.url("/v1/hooks/acme/whatsapp"), SECRET);
        Self { hub, server }
    }

    /// The jobs of the source.
    pub async fn jobs(&self) -> Vec<Value> {
        self.hub.get("/v1/sources/whatsapp/jobs").await.as_array().unwrap().clone()
    }

    /// The job of this kind, if there is one.
    pub async fn job(&self, kind: &str) -> Value {
        let mut jobs = self.jobs().await.into_iter().filter(|job| job["kind"] == kind);
        let job = jobs.next().unwrap_or_default();
        assert!(jobs.next().is_none(), "there is more than one job `{kind}`");
        job
    }

    /// Waits until a job has ended well.
    pub async fn done(&self, kind: &str) -> Value {
        self.hub.until(&format!("the job {kind} is done"), || async { self.job(kind).await["state"] == "done" }).await;
        self.job(kind).await
    }

    /// The source, as the API shows it.
    pub async fn source(&self) -> Value {
        self.hub.get("/v1/sources").await[0].clone()
    }

    /// All events of these types, oldest first: `message.received`, `message.*`.
    pub async fn events(&self, types: &str) -> Vec<Value> {
        let (mut events, mut since) = (Vec::new(), 0);
        loop {
            let page = self.hub.get(&format!("/v1/events?types={types}&since={since}&limit=500")).await;
            events.extend(page["events"].as_array().unwrap().iter().cloned());
            since = page["next"].as_u64().unwrap();
            if page["more"] != true {
                return events;
            }
        }
    }

    /// How many records of a kind there are.
    pub async fn records(&self, kind: &str) -> usize {
        let events = self.events(&format!("{kind}.*")).await;
        events.iter().map(|event| event["record"].as_i64()).collect::<std::collections::HashSet<_>>().len()
    }

    /// Asks for a command; the answer's status and body.
    pub async fn command(&self, key: &str, name: &str, arguments: Value) -> (u16, Value) {
        let request = self.hub.http.post(self.hub.url("/v1/commands")).bearer_auth(self.hub.token("supervisor", "eva"));
        let body = json!({ "id": key, "name": name, "arguments": arguments });
        let answer = request.json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// Starts reading by hand; the answer's status and body.
    pub async fn read(&self, role: &str, query: &str) -> (u16, Value) {
        let url = self.hub.url(&format!("/v1/sources/whatsapp/sync{query}"));
        let answer = self.hub.http.post(url).bearer_auth(self.hub.token(role, "eva")).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Starts reading by hand what a job is given; the answer's status and body.
    pub async fn read_given(&self, query: &str, parameters: &Value) -> (u16, Value) {
        let url = self.hub.url(&format!("/v1/sources/whatsapp/sync{query}"));
        let request = self.hub.http.post(url).bearer_auth(self.hub.token("supervisor", "eva")).json(parameters);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// A live socket of this role.
    pub async fn live(&self, role: &str) -> Live {
        Live::open(&self.hub, "", &self.hub.token(role, if role == "agent" { "ana" } else { "eva" })).await
    }

    /// Whether a text stands in any file of the hub's folder, its database and its log among them.
    pub fn on_disk(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.hub.folder().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else if let Ok(bytes) = std::fs::read(entry.path())
                    && bytes.windows(text.len()).any(|part| part == text.as_bytes())
                {
                    found.push(entry.path().display().to_string());
                }
            }
        }
        found
    }
}

/// One stage of a job: created, updated, errors.
pub fn stage(job: &Value, name: &str) -> (u64, u64, u64) {
    let stages = job["progress"].as_array().unwrap();
    let stage = stages.iter().find(|stage| stage["stage"] == name).unwrap();
    let number = |member: &str| stage[member].as_u64().unwrap();
    let (created, updated, errors) = (number("created"), number("updated"), number("errors"));
    assert_eq!(number("processed"), created + updated + errors, "{stage}");
    (created, updated, errors)
}
