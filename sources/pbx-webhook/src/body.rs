//! A body of any of the usual kinds as one tree of JSON values, so that one kind of pointer finds its way in all.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::refused::Refused;
use crate::{json, xml};

/// Reads a body by its media type and its first character. `document` names a form field that holds the whole body.
pub fn read(media_type: &str, body: &[u8], document: Option<&str>) -> Result<Value, Refused> {
    let start = body.trim_ascii_start();
    if start.is_empty() {
        return Err(Refused::whole("the body is empty"));
    }
    let kind = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if let Some(rest) = document.and_then(|name| unescaped(start, name)) {
        return inner(rest);
    }
    match start[0] {
        b'{' | b'[' => parse(body),
        b'<' => xml::read(text(body)?),
        _ if kind.contains("json") => parse(body),
        _ if kind == "multipart/form-data" => wrapped(multipart(media_type, body)?, document),
        _ if kind.is_empty() || kind.starts_with("text/") || kind.contains("form") => wrapped(form(body)?, document),
        _ => Err(Refused::whole(format!("a body of type `{kind}` is not read: send JSON, a form or XML"))),
    }
}

fn parse(body: &[u8]) -> Result<Value, Refused> {
    json::check_depth(body)?;
    serde_json::from_slice(body).map_err(|error| json::explain(body, &error))
}

fn text(body: &[u8]) -> Result<&str, Refused> {
    std::str::from_utf8(body)
        .map_err(|error| Refused::whole(format!("not UTF-8: the text breaks off after {} bytes", error.valid_up_to())))
}

/// `cdr=<?xml …`: a form in name only, whose one field was never escaped.
fn unescaped<'b>(body: &'b [u8], name: &str) -> Option<&'b [u8]> {
    let rest = body.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
    matches!(rest.first(), Some(b'<' | b'{')).then_some(rest)
}

/// A document inside a form field: XML, JSON, or either of them in base64.
fn inner(document: &[u8]) -> Result<Value, Refused> {
    let document = match document.trim_ascii().first() {
        Some(b'<' | b'{' | b'[') => Cow::Borrowed(document),
        _ => match STANDARD.decode(document.trim_ascii()) {
            Ok(decoded) => Cow::Owned(decoded),
            Err(_) => return Err(Refused::whole("neither XML nor JSON, nor one of them in base64")),
        },
    };
    match document.trim_ascii().first() {
        Some(b'<') => xml::read(text(&document)?),
        _ => parse(&document),
    }
}

fn wrapped(form: Value, document: Option<&str>) -> Result<Value, Refused> {
    match document.and_then(|name| Some((name, form.get(name)?.as_str()?))) {
        Some((name, text)) => inner(text.as_bytes()).map_err(|refused| refused.below(name)),
        None => Ok(form),
    }
}

fn form(body: &[u8]) -> Result<Value, Refused> {
    if !body.contains(&b'=') {
        return Err(Refused::whole("neither JSON nor XML, and no form either: there is no `=` in it"));
    }
    let mut fields = Map::new();
    for (name, value) in form_urlencoded::parse(body.trim_ascii()) {
        add(&mut fields, name.into_owned(), value.into_owned());
    }
    Ok(Value::Object(fields))
}

/// A field that comes again makes a list.
fn add(fields: &mut Map<String, Value>, name: String, value: String) {
    let value = Value::String(value);
    match fields.get_mut(&name) {
        None => drop(fields.insert(name, value)),
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

/// The text fields of a multipart form. Files in it are not looked at.
fn multipart(media_type: &str, body: &[u8]) -> Result<Value, Refused> {
    let boundary = parameter(media_type, "boundary").filter(|boundary| !boundary.is_empty() && boundary.len() <= 70);
    let Some(boundary) = boundary else {
        return Err(Refused::whole("a multipart form whose Content-Type names no boundary"));
    };
    let body = text(body)?;
    let mut fields = Map::new();
    for part in body.split(&format!("--{boundary}")).skip(1) {
        let Some(part) = part.strip_prefix("\r\n") else { break };
        let Some((head, value)) = part.split_once("\r\n\r\n") else {
            return Err(Refused::whole("a part of the multipart form has no end of its head"));
        };
        let disposition = head.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"));
        let disposition = disposition.unwrap_or_default();
        if let (Some(name), None) = (parameter(disposition, "name"), parameter(disposition, "filename")) {
            let value = value.strip_suffix("\r\n").unwrap_or(value);
            add(&mut fields, name.to_owned(), value.to_owned());
        }
    }
    Ok(Value::Object(fields))
}

fn parameter<'t>(header: &'t str, name: &str) -> Option<&'t str> {
    header.split(';').skip(1).find_map(|part| {
        let (known, value) = part.trim().split_once('=')?;
        known.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn forms() {
        let read = |body: &str| read(FORM, body.as_bytes(), Some("cdr"));
        assert_eq!(read("a=1+2&b=%2B34&a=3").expect("a form"), json!({ "a": ["1 2", "3"], "b": "+34" }));
        let tree = json!({ "variables": { "uuid": "u%20" } });
        assert_eq!(
            read("cdr=%3Ccdr%3E%3Cvariables%3E%3Cuuid%3Eu%2520%3C%2Fuuid%3E%3C/variables%3E%3C/cdr%3E"),
            Ok(tree.clone())
        );
        assert_eq!(read("cdr=<cdr><variables><uuid>u%20</uuid></variables></cdr>"), Ok(tree.clone()));
        let encoded = STANDARD.encode("<cdr><variables><uuid>u%20</uuid></variables></cdr>");
        assert_eq!(read(&format!("cdr={}", encoded.replace('+', "%2B"))), Ok(tree));
        assert_eq!(read("cdr=%7B%22a%22%3A1%7D"), Ok(json!({ "a": 1 })));
        assert_eq!(read("cdr=nothing").expect_err("bad").field, "cdr");
        assert!(read("hello").expect_err("bad").why.contains("no form"));
        assert!(read(" ").expect_err("bad").why.contains("empty"));
    }

    #[test]
    fn multipart_forms() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"id\"\r\n\r\n7\r\n--x\r\nContent-Disposition: form-data; \
                    name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--x--\r\n";
        let kind = "multipart/form-data; boundary=\"x\"";
        assert_eq!(read(kind, body.as_bytes(), None), Ok(json!({ "id": "7" })));
        assert!(read("multipart/form-data", body.as_bytes(), None).is_err());
    }

    #[test]
    fn what_is_not_read() {
        assert!(read("image/png", b"\x89PNG", None).expect_err("bad").why.contains("image/png"));
        assert!(read("application/json", b"hello", None).expect_err("bad").why.starts_with("not JSON"));
    }
}
