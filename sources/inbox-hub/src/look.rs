//! Looking members up that different senders call differently.

use cordboard_sdk::serde_json::Value;

/// The first of these members that is there and not null. A dot leads into an object.
pub fn first<'v>(value: &'v Value, paths: &[&str]) -> Option<&'v Value> {
    paths.iter().find_map(|path| member(value, path))
}

/// The first of these members that is a text, or a number, which stands for one. Empty texts count as absent.
pub fn text(value: &Value, paths: &[&str]) -> Option<String> {
    paths.iter().find_map(|path| as_text(member(value, path)?))
}

/// The first of these members that says yes or no, in whatever way.
pub fn flag(value: &Value, paths: &[&str]) -> Option<bool> {
    paths.iter().find_map(|path| match member(value, path)? {
        Value::Bool(flag) => Some(*flag),
        Value::Number(number) => match number.as_u64() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        Value::String(text) => match text.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    })
}

/// The first of these members that is a number, or a text that stands for one, or a pair of 32-bit halves.
pub fn number(value: &Value, paths: &[&str]) -> Option<f64> {
    paths.iter().find_map(|path| as_number(member(value, path)?)).filter(|number| number.is_finite())
}

/// A whole number that is not negative.
pub fn count(value: &Value, paths: &[&str]) -> Option<u64> {
    number(value, paths).filter(|number| (0.0..9e15).contains(number)).map(|number| number as u64)
}

/// The items of the first of these members that is a list.
pub fn list<'v>(value: &'v Value, paths: &[&str]) -> &'v [Value] {
    paths.iter().find_map(|path| member(value, path)?.as_array()).map_or(&[], Vec::as_slice)
}

/// A text, or a number as one.
pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number in any of its spellings.
pub fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Object(halves) => {
            let low = halves.get("low")?.as_i64()? as u32;
            let high = halves.get("high").and_then(Value::as_i64).unwrap_or(0);
            Some(high as f64 * 4_294_967_296.0 + f64::from(low))
        }
        _ => None,
    }
}

fn member<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let found = path.split('.').try_fold(value, |value, name| value.get(name))?;
    (!found.is_null()).then_some(found)
}
