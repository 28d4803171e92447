//! `cordboard.toml`: what concerns the whole hub.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::{Node, Table};
use super::media::Fetching;
use super::networks::Networks;
use super::recordings::Serving;
use super::secret::Secret;
use super::suggest::suggestion;

/// The hub's own settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Hub {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where its truth is kept.
    pub store: StoreAddress,
    /// The folder of components.
    pub components: PathBuf,
    /// The folder for what the hub writes: the SQLite file, compiled components.
    pub data: PathBuf,
    /// The proxies in front of it, whose word is taken for where a request comes from.
    pub proxies: Networks,
    /// How the outside reaches it, without a slash at the end, if the configuration says so.
    pub public_url: Option<String>,
    /// Who may call the API; nobody when absent.
    pub auth: Option<Auth>,
    /// Seals grants and secrets at rest; absent when the configuration names no key.
    pub encryption: Option<EncryptionKey>,
    /// Bounds on what comes in.
    pub limits: Limits,
    /// Who is told when a delivery is parked or a lane pauses.
    pub alerts: Alerts,
    /// How long things are kept, where a tenant says nothing else.
    pub retention: Retention,
    /// How recordings are served.
    pub recordings: Serving,
    /// How media of messages is fetched and kept.
    pub media: Fetching,
    /// The log.
    pub log: Log,
}

/// Where the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreAddress {
    /// A file of the embedded store.
    Sqlite(PathBuf),
    /// A PostgreSQL server, by URL: it may hold a password.
    Postgres(Secret),
}

/// Who may call the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// What tokens are signed with.
    pub keys: TokenKeys,
    /// Only tokens of this issuer.
    pub issuer: Option<String>,
    /// Only tokens for this audience.
    pub audience: Option<String>,
}

/// What tokens are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKeys {
    /// HS256 with this secret.
    Secret(Secret),
    /// The public keys at this address.
    Jwks(String),
}

/// 32 bytes that seal grants and secrets at rest.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey(pub [u8; 32]);

impl std::fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Bounds on what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body: usize,
    /// Open connections.
    pub connections: usize,
    /// Open live sockets of one tenant.
    pub sockets: usize,
    /// Requests in a second from one address; 0 for no bound.
    pub requests_per_second: u32,
}

/// Who is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alerts {
    /// An address to post to; it may hold a token.
    pub webhook: Option<Secret>,
    /// Mail.
    pub mail: Option<Mail>,
}

/// How alerts are mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The server as a URL: `smtps://user:password@mail.example.com`.
    pub smtp: Secret,
    /// The sender.
    pub from: String,
    /// The receivers.
    pub to: Vec<String>,
}

/// How long things are kept; absent means for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// What came in, raw.
    pub intake: Option<Duration>,
    /// Events of the live feed.
    pub events: Option<Duration>,
    /// Attempts with their exchanges.
    pub attempts: Option<Duration>,
    /// Finished deliveries.
    pub deliveries: Option<Duration>,
    /// Records.
    pub records: Option<Duration>,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// One JSON object on a line, instead of text for people.
    pub json: bool,
    /// `error`, `warn`, `info`, `debug`, `trace`, or filter directives.
    pub level: String,
}

const DAY: Duration = Duration::from_secs(86_400);

impl Default for Limits {
    fn default() -> Self {
        Limits { body: 1 << 20, connections: 10_000, sockets: 10_000, requests_per_second: 0 }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            intake: Some(30 * DAY),
            events: Some(30 * DAY),
            attempts: Some(14 * DAY),
            deliveries: Some(400 * DAY),
            records: None,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { json: false, level: "info".to_owned() }
    }
}

impl Hub {
    /// What holds in `folder` when the file says nothing.
    pub fn new(folder: &Path) -> Self {
        let data = folder.join("data");
        Hub {
            listen: SocketAddr::from(([127, 0, 0, 1], 8420)),
            store: StoreAddress::Sqlite(data.join("cordboard.db")),
            components: folder.join("components"),
            data,
            proxies: Networks::default(),
            public_url: None,
            auth: None,
            encryption: None,
            limits: Limits::default(),
            alerts: Alerts::default(),
            retention: Retention::default(),
            recordings: Serving::default(),
            media: Fetching::default(),
            log: Log::default(),
        }
    }

