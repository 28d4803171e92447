//! The body that existing middlewares send: one flat JSON object, read straight into place.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::contract::Observation;
use crate::json;
use crate::refused::Refused;
use crate::sighting::{Rules, Seen, Seens, Sighting};
use crate::words::{self, Plain};

/// The body's fields. All may be missing but the call's id.
#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow, default)]
    call_uuid: Text<'a>,
    #[serde(borrow, default)]
    from: Text<'a>,
    #[serde(borrow, default)]
    to: Text<'a>,
    #[serde(borrow, default)]
    direction: Text<'a>,
    #[serde(borrow, default)]
    start_time: Text<'a>,
    #[serde(borrow, default)]
    answer_time: Text<'a>,
    #[serde(borrow, default)]
    end_time: Text<'a>,
    #[serde(borrow, default)]
    duration: Text<'a>,
    #[serde(borrow, default)]
    status: Text<'a>,
    #[serde(borrow, default)]
    recording_url: Text<'a>,
    #[serde(borrow, default)]
    agent_ext: Text<'a>,
    #[serde(borrow, default)]
    pbx_system: Text<'a>,
}

/// Decodes one body.
pub fn decode(body: &[u8], rules: &Rules) -> Result<Observation, Refused> {
    json::check_depth(body)?;
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Refused::whole("a list: send one JSON object for each call"));
    }
    let body: Body = serde_json::from_slice(body).map_err(|error| json::explain(body, &error))?;
    let direction = body.direction.seen("/direction")?;
    let known = direction.as_ref().and_then(|seen| words::direction(&Plain::of(&seen.text)));
    let mut attributes = Vec::new();
    if let (Some(seen), None) = (direction, known) {
        attributes.push((Cow::Borrowed("direction"), seen));
    }
    let sighting = Sighting {
        id: body.call_uuid.seen("/call_uuid")?,
        caller: body.from.seen("/from")?,
        callee: body.to.seen("/to")?,
        direction: known,
        started_at: body.start_time.seen("/start_time")?,
        answered_at: body.answer_time.seen("/answer_time")?,
        ended_at: body.end_time.seen("/end_time")?,
        duration: body.duration.seen("/duration")?,
        statuses: Seens::One(body.status.seen("/status")?),
        recordings: Seens::One(body.recording_url.seen("/recording_url")?),
        agent: body.agent_ext.seen("/agent_ext")?,
        system: body.pbx_system.seen("/pbx_system")?,
        attributes,
        ..Sighting::default()
    };
    sighting.observe(rules)
}

/// A text, or a number that stands for one. Anything else is kept as what it is, to be refused by its field's name.
#[derive(Default)]
enum Text<'a> {
    #[default]
    Absent,
    Is(Cow<'a, str>),
    Wrong(&'static str),
}

impl<'a> Text<'a> {
    fn seen(self, place: &'static str) -> Result<Option<Seen<'a>>, Refused> {
        match self {
            Text::Is(text) if !text.trim().is_empty() => Ok(Some(Seen { text, place: Cow::Borrowed(place) })),
            Text::Is(_) | Text::Absent => Ok(None),
            Text::Wrong(kind) => Err(Refused::at(place, format!("here stands {kind}: send a text"))),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text::Is(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text::Is(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Text<'de>, E> {
        Ok(Text::Is(Cow::Owned(text)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Text<'de>, E> {
        Ok(Text::Is(Cow::Owned(number.to_string())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Text<'de>, E> {
        Ok(Text::Is(Cow::Owned(number.to_string())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Text<'de>, E> {
        Ok(match json::exact(number) {
            Some(text) => Text::Is(Cow::Owned(text)),
            None => Text::Wrong(json::INEXACT),
        })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Text<'de>, E> {
        Ok(Text::Wrong("true or false"))
    }

    fn visit_unit<E>(self) -> Result<Text<'de>, E> {
        Ok(Text::Absent)
    }

    fn visit_none<E>(self) -> Result<Text<'de>, E> {
        Ok(Text::Absent)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Text::Wrong("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Text::Wrong("an object"))
    }
}
