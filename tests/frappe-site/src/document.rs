//! Documents: made, changed, deleted, and what is refused.

use serde_json::{Value, json};

use crate::{Answer, Refusal, Row, Site};

/// Characters of a name.
const NAME: usize = 140;

impl Site {
    /// Makes a document; its name.
    pub(crate) fn insert(&mut self, who: &str, doctype: &str, doc: &Value) -> Answer<String> {
        if !self.doctypes.contains_key(doctype) {
            return Err(Refusal::new(500, "ImportError", format!("Module import failed for {doctype}")));
        }
        self.may(who, "create", doctype)?;
        let doc = doc.as_object().cloned().unwrap_or_default();
        if let Some(name) = self.insert_schema(doctype, &doc)? {
            return Ok(name);
        }
        let mut row = self.cleaned(doctype, &doc);
        let meta = self.doctypes[doctype].clone();
        for field in fields(&meta) {
            let (name, default) = (text(field, "fieldname"), text(field, "default"));
            if row.get(name).is_none_or(Value::is_null) && !default.is_empty() {
                let default = if default == "Now" { (self.clock)() } else { default.to_owned() };
                row.insert(name.to_owned(), json!(default));
            }
        }
        self.fetched(doctype, &mut row);
        let name = self.name(&meta, &doc, &row)?;
        self.valid(doctype, &row, &name)?;
        if self.place(doctype, &name).is_some() {
            return Err(Refusal::duplicate(doctype, &name));
        }
        self.unique(doctype, &row, &name)?;
        let now = (self.clock)();
        for (field, value) in
            [("name", name.as_str()), ("creation", now.as_str()), ("modified", now.as_str()), ("owner", who)]
        {
            row.insert(field.into(), json!(value));
        }
        row.insert("doctype".into(), json!(doctype));
        self.hooked(doctype, &row)?;
        self.docs.entry(doctype.to_owned()).or_default().push(row.clone());
        self.happened("after_insert", doctype, &row);
        self.happened("on_update", doctype, &row);
        Ok(name)
    }

    /// Changes what is given of a document.
    pub(crate) fn update(&mut self, who: &str, doctype: &str, name: &str, changed: &Value) -> Answer<()> {
        if doctype == "DocType" {
            return self.update_schema(who, name, changed);
        }
        self.may(who, "write", doctype)?;
        let at = self.place(doctype, name).ok_or_else(|| Refusal::missing(doctype, name))?;
        let changed = changed.as_object().cloned().unwrap_or_default();
        let mut row = self.docs[doctype][at].clone();
        if changed.get("modified").is_some_and(|modified| row.get("modified") != Some(modified)) {
            let words = "Document has been modified after you have opened it";
            return Err(Refusal::new(417, "TimestampMismatchError", words));
        }
        let own = row["name"].as_str().unwrap_or_default().to_owned();
        row.extend(self.cleaned(doctype, &changed).into_iter().filter(|(_, value)| *value != "*********"));
        self.valid(doctype, &row, &own)?;
        self.unique(doctype, &row, &own)?;
        row.insert("modified".into(), json!((self.clock)()));
        if let Some(stored) = self.docs.get_mut(doctype).and_then(|rows| rows.get_mut(at)) {
            stored.clone_from(&row);
        }
        self.happened("on_update", doctype, &row);
        Ok(())
    }

    pub(crate) fn delete(&mut self, who: &str, doctype: &str, name: &str) -> Answer<()> {
        self.may(who, "delete", doctype)?;
        let at = self.place(doctype, name).ok_or_else(|| Refusal::missing(doctype, name))?;
        let own = self.docs[doctype][at]["name"].clone();
        for (other, meta) in &self.doctypes {
            for field in fields(meta).filter(|field| field["fieldtype"] == "Link" && field["options"] == doctype) {
                let links = |row: &&Row| row.get(text(field, "fieldname")) == Some(&own);
                if let Some(row) = self.docs.get(other).into_iter().flatten().find(links) {
                    let words = format!(
                        "Cannot delete or cancel because {doctype} {name} is linked with {other} {}",
                        row["name"]
                    );
                    return Err(Refusal::new(417, "LinkExistsError", words));
                }
            }
        }
        self.docs.entry(doctype.to_owned()).or_default().remove(at);
        Ok(())
    }

