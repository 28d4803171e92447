//! Lists: filters, fields, order and pages.

use std::cmp::Ordering;
use std::collections::HashMap;

use serde_json::Value;

use crate::{Answer, Refusal, Row, Site};

/// Rows without a word about how many.
const PAGE: usize = 20;

impl Site {
    pub(crate) fn list(&self, who: &str, doctype: &str, query: &HashMap<String, String>) -> Answer<Vec<Value>> {
        self.seen(who, doctype)?;
        self.may_list(who, doctype, query.get("parent").map(String::as_str).unwrap_or_default())?;
        let fields: Vec<String> = match query.get("fields") {
            Some(text) => serde_json::from_str(text).map_err(|_| not_json("fields"))?,
            None => vec!["name".into()],
        };
        let mut rows: Vec<&Row> = self.among(doctype, query)?;
        if let Some(order) = query.get("order_by") {
            let (field, direction) = order.rsplit_once(' ').unwrap_or((order.as_str(), "asc"));
            let field = bare(field);
            rows.sort_by(|one, other| {
                let order = compared(one.get(field), other.get(field));
                if direction == "desc" { order.reverse() } else { order }
            });
        }
        let limit = query.get("limit_page_length").or(query.get("limit"));
        let limit = limit.map_or(Ok(PAGE), |text| text.parse().map_err(|_| not_json("limit_page_length")))?;
        let start = query.get("limit_start").and_then(|text| text.parse().ok()).unwrap_or(0);
        let limit = if limit == 0 { usize::MAX } else { limit };
        let shown = |row: &&Row| {
            let all = fields.iter().any(|field| field == "*");
            let names: Vec<&str> =
                if all { row.keys().map(String::as_str).collect() } else { fields.iter().map(|it| bare(it)).collect() };
            let values = names.into_iter().map(|name| (name.to_owned(), row.get(name).cloned().unwrap_or_default()));
            Value::Object(values.collect())
        };
        Ok(rows.iter().skip(start).take(limit).map(shown).collect())
    }

    /// The documents that fit `filters`, and one of `or_filters`.
    pub(crate) fn among(&self, doctype: &str, query: &HashMap<String, String>) -> Answer<Vec<&Row>> {
        let all = conditions(query.get("filters"))?;
        let any = conditions(query.get("or_filters"))?;
        let known = self.doctypes.get(doctype).and_then(|it| it["fields"].as_array()).cloned().unwrap_or_default();
        for (field, ..) in all.iter().chain(&any) {
            let own = ["name", "creation", "modified", "owner", "parent", "role", "permlevel", "attached_to_doctype"];
            if !own.contains(&field.as_str()) && !known.iter().any(|it| it["fieldname"] == field.as_str()) {
                let words = format!("Field not permitted in query: {field}");
                return Err(Refusal::new(417, "DataError", words));
            }
        }
        let fits = |row: &&Row| {
            all.iter().all(|condition| holds(row, condition))
                && (any.is_empty() || any.iter().any(|condition| holds(row, condition)))
        };
        Ok(self.docs.get(doctype).into_iter().flatten().filter(fits).collect())
    }
}

type Condition = (String, String, Value);

/// `[[field, op, value], …]`, `[[DocType, field, op, value], …]` or `{field: value, field: [op, value]}`.
fn conditions(text: Option<&String>) -> Answer<Vec<Condition>> {
    let Some(text) = text else { return Ok(vec![]) };
    let value: Value = serde_json::from_str(text).map_err(|_| not_json("filters"))?;
    let word = |value: &Value| bare(value.as_str().unwrap_or_default()).to_owned();
    let one = |filter: &Value| match filter.as_array().map(Vec::as_slice) {
        Some([field, op, value] | [_, field, op, value]) => Ok((word(field), word(op).to_lowercase(), value.clone())),
        _ => Err(not_json("filters")),
    };
    match &value {
        Value::Array(filters) => filters.iter().map(one).collect(),
        Value::Object(filters) => Ok(filters
            .iter()
            .map(|(field, value)| match value.as_array().map(Vec::as_slice) {
                Some([op, value]) => (field.clone(), word(op).to_lowercase(), value.clone()),
                _ => (field.clone(), "=".into(), value.clone()),
            })
            .collect()),
        _ => Err(not_json("filters")),
    }
}

fn not_json(what: &str) -> Refusal {
    Refusal::new(417, "ValidationError", format!("Invalid {what}"))
}

/// A field's name without the table before it.
fn bare(field: &str) -> &str {
    field.rsplit('.').next().unwrap_or(field).trim_matches('`')
}

/// The database's collation sees no case.
fn holds(row: &Row, (field, op, value): &Condition) -> bool {
    let there = row.get(field).cloned().unwrap_or_default();
    let low = |value: &Value| value.as_str().map_or_else(|| plain(value), str::to_lowercase);
    match op.as_str() {
        "=" => low(&there) == low(value),
        "!=" => low(&there) != low(value),
        "in" => value.as_array().into_iter().flatten().any(|value| low(value) == low(&there)),
        "not in" => !value.as_array().into_iter().flatten().any(|value| low(value) == low(&there)),
        "like" => like(&low(&there), &low(value)),
        "is" => low(&there).is_empty() == (value == "not set"),
        "<" => compared(Some(&there), Some(value)) == Ordering::Less,
        ">" => compared(Some(&there), Some(value)) == Ordering::Greater,
        "<=" => compared(Some(&there), Some(value)) != Ordering::Greater,
        ">=" => compared(Some(&there), Some(value)) != Ordering::Less,
        _ => false,
    }
}

fn plain(value: &Value) -> String {
    if value.is_null() { String::new() } else { value.to_string() }
}

fn compared(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    let (one, other) = (one.cloned().unwrap_or_default(), other.cloned().unwrap_or_default());
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => {
            let text = |value: &Value| value.as_str().map_or_else(|| plain(value), str::to_owned);
            text(&one).cmp(&text(&other))
        }
    }
}

fn like(text: &str, pattern: &str) -> bool {
    match pattern.split_once('%') {
        None => text == pattern,
        Some((start, rest)) => text
            .strip_prefix(start)
            .is_some_and(|text| (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| like(text, rest)))),
    }
}

/// The arguments of a list that were posted.
pub(crate) fn posted(body: &Value) -> HashMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    body.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))).collect()
}