    /// How it is reached, as far as it knows.
    pub fn address(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{}", self.listen))
    }

    pub(super) fn read(table: &Table<'_>) -> Self {
        let folder = table.document.folder;
        let mut hub = Hub::new(folder);
        let path = |key| table.take(key).and_then(|node| node.text()).map(|text| folder.join(text));
        if let Some(address) = table.take("listen").and_then(|node| node.parse()) {
            hub.listen = address;
        }
        if let Some(components) = path("components") {
            hub.components = components;
        }
        if let Some(data) = path("data") {
            hub.store = StoreAddress::Sqlite(data.join("cordboard.db"));
            hub.data = data;
        }
        hub.store = table.take("store").and_then(|node| store(&node, folder)).unwrap_or(hub.store);
        hub.proxies = Networks::read(table, "proxies");
        hub.public_url = table.take("public_url").and_then(|node| {
            let text = node.text().filter(|text| web_address(&node, text))?;
            Some(text.trim_end_matches('/').to_owned())
        });
        hub.auth = auth(table);
        hub.encryption = encryption(table);
        if let Some(limits) = table.take("limits").and_then(|node| node.table()) {
            hub.limits = Limits::read(&limits);
        }
        if let Some(alerts) = table.take("alerts").and_then(|node| node.table()) {
            hub.alerts = Alerts::read(&alerts);
        }
        hub.retention = Retention::read(table, hub.retention);
        hub.recordings = Serving::read(table);
        hub.media = Fetching::read(table);
        if let Some(log) = table.take("log").and_then(|node| node.table()) {
            hub.log.json =
                log.take("format").and_then(|node| node.word(&[("text", false), ("json", true)])).unwrap_or(false);
            if let Some(node) = log.take("level")
                && let Some(level) = node.text()
            {
                hub.log.level = level.to_owned();
                check_level(&node, level);
            }
        }
        hub
    }
}

/// Whether a text is an address of the web.
fn web_address(node: &Node<'_>, text: &str) -> bool {
    let parsed = url::Url::parse(text);
    let good = parsed.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if !good {
        let hint = Some("write `https://hub.example.com`, say".to_owned());
        node.problem(format!("`{}` is not an address that begins with `http://` or `https://`", node.path), hint);
    }
    good
}

fn check_level(node: &Node<'_>, level: &str) {
    let words = ["error", "warn", "info", "debug", "trace", "off"];
    if level.contains(['=', ',']) {
        if let Err(why) = level.parse::<tracing_subscriber::filter::Targets>() {
            node.problem(format!("`{level}` is not a filter of the log: {why}"), None);
        }
    } else if !words.contains(&level) {
        node.problem(format!("`{level}` is not a level of the log"), Some(suggestion(level, words.into_iter())));
    }
}

fn store(node: &Node<'_>, folder: &Path) -> Option<StoreAddress> {
    let address = node.text_or_kept()?;
    let text = address.reveal();
    if let Some(file) = text.strip_prefix("sqlite:") {
        return Some(StoreAddress::Sqlite(folder.join(file.trim_start_matches("//"))));
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Some(StoreAddress::Postgres(address));
    }
    node.problem(
        "`store` is neither `sqlite:…` nor `postgres://…`",
        Some("write `sqlite:data/cordboard.db` or `postgres://user@host/database`".to_owned()),
    );
    None
}

fn auth(table: &Table<'_>) -> Option<Auth> {
    let Some(node) = table.take("auth") else {
        let found = table.document.keeper.variable("CORDBOARD_JWT_SECRET").filter(|found| !found.is_empty());
        let keys = found.map(|found| TokenKeys::Secret(Secret::new(found)));
        return keys.map(|keys| Auth { keys, issuer: None, audience: None });
    };
    let auth = node.table()?;
    let words = |key| auth.take(key).and_then(|node| node.text()).map(str::to_owned);
    let (issuer, audience) = (words("issuer"), words("audience"));
    let keys = match (auth.take("secret"), auth.take("jwks")) {
        (Some(_), Some(jwks)) => {
            jwks.problem("`auth` has both a `secret` and a `jwks`", Some("keep one of them".to_owned()));
            None
        }
        (Some(secret), None) => secret.secret().map(TokenKeys::Secret),
        (None, Some(jwks)) => {
            jwks.text().filter(|text| web_address(&jwks, text)).map(|text| TokenKeys::Jwks(text.to_owned()))
        }
        (None, None) => {
            auth.problem("`auth` has neither a `secret` nor a `jwks`", None);
            None
        }
    };
    keys.map(|keys| Auth { keys, issuer, audience })
}

