//! DocTypes, custom fields and properties: the schema as documents.

use serde_json::{Value, json};

use crate::document::{fields, text};
use crate::{Answer, Refusal, Row, Site};

/// Field names that the framework keeps for itself.
const RESERVED: [&str; 9] =
    ["name", "owner", "creation", "modified", "modified_by", "docstatus", "idx", "parent", "doctype"];

impl Site {
    /// A DocType as it stands.
    pub(crate) fn meta(&self, doctype: &str) -> Answer {
        self.doctypes.get(doctype).cloned().ok_or_else(|| Refusal::missing("DocType", doctype))
    }

    /// The same for somebody: what is not there is hidden from those who may not see all DocTypes.
    pub(crate) fn seen(&self, who: &str, doctype: &str) -> Answer {
        match self.meta(doctype) {
            Err(_) if !self.is_manager(who) => Err(Refusal::denied(who, "DocType")),
            result => result,
        }
    }

    /// Puts a DocType there, as an app that is installed does.
    pub fn doctype(&mut self, name: &str, meta: Value) {
        let row = json!({"name": name, "module": meta["module"], "custom": meta["custom"]});
        let known = self.docs.entry("DocType".into()).or_default();
        if !known.iter().any(|row| row["name"] == name) {
            known.extend(row.as_object().cloned());
        }
        self.doctypes.insert(name.to_owned(), meta);
        self.docs.entry(name.to_owned()).or_default();
    }

    /// Puts a document there, whatever the DocType says.
    pub fn put(&mut self, doctype: &str, row: Value) {
        self.docs.entry(doctype.to_owned()).or_default().extend(row.as_object().cloned());
    }

    /// Documents that change the schema; the name, when this is one.
    pub(crate) fn insert_schema(&mut self, doctype: &str, doc: &Row) -> Answer<Option<String>> {
        let doc = Value::Object(doc.clone());
        match doctype {
            "DocType" => self.insert_doctype(&doc).map(Some),
            "Custom Field" => self.insert_field(&doc).map(Some),
            "Property Setter" => self.set_property(&doc).map(Some),
            "User" => {
                let (email, mut doc) = (text(&doc, "email").to_owned(), doc);
                if self.place("User", &email).is_some() {
                    return Err(Refusal::duplicate("User", &email));
                }
                let roles = doc["roles"].as_array().into_iter().flatten();
                let roles = roles.filter_map(|row| row["role"].as_str().map(str::to_owned)).collect();
                let zone = Some(text(&doc, "time_zone")).filter(|zone| !zone.is_empty());
                let zone = zone.map_or_else(|| self.zone(), str::to_owned);
                self.users.insert(email.clone(), crate::User { roles, zone, ..crate::User::default() });
                doc["name"] = json!(email);
                self.put("User", doc);
                Ok(Some(email))
            }
            _ => Ok(None),
        }
    }

    fn insert_doctype(&mut self, doc: &Value) -> Answer<String> {
        let name = text(doc, "name").to_owned();
        if doc["custom"] != 1 {
            let words = "Not in Developer Mode! Set in site_config.json or make 'Custom' DocType.";
            return Err(Refusal::new(417, "CannotCreateStandardDoctypeError", words));
        }
        if self.doctypes.contains_key(&name) {
            return Err(Refusal::duplicate("DocType", &name));
        }
        self.fields_fit(&name, doc)?;
        self.doctype(&name, doc.clone());
        Ok(name)
    }

    /// The whole table of fields, as it is to be.
    pub(crate) fn update_schema(&mut self, who: &str, name: &str, changed: &Value) -> Answer<()> {
        self.may(who, "write", "DocType")?;
        self.meta(name)?;
        self.fields_fit(name, changed)?;
        if let (Some(meta), Some(all)) = (self.doctypes.get_mut(name), changed.get("fields")) {
            meta["fields"] = all.clone();
        }
        Ok(())
    }

