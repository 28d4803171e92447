//! Forms whose names have brackets: `contacts[add][0][id]=7`.

use cordboard_sdk::serde_json::{Map, Value};

/// Brackets in one name.
const DEPTH: usize = 16;

/// Pairs of one form.
const PAIRS: usize = 10_000;

/// The form as objects in objects. Lists are objects with numbers for names, for their numbers may have gaps; every
/// value is a text.
pub fn nested(pairs: &[(String, String)]) -> Value {
    let mut root = Map::new();
    for (name, value) in pairs.iter().take(PAIRS) {
        let path = path(name);
        if !path.is_empty() && path.len() <= DEPTH {
            put(&mut root, &path, value);
        }
    }
    Value::Object(root)
}

/// The members of what may be a list or an object with numbers for names.
pub fn rows(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(members) => members.values().collect(),
        _ => Vec::new(),
    }
}

fn path(name: &str) -> Vec<&str> {
    let (first, rest) = name.split_once('[').unwrap_or((name, ""));
    let inner = rest.strip_suffix(']').unwrap_or(rest);
    let inner = inner.split("][").filter(|_| !rest.is_empty());
    [first].into_iter().filter(|first| !first.is_empty()).chain(inner).collect()
}

fn put(into: &mut Map<String, Value>, path: &[&str], value: &str) {
    let [name, rest @ ..] = path else { return };
    // `a[]=1&a[]=2`: the next number.
    let name = if name.is_empty() { into.len().to_string() } else { (*name).to_owned() };
    if rest.is_empty() {
        into.insert(name, Value::String(value.to_owned()));
        return;
    }
    let inner = into.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(inner) = inner {
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::serde_json::json;

    use super::*;

    fn read(text: &[(&str, &str)]) -> Value {
        let pairs: Vec<(String, String)> = text.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        nested(&pairs)
    }

    #[test]
    fn brackets_are_taken_apart() {
        let form = read(&[("a[b][0][c]", "1"), ("a[b][7][c]", "2"), ("x", "y"), ("l[]", "1"), ("l[]", "2")]);
        assert_eq!(form["a"]["b"], json!({"0": {"c": "1"}, "7": {"c": "2"}}));
        assert_eq!((form["x"].as_str(), rows(&form["l"]).len()), (Some("y"), 2));
    }

    #[test]
    fn what_makes_no_sense_does_no_harm() {
        let deep = format!("a{}", "[b]".repeat(1000));
        for name in ["", "[", "]", "a[", "a]b[", "[]", "a[[b]]", deep.as_str()] {
            let _ = read(&[(name, "1"), ("a", "1"), ("a[b]", "2")]);
        }
        assert_eq!(read(&[(deep.as_str(), "1")]), json!({}));
    }
}
