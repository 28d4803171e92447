//! What a tenant's file says about this source, made ready for use.

use std::cell::RefCell;
use std::rc::Rc;

use cordboard_sdk::Host;
use cordboard_sdk::serde_json;
use cordboard_sdk::vocabulary::Failure;
use serde::{Deserialize, Serialize};

use crate::proof::Proof;
use crate::time::Clock;

/// The schema that the hub checks settings against.
pub const SCHEMA: &str = include_str!("../settings.schema.json");

/// The settings, defaults put in. See the schema for what each means.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    pub url: String,
    pub sessions: Vec<String>,
    pub secret: Secrets,
    pub auth: Auth,
    pub api_key: Option<String>,
    pub api_key_header: String,
    pub identifier: Option<String>,
    pub password: Option<String>,
    pub login_path: String,
    pub login_field: String,
    pub refresh_path: String,
    pub signature: Signature,
    pub freshness: Freshness,
    pub replay_memory: u64,
    pub zone: String,
    pub ack_numbers: Numbers,
    pub status_numbers: Numbers,
    pub status_posts: bool,
    pub channels: bool,
    pub view_once: bool,
    pub sync: Sync,
    pub repair: Repair,
    pub messages_path: MessagesPath,
    pub media: Media,
    pub media_url: Option<String>,
    pub webhook: Webhook,
}

/// One secret or several.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Secrets {
    One(String),
    Several(Vec<String>),
}

impl Secrets {
    /// All of them, the one to give out first.
    pub fn all(&self) -> &[String] {
        match self {
            Self::One(secret) => std::slice::from_ref(secret),
            Self::Several(secrets) => secrets,
        }
    }
}

/// How requests are proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    ApiKeyAndJwt,
    ApiKey,
    Jwt,
}

/// Which family of numbers a status is told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    Web,
    Baileys,
}

/// Where messages of a chat are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessagesPath {
    Query,
    Path,
}

/// How media is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Media {
    Link,
    Upload,
}

/// The hash of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    Sha256,
    Sha512,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    Hex,
    Base64,
}

/// What is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signed {
    #[serde(rename = "{body}")]
    Body,
    #[serde(rename = "{timestamp}.{body}")]
    TimestampAndBody,
}

/// How webhooks are signed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Signature {
    pub headers: Vec<String>,
    pub algorithm: Algorithm,
    pub encoding: Encoding,
    pub prefix: String,
    pub signed: Signed,
    pub list: bool,
}

/// How old webhooks may be.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Freshness {
    pub header: String,
    pub tolerance: u64,
    pub required: bool,
}

/// Reading contacts, chats and messages.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sync {
    pub auto: bool,
    pub delay: u64,
    pub min_interval: u64,
    pub chats: usize,
    pub messages: usize,
    pub reserve: u64,
    pub pages: u32,
}

/// Reading what was missed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repair {
    pub auto: bool,
    pub every: u64,
    pub hours: u64,
}

/// The route by which the webhook is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Register {
    PostWebhooks,
    Organization,
    SessionCreate,
    SessionPut,
    Manual,
}

/// What `webhook.register` tells the server.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    pub register: Register,
    pub url: Option<String>,
    pub name: String,
    pub organization: Option<String>,
    pub events: Vec<String>,
}

/// The eleven events that a server announces.
const EVENTS: [&str; 11] = [
    "message.received",
    "message.sent",
    "message.delivered",
    "message.read",
    "message.failed",
    "session.connected",
    "session.disconnected",
    "session.qr",
    "contact.updated",
    "chat.archived",
    "chat.unarchived",
];

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            sessions: vec![],
            secret: Secrets::Several(vec![]),
            auth: Auth::ApiKeyAndJwt,
            api_key: None,
            api_key_header: "X-API-Key".into(),
            identifier: None,
            password: None,
            login_path: "/api/auth/login".into(),
            login_field: "identifier".into(),
            refresh_path: "/api/auth/refresh-token".into(),
            signature: Signature::default(),
            freshness: Freshness::default(),
            replay_memory: 48,
            zone: "UTC".into(),
            ack_numbers: Numbers::Web,
            status_numbers: Numbers::Baileys,
            status_posts: false,
            channels: false,
            view_once: false,
            sync: Sync::default(),
            repair: Repair::default(),
            messages_path: MessagesPath::Query,
            media: Media::Link,
            media_url: None,
            webhook: Webhook::default(),
        }
    }
}

impl Default for Signature {
    fn default() -> Self {
        Self {
            headers: vec!["X-Webhook-Signature".into()],
            algorithm: Algorithm::Sha256,
            encoding: Encoding::Hex,
            prefix: "sha256=".into(),
            signed: Signed::Body,
            list: false,
        }
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self { header: "X-Webhook-Timestamp".into(), tolerance: 300, required: false }
    }
}

impl Default for Sync {
    fn default() -> Self {
        Self { auto: true, delay: 15, min_interval: 900, chats: 20, messages: 50, reserve: 5, pages: 1000 }
    }
}

impl Default for Repair {
    fn default() -> Self {
        Self { auto: true, every: 900, hours: 24 }
    }
}

