//! From a body of any shape to observations, by rules that stand in the settings.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::Value;

use crate::body;
use crate::contract::{Direction, Observation, Trust};
use crate::pick::{Pick, View};
use crate::refused::{Refused, Shown};
use crate::sighting::{Rules, Seen, Seens, Sighting};
use crate::time::{Clock, Unit};
use crate::words::{self, Plain};

/// How many calls one body may hold.
const CALLS: usize = 1000;

/// A mapping as it stands in the settings. A list of them is tried in order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappingText {
    when: BTreeMap<String, OneOrMany>,
    ignore: Option<String>,
    document: Option<String>,
    unpack: Vec<String>,
    calls: Option<String>,
    loose_names: bool,
    percent_encoded: bool,
    placeholders: bool,
    trust: Option<String>,
    phase: Option<String>,
    times: Vec<String>,
    durations: Option<String>,
    statuses: BTreeMap<String, String>,
    directions: BTreeMap<String, String>,
    outcomes: BTreeMap<String, String>,
    id: Option<Value>,
    caller: Option<Value>,
    caller_name: Option<Value>,
    callee: Option<Value>,
    callee_name: Option<Value>,
    line: Option<Value>,
    queue: Option<Value>,
    agent: Option<Value>,
    agent_name: Option<Value>,
    direction: Option<Value>,
    status: Option<Value>,
    outcome: Option<Value>,
    started_at: Option<Value>,
    answered_at: Option<Value>,
    ended_at: Option<Value>,
    at: Option<Value>,
    duration: Option<Value>,
    talk: Option<Value>,
    hold: Option<Value>,
    wait: Option<Value>,
    hangup_cause: Option<Value>,
    hangup_by: Option<Value>,
    recordings: Option<Value>,
    system: Option<Value>,
    notes: Option<Value>,
    attributes: BTreeMap<String, Value>,
}

/// One value or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl OneOrMany {
    /// All of them.
    pub fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMany::One(value) => vec![value],
            OneOrMany::Many(values) => values,
        }
    }
}

/// What the source's own settings add to every mapping.
pub struct Around<'s> {
    /// The zone of times without an offset.
    pub zone: &'s str,
    /// Formats of times, for mappings that name none.
    pub times: &'s [String],
    /// Stands before the names of recordings.
    pub recording_base: &'s str,
}

/// Mappings ready for use.
#[derive(Debug)]
pub struct Mappings {
    document: Option<String>,
    unpack: Vec<String>,
    mappings: Vec<Mapping>,
}

#[derive(Debug)]
struct Mapping {
    when: Vec<(Pick, Vec<String>)>,
    ignore: Option<String>,
    calls: Option<String>,
    loose: bool,
    encoded: bool,
    placeholders: bool,
    rules: Rules,
    directions: HashMap<String, Option<Direction>>,
    outcomes: HashMap<String, String>,
    ways: Ways,
}

/// Where each field is found.
#[derive(Debug, Default)]
struct Ways {
    id: Option<Pick>,
    caller: Option<Pick>,
    caller_name: Option<Pick>,
    callee: Option<Pick>,
    callee_name: Option<Pick>,
    line: Option<Pick>,
    queue: Option<Pick>,
    agent: Option<Pick>,
    agent_name: Option<Pick>,
    direction: Option<Pick>,
    status: Option<Pick>,
    outcome: Option<Pick>,
    started_at: Option<Pick>,
    answered_at: Option<Pick>,
    ended_at: Option<Pick>,
    at: Option<Pick>,
    duration: Option<Pick>,
    talk: Option<Pick>,
    hold: Option<Pick>,
    wait: Option<Pick>,
    hangup_cause: Option<Pick>,
    hangup_by: Option<Pick>,
    recordings: Option<Pick>,
    system: Option<Pick>,
    notes: Option<Pick>,
    attributes: Vec<(String, Pick)>,
}

/// What came of a body.
#[derive(Debug, PartialEq)]
pub enum Decoded {
    /// Sightings of calls.
    Observations(Vec<Observation>),
    /// Nothing of interest, and why.
    Ignored(String),
}

