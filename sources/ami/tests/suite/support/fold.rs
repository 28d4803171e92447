//! The rules by which the hub joins observations of a call, over JSON: furthest, earliest, fact, parts, set.

use std::collections::BTreeMap;

use cordboard_sdk::prelude::*;
use serde_json::{Map, Value, json};

/// Trust, time, and the value as text: what decides between two facts.
type Stamped = (u8, u64, String, Value);

#[derive(Default)]
struct Merged {
    phase: Option<usize>,
    earliest: BTreeMap<String, u64>,
    facts: BTreeMap<String, Stamped>,
    desks: BTreeMap<(String, u64), BTreeMap<String, u64>>,
    sets: BTreeMap<(String, String), BTreeMap<String, Stamped>>,
}

/// Records by the id of their subject.
#[derive(Default)]
pub struct Fold {
    records: BTreeMap<String, Merged>,
    aliases: BTreeMap<String, String>,
}

const PHASES: [&str; 3] = ["ringing", "answered", "ended"];

impl Fold {
    pub fn take(&mut self, observation: &Observation, now: u64) {
        assert!(!observation.id.is_empty() && observation.id.len() <= 255, "the id {:?}", observation.id);
        assert!(!observation.id.chars().any(char::is_control), "the id {:?}", observation.id);
        assert!(observation.also.len() <= 16);
        let Item::Call(call) = &observation.item else { panic!("not a call: {observation:?}") };
        let value = serde_json::to_value(call).expect("JSON");
        bounds(&value);
        let trust = observation.trust as u8;
        let at = observation.at.unwrap_or(now);
        let id = self.aliases.get(&observation.id).unwrap_or(&observation.id).clone();
        self.records.entry(id.clone()).or_default().take(&value, trust, at);
        for also in &observation.also {
            self.aliases.insert(also.clone(), id.clone());
            if let Some(other) = self.records.remove(also) {
                self.records.entry(id.clone()).or_default().join(other);
            }
        }
    }

    pub fn ids(&self) -> Vec<&str> {
        self.records.keys().map(String::as_str).collect()
    }

    pub fn view(&self, id: &str) -> Option<Value> {
        let id = self.aliases.get(id).map_or(id, String::as_str);
        self.records.get(id).map(Merged::view)
    }
}

/// The hub's own bounds on what may be reported.
fn bounds(value: &Value) {
    match value {
        Value::String(text) => assert!(text.len() <= 1024 && !text.contains('\0'), "{} bytes", text.len()),
        Value::Array(list) => {
            assert!(list.len() <= 1000, "{} elements", list.len());
            list.iter().for_each(bounds);
        }
        Value::Object(object) => {
            if let Some(Value::String(raw)) = object.get("raw") {
                assert!(raw.len() <= 160, "a number of {} bytes", raw.len());
            }
            object.values().for_each(bounds);
        }
        _ => {}
    }
}

