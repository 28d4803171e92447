//! The logical fields of a call, and where each module keeps them.

use cordboard_sdk::serde_json::Value;
use serde::{Deserialize, Serialize};

use crate::api::{Described, DescribedField};
use crate::settings::Settings;

/// A field of the target module that is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// What of a call it holds: "call_uuid".
    pub holds: String,
    /// The machine name.
    pub name: String,
    /// The type's name.
    pub kind: String,
    /// Characters, as far as known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// The modules that a reference takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refers_to: Vec<String>,
}

/// Where a logical field usually is.
struct Usual {
    holds: &'static str,
    /// The machine name in a stock module, or else the labels that it usually has.
    names: &'static [&'static str],
    /// A person is told when it is not there.
    wanted: bool,
}

const fn at(holds: &'static str, names: &'static [&'static str]) -> Usual {
    Usual { holds, names, wanted: true }
}

const fn perhaps(holds: &'static str, names: &'static [&'static str]) -> Usual {
    Usual { holds, names, wanted: false }
}

const PBX_MANAGER: [Usual; 17] = [
    at("call_uuid", &["sourceuuid"]),
    at("direction", &["direction"]),
    at("status", &["callstatus"]),
    at("started", &["starttime"]),
    at("ended", &["endtime"]),
    at("duration", &["totalduration"]),
    at("talk", &["billduration"]),
    at("recording_url", &["recordingurl"]),
    at("gateway", &["gateway"]),
    at("customer", &["customer"]),
    at("customer_type", &["customertype"]),
    at("customer_number", &["customernumber"]),
    at("user", &["user"]),
    at("owner", &["assigned_user_id"]),
    perhaps("system", &["PBX System"]),
    perhaps("from", &["From Number"]),
    perhaps("to", &["To Number"]),
];

const EVENTS: [Usual; 20] = [
    at("subject", &["subject"]),
    at("owner", &["assigned_user_id"]),
    at("start_date", &["date_start"]),
    at("start_time", &["time_start"]),
    at("end_date", &["due_date"]),
    at("end_time", &["time_end"]),
    at("hours", &["duration_hours"]),
    at("minutes", &["duration_minutes"]),
    at("status", &["eventstatus"]),
    at("activity_type", &["activitytype"]),
    at("visibility", &["visibility"]),
    at("description", &["description"]),
    at("contact", &["contact_id"]),
    at("parent", &["parent_id"]),
    at("call_uuid", &["Call UUID"]),
    at("from", &["From Number"]),
    at("to", &["To Number"]),
    at("system", &["PBX System"]),
    at("duration", &["Duration Seconds"]),
    at("recording_url", &["Recording URL"]),
];

const OWN: [Usual; 18] = [
    at("call_uuid", &["Call UUID"]),
    at("from", &["From Number", "From"]),
    at("to", &["To Number", "To"]),
    at("recording_url", &["Recording URL"]),
    at("system", &["PBX System"]),
    at("duration", &["Duration Seconds", "Duration (sec)", "Duration"]),
    at("owner", &["assigned_user_id"]),
    perhaps("direction", &["Direction"]),
    perhaps("status", &["Call Status", "Status"]),
    perhaps("started", &["Start Time"]),
    perhaps("ended", &["End Time"]),
    perhaps("talk", &["Talk Seconds", "Bill Duration (sec)"]),
    perhaps("customer_number", &["Customer Number"]),
    perhaps("customer", &["Customer"]),
    perhaps("customer_type", &["Customer Type"]),
    perhaps("contact", &["Contact Name", "Contact"]),
    perhaps("subject", &["Subject"]),
    perhaps("description", &["description", "Description"]),
];

/// Columns whose width is known and not what their type makes it.
const WIDTHS: [(&str, &str, usize); 10] = [
    ("PBXManager", "direction", 10),
    ("PBXManager", "callstatus", 20),
    ("PBXManager", "recordingurl", 200),
    ("PBXManager", "sourceuuid", 100),
    ("PBXManager", "gateway", 20),
    ("PBXManager", "customernumber", 100),
    ("PBXManager", "customertype", 100),
    ("Events", "subject", 255),
    ("Events", "location", 150),
    ("Events", "eventstatus", 200),
];

/// Finds every field that is to be written; a sentence for each that is missing.
pub fn slots(settings: &Settings, module: &Described, problems: &mut Vec<String>) -> Vec<Slot> {
    let usual: &[Usual] = match settings.module.as_str() {
        "PBXManager" => &PBX_MANAGER,
        "Events" => &EVENTS,
        _ => &OWN,
    };
    let mut slots = Vec::new();
    for (holds, wanted) in &settings.fields {
        if wanted.trim().is_empty() {
            continue;
        }
        match find(module, wanted, problems, &settings.module) {
            Some(found) => slots.push(slot(settings, holds, found)),
            None => problems.push(format!(
                "{}: the setting `fields.{holds}` names the field \"{wanted}\", and there is none of this machine name \
                 or label; it has: {}",
                settings.module,
                names(module)
            )),
        }
    }
    for usual in usual.iter().filter(|usual| !settings.fields.contains_key(usual.holds)) {
        match usual.names.iter().find_map(|name| find(module, name, problems, &settings.module)) {
            Some(found) => slots.push(slot(settings, usual.holds, found)),
            None if usual.wanted => problems.push(format!(
                "{}: there is no field \"{}\" for `{}`: make one in the layout editor, name another in \
                 `fields.{}`, or set that to \"\" to do without",
                settings.module, usual.names[0], usual.holds, usual.holds
            )),
            None => {}
        }
    }
    slots
}

/// By machine name, else by label; a label that stands twice is no answer.
fn find<'m>(module: &'m Described, wanted: &str, problems: &mut Vec<String>, name: &str) -> Option<&'m DescribedField> {
    let wanted = wanted.trim();
    if let Some(field) = module.fields.iter().find(|field| field.name == wanted) {
        return Some(field);
    }
    let same = |field: &&DescribedField| field.label.trim().to_lowercase() == wanted.to_lowercase();
    let mut labelled = module.fields.iter().filter(same);
    let first = labelled.next()?;
    let others: Vec<&str> = labelled.map(|field| field.name.as_str()).collect();
    if !others.is_empty() {
        problems.push(format!(
            "{name}: several fields have the label \"{wanted}\" ({}, {}): name one of them in `fields` by its machine \
             name; {} is used",
            first.name,
            others.join(", "),
            first.name
        ));
    }
    Some(first)
}

fn slot(settings: &Settings, holds: &str, field: &DescribedField) -> Slot {
    let kind = field.kind["name"].as_str().unwrap_or("string").to_owned();
    let known = WIDTHS.iter().find(|(module, name, _)| *module == settings.module && *name == field.name);
    let width = known.map(|(_, _, width)| *width).or(match kind.as_str() {
        "phone" => Some(30),
        "url" => Some(255),
        "string" => Some(255),
        _ => None,
    });
    let refers_to = field.kind["refersTo"].as_array().into_iter().flatten().filter_map(Value::as_str);
    Slot {
        holds: holds.to_owned(),
        name: field.name.clone(),
        kind,
        width,
        refers_to: refers_to.map(str::to_owned).collect(),
    }
}

fn names(module: &Described) -> String {
    let shown = module.fields.iter().map(|field| format!("{} ({})", field.name, field.label));
    shown.collect::<Vec<_>>().join(", ")
}