fn encryption(table: &Table<'_>) -> Option<EncryptionKey> {
    let kept;
    let node;
    match table.take("keys").and_then(|node| node.table()) {
        Some(keys) => {
            node = keys.need("encryption");
            kept = node.as_ref()?.secret()?;
        }
        None => {
            node = None;
            kept = Secret::new(table.document.keeper.variable("CORDBOARD_KEY").filter(|found| !found.is_empty())?);
        }
    }
    let key = encryption_key(kept.reveal());
    if key.is_none() {
        let what = "the encryption key is not 32 bytes in base64 or hex";
        let hint = Some("make one with `openssl rand -base64 32`".to_owned());
        match node {
            Some(node) => node.problem(what, hint),
            None => table.problem(format!("`CORDBOARD_KEY`: {what}"), hint),
        }
    }
    key
}

fn encryption_key(text: &str) -> Option<EncryptionKey> {
    use base64::Engine;
    let text = text.trim();
    let bytes = hex::decode(text).ok().or_else(|| base64::engine::general_purpose::STANDARD.decode(text).ok())?;
    bytes.try_into().ok().map(EncryptionKey)
}

impl Limits {
    fn read(table: &Table<'_>) -> Self {
        let mut limits = Limits::default();
        if let Some(body) = table.take("body").and_then(|node| node.size()) {
            limits.body = usize::try_from(body).unwrap_or(usize::MAX);
        }
        let number = |key, least| table.take(key).and_then(|node| node.number(least..=10_000_000));
        let count = |number: Option<u64>, or: usize| number.and_then(|n| n.try_into().ok()).unwrap_or(or);
        limits.connections = count(number("connections", 1), limits.connections);
        limits.sockets = count(number("sockets", 1), limits.sockets);
        let rate = number("requests_per_second", 0);
        limits.requests_per_second = rate.and_then(|n| n.try_into().ok()).unwrap_or(limits.requests_per_second);
        limits
    }
}

impl Alerts {
    fn read(table: &Table<'_>) -> Self {
        let webhook = table.take("webhook").and_then(|node| {
            let address = node.text_or_kept()?;
            web_address(&node, address.reveal()).then_some(address)
        });
        let mail = table.take("mail").and_then(|node| node.table()).and_then(|mail| {
            let smtp = mail.need("smtp").and_then(|node| node.text_or_kept());
            let from = mail.need("from").and_then(|node| node.text());
            let to = mail.need("to").map(|node| node.texts()).unwrap_or_default();
            let to: Vec<String> = to.into_iter().map(|(text, _)| text.to_owned()).collect();
            if to.is_empty() || to.iter().any(|to| !to.contains('@')) {
                mail.problem("`alerts.mail.to` must name addresses such as `ops@example.com`", None);
            }
            Some(Mail { smtp: smtp?, from: from?.to_owned(), to })
        });
        Alerts { webhook, mail }
    }
}

impl Retention {
    pub(super) fn read(table: &Table<'_>, mut or: Retention) -> Self {
        let Some(table) = table.take("retention").and_then(|node| node.table()) else { return or };
        let places = [
            ("intake", &mut or.intake),
            ("events", &mut or.events),
            ("attempts", &mut or.attempts),
            ("deliveries", &mut or.deliveries),
            ("records", &mut or.records),
        ];
        for (key, place) in places {
            let Some(node) = table.take(key) else { continue };
            match node.text() {
                Some("forever") => *place = None,
                Some(_) => match node.duration() {
                    Some(length) if length < Duration::from_secs(60) => {
                        let hint = Some("write a length of time like `30d`, or `forever`".to_owned());
                        node.problem(format!("`retention.{key}` would keep nothing"), hint);
                    }
                    length => *place = length.or(*place),
                },
                None => {}
            }
        }
        or
    }
}
