//! Contacts, companies, leads, and their notes.

use serde_json::{Value, json};

use super::query::{one, with};
use super::refusal::{Answer, CHOICE, MISSING, Mistakes, TYPE, invalid, problem};
use super::world::World;

/// The fields of numbers and addresses, and the kinds that each knows.
const FIELDS: [(&str, &[&str]); 2] =
    [("PHONE", &["WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER"]), ("EMAIL", &["WORK", "PRIV", "OTHER"])];

/// What a query says of a page.
pub(super) struct Page {
    pub number: usize,
    pub limit: usize,
}

impl Page {
    pub fn of(query: &[(String, String)]) -> Self {
        let number = |name: &str| one(query, name).and_then(|value| value.parse().ok());
        Self { number: number("page").unwrap_or(1).max(1), limit: number("limit").unwrap_or(50).clamp(1, 250) }
    }

    /// A list as it is shown: nothing found is no content.
    pub fn show(&self, name: &str, rows: Vec<Value>) -> Answer {
        let from = (self.number - 1) * self.limit;
        let shown: Vec<Value> = rows.iter().skip(from).take(self.limit).cloned().collect();
        if shown.is_empty() {
            return (204, Value::Null);
        }
        let mut links = json!({"self": {"href": format!("/api/v4/{name}?page={}", self.number)}});
        if rows.len() > from + self.limit {
            links["next"] = json!({"href": format!("/api/v4/{name}?page={}", self.number + 1)});
        }
        (200, json!({"_page": self.number, "_links": links, "_embedded": {name: shown}}))
    }
}

/// The digits of a text.
pub(super) fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// The word for one of a kind.
pub(super) fn singular(kind: &str) -> &str {
    match kind {
        "companies" => "company",
        kind => kind.trim_end_matches('s'),
    }
}

/// The telephone numbers of a card.
pub(super) fn phones(card: &Value) -> Vec<String> {
    let fields = card["custom_fields_values"].as_array().into_iter().flatten();
    let values = fields.filter(|field| field["field_code"] == "PHONE").flat_map(|field| field["values"].as_array());
    values.flatten().map(|value| value["value"].as_str().unwrap_or_default().to_owned()).collect()
}

impl World {
    /// A list of cards; `query` looks into every field, and reads numbers without their marks.
    pub(super) fn list(&self, kind: &'static str, query: &[(String, String)]) -> Answer {
        let wanted = one(query, "query").map(str::to_lowercase);
        let found = |card: &Value| {
            let Some(wanted) = &wanted else { return true };
            let fields = card["custom_fields_values"].to_string().to_lowercase();
            let name = card["name"].as_str().unwrap_or_default().to_lowercase();
            let number = phones(card).iter().any(|phone| !digits(wanted).is_empty() && digits(phone).contains(wanted));
            number || name.contains(wanted) || fields.contains(wanted)
        };
        let rows = self.cards.iter().filter(|((of, id), card)| *of == kind && !self.waits(kind, *id) && found(card));
        let rows = rows.map(|((_, id), card)| self.shown(kind, *id, card, query));
        Page::of(query).show(kind, rows.collect())
    }

    /// One card.
    pub(super) fn card(&self, kind: &'static str, id: u64, query: &[(String, String)]) -> Answer {
        match self.cards.get(&(kind, id)) {
            Some(card) => (200, self.shown(kind, id, card, query)),
            None => (204, Value::Null),
        }
    }

    /// A card as it is shown: a lead's contacts, and the leads of everybody else, only to who asks for them.
    fn shown(&self, kind: &str, id: u64, card: &Value, query: &[(String, String)]) -> Value {
        let mut embedded = json!({"tags": []});
        if kind != "companies" {
            embedded["companies"] = json!([]);
        }
        if kind == "leads" && with(query, "contacts") {
            embedded["contacts"] = card["_embedded"]["contacts"].clone();
        }
        if kind != "leads" && with(query, "leads") {
            embedded["leads"] = self.leads_of(id).into_iter().map(|lead| json!({"id": lead})).collect();
        }
        let mut card = card.clone();
        card["_embedded"] = embedded;
        card
    }

