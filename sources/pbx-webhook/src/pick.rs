//! Where in a body a value is found.

use std::borrow::Cow;

use serde_json::Value;

use crate::contract::Direction;
use crate::json;
use crate::refused::Refused;
use crate::sighting::Seen;
use crate::words::Plain;

/// A way to a value.
#[derive(Clone, Debug)]
pub enum Pick {
    /// Follows a pointer from the call, or from the whole body.
    Pointer {
        /// The steps.
        steps: Vec<Step>,
        /// As it was written.
        written: String,
        /// From the whole body and not from the call, when a body holds several.
        whole: bool,
    },
    /// The first of these that is there.
    First(Vec<Pick>),
    /// The same for every call.
    Constant(String),
    /// All of these, joined by a text; absent when one is.
    Join(Vec<Pick>, String),
    /// Another one for each direction of the call.
    Directed {
        /// For calls that came in.
        inbound: Option<Box<Pick>>,
        /// For calls that went out.
        outbound: Option<Box<Pick>>,
        /// For calls inside.
        internal: Option<Box<Pick>>,
    },
}

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A member of an object, or an index of a list.
    Name(String),
    /// `*`: every member or item.
    Any,
    /// `-`: the last item of a list.
    Last,
    /// `[name=word]`: goes on only from an object whose member has this word.
    Where(String, String),
}

/// How a body is looked at.
pub struct View<'v> {
    /// The call.
    pub call: &'v Value,
    /// The body that it stands in.
    pub body: &'v Value,
    /// Where the call stands in the body.
    pub base: String,
    /// Names are found whatever their case, dashes and underscores.
    pub loose: bool,
    /// Texts are percent-encoded once more.
    pub encoded: bool,
    /// Texts such as `[Name]` are variables that nothing was put in for.
    pub placeholders: bool,
    /// The direction, when it is known already.
    pub direction: Option<Direction>,
}

impl Pick {
    /// Reads a way from the settings.
    pub fn read(value: &Value) -> Result<Self, String> {
        let all = |list: &[Value]| list.iter().map(Pick::read).collect::<Result<Vec<_>, _>>();
        match value {
            Value::String(text) => Pick::pointer(text, false),
            Value::Array(list) => Ok(Pick::First(all(list)?)),
            Value::Object(members) => {
                let text = |name: &str| members.get(name).and_then(Value::as_str);
                let names: Vec<_> = members.keys().map(String::as_str).collect();
                match names[..] {
                    ["value"] => text("value").map(|text| Pick::Constant(text.to_owned())),
                    ["body"] => text("body").map(|pointer| Pick::pointer(pointer, true)).transpose()?,
                    ["join"] | ["join", "with"] => match &members["join"] {
                        Value::Array(list) => Some(Pick::Join(all(list)?, text("with").unwrap_or_default().to_owned())),
                        _ => None,
                    },
                    _ if !names.is_empty()
                        && names.iter().all(|name| ["inbound", "outbound", "internal"].contains(name)) =>
                    {
                        let way =
                            |name: &str| members.get(name).map(Pick::read).transpose().map(|way| way.map(Box::new));
                        Some(Pick::Directed {
                            inbound: way("inbound")?,
                            outbound: way("outbound")?,
                            internal: way("internal")?,
                        })
                    }
                    _ => None,
                }
                .ok_or_else(|| {
                    format!(
                        "`{value}` is no way to a value: write a pointer, a list of pointers, {{ value = … }}, \
                         {{ body = … }}, {{ join = […], with = … }} or {{ inbound = …, outbound = …, internal = … }}"
                    )
                })
            }
            other => Err(format!("`{other}` is no way to a value: write a JSON pointer such as `/call/id`")),
        }
    }

    /// `/call/id`, or the bare name of a form field.
    pub fn pointer(text: &str, whole: bool) -> Result<Self, String> {
        let written = text.to_owned();
        let steps = match text.strip_prefix('/') {
            None if text.is_empty() => Vec::new(),
            None => vec![Step::Name(text.to_owned())],
            Some(rest) => rest
                .split('/')
                .map(|step| match step {
                    "*" => Step::Any,
                    "-" => Step::Last,
                    test if test.starts_with('[') && test.ends_with(']') && test.contains('=') => {
                        let (name, word) = test[1..test.len() - 1].split_once('=').unwrap_or_default();
                        Step::Where(name.to_owned(), Plain::of(word).as_str().to_owned())
                    }
                    name => Step::Name(name.replace("~1", "/").replace("~0", "~")),
                })
                .collect(),
        };
        if steps.len() > 32 {
            return Err(format!("`{text}` has more than 32 steps"));
        }
        Ok(Pick::Pointer { steps, written, whole })
    }