    /// A document as it is shown: without what is empty, secrets as asterisks.
    pub(crate) fn shown(&self, doctype: &str, name: &str) -> Answer {
        if doctype == "DocType" {
            let mut meta = self.meta(name)?;
            meta["name"] = json!(name);
            return Ok(meta);
        }
        let at = self.place(doctype, name).ok_or_else(|| Refusal::missing(doctype, name))?;
        let secret = |field: &str| {
            fields(&self.doctypes[doctype]).any(|it| it["fieldname"] == field && it["fieldtype"] == "Password")
        };
        let values = self.docs[doctype][at].iter().filter(|(_, value)| !value.is_null());
        Ok(Value::Object(
            values
                .map(|(field, value)| (field.clone(), if secret(field) { json!("*********") } else { value.clone() }))
                .collect(),
        ))
    }

    /// Where a document stands. Names ignore case.
    pub(crate) fn place(&self, doctype: &str, name: &str) -> Option<usize> {
        let mut rows = self.docs.get(doctype).into_iter().flatten();
        rows.position(|row| row["name"].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    fn name(&mut self, meta: &Value, doc: &Row, row: &Row) -> Answer<String> {
        let number = self.next();
        let word =
            |row: &Row, field: &str| row.get(field).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        let name = match text(meta, "autoname").split_once(':').unwrap_or((text(meta, "autoname"), "")) {
            ("field", field) => word(row, field),
            ("format", pattern) => match pattern.split_once('{') {
                Some((start, _)) => format!("{start}{number:05}"),
                None => pattern.to_owned(),
            },
            ("prompt", _) => word(doc, "name"),
            _ => format!("{number:010x}"),
        };
        if name.contains(['<', '>']) {
            return Err(Refusal::new(409, "NameError", "Name cannot contain special characters like '<', '>'"));
        }
        if name.is_empty() {
            return Err(Refusal::new(417, "ValidationError", "Name is required"));
        }
        Ok(name)
    }

    /// What a link brings along: `fetch_from`, where there is nothing yet.
    fn fetched(&self, doctype: &str, row: &mut Row) {
        for field in fields(&self.doctypes[doctype]) {
            let Some((link, wanted)) = text(field, "fetch_from").split_once('.') else { continue };
            let name = text(field, "fieldname");
            if row.get(name).is_some_and(|value| !value.is_null()) {
                continue;
            }
            let of = fields(&self.doctypes[doctype]).find(|it| it["fieldname"] == link).map(|it| text(it, "options"));
            let (Some(of), Some(to)) = (of, row.get(link).and_then(Value::as_str)) else { continue };
            if let Some(value) = self.place(of, to).and_then(|at| self.docs[of][at].get(wanted)) {
                row.insert(name.to_owned(), value.clone());
            }
        }
    }

    /// Unknown fields are dropped; markup is cleaned where the field does not say otherwise.
    fn cleaned(&self, doctype: &str, doc: &Row) -> Row {
        let mut row = Row::new();
        for field in fields(&self.doctypes[doctype]) {
            let name = text(field, "fieldname");
            let Some(value) = doc.get(name) else { continue };
            let value = match (value.as_str(), text(field, "fieldtype")) {
                (Some(text), "Int" | "Check") => json!(text.parse::<i64>().unwrap_or(0)),
                (Some(text), _) if markup(text) && field["ignore_xss_filter"] != 1 => {
                    json!(text.replace('&', "&amp;").replace("<script", "&lt;script").replace("< ", "&lt; "))
                }
                _ => value.clone(),
            };
            row.insert(name.to_owned(), value);
        }
        row
    }

    fn valid(&self, doctype: &str, row: &Row, document: &str) -> Answer<()> {
        let missing: Vec<&str> = fields(&self.doctypes[doctype])
            .filter(|field| field["reqd"] == 1)
            .map(|field| text(field, "fieldname"))
            .filter(|name| row.get(*name).is_none_or(|value| value.is_null() || *value == ""))
            .collect();
        if !missing.is_empty() {
            let words = format!("[{doctype}, {document}]: {}", missing.join(", "));
            return Err(Refusal::new(417, "MandatoryError", words));
        }
        for field in fields(&self.doctypes[doctype]) {
            let name = text(field, "fieldname");
            let value = row.get(name).and_then(Value::as_str).unwrap_or_default();
            if !value.is_empty() {
                self.fits(field, name, value)?;
            }
        }
        Ok(())
    }

    fn fits(&self, field: &Value, name: &str, value: &str) -> Answer<()> {
        let (options, label) =
            (text(field, "options"), if field["label"].is_string() { text(field, "label") } else { name });
        match text(field, "fieldtype") {
            "Select" if !options.lines().any(|option| option == value) => {
                let all: Vec<String> = options.lines().map(|option| format!("\"{option}\"")).collect();
                let words = format!(" {label} cannot be \"{value}\". It should be one of {}", all.join(", "));
                return Err(Refusal::new(417, "ValidationError", words));
            }
            "Data" | "Link" if value.chars().count() > NAME => {
                let words = format!("'{label}' will get truncated, as max characters allowed is {NAME}");
                return Err(Refusal::new(417, "CharacterLengthExceededError", words));
            }
            "Datetime" if value.len() < 19 || value.ends_with('Z') || !value.is_ascii() || value.contains('+') => {
                let words = format!("(1292, \"Incorrect datetime value: '{value}' for column `{name}` at row 1\")");
                return Err(Refusal::new(500, "OperationalError", words));
            }
            "Small Text" if value.len() > 65_535 => {
                return Err(Refusal::new(
                    500,
                    "DataError",
                    format!("(1406, \"Data too long for column '{name}' at row 1\")"),
                ));
            }
            "Link" if options != "DocType" && self.place(options, value).is_none() => {
                return Err(Refusal::new(417, "LinkValidationError", format!("Could not find {label}: {value}")));
            }
            _ => {}
        }
        let phone = |c: char| c.is_ascii_digit() || " +_-,.*#()".contains(c);
        if options == "Phone" && (value.len() > 20 || !value.chars().all(phone)) {
            return Err(Refusal::new(417, "InvalidPhoneNumberError", format!("{value} is not a valid Phone Number")));
        }
        Ok(())
    }

    fn unique(&self, doctype: &str, row: &Row, own: &str) -> Answer<()> {
        for field in fields(&self.doctypes[doctype]).filter(|field| field["unique"] == 1) {
            let name = text(field, "fieldname");
            let value = row.get(name).and_then(Value::as_str).unwrap_or_default();
            let taken = |other: &Row| {
                let there = other.get(name).and_then(Value::as_str).unwrap_or_default();
                there.eq_ignore_ascii_case(value) && other["name"] != own
            };
            if !value.is_empty() && self.docs.get(doctype).into_iter().flatten().any(taken) {
                return Err(Refusal::unique(doctype, own, name, text(field, "label"), value));
            }
        }
        Ok(())
    }

    /// What other apps do about a new document.
    fn hooked(&mut self, doctype: &str, row: &Row) -> Answer<()> {
        if doctype != "WhatsApp Message" {
            return Ok(());
        }
        // The community's app sends what is written as outgoing.
        if text(&self.doctypes[doctype], "module") == "Frappe Whatsapp" && row.get("type") == Some(&json!("Outgoing")) {
            self.sent.push(row.clone());
        }
        // Frappe CRM reads this of every DocType of the name, whoever made it.
        if self.has_crm() && !fields(&self.doctypes[doctype]).any(|field| field["fieldname"] == "type") {
            return Err(Refusal::new(500, "AttributeError", "'WhatsAppMessage' object has no attribute 'type'"));
        }
        Ok(())
    }
}

fn markup(text: &str) -> bool {
    text.contains("<script")
}

pub(crate) fn fields(meta: &Value) -> impl Iterator<Item = &Value> {
    meta["fields"].as_array().into_iter().flatten()
}

pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}
