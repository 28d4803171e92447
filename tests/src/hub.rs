//! The real hub: its own binary, a folder of its own, killed and started again at will.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pbx;

/// The secret that tokens are signed with.
pub const TOKENS: &str = "a-secret-for-tokens-of-32-bytes!";

/// The key of grants at rest, in hex.
pub const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// How a hub is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Lines added to `cordboard.toml`, before the tables.
    pub hub: String,
    /// The text of `tenants/acme.toml`.
    pub tenant: String,
    /// A further environment.
    pub environment: Vec<(String, String)>,
    /// No file of the hub's may grow beyond so many KiB, as if its disk were full.
    pub largest_file: Option<u64>,
    /// The components that the hub has, ours or the tests' own, and no others.
    pub components: Vec<&'static str>,
}

impl Setup {
    /// Signed webhooks of one PBX into one Vtiger, as the default module, without the CRM's checks of a rate.
    pub fn vtiger(crm: &str) -> Self {
        let address = crm.trim_start_matches("http://").split('/').next().unwrap_or_default();
        let tenant = format!(
            r#"
region = "ES"

[[agents]]
name = "Ana"
login = "ana"
extensions = ["101"]
users = {{ crm = "19x5" }}

[sources.pbx]
component = "pbx-webhook"
paths = ["/webhook/call"]
settings = {{ secret = {{ env = "ACME_WEBHOOK_SECRET" }} }}

[sinks.crm]
component = "vtiger"
allow = ["{address}"]
backoff = {{ first = "100ms", ceiling = "2s" }}
breaker = {{ failures = 5, pause = "1s" }}
settings = {{ url = "{crm}", username = "hub", access_key = {{ env = "ACME_VTIGER_KEY" }} }}

[[routes]]
from = "pbx"
to = "crm"
when = "event.type in ['call.ended', 'call.recorded']"
"#
        );
        let environment = vec![
            ("ACME_WEBHOOK_SECRET".to_owned(), pbx::SECRET.to_owned()),
            ("ACME_VTIGER_KEY".to_owned(), crate::vtiger::HUB_KEY.to_owned()),
        ];
        Setup { environment, ..Setup::of(&["pbx-webhook", "vtiger"], tenant) }
    }

    /// A tenant of one's own with these components and nothing else.
    pub fn of(components: &[&'static str], tenant: String) -> Self {
        Setup {
            hub: String::new(),
            tenant,
            environment: Vec::new(),
            components: components.to_vec(),
            largest_file: None,
        }
    }

    /// Over this store instead of the embedded one.
    pub fn on(mut self, store: &str) -> Self {
        self.hub.push_str(&format!("store = \"{store}\"\n"));
        self
    }
}

/// A running hub.
pub struct Hub {
    folder: TempDir,
    setup: Setup,
    address: SocketAddr,
    child: Option<Child>,
    /// For requests to it.
    pub http: reqwest::Client,
}

/// How long a hub may take to start: compiling the components for the first time is slow on a busy machine.
const START: Duration = Duration::from_secs(120);

/// How long a test waits for anything else.
const PATIENCE: Duration = Duration::from_secs(60);

impl Hub {
    /// Writes the configuration and starts the hub, ready to serve.
    pub async fn start(setup: Setup) -> Self {
        let hub = Self::prepare(setup);
        hub.started().await
    }

    /// Writes the configuration without starting.
    pub fn prepare(setup: Setup) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new().prefix("cordboard-").tempdir().expect("a folder for the hub");
        let port = free_port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let path = folder.path();
        std::fs::create_dir_all(path.join("tenants")).expect("a folder for tenants");
        let components = gathered(path, &setup.components);
        let hub = format!(
            "listen = \"{address}\"\ncomponents = \"{}\"\n{}\n[auth]\nsecret = {{ env = \"CORDBOARD_JWT_SECRET\" }}\n\
             [keys]\nencryption = {{ env = \"CORDBOARD_KEY\" }}\n",
            components.display(),
            setup.hub,
        );
        std::fs::write(path.join("cordboard.toml"), hub).expect("cordboard.toml");
        std::fs::write(path.join("tenants/acme.toml"), &setup.tenant).expect("the tenant's file");
        share_compiled(path);
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().expect("a client");
        Hub { folder, setup, address, child: None, http }
    }

    async fn started(mut self) -> Self {
        self.launch();
        self.ready().await;
        self
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of a path of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the hub runs").id()
    }

    /// A command of the hub's program in its folder and environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .args(["--config", &self.folder.path().display().to_string()])
            .env("CORDBOARD_JWT_SECRET", TOKENS)
            .env("CORDBOARD_KEY", KEY)
            .envs(self.setup.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the process.
    pub fn launch(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("hub.log"));
        let log = log.expect("a log file");
        let mut command = self.command(&["serve"]);
        if let Some(limit) = self.setup.largest_file {
            command = limited(&command, limit);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.child = Some(child.expect("the hub's program starts"));
    }

    /// Waits until it serves.
    pub async fn ready(&mut self) {
        let begun = Instant::now();
        loop {
            if let Ok(answer) = self.http.get(self.url("/readyz")).send().await
                && answer.status().is_success()
            {
                return;
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "the hub ended at once ({ended:?}):\n{}", self.log());
            assert!(begun.elapsed() < START, "the hub did not get ready:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("hub.log")).unwrap_or_default()
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the hub can be killed");
            child.wait().expect("the hub ends");
        }
    }

    /// Asks it to stop and waits; how long it took, and its exit code.
    pub async fn stop(&mut self) -> (Duration, Option<i32>) {
        let mut child = self.child.take().expect("the hub runs");
        let begun = Instant::now();
        let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "the hub can be told to stop");
        let ended = tokio::task::spawn_blocking(move || child.wait()).await.expect("waiting").expect("the hub ends");
        (begun.elapsed(), ended.code())
    }

    /// A token of the tenant.
    pub fn token(&self, role: &str, sub: &str) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
        let claims = json!({ "tenant": "acme", "role": role, "sub": sub, "exp": now.as_secs() + 3600 });
        let key = jsonwebtoken::EncodingKey::from_secret(TOKENS.as_bytes());
        jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token")
    }

