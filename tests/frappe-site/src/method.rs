//! Methods that are called by their name.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::list::posted;
use crate::{Answer, Asked, Refusal, Row, Site};

/// Documents of one `insert_many`.
const AT_ONCE: usize = 200;

/// What a guest may call.
const OPEN: [&str; 3] = ["ping", "frappe.client.get_time_zone", "crm.integrations.exotel.handler.handle_request"];

impl Site {
    pub(crate) fn method(
        &mut self,
        who: &str,
        method: &str,
        query: &HashMap<String, String>,
        body: &Value,
        asked: &Asked,
    ) -> Answer {
        if who == "Guest" && !OPEN.contains(&method) {
            let words = format!("Function {method} is not whitelisted.");
            return Err(Refusal::new(403, "PermissionError", words));
        }
        let word =
            |name: &str| query.get(name).map(String::as_str).or(body[name].as_str()).unwrap_or_default().to_owned();
        let answer = match method {
            "ping" => json!("pong"),
            "frappe.auth.get_logged_user" => json!(who),
            "frappe.client.get_time_zone" => json!({ "time_zone": self.zone_of(who) }),
            "frappe.utils.change_log.get_versions" => {
                let about = |(app, version): (&String, &String)| (app.clone(), json!({ "version": version }));
                Value::Object(self.apps.iter().map(about).collect())
            }
            "frappe.client.get_doc_permissions" => {
                let doctype = word("doctype");
                let right = |right: &str| u8::from(self.may(who, right, &doctype).is_ok());
                json!({"permissions": {"read": right("read"), "write": right("write"), "create": right("create"),
                    "delete": right("delete")}})
            }
            "frappe.client.get_count" => {
                let doctype = word("doctype");
                self.may(who, "read", &doctype)?;
                json!(self.among(&doctype, query)?.len())
            }
            "frappe.client.get_list" => {
                let mut asked = query.clone();
                asked.extend(posted(body));
                json!(self.list(who, &word("doctype"), &asked)?)
            }
            "frappe.client.insert" => {
                let doctype = body["doc"]["doctype"].as_str().unwrap_or_default().to_owned();
                let name = self.insert(who, &doctype, &body["doc"])?;
                self.shown(&doctype, &name)?
            }
            "frappe.client.insert_many" => json!(self.insert_many(who, &body["docs"])?),
            "frappe.core.page.permission_manager.permission_manager.add" => {
                self.managers_only(who)?;
                self.add_right(body)?;
                return Ok(json!({}));
            }
            "frappe.core.page.permission_manager.permission_manager.update" => {
                self.managers_only(who)?;
                self.change_right(body)?;
                return Ok(json!({}));
            }
            "frappe.core.doctype.user.user.generate_keys" => {
                self.managers_only(who)?;
                json!({ "api_secret": self.keys(&word("user"))? })
            }
            "upload_file" => self.upload(who, &asked.body)?,
            "crm.integrations.api.get_contact_by_phone_number" if self.has_crm() => self.caller(&word("phone_number")),
            "crm.integrations.exotel.handler.handle_request" if self.has_crm() => {
                self.put("exotel", body.clone());
                return Ok(json!({}));
            }
            _ => {
                let words = format!("Failed to get method for command {method}");
                return Err(Refusal::new(417, "ValidationError", words));
            }
        };
        Ok(json!({ "message": answer }))
    }

    /// All or none.
    fn insert_many(&mut self, who: &str, docs: &Value) -> Answer<Vec<String>> {
        let docs = docs.as_array().cloned().unwrap_or_default();
        if docs.len() > AT_ONCE {
            return Err(Refusal::new(417, "ValidationError", "Only 200 inserts allowed in one request"));
        }
        let before: HashMap<String, usize> =
            self.docs.iter().map(|(doctype, rows)| (doctype.clone(), rows.len())).collect();
        let mut names = Vec::new();
        for doc in &docs {
            match self.insert(who, doc["doctype"].as_str().unwrap_or_default(), doc) {
                Ok(name) => names.push(name),
                Err(refusal) => {
                    for (doctype, rows) in &mut self.docs {
                        rows.truncate(before.get(doctype).copied().unwrap_or(0));
                    }
                    return Err(refusal);
                }
            }
        }
        Ok(names)
    }

