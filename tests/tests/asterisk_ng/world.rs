//! What the tests stand on: the hub with the addresses of the old server, an Asterisk, an account of amoCRM.

use std::time::{Duration, Instant};

use cordboard_tests::ami::{FakeAmi, Recording, SECRET, USER};
use cordboard_tests::amocrm::{self, FakeAmocrm};
use cordboard_tests::hub::{Hub, Setup};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// The secret of the widget AsteriskNG.
pub const KEY: &str = "a-secret-of-the-widget";

/// The version of Asterisk whose recordings are played.
pub const VERSION: &str = "asterisk-22";

/// Who calls in the recordings.
pub const CLIENT: &str = "447700900123";

/// Whom the agents call in the recordings.
pub const CALLED: &str = "447700900456";

/// What an event has in it by which a telephone rings and nobody has picked it up yet.
pub const RINGS: &str = "DialStatus: RINGING";

/// All three.
pub struct World {
    pub hub: Hub,
    pub pbx: FakeAmi,
    pub crm: FakeAmocrm,
}

/// How a world is set up.
#[derive(Clone, Default)]
pub struct Plan {
    /// Lines of the sink's settings.
    pub settings: String,
    /// Lines of the setting `asterisk_ng`.
    pub ng: String,
    /// Lines of the sink.
    pub sink: String,
    /// Lines under `[routing]`, beside its path.
    pub routing: String,
    /// Lines of the source.
    pub source: String,
    /// Lines of the source's settings.
    pub pbx: String,
    /// Lines of cordboard.toml.
    pub hub: String,
    /// A further environment of the hub.
    pub environment: Vec<(String, String)>,
    /// Log in with tokens that end, not with a lasting one.
    pub oauth: bool,
}

impl Plan {
    /// The tenant's file.
    fn tenant(&self, port: u16, crm: &FakeAmocrm) -> String {
        let url = crm.url();
        let address = url.trim_start_matches("http://");
        let Plan { settings, ng, sink, routing, source, pbx, oauth, .. } = self;
        let login = match oauth {
            true => format!(
                "client_id = \"{}\"\nclient_secret = {{ env = \"CRM_SECRET\" }}\nredirect_uri = \"{}\"\n\
                 code = {{ env = \"CRM_CODE\" }}\n",
                amocrm::CLIENT,
                amocrm::REDIRECT
            ),
            false => "token = { env = \"CRM_TOKEN\" }\n".to_owned(),
        };
        format!(
            r#"
region = "GB"

[[agents]]
name = "Anna"
login = "anna"
extensions = ["1001"]
users = {{ crm = "anna@example.com" }}

[[agents]]
name = "Boris"
login = "boris"
extensions = ["1002"]
users = {{ crm = "{}" }}

[sources.pbx]
component = "ami"
allow = ["127.0.0.1"]
backoff = {{ first = "50ms", ceiling = "200ms" }}
{source}
[sources.pbx.settings]
host = "127.0.0.1"
port = {port}
username = "{USER}"
password = {{ env = "AMI_PASSWORD" }}
trunks = ["PJSIP/trunk"]
agent_channel = "Local/{{extension}}@from-internal"
keepalive = 5
{pbx}
[sinks.crm]
component = "amocrm"
allow = ["{address}", "localhost:{}"]
paths = ["/asterisk", "/asterisk_ng", "/records/*"]
backoff = {{ first = "100ms", ceiling = "1s" }}
breaker = {{ failures = 5, pause = "500ms" }}
{sink}
[sinks.crm.settings]
url = "{url}"
chat_url = "{url}"
default_user = "anna@example.com"
{login}{settings}
[sinks.crm.settings.asterisk_ng]
login = "admin"
password = {{ env = "WIDGET_PASSWORD" }}
secret_key = {{ env = "WIDGET_KEY" }}
{ng}
[routing]
paths = ["/redirecting?phone={{number}}"]
{routing}
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
            amocrm::BORIS,
            address.rsplit(':').next().unwrap_or_default(),
        )
    }

    /// Starts all three, connected.
    pub async fn start(self) -> World {
        let crm = FakeAmocrm::start().await.unwrap();
        let pbx = FakeAmi::start(VERSION).await;
        self.start_with(pbx, crm).await
    }

    /// Starts the hub between these.
    pub async fn start_with(self, pbx: FakeAmi, crm: FakeAmocrm) -> World {
        let mut setup = Setup::of(&["ami", "amocrm"], self.tenant(pbx.port(), &crm));
        setup.hub = self.hub.clone();
        setup.environment = [
            ("AMI_PASSWORD", SECRET),
            ("CRM_TOKEN", amocrm::LONG_LIVED),
            ("CRM_SECRET", amocrm::SECRET),
            ("CRM_CODE", amocrm::CODE),
            ("WIDGET_PASSWORD", "p4ssw0rd"),
            ("WIDGET_KEY", KEY),
            ("ROUTE_KEY", "a-key-of-the-dialplan"),
            ("RUST_LOG", "debug,hyper=info,h2=info,reqwest=info,sqlx=info,cranelift=info,wasmtime=info"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        setup.environment.extend(self.environment);
        let hub = Hub::start(setup).await;
        pbx.logged_in(1).await;
        let world = World { hub, pbx, crm };
        let connected = || async { world.hub.get("/v1/sources").await[0]["connection"]["state"] == "connected" };
        world.until("the PBX is connected", connected).await;
        world
    }
}

/// A recording of the version that is played.
pub fn recording(name: &str) -> Recording {
    Recording::load(VERSION, name)
}

/// The id of a recording's first call.
pub fn id(recording: &Recording) -> String {
    recording.expected["calls"][0]["linkedid"].as_str().unwrap().to_owned()
}

/// The id of the first call among a recording's events, also when it is played anew.
pub fn own_id(recording: &Recording) -> String {
    let linked = |event: &Vec<u8>| {
        let text = String::from_utf8_lossy(event).into_owned();
        text.lines().find_map(|line| line.strip_prefix("Linkedid: ").map(str::to_owned))
    };
    recording.events().iter().find_map(linked).unwrap()
}

/// A call of a recording in its parts, each told when the test wants it.
pub struct Told<'a> {
    pbx: &'a FakeAmi,
    rest: Vec<Vec<u8>>,
}

impl<'a> Told<'a> {
    /// Nothing is told yet.
    pub fn of(pbx: &'a FakeAmi, recording: &Recording) -> Self {
        Told { pbx, rest: recording.events() }
    }

