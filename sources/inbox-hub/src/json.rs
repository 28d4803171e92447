//! Bytes to JSON, as forgiving as can be without guessing.

use std::borrow::Cow;

use cordboard_sdk::serde_json::{self, Value};

use crate::refused::Refused;

/// How deep a body may nest.
const DEPTH: usize = 64;

/// Reads a body: UTF-8, a byte order mark is skipped, half a surrogate pair becomes U+FFFD, of two members with one
/// name the last counts.
pub fn read(body: &[u8]) -> Result<Value, Refused> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body)
        .map_err(|error| Refused::whole(format!("not UTF-8 at byte {}", error.valid_up_to())))?;
    let value: Value =
        serde_json::from_str(&mended(text)).map_err(|error| Refused::whole(format!("not JSON: {error}")))?;
    if deeper(&value, DEPTH) {
        return Err(Refused::whole(format!("nested more than {DEPTH} deep")));
    }
    Ok(value)
}

/// Whether a value nests deeper than that. What `serde_json` has read nests at most 128 deep.
fn deeper(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(_) | Value::Object(_) if left == 0 => true,
        Value::Array(items) => items.iter().any(|item| deeper(item, left - 1)),
        Value::Object(members) => members.values().any(|member| deeper(member, left - 1)),
        _ => false,
    }
}

/// The text with U+FFFD in place of each escape that is half of a pair.
fn mended(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match surrogate(rest) {
            Some(0xd800..=0xdbff) if matches!(rest.get(6..).and_then(surrogate), Some(0xdc00..=0xdfff)) => {
                out.push_str(&rest[..12]);
                12
            }
            Some(_) => {
                out.push_str("\\ufffd");
                6
            }
            None => {
                let taken = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&rest[..taken]);
                taken
            }
        };
        rest = &rest[taken..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The half of a pair whose escape the text begins with.
fn surrogate(text: &str) -> Option<u16> {
    let code = u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
    (0xd800..=0xdfff).contains(&code).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_broken_is_mended_or_refused() {
        assert_eq!(read(b"\xef\xbb\xbf{\"a\":1,\"a\":2}").unwrap()["a"], 2);
        let text = |body: &str| read(body.as_bytes()).unwrap()["a"].as_str().unwrap().to_owned();
        assert_eq!(text(r#"{"a":"x\ud800y"}"#), "x\u{fffd}y");
        assert_eq!(text(r#"{"a":"\uD83D\uDE00 \\ud800 \udc00"}"#), "\u{1f600} \\ud800 \u{fffd}");
        assert!(read(b"\xff").unwrap_err().why.contains("UTF-8"));
        assert!(read(b"").unwrap_err().why.contains("not JSON"));
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nested(64).as_bytes()).is_ok());
        assert!(read(nested(65).as_bytes()).unwrap_err().why.contains("64"));
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }
}
