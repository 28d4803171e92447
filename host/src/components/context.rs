//! What a use gives to every call of its component: settings, grant, secrets, limits, and the way out.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use serde_json::Value;

use super::allow::Allowed;
use super::contract::Grant;
use super::database::Databases;
use super::egress::{Egress, World};
use super::inside::{Asking, Inside};
use super::limits::Limits;
use super::redact::Redactor;
use super::runtime::Runtime;
use crate::model::Numbering;

/// One component with one tenant's settings.
pub(super) struct Context {
    pub tenant: String,
    pub name: String,
    pub settings: String,
    pub limits: Limits,
    pub egress: Arc<Egress>,
    pub databases: Arc<Databases>,
    pub access: Arc<Access>,
    pub numbering: Arc<Numbering>,
    /// Absent while a component is only being described.
    pub runtime: Option<Arc<Runtime>>,
}

/// The grant of a use, and what hides it. Outlives a change of the component.
pub(super) struct Access {
    grant: ArcSwapOption<Grant>,
    secrets: Mutex<Vec<String>>,
    redactor: ArcSwap<Redactor>,
}

impl Access {
    pub fn new(secrets: Vec<String>) -> Self {
        let redactor = ArcSwap::from_pointee(Redactor::new(secrets.iter().cloned()));
        Access { grant: ArcSwapOption::empty(), secrets: Mutex::new(secrets), redactor }
    }

    /// Adds to what must not be seen.
    pub fn learn(&self, secrets: Vec<String>) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).extend(secrets);
        self.set(self.grant().map(|grant| grant.as_ref().clone()));
    }

    pub fn set(&self, grant: Option<Grant>) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        secrets.extend(grant.as_ref().map(|grant| grant.token.clone()));
        self.redactor.store(Arc::new(Redactor::new(secrets)));
        self.grant.store(grant.map(Arc::new));
    }

    pub fn grant(&self) -> Option<Arc<Grant>> {
        self.grant.load_full()
    }

    pub fn redactor(&self) -> Arc<Redactor> {
        self.redactor.load_full()
    }
}

impl Context {
    /// Who asks, when the component asks about its tenant.
    pub fn asking(&self) -> Asking<'_> {
        Asking { tenant: &self.tenant, name: &self.name }
    }

    /// Who answers it.
    pub fn inside(&self) -> Option<Arc<dyn Inside>> {
        self.runtime.as_ref()?.inside()
    }

    /// For asking a component who it is: nothing to know, nowhere to go.
    pub fn nowhere(file: &str, limits: Limits, world: World) -> Self {
        Context {
            tenant: String::new(),
            name: file.to_owned(),
            settings: "{}".to_owned(),
            egress: Arc::new(Egress::new(Allowed { asked: Some(vec![]), granted: vec![] }, world, limits.clone())),
            databases: Arc::default(),
            limits,
            access: Arc::new(Access::new(Vec::new())),
            numbering: Arc::default(),
            runtime: None,
        }
    }
}

/// The values of all settings that the schema marks as secrets.
pub(super) fn marked(schema: &Value, settings: &Value, into: &mut Vec<String>) {
    if schema.get("writeOnly") == Some(&Value::Bool(true)) {
        texts(settings, into);
    }
    if let (Some(Value::Object(members)), Value::Object(values)) = (schema.get("properties"), settings) {
        for (name, schema) in members {
            if let Some(value) = values.get(name) {
                marked(schema, value, into);
            }
        }
    }
    if let (Some(Value::Object(_)), Value::Object(values)) = (schema.get("additionalProperties"), settings) {
        values.values().for_each(|value| marked(&schema["additionalProperties"], value, into));
    }
    if let (Some(items), Value::Array(values)) = (schema.get("items"), settings) {
        values.iter().for_each(|value| marked(items, value, into));
    }
}

fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(members) => members.values().for_each(|member| texts(member, into)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_by_the_schema() {
        let schema = json!({"properties": {
            "key": {"type": "string", "writeOnly": true},
            "keys": {"type": "array", "items": {"writeOnly": true}},
            "inner": {"properties": {"deep": {"writeOnly": true}, "open": {}}},
            "named": {"additionalProperties": {"writeOnly": true}},
        }});
        let settings =
            json!({"key": "a", "keys": ["b", "c"], "inner": {"deep": "d", "open": "e"}, "named": {"x": "f"}});
        let mut found = Vec::new();
        marked(&schema, &settings, &mut found);
        found.sort();
        assert_eq!(found, ["a", "b", "c", "d", "f"]);
    }
}