    /// What is wrong with a card that is to be made: whose it is, and its numbers and addresses.
    pub(super) fn misfits(&self, card: &Value, at: &str) -> Vec<(&'static str, String, &'static str)> {
        let mut wrong = Vec::new();
        for name in ["responsible_user_id", "created_by"] {
            if !card[name].is_null() && !self.user(&card[name]) {
                wrong.push((CHOICE.0, format!("{at}{name}"), CHOICE.1));
            }
        }
        if !card["name"].is_null() && !card["name"].is_string() {
            wrong.push((TYPE.0, format!("{at}name"), TYPE.1));
        }
        for (field, one) in card["custom_fields_values"].as_array().into_iter().flatten().enumerate() {
            // A field of the account's own is known by its number.
            if one["field_id"].is_u64() {
                continue;
            }
            let at = format!("{at}custom_fields_values.{field}");
            let Some((_, kinds)) = FIELDS.iter().find(|(code, _)| one["field_code"] == *code) else {
                wrong.push((CHOICE.0, format!("{at}.field_code"), CHOICE.1));
                continue;
            };
            let values = one["values"].as_array().filter(|values| !values.is_empty());
            if values.is_none() {
                wrong.push((MISSING.0, format!("{at}.values"), MISSING.1));
            }
            for (value, given) in values.into_iter().flatten().enumerate() {
                if given["value"].as_str().is_none_or(str::is_empty) {
                    wrong.push((MISSING.0, format!("{at}.values.{value}.value"), MISSING.1));
                }
                let kind = &given["enum_code"];
                if !kind.is_null() && !kinds.iter().any(|known| kind == *known) {
                    wrong.push((CHOICE.0, format!("{at}.values.{value}.enum_code"), CHOICE.1));
                }
            }
        }
        wrong
    }

    /// What is wrong with each of several cards.
    fn all_misfits(&self, items: &[Value], kind: &str) -> Vec<Mistakes> {
        let of = |(at, item): (usize, &Value)| {
            let mut wrong = self.misfits(item, "");
            if kind == "leads" {
                let pipeline = &item["pipeline_id"];
                if !pipeline.is_null() && !self.pipelines.iter().any(|one| one["id"] == *pipeline) {
                    wrong.push((CHOICE.0, "pipeline_id".to_owned(), CHOICE.1));
                }
                wrong.extend(self.misfits(&item["_embedded"]["contacts"][0], "_embedded.contacts.0."));
            }
            (item["request_id"].as_str().map_or(at.to_string(), str::to_owned), wrong)
        };
        items.iter().enumerate().map(of).filter(|(_, wrong)| !wrong.is_empty()).collect()
    }

