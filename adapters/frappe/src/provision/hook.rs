//! The webhook by which a site tells of what is to be sent.

use cordboard_sdk::serde_json::json;

use super::{SECRET, Wanted};
use crate::preset::Kind;
use crate::settings::Settings;

/// What people want sent is told to the hub. The hub's own writing has a key, and is not told.
pub fn webhook(settings: &Settings, endpoint: &str) -> Option<Wanted> {
    let doctype = Kind::Message.doctype(settings)?;
    let url = format!("{endpoint}/message");
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
    for member in members {
        template.push_str(&format!(", \"{member}\": {{{{ doc.get('{member}') | tojson }}}}"));
    }
    template.push('}');
    let name = format!("{doctype} to the hub");
    let condition = "doc.direction == 'Outgoing' and doc.status == 'Pending' and not doc.get('message_key') and not \
                     doc.get('message_id')";
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
