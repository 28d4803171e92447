//! The poll that an agent's browser makes for incoming calls.

use serde_json::{Map, Value, json};

use super::store::{Crm, Record};

/// The columns in the order in which the database gives them.
const COLUMNS: [&str; 14] = [
    "pbxmanagerid",
    "direction",
    "callstatus",
    "starttime",
    "endtime",
    "totalduration",
    "billduration",
    "recordingurl",
    "sourceuuid",
    "gateway",
    "customer",
    "user",
    "customernumber",
    "customertype",
];

/// Seconds after which a ringing record rings no longer.
const RINGS: i64 = 300;

impl Crm {
    /// Ringing incoming calls for one viewer. What has rung too long becomes `no-response`.
    pub fn incoming(&mut self, viewer: u64, now: i64) -> Value {
        let ringing: Vec<Record> = self
            .rows
            .get("PBXManager")
            .into_iter()
            .flat_map(|rows| rows.values())
            .filter(|record| {
                let is = |name: &str, value: &str| record.values.get(name).and_then(Option::as_deref) == Some(value);
                !record.deleted && is("direction", "inbound") && is("callstatus", "ringing")
            })
            .cloned()
            .collect();
        let mut shown = Vec::new();
        for mut record in ringing {
            let started = record.values.get("starttime").cloned().flatten().and_then(|text| second(&text));
            if started.is_some_and(|started| started + RINGS < now) {
                record.values.insert("callstatus".into(), Some("no-response".into()));
                self.put("PBXManager", record);
            } else {
                shown.push(self.popup(viewer, &record));
            }
        }
        json!({"success": true, "result": shown})
    }

    fn popup(&self, viewer: u64, record: &Record) -> Value {
        let mut out = Map::new();
        let number = record.number.to_string();
        for (at, column) in COLUMNS.iter().enumerate() {
            let value = match *column {
                "pbxmanagerid" => Some(number.clone()),
                "user" => record.values.get("user").cloned().flatten().or(Some(String::new())),
                column => record.values.get(column).cloned().flatten(),
            };
            out.insert(at.to_string(), json!(value));
            out.insert((*column).into(), json!(value));
        }
        let customer = record.values.get("customer").cloned().flatten().and_then(|number| number.parse().ok());
        if let Some((customer, module)) = customer.and_then(|n: u64| Some((n, self.module_with(n)?))) {
            let person = self.record(module, customer);
            let text = |name: &str| person.and_then(|p| p.values.get(name).cloned().flatten()).unwrap_or_default();
            let name = match module {
                "Accounts" => text("accountname"),
                _ => format!("{} {}", text("firstname"), text("lastname")).trim().to_owned(),
            };
            out.insert("callername".into(), json!(name.replace('\'', "&#039;")));
        }
        out.insert("current_user_id".into(), json!(viewer.to_string()));
        Value::Object(out)
    }
}

fn second(text: &str) -> Option<i64> {
    let moment: jiff::civil::DateTime = text.parse().ok()?;
    Some(moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}