    /// `POST /api/v4/contacts`.
    pub(super) fn add_contacts(&mut self, asked: &Value) -> Answer {
        let Some(items) = asked.as_array() else { return problem(400, "Bad Request", "Invalid request body") };
        let mistakes = self.all_misfits(items, "contacts");
        if !mistakes.is_empty() {
            return invalid(&mistakes);
        }
        let rows: Vec<Value> = items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                let id = self.add("contacts", item.clone());
                json!({"id": id, "request_id": item["request_id"].as_str().map_or(at.to_string(), str::to_owned)})
            })
            .collect();
        (200, json!({"_embedded": {"contacts": rows}}))
    }

    /// `POST /api/v4/leads/complex`: a lead with its contact.
    pub(super) fn add_complex(&mut self, asked: &Value) -> Answer {
        let Some(items) = asked.as_array() else { return problem(400, "Bad Request", "Invalid request body") };
        let mistakes = self.all_misfits(items, "leads");
        if !mistakes.is_empty() {
            return invalid(&mistakes);
        }
        let mut rows = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let contact = item["_embedded"]["contacts"][0].clone();
            let contact = (!contact.is_null()).then(|| self.add("contacts", contact));
            let mut lead = item.clone();
            lead["status_id"] = json!(32_392_159);
            lead["_embedded"] =
                json!({"contacts": contact.map(|id| json!({"id": id})).into_iter().collect::<Vec<_>>()});
            let id = self.add("leads", lead);
            rows.push(json!({"id": id, "contact_id": contact, "company_id": null, "request_id": [at.to_string()], "merged": false}));
        }
        (200, Value::Array(rows))
    }

    /// The notes of a card, of these types.
    pub(super) fn notes_of(&self, kind: &str, card: u64, query: &[(String, String)]) -> Answer {
        let types: Vec<&str> =
            query.iter().filter(|(name, _)| name == "filter[note_type][]").map(|(_, value)| value.as_str()).collect();
        let right = |note: &&Value| {
            let kind_fits = types.is_empty() || types.iter().any(|one| note["note_type"] == *one);
            note["entity_type"] == kind && note["entity_id"] == card && kind_fits
        };
        Page::of(query).show("notes", self.notes.values().filter(right).cloned().collect())
    }

    /// `POST /api/v4/{kind}/{card}/notes`.
    pub(super) fn add_notes(&mut self, kind: &'static str, card: u64, asked: &Value) -> Answer {
        let Some(items) = asked.as_array() else { return problem(400, "Bad Request", "Invalid request body") };
        if !self.cards.contains_key(&(kind, card)) {
            return problem(404, "Not Found", "The entity does not exist");
        }
        let mistakes: Vec<Mistakes> = items
            .iter()
            .enumerate()
            .filter_map(|(at, item)| {
                let needed = match item["note_type"].as_str() {
                    Some("common") => "text",
                    Some("call_in" | "call_out") => "phone",
                    _ => return Some((at.to_string(), vec![(MISSING.0, "note_type".to_owned(), MISSING.1)])),
                };
                let mut wrong = self.misfits(item, "");
                if !item["params"][needed].is_string() {
                    wrong.push((MISSING.0, format!("params.{needed}"), MISSING.1));
                }
                if needed == "phone" && !item["params"]["duration"].is_u64() {
                    wrong.push((TYPE.0, "params.duration".to_owned(), TYPE.1));
                }
                (!wrong.is_empty()).then(|| (at.to_string(), wrong))
            })
            .collect();
        if !mistakes.is_empty() {
            return invalid(&mistakes);
        }
        let rows: Vec<Value> = items
            .iter()
            .enumerate()
            .map(|(at, item)| {
                let id = self.note(kind, card, item.clone());
                json!({"id": id, "entity_id": card, "request_id": at.to_string()})
            })
            .collect();
        (200, json!({"_embedded": {"notes": rows}}))
    }

    /// `PATCH /api/v4/{kind}/{card}/notes/{note}`: params are replaced whole.
    pub(super) fn change_note(&mut self, kind: &str, card: u64, id: u64, asked: &Value) -> Answer {
        let Some(note) =
            self.notes.get_mut(&id).filter(|note| note["entity_type"] == kind && note["entity_id"] == card)
        else {
            return problem(404, "Not Found", "The note does not exist");
        };
        if !asked["params"].is_object() {
            return invalid(&[("0".into(), vec![(TYPE.0, "params".into(), TYPE.1)])]);
        }
        note["params"] = asked["params"].clone();
        (200, json!({"id": id, "entity_id": card, "updated_at": 1_763_700_100}))
    }

    pub(super) fn note(&mut self, kind: &str, card: u64, mut note: Value) -> u64 {
        let id = self.id();
        note["id"] = json!(id);
        note["entity_type"] = json!(kind);
        note["entity_id"] = json!(card);
        self.notes.insert(id, note);
        id
    }
}
