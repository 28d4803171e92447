//! The webhook by which a site tells of what is to be sent.

use cordboard_sdk::serde_json::json;

use super::{SECRET, Wanted};
use crate::known::{Known, Target};
use crate::preset::Kind;
use crate::settings::Settings;
use crate::status;

/// What is told of a document: the member, and the logical field that it is read from.
const MEMBERS: [(&str, &str); 13] = [
    ("session", "session"),
    ("conversation", "conversation"),
    ("chat_id", "chat_id"),
    ("to_number", "to_number"),
    ("content", "content"),
    ("direction", "message_direction"),
    ("status", "message_status"),
    ("message_key", "message_key"),
    ("message_id", "message_id"),
    ("quoted_message", "quotes"),
    ("attachment", "attachment"),
    ("media_type", "media_type"),
    ("file_name", "file_name"),
];

/// What people want sent is told to the hub. The hub's own writing has a key, and is not told.
pub fn webhook(settings: &Settings, known: &Known, endpoint: &str) -> Option<Wanted> {
    let doctype = Kind::Message.doctype(settings)?;
    let target = known.targets.get(&Kind::Message);
    let field = |member: &str| {
        let holds = MEMBERS.iter().find(|(name, _)| *name == member).map_or(member, |(_, holds)| holds);
        target.and_then(|target| target.slot(holds)).map_or_else(|| member.to_owned(), |slot| slot.name.clone())
    };
    let url = format!("{endpoint}/message");
    let mut template = String::from("{\"event\": \"message.send\", \"doctype\": {{ doc.doctype | tojson }}, ");
    template.push_str("\"name\": {{ doc.name | tojson }}");
    for (member, _) in MEMBERS {
        let value = looked_up(target, known, member).unwrap_or_else(|| format!("doc.get('{}')", field(member)));
        template.push_str(&format!(", \"{member}\": {{{{ {value} | tojson }}}}"));
    }
    template.push('}');
    let name = format!("{doctype} to the hub");
    let waiting = status::words(settings, Kind::Message, "queued").first().cloned().unwrap_or_default();
    let mut ids = vec![field("message_key"), field("message_id")];
    ids.dedup();
    let unsent: Vec<String> = ids.iter().map(|id| format!("not doc.get('{id}')")).collect();
    let condition = format!(
        "doc.{} == 'Outgoing' and doc.{} == '{}' and {}",
        field("direction"),
        field("status"),
        waiting.replace(['\\', '\''], ""),
        unsent.join(" and "),
    );
    let body = json!({
        "name": name, "webhook_doctype": doctype, "webhook_docevent": "after_insert", "condition": condition,
        "request_url": url, "request_method": "POST", "request_structure": "JSON", "webhook_json": template,
        "webhook_headers": [{"key": "Content-Type", "value": "application/json"}],
        "enable_security": 1, "webhook_secret": SECRET, "timeout": 5, "enabled": 1,
    });
    let says = format!("tell the hub of each new {doctype} that is to be sent");
    let details = vec![format!("to {url}"), "signed with `webhook_secret`".to_owned(), format!("when {condition}")];
    Some(Wanted { details, ..Wanted::new(says, "Webhook", &name, body) })
}

/// What a message does not have itself: the id of a session whose document is called otherwise, and its conversation's
/// chat.
fn looked_up(target: Option<&Target>, known: &Known, member: &str) -> Option<String> {
    let target = target?;
    let (link, parent) = match member {
        "session" => ("session", known.targets.get(&Kind::Session).filter(|session| !session.named)?),
        "chat_id" if target.slot("chat_id").is_none() => ("conversation", known.targets.get(&Kind::Conversation)?),
        _ => return None,
    };
    let link = target.slot(link).filter(|slot| slot.links_to(&parent.doctype))?;
    let wanted = parent.slot(if member == "session" { "session_id" } else { "chat_id" })?;
    let doctype = parent.doctype.replace(['\\', '\''], "");
    let name = format!("doc.get('{}')", link.name);
    // Of no document in particular Frappe would give any one's.
    Some(format!("(frappe.db.get_value('{doctype}', {name}, '{}') if {name} else none)", wanted.name))
}
