//! What the site sends: a document that is to be sent as a message.
//!
//! Nothing is asked of anybody here: the site gives up after five seconds, and what it gave up is lost.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cordboard_sdk::Host;
use cordboard_sdk::abilities::Answer;
use cordboard_sdk::serde_json::{self, Map, Value, json};
use cordboard_sdk::vocabulary::{Command, Incoming, Reply};
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

use crate::preset::Kind;
use crate::settings::Settings;
use crate::status;
use crate::whatsapp;

/// Bytes of a text, at most: the hub's own limit for a command, less the rest of it.
const TEXT: usize = 60_000;

/// Bytes of a command's id.
const ID: usize = 150;

/// Bytes of any other member.
const WORD: usize = 255;

/// The header in which Frappe signs the body as it is sent.
const SIGNATURE: &str = "x-frappe-webhook-signature";

/// Answers one request of the site.
pub fn handle(host: &dyn Host, request: &Incoming) -> Answer {
    match taken(host, request) {
        Ok(answer) => answer,
        Err(refused) => refused.into(),
    }
}

fn taken(host: &dyn Host, request: &Incoming) -> Result<Answer, Reply> {
    let settings: Settings =
        host.settings_as().map_err(|_| refusal(500, "the settings of this sink cannot be read"))?;
    let path = request.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    if path != "message" {
        return Err(refusal(404, "there is `message` here"));
    }
    if request.method != "POST" {
        return Err(refusal(405, "only POST is taken here"));
    }
    prove(&settings, request)?;
    let body = match serde_json::from_slice::<Value>(&request.body) {
        Ok(Value::Object(body)) => body,
        _ => return Err(refusal(422, "the body is no JSON object")),
    };
    message(&settings, &body)
}

/// The signature is over the bytes as they came. There is no time in it: what was sent once is known by its document.
fn prove(settings: &Settings, request: &Incoming) -> Result<(), Reply> {
    let secrets = [&settings.webhook_secret, &settings.webhook_secret_before];
    let secrets: Vec<&String> = secrets.into_iter().flatten().filter(|secret| !secret.is_empty()).collect();
    if secrets.is_empty() {
        return Err(refusal(403, "nothing is taken from the site: `webhook_secret` is not set"));
    }
    let signature = request.header(SIGNATURE).and_then(|text| STANDARD.decode(text.trim()).ok()).unwrap_or_default();
    let proves = |secret: &&String| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
        mac.update(&request.body);
        mac.verify_slice(&signature).is_ok()
    };
    match secrets.iter().any(proves) {
        true => Ok(()),
        false => Err(refusal(401, "the signature is missing or wrong: is it the same secret on both sides?")),
    }
}

/// A document that is to be sent.
fn message(settings: &Settings, body: &Map<String, Value>) -> Result<Answer, Reply> {
    let ignored = |why: &str| Ok(Reply::json(200, &json!({ "ignored": why })).into());
    let direction = text(body, &["direction", "type"])?;
    if !direction.is_empty() && !direction.eq_ignore_ascii_case("outgoing") {
        return ignored("the document is not outgoing");
    }
    // The hub's own writing comes back as a webhook too.
    let again = text(body, &["again"])?;
    if again.is_empty() && !text(body, &["message_key", "message_id"])?.is_empty() {
        return ignored("the document has been sent: it has the id of a message");
    }
    let state = text(body, &["status"])?;
    let waiting = status::words(settings, Kind::Message, "queued");
    if again.is_empty() && !state.is_empty() && !waiting.iter().any(|word| word.eq_ignore_ascii_case(&state)) {
        return ignored("the document does not wait to be sent");
    }
    let named = text(body, &["doctype"])?;
    let doctype = if named.is_empty() { Kind::Message.doctype(settings).unwrap_or_default() } else { named };
    let name = needed(body, &["name", "id"], "which document it is")?;
    let to = recipient(body)?;
    let conversation = text(body, &["conversation"])?;
    let session = match text(body, &["session"])? {
        session if session.is_empty() => {
            whatsapp::prefix(&to).or(whatsapp::prefix(&conversation)).unwrap_or_default().to_owned()
        }
        session => session,
    };
    if session.is_empty() {
        return Err(refusal(422, "`session` is missing: by which account it is to be sent"));
    }
    let mut arguments = json!({ "session": session, "to": whatsapp::bare(&to) });
    let words = words(body)?;
    match media(settings, body)? {
        Some(mut media) => {
            if !words.is_empty() {
                media["caption"] = json!(words);
            }
            arguments["media"] = media;
        }
        None if words.trim().is_empty() => {
            return Err(refusal(422, "there is neither `text` nor `attachment` to send"));
        }
        None => arguments["text"] = json!(words),
    }
    let quotes = text(body, &["quotes", "quoted_message"])?;
    if !quotes.is_empty() {
        arguments["quotes"] = json!(quotes);
    }
    let id = command_id(&doctype, &name, &again);
    let command =
        Command { id: id.clone(), name: "message.send".into(), agent: None, arguments: arguments.to_string() };
    let response = Reply::json(202, &json!({ "command": id }));
    Ok(Answer { commands: vec![command], ..response.into() })
}

