//! Texts that a database cannot hold as they are.
//!
//! PostgreSQL has no U+0000 in texts and JSON, and SQLite's JSON functions cut texts there. So both keep it as
//! U+F8FE `0`, and U+F8FE itself as U+F8FE `1`; what is read is turned back. Nearly every text has neither.

use std::borrow::Cow;

const MARK: char = '\u{f8fe}';

/// A text, as it is kept.
pub(in crate::store) fn keep(text: &str) -> Cow<'_, str> {
    if !text.contains('\0') && !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => kept.extend([MARK, '0']),
            MARK => kept.extend([MARK, '1']),
            other => kept.push(other),
        }
    }
    Cow::Owned(kept)
}

/// A JSON text, as it is kept: the same inside its strings.
pub(in crate::store) fn keep_json(json: &str) -> Cow<'_, str> {
    let escaped = ["\\u0000", "\\uf8", "\\uF8"];
    // Nearly every text has no backslash at all, which is found out fastest.
    let plain = !json.contains('\\') || !escaped.iter().any(|escaped| json.contains(escaped));
    if plain && !json.contains(MARK) {
        return Cow::Borrowed(json);
    }
    let mut kept = String::with_capacity(json.len() + 8);
    let mut rest = json;
    while let Some(c) = rest.chars().next() {
        let escape = (c == '\\').then(|| rest.get(1..6)).flatten();
        let (taken, text) = match (c, escape) {
            (_, Some("u0000")) => (6, Some('0')),
            (_, Some(escape)) if escape.eq_ignore_ascii_case("uf8fe") => (6, Some('1')),
            (MARK, _) => (MARK.len_utf8(), Some('1')),
            // What is escaped stays with its backslash: it may be a backslash itself.
            ('\\', _) => (1 + rest[1..].chars().next().map_or(0, char::len_utf8), None),
            _ => (c.len_utf8(), None),
        };
        match text {
            Some(digit) => kept.extend([MARK, digit]),
            None => kept.push_str(&rest[..taken]),
        }
        rest = &rest[taken..];
    }
    Cow::Owned(kept)
}

/// The text that was kept.
pub(in crate::store) fn give(kept: String) -> String {
    replace(kept, "\0")
}

/// The JSON text that was kept.
pub(in crate::store) fn give_json(kept: String) -> String {
    replace(kept, "\\u0000")
}

fn replace(kept: String, nul: &str) -> String {
    if !kept.contains(MARK) {
        return kept;
    }
    let mut text = String::with_capacity(kept.len());
    let mut chars = kept.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            (MARK, Some('0')) => {
                chars.next();
                text.push_str(nul);
            }
            (MARK, Some('1')) => {
                chars.next();
                text.push(MARK);
            }
            _ => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back() {
        for text in ["", "plain", "a\0b", "\u{f8fe}0", "\0\u{f8fe}\u{f8fe}1\0", "\\u0000", "\\\\u0000 \u{1f600}"] {
            let kept = keep(text);
            assert!(!kept.contains('\0'));
            assert_eq!(give(kept.into_owned()), text);
            let json = serde_json::to_string(&[text]).expect("json");
            let kept = keep_json(&json);
            let read: Vec<String> = serde_json::from_str(&kept).expect("still json");
            assert!(!read[0].contains('\0'));
            let back: Vec<String> = serde_json::from_str(&give_json(kept.into_owned())).expect("json again");
            assert_eq!(back[0], text);
        }
    }

    #[test]
    fn a_mark_that_was_written_as_an_escape_is_a_mark() {
        assert_eq!(keep_json(r#""\uF8fE0""#), "\"\u{f8fe}10\"");
        assert_eq!(keep_json(r#""\\uF8FE""#), r#""\\uF8FE""#);
    }
}
