//! DocTypes of the hub's own, and fields and properties of those of others.

use cordboard_sdk::serde_json::{Value, json};

use super::Wanted;
use crate::known::Known;
use crate::preset::Kind;
use crate::settings::{Calls, Settings};

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

/// A DocType of the hub's own. `agents`: whether those who sell with Frappe CRM are to work with it.
pub fn own(settings: &Settings, kind: Kind, doctype: &str, role: &str, agents: bool) -> Wanted {
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
    let names: Vec<&str> = fields.iter().filter_map(|field| field["fieldname"].as_str()).collect();
    let details = vec![format!("fields: {}", names.join(", ")), format!("{role} may read, write and create")];
    let body = json!({
        "name": doctype, "module": "Custom", "custom": 1, "autoname": autoname, "naming_rule": naming,
        "track_changes": 0, "fields": fields, "permissions": permissions,
    });
    Wanted { details, ..Wanted::new(format!("make the DocType {doctype}"), "DocType", doctype, body) }
}

fn custom_field(doctype: &str, name: &str, kind: &str, after: &str, more: Value) -> Wanted {
    let mut body = field(name, kind, more);
    body["dt"] = json!(doctype);
    body["insert_after"] = json!(after);
    let says = format!("add the field {name} to {doctype}");
    Wanted::new(says, "Custom Field", &format!("{doctype}-{name}"), body)
}

/// What the stock call logs have no place for.
pub fn call_fields(settings: &Settings, known: &Known) -> Vec<Wanted> {
    // On a site without it there is nothing to add to.
    let Some(target) = known.targets.get(&Kind::Call).filter(|_| settings.calls != Calls::Own) else { return vec![] };
    let doctype = &target.doctype;
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
    .filter(|(holds, ..)| target.slot(holds).is_none())
    .map(|(_, name, kind, after)| custom_field(doctype, name, kind, after, read_only.clone()))
    .collect()
}

/// Another app's messages: its text is to be left alone, and what Frappe CRM reads of it has to be there.
pub fn existing_message(known: &Known) -> Vec<Wanted> {
    let Some(target) = known.targets.get(&Kind::Message) else { return vec![] };
    let doctype = &target.doctype;
    let mut steps = Vec::new();
    if let Some(content) = target.slot("content").filter(|slot| !slot.raw) {
        steps.push(property(doctype, &content.name, "ignore_xss_filter", "Check", "1"));
    }
    if doctype == "WhatsApp Message" && known.crm {
        for (holds, name, kind, more) in [
            ("crm_type", "type", "Data", json!({})),
            ("crm_from", "from", "Data", json!({})),
            ("crm_to", "to", "Data", json!({})),
            ("crm_message", "message", "Long Text", json!({"ignore_xss_filter": 1})),
            ("crm_content_type", "content_type", "Data", json!({})),
            ("", "reference_doctype", "Link", json!({"options": "DocType"})),
            ("", "reference_name", "Dynamic Link", json!({"options": "reference_doctype"})),
        ] {
            if target.slot(holds).is_none() {
                steps.push(custom_field(doctype, name, kind, "content", more));
            }
        }
    }
    steps
}

fn property(doctype: &str, field: &str, property: &str, kind: &str, value: &str) -> Wanted {
    let says = format!("set {property} of the field {field} of {doctype}");
    let body = json!({
        "doctype_or_field": "DocField", "doc_type": doctype, "field_name": field, "property": property,
        "property_type": kind, "value": value,
    });
    Wanted::new(says, "Property Setter", &format!("{doctype}-{field}-{property}"), body)
}