    /// The pointer to show when nothing was found.
    pub fn written(&self) -> &str {
        match self {
            Pick::Pointer { written, .. } => written,
            Pick::First(ways) | Pick::Join(ways, _) => ways.first().map_or("", Pick::written),
            Pick::Constant(_) => "",
            Pick::Directed { inbound, outbound, internal } => {
                [inbound, outbound, internal].into_iter().flatten().next().map_or("", |way| way.written())
            }
        }
    }

    /// The first text that is found.
    pub fn first<'v>(&'v self, view: &View<'v>) -> Result<Option<Seen<'v>>, Refused> {
        Ok(self.all(view, true)?.into_iter().next())
    }

    /// All the texts that are found; of alternatives those of the first that finds any.
    pub fn all<'v>(&'v self, view: &View<'v>, one: bool) -> Result<Vec<Seen<'v>>, Refused> {
        match self {
            Pick::Pointer { steps, whole, .. } => {
                let (root, place) = if *whole { (view.body, String::new()) } else { (view.call, view.base.clone()) };
                let mut found = Vec::new();
                view.walk(root, steps, place, one, &mut found)?;
                Ok(found)
            }
            Pick::First(ways) => {
                for way in ways {
                    let found = way.all(view, one)?;
                    if !found.is_empty() {
                        return Ok(found);
                    }
                }
                Ok(Vec::new())
            }
            Pick::Constant(text) => Ok(vec![Seen { text: Cow::Borrowed(text), place: Cow::Borrowed("") }]),
            Pick::Join(ways, with) => {
                let mut text = String::new();
                let mut place = None;
                for way in ways {
                    let Some(seen) = way.first(view)? else { return Ok(Vec::new()) };
                    if place.is_some() {
                        text.push_str(with);
                    }
                    text.push_str(&seen.text);
                    place = place.or(Some(seen.place));
                }
                let whole = Seen { text: Cow::Owned(text), place: place.unwrap_or_default() };
                Ok(if whole.text.is_empty() { Vec::new() } else { vec![whole] })
            }
            Pick::Directed { inbound, outbound, internal } => {
                let way = match view.direction {
                    Some(Direction::Inbound) => inbound,
                    Some(Direction::Outbound) => outbound,
                    Some(Direction::Internal) => internal,
                    None => &None,
                };
                way.as_ref().map_or_else(|| Ok(Vec::new()), |way| way.all(view, one))
            }
        }
    }
}

