//! Who the hub is on a site: its role, the least rights, its user and key.

use cordboard_sdk::serde_json::{Value, json};

use super::Wanted;
use crate::api::Row;
use crate::known::Known;
use crate::preset::Kind;
use crate::settings::{Popup, Settings, WhatsApp};

/// The right to read comes with the row itself.
const ALL: [&str; 3] = ["read", "write", "create"];

/// The role, before anything names it.
pub fn role(role: &str) -> Wanted {
    Wanted::new(format!("make the role {role}"), "Role", role, json!({"role_name": role, "desk_access": 1}))
}

/// The least that the role needs on DocTypes that are not the hub's own: those that are there.
pub fn rights(settings: &Settings, known: &Known) -> Vec<(String, Vec<&'static str>)> {
    let others = match settings.whatsapp {
        WhatsApp::Existing => vec![Kind::Call, Kind::Session, Kind::Contact, Kind::Conversation, Kind::Message],
        WhatsApp::Own | WhatsApp::Off => vec![Kind::Call],
    };
    let targets = others.iter().filter_map(|kind| known.targets.get(kind));
    let mut wanted: Vec<(String, Vec<&str>)> = targets.map(|target| (target.doctype.clone(), ALL.to_vec())).collect();
    if settings.link {
        wanted.push(("Contact".into(), vec!["read"]));
    }
    if settings.popup == Popup::Notification && known.crm {
        wanted.push(("CRM Notification".into(), vec!["read", "create"]));
    }
    wanted
}

/// One right. The permission manager keeps the rows that are there; a row made by itself would take the place of all of
/// them.
pub fn right(role: &str, doctype: &str, right: &str) -> Wanted {
    let (method, body) = match right {
        "read" => ("add", json!({"parent": doctype, "role": role, "permlevel": 0})),
        _ => ("update", json!({"doctype": doctype, "role": role, "permlevel": 0, "ptype": right, "value": 1})),
    };
    let path = format!("/api/method/frappe.core.page.permission_manager.permission_manager.{method}");
    Wanted::asked(format!("let {role} {right} {doctype}"), path, body)
}

/// The hub's user, with the role alone.
pub fn user(user: &str, role: &str) -> Wanted {
    let body = json!({
        "email": user, "first_name": "Hub", "send_welcome_email": 0, "user_type": "System User",
        "roles": [{"role": role}],
    });
    Wanted::new(format!("make the user {user}, with the role {role} alone"), "User", user, body)
}

/// The role for a user that is there without it. What else the user is stays.
pub fn role_missing(stored: &Row, user: &str, role: &str) -> Option<Wanted> {
    let mut roles = stored.get("roles").and_then(Value::as_array).cloned().unwrap_or_default();
    if roles.iter().any(|row| row["role"] == role) {
        return None;
    }
    roles.push(json!({ "role": role }));
    let says = format!("give the user {user} the role {role}");
    Some(self::user(user, role).changed(says, json!({ "roles": roles })))
}

/// Its key pair.
pub fn keys(user: &str) -> Wanted {
    let path = "/api/method/frappe.core.doctype.user.user.generate_keys".to_owned();
    let says = format!("make a key pair for {user}, and show it");
    Wanted { keys_of: Some(user.to_owned()), ..Wanted::asked(says, path, json!({ "user": user })) }
}

/// Whether a user has a key pair.
pub fn has_keys(user: &Row) -> bool {
    user.get("api_key").and_then(Value::as_str).is_some_and(|key| !key.is_empty())
}
