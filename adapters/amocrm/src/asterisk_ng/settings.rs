//! The setting `asterisk_ng`: which of the old server's addresses are served, and how.

use serde::{Deserialize, Serialize};

/// The setting `asterisk_ng`. See the schema for what each means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the schema describes each")]
pub struct AsteriskNg {
    pub login: Option<String>,
    pub password: Option<String>,
    pub short: bool,
    pub zone: String,
    pub secret_key: Option<String>,
    pub disposable_token: bool,
    pub redirect_context: Option<String>,
    pub trunk_prefix: String,
    pub outbound: Vec<(String, String)>,
    pub records: Option<Records>,
}

/// The setting `asterisk_ng.records`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "the schema describes each")]
pub struct Records {
    pub source: String,
    pub convert: bool,
    pub unsigned: bool,
    pub unsigned_before: Option<String>,
    pub cdr: bool,
    pub cdr_table: String,
    pub calldate_column: String,
    pub recordingfile_column: String,
    pub media_root: String,
}

impl Default for AsteriskNg {
    fn default() -> Self {
        Self {
            login: None,
            password: None,
            short: false,
            zone: "UTC".into(),
            secret_key: None,
            disposable_token: false,
            redirect_context: None,
            trunk_prefix: String::new(),
            outbound: vec![],
            records: None,
        }
    }
}

impl Default for Records {
    fn default() -> Self {
        Self {
            source: "pbx".into(),
            convert: true,
            unsigned: true,
            unsigned_before: None,
            cdr: false,
            cdr_table: "cdr".into(),
            calldate_column: "calldate".into(),
            recordingfile_column: "recordingfile".into(),
            media_root: "/var/spool/asterisk/monitor/%Y/%m/%d/".into(),
        }
    }
}
