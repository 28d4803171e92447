//! XML as a tree of JSON values: an element is an object of its children, or its text when it has none; an attribute
//! stands beside the children under its name with `@` before it; children of one name make a list. The root element's
//! own name is left out.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use crate::refused::Refused;

const DEPTH: usize = 64;

/// Reads a document. Entities of its own are refused, so that nothing small can grow large.
pub fn read(text: &str) -> Result<Value, Refused> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let at = reader.buffer_position();
        let bad = |what: &str| Refused::whole(format!("not XML: {what} near byte {at}"));
        let event = reader.read_event().map_err(|error| bad(&error.to_string()))?;
        match event {
            Event::Start(start) => {
                if open.len() == DEPTH {
                    return Err(bad("elements nested without end"));
                }
                open.push(Element::new(&start).map_err(|what| bad(&what))?);
            }
            Event::Empty(start) => {
                let element = Element::new(&start).map_err(|what| bad(&what))?;
                match open.last_mut() {
                    Some(parent) => parent.add(element),
                    None => return Ok(element.value()),
                }
            }
            Event::End(_) => {
                let Some(element) = open.pop() else { return Err(bad("an end without a beginning")) };
                match open.last_mut() {
                    Some(parent) => parent.add(element),
                    None => return Ok(element.value()),
                }
            }
            Event::Text(text) => {
                let text = text.decode().map_err(|error| bad(&error.to_string()))?;
                append(&mut open, &text);
            }
            Event::CData(text) => {
                let text = text.decode().map_err(|error| bad(&error.to_string()))?;
                append(&mut open, &text);
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|error| bad(&error.to_string()))?;
                let resolved = match &*name {
                    "amp" => Some('&'),
                    "lt" => Some('<'),
                    "gt" => Some('>'),
                    "quot" => Some('"'),
                    "apos" => Some('\''),
                    _ => reference.resolve_char_ref().map_err(|error| bad(&error.to_string()))?,
                };
                let Some(resolved) = resolved else { return Err(bad("an entity that XML does not define")) };
                append(&mut open, resolved.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(bad("a document type, which no call needs")),
            Event::Eof => return Err(Refused::whole("not XML: it breaks off before its end")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

struct Element {
    name: String,
    text: String,
    members: Map<String, Value>,
}

impl Element {
    fn new(start: &BytesStart<'_>) -> Result<Self, String> {
        let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut members = Map::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            let value =
                quick_xml::escape::unescape(std::str::from_utf8(&attribute.value).map_err(|error| error.to_string())?)
                    .map_err(|error| error.to_string())?
                    .into_owned();
            members.insert(format!("@{}", name(attribute.key.as_ref())), Value::String(value));
        }
        Ok(Element { name: name(start.name().as_ref()), text: String::new(), members })
    }

    fn add(&mut self, child: Element) {
        let name = child.name.clone();
        let value = child.value();
        match self.members.get_mut(&name) {
            None => drop(self.members.insert(name, value)),
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }

    fn value(mut self) -> Value {
        if self.members.is_empty() {
            return Value::String(self.text);
        }
        if !self.text.trim().is_empty() {
            self.members.insert("#text".into(), Value::String(self.text));
        }
        Value::Object(self.members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn elements_become_members() {
        let tree = read(
            "<?xml version=\"1.0\"?>\n<cdr core-uuid=\"c\"><v><a>1 &amp; &#50;</a><b/><a>3</a></v><t><![CDATA[<x>]]></t></cdr>",
        );
        assert_eq!(tree, Ok(json!({ "@core-uuid": "c", "v": { "a": ["1 & 2", "3"], "b": "" }, "t": "<x>" })));
    }

    #[test]
    fn broken_and_hostile_documents_are_refused() {
        for text in [
            "<a>",
            "<a></b>",
            "<a>&own;</a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a b=\"1\" b=\"2\"/>",
            "</a>",
            "<a",
            "",
        ] {
            assert!(read(text).expect_err(text).why.starts_with("not XML"), "{text}");
        }
        assert!(read(&"<a>".repeat(10_000)).expect_err("deep").why.contains("nested"));
    }
}