    /// Posts a signed webhook; an error when no answer came.
    pub async fn post(&self, body: &Value) -> reqwest::Result<reqwest::Response> {
        self.post_bytes("/v1/hooks/acme/pbx", body.to_string().into_bytes()).await
    }

    /// Posts signed bytes.
    pub async fn post_bytes(&self, path: &str, body: Vec<u8>) -> reqwest::Result<reqwest::Response> {
        let signature = pbx::signature(pbx::SECRET, &body);
        let request = self.http.post(self.url(path)).header("x-signature", signature);
        request.header("content-type", "application/json").body(body).send().await
    }

    /// `GET` as an admin, as JSON; a refusal ends the test.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.ask(reqwest::Method::GET, path).await;
        let status = answer.status();
        let text = answer.text().await.expect("an answer");
        assert!(status.is_success(), "GET {path}: {status}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|why| panic!("GET {path}: {why}: {text}"))
    }

    /// The value of a metric as an admin is told it, by its name with its labels.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let metrics = self.ask(reqwest::Method::GET, "/metrics").await.text().await.expect("the metrics");
        let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
        metrics.lines().find_map(value)
    }

    /// Any request as an admin.
    pub async fn ask(&self, method: reqwest::Method, path: &str) -> reqwest::Response {
        let request = self.http.request(method, self.url(path)).bearer_auth(self.token("admin", "test"));
        request.send().await.expect("an answer")
    }

    /// Waits until something is so, and says what it waited for when it never is.
    pub async fn until<F, W>(&self, what: &str, so: F)
    where
        F: FnMut() -> W,
        W: Future<Output = bool>,
    {
        self.within(PATIENCE, what, so).await;
    }

    /// The same, for no longer than this.
    pub async fn within<F, W>(&self, patience: Duration, what: &str, mut so: F)
    where
        F: FnMut() -> W,
        W: Future<Output = bool>,
    {
        let begun = Instant::now();
        while !so().await {
            assert!(begun.elapsed() < patience, "waited in vain for: {what}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until there are deliveries, and each of them stands in one of these states.
    pub async fn settled(&self, states: &[&str]) {
        let begun = Instant::now();
        loop {
            let page = self.get("/v1/deliveries?limit=500").await;
            let items = page["items"].as_array().cloned().unwrap_or_default();
            let stands = |item: &Value| item["state"].as_str().is_some_and(|state| states.contains(&state));
            if !items.is_empty() && items.iter().all(stands) {
                return;
            }
            let wanted = states.join(" or ");
            assert!(begun.elapsed() < PATIENCE, "not all deliveries are {wanted}: {page:#}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.kill();
        keep_compiled(self.folder.path());
    }
}

/// The same command under a limit on the size of its files, in KiB. What would grow beyond it fails to be written.
fn limited(command: &Command, limit: u64) -> Command {
    let mut limited = Command::new("bash");
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -S -f {limit}; exec \"$0\" \"$@\"")]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// The workspace's folder.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace").to_owned()
}

/// The hub's program, built beside the tests.
pub fn program() -> PathBuf {
    let own = std::env::current_exe().expect("the test's own program");
    let built = own.ancestors().map(|folder| folder.join("cordboard")).find(|path| path.is_file());
    built.expect("the hub's program is not built: run the tests with `cargo xtask test`")
}

/// The folder of built components.
pub fn components() -> PathBuf {
    let folder = workspace().join("dist/components");
    assert!(
        folder.join("vtiger.wasm").is_file(),
        "the components are not built: run the tests with `cargo xtask test`, or `cargo xtask build` before"
    );
    folder
}

/// A folder of the hub's own with these components.
fn gathered(folder: &Path, names: &[&str]) -> PathBuf {
    let own = folder.join("components");
    std::fs::create_dir_all(&own).expect("a folder for components");
    for name in names {
        std::fs::copy(crate::built::component(name), own.join(format!("{name}.wasm"))).expect("a component");
    }
    own
}

/// Where compiled components are kept between tests, so that only the first hub compiles them.
fn compiled() -> PathBuf {
    workspace().join("target/compiled-for-tests")
}

/// Gives the hub of this folder what was compiled before.
pub fn share_compiled(folder: &Path) {
    copy_all(&compiled(), &folder.join("data/compiled"));
}

/// Keeps what the hub of this folder has compiled.
pub fn keep_compiled(folder: &Path) {
    copy_all(&folder.join("data/compiled"), &compiled());
}

/// Copies files that are not there yet, each in one step.
fn copy_all(from: &Path, to: &Path) {
    let Ok(files) = std::fs::read_dir(from) else { return };
    if std::fs::create_dir_all(to).is_err() {
        return;
    }
    for file in files.flatten() {
        let target = to.join(file.file_name());
        if !target.exists() {
            let partial = to.join(format!("{}.{}", file.file_name().to_string_lossy(), std::process::id()));
            if std::fs::copy(file.path(), &partial).is_ok() {
                let _ = std::fs::rename(&partial, &target);
            }
        }
    }
}