    /// A new pair: the secret before it stops working.
    fn keys(&mut self, email: &str) -> Answer<String> {
        let number = self.next();
        let user = self.users.get_mut(email).ok_or_else(|| Refusal::missing("User", email))?;
        if user.key.is_empty() {
            user.key = format!("key-{number:06}");
        }
        user.secret = format!("secret-{number:06}");
        let (key, secret) = (user.key.clone(), user.secret.clone());
        if let (Some(at), Some(rows)) = (self.place("User", email), self.docs.get_mut("User")) {
            rows[at].insert("api_key".into(), json!(key));
        }
        Ok(secret)
    }

    /// The same upload again is another file. Nobody looks whether the document is there.
    fn upload(&mut self, who: &str, body: &[u8]) -> Answer {
        let text = String::from_utf8_lossy(body).into_owned();
        let part = |name: &str| {
            let start = text.split(&format!("name=\"{name}\"\r\n\r\n")).nth(1)?;
            start.split("\r\n").next().map(str::to_owned)
        };
        let private = part("is_private").as_deref() == Some("1");
        let name = text.split("filename=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("file");
        let url = format!("{}/files/{name}", if private { "/private" } else { "" });
        let file = json!({"file_name": name, "file_url": url, "is_private": u8::from(private),
            "attached_to_doctype": part("doctype"), "attached_to_name": part("docname")});
        let doctype = part("doctype").unwrap_or_default();
        self.may(who, "write", &doctype)?;
        parsed(name, content(body))?;
        let name = self.insert("Administrator", "File", &file)?;
        self.shown("File", &name)
    }

    /// The look-up of Frappe CRM: numbers with a plus sign, and no right is asked for.
    fn caller(&self, number: &str) -> Value {
        let has = |row: &&Row| row.get("mobile_no").and_then(Value::as_str) == Some(number);
        match self.docs.get("CRM Lead").into_iter().flatten().find(has) {
            Some(lead) => json!({"name": lead["name"], "lead": lead["name"], "full_name": lead["lead_name"],
                "mobile_no": number}),
            None => json!({"mobile_no": number.trim_start_matches('+')}),
        }
    }
}

/// The bytes of the file in a form, and what comes after it.
fn content(body: &[u8]) -> &[u8] {
    let after = |from: usize, part: &[u8]| {
        let rest = body.get(from..)?;
        rest.windows(part.len()).position(|bytes| bytes == part).map(|at| from + at + part.len())
    };
    let start = after(0, b"filename=").and_then(|at| after(at, b"\r\n\r\n"));
    start.map_or(&[], |start| &body[start..])
}

/// Pictures and PDFs are looked into: one that is none is an error of the server's.
fn parsed(name: &str, bytes: &[u8]) -> Answer<()> {
    let is = |magic: &[u8]| bytes.starts_with(magic);
    let (good, kind, words) = match name.rsplit('.').next().unwrap_or_default() {
        "jpg" | "jpeg" | "png" | "gif" | "webp" => (
            is(b"\xff\xd8\xff") || is(b"\x89PNG") || is(b"GIF8") || is(b"RIFF"),
            "UnidentifiedImageError",
            "cannot identify image file",
        ),
        "pdf" => (
            is(b"%PDF") && bytes.windows(5).any(|bytes| bytes == b"%%EOF"),
            "PdfStreamError",
            "Stream has ended unexpectedly",
        ),
        _ => (true, "", ""),
    };
    if good { Ok(()) } else { Err(Refusal::new(500, kind, words)) }
}