impl Default for Webhook {
    fn default() -> Self {
        Self {
            register: Register::PostWebhooks,
            url: None,
            name: "Cordboard".into(),
            organization: None,
            events: EVENTS.map(str::to_owned).into(),
        }
    }
}

/// The settings made ready.
pub struct Plan {
    /// As they stand in the file.
    pub settings: Settings,
    /// What a webhook must show.
    pub proof: Proof,
    /// Reads times.
    pub clock: Clock,
}

impl Plan {
    /// Makes settings ready.
    pub fn new(settings: &str) -> Result<Self, String> {
        let settings: Settings = serde_json::from_str(settings).map_err(|error| error.to_string())?;
        if settings.url.is_empty() || settings.sessions.is_empty() {
            return Err("`url` and `sessions` must be set".to_owned());
        }
        let proof = Proof::new(&settings)?;
        let clock = Clock::new(&settings.zone)?;
        Ok(Self { settings, proof, clock })
    }

    /// The settings of a use made ready, or why they cannot be.
    pub fn of(host: &dyn Host) -> Result<Rc<Self>, Failure> {
        ready(host).as_ref().clone().map_err(Failure::misconfigured)
    }

    /// The server's address without a slash at its end.
    pub fn site(&self) -> &str {
        self.settings.url.trim_end_matches('/')
    }

    /// Whether the session is the tenant's.
    pub fn has(&self, session: &str) -> bool {
        self.settings.sessions.iter().any(|own| own == session)
    }
}

type Ready = Rc<Result<Rc<Plan>, String>>;

thread_local! {
    /// The settings that were made ready last.
    static READY: RefCell<Option<(String, Ready)>> = const { RefCell::new(None) };
}

/// The settings made ready. A component's settings never change while an instance lives; natively one thread may play
/// several.
pub fn ready(host: &dyn Host) -> Ready {
    READY.with_borrow_mut(|ready| {
        if let Some((settings, plan)) = ready
            && (cfg!(target_family = "wasm") || settings == host.settings())
        {
            return plan.clone();
        }
        let settings = host.settings().to_owned();
        let plan = Rc::new(Plan::new(&settings).map(Rc::new));
        if let Err(why) = plan.as_ref() {
            host.error(format!("every request is refused: {why}"));
        }
        *ready = Some((settings, plan.clone()));
        plan
    })
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::serde_json::{Value, json};

    use super::*;

    /// Each property of a schema has a description, and the default that the code has.
    fn agree(schema: &Value, defaults: &Value, place: &str) {
        assert_eq!(schema["additionalProperties"], false, "{place}");
        let properties = schema["properties"].as_object().unwrap();
        let defaults = defaults.as_object().unwrap();
        assert_eq!(properties.len(), defaults.len(), "{place}");
        for (name, property) in properties {
            assert!(property["description"].is_string(), "{place}/{name} has a description");
            let value = &defaults[name];
            if property["type"] == "object" {
                agree(property, value, name);
            } else if let Some(default) = property.get("default") {
                assert_eq!(default, value, "{place}/{name}");
            } else {
                assert!(
                    value.is_null() || ["url", "sessions", "secret"].contains(&name.as_str()),
                    "{place}/{name} has a default that the schema does not tell"
                );
            }
        }
    }

    #[test]
    fn the_schema_says_what_jobs_may_be_given() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let fits = |kind: &str, parameters: Value| {
            let options = jsonschema::options().should_validate_formats(true);
            options.build(&schema["x-jobs"][kind]).unwrap().is_valid(&parameters)
        };
        assert!(fits("sync", json!({})));
        assert!(fits("repair", json!({"since": "2026-11-20T08:00:00Z", "chat": "+34 600 111 222"})));
        assert!(!fits("sync", json!({"since": "2026-11-20T08:00:00Z"})));
        for wrong in [json!({"since": "yesterday"}), json!({"since": 1}), json!({"chat": ""}), json!({"chats": "1"})] {
            assert!(!fits("repair", wrong.clone()), "{wrong}");
        }
    }

    #[test]
    fn the_schema_says_what_the_code_does() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        agree(&schema, &serde_json::to_value(Settings::default()).unwrap(), "");
        for secret in ["secret", "api_key", "password"] {
            assert_eq!(schema["properties"][secret]["writeOnly"], true, "{secret}");
        }
        let validator = jsonschema::validator_for(&schema).unwrap();
        let own = json!({"url": "https://inbox.example.com", "sessions": ["main"], "secret": ["a", "b"]});
        assert!(validator.is_valid(&own));
        assert!(Plan::new(&own.to_string()).is_ok());
        for (name, wrong) in [
            ("sesions", json!("main")),
            ("url", json!("inbox.example.com")),
            ("sessions", json!([])),
            ("sessions", json!(["a b"])),
            ("secret", json!("")),
            ("auth", json!("none")),
            ("sync", json!({"chat": 1})),
            ("signature", json!({"algorithm": "md5"})),
        ] {
            let mut wrong_one = own.clone();
            wrong_one[name] = wrong.clone();
            assert!(!validator.is_valid(&wrong_one), "{name}: {wrong}");
        }
    }
}
