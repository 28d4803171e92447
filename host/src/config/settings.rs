//! A component's settings: JSON with the secrets put in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::document::{Node, Place};
use super::secret::Secret;

/// What stands under `settings` of a source or sink. Two are equal when the component would get the same.
#[derive(Clone)]
pub struct Settings(Arc<Inner>);

struct Inner {
    revealed: Secret,
    shown: Value,
    secrets: BTreeMap<String, Secret>,
    places: BTreeMap<String, Place>,
}

impl Settings {
    /// The JSON text that the component gets.
    pub fn reveal(&self) -> &str {
        self.0.revealed.reveal()
    }

    /// The settings with `***` in place of secrets: for people.
    pub fn shown(&self) -> &Value {
        &self.0.shown
    }

    /// The secrets in it: what to black out of logs and exchanges.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.0.secrets.values()
    }

    /// Whether the value at a JSON pointer came from the environment or a file.
    pub(super) fn is_secret(&self, pointer: &str) -> bool {
        self.0.secrets.contains_key(pointer)
    }

    /// Whether the value at a JSON pointer is a secret or has one in it.
    pub(super) fn has_secret_at(&self, pointer: &str) -> bool {
        self.0
            .secrets
            .keys()
            .any(|own| own.strip_prefix(pointer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }

    /// Where the value at a JSON pointer stands, or the nearest value around it.
    pub(super) fn place(&self, pointer: &str) -> Place {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.0.places.get(pointer) {
                return place.clone();
            }
            match pointer.rfind('/') {
                Some(at) => pointer = &pointer[..at],
                None => return Place::default(),
            }
        }
    }

    /// Settings for tests and for sources that no file names.
    pub fn of(value: &Value) -> Self {
        let (secrets, places) = (BTreeMap::new(), BTreeMap::new());
        let revealed = Secret::new(value.to_string());
        Settings(Arc::new(Inner { revealed, shown: value.clone(), secrets, places }))
    }

    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        if !node.is_table() {
            node.table();
            return None;
        }
        let mut reading = Reading { secrets: BTreeMap::new(), places: BTreeMap::new(), whole: true };
        let (revealed, shown) = reading.value(node, String::new());
        let revealed = Secret::new(revealed.to_string());
        let Reading { secrets, places, whole } = reading;
        whole.then(|| Settings(Arc::new(Inner { revealed, shown, secrets, places })))
    }
}

struct Reading {
    secrets: BTreeMap<String, Secret>,
    places: BTreeMap<String, Place>,
    /// No secret was missing.
    whole: bool,
}

impl Reading {
    /// The value as the component gets it, and as people see it.
    fn value(&mut self, node: &Node<'_>, pointer: String) -> (Value, Value) {
        self.places.insert(pointer.clone(), node.place());
        let both = |value: Value| (value.clone(), value);
        match node.kept() {
            Some(Ok(secret)) => {
                let revealed = Value::from(secret.reveal());
                self.secrets.insert(pointer, secret);
                return (revealed, Value::from("***"));
            }
            Some(Err(())) => {
                self.whole = false;
                return both(Value::Null);
            }
            None => {}
        }
        match node.value.get_ref() {
            DeValue::String(text) => both(Value::from(text.as_ref())),
            DeValue::Boolean(flag) => both(Value::from(*flag)),
            DeValue::Datetime(datetime) => both(Value::from(datetime.to_string())),
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => both(Value::from(number)),
                Err(_) => {
                    node.problem(format!("`{}` is a number too large", node.path), None);
                    both(Value::Null)
                }
            },
            DeValue::Float(number) => {
                let number = number.as_str().parse().ok().and_then(Number::from_f64);
                if number.is_none() {
                    node.problem(format!("`{}` is not a number that JSON can carry", node.path), None);
                }
                both(number.map_or(Value::Null, Value::Number))
            }
            DeValue::Array(_) => {
                let nodes = node.list().unwrap_or_default().into_iter().enumerate();
                let (revealed, shown): (Vec<_>, Vec<_>) =
                    nodes.map(|(at, node)| self.value(&node, format!("{pointer}/{at}"))).unzip();
                (Value::Array(revealed), Value::Array(shown))
            }
            DeValue::Table(_) => {
                let (mut revealed, mut shown) = (Map::new(), Map::new());
                for (key, node) in node.table().iter().flat_map(|table| table.entries()) {
                    let escaped = key.replace('~', "~0").replace('/', "~1");
                    let (real, seen) = self.value(&node, format!("{pointer}/{escaped}"));
                    revealed.insert(key.to_owned(), real);
                    shown.insert(key.to_owned(), seen);
                }
                (Value::Object(revealed), Value::Object(shown))
            }
        }
    }
}

impl PartialEq for Settings {
    fn eq(&self, other: &Self) -> bool {
        self.0.revealed == other.0.revealed
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings::of(&Value::Object(Map::new()))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.shown)
    }
}
