//! Who asks, and what is asked.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::config::Tenant;
use crate::model::Agent;

/// Somebody who asks.
#[derive(Clone, Debug)]
pub struct Asker {
    /// Whose sources are asked.
    pub tenant: Arc<Tenant>,
    /// Who it is.
    pub name: String,
    /// An agent's own extensions; absent for those who may act for the whole tenant.
    pub desk: Option<Arc<[String]>>,
}

impl Asker {
    /// Whether they see what others asked.
    pub fn sees_all(&self) -> bool {
        self.desk.is_none()
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Chosen by whoever asks, the same when the same is asked again.
    pub key: String,
    /// Which source; the one that can, when absent.
    pub source: Option<String>,
    /// `call.originate`, ….
    pub name: String,
    /// For whom, when a component asks for somebody.
    pub agent: Option<Agent>,
    /// What the command needs, as the contract says.
    pub arguments: Map<String, Value>,
}
