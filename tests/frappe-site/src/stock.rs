//! What a site has when it is new.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Site, call_log};

fn doctype(module: &str, autoname: &str, fields: &[(&str, &str)]) -> Value {
    let field = |(name, kind): &(&str, &str)| json!({"fieldname": name, "fieldtype": kind, "options": ""});
    json!({"module": module, "custom": 0, "autoname": autoname, "fields": fields.iter().map(field).collect::<Vec<_>>()})
}

impl Site {
    /// The framework alone, in Madrid. Its clock stands still, but for what tells one document from the next.
    pub fn bare() -> Self {
        let ticks = std::sync::atomic::AtomicU64::new(0);
        let clock = move || {
            let tick = ticks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            format!("2026-03-05 11:00:{:02}.{:06}", tick / 1_000_000 % 60, tick % 1_000_000)
        };
        let mut site = Self {
            clock: Box::new(clock),
            apps: [("frappe".to_owned(), "15.55.1".to_owned())].into(),
            users: BTreeMap::new(),
            doctypes: BTreeMap::new(),
            docs: BTreeMap::new(),
            denied: vec![],
            sent: vec![],
            due: vec![],
            counter: 0,
        };
        let data = "Data";
        /// A DocType's name, how its documents are named, and the names and types of its fields.
        type Core<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);
        let core: [Core<'_>; 11] = [
            ("DocType", "prompt", &[("module", data), ("custom", "Check")]),
            ("Custom Field", "hash", &[("dt", data), ("fieldname", data)]),
            (
                "Property Setter",
                "hash",
                &[("doc_type", data), ("field_name", data), ("property", data), ("value", "Text")],
            ),
            ("Custom DocPerm", "hash", &[("read", "Check"), ("write", "Check"), ("create", "Check")]),
            ("Role", "field:role_name", &[("role_name", data), ("desk_access", "Check")]),
            ("User", "field:email", &[("email", data), ("first_name", data), ("api_key", data), ("roles", "Table")]),
            (
                "Webhook",
                "prompt",
                &[
                    ("webhook_doctype", data),
                    ("webhook_docevent", data),
                    ("condition", "Small Text"),
                    ("request_url", "Small Text"),
                    ("request_method", data),
                    ("request_structure", data),
                    ("webhook_json", "Code"),
                    ("webhook_headers", "Table"),
                    ("enable_security", "Check"),
                    ("webhook_secret", "Password"),
                    ("timeout", "Int"),
                    ("enabled", "Check"),
                ],
            ),
            (
                "Webhook Request Log",
                "hash",
                &[
                    ("webhook", data),
                    ("reference_document", data),
                    ("url", "Small Text"),
                    ("response", "Code"),
                    ("error", "Text"),
                ],
            ),
            (
                "File",
                "hash",
                &[
                    ("file_name", data),
                    ("file_url", "Small Text"),
                    ("attached_to_doctype", data),
                    ("attached_to_name", data),
                    ("is_private", "Check"),
                ],
            ),
            ("DefaultValue", "hash", &[("defkey", data), ("defvalue", "Text")]),
            ("Contact", "", &[("full_name", data), ("mobile_no", data), ("phone", data)]),
        ];
        for (name, autoname, fields) in core {
            site.doctype(name, doctype("Core", autoname, fields));
        }
        site.put("DefaultValue", json!({"parent": "__default", "defkey": "time_zone", "defvalue": "Europe/Madrid"}));
        site
    }

    /// The same with Frappe CRM.
    pub fn with_crm() -> Self {
        let mut site = Self::bare();
        site.apps.insert("crm".into(), "1.81.1".into());
        site.doctype("CRM Call Log", call_log());
        for (name, title) in [("CRM Lead", "lead_name"), ("CRM Deal", "lead"), ("Contact", "full_name")] {
            let fields = ["name_", title, "mobile_no", "phone", "lead_owner", "deal_owner"].map(|name| (name, "Data"));
            site.doctype(name, doctype("FCRM", "", &fields));
        }
        site.doctype("CRM Telephony Agent", doctype("FCRM", "field:user", &[("user", "Data"), ("mobile_no", "Data")]));
        let notice = [("to_user", "Data"), ("notification_text", "Data")];
        let mut notice = doctype("FCRM", "hash", &notice);
        if let Some(fields) = notice["fields"].as_array_mut() {
            fields.push(
                json!({"fieldname": "type", "fieldtype": "Select", "options": "Mention\nTask\nAssignment\nWhatsApp"}),
            );
        }
        site.doctype("CRM Notification", notice);
        site
    }
}
