//! Who asks, and what they may.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::{Answer, Refusal, Row, Site};

/// Everything may be done as this.
const MANAGER: &str = "System Manager";

/// Somebody with an account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct User {
    /// The key, once there is one.
    pub key: String,
    /// And its secret.
    pub secret: String,
    /// A token of OAuth, if one was given out.
    pub bearer: String,
    /// What they are.
    pub roles: Vec<String>,
    /// Whether the account is switched off.
    pub disabled: bool,
    /// The time zone of their profile: the site's as it was when they were made.
    pub zone: String,
}

impl Site {
    /// Makes a user with these roles and a key pair.
    pub fn user(&mut self, email: &str, roles: &[&str]) -> User {
        let number = self.next();
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let (key, secret) = (format!("key-{number:06}"), format!("secret-{number:06}"));
        let (bearer, zone) = (format!("bearer-{number:06}"), self.zone());
        let user = User { key, secret, bearer, roles, disabled: false, zone };
        self.users.insert(email.to_owned(), user.clone());
        self.docs.entry("User".into()).or_default().push(named(email, &user.key));
        user
    }

    /// Who asks. A header of another shape than "scheme credentials" is passed over, and the caller is a guest.
    pub(crate) fn who(&self, header: Option<&str>) -> Answer<String> {
        let Some((scheme, rest)) = header.and_then(|header| header.split_once(' ')) else { return Ok("Guest".into()) };
        if rest.contains(' ') {
            return Ok("Guest".into());
        }
        let pair = match scheme.to_ascii_lowercase().as_str() {
            "token" => rest.to_owned(),
            "basic" => {
                let bytes = STANDARD.decode(rest).map_err(|_| Refusal::stranger())?;
                String::from_utf8(bytes).map_err(|_| Refusal::stranger())?
            }
            "bearer" => {
                let found = self.users.iter().find(|(_, user)| !user.bearer.is_empty() && user.bearer == rest);
                return found.map(|(email, _)| email.clone()).ok_or_else(Refusal::stranger);
            }
            _ => return Err(Refusal::stranger()),
        };
        let (key, secret) = pair.split_once(':').ok_or_else(Refusal::stranger)?;
        let fits = |user: &User| !user.key.is_empty() && user.key == key && user.secret == secret;
        let (email, user) = self.users.iter().find(|(_, user)| fits(user)).ok_or_else(Refusal::stranger)?;
        // Frappe 15 does not look whether the account is switched off.
        if user.disabled && self.is_16() {
            return Err(Refusal::stranger());
        }
        Ok(email.clone())
    }

    /// The zone of the site's datetimes.
    pub(crate) fn zone(&self) -> String {
        let defaults = self.docs.get("DefaultValue").into_iter().flatten();
        let zone = defaults.filter(|row| row["parent"] == "__default").find_map(|row| row["defvalue"].as_str());
        zone.unwrap_or_default().to_owned()
    }

    /// The zone that somebody is told: their own. Guest and Administrator are older than any setting.
    pub(crate) fn zone_of(&self, who: &str) -> String {
        self.users.get(who).map_or_else(|| "Asia/Kolkata".to_owned(), |user| user.zone.clone())
    }

    /// Rows of a child table are read by the rights to its parent, and every user may choose among users.
    pub(crate) fn may_list(&self, who: &str, doctype: &str, parent: &str) -> Answer<()> {
        match (doctype, parent) {
            ("DefaultValue", "User") if self.users.contains_key(who) => Ok(()),
            ("DefaultValue", _) => Err(Refusal::denied(who, doctype)),
            _ => self.may(who, "read", doctype),
        }
    }

    pub(crate) fn is_manager(&self, who: &str) -> bool {
        who == "Administrator" || self.roles(who).iter().any(|role| role == MANAGER)
    }

    fn roles(&self, who: &str) -> &[String] {
        self.users.get(who).map(|user| user.roles.as_slice()).unwrap_or_default()
    }

    /// Whether somebody may do this with documents of a DocType.
    pub(crate) fn may(&self, who: &str, right: &str, doctype: &str) -> Answer<()> {
        let denied = self.denied.contains(&format!("{right} {doctype}"));
        if !denied && (self.is_manager(who) || self.rights(who, doctype).iter().any(|given| given[right] == 1)) {
            return Ok(());
        }
        Err(Refusal::denied(who, doctype))
    }

    /// The rows that give somebody rights. Rows of the permission manager take the place of the DocType's own.
    pub(crate) fn rights(&self, who: &str, doctype: &str) -> Vec<Value> {
        let custom: Vec<&Row> =
            self.docs.get("Custom DocPerm").into_iter().flatten().filter(|row| row["parent"] == doctype).collect();
        let standard = self.doctypes.get(doctype).and_then(|it| it["permissions"].as_array());
        let rows: Vec<Value> = match custom.is_empty() {
            true => standard.cloned().unwrap_or_default(),
            false => custom.into_iter().map(|row| Value::Object(row.clone())).collect(),
        };
        rows.into_iter().filter(|row| self.roles(who).iter().any(|role| row["role"] == role.as_str())).collect()
    }

    /// What only a System Manager may do.
    pub(crate) fn managers_only(&self, who: &str) -> Answer<()> {
        match self.is_manager(who) {
            true => Ok(()),
            false => Err(Refusal::new(403, "PermissionError", "Not permitted")),
        }
    }

    /// The permission manager: a row for a role, with the right to read. What the DocType gives stays.
    pub(crate) fn add_right(&mut self, body: &Value) -> Answer<()> {
        let doctype = body["parent"].as_str().unwrap_or_default().to_owned();
        self.meta(&doctype)?;
        if self.row_of(&doctype, &body["role"]).is_some() {
            return Ok(());
        }
        let rows = self.docs.entry("Custom DocPerm".into()).or_default();
        if !rows.iter().any(|row| row["parent"] == doctype.as_str()) {
            let standard = self.doctypes[&doctype]["permissions"].as_array().cloned().unwrap_or_default();
            for mut row in standard {
                row["parent"] = json!(doctype);
                row["permlevel"] = json!(0);
                rows.extend(row.as_object().cloned());
            }
        }
        let row = json!({"parent": doctype, "role": body["role"], "permlevel": 0, "read": 1, "write": 0, "create": 0});
        rows.extend(row.as_object().cloned());
        Ok(())
    }

    pub(crate) fn change_right(&mut self, body: &Value) -> Answer<()> {
        let doctype = body["doctype"].as_str().unwrap_or_default();
        let at = self.row_of(doctype, &body["role"]).ok_or_else(|| Refusal::missing("Custom DocPerm", doctype))?;
        let right = body["ptype"].as_str().unwrap_or_default().to_owned();
        if let Some(row) = self.docs.get_mut("Custom DocPerm").and_then(|rows| rows.get_mut(at)) {
            row.insert(right, json!(body["value"].as_i64().unwrap_or(0)));
        }
        Ok(())
    }

    fn row_of(&self, doctype: &str, role: &Value) -> Option<usize> {
        let mut rows = self.docs.get("Custom DocPerm").into_iter().flatten();
        rows.position(|row| row["parent"] == doctype && row["role"] == *role)
    }
}

fn named(email: &str, key: &str) -> Row {
    let row = json!({"name": email, "email": email, "api_key": key});
    row.as_object().cloned().unwrap_or_default()
}
