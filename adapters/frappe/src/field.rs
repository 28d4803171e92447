//! The fields that are written: where each is, and what of a value it takes.

use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::Instant;
use serde::{Deserialize, Serialize};

use crate::clock::Zone;
use crate::meta::{Meta, MetaField};
use crate::preset::Kind;
use crate::settings::Settings;
use crate::text;

/// Characters of a `Data` field that says nothing else.
const DATA: usize = 140;

/// A field that is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Slot {
    /// What it holds: "start_time".
    #[serde(rename = "h")]
    pub holds: String,
    /// The field's name.
    #[serde(rename = "n")]
    pub name: String,
    /// "Data", "Select", "Link", …
    #[serde(rename = "k")]
    pub kind: String,
    /// The words of a Select, the target of a Link, what a Data must be.
    #[serde(rename = "o", skip_serializing_if = "String::is_empty")]
    pub options: String,
    /// Characters, when not the usual ones.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// A document without it is refused.
    #[serde(rename = "m", skip_serializing_if = "std::ops::Not::not")]
    pub mandatory: bool,
    /// Markup is left as it is.
    #[serde(rename = "r", skip_serializing_if = "std::ops::Not::not")]
    pub raw: bool,
}

/// A value that is to be written, before it is known what the field takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A text.
    Text(String),
    /// What somebody wrote: nothing of it may change.
    Verbatim(String),
    /// Words that mean the same, the best first; a Select takes the first that it has.
    Words(Vec<String>),
    /// A number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A moment.
    Moment(Instant),
    /// A moment of which fractions of a second count.
    Precise(Instant),
    /// A telephone number, or what stands for one.
    Phone(String),
    /// A link on the web.
    Link(String),
    /// JSON as it is: rows, names of documents.
    Whole(Value),
}

impl Given {
    /// One word.
    pub fn word(word: impl Into<String>) -> Self {
        Self::Words(vec![word.into()])
    }
}

/// Finds every field that is to be written; a sentence for each that is missing.
pub fn slots(settings: &Settings, kind: Kind, doctype: &str, meta: &Meta, problems: &mut Vec<String>) -> Vec<Slot> {
    let named = settings.fields.get(kind.word());
    let mut slots: Vec<Slot> = Vec::new();
    for (holds, wanted) in named.into_iter().flatten() {
        if wanted.trim().is_empty() {
            continue;
        }
        if !kind.usual(settings).iter().any(|usual| usual.holds == holds) && !EXTRA.contains(&holds.as_str()) {
            problems
                .push(format!("the setting `fields.{}.{holds}`: there is no logical field of this name", kind.word()));
            continue;
        }
        match meta.field(wanted) {
            Some(field) => slots.push(slot(holds, field)),
            None => problems.push(format!(
                "{doctype}: the setting `fields.{}.{holds}` names the field \"{wanted}\", and there is none; it has: {}",
                kind.word(),
                names(meta)
            )),
        }
    }
    for usual in kind.usual(settings) {
        if named.is_some_and(|named| named.contains_key(usual.holds)) {
            continue;
        }
        let free = |name: &&&str| !slots.iter().any(|slot| slot.name.eq_ignore_ascii_case(name));
        match usual.names.iter().filter(free).find_map(|name| meta.field(name)) {
            Some(field) => slots.push(slot(usual.holds, field)),
            None if usual.wanted => problems.push(format!(
                "{doctype}: there is no field \"{}\" for `{}`: make one, name another in `fields.{}.{}`, or set that \
                 to \"\" to do without",
                usual.names[0],
                usual.holds,
                kind.word(),
                usual.holds
            )),
            None => {}
        }
    }
    slots
}

/// Logical fields of calls that no preset has, and that can be mapped all the same.
const EXTRA: [&str; 13] = [
    "direction",
    "outcome",
    "talk",
    "wait",
    "queue",
    "system",
    "notes",
    "agent_user",
    "source_id",
    "caller_as_seen",
    "callee_as_seen",
    "customer_number",
    "description",
];

fn slot(holds: &str, field: &MetaField) -> Slot {
    Slot {
        holds: holds.to_owned(),
        name: field.name.clone(),
        kind: field.kind.clone(),
        options: field.options.clone(),
        length: (field.length > 0).then_some(field.length),
        mandatory: field.mandatory,
        raw: field.raw || field.kind == "Code" || field.kind == "JSON",
    }
}

fn names(meta: &Meta) -> String {
    let shown = meta.fields.iter().filter(|field| field.takes_values()).map(|field| field.name.as_str());
    shown.collect::<Vec<_>>().join(", ")
}