/// To whom it goes. A number that somebody typed counts with its country alone: without it, it is somebody else's.
fn recipient(body: &Map<String, Value>) -> Result<String, Reply> {
    let number = text(body, &["to_number"])?;
    match text(body, &["to"])? {
        to if to.is_empty() && whatsapp::is_international(&number) => Ok(number),
        _ => needed(
            body,
            &["to", "chat_id", "conversation", "contact"],
            "to whom it goes (a `to_number` needs `+` and its country's code)",
        ),
    }
}

/// The same document is the same command, however often the site says it. `again` is for those who mean it.
fn command_id(doctype: &str, name: &str, again: &str) -> String {
    let id = if again.is_empty() { format!("{doctype}/{name}") } else { format!("{doctype}/{name}#{again}") };
    if id.len() <= ID && !id.contains(char::is_control) {
        return id;
    }
    format!("document/{}", hex::encode(Md5::digest(id.as_bytes())))
}

fn words(body: &Map<String, Value>) -> Result<String, Reply> {
    for name in ["text", "content", "message"] {
        match body.get(name) {
            Some(Value::String(words)) if words.len() > TEXT => {
                return Err(refusal(422, format!("`{name}` has {} bytes, and {TEXT} are the most", words.len())));
            }
            Some(Value::String(words)) => return Ok(words.clone()),
            None | Some(Value::Null) => {}
            Some(_) => return Err(refusal(422, format!("`{name}` is no text"))),
        }
    }
    Ok(String::new())
}

/// The file to send. A private file is for those who are logged in to the site: the provider is not.
fn media(settings: &Settings, body: &Map<String, Value>) -> Result<Option<Value>, Reply> {
    let link = match body.get("attachment").or_else(|| body.get("media_url")) {
        Some(Value::String(link)) => link.trim(),
        None | Some(Value::Null) => "",
        Some(_) => return Err(refusal(422, "`attachment` is no link")),
    };
    let url = match link {
        "" => return Ok(None),
        link if link.starts_with("https://") || link.starts_with("http://") => link.to_owned(),
        link if link.starts_with("/files/") => format!("{}{link}", settings.site()),
        _ => {
            return Err(refusal(
                422,
                "the attachment cannot be fetched from outside of the site: attach it as a public file, or give a link",
            ));
        }
    };
    let mut media = json!({ "url": url });
    for (member, name) in [("media-type", "media_type"), ("file-name", "file_name")] {
        let value = text(body, &[name])?;
        if !value.is_empty() {
            media[member] = json!(value);
        }
    }
    Ok(Some(media))
}

/// The first of these members that says something; numbers are names as well.
fn text(body: &Map<String, Value>, names: &[&str]) -> Result<String, Reply> {
    for name in names {
        let value = match body.get(*name) {
            Some(Value::String(text)) => text.trim().to_owned(),
            Some(Value::Number(number)) => number.to_string(),
            None | Some(Value::Null | Value::Bool(_)) => continue,
            Some(_) => return Err(refusal(422, format!("`{name}` is no text"))),
        };
        if value.len() > WORD || value.contains(char::is_control) {
            return Err(refusal(422, format!("`{name}` has more than {WORD} bytes, or control characters")));
        }
        if !value.is_empty() {
            return Ok(value);
        }
    }
    Ok(String::new())
}

fn needed(body: &Map<String, Value>, names: &[&str], what: &str) -> Result<String, Reply> {
    match text(body, names)? {
        value if value.is_empty() => Err(refusal(422, format!("`{}` is missing: {what}", names[0]))),
        value => Ok(value),
    }
}

fn refusal(status: u16, why: impl Into<String>) -> Reply {
    Reply::json(status, &json!({ "error": why.into() }))
}
