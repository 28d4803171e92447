//! What a tenant's file says about this sink.

use std::collections::BTreeMap;

use cordboard_sdk::vocabulary::Phone;
use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use crate::asterisk_ng::AsteriskNg;

/// The schema that the hub checks settings against.
pub const SCHEMA: &str = include_str!("../settings.schema.json");

/// The settings, defaults put in. See the schema for what each means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the schema describes each")]
pub struct Settings {
    pub url: String,
    pub token: Option<String>,
    pub client_id: Option<String>,
    pub client_secret: Option<String>,
    pub redirect_uri: Option<String>,
    pub code: Option<String>,
    pub refresh_token: Option<String>,
    pub source: String,
    pub source_uid: String,
    pub source_name: String,
    pub service_code: String,
    pub pipeline: Option<Pipeline>,
    pub unknown_inbound: Unknown,
    pub unknown_outbound: Unknown,
    pub one_lead_a_day: bool,
    pub hidden: String,
    pub client_corrector: Vec<(String, String)>,
    pub unanswered_outbound: bool,
    pub users_only: bool,
    pub statuses: BTreeMap<String, u8>,
    pub users: BTreeMap<String, User>,
    pub responsible: Vec<Responsible>,
    pub default_user: Option<User>,
    pub owner_of: OwnerOf,
    pub digits: usize,
    pub popup: bool,
    pub call_id: CallId,
    pub chat: Option<Chat>,
    pub chat_url: Option<String>,
    pub hook_token: Option<String>,
    pub asterisk_ng: Option<AsteriskNg>,
}

/// A pipeline by its id or its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Pipeline {
    /// By its id.
    Id(u64),
    /// By its name.
    Name(String),
}

/// A user by its id or its e-mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum User {
    /// By its id.
    Id(u64),
    /// By its e-mail, or its id as text.
    Text(String),
}

/// What becomes of a call with a number that amoCRM does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unknown {
    /// An incoming lead that waits to be accepted.
    IncomingLead,
    /// A contact, with the call.
    Contact,
    /// A contact and a lead, with the call.
    ContactAndLead,
    /// Nothing.
    Nothing,
}

/// Whose a call is that nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Responsible {
    /// The one who is responsible for the contact.
    ByEntity,
    /// The one who had the last call.
    LastActive,
    /// The setting `default_user`.
    Default,
}

/// Whose responsible user a caller is put through to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerOf {
    /// The contact's.
    Contact,
    /// The only active lead's, else the contact's.
    Lead,
}

/// What a call is known by in amoCRM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallId {
    /// Its id at the source.
    #[serde(rename = "id")]
    Id,
    /// The source's name and its id.
    #[serde(rename = "source:id")]
    SourceAndId,
}

/// The channel of the chat service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the schema describes each")]
pub struct Chat {
    pub channel: String,
    pub secret: String,
    pub bot: String,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub session: Option<String>,
    #[serde(default)]
    pub sources: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            token: None,
            client_id: None,
            client_secret: None,
            redirect_uri: None,
            code: None,
            refresh_token: None,
            source: "Cordboard".into(),
            source_uid: "cordboard".into(),
            source_name: "Cordboard".into(),
            service_code: "cordboard".into(),
            pipeline: None,
            unknown_inbound: Unknown::IncomingLead,
            unknown_outbound: Unknown::Nothing,
            one_lead_a_day: false,
            hidden: "hidden".into(),
            client_corrector: vec![],
            unanswered_outbound: true,
            users_only: false,
            statuses: BTreeMap::new(),
            users: BTreeMap::new(),
            responsible: vec![Responsible::Default],
            default_user: None,
            owner_of: OwnerOf::Contact,
            digits: 10,
            popup: true,
            call_id: CallId::Id,
            chat: None,
            chat_url: None,
            hook_token: None,
            asterisk_ng: None,
        }
    }
}

impl Settings {
    /// A client's number as cards and popups show it.
    pub fn shown(&self, phone: &Phone) -> String {
        if self.client_corrector.is_empty() {
            return phone.shown().to_owned();
        }
        self.client_corrector.iter().fold(phone.raw.trim().to_owned(), |number, (pattern, with)| {
            let Ok(pattern) = Regex::new(pattern) else { return number };
            pattern.replace_all(&number, with.as_str()).into_owned()
        })
    }

    /// The account's address as the settings have it, without its path.
    pub fn site(&self) -> &str {
        self.url.trim().trim_end_matches('/')
    }

    /// Where the chat service is: with Kommo's for accounts outside of amocrm.ru.
    pub fn chat_site(&self) -> &str {
        match &self.chat_url {
            Some(url) => url.trim().trim_end_matches('/'),
            None if self.site().ends_with(".ru") => "https://amojo.amocrm.ru",
            None => "https://amojo.kommo.com",
        }
    }
}

impl Pipeline {
    /// As the settings have it.
    pub fn text(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Name(name) => name.clone(),
        }
    }
}

impl User {
    /// As the settings have it.
    pub fn text(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::serde_json::{self, json};

    use super::*;

    #[test]
    fn the_schema_says_what_the_code_does() {
        let schema: serde_json::Value = serde_json::from_str(SCHEMA).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let defaults = serde_json::to_value(Settings::default()).unwrap();
        let properties = schema["properties"].as_object().unwrap();
        for (name, value) in defaults.as_object().unwrap() {
            let property = &properties[name];
            assert!(property["title"].is_string() && property["description"].is_string(), "{name}");
            if name != "url" && !value.is_null() {
                assert_eq!(property["default"], *value, "{name}");
            }
        }
        assert_eq!(properties.len(), defaults.as_object().unwrap().len());
        let own = json!({
            "url": "https://acme.amocrm.ru", "token": "t", "pipeline": "Sales", "users": {"101": 7, "102": "a@b.c"},
            "responsible": ["by_entity", "last_active"], "statuses": {"busy": 6},
            "chat": {"channel": "344a5002-f8ca", "secret": "s", "bot": "b", "sources": {"main": "wa-1"}},
        });
        assert!(
            validator.is_valid(&own),
            "{:?}",
            validator.iter_errors(&own).map(|e| e.to_string()).collect::<Vec<_>>()
        );
        let read: Settings = serde_json::from_value(own.clone()).unwrap();
        assert_eq!(read.users["102"], User::Text("a@b.c".into()));
        for (name, wrong) in [
            ("url", json!("acme.amocrm.ru")),
            ("url", json!("https://acme.amocrm.ru/leads")),
            ("pipline", json!(1)),
            ("unknown_outbound", json!("incoming-lead")),
            ("responsible", json!(["nobody"])),
            ("statuses", json!({"busy": 9})),
            ("chat", json!({"channel": "x"})),
            ("hook_token", json!("short")),
        ] {
            let mut wrong_one = own.clone();
            wrong_one[name] = wrong;
            assert!(!validator.is_valid(&wrong_one), "{name}");
        }
    }

    #[test]
    fn the_chat_is_where_the_account_is() {
        let of = |url: &str| Settings { url: url.into(), ..Settings::default() };
        assert_eq!(of("https://acme.amocrm.ru/").chat_site(), "https://amojo.amocrm.ru");
        assert_eq!(of("https://acme.kommo.com").chat_site(), "https://amojo.kommo.com");
        let own = Settings { chat_url: Some("http://127.0.0.1:1/".into()), ..of("https://acme.kommo.com") };
        assert_eq!(own.chat_site(), "http://127.0.0.1:1");
    }
}
