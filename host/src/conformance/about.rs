//! Who the component says it is.

use std::path::Path;

use serde_json::Value;

use super::{Candidate, Report};

const PART: &str = "about";

pub(super) async fn run(candidate: &Candidate, file: &Path, report: &mut Report) {
    let descriptor = candidate.component.descriptor();
    let again = candidate.runtime.load(file).await;
    let same = match &again {
        Ok(again) if again.descriptor() == descriptor => Ok(()),
        Ok(again) => Err(format!("first {descriptor:?}\nthen {:?}", again.descriptor())),
        Err(why) => Err(why.to_string()),
    };
    report.rule(PART, "describes itself the same each time", same);
    let schema = &descriptor.settings_schema;
    let closed = match schema.get("additionalProperties") {
        Some(Value::Bool(false)) => Ok(()),
        _ => Err("a misspelt setting goes unnoticed: say `\"additionalProperties\": false`".to_owned()),
    };
    report.advice(PART, "takes no settings that it does not know", closed);
    let properties = schema.get("properties").and_then(Value::as_object);
    let bare: Vec<&str> = properties
        .into_iter()
        .flatten()
        .filter(|(_, property)| property.get("description").is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    let described = if bare.is_empty() { Ok(()) } else { Err(format!("without `description`: {}", bare.join(", "))) };
    report.advice(PART, "describes each setting", described);
    let telling = ["secret", "password", "token", "key", "passphrase"];
    let open: Vec<&str> = properties
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.rsplit(['_', '-']).next().is_some_and(|last| telling.contains(&last)))
        .filter(|(_, property)| property.get("type").is_none_or(|kind| kind == "string"))
        .filter(|(_, property)| property.get("writeOnly") != Some(&Value::Bool(true)))
        .map(|(name, _)| name.as_str())
        .collect();
    let marked = if open.is_empty() { Ok(()) } else { Err(format!("without `writeOnly`: {}", open.join(", "))) };
    report.advice(PART, "marks settings that sound like secrets", marked);
}
