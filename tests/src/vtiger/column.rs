//! What happens to a value on its way into a column: nothing is refused, much is changed, and nobody is told.

use serde_json::Value;

use super::definition::Field;

/// The text that PHP makes of a JSON value.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "1".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => "Array".into(),
    }
}

/// What is stored of `given` in a column that holds plain values (references and owners are not its matter).
pub fn stored(field: &Field, given: &str) -> Option<String> {
    match field.kind.as_str() {
        "integer" => Some(if given.is_empty() { String::new() } else { integer(given) }),
        "boolean" => Some(boolean(given)),
        "date" if given.is_empty() => None,
        "datetime" => (!given.is_empty()).then(|| moment(given)),
        "text" => Some(basic_plane(given)),
        _ => {
            let text = basic_plane(&given.replace('<', "&lt;").replace('>', "&gt;"));
            Some(match field.width {
                Some(width) => text.chars().take(width).collect(),
                None => text,
            })
        }
    }
}

/// The connection speaks a three-byte UTF-8: what lies outside the basic plane is lost.
fn basic_plane(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if u32::from(c) > 0xFFFF {
            out.push_str("??")
        } else {
            out.push(c)
        }
        out
    })
}

fn integer(given: &str) -> String {
    let given = given.trim();
    let end = given
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && (*c == '-' || *c == '+'))))
        .map_or(given.len(), |(at, _)| at);
    let number: i128 = given[..end].parse().unwrap_or_default();
    number.clamp(i128::from(i32::MIN), i128::from(i32::MAX)).to_string()
}

fn boolean(given: &str) -> String {
    match given.to_ascii_lowercase().as_str() {
        "1" | "on" | "true" | "yes" | "t" | "y" => "1".into(),
        _ => "0".into(),
    }
}

fn moment(given: &str) -> String {
    let plain = given.replacen('T', " ", 1);
    let plain = plain.strip_suffix('Z').unwrap_or(&plain);
    match plain.parse::<jiff::civil::DateTime>() {
        Ok(moment) if plain.contains(' ') => moment.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        _ => "0000-00-00 00:00:00".into(),
    }
}
