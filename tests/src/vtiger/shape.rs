//! How a record is written in an answer: texts all of them, ids with their prefix.

use serde_json::{Map, Value, json};

use super::definition::{Field, Module};
use super::store::{Crm, Record};

/// References that come back as null from a module where all others come back as "".
const NULLS: [&str; 3] = ["parent_comments", "customer", "userid"];

impl Crm {
    /// The whole record, as create, retrieve, update and revise answer it.
    pub fn whole(&self, module: &Module, record: &Record) -> Value {
        let mut out = Map::new();
        for field in &module.fields {
            let null = module.name == "ModComments" && NULLS.contains(&field.name.as_str());
            let value = match self.shown(field, record) {
                Value::Null if !null && stored(field, record).is_none() => json!(""),
                value => value,
            };
            out.insert(field.name.clone(), value);
        }
        self.identify(module, record, &mut out);
        out.insert("label".into(), json!(escaped(&label(module, record))));
        Value::Object(out)
    }

    /// The record as a query answers it; `columns` as asked for.
    pub fn row(&self, module: &Module, record: &Record, columns: &[String]) -> Value {
        let all = columns.first().is_some_and(|column| column == "*");
        let wanted = |field: &&Field| all || columns.contains(&field.name);
        let mut out: Map<String, Value> =
            module.fields.iter().filter(wanted).map(|field| (field.name.clone(), self.shown(field, record))).collect();
        self.identify(module, record, &mut out);
        Value::Object(out)
    }

    fn identify(&self, module: &Module, record: &Record, out: &mut Map<String, Value>) {
        out.insert("id".into(), json!(format!("{}x{}", module.prefix, record.number)));
        let files: Vec<String> = self
            .files
            .iter()
            .filter(|(_, file)| module.name == "Documents" && file.document == record.number)
            .map(|(number, _)| format!("{}x{number}", module.prefix))
            .collect();
        if !files.is_empty() {
            out.insert("imageattachmentids".into(), json!(files.join(",")));
        }
    }

    fn shown(&self, field: &Field, record: &Record) -> Value {
        let Some(text) = stored(field, record) else { return Value::Null };
        let number: Option<u64> = text.parse().ok();
        match (field.kind.as_str(), number) {
            ("reference", _) if text.is_empty() => json!(""),
            ("reference", Some(number)) => field
                .refers_to()
                .into_iter()
                .find(|module| self.record(module, number).is_some_and(|record| !record.deleted))
                .map_or(Value::Null, |module| json!(self.id(module, number))),
            ("reference", None) => Value::Null,
            ("owner", Some(number)) => ["Users", "Groups"]
                .into_iter()
                .find(|module| self.record(module, number).is_some())
                .map_or(json!(text), |module| json!(self.id(module, number))),
            _ => json!(text),
        }
    }
}

fn stored<'r>(field: &Field, record: &'r Record) -> Option<&'r str> {
    record.values.get(&field.name).and_then(Option::as_deref)
}

fn label(module: &Module, record: &Record) -> String {
    let names = module.label_fields.split(',');
    let texts = names.filter_map(|name| record.values.get(name).cloned().flatten());
    texts.collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// The label alone is written with HTML entities.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#039;"),
            '→' => out.push_str("&rarr;"),
            c => out.push(c),
        }
        out
    })
}
