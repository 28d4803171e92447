//! What a site needs before the hub can write to it: DocTypes, fields, a role with the least rights, a user, a webhook.
//!
//! A pure function of the settings and of what is known of the site. It does nothing: its steps are requests for a
//! System Manager of the site to make, one after the other, each of which may be made again.

use cordboard_sdk::serde_json::{Value, json};
use serde::Serialize;

use crate::known::Known;
use crate::preset::Kind;
use crate::settings::{Calls, Popup, Settings, WhatsApp};

/// The role that the hub's user gets, unless another is named.
const ROLE: &str = "Hub Integration";

/// What a person chooses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Order {
    /// The address at which the hub takes what the site sends: `https://hub…/v1/endpoints/tenant/sink/message`.
    pub endpoint: Option<String>,
    /// The e-mail address of the hub's user; absent: no user is made.
    pub user: Option<String>,
    /// The role's name.
    pub role: Option<String>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// For people.
    pub says: String,
    /// Ask this first: when it answers with 200, the step has been made.
    pub look: Option<String>,
    /// The request's method.
    pub method: &'static str,
    /// The request's path.
    pub path: String,
    /// The request's JSON. The text `{webhook_secret}` stands for the setting of that name.
    pub body: Value,
    /// The answer holds a secret for a person to keep: its place there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shows: Option<&'static str>,
}

/// All that is to be done, in order. What is known to be there is left out; what is not known is asked for by `look`.
pub fn plan(settings: &Settings, known: Option<&Known>, order: &Order) -> Vec<Step> {
    let role = order.role.as_deref().unwrap_or(ROLE);
    let mut steps = vec![Step {
        says: format!("make the role {role}"),
        look: Some(resource("Role", Some(role))),
        method: "POST",
        path: resource("Role", None),
        body: json!({"role_name": role, "desk_access": 1}),
        shows: None,
    }];
    if settings.whatsapp == WhatsApp::Own {
        let agents = known.is_some_and(|known| known.crm);
        for kind in [Kind::Session, Kind::Contact, Kind::Conversation, Kind::Message] {
            let Some(doctype) = kind.doctype(settings) else { continue };
            if known.is_none_or(|known| known.targets.get(&kind).is_none_or(|target| target.doctype != doctype)) {
                steps.push(own_doctype(settings, kind, &doctype, role, agents));
            }
        }
    }
    if settings.whatsapp == WhatsApp::Existing {
        steps.extend(existing_message(settings, known));
    }
    steps.extend(call_fields(settings, known));
    steps.extend(rights(settings, role));
    if let Some(user) = &order.user {
        steps.extend(bot(user, role));
    }
    if let (Some(endpoint), true) = (&order.endpoint, settings.webhook_secret.is_some()) {
        steps.extend(webhook(settings, endpoint));
    }
    steps
}

fn resource(doctype: &str, name: Option<&str>) -> String {
    let path = format!("/api/resource/{}", cordboard_sdk::http::encode(doctype));
    name.map_or(path.clone(), |name| format!("{path}/{}", cordboard_sdk::http::encode(name)))
}

/// A field, by name and type; `more` is merged into it.
fn field(name: &str, kind: &str, more: Value) -> Value {
    let label: Vec<String> = name
        .split('_')
        .map(|word| {
            word.chars().next().map_or(String::new(), |c| c.to_uppercase().chain(word.chars().skip(1)).collect())
        })
        .collect();
    let mut field = json!({"fieldname": name, "fieldtype": kind, "label": label.join(" ")});
    for (property, value) in more.as_object().into_iter().flatten() {
        field[property] = value.clone();
    }
    field
}

