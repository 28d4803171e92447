//! Calls, incoming leads of calls, and the window that shows who calls.

use serde_json::{Value, json};

use super::cards::{digits, phones, singular};
use super::query::{all, one};
use super::refusal::{Answer, CHOICE, MISSING, Mistakes, TYPE, invalid, problem};
use super::world::World;

/// How many of a number's last digits are compared.
const DECIDE: usize = 10;

/// The most items of one request.
const MOST: usize = 250;

impl World {
    /// `POST /api/v4/calls`. All of it is checked first; what finds no card is not added.
    pub(super) fn add_calls(&mut self, asked: &Value) -> Answer {
        let Some(items) = asked.as_array().filter(|items| !items.is_empty()) else {
            return problem(400, "Bad Request", "Invalid request body");
        };
        if items.len() > MOST {
            return problem(422, "Unprocessable Entity", "Too many items in one request");
        }
        let mistakes: Vec<Mistakes> = items
            .iter()
            .enumerate()
            .map(|(at, item)| (request(at, item), self.wrong(item)))
            .filter(|(_, w)| !w.is_empty())
            .collect();
        if !mistakes.is_empty() {
            return invalid(&mistakes);
        }
        let (mut rows, mut errors) = (Vec::new(), Vec::new());
        for (at, item) in items.iter().enumerate() {
            let id = request(at, item);
            match self.card_of(item["phone"].as_str().unwrap_or_default()) {
                Some((kind, card)) => {
                    let note = self.add_call(kind, card, item);
                    let href = format!("http://{}/api/v4/{kind}/{card}", self.domain);
                    rows.push(
                        json!({"id": note, "entity_id": card, "entity_type": singular(kind), "account_id": self.account,
                        "request_id": id, "_embedded": {"entity": {"id": card, "_links": {"self": {"href": href}}}}}),
                    );
                }
                None => errors.push(json!({"status": 404, "title": "Entity not found", "detail": "Entity not found",
                    "request_id": id})),
            }
        }
        let status = match (rows.is_empty(), errors.is_empty()) {
            (true, _) => 400,
            (false, true) => 200,
            (false, false) => self.mixed,
        };
        (status, json!({"_total_items": rows.len(), "errors": errors, "_embedded": {"calls": rows}}))
    }

    fn wrong(&self, item: &Value) -> Vec<(&'static str, String, &'static str)> {
        let mut wrong = Vec::new();
        for name in ["direction", "duration", "source", "phone"] {
            if item[name].is_null() {
                wrong.push((MISSING.0, name.to_owned(), MISSING.1));
            }
        }
        let direction = &item["direction"];
        if !direction.is_null() && direction != "inbound" && direction != "outbound" {
            wrong.push((CHOICE.0, "direction".into(), CHOICE.1));
        }
        for name in ["source", "phone", "uniq", "link", "call_result"] {
            if !item[name].is_null() && !item[name].is_string() {
                wrong.push((TYPE.0, name.to_owned(), TYPE.1));
            }
        }
        if !item["call_responsible"].is_null() && !is_somebody(&item["call_responsible"]) {
            wrong.push((TYPE.0, "call_responsible".into(), TYPE.1));
        }
        for name in ["duration", "created_at", "updated_at", "call_status"] {
            if !item[name].is_null() && !item[name].is_u64() {
                wrong.push((TYPE.0, name.to_owned(), TYPE.1));
            }
        }
        if item["call_status"].as_u64().is_some_and(|status| !(1..=8).contains(&status)) {
            wrong.push((CHOICE.0, "call_status".into(), CHOICE.1));
        }
        for name in ["responsible_user_id", "created_by"] {
            if !item[name].is_null() && !self.user(&item[name]) {
                wrong.push((CHOICE.0, name.to_owned(), CHOICE.1));
            }
        }
        wrong
    }

