//! What a tenant's file says about this sink.

use std::collections::BTreeMap;

use cordboard_sdk::crm;
use serde::{Deserialize, Serialize};

/// The schema that the hub checks settings against.
pub const SCHEMA: &str = include_str!("../settings.schema.json");

/// The settings, defaults put in. See the schema for what each means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub url: String,
    pub username: String,
    pub access_key: String,
    pub module: String,
    pub fields: BTreeMap<String, String>,
    pub constants: BTreeMap<String, String>,
    pub owner: Option<String>,
    pub owners: BTreeMap<String, String>,
    pub owners_by_extension: bool,
    pub link: Vec<String>,
    pub ambiguous: Ambiguous,
    pub digits: usize,
    pub recording: Recordings,
    pub recordings_url: Option<String>,
    pub recording_limit: u64,
    pub statuses: BTreeMap<String, String>,
    pub gateway: String,
    pub visibility: String,
    pub call_id: CallId,
}

/// What to do when several people have the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ambiguous {
    /// Link the newest.
    Newest,
    /// Link nobody.
    Unlinked,
}

/// What becomes of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Recordings {
    /// Their link is written.
    Link,
    /// And the file is attached to the person.
    Document,
}

/// What a call is known by in Vtiger.
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
            username: String::new(),
            access_key: String::new(),
            module: "PBXManager".into(),
            fields: BTreeMap::new(),
            constants: BTreeMap::new(),
            owner: None,
            owners: BTreeMap::new(),
            owners_by_extension: true,
            link: ["Contacts", "Leads", "Accounts"].map(String::from).into(),
            ambiguous: Ambiguous::Newest,
            digits: 8,
            recording: Recordings::Link,
            recordings_url: None,
            recording_limit: 20,
            statuses: BTreeMap::new(),
            gateway: "cordboard".into(),
            visibility: "Public".into(),
            call_id: CallId::Id,
        }
    }
}

impl Settings {
    /// The site without its script: what pages are linked under.
    pub fn site(&self) -> &str {
        let site = self.url.trim().trim_end_matches('/');
        let site = site.strip_suffix("/webservice.php").or_else(|| site.strip_suffix("/index.php")).unwrap_or(site);
        site.trim_end_matches('/')
    }

    /// A record's page.
    pub fn page(&self, module: &str, id: &str) -> Option<String> {
        let number = id.split_once('x')?.1;
        Some(format!("{}/index.php?module={module}&view=Detail&record={number}", self.site()))
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
        assert_eq!(schema["required"], serde_json::json!(["url", "username", "access_key"]));
        assert_eq!(schema["properties"]["access_key"]["writeOnly"], true);
        let own = serde_json::json!({"url": "https://crm.example.com", "username": "hub", "access_key": "x"});
        assert!(validator.is_valid(&own));
        for (name, wrong) in [("modul", "Events"), ("url", "crm.example.com"), ("ambiguous", "all"), ("digits", "8")] {
            let mut wrong_one = own.clone();
            wrong_one[name] = wrong.into();
            assert!(!validator.is_valid(&wrong_one), "{name}");
        }
    }

    #[test]
    fn the_site_is_what_stands_before_its_scripts() {
        for url in
            ["https://c.test/v/", "https://c.test/v", "https://c.test/v/index.php", "https://c.test/v/webservice.php"]
        {
            let settings = Settings { url: url.into(), ..Settings::default() };
            assert_eq!(settings.site(), "https://c.test/v");
            let page = settings.page("Events", "18x106");
            assert_eq!(page.as_deref(), Some("https://c.test/v/index.php?module=Events&view=Detail&record=106"));
        }
    }
}