fn own_doctype(settings: &Settings, kind: Kind, doctype: &str, role: &str, agents: bool) -> Step {
    let link = |kind: Kind| kind.doctype(settings).unwrap_or_default();
    let data = |name: &str| field(name, "Data", json!({}));
    let check = |name: &str| field(name, "Check", json!({}));
    let shown = json!({"in_list_view": 1});
    let key = json!({"unique": 1, "reqd": 1, "read_only": 1});
    let session = || field("session", "Link", json!({"options": link(Kind::Session), "reqd": 1, "in_list_view": 1}));
    let text = |name: &str, kind: &str| field(name, kind, json!({"ignore_xss_filter": 1}));
    let (autoname, fields) = match kind {
        Kind::Session => (
            "field:session_id",
            vec![
                field("session_id", "Data", json!({"unique": 1, "reqd": 1, "in_list_view": 1})),
                data("session_name"),
                field(
                    "status",
                    "Select",
                    json!({
                "options": "Disconnected\nConnecting\nQR Code Required\nConnected\nError", "in_list_view": 1,
                "default": "Disconnected"}),
                ),
                check("is_connected"),
                field("phone_number", "Data", shown.clone()),
                field("reason", "Small Text", json!({})),
                field("since", "Datetime", json!({})),
                field("total_contacts", "Int", json!({"read_only": 1})),
                field("total_conversations", "Int", json!({"read_only": 1})),
                field("total_messages_sent", "Int", json!({"read_only": 1})),
                field("last_sync", "Datetime", json!({"read_only": 1})),
            ],
        ),
        Kind::Contact => (
            "field:contact_key",
            vec![
                field("contact_key", "Data", key),
                session(),
                field("contact_name", "Data", shown.clone()),
                field("phone_number", "Data", json!({"in_list_view": 1, "search_index": 1})),
                field("jid", "Data", json!({"search_index": 1})),
                data("lid"),
                data("push_name"),
                data("verified_name"),
                check("is_business"),
                check("is_blocked"),
                field("labels", "Small Text", json!({})),
                field("profile_picture", "Small Text", json!({})),
            ],
        ),
        Kind::Conversation => (
            "field:conversation_key",
            vec![
                field("conversation_key", "Data", key),
                session(),
                field("chat_id", "Data", json!({"reqd": 1, "search_index": 1})),
                field("contact", "Link", json!({"options": link(Kind::Contact)})),
                field("conversation_name", "Data", shown.clone()),
                data("conversation_kind"),
                check("is_group"),
                check("is_archived"),
                check("is_pinned"),
                field("unread_count", "Int", shown.clone()),
                text("last_message", "Small Text"),
                field("last_message_time", "Datetime", shown.clone()),
                field("participants", "Int", json!({})),
                field("labels", "Small Text", json!({})),
                field("assigned_to", "Link", json!({"options": "User"})),
            ],
        ),
        _ => (
            "hash",
            vec![
                field("message_key", "Data", json!({"unique": 1, "read_only": 1, "no_copy": 1})),
                field(
                    "session",
                    "Link",
                    json!({
                "options": link(Kind::Session), "reqd": 1, "fetch_from": "conversation.session", "fetch_if_empty": 1}),
                ),
                field(
                    "conversation",
                    "Link",
                    json!({"options": link(Kind::Conversation), "in_list_view": 1, "search_index": 1}),
                ),
                field("chat_id", "Data", json!({"fetch_from": "conversation.chat_id", "fetch_if_empty": 1})),
                field("contact", "Link", json!({"options": link(Kind::Contact)})),
                field(
                    "direction",
                    "Select",
                    json!({
                "options": "Incoming\nOutgoing", "reqd": 1, "default": "Outgoing", "in_list_view": 1}),
                ),
                text("content", "Long Text"),
                field(
                    "status",
                    "Select",
                    json!({
                "options": "Pending\nSent\nFailed\nDelivered\nRead\nPlayed\nDeleted", "default": "Pending",
                "in_list_view": 1}),
                ),
                field("timestamp", "Datetime", json!({"default": "Now", "in_list_view": 1, "search_index": 1})),
                field("message_id", "Data", json!({"search_index": 1, "read_only": 1, "no_copy": 1})),
                field("message_type", "Data", json!({"default": "text"})),
                data("from_number"),
                data("to_number"),
                data("sender_name"),
                field("sent_at", "Datetime", json!({})),
                field("delivered_at", "Datetime", json!({})),
                field("read_at", "Datetime", json!({})),
                field("edited_at", "Datetime", json!({})),
                field("deleted_at", "Datetime", json!({})),
                field("error", "Small Text", json!({})),
                data("quoted_message"),
                check("has_media"),
                field("media_url", "Small Text", json!({})),
                data("media_type"),
                data("file_name"),
                field("attachment", "Attach", json!({})),
                field("details", "Small Text", json!({})),
                field("reactions", "Small Text", json!({})),
                check("is_history"),
            ],
        ),
    };
    let all = json!({
        "role": "System Manager", "read": 1, "write": 1, "create": 1, "delete": 1, "report": 1, "export": 1, "share": 1,
        "email": 1, "print": 1,
    });
    let mut permissions = vec![all, json!({"role": role, "read": 1, "write": 1, "create": 1})];
    // Who sells reads all of it, and writes what is to be sent.
    for agent in ["Sales User", "Sales Manager"].into_iter().filter(|_| agents) {
        permissions.push(match kind {
            Kind::Message => json!({"role": agent, "read": 1, "write": 1, "create": 1}),
            _ => json!({"role": agent, "read": 1}),
        });
    }
    let naming = if autoname == "hash" { "Random" } else { "By fieldname" };
    Step {
        says: format!("make the DocType {doctype}"),
        look: Some(resource("DocType", Some(doctype))),
        method: "POST",
        path: resource("DocType", None),
        body: json!({
            "name": doctype, "module": "Custom", "custom": 1, "autoname": autoname, "naming_rule": naming,
            "track_changes": 0, "fields": fields, "permissions": permissions,
        }),
        shows: None,
    }
}