    /// Where a call belongs: a contact or company by the last digits; its lead, when it has one active one.
    fn card_of(&self, phone: &str) -> Option<(&'static str, u64)> {
        let end = |text: &str| {
            let all = digits(text);
            all[all.len().saturating_sub(DECIDE)..].to_owned()
        };
        let wanted = Some(end(phone)).filter(|end| !end.is_empty())?;
        let has = |card: &Value| phones(card).iter().any(|phone| end(phone) == wanted);
        let found = self.cards.iter().find(|((kind, id), card)| {
            matches!(*kind, "contacts" | "companies") && has(card) && !self.waits(kind, *id)
        });
        let (kind, id) = *found?.0;
        let active: Vec<u64> = self
            .leads_of(id)
            .into_iter()
            .filter(|lead| {
                let status = self.cards[&("leads", *lead)]["status_id"].as_u64();
                !matches!(status, Some(142 | 143)) && !self.waits("leads", *lead)
            })
            .collect();
        match active.as_slice() {
            [only] => Some(("leads", *only)),
            _ => Some((kind, id)),
        }
    }

    fn add_call(&mut self, kind: &'static str, card: u64, item: &Value) -> u64 {
        let inbound = item["direction"] == "inbound";
        let mut params = json!({});
        for name in ["uniq", "duration", "source", "link", "phone", "call_result", "call_status", "call_responsible"] {
            if !item[name].is_null() {
                params[name] = item[name].clone();
            }
        }
        let who = [&item["call_responsible"], &item["created_by"]].into_iter().find_map(Value::as_u64);
        let event = if inbound { "incoming_call" } else { "outgoing_call" };
        self.happened(event, singular(kind), card, who.unwrap_or_default());
        let note = json!({"note_type": if inbound { "call_in" } else { "call_out" }, "params": params,
            "created_by": item["created_by"], "responsible_user_id": item["responsible_user_id"],
            "created_at": item["created_at"]});
        self.note(kind, card, note)
    }