impl Mappings {
    /// Makes mappings ready, or says which line of which is wrong.
    pub fn new(texts: Vec<MappingText>, around: &Around<'_>) -> Result<Self, String> {
        if texts.is_empty() {
            return Err("`mapping` is empty: with `format = \"custom\"` it says where each field is found".into());
        }
        let document = texts.iter().find_map(|text| text.document.clone());
        let mut unpack: Vec<String> = texts.iter().flat_map(|text| text.unpack.iter().cloned()).collect();
        unpack.sort();
        unpack.dedup();
        let several = texts.len() > 1;
        let mappings = texts
            .into_iter()
            .enumerate()
            .map(|(index, text)| {
                let name = if several { format!("mapping {}", index + 1) } else { "mapping".to_owned() };
                Mapping::new(text, around).map_err(|why| format!("{name}: {why}"))
            })
            .collect::<Result<_, _>>()?;
        Ok(Mappings { document, unpack, mappings })
    }

    /// Decodes a body.
    pub fn decode(&self, media_type: &str, bytes: &[u8]) -> Result<Decoded, Refused> {
        let mut body = body::read(media_type, bytes, self.document.as_deref())?;
        for pointer in &self.unpack {
            unpack(&mut body, pointer)?;
        }
        for mapping in &self.mappings {
            if !mapping.fits(&body)? {
                continue;
            }
            return match &mapping.ignore {
                Some(why) => Ok(Decoded::Ignored(why.clone())),
                None => mapping.calls(&body).map(Decoded::Observations),
            };
        }
        Ok(Decoded::Ignored("no mapping is for bodies of this kind".into()))
    }
}

impl Mapping {
    fn new(text: MappingText, around: &Around<'_>) -> Result<Self, String> {
        let way = |name: &str, value: &Option<Value>| {
            let way = value.as_ref().map(Pick::read).transpose();
            way.map_err(|why| format!("`{name}`: {why}"))
        };
        let ways = Ways {
            id: way("id", &text.id)?,
            caller: way("caller", &text.caller)?,
            caller_name: way("caller_name", &text.caller_name)?,
            callee: way("callee", &text.callee)?,
            callee_name: way("callee_name", &text.callee_name)?,
            line: way("line", &text.line)?,
            queue: way("queue", &text.queue)?,
            agent: way("agent", &text.agent)?,
            agent_name: way("agent_name", &text.agent_name)?,
            direction: way("direction", &text.direction)?,
            status: way("status", &text.status)?,
            outcome: way("outcome", &text.outcome)?,
            started_at: way("started_at", &text.started_at)?,
            answered_at: way("answered_at", &text.answered_at)?,
            ended_at: way("ended_at", &text.ended_at)?,
            at: way("at", &text.at)?,
            duration: way("duration", &text.duration)?,
            talk: way("talk", &text.talk)?,
            hold: way("hold", &text.hold)?,
            wait: way("wait", &text.wait)?,
            hangup_cause: way("hangup_cause", &text.hangup_cause)?,
            hangup_by: way("hangup_by", &text.hangup_by)?,
            recordings: way("recordings", &text.recordings)?,
            system: way("system", &text.system)?,
            notes: way("notes", &text.notes)?,
            attributes: attributes(&text.attributes)?,
        };
        if ways.id.is_none() && text.ignore.is_none() {
            return Err("`id` is missing: say where the call's id is found".into());
        }
        let when = text
            .when
            .into_iter()
            .map(|(way, words)| {
                let words = words.into_vec().iter().map(|word| plain(word)).collect();
                Ok((Pick::pointer(&way, false)?, words))
            })
            .collect::<Result<_, String>>()?;
        let rules = Rules {
            id_place: ways.id.as_ref().map(Pick::written).unwrap_or_default().to_owned(),
            clock: Clock::new(around.zone, if text.times.is_empty() { around.times } else { &text.times })?,
            unit: unit(text.durations.as_deref())?,
            statuses: table("statuses", text.statuses, words::state)?,
            phase: text.phase.as_deref().map(words::phase).transpose()?,
            recording_base: around.recording_base.to_owned(),
            trust: trust(text.trust.as_deref())?,
        };
        Ok(Mapping {
            when,
            ignore: text.ignore,
            calls: text.calls,
            loose: text.loose_names,
            encoded: text.percent_encoded,
            placeholders: text.placeholders,
            rules,
            directions: table("directions", text.directions, direction)?,
            outcomes: table("outcomes", text.outcomes, |word| Ok(word.to_owned()))?,
            ways,
        })
    }