fn custom_field(doctype: &str, name: &str, kind: &str, after: &str, more: Value) -> Step {
    let mut body = field(name, kind, more);
    body["dt"] = json!(doctype);
    body["insert_after"] = json!(after);
    Step {
        says: format!("add the field {name} to {doctype}"),
        look: Some(resource("Custom Field", Some(&format!("{doctype}-{name}")))),
        method: "POST",
        path: resource("Custom Field", None),
        body,
        shows: None,
    }
}

/// What the stock call logs have no place for.
fn call_fields(settings: &Settings, known: Option<&Known>) -> Vec<Step> {
    if matches!(settings.calls, Calls::Own | Calls::Off) {
        return vec![];
    }
    let Some(doctype) = Kind::Call.doctype(settings) else { return vec![] };
    let target = known.and_then(|known| known.targets.get(&Kind::Call));
    let read_only = json!({"read_only": 1});
    [
        ("source_id", "hub_call_id", "Data", "id"),
        ("caller_as_seen", "hub_caller", "Data", "from"),
        ("callee_as_seen", "hub_callee", "Data", "to"),
        ("outcome", "hub_outcome", "Data", "status"),
        ("queue", "hub_queue", "Data", "hub_outcome"),
        ("talk", "hub_talk", "Duration", "duration"),
    ]
    .into_iter()
    .filter(|(holds, ..)| target.is_none_or(|target| target.slot(holds).is_none()))
    .map(|(_, name, kind, after)| custom_field(&doctype, name, kind, after, read_only.clone()))
    .collect()
}

/// Another app's messages: its text is to be left alone, and what Frappe CRM reads of it has to be there.
fn existing_message(settings: &Settings, known: Option<&Known>) -> Vec<Step> {
    let Some(doctype) = Kind::Message.doctype(settings) else { return vec![] };
    let target = known.and_then(|known| known.targets.get(&Kind::Message));
    let content = target.and_then(|target| target.slot("content"));
    let mut steps = Vec::new();
    if !content.is_some_and(|slot| slot.raw) {
        let name = content.map_or("content", |slot| slot.name.as_str());
        steps.push(property(&doctype, name, "ignore_xss_filter", "Check", "1"));
    }
    if doctype == "WhatsApp Message" && known.is_some_and(|known| known.crm) {
        for (holds, name, kind, more) in [
            ("crm_type", "type", "Data", json!({})),
            ("crm_from", "from", "Data", json!({})),
            ("crm_to", "to", "Data", json!({})),
            ("crm_message", "message", "Long Text", json!({"ignore_xss_filter": 1})),
            ("crm_content_type", "content_type", "Data", json!({})),
            ("", "reference_doctype", "Link", json!({"options": "DocType"})),
            ("", "reference_name", "Dynamic Link", json!({"options": "reference_doctype"})),
        ] {
            if target.is_none_or(|target| target.slot(holds).is_none()) {
                steps.push(custom_field(&doctype, name, kind, "content", more));
            }
        }
    }
    steps
}

fn property(doctype: &str, field: &str, property: &str, kind: &str, value: &str) -> Step {
    Step {
        says: format!("set {property} of the field {field} of {doctype}"),
        look: Some(resource("Property Setter", Some(&format!("{doctype}-{field}-{property}")))),
        method: "POST",
        path: resource("Property Setter", None),
        body: json!({
            "doctype_or_field": "DocField", "doc_type": doctype, "field_name": field, "property": property,
            "property_type": kind, "value": value,
        }),
        shows: None,
    }
}