    fn fields_fit(&self, doctype: &str, doc: &Value) -> Answer<()> {
        for field in fields(doc) {
            let name = text(field, "fieldname");
            if RESERVED.contains(&name) {
                let words = format!("{doctype}: Fieldname {name} is restricted");
                return Err(Refusal::new(417, "InvalidFieldNameError", words));
            }
            let target = text(field, "options");
            let there = target == doctype || target == "DocType" || self.doctypes.contains_key(target);
            if field["fieldtype"] == "Link" && !there {
                let words = format!("{doctype}: Options {target} must be a valid DocType for field {name}");
                return Err(Refusal::new(417, "WrongOptionsDoctypeLinkError", words));
            }
        }
        Ok(())
    }

    fn insert_field(&mut self, doc: &Value) -> Answer<String> {
        let (of, field) = (text(doc, "dt").to_owned(), text(doc, "fieldname").to_owned());
        let meta = self
            .doctypes
            .get_mut(&of)
            .ok_or_else(|| Refusal::new(417, "LinkValidationError", format!("Could not find DocType: {of}")))?;
        if fields(meta).any(|known| known["fieldname"] == field.as_str()) {
            let words = format!("A field with the name <b>{field}</b> already exists in {of}");
            return Err(Refusal::new(417, "ValidationError", words));
        }
        if let Some(all) = meta["fields"].as_array_mut() {
            all.push(doc.clone());
        }
        let name = format!("{of}-{field}");
        let mut row = doc.clone();
        row["name"] = json!(name);
        self.put("Custom Field", row);
        Ok(name)
    }

    /// The one before it for the same property goes.
    fn set_property(&mut self, doc: &Value) -> Answer<String> {
        let (of, field, property) = (text(doc, "doc_type"), text(doc, "field_name"), text(doc, "property"));
        let meta = self
            .doctypes
            .get_mut(of)
            .ok_or_else(|| Refusal::new(417, "LinkValidationError", format!("Could not find DocType: {of}")))?;
        let value = match (text(doc, "property_type"), text(doc, "value")) {
            ("Check" | "Int", value) => json!(value.parse::<i64>().unwrap_or(0)),
            (_, value) => json!(value),
        };
        let all = meta["fields"].as_array_mut().into_iter().flatten();
        for known in all.filter(|known| known["fieldname"] == field) {
            known[property] = value.clone();
        }
        let name = format!("{of}-{field}-{property}");
        let mut row = doc.clone();
        row["name"] = json!(name);
        self.docs.entry("Property Setter".into()).or_default().retain(|row| row["name"] != name.as_str());
        self.put("Property Setter", row);
        Ok(name)
    }
}

/// The call log of Frappe CRM.
pub fn call_log() -> Value {
    let field = |name: &str, kind: &str, options: &str| {
        let mandatory = u8::from(["from", "to", "type", "status"].contains(&name));
        json!({"fieldname": name, "fieldtype": kind, "options": options, "reqd": mandatory,
            "unique": u8::from(name == "id"), "length": 0, "ignore_xss_filter": 0, "default": null})
    };
    json!({"module": "FCRM", "custom": 0, "autoname": "field:id", "fields": [
        field("id", "Data", ""), field("from", "Data", ""), field("to", "Data", ""),
        field("type", "Select", "Incoming\nOutgoing"),
        field("status", "Select",
            "Initiated\nRinging\nIn Progress\nCompleted\nFailed\nBusy\nNo Answer\nQueued\nCanceled"),
        field("start_time", "Datetime", ""), field("end_time", "Datetime", ""), field("duration", "Duration", ""),
        field("medium", "Data", ""), field("telephony_medium", "Select", "\nManual\nTwilio\nExotel"),
        field("recording_url", "Small Text", ""), field("caller", "Link", "User"), field("receiver", "Link", "User"),
        field("reference_doctype", "Link", "DocType"), field("reference_docname", "Dynamic Link", "reference_doctype"),
        field("links", "Table", "Dynamic Link"),
    ]})
}
