//! The settings of a component and the schema that tenants' files are checked by.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

/// Checks that a schema describes each setting, and nothing else, with the default that the code has; what is required
/// has none. Gives the schema.
///
/// # Panics
/// When the two do not agree.
pub fn schema_agrees(schema: &str, defaults: &impl Serialize) -> Value {
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    let defaults = serde_json::to_value(defaults).expect("the settings can be written as JSON");
    let (Some(properties), Some(defaults)) = (schema["properties"].as_object(), defaults.as_object()) else {
        panic!("a schema has properties, and settings have members");
    };
    assert_eq!(schema["additionalProperties"], false, "a name that is misspelt must not be taken");
    let names = |map: &Map<String, Value>| map.keys().cloned().collect::<BTreeSet<String>>();
    assert_eq!(names(properties), names(defaults), "what the schema has, and what the code has");
    for (name, property) in properties {
        assert!(property["title"].is_string() && property["description"].is_string(), "`{name}` is described");
        let required = schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name.as_str()));
        if !required && !defaults[name].is_null() {
            assert_eq!(property["default"], defaults[name], "the default of `{name}`");
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_disagreement_is_found() {
        let url = json!({"title": "Address", "description": "Where it is."});
        let digits = json!({"title": "Digits", "description": "How many decide.", "default": 8});
        let schema = |digits: Value| {
            let properties = json!({"url": url, "digits": digits});
            json!({"additionalProperties": false, "required": ["url"], "properties": properties})
        };
        let code = json!({"url": "", "digits": 8});
        assert_eq!(schema_agrees(&schema(digits.clone()).to_string(), &code)["required"], json!(["url"]));
        let mut open = schema(digits.clone());
        open["additionalProperties"] = json!(true);
        for (schema, code) in [
            (open, code.clone()),
            (schema(json!({"title": "Digits", "default": 8})), code),
            (schema(digits.clone()), json!({"url": "", "digits": 9})),
            (schema(digits.clone()), json!({"url": ""})),
            (schema(digits), json!({"url": "", "digits": 8, "owner": null})),
        ] {
            let agrees = std::panic::catch_unwind(|| schema_agrees(&schema.to_string(), &code));
            assert!(agrees.is_err(), "{schema} {code}");
        }
    }
}
