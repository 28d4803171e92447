//! What can be said of a command without knowing any source: its size, its texts, the members that it needs.

use serde_json::{Map, Value};

use super::{Ask, CommandError};

/// Bytes of a key. It stands in addresses and logs.
const KEY: usize = 200;

/// Bytes of a name.
const NAME: usize = 64;

/// Bytes of all arguments together, as JSON: a long message fits.
const ARGUMENTS: usize = 64 * 1024;

/// Bytes of a number, an extension, a call's id.
const WORD: usize = 255;

/// What commands about calls cannot do without.
const NEEDED: [(&str, &[&str]); 6] = [
    ("call.originate", &["from", "to"]),
    ("call.redirect", &["call", "to"]),
    ("call.transfer", &["call", "to"]),
    ("call.hangup", &["call"]),
    ("call.mute", &["call"]),
    ("call.hold", &["call"]),
];

/// Commands that turn something on or off.
const SWITCHES: [&str; 2] = ["call.mute", "call.hold"];

/// Where people write to people: these may have lines. No PBX is handed them.
const PROSE: [(&str, &[&str]); 1] = [("message.send", &["/arguments/text", "/arguments/media/caption"])];

/// What comes of it goes to whoever asked, and is kept nowhere: a code opens an account to whoever has it.
const UNKEPT: [&str; 1] = ["session.code"];

/// Whether what comes of a command is written down.
pub(super) fn is_kept(name: &str) -> bool {
    !UNKEPT.contains(&name)
}

/// The form of a command, before anybody is asked.
pub(super) fn check(ask: &Ask) -> Result<(), CommandError> {
    let Ask { key, name, arguments, .. } = ask;
    if key.is_empty() || key.len() > KEY || key.contains(char::is_control) {
        let why = format!("a key has from 1 to {KEY} bytes and no control characters; this one has {}", key.len());
        return Err(invalid("/id", why));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    if name.is_empty() || name.len() > NAME || !name.chars().all(plain) {
        return Err(invalid("/name", "a command's name is words like `call.originate`"));
    }
    let size = serde_json::to_vec(arguments).map_or(usize::MAX, |json| json.len());
    if size > ARGUMENTS {
        return Err(invalid("/arguments", format!("the arguments have {size} bytes; {ARGUMENTS} are the most")));
    }
    let prose = PROSE.iter().find(|(command, _)| command == name).map_or(&[][..], |(_, places)| places);
    members(arguments, "/arguments", prose)?;
    if SWITCHES.contains(&name.as_str()) && !arguments.get("on").is_some_and(Value::is_boolean) {
        return Err(invalid("/arguments/on", "`on` must be true or false"));
    }
    Ok(())
}

/// The members that a command about a call needs: looked at once those that can be filled in are there.
pub(super) fn complete(name: &str, arguments: &Map<String, Value>) -> Result<(), CommandError> {
    let needed = NEEDED.iter().find(|(command, _)| *command == name);
    for member in needed.map_or(&[][..], |(_, members)| members) {
        let pointer = format!("/arguments/{member}");
        match arguments.get(*member) {
            Some(Value::String(text)) if (1..=WORD).contains(&text.len()) => {}
            Some(_) => return Err(invalid(&pointer, format!("`{member}` must be a text of 1 to {WORD} bytes"))),
            None => return Err(invalid(&pointer, format!("`{name}` needs `{member}`"))),
        }
    }
    Ok(())
}

pub(super) fn invalid(field: &str, why: impl Into<String>) -> CommandError {
    CommandError::Invalid { field: field.to_owned(), why: why.into() }
}

/// No text but prose holds a control character: at many PBXs a line break in a value begins a new command.
fn texts(value: &Value, pointer: &str, prose: &[&str]) -> Result<(), CommandError> {
    match value {
        Value::String(text) if prose.contains(&pointer) => clean(&text.replace(['\r', '\n', '\t'], ""), pointer),
        Value::String(text) => clean(text, pointer),
        Value::Array(all) => {
            all.iter().enumerate().try_for_each(|(at, one)| texts(one, &format!("{pointer}/{at}"), prose))
        }
        Value::Object(object) => members(object, pointer, prose),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn members(object: &Map<String, Value>, pointer: &str, prose: &[&str]) -> Result<(), CommandError> {
    object.iter().try_for_each(|(name, value)| {
        clean(name, pointer)?;
        texts(value, &format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), prose)
    })
}

fn clean(text: &str, pointer: &str) -> Result<(), CommandError> {
    match text.chars().find(|c| c.is_control()) {
        None => Ok(()),
        Some(odd) => Err(invalid(pointer, format!("it holds the control character U+{:04X}", u32::from(odd)))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ask(name: &str, arguments: Value) -> Ask {
        let arguments = arguments.as_object().cloned().unwrap();
        Ask { key: "k".into(), source: None, name: name.into(), agent: None, arguments }
    }

    fn field(result: Result<(), CommandError>) -> String {
        match result {
            Err(CommandError::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_control_character_is_found_wherever_it_stands() {
        let name = "call.originate";
        for (arguments, pointer) in [
            (json!({"to": "1\r\nAction: Command"}), "/arguments/to"),
            (json!({"to": "1\u{0}2"}), "/arguments/to"),
            (json!({"to": "1\n2"}), "/arguments/to"),
            (json!({"to": "1\u{7f}2"}), "/arguments/to"),
            (json!({"variables": {"A": "b\rc"}}), "/arguments/variables/A"),
            (json!({"variables": {"A\n": "b"}}), "/arguments/variables"),
            (json!({"variables": {"A/B": ["x", "y\t"]}}), "/arguments/variables/A~1B/1"),
        ] {
            assert_eq!(field(check(&ask(name, arguments.clone()))), pointer, "{arguments}");
        }
        let message = |text: &str| check(&ask("message.send", json!({"to": "1", "text": text})));
        assert!(message("two\r\n\tlines").is_ok(), "people write in lines");
        assert_eq!(field(message("a\u{0}b")), "/arguments/text");
        assert_eq!(field(check(&ask("message.send", json!({"to": "1\n2"})))), "/arguments/to");
        assert!(check(&ask(name, json!({"to": "+34 600 «ñ»", "timeout": 3, "x": null}))).is_ok());
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        let long = "x".repeat(ARGUMENTS);
        assert_eq!(field(check(&ask("call.originate", json!({ "to": long })))), "/arguments");
        assert_eq!(field(check(&ask("Call Me", json!({})))), "/name");
        assert_eq!(field(check(&ask("call.hold", json!({"call": "1", "on": "yes"})))), "/arguments/on");
        assert_eq!(field(check(&Ask { key: String::new(), ..ask("call.hangup", json!({})) })), "/id");
        assert_eq!(field(check(&Ask { key: "a\nb".into(), ..ask("call.hangup", json!({})) })), "/id");
        let complete = |name: &str, arguments: Value| complete(name, arguments.as_object().unwrap());
        assert_eq!(field(complete("call.originate", json!({"from": "1001"}))), "/arguments/to");
        assert_eq!(field(complete("call.redirect", json!({"call": 7, "to": "1"}))), "/arguments/call");
        assert_eq!(field(complete("call.hangup", json!({"call": ""}))), "/arguments/call");
        assert!(complete("call.hangup", json!({"call": "1"})).is_ok());
        assert!(complete("message.send", json!({})).is_ok(), "what it needs is for its source to say");
    }
}