impl Merged {
    fn take(&mut self, call: &Value, trust: u8, at: u64) {
        for (name, value) in call.as_object().expect("an object") {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                ("phase", Value::String(phase)) => {
                    let phase = PHASES.iter().position(|known| known == phase);
                    self.phase = self.phase.max(phase);
                }
                ("started_at" | "answered_at" | "ended_at", Value::Number(time)) => {
                    let time = time.as_u64().expect("a time");
                    self.earliest.entry(name.clone()).and_modify(|known| *known = time.min(*known)).or_insert(time);
                }
                ("caller" | "callee", Value::Object(parts)) => {
                    for (part, value) in parts.iter().filter(|(_, value)| !value.is_null()) {
                        fact(&mut self.facts, format!("{name}/{part}"), trust, at, value);
                    }
                }
                ("desks", Value::Array(desks)) => {
                    for desk in desks {
                        let key = (
                            desk["extension"].as_str().expect("text").to_owned(),
                            desk["rang_at"].as_u64().expect("a time"),
                        );
                        let times = self.desks.entry(key).or_default();
                        for field in ["answered_at", "stopped_at"] {
                            if let Some(time) = desk[field].as_u64() {
                                times
                                    .entry(field.to_owned())
                                    .and_modify(|known| *known = time.min(*known))
                                    .or_insert(time);
                            }
                        }
                    }
                }
                ("recordings" | "transfers" | "attributes", Value::Array(list)) => {
                    for element in list {
                        let (key, fields) = split(name, element);
                        let body = self.sets.entry((name.clone(), key)).or_default();
                        for (field, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                            fact(body, field.clone(), trust, at, value);
                        }
                    }
                }
                _ => fact(&mut self.facts, name.clone(), trust, at, value),
            }
        }
    }

    /// What was told of another subject was told of this one.
    fn join(&mut self, other: Merged) {
        self.phase = self.phase.max(other.phase);
        for (name, time) in other.earliest {
            self.earliest.entry(name).and_modify(|known| *known = time.min(*known)).or_insert(time);
        }
        for (name, (trust, at, _, value)) in other.facts {
            fact(&mut self.facts, name, trust, at, &value);
        }
        for (key, times) in other.desks {
            let known = self.desks.entry(key).or_default();
            for (field, time) in times {
                known.entry(field).and_modify(|known| *known = time.min(*known)).or_insert(time);
            }
        }
        for (key, body) in other.sets {
            let known = self.sets.entry(key).or_default();
            for (field, (trust, at, _, value)) in body {
                fact(known, field, trust, at, &value);
            }
        }
    }

    fn view(&self) -> Value {
        let mut view = Map::new();
        let mut reached = self.phase;
        reached =
            reached.max(self.earliest.get("answered_at").map(|_| 1)).max(self.earliest.get("ended_at").map(|_| 2));
        view.insert("phase".into(), reached.map_or(Value::Null, |phase| PHASES[phase].into()));
        for (name, time) in &self.earliest {
            view.insert(name.clone(), (*time).into());
        }
        for (name, (.., value)) in &self.facts {
            match name.split_once('/') {
                Some((party, part)) => {
                    let party = view.entry(party.to_owned()).or_insert_with(|| json!({}));
                    party[part] = value.clone();
                }
                None => drop(view.insert(name.clone(), value.clone())),
            }
        }
        let desk = |((extension, rang), times): (&(String, u64), &BTreeMap<String, u64>)| json!({ "extension": extension, "rang_at": rang, "answered_at": times.get("answered_at"), "stopped_at": times.get("stopped_at") });
        view.insert("desks".into(), self.desks.iter().map(desk).collect());
        for set in ["recordings", "transfers"] {
            let elements = self.sets.iter().filter(|((name, _), _)| name == set);
            let element = |((_, key), body): (&(String, String), &BTreeMap<String, Stamped>)| {
                let mut element: Map<String, Value> =
                    body.iter().map(|(name, (.., value))| (name.clone(), value.clone())).collect();
                element.insert("key".into(), key.clone().into());
                Value::Object(element)
            };
            view.insert(set.into(), elements.map(element).collect());
        }
        let attributes = self.sets.iter().filter(|((name, _), _)| name == "attributes");
        let attributes = attributes.map(|((_, key), body)| (key.clone(), body["value"].3.clone()));
        view.insert("attributes".into(), Value::Object(attributes.collect()));
        Value::Object(view)
    }
}

fn split(set: &str, element: &Value) -> (String, Map<String, Value>) {
    if set == "attributes" {
        let pair = element.as_array().expect("a pair");
        let body = Map::from_iter([("value".to_owned(), pair[1].clone())]);
        return (pair[0].as_str().expect("text").to_owned(), body);
    }
    let mut body = element.as_object().expect("an object").clone();
    let key = if set == "recordings" {
        body.remove("id").expect("an id").as_str().expect("text").to_owned()
    } else {
        let at = body.remove("at").expect("a time");
        format!("{at:0>15} {}", body["kind"].as_str().expect("a kind"))
    };
    (key, body)
}

fn fact(facts: &mut BTreeMap<String, Stamped>, name: String, trust: u8, at: u64, value: &Value) {
    let new = (trust, at, value.to_string(), value.clone());
    match facts.get_mut(&name) {
        Some(known) if (new.0, new.1, &new.2) > (known.0, known.1, &known.2) => *known = new,
        Some(_) => {}
        None => drop(facts.insert(name, new)),
    }
}
