//! What a tenant's file says about this sink.

use std::collections::BTreeMap;

use cordboard_sdk::crm;
use cordboard_sdk::vocabulary::Failure;
use serde::{Deserialize, Serialize};

/// The schema that the hub checks settings against.
pub const SCHEMA: &str = include_str!("../settings.schema.json");

/// Texts by name, by kind of record.
pub type ByKind = BTreeMap<String, BTreeMap<String, String>>;

/// The settings, defaults put in. See the schema for what each means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the schema describes each")]
pub struct Settings {
    pub url: String,
    pub auth: Auth,
    pub api_key: Option<String>,
    pub api_secret: Option<String>,
    pub access_token: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    pub refresh_token: Option<String>,
    pub username: Option<String>,
    pub password: Option<String>,
    pub time_zone: Option<String>,
    pub calls: Calls,
    pub whatsapp: WhatsApp,
    pub prefix: String,
    pub doctypes: BTreeMap<String, String>,
    pub fields: ByKind,
    pub constants: ByKind,
    pub statuses: ByKind,
    pub users: BTreeMap<String, String>,
    pub link: bool,
    pub digits: usize,
    pub recording: Recordings,
    pub recordings_url: Option<String>,
    pub media: Media,
    pub media_url: Option<String>,
    pub file_limit: u64,
    pub popup: Popup,
    pub exotel_key: Option<String>,
    pub counters: bool,
    pub role: String,
    pub bot: Option<String>,
    pub webhook_secret: Option<String>,
    pub webhook_secret_before: Option<String>,
    pub call_id: CallId,
}

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// A key pair in Frappe's own scheme.
    Token,
    /// The same key pair by HTTP Basic.
    Basic,
    /// A token that is used as it is.
    Bearer,
    /// OAuth 2, by a refresh token.
    Oauth,
    /// User name and password, for a session.
    Password,
}

/// Where calls are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Calls {
    /// Frappe CRM's `CRM Call Log`.
    Crm,
    /// ERPNext's `Call Log`.
    Erpnext,
    /// The telephony app's `TP Call Log`.
    Telephony,
    /// The DocType that `doctypes.call` names.
    Own,
    /// Nowhere.
    Off,
}

/// Where WhatsApp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhatsApp {
    /// DocTypes of the hub's own.
    Own,
    /// Those of an app that keeps an Inbox Hub.
    Existing,
    /// Nowhere.
    Off,
}

/// What becomes of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recordings {
    /// Their link is written.
    Link,
    /// The file is attached, and the call points to it.
    File,
    /// The file is attached, and the call keeps the link.
    Both,
}

/// What becomes of the files of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Media {
    /// Their link is written.
    Link,
    /// They are attached.
    File,
}

/// How a call that rings shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Popup {
    /// Not at all.
    Off,
    /// By the CRM's bell.
    Notification,
    /// By the CRM's call window.
    Exotel,
}

/// What a call is known by in Frappe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallId {
    /// Its id at the source.
    #[serde(rename = "id")]
    Id,
    /// The source's name and its id.
    #[serde(rename = "source:id")]
    SourceAndId,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            auth: Auth::Token,
            api_key: None,
            api_secret: None,
            access_token: None,
            client_id: None,
            client_secret: None,
            refresh_token: None,
            username: None,
            password: None,
            time_zone: None,
            calls: Calls::Crm,
            whatsapp: WhatsApp::Own,
            prefix: "Hub WhatsApp".into(),
            doctypes: BTreeMap::new(),
            fields: BTreeMap::new(),
            constants: BTreeMap::new(),
            statuses: BTreeMap::new(),
            users: BTreeMap::new(),
            link: true,
            digits: 9,
            recording: Recordings::Link,
            recordings_url: None,
            media: Media::Link,
            media_url: None,
            file_limit: 20,
            popup: Popup::Off,
            exotel_key: None,
            counters: true,
            role: "Hub Integration".into(),
            bot: None,
            webhook_secret: None,
            webhook_secret_before: None,
            call_id: CallId::Id,
        }
    }
}