    /// The same with every event changed.
    pub fn changed(pbx: &'a FakeAmi, recording: &Recording, change: impl Fn(&str) -> String) -> Self {
        let changed = |event: Vec<u8>| change(&String::from_utf8_lossy(&event)).into_bytes();
        Told { pbx, rest: recording.events().into_iter().map(changed).collect() }
    }

    /// Tells everything before the first event that has this text in it.
    pub fn before(&mut self, text: &str) -> &mut Self {
        let has = |event: &Vec<u8>| String::from_utf8_lossy(event).contains(text);
        let at = self.rest.iter().position(has).unwrap_or_else(|| panic!("no event has {text:?}"));
        self.rest.drain(..at).for_each(|event| self.pbx.tell(&event));
        self
    }

    /// Tells the rest.
    pub fn end(&mut self) {
        self.rest.drain(..).for_each(|event| self.pbx.tell(&event));
    }
}

/// Passes a test over that lacks something here, and says so. In CI nothing may be lacking.
pub fn passed_over(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    println!("passed over: {why}");
}

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

impl World {
    /// Waits until something is so, and says what it waited for when it is not in time.
    pub async fn until<F, W>(&self, what: &str, so: F)
    where
        F: FnMut() -> W,
        W: Future<Output = bool>,
    {
        let waited = tokio::time::timeout(PATIENCE, self.hub.until(what, so)).await;
        assert!(waited.is_ok(), "waited in vain for: {what}\n{}", self.hub.log());
    }

    /// Waits until a call has come so far.
    pub async fn reaches(&self, id: &str, phase: &str) {
        let so = || async { self.call(id).await["phase"] == phase };
        self.until(&format!("{id} is {phase}"), so).await;
    }

    /// A call as the ledger has it.
    pub async fn call(&self, id: &str) -> Value {
        let calls = self.hub.get("/v1/calls?limit=500").await;
        let all = calls["items"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|call| call["subject"]["id"] == id).map(|call| call["call"].clone()).unwrap_or_default()
    }

    /// The duty to have a call in the CRM.
    pub async fn delivery(&self, id: &str) -> Value {
        let page = self.hub.get("/v1/deliveries?limit=500").await;
        let mut all = page["items"].as_array().cloned().unwrap_or_default().into_iter();
        all.find(|delivery| delivery["subject"]["id"] == id).unwrap_or_else(|| panic!("{id}: {page:#}"))
    }

    /// Waits until nothing is owed to the CRM and nothing is under way.
    pub async fn settled(&self) {
        let so = || async {
            let lanes = self.hub.get("/v1/lanes").await;
            lanes[0]["due"] == 0 && lanes[0]["running"] == 0
        };
        self.until("everything is delivered", so).await;
    }

    /// What a request of the stock widget is answered.
    pub async fn stock(&self, query: &str) -> (StatusCode, String, String) {
        let url = self.hub.url(&format!("/asterisk?{query}"));
        let answer = self.hub.http.get(url).send().await.unwrap();
        let media_type = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        (answer.status(), media_type.unwrap_or_default(), answer.text().await.unwrap())
    }

    /// What the widget AsteriskNG is answered, as Anna.
    pub async fn panel(&self, method: &str, params: Value) -> Value {
        self.panel_as((amocrm::ANNA, "anna@example.com"), KEY, method, params).await
    }

    /// The same as somebody else, and with another secret.
    pub async fn panel_as(&self, (user, email): (u64, &str), key: &str, method: &str, params: Value) -> Value {
        let body = json!({
            "headers": { "amouser_email": email, "amouser_id": user, "widget_version": "1.0.0" },
            "content": { "id": 17, "jsonrpc": "2.0", "method": method, "params": params },
        });
        let url = self.hub.url(&format!("/asterisk_ng?secret_key={key}"));
        let form = [("json", body.to_string())];
        let answer = self.hub.http.post(url).form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// The result of a method.
    pub async fn result(&self, method: &str, params: Value) -> Value {
        let said = self.panel(method, params).await;
        assert_eq!((&said["headers"]["status_code"], &said["content"]["id"]), (&json!(200), &json!(17)), "{said}");
        said["content"]["result"].clone()
    }

    /// What the dialplan is answered, and how long that took.
    pub async fn redirecting(&self, query: &str) -> (StatusCode, String, Duration) {
        let begun = Instant::now();
        let url = self.hub.url(&format!("/redirecting{query}"));
        let answer = self.hub.http.get(url).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        (status, text, begun.elapsed())
    }

    /// The values of a line in the actions of a name.
    pub fn sent(&self, action: &str, line: &str) -> Vec<String> {
        let actions = self.pbx.actions(action);
        let of = |lines: &Vec<(String, String)>| {
            lines.iter().find(|(name, _)| name == line).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        actions.iter().map(of).collect()
    }

    /// `GET` without a token.
    pub async fn plain(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = self.hub.http.request(method, self.hub.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }
}