/// The least that the role needs on DocTypes that are not the hub's own. The permission manager keeps the rows that are
/// there; a row made by itself would take the place of all of them.
fn rights(settings: &Settings, role: &str) -> Vec<Step> {
    let mut wanted: Vec<(String, &[&str])> = Vec::new();
    if let Some(doctype) = Kind::Call.doctype(settings) {
        wanted.push((doctype, &["read", "write", "create"]));
    }
    if settings.whatsapp == WhatsApp::Existing {
        for kind in [Kind::Session, Kind::Contact, Kind::Conversation, Kind::Message] {
            wanted.extend(kind.doctype(settings).map(|doctype| (doctype, ["read", "write", "create"].as_slice())));
        }
    }
    if settings.link {
        wanted.push(("Contact".into(), &["read"]));
    }
    if settings.popup == Popup::Notification {
        wanted.push(("CRM Notification".into(), &["read", "create"]));
    }
    let manager = |what: &str| format!("/api/method/frappe.core.page.permission_manager.permission_manager.{what}");
    let mut steps = Vec::new();
    for (doctype, rights) in wanted {
        steps.push(Step {
            says: format!("let {role} read {doctype}"),
            look: None,
            method: "POST",
            path: manager("add"),
            body: json!({"parent": doctype, "role": role, "permlevel": 0}),
            shows: None,
        });
        for right in rights.iter().filter(|right| **right != "read") {
            steps.push(Step {
                says: format!("let {role} {right} {doctype}"),
                look: None,
                method: "POST",
                path: manager("update"),
                body: json!({"doctype": doctype, "role": role, "permlevel": 0, "ptype": right, "value": 1}),
                shows: None,
            });
        }
    }
    steps
}

fn bot(user: &str, role: &str) -> Vec<Step> {
    vec![
        Step {
            says: format!("make the user {user}, with the role {role} alone"),
            look: Some(resource("User", Some(user))),
            method: "POST",
            path: resource("User", None),
            body: json!({
                "email": user, "first_name": "Hub", "send_welcome_email": 0, "user_type": "System User",
                "roles": [{"role": role}],
            }),
            shows: None,
        },
        Step {
            says: format!("make a key pair for {user}; one that it has stops working"),
            look: None,
            method: "POST",
            path: "/api/method/frappe.core.doctype.user.user.generate_keys".into(),
            body: json!({ "user": user }),
            shows: Some("/message/api_secret"),
        },
    ]
}

/// What people want sent is told to the hub. The hub's own writing has a key, and is not told.
fn webhook(settings: &Settings, endpoint: &str) -> Option<Step> {
    let doctype = Kind::Message.doctype(settings)?;
    let members = [
        "session",
        "conversation",
        "chat_id",
        "to_number",
        "content",
        "direction",
        "status",
        "message_key",
        "message_id",
        "quoted_message",
        "attachment",
        "media_type",
        "file_name",
    ];
    let mut template = String::from("{\"event\": \"message.send\", \"doctype\": {{ doc.doctype | tojson }}, ");
    template.push_str("\"name\": {{ doc.name | tojson }}");
    let to = "\"to\": {{ (doc.get('to_number') or doc.get('chat_id') or doc.get('conversation')) | tojson }}";
    template.push_str(&format!(", {to}"));
    for member in members.iter().filter(|member| **member != "to_number") {
        template.push_str(&format!(", \"{member}\": {{{{ doc.get('{member}') | tojson }}}}"));
    }
    template.push('}');
    let name = format!("{doctype} to the hub");
    Some(Step {
        says: format!("tell the hub of each new {doctype} that is to be sent"),
        look: Some(resource("Webhook", Some(&name))),
        method: "POST",
        path: resource("Webhook", None),
        body: json!({
            "name": name, "webhook_doctype": doctype, "webhook_docevent": "after_insert",
            "condition": "doc.direction == 'Outgoing' and doc.status == 'Pending' and not doc.get('message_key') \
                          and not doc.get('message_id')",
            "request_url": endpoint, "request_method": "POST", "request_structure": "JSON", "webhook_json": template,
            "webhook_headers": [{"key": "Content-Type", "value": "application/json"}],
            "enable_security": 1, "webhook_secret": "{webhook_secret}", "timeout": 5, "enabled": 1,
        }),
        shows: None,
    })
}
