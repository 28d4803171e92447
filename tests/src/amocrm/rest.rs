//! Which address is what.

use serde_json::{Value, json};

use super::cards::Page;
use super::query::with;
use super::refusal::{Answer, problem};
use super::world::World;

impl World {
    /// Answers a request whose token is good.
    pub(super) fn rest(&mut self, method: &str, path: &str, query: &[(String, String)], body: &Value) -> Answer {
        let parts: Vec<&str> = path.trim_start_matches("/api/").split('/').collect();
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        match (method, parts.as_slice()) {
            ("GET", ["v4", "account"]) => (200, self.about(query)),
            ("GET", ["v4", "users"]) if !self.administrator => problem(403, "Forbidden", "Not an administrator"),
            ("GET", ["v4", "users"]) => self.list_users(query),
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
            ("GET", ["v4", "events"]) => self.feed(query),
            ("GET", ["v4", "leads", id]) => self.card("leads", number(id), query),
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

    fn about(&self, query: &[(String, String)]) -> Value {
        let mut account = json!({"id": self.account, "name": "acme", "subdomain": "acme", "country": "RU",
            "is_unsorted_on": true});
        if with(query, "amojo_id") {
            account["amojo_id"] = json!(self.amojo);
        }
        account
    }

    fn list_users(&self, query: &[(String, String)]) -> Answer {
        let mut users = self.users.clone();
        if !with(query, "amojo_id") {
            users.iter_mut().filter_map(Value::as_object_mut).for_each(|user| _ = user.remove("amojo_id"));
        }
        Page::of(query).show("users", users)
    }
}

fn kind_of(name: &str) -> Option<&'static str> {
    ["contacts", "companies", "leads"].into_iter().find(|kind| *kind == name)
}

#[cfg(test)]
mod tests {
    use super::super::world::{ANNA, BORIS};
    use super::*;

    fn get(world: &mut World, path: &str, query: &[(&str, &str)]) -> Answer {
        let query: Vec<(String, String)> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        world.rest("GET", path, &query, &Value::Null)
    }

    #[test]
    fn what_nobody_asks_for_is_left_out() {
        let mut world = World::new("acme.amocrm.ru");
        let contact = world.contact("Irina", "+79990001122", ANNA);
        let lead = world.lead("Roof", contact, ANNA);
        let of_lead = format!("/api/v4/leads/{lead}");
        for (path, pointer, with) in [
            ("/api/v4/account", "/amojo_id", "version,amojo_id"),
            ("/api/v4/users", "/_embedded/users/0/amojo_id", "amojo_id"),
            ("/api/v4/contacts", "/_embedded/contacts/0/_embedded/leads/0/id", "leads"),
            (of_lead.as_str(), "/_embedded/contacts/0/id", "contacts"),
        ] {
            let (status, plain) = get(&mut world, path, &[]);
            assert!(status == 200 && plain.pointer(pointer).is_none(), "{path}: {plain}");
            let (_, asked) = get(&mut world, path, &[("with", with)]);
            assert!(asked.pointer(pointer).is_some(), "{path}: {asked}");
        }
    }

    #[test]
    fn the_feed_is_filtered() {
        let mut world = World::new("acme.amocrm.ru");
        world.happened("incoming_call", "contact", 1, ANNA);
        world.happened("outgoing_call", "lead", 2, BORIS);
        world.happened("entity_responsible_changed", "contact", 1, BORIS);
        let mut types = |query: &[(&str, &str)]| {
            let (status, body) = get(&mut world, "/api/v4/events", query);
            let events = body["_embedded"]["events"].as_array().cloned().unwrap_or_default();
            (status, events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
        };
        let (changed, placed, came) = ("entity_responsible_changed", "outgoing_call", "incoming_call");
        let kinds = [("filter[type][]", came), ("filter[type][]", placed)];
        for (query, expected) in [
            (&[][..], &[changed, placed, came][..]),
            (&kinds[..], &[placed, came][..]),
            (&[("filter[created_by][]", "504142")][..], &[changed, placed][..]),
            (&[("filter[entity][]", "contact"), ("filter[entity_id][]", "1"), ("limit", "1")][..], &[changed][..]),
            (&[("filter[created_at][from]", "1"), kinds[0]][..], &[came][..]),
        ] {
            let (status, found) = types(query);
            assert_eq!(status, 200, "{query:?}");
            assert_eq!(found, expected, "{query:?}");
        }
        assert_eq!(types(&[("filter[created_at][to]", "1")]).0, 204, "nothing found is no content");
        assert_eq!(types(&[("filter[entity_id][]", "1")]).0, 400, "cards of one kind alone");
        assert_eq!(types(&[("filter[created_by][]", "1"); 11]).0, 400, "ten users at most");
    }
}