impl<'v> View<'v> {
    fn walk(
        &self,
        value: &'v Value,
        steps: &[Step],
        place: String,
        one: bool,
        found: &mut Vec<Seen<'v>>,
    ) -> Result<(), Refused> {
        if one && !found.is_empty() {
            return Ok(());
        }
        let Some((step, rest)) = steps.split_first() else {
            if let Some(text) = self.text(value).map_err(|kind| wrong(&place, kind))? {
                found.push(Seen { text, place: Cow::Owned(place) });
            }
            return Ok(());
        };
        let below = |name: &str| format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"));
        match (step, value) {
            (Step::Any, Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    self.walk(item, rest, format!("{place}/{index}"), one, found)?;
                }
            }
            (Step::Any, Value::Object(members)) => {
                for (name, member) in members {
                    self.walk(member, rest, below(name), one, found)?;
                }
            }
            (Step::Last, Value::Array(items)) => {
                if let Some(item) = items.last() {
                    self.walk(item, rest, format!("{place}/{}", items.len() - 1), one, found)?;
                }
            }
            // One that could have been several: a list with one item is often written as the item.
            (Step::Last, Value::Object(_)) => self.walk(value, rest, place, one, found)?,
            (Step::Where(name, word), Value::Object(members)) => {
                if let Some(Value::String(text)) = members.get(name)
                    && Plain::of(text).as_str() == word
                {
                    self.walk(value, rest, place, one, found)?;
                }
            }
            (Step::Name(name), Value::Object(members)) => {
                let member = members.get_key_value(name).or_else(|| {
                    let plain = Plain::of(name);
                    let alike = |(known, _): &(&String, &Value)| Plain::of(known).as_str() == plain.as_str();
                    self.loose.then(|| members.iter().find(alike)).flatten()
                });
                if let Some((name, member)) = member {
                    self.walk(member, rest, below(name), one, found)?;
                }
            }
            (Step::Name(name), Value::Array(items)) => {
                if let Some((index, item)) = name.parse().ok().and_then(|at: usize| Some((at, items.get(at)?))) {
                    self.walk(item, rest, format!("{place}/{index}"), one, found)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A value as text; nothing when it is blank, and what it is when it can be none.
    fn text(&self, value: &'v Value) -> Result<Option<Cow<'v, str>>, &'static str> {
        let text = match value {
            Value::Null => return Ok(None),
            Value::String(text) => Cow::Borrowed(text.as_str()),
            Value::Bool(yes) => Cow::Borrowed(if *yes { "true" } else { "false" }),
            Value::Number(number) => match (number.is_f64(), number.as_f64()) {
                (true, Some(number)) => Cow::Owned(json::exact(number).ok_or(json::INEXACT)?),
                _ => Cow::Owned(number.to_string()),
            },
            // What is left of an XML element with attributes is its text.
            Value::Object(members) => match members.get("#text") {
                Some(Value::String(text)) => Cow::Borrowed(text.as_str()),
                _ if members.is_empty() => return Ok(None),
                _ => return Err("an object"),
            },
            Value::Array(items) if items.is_empty() => return Ok(None),
            Value::Array(_) => return Err("a list"),
        };
        let text = if self.encoded && text.contains('%') { decoded(text) } else { text };
        let trimmed = text.trim();
        let unfilled = self.placeholders && trimmed.starts_with('[') && trimmed.ends_with(']');
        Ok((!trimmed.is_empty() && !unfilled).then_some(text))
    }
}

/// The text that a percent-encoding stands for; the encoding itself when it stands for none.
fn decoded(text: Cow<'_, str>) -> Cow<'_, str> {
    match percent_encoding::percent_decode_str(&text).decode_utf8() {
        Ok(plain) => Cow::Owned(plain.into_owned()),
        Err(_) => text,
    }
}

fn wrong(place: &str, kind: &str) -> Refused {
    Refused::at(place, format!("here stands {kind}: a text or a number is looked for"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn view(body: &Value) -> View<'_> {
        View {
            call: body,
            body,
            base: String::new(),
            loose: false,
            encoded: false,
            placeholders: false,
            direction: Some(Direction::Outbound),
        }
    }

    fn texts(way: Value, body: &Value) -> Vec<(String, String)> {
        let way = Pick::read(&way).expect("a way");
        let found = way.all(&view(body), false).expect("found");
        found.into_iter().map(|seen| (seen.text.into_owned(), seen.place.into_owned())).collect()
    }

    fn pair(text: &str, place: &str) -> Vec<(String, String)> {
        vec![(text.to_owned(), place.to_owned())]
    }

    #[test]
    fn ways() {
        let body = json!({
            "a": { "b/c": 7 }, "plain": "x", "blank": "  ", "list": [{ "n": "1" }, { "n": "2" }], "a.b": "dotted",
        });
        assert_eq!(texts(json!("/a/b~1c"), &body), pair("7", "/a/b~1c"));
        assert_eq!(texts(json!("plain"), &body), pair("x", "/plain"));
        assert_eq!(texts(json!("a.b"), &body), pair("dotted", "/a.b"));
        assert_eq!(texts(json!(["/blank", "/none", "/plain"]), &body), pair("x", "/plain"));
        assert_eq!(texts(json!({ "value": "y" }), &body), pair("y", ""));
        assert_eq!(texts(json!({ "join": ["plain", "/list/-/n"], "with": "-" }), &body), pair("x-2", "/plain"));
        assert_eq!(texts(json!({ "join": ["plain", "none"] }), &body), []);
        assert_eq!(texts(json!({ "inbound": "none", "outbound": "plain" }), &body), pair("x", "/plain"));
        assert_eq!(texts(json!("/list/*/n"), &body).len(), 2);
        assert_eq!(texts(json!("/list/1/n"), &body), pair("2", "/list/1/n"));
        assert_eq!(texts(json!("/list/*/[n=2]/n"), &body), pair("2", "/list/1/n"));
    }

    #[test]
    fn wrong_kinds_are_named() {
        let body = json!({ "a": ["x"], "n": 1e300 });
        let refused = Pick::read(&json!("/a")).expect("a way").first(&view(&body)).expect_err("a list");
        assert_eq!(refused.field, "/a");
        assert!(refused.why.contains("a list"));
        assert!(Pick::read(&json!("/n")).expect("a way").first(&view(&body)).is_err());
        for bad in [json!(7), json!({ "valu": "x" }), json!({}), json!({ "join": "x" })] {
            assert!(Pick::read(&bad).expect_err("bad").contains("no way to a value"), "{bad}");
        }
    }

    #[test]
    fn views_differ() {
        let body = json!({ "Call_Type": "In%20bound", "name": "[Name]" });
        let mut view = view(&body);
        view.loose = true;
        view.encoded = true;
        view.placeholders = true;
        let find = |way: &str| Pick::read(&json!(way)).expect("a way");
        let way = find("/callType");
        assert_eq!(way.first(&view).expect("found").expect("found").text, "In bound");
        assert!(find("/name").first(&view).expect("found").is_none());
    }
}
