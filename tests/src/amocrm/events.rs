//! The feed of events: what happened to cards, and how it is asked for.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::cards::Page;
use super::query::{all, one};
use super::refusal::{Answer, problem};
use super::world::World;

/// Events of one page, at most.
const MOST: usize = 100;

/// Values that a filter by cards or by users may have.
const VALUES: usize = 10;

impl World {
    /// Something happened to a "contact", a "company" or a "lead", by a user or (0) by nobody.
    pub fn happened(&mut self, kind: &str, entity: &str, card: u64, user: u64) {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let id = format!("{:026x}", self.id());
        let event = json!({"id": id, "type": kind, "entity_id": card, "entity_type": entity, "created_by": user,
            "created_at": at, "account_id": self.account});
        self.events.insert(0, event);
    }

    /// `GET /api/v4/events`.
    pub(super) fn feed(&self, query: &[(String, String)]) -> Answer {
        let [types, entities, cards, users] =
            ["type", "entity", "entity_id", "created_by"].map(|name| all(query, &format!("filter[{name}][]")));
        let of_one_kind = cards.is_empty() || entities.len() == 1;
        if cards.len() > VALUES || users.len() > VALUES || !of_one_kind {
            return problem(400, "Bad Request", "The filter is not valid");
        }
        let bound = |name: &str| one(query, &format!("filter[created_at][{name}]")).and_then(|at| at.parse().ok());
        let (from, to): (Option<u64>, Option<u64>) = (bound("from"), bound("to"));
        let right = |event: &&Value| {
            let at = event["created_at"].as_u64().unwrap_or_default();
            let filters = [("type", &types), ("entity_type", &entities), ("entity_id", &cards), ("created_by", &users)];
            filters.into_iter().all(|(member, values)| is_among(values, &event[member]))
                && from.is_none_or(|from| from <= at)
                && to.is_none_or(|to| at <= to)
        };
        let page = Page::of(query);
        let page = Page { limit: page.limit.min(MOST), ..page };
        page.show("events", self.events.iter().filter(right).cloned().collect())
    }
}

/// Whether a filter lets a value through; one without values lets all through.
fn is_among(values: &[&str], value: &Value) -> bool {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    values.is_empty() || values.contains(&text.as_str())
}
