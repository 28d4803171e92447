//! Which address is what.

use serde_json::{Value, json};

use super::cards::Page;
use super::refusal::{Answer, problem};
use super::world::World;

impl World {
    /// Answers a request whose token is good.
    pub(super) fn rest(&mut self, method: &str, path: &str, query: &[(String, String)], body: &Value) -> Answer {
        let parts: Vec<&str> = path.trim_start_matches("/api/").split('/').collect();
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        match (method, parts.as_slice()) {
            ("GET", ["v4", "account"]) => (
                200,
                json!({"id": self.account, "name": "acme", "subdomain": "acme",
                "country": "RU", "is_unsorted_on": true, "amojo_id": self.amojo}),
            ),
            ("GET", ["v4", "users"]) if !self.administrator => problem(403, "Forbidden", "Not an administrator"),
            ("GET", ["v4", "users"]) => Page::of(query).show("users", self.users.clone()),
            ("GET", ["v4", "leads", "pipelines"]) => {
                (200, json!({"_total_items": self.pipelines.len(), "_embedded": {"pipelines": self.pipelines}}))
            }
            ("POST", ["v4", "calls"]) => self.add_calls(body),
            ("POST", ["v4", "leads", "unsorted", "sip"]) => self.add_unsorted(body),
            ("GET", ["v4", "leads", "unsorted"]) => self.waiting(query),
            ("POST", ["v4", "leads", "complex"]) => self.add_complex(body),
            ("POST", ["v4", "contacts"]) => self.add_contacts(body),
            ("GET", ["v4", "contacts"]) => self.list("contacts", query),
            ("GET", ["v4", "companies"]) => self.list("companies", query),
            ("GET", ["v4", "events"]) => Page::of(query).show("events", self.events.clone()),
            ("GET", ["v4", "leads", id]) => self.one("leads", number(id)),
            (_, ["v4", kind, id, "notes", rest @ ..]) => match (method, kind_of(kind), rest) {
                ("GET", Some(kind), []) => self.notes_of(kind, number(id), query),
                ("POST", Some(kind), []) => self.add_notes(kind, number(id), body),
                ("PATCH", Some(kind), [note]) => self.change_note(kind, number(id), number(note), body),
                _ => problem(405, "Method Not Allowed", "The method is not allowed"),
            },
            ("POST", ["v2", "events"]) => self.show(body),
            _ => problem(404, "Not Found", "There is no such method"),
        }
    }
}

fn kind_of(name: &str) -> Option<&'static str> {
    ["contacts", "companies", "leads"].into_iter().find(|kind| *kind == name)
}
