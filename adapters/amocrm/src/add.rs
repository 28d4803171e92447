//! Adding calls: in one request, whose answer about several of them is taken apart.

use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::vocabulary::Failure;

use crate::api::embedded;
use crate::deliver::{Prepared, Work};
use crate::memo::Note;
use crate::refusal::{self, Fault};

/// What came of asking amoCRM to add a call.
pub(crate) enum Added {
    /// It stands there.
    Stands(Note),
    /// Nobody has the number.
    Nobody,
    /// It will not be taken as it is.
    Refused(String),
    /// The answer says nothing of it.
    Unsaid,
}

impl Added {
    /// Whether it stands there, or may.
    pub(crate) fn may_stand(&self) -> bool {
        matches!(self, Self::Stands(_) | Self::Unsaid)
    }
}

impl Work<'_> {
    /// Adds one call.
    pub(crate) fn add_one(&self, prepared: &Prepared) -> Result<Added, Fault> {
        Ok(self.add(&[prepared])?.pop().unwrap_or(Added::Unsaid))
    }

    /// Adds calls in one request; what became of each, in their order.
    pub(crate) fn add(&self, calls: &[&Prepared]) -> Result<Vec<Added>, Fault> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        let item = |(at, prepared): (usize, &&Prepared)| self.rendering(prepared).item(&at.to_string());
        let body: Vec<Value> = calls.iter().enumerate().map(item).collect();
        match self.api.post("/api/v4/calls", &json!(body)) {
            Ok(said) => Ok(taken_apart(&said, calls.len())),
            // An unknown number is a refusal too, and the rest of the batch may have been taken.
            Err(Fault::Said(said)) if said.status == 400 && tells(&said.body) => {
                Ok(taken_apart(&said.body, calls.len()))
            }
            // It does not say which of them it is about: each by itself, then.
            Err(fault) if calls.len() > 1 && matches!(Failure::from(fault.clone()), Failure::Rejected(_)) => {
                Ok(calls.iter().map(|_| Added::Unsaid).collect())
            }
            Err(fault) => Err(fault),
        }
    }
}

/// Whether a refusal says which of the calls it is about.
fn tells(body: &Value) -> bool {
    body["errors"].is_array() || body["validation-errors"].is_array() || body["_embedded"]["calls"].is_array()
}

/// What an answer says of each call, by the `request_id` that it went out with.
fn taken_apart(said: &Value, count: usize) -> Vec<Added> {
    let mut all: Vec<Added> = (0..count).map(|_| Added::Unsaid).collect();
    let at = |id: &Value| refusal::plain(id).parse::<usize>().ok().filter(|at| *at < count);
    // What names no call is about the only one there is.
    let alone = (count == 1).then_some(0);
    let invalid = refusal::validation(said);
    for (id, what) in &invalid {
        let at = id.parse::<usize>().ok().filter(|at| *at < count);
        if let Some(at) = at.or(alone) {
            all[at] = Added::Refused(format!("post /api/v4/calls: {what}"));
        }
    }
    let calls = embedded(said, "calls");
    for row in calls {
        if let (Some(at), Some(note)) = (at(&row["request_id"]), note(row)) {
            all[at] = Added::Stands(note);
        }
    }
    let errors = said["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let missing = |error: &&Value| error["title"] == "Entity not found" || error["status"] == 404;
    for error in errors.iter().filter(missing) {
        if let Some(at) = at(&error["request_id"]).or(alone) {
            all[at] = Added::Nobody;
        }
    }
    for error in errors.iter().filter(|error| !missing(error)) {
        if let Some(at) = at(&error["request_id"]).or(alone) {
            all[at] = Added::Refused(format!("post /api/v4/calls: {}", refusal::words(&json!({"errors": [error]}))));
        }
    }
    all
}

fn note(row: &Value) -> Option<Note> {
    let of = match row["entity_type"].as_str()? {
        "lead" | "leads" => "leads",
        "contact" | "contacts" => "contacts",
        "company" | "companies" => "companies",
        "customer" | "customers" => "customers",
        _ => return None,
    };
    Some(Note { of: of.to_owned(), card: row["entity_id"].as_u64()?, id: row["id"].as_u64()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(said: &Value, count: usize) -> Vec<&'static str> {
        let word = |added: &Added| match added {
            Added::Stands(_) => "stands",
            Added::Nobody => "nobody",
            Added::Refused(_) => "refused",
            Added::Unsaid => "unsaid",
        };
        taken_apart(said, count).iter().map(word).collect()
    }

    #[test]
    fn a_batch_is_taken_apart_by_its_requests() {
        let row = |at: &str| json!({"id": 1, "entity_id": 2, "entity_type": "lead", "request_id": at});
        let missing = |at: &str| json!({"title": "Entity not found", "status": 404, "request_id": at});
        let mixed = json!({"errors": [missing("1")], "_embedded": {"calls": [row("2"), row("0")]}});
        assert_eq!(words(&mixed, 4), ["stands", "nobody", "stands", "unsaid"]);
        let invalid = json!({"validation-errors": [{"request_id": "1", "errors": [{"path": "phone"}]}]});
        assert_eq!(words(&invalid, 2), ["unsaid", "refused"]);
        let nameless = json!({"validation-errors": [{"errors": [{"path": "0.phone"}]}]});
        assert_eq!(words(&nameless, 1), ["refused"]);
        assert_eq!(words(&nameless, 2), ["unsaid", "unsaid"]);
        // As it was seen: without saying which.
        let alone = json!({"_total_items": 0, "errors": [{"title": "Entity not found"}]});
        assert_eq!(words(&alone, 1), ["nobody"]);
        assert_eq!(words(&alone, 2), ["unsaid", "unsaid"]);
        assert_eq!(words(&json!({"_embedded": {"calls": [row("9")]}}), 1), ["unsaid"]);
    }
}