    fn view<'v>(&self, body: &'v Value, call: &'v Value, base: String) -> View<'v> {
        View {
            call,
            body,
            base,
            loose: self.loose,
            encoded: self.encoded,
            placeholders: self.placeholders,
            direction: None,
        }
    }

    fn fits(&self, body: &Value) -> Result<bool, Refused> {
        let view = self.view(body, body, String::new());
        for (way, words) in &self.when {
            let seen = way.first(&view)?;
            let word = seen.map(|seen| plain(&seen.text)).unwrap_or_default();
            let fits = words.iter().any(|wanted| *wanted == word || (wanted == "*" && !word.is_empty()));
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn calls(&self, body: &Value) -> Result<Vec<Observation>, Refused> {
        let (list, base) = match &self.calls {
            Some(pointer) => match body.pointer(pointer) {
                Some(list) => (list, pointer.as_str()),
                None => return Err(Refused::at(&**pointer, "here the calls are looked for, and nothing is here")),
            },
            None => (body, ""),
        };
        match list {
            Value::Array(calls) if calls.len() > CALLS => {
                Err(Refused::at(base, format!("{} calls in one body: {CALLS} at most", calls.len())))
            }
            Value::Array(calls) => {
                let each = calls.iter().enumerate();
                each.map(|(index, call)| self.call(body, call, format!("{base}/{index}"))).collect()
            }
            Value::Object(_) => Ok(vec![self.call(body, list, base.to_owned())?]),
            _ => Err(Refused::at(base, "neither an object for a call nor a list of them")),
        }
    }

    fn call(&self, body: &Value, call: &Value, base: String) -> Result<Observation, Refused> {
        let mut view = self.view(body, call, base);
        let heading = match &self.ways.direction {
            Some(way) => way.first(&view)?,
            None => None,
        };
        let known = heading.as_ref().and_then(|seen| {
            let word = Plain::of(&seen.text);
            self.directions.get(word.as_str()).copied().unwrap_or_else(|| words::direction(&word))
        });
        view.direction = known;
        let unknown = heading.filter(|seen| known.is_none() && !self.directions.contains_key(&plain(&seen.text)));
        let ways = &self.ways;
        let first = |way: &'_ Option<Pick>| -> Result<Option<Seen<'_>>, Refused> {
            // The view outlives nothing that is found, so what is found becomes its own.
            let Some(way) = way else { return Ok(None) };
            Ok(way.first(&view)?.map(own))
        };
        let all = |way: &'_ Option<Pick>| -> Result<Vec<Seen<'_>>, Refused> {
            let Some(way) = way else { return Ok(Vec::new()) };
            Ok(way.all(&view, false)?.into_iter().map(own).collect())
        };
        let mut attributes: Vec<(Cow<'_, str>, Seen<'_>)> = Vec::new();
        if let Some(seen) = unknown {
            attributes.push((Cow::Borrowed("direction"), own(seen)));
        }
        for (name, way) in &ways.attributes {
            if let Some(seen) = way.first(&view)? {
                attributes.push((Cow::Borrowed(name), own(seen)));
            }
        }
        let sighting = Sighting {
            id: first(&ways.id)?,
            caller: first(&ways.caller)?,
            caller_name: first(&ways.caller_name)?,
            callee: first(&ways.callee)?,
            callee_name: first(&ways.callee_name)?,
            line: first(&ways.line)?,
            queue: first(&ways.queue)?,
            agent: first(&ways.agent)?,
            agent_name: first(&ways.agent_name)?,
            direction: known,
            statuses: Seens::Many(all(&ways.status)?),
            outcome: self.outcome(&view)?,
            started_at: first(&ways.started_at)?,
            answered_at: first(&ways.answered_at)?,
            ended_at: first(&ways.ended_at)?,
            at: first(&ways.at)?,
            duration: first(&ways.duration)?,
            talk: first(&ways.talk)?,
            hold: first(&ways.hold)?,
            wait: first(&ways.wait)?,
            hangup_cause: first(&ways.hangup_cause)?,
            hangup_by: first(&ways.hangup_by)?,
            recordings: Seens::Many(all(&ways.recordings)?),
            system: first(&ways.system)?,
            notes: first(&ways.notes)?,
            attributes,
        };
        let observation = sighting.observe(&self.rules);
        observation
            .map_err(|refused| if refused.field == self.rules.id_place { refused.below(&view.base) } else { refused })
    }

    /// The first outcome word that is known, of all the places where one may stand.
    fn outcome<'v>(&'v self, view: &View<'v>) -> Result<Option<Cow<'static, str>>, Refused> {
        let Some(way) = &self.ways.outcome else { return Ok(None) };
        let places: &[Pick] = match way {
            Pick::First(places) => places,
            place => std::slice::from_ref(place),
        };
        for place in places {
            for seen in place.all(view, false)? {
                let word = Plain::of(&seen.text);
                match self.outcomes.get(word.as_str()) {
                    Some(outcome) if outcome.is_empty() => {}
                    Some(outcome) => return Ok(Some(Cow::Owned(outcome.clone()))),
                    None => {
                        if let Some(outcome) = words::outcome(&word) {
                            return Ok(Some(outcome));
                        }
                    }
                }
            }
        }
        Ok(None)
    }
}

fn own(seen: Seen<'_>) -> Seen<'static> {
    Seen { text: Cow::Owned(seen.text.into_owned()), place: Cow::Owned(seen.place.into_owned()) }
}

fn plain(word: &str) -> String {
    Plain::of(word).as_str().to_owned()
}

/// Texts that hold JSON themselves are opened in their place.
fn unpack(body: &mut Value, pointer: &str) -> Result<(), Refused> {
    let Some(value) = body.pointer_mut(pointer) else { return Ok(()) };
    if let Value::String(text) = value {
        *value = body::read("application/json", text.as_bytes(), None).map_err(|refused| refused.below(pointer))?;
    }
    Ok(())
}

fn attributes(texts: &BTreeMap<String, Value>) -> Result<Vec<(String, Pick)>, String> {
    texts
        .iter()
        .map(|(name, way)| {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || !name.chars().all(good) {
                let shown = Shown(name);
                return Err(format!("attribute {shown}: names are lower-case words joined by dashes"));
            }
            Ok((name.clone(), Pick::read(way).map_err(|why| format!("attribute `{name}`: {why}"))?))
        })
        .collect()
}

fn table<T>(
    name: &str,
    words: BTreeMap<String, String>,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<HashMap<String, T>, String> {
    words
        .into_iter()
        .map(|(word, means)| Ok((plain(&word), read(&means).map_err(|why| format!("`{name}`, `{word}`: {why}"))?)))
        .collect()
}

fn direction(text: &str) -> Result<Option<Direction>, String> {
    match text {
        "inbound" => Ok(Some(Direction::Inbound)),
        "outbound" => Ok(Some(Direction::Outbound)),
        "internal" => Ok(Some(Direction::Internal)),
        "" => Ok(None),
        other => Err(format!("`{other}` is no direction: write `inbound`, `outbound`, `internal` or nothing")),
    }
}

fn trust(text: Option<&str>) -> Result<Trust, String> {
    match text {
        None | Some("reported") => Ok(Trust::Reported),
        Some("settled") => Ok(Trust::Settled),
        Some("inferred") => Ok(Trust::Inferred),
        Some(other) => Err(format!("`trust`: `{other}` is not one of `reported`, `settled`, `inferred`")),
    }
}

fn unit(text: Option<&str>) -> Result<Unit, String> {
    match text {
        None | Some("s") => Ok(Unit::Seconds),
        Some("ms") => Ok(Unit::Millis),
        Some("us") => Ok(Unit::Micros),
        Some(other) => Err(format!("`durations`: `{other}` is not one of `s`, `ms`, `us`")),
    }
}