impl Settings {
    /// The site without what a browser shows behind it.
    pub fn site(&self) -> &str {
        let site = self.url.trim().trim_end_matches('/');
        let site = ["/app", "/crm", "/desk", "/api"].iter().find_map(|end| site.strip_suffix(end)).unwrap_or(site);
        site.trim_end_matches('/')
    }

    /// A document's page in the desk.
    pub fn page(&self, doctype: &str, name: &str) -> String {
        let slug = doctype.to_lowercase().replace(' ', "-");
        format!("{}/app/{slug}/{}", self.site(), cordboard_sdk::http::encode(name))
    }

    /// A credential that the chosen way to log in cannot do without.
    pub fn needed<'s>(&self, value: &'s Option<String>, name: &str) -> Result<&'s str, Failure> {
        match value.as_deref().map(str::trim).filter(|value| !value.is_empty()) {
            // A line break in a header, or a blank in a key, makes Frappe take the caller for a guest.
            Some(value) if value.chars().any(|c| c.is_control()) => {
                Err(Failure::misconfigured(format!("the setting `{name}` holds a control character")))
            }
            Some(value) => Ok(value),
            None => Err(Failure::misconfigured(format!("this way to log in needs the setting `{name}`"))),
        }
    }

    /// What never stands in a text for people.
    pub fn secrets(&self) -> Vec<String> {
        [
            &self.api_key,
            &self.api_secret,
            &self.access_token,
            &self.client_secret,
            &self.refresh_token,
            &self.password,
            &self.exotel_key,
            &self.webhook_secret,
            &self.webhook_secret_before,
        ]
        .into_iter()
        .flatten()
        .cloned()
        .collect()
    }

    /// The role of the hub's user.
    pub fn role(&self) -> &str {
        self.role.trim()
    }

    /// A text by kind of record and name.
    pub fn word<'s>(map: &'s ByKind, kind: &str, name: &str) -> Option<&'s str> {
        map.get(kind)?.get(name).map(String::as_str)
    }

    /// Changes when anything is set differently: what was learnt under other settings is not used.
    pub fn stamp(&self) -> String {
        crm::stamp(self)
    }
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::testing::schema_agrees;

    use super::*;

    #[test]
    fn the_schema_says_what_the_code_does() {
        let schema = schema_agrees(SCHEMA, &Settings::default());
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert_eq!(schema["required"], serde_json::json!(["url"]));
        let properties = schema["properties"].as_object().unwrap();
        for (name, property) in properties {
            let secret = ["key", "secret", "token", "password"].iter().any(|word| name.split('_').any(|w| w == *word));
            assert_eq!(secret, property["writeOnly"] == true, "{name}");
        }
        let secrets = properties.values().filter(|property| property["writeOnly"] == true).count();
        let full = properties.iter().filter(|(_, property)| property["writeOnly"] == true);
        let all: serde_json::Map<String, serde_json::Value> =
            full.map(|(name, _)| (name.clone(), format!("secret of {name}").into())).collect();
        let settings: Settings = serde_json::from_value(all.into()).unwrap();
        assert_eq!(settings.secrets().len(), secrets, "each secret is known as one");
        let own = serde_json::json!({"url": "https://crm.example.com", "api_key": "k", "api_secret": "s"});
        assert!(validator.is_valid(&own));
        for (name, wrong) in [
            ("call", "CRM Call Log".into()),
            ("url", "crm.example.com".into()),
            ("auth", "magic".into()),
            ("digits", "8".into()),
            ("fields", serde_json::json!({"note": {}})),
            ("doctypes", serde_json::json!({"calls": "X"})),
            ("prefix", "<b>".into()),
        ] {
            let mut wrong_one = own.clone();
            wrong_one[name] = wrong;
            assert!(!validator.is_valid(&wrong_one), "{name}");
        }
    }

    #[test]
    fn the_site_is_what_stands_before_its_pages() {
        for url in ["https://c.test/", "https://c.test", "https://c.test/app", "https://c.test/crm/"] {
            let settings = Settings { url: url.into(), ..Settings::default() };
            assert_eq!(settings.site(), "https://c.test");
            assert_eq!(settings.page("CRM Call Log", "a/b #1"), "https://c.test/app/crm-call-log/a%2Fb%20%231");
        }
    }
}