impl Slot {
    /// Whether its value names a document of this DocType.
    pub fn links_to(&self, doctype: &str) -> bool {
        self.kind == "Link" && self.options == doctype
    }

    /// The value as the field takes it; `None` when it takes nothing of it, which is said in `notes`.
    pub fn fit(&self, given: Given, zone: &Zone, notes: &mut Vec<String>) -> Option<Value> {
        match given {
            Given::Whole(value) => Some(value),
            Given::Number(number) => Some(self.number(number, notes)),
            Given::Flag(flag) => Some(match self.kind.as_str() {
                "Select" | "Data" => json!(if flag { "Yes" } else { "No" }),
                _ => json!(u8::from(flag)),
            }),
            Given::Moment(moment) => Some(self.moment(moment, zone, false)),
            Given::Precise(moment) => Some(self.moment(moment, zone, true)),
            Given::Words(words) => self.words(&words, notes),
            Given::Phone(number) => self.phone(&number, notes),
            Given::Link(link) => self.link(&link, notes),
            Given::Verbatim(given) => Some(match self.kind.as_str() {
                "Text Editor" | "HTML Editor" => json!(text::markup(&given)),
                "Select" => return self.words(&[given], notes),
                _ if self.is_line() => json!(text::line(&self.name, &given, self.width(), notes)),
                _ => {
                    // What begins like a tag is enough for Frappe's filter to clean the whole text.
                    if !self.raw && looks_like_markup(&given) {
                        notes.push(format!(
                            "{}: Frappe may change the markup in this text: set the property ignore_xss_filter of the \
                             field",
                            self.name
                        ));
                    }
                    json!(text::verbatim(&self.name, &given, self.bytes(), notes))
                }
            }),
            Given::Text(given) => match self.kind.as_str() {
                "Select" => self.words(&[given], notes),
                "Int" | "Float" | "Currency" | "Duration" | "Percent" | "Check" => {
                    let number = given.trim().parse::<i64>().ok();
                    if number.is_none() {
                        notes.push(format!("{}: \"{}\" is no number", self.name, shown(&given)));
                    }
                    number.map(|number| self.number(number, notes))
                }
                "Text Editor" | "HTML Editor" => Some(json!(text::markup(&given))),
                _ if self.options == "Phone" => self.phone(&given, notes),
                _ if self.is_line() => Some(json!(text::line(&self.name, &given, self.width(), notes))),
                _ => Some(json!(text::lines(&self.name, &given, self.bytes(), notes))),
            },
        }
    }

    fn is_line(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "Data" | "Link" | "Dynamic Link" | "Phone" | "Read Only" | "Autocomplete" | "Select" | "Color" | "Barcode"
        )
    }

    fn width(&self) -> usize {
        self.length.unwrap_or(DATA)
    }

    fn bytes(&self) -> usize {
        match self.kind.as_str() {
            "Small Text" | "Text" | "Attach" | "Attach Image" => text::TEXT,
            // The server takes 25 MB at once; nobody reads more than this.
            _ => 4 << 20,
        }
    }

    fn number(&self, number: i64, notes: &mut Vec<String>) -> Value {
        match self.kind.as_str() {
            "Int" | "Duration" | "Float" | "Currency" | "Percent" => {
                let most = i64::from(i32::MAX);
                if number > most {
                    notes.push(format!("{}: {number} is more than the field holds", self.name));
                }
                json!(number.clamp(-most, most))
            }
            "Check" => json!(u8::from(number != 0)),
            _ => json!(number.to_string()),
        }
    }

    fn moment(&self, moment: Instant, zone: &Zone, precise: bool) -> Value {
        json!(match self.kind.as_str() {
            "Date" => zone.date(moment),
            "Time" => zone.time(moment),
            "Datetime" if precise => zone.precise(moment),
            _ => zone.datetime(moment),
        })
    }

    fn words(&self, words: &[String], notes: &mut Vec<String>) -> Option<Value> {
        if self.kind != "Select" {
            let word = words.first()?;
            return Some(json!(text::line(&self.name, word, self.width(), notes)));
        }
        let options: Vec<&str> = self.options.lines().map(str::trim).collect();
        // The case of a word matters to Frappe: the list's own spelling is written.
        let same = |word: &String| options.iter().find(|option| option.eq_ignore_ascii_case(word.trim()));
        if let Some(option) = words.iter().find_map(same) {
            return Some(json!(option));
        }
        let word = words.first()?;
        notes.push(format!(
            "{}: \"{}\" is none of its words ({}); it was left out",
            self.name,
            shown(word),
            options.join(", ")
        ));
        None
    }

    fn phone(&self, given: &str, notes: &mut Vec<String>) -> Option<Value> {
        if self.options != "Phone" {
            return Some(json!(text::line(&self.name, given, self.width(), notes)));
        }
        if let Some(number) = text::phone(given) {
            return Some(json!(number));
        }
        notes.push(format!("{}: the field takes numbers only; \"{}\" is written as 0", self.name, shown(given)));
        Some(json!("0"))
    }

    /// A link that is cut opens nothing: it goes in whole, or not at all.
    fn link(&self, given: &str, notes: &mut Vec<String>) -> Option<Value> {
        let width = if self.is_line() { self.width() } else { self.bytes() };
        let link = text::link(given, width);
        if link.is_none() {
            let length = given.chars().count();
            notes.push(format!(
                "{}: the link of {length} characters does not fit into {width}, or is none on the web; it was left \
                 out: {}",
                self.name,
                shown(given)
            ));
        }
        link.map(|link| json!(link))
    }
}

