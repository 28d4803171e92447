//! Whom a component found.

use serde::{Deserialize, Serialize};

/// Somebody in the outside system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The id over there.
    pub external_id: String,
    /// `contact`, `lead`, `account`, ….
    pub kind: String,
    /// Their name.
    pub name: String,
    /// Their page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The responsible user's id over there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What the contract has no field for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<(String, String)>,
}
