//! What is answered in amoCRM's chats. The service tells it once, and never again: it is proved, made a command, and
//! answered at once.

use cordboard_sdk::Host;
use cordboard_sdk::abilities::Answer;
use cordboard_sdk::serde_json::{self, Value, json};
use cordboard_sdk::vocabulary::{Command, Incoming, Reply};

use super::carry::{arguments, session_of};
use super::line::proves;
use super::message::{COMMAND, address};
use crate::session::Session;
use crate::settings::{Chat, Settings};

/// Bytes of a text, at most: the hub's own limit for a command, less the rest of it.
const TEXT: usize = 60_000;

/// Bytes of an id.
const ID: usize = 150;

/// Takes one hook.
pub fn handle(host: &dyn Host, settings: &Settings, request: &Incoming) -> Answer {
    let Some(chat) = &settings.chat else {
        return Reply::json(404, &json!({"error": "no chat is set up: the setting `chat`"})).into();
    };
    if !proves(&chat.secret, &request.body, request.header("x-signature").unwrap_or_default()) {
        return Reply::json(401, &json!({"error": "the signature is missing or wrong"})).into();
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    // A channel may serve several accounts, with one secret and one address.
    let own = host.grant().and_then(|grant| Session::read(&grant.token)).map(|session| session.account.amojo);
    if let (Some(own), Some(told)) = (own.filter(|id| !id.is_empty()), body["account_id"].as_str())
        && own != told
    {
        return Reply::json(403, &json!({"error": "the message is another account's"})).into();
    }
    match command(chat, &body["message"]) {
        Ok(Some(command)) => Answer { commands: vec![command], ..Reply::json(200, &json!({})).into() },
        // Typing, reactions, and what a later version may tell.
        Ok(None) => Reply::json(200, &json!({})).into(),
        Err(why) => {
            host.error(format!("a message that was written in amoCRM cannot be sent: {why}"));
            Reply::json(200, &json!({"error": why})).into()
        }
    }
}

/// What is to be sent; nothing when it is no message.
fn command(chat: &Chat, told: &Value) -> Result<Option<Command>, String> {
    if !told.is_object() {
        return Ok(None);
    }
    let content = &told["message"];
    let id = content["id"].as_str().filter(|id| !id.is_empty() && id.len() <= ID && !id.contains(char::is_control));
    let id = id.ok_or("it has no id")?;
    let (session, to) = recipient(chat, told)?;
    let mut arguments = arguments(&session, &to);
    let text = words(content)?;
    match content["media"].as_str().filter(|link| !link.is_empty()) {
        Some(link) => arguments["media"] = media(link, content, &text)?,
        None if text.trim().is_empty() => return Err("there is neither a text nor a file in it".into()),
        None => arguments["text"] = json!(text),
    }
    let quoted =
        content["reply_to"]["message"]["msgid"].as_str().or(content["reply_to"]["message"]["client_id"].as_str());
    if let Some(quoted) = quoted {
        arguments["quotes"] = json!(quoted);
    }
    let arguments = arguments.to_string();
    Ok(Some(Command { id: format!("{COMMAND}{id}"), name: "message.send".into(), agent: None, arguments }))
}

/// By which account, and to whom: the conversation says both; one that begins over there has a number only.
fn recipient(chat: &Chat, told: &Value) -> Result<(String, String), String> {
    let conversation = told["conversation"]["client_id"].as_str().unwrap_or_default();
    if let Some((session, to)) = address(conversation) {
        return Ok((session.to_owned(), to.to_owned()));
    }
    let source = told["source"]["external_id"].as_str().unwrap_or_default();
    let only = || chat.sources.keys().next().filter(|_| chat.sources.len() == 1).map(String::as_str);
    let session = session_of(chat, source).or(chat.session.as_deref()).or_else(only);
    let session = session.ok_or("nothing says by which account it is to be sent: set `chat.session`")?;
    let phone = told["receiver"]["phone"].as_str().unwrap_or_default();
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return Err("it has neither a conversation nor a number".into());
    }
    Ok((session.to_owned(), format!("+{digits}")))
}

/// The text, and below it the buttons, which WhatsApp has no form for.
fn words(content: &Value) -> Result<String, String> {
    let mut text = content["text"].as_str().unwrap_or_default().to_owned();
    let rows = content["markup"]["buttons"].as_array().into_iter().flatten();
    for button in rows.flat_map(|row| row.as_array().into_iter().flatten()) {
        let label = button["text"].as_str().unwrap_or_default();
        let link = button["url"].as_str().map(|link| format!(": {link}")).unwrap_or_default();
        text.push_str(&format!("\n— {label}{link}"));
    }
    if text.len() > TEXT {
        return Err(format!("its text has {} bytes, and {TEXT} are the most", text.len()));
    }
    // A command takes line breaks, and no other control characters.
    Ok(text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect())
}

fn media(link: &str, content: &Value, caption: &str) -> Result<Value, String> {
    if !link.starts_with("https://") && !link.starts_with("http://") {
        return Err("its file has no link".into());
    }
    let (kind, media_type) = match content["type"].as_str().unwrap_or_default() {
        "picture" | "sticker" => ("image", Some("image/jpeg")),
        "video" => ("video", Some("video/mp4")),
        "voice" => ("voice", Some("audio/ogg")),
        "audio" => ("audio", Some("audio/mpeg")),
        _ => ("document", None),
    };
    let mut media = json!({"url": link, "kind": kind});
    if let Some(media_type) = media_type {
        media["media-type"] = json!(media_type);
    }
    if let Some(name) = content["file_name"].as_str().filter(|name| !name.is_empty()) {
        media["file-name"] = json!(name.chars().filter(|c| !c.is_control()).take(200).collect::<String>());
    }
    if !caption.trim().is_empty() {
        media["caption"] = json!(caption);
    }
    Ok(media)
}