    /// `POST /api/v4/leads/unsorted/sip`.
    pub(super) fn add_unsorted(&mut self, asked: &Value) -> Answer {
        let Some(items) = asked.as_array() else { return problem(400, "Bad Request", "Invalid request body") };
        let mut mistakes: Vec<Mistakes> = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let mut wrong = Vec::new();
            for name in ["source_uid", "source_name"] {
                if !item[name].is_string() {
                    wrong.push((MISSING.0, name.to_owned(), MISSING.1));
                }
            }
            for name in ["phone", "link", "service_code", "uniq", "from", "called_at", "duration"] {
                let given = &item["metadata"][name];
                let right = match name {
                    "called_at" | "duration" => given.is_u64(),
                    // As a number too, in the page's own example.
                    "phone" => given.is_u64() || given.is_string(),
                    _ => given.is_string(),
                };
                if given.is_null() {
                    wrong.push((MISSING.0, format!("metadata.{name}"), MISSING.1));
                } else if !right {
                    wrong.push((TYPE.0, format!("metadata.{name}"), TYPE.1));
                }
            }
            if !item["metadata"]["is_call_event_needed"].is_boolean() {
                wrong.push((MISSING.0, "metadata.is_call_event_needed".into(), MISSING.1));
            }
            if !item["metadata"]["call_responsible"].is_null() && !is_somebody(&item["metadata"]["call_responsible"]) {
                wrong.push((TYPE.0, "metadata.call_responsible".into(), TYPE.1));
            }
            for kind in ["contacts", "leads", "companies"] {
                let at = format!("_embedded.{kind}.0.");
                wrong.extend(self.misfits(&item["_embedded"][kind][0], &at));
            }
            let pipeline = &item["pipeline_id"];
            if !pipeline.is_null() && !self.pipelines.iter().any(|one| one["id"] == *pipeline) {
                wrong.push((CHOICE.0, "pipeline_id".into(), CHOICE.1));
            }
            if self.unsorted.iter().any(|lead| lead["metadata"]["uniq"] == item["metadata"]["uniq"]) {
                wrong.push(("AlreadyExists", "metadata.uniq".into(), "The same entity is in the incoming stage."));
            }
            if !wrong.is_empty() {
                mistakes.push((request(at, item), wrong));
            }
        }
        if !mistakes.is_empty() {
            return invalid(&mistakes);
        }
        let rows: Vec<Value> =
            items.iter().enumerate().map(|(at, item)| self.add_waiting(&request(at, item), item)).collect();
        (200, json!({"_total_items": rows.len(), "_embedded": {"unsorted": rows}}))
    }

    fn add_waiting(&mut self, request: &str, item: &Value) -> Value {
        let contact = item["_embedded"]["contacts"][0].clone();
        let contact = self.add("contacts", if contact.is_null() { json!({"name": "?"}) } else { contact });
        let lead = self.add("leads", json!({"name": "Входящий звонок", "_embedded": {"contacts": [{"id": contact}]}}));
        let main = self.pipelines.first().map(|one| one["id"].clone()).unwrap_or_default();
        let pipeline = if item["pipeline_id"].is_null() { main } else { item["pipeline_id"].clone() };
        let uid = format!("{:058x}", self.id());
        let embedded = json!({"contacts": [{"id": contact}], "leads": [{"id": lead}], "companies": []});
        let mut metadata = item["metadata"].clone();
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.remove("is_call_event_needed");
        }
        self.unsorted.push(json!({"uid": uid, "source_uid": item["source_uid"], "source_name": item["source_name"],
            "category": "sip", "pipeline_id": pipeline, "created_at": item["created_at"], "metadata": metadata,
            "account_id": self.account, "_embedded": embedded}));
        json!({"uid": uid, "account_id": self.account, "request_id": request, "_embedded": embedded})
    }

    /// `GET /api/v4/leads/unsorted`: types are loose there.
    pub(super) fn waiting(&self, query: &[(String, String)]) -> Answer {
        let categories = all(query, "filter[category][]");
        let right = |lead: &&Value| {
            let is = |name: &str, own: &Value| {
                one(query, name).is_none_or(|wanted| own.as_str().map_or(own.to_string(), str::to_owned) == wanted)
            };
            let category = lead["category"].as_str().unwrap_or_default();
            is("filter[pipeline_id]", &lead["pipeline_id"])
                && is("filter[uid]", &lead["uid"])
                && (categories.is_empty() || categories.contains(&category))
        };
        let mut rows: Vec<Value> = self.unsorted.iter().filter(right).cloned().collect();
        if one(query, "order[created_at]") == Some("desc") {
            rows.reverse();
        }
        for row in &mut rows {
            let metadata = &mut row["metadata"];
            metadata["duration"] = json!(metadata["duration"].to_string());
            if let Ok(phone) = digits(metadata["phone"].as_str().unwrap_or_default()).parse::<u64>() {
                metadata["phone"] = json!(phone);
            }
            if metadata["link"] == "" {
                metadata["link"] = Value::Null;
            }
        }
        super::cards::Page::of(query).show("unsorted", rows)
    }

    /// Somebody accepts an incoming lead: from now on its contact is found.
    pub fn accept(&mut self, uid: &str) {
        self.unsorted.retain(|lead| lead["uid"] != uid);
    }

    /// `POST /api/v2/events`.
    pub(super) fn show(&mut self, asked: &Value) -> Answer {
        let Some(event) = asked["add"][0].as_object() else {
            return problem(400, "Bad Request", "Invalid request body");
        };
        let phone = event.get("phone_number").and_then(Value::as_str).unwrap_or_default();
        // One user, or some; left out, everybody.
        let user = |user: &Value| user.as_str().and_then(|id| id.parse().ok()).or(user.as_u64());
        let is_user = |given: &Value| user(given).is_some_and(|id| self.user(&json!(id)));
        let right = match event.get("users") {
            None => true,
            Some(Value::Array(users)) => !users.is_empty() && users.iter().all(is_user),
            Some(one) => is_user(one),
        };
        if event.get("type") != Some(&json!("phone_call")) || phone.is_empty() || !right {
            return problem(400, "Bad Request", "Invalid event");
        }
        let found = self.card_of(phone);
        self.popups.push(asked["add"][0].clone());
        let element = match found {
            Some(("leads", _)) => json!(2),
            Some(("companies", _)) => json!(3),
            Some(_) => json!(1),
            None => Value::Null,
        };
        (
            200,
            json!({"_links": {"self": {"href": "/api/v2/events", "method": "post"}}, "_embedded": {"items": [
            {"element_id": found.map(|(_, id)| id), "element_type": element, "uid": "0e3455ff", "phone_number": phone}]}}),
        )
    }
}

/// A user's number, a telephone number, or a name.
fn is_somebody(value: &Value) -> bool {
    value.is_u64() || value.as_str().is_some_and(|text| !text.is_empty())
}

fn request(at: usize, item: &Value) -> String {
    item["request_id"].as_str().map_or(at.to_string(), str::to_owned)
}
