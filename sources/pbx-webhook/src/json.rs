//! What JSON needs beside serde_json: a bound on nesting, and errors that name the field.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::refused::Refused;

/// How deep a body may nest. No PBX comes near it.
const DEPTH: u32 = 64;

/// What is said of a number with more digits than can be kept.
pub const INEXACT: &str = "a number too large to be kept exactly";

/// Refuses bodies that nest without end, before anything recurses into them, and names the member that does.
pub fn check_depth(body: &[u8]) -> Result<(), Refused> {
    // Nearly every body has so few brackets that how they nest does not matter.
    let opening = body.iter().map(|byte| u32::from(*byte == b'[') + u32::from(*byte == b'{')).sum::<u32>();
    if opening <= DEPTH {
        return Ok(());
    }
    let mut depth = 0u32;
    // The last text in the outermost object: the name of whatever opens a bracket there.
    let (mut is_object, mut name) = (false, &body[..0]);
    let mut bytes = body.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => {
                let mut end = body.len();
                while let Some((at, byte)) = bytes.next() {
                    match byte {
                        b'\\' => drop(bytes.next()),
                        b'"' => {
                            end = at + 1;
                            break;
                        }
                        _ => {}
                    }
                }
                if depth == 1 && is_object {
                    name = &body[at..end];
                }
            }
            b'[' | b'{' => {
                is_object = if depth == 0 { *byte == b'{' } else { is_object };
                depth += 1;
                if depth > DEPTH {
                    let member = serde_json::from_slice::<String>(name).map(|name| step(&name));
                    let why = format!("nested more than {DEPTH} deep: no call looks like that");
                    return Err(Refused::at(member.unwrap_or_default(), why));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// A number as text, when that is just what was written.
pub fn exact(number: f64) -> Option<String> {
    (number.abs() < 9_007_199_254_740_992.0).then(|| number.to_string())
}

/// Says what is wrong with a body that serde_json refused, and where.
pub fn explain(body: &[u8], error: &serde_json::Error) -> Refused {
    let place = std::str::from_utf8(body).ok().and_then(|text| locate(text, 0)).unwrap_or_default();
    let what = error.to_string();
    let what = what.split(" at line ").next().unwrap_or_default();
    if what.contains("invalid type") || what.contains("invalid length") {
        return Refused::at(place, format!("{what}: send one JSON object for a call"));
    }
    if what.contains("duplicate field") {
        return Refused::at(place, format!("{what}: which of the two is meant?"));
    }
    Refused::at(place, format!("not JSON: {what} at line {} column {}", error.line(), error.column()))
}

/// Finds the innermost value that cannot be read though its neighbours can: a text with half a character in it, say.
fn locate(text: &str, depth: u32) -> Option<String> {
    if depth > DEPTH {
        return None;
    }
    if let Ok(members) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
        return descend(members.iter().map(|(name, value)| (step(name), value.get())), depth);
    }
    let items = serde_json::from_str::<Vec<&RawValue>>(text).ok()?;
    descend(items.iter().enumerate().map(|(index, value)| (step(&index.to_string()), value.get())), depth)
}

fn descend<'a>(parts: impl Iterator<Item = (String, &'a str)>, depth: u32) -> Option<String> {
    for (step, text) in parts {
        if serde_json::from_str::<serde_json::Value>(text).is_err() {
            let below = locate(text, depth + 1).unwrap_or_default();
            return Some(format!("{step}{below}"));
        }
    }
    None
}

/// One step of a JSON pointer.
fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(body: &str) -> Refused {
        explain(body.as_bytes(), &serde_json::from_str::<serde_json::Value>(body).expect_err("bad"))
    }

    #[test]
    fn half_a_character_is_found() {
        assert_eq!(explained(r#"{"a": {"b/c": ["x", "\ud800"]}}"#).field, "/a/b~1c/1");
        let refused = explained(r#"{"a": "x", }"#);
        assert_eq!(refused.field, "");
        assert!(refused.why.starts_with("not JSON"), "{refused:?}");
    }

    #[test]
    fn the_member_that_nests_is_named() {
        let deep = "[".repeat(100);
        let field = |body: String| check_depth(body.as_bytes()).unwrap_err().field;
        assert_eq!(field(format!("{{\"id\": \"[a\\\"\", \"fr/om\": {deep}")), "/fr~1om");
        assert_eq!(field(format!("{{\"a\": {{\"b\": 1, \"c\": {deep}")), "/a");
        assert_eq!(field(format!("[\"from\", {deep}")), "");
        assert_eq!(field(deep), "");
    }

    #[test]
    fn nesting_has_a_bound() {
        assert!(check_depth("[".repeat(10_000).as_bytes()).is_err());
        assert!(check_depth("[]".repeat(10_000).as_bytes()).is_ok());
        assert!(check_depth(format!("\"{}\"", "[\\\"".repeat(100)).as_bytes()).is_ok());
        assert!(check_depth(b"\"\\").is_ok());
    }
}