/// Whether Frappe's filter would take it for markup.
fn looks_like_markup(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.windows(2).any(|pair| pair[0] == b'<' && (pair[1].is_ascii_alphabetic() || b"/!?".contains(&pair[1])))
}

fn shown(text: &str) -> String {
    let short: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(kind: &str, options: &str) -> Slot {
        Slot { name: "f".into(), kind: kind.into(), options: options.into(), ..Slot::default() }
    }

    fn fit(slot: &Slot, given: Given) -> (Option<Value>, usize) {
        let mut notes = Vec::new();
        let value = slot.fit(given, &Zone::named("Asia/Kolkata").unwrap(), &mut notes);
        (value, notes.len())
    }

    #[test]
    fn values_take_the_fields_form() {
        let select = slot("Select", "\nManual\nTwilio");
        assert_eq!(fit(&select, Given::word("manual")), (Some(json!("Manual")), 0));
        assert_eq!(fit(&select, Given::word("Asterisk")), (None, 1));
        assert_eq!(fit(&select, Given::Words(vec!["Played".into(), "Twilio".into()])), (Some(json!("Twilio")), 0));
        assert_eq!(fit(&slot("Data", "Phone"), Given::Phone("anonymous".into())), (Some(json!("0")), 1));
        assert_eq!(fit(&slot("Data", ""), Given::Phone("anonymous".into())), (Some(json!("anonymous")), 0));
        let noon = 1_772_704_530_250;
        assert_eq!(fit(&slot("Datetime", ""), Given::Moment(noon)), (Some(json!("2026-03-05 15:25:30")), 0));
        assert_eq!(fit(&slot("Datetime", ""), Given::Precise(noon)), (Some(json!("2026-03-05 15:25:30.250000")), 0));
        assert_eq!(fit(&slot("Date", ""), Given::Moment(noon)), (Some(json!("2026-03-05")), 0));
        assert_eq!(fit(&slot("Int", ""), Given::Number(i64::MAX)), (Some(json!(i32::MAX)), 1));
        assert_eq!(fit(&slot("Data", ""), Given::Number(5)), (Some(json!("5")), 0));
        assert_eq!(fit(&slot("Int", ""), Given::Text("many".into())), (None, 1));
        assert_eq!(fit(&slot("Check", ""), Given::Flag(true)), (Some(json!(1)), 0));
        assert_eq!(fit(&slot("Data", ""), Given::Text("x".repeat(141))).1, 1);
        assert_eq!(fit(&slot("Data", ""), Given::Link(format!("https://p.test/{}", "x".repeat(140)))), (None, 1));
    }

    #[test]
    fn what_people_wrote_stays() {
        let text = "<b>hi</b> <script>alert(1)</script> 2 < 3 & 4";
        let raw = Slot { raw: true, ..slot("Long Text", "") };
        assert_eq!(fit(&raw, Given::Verbatim(text.into())), (Some(json!(text)), 0));
        assert_eq!(fit(&slot("Long Text", ""), Given::Verbatim(text.into())), (Some(json!(text)), 1), "said");
        assert_eq!(fit(&slot("Long Text", ""), Given::Verbatim("2 < 3 & 4".into())).1, 0);
        assert_eq!(fit(&slot("Small Text", ""), Given::Verbatim("é".repeat(40_000))).1, 1);
        assert_eq!(fit(&raw, Given::Verbatim("a".repeat(65_536))).1, 0);
    }
}
