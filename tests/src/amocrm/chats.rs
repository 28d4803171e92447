//! The chat service: every request signed, every message once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use serde_json::{Value, json};
use sha1::Sha1;

use super::query::one;
use super::refusal::Answer;
use super::world::{BOT, CHANNEL, CHANNEL_SECRET, World};

/// How far the clocks may be apart.
const SKEW: Duration = Duration::from_secs(15 * 60);

/// Messages of one page of a history, at most.
const PAGE: usize = 50;

/// Characters of a source's id.
const SOURCE: usize = 40;

/// One conversation.
#[derive(Debug, Clone, Default)]
pub struct Chat {
    /// Its id in the service.
    pub id: String,
    /// The client's id in the service.
    pub client: String,
    /// Messages, oldest first, as the history shows them.
    pub messages: Vec<Value>,
    /// How far messages written here have come: id and code.
    pub statuses: Vec<(String, i64)>,
}

/// What the service posts to the integration.
#[derive(Debug, Clone)]
pub struct Hook {
    /// The body.
    pub body: Vec<u8>,
    /// `X-Signature`.
    pub signature: String,
}

/// The headers that sign a request.
#[derive(Debug, Default)]
pub(super) struct Signed<'a> {
    pub date: &'a str,
    pub kind: &'a str,
    pub digest: &'a str,
    pub signature: &'a str,
}

impl Signed<'_> {
    fn proves(&self, method: &str, path: &str, body: &[u8], now: SystemTime) -> bool {
        if hex::encode(Md5::digest(body)) != self.digest {
            return false;
        }
        let date = jiff::fmt::rfc2822::parse(self.date).ok().map(|date| date.timestamp().as_second());
        let now = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let near =
            date.and_then(|date| u64::try_from(date).ok()).is_some_and(|date| date.abs_diff(now) < SKEW.as_secs());
        let signed = format!("{method}\n{}\n{}\n{}\n{path}", self.digest, self.kind, self.date);
        near && sign(signed.as_bytes()) == self.signature
    }
}

fn sign(bytes: &[u8]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(CHANNEL_SECRET.as_bytes()).expect("a key of any length");
    mac.update(bytes);
    hex::encode(mac.finalize().into_bytes())
}

fn refused(status: u16, kind: &str, why: &str) -> Answer {
    (status, json!({"status": 0, "error_code": status, "error_type": kind, "error_description": why}))
}

impl World {
    /// Answers a request to the service; the path without its query.
    pub(super) fn chat(
        &mut self,
        method: &str,
        path: &str,
        query: &[(String, String)],
        signed: &Signed,
        bytes: &[u8],
    ) -> Answer {
        if !signed.proves(method, path, bytes, SystemTime::now()) {
            return refused(403, "ORIGIN_INVALID_SIGNATURE", "Invalid signature");
        }
        let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let parts: Vec<&str> = path.trim_start_matches("/v2/origin/custom/").split('/').collect();
        let scope = format!("{CHANNEL}_{}", self.amojo);
        if !parts[0].starts_with(CHANNEL) {
            return refused(404, "ORIGIN_NOT_REGISTERED", "The channel is not registered");
        }
        match (method, &parts[1..]) {
            ("POST", ["connect"]) if body["account_id"] == self.amojo.as_str() => {
                self.connected = true;
                (
                    200,
                    json!({"account_id": self.amojo, "scope_id": scope, "title": body["title"], "hook_api_version": "v2"}),
                )
            }
            ("POST", ["connect"]) => refused(403, "ACCOUNT_NOT_ALLOWED", "The channel is not for this account"),
            _ if parts[0] != scope || !self.connected => {
                refused(404, "SCOPE_NOT_FOUND", "The channel is not connected")
            }
            ("POST", ["chats"]) => {
                let user = &body["user"];
                let (Some(conversation), true, true) =
                    (body["conversation_id"].as_str(), user["id"].is_string(), user["name"].is_string())
                else {
                    return refused(400, "VALIDATION", "conversation_id, user.id and user.name are needed");
                };
                let chat = self.chat_of(conversation);
                (
                    200,
                    json!({"id": chat.id, "user": {"id": chat.client, "client_id": body["user"]["id"], "name": body["user"]["name"]}}),
                )
            }
            ("POST", []) if body["event_type"] == "new_message" && body["payload"]["sender"].is_null() => {
                refused(400, "VALIDATION", "The sender is needed")
            }
            ("POST", []) => self.message(&body),
            ("GET", ["chats", id, "history"]) => {
                let number = |name: &str| one(query, name).map_or(Ok(0), str::parse::<usize>);
                let (Ok(limit), Ok(offset)) = (number("limit"), number("offset")) else {
                    return refused(400, "VALIDATION", "limit and offset are numbers");
                };
                if limit > PAGE {
                    return refused(400, "VALIDATION", "limit is 50 at most");
                }
                let limit = if limit == 0 { PAGE } else { limit };
                let chat = self.chats.values().find(|chat| chat.id == *id);
                let newest = chat.into_iter().flat_map(|chat| chat.messages.iter().rev());
                let messages: Vec<Value> = newest.skip(offset).take(limit).cloned().collect();
                if messages.is_empty() { (204, Value::Null) } else { (200, json!({"messages": messages})) }
            }
            ("POST", [id, "delivery_status"]) => {
                let told = body["delivery_status"].as_i64().or(body["status_code"].as_i64());
                let Some(told) = told else { return refused(400, "VALIDATION", "There is no status") };
                let of = |chat: &&mut Chat| chat.messages.iter().any(|one| one["message"]["id"] == *id);
                match self.chats.values_mut().find(of) {
                    Some(chat) => {
                        chat.statuses.push(((*id).to_owned(), told));
                        (200, Value::Null)
                    }
                    None => refused(404, "MESSAGE_NOT_FOUND", "There is no such message"),
                }
            }
            _ => refused(404, "NOT_FOUND", "There is no such method"),
        }
    }

    fn chat_of(&mut self, conversation: &str) -> &mut Chat {
        if !self.chats.contains_key(conversation) {
            let (id, client) = (self.id(), self.id());
            let chat = Chat { id: format!("chat-{id}"), client: format!("client-{client}"), ..Chat::default() };
            self.chats.insert(conversation.to_owned(), chat);
        }
        self.chats.get_mut(conversation).expect("it is there now")
    }

    fn message(&mut self, body: &Value) -> Answer {
        let payload = &body["payload"];
        let (msgid, conversation) = (payload["msgid"].as_str(), payload["conversation_id"].as_str());
        let (Some(msgid), Some(conversation)) = (msgid, conversation) else {
            return refused(400, "VALIDATION", "msgid and conversation_id are needed");
        };
        if let Some(wrong) = self.misfit(payload) {
            return refused(400, "VALIDATION", wrong);
        }
        let content = payload["message"].clone();
        let text = content["text"].as_str().is_some_and(|text| !text.is_empty());
        let file = content["media"].is_string() && content["file_name"].is_string() && content["file_size"].is_u64();
        let right = match content["type"].as_str() {
            Some("text") => text,
            Some("picture" | "video" | "file") => file,
            Some("voice" | "audio") => content["media"].is_string(),
            Some("location" | "contact" | "sticker") => true,
            _ => false,
        };
        if !right {
            return refused(400, "VALIDATION", "The message is not complete");
        }
        let id = format!("message-{}", self.id());
        let chat = self.chat_of(conversation);
        let known = chat.messages.iter_mut().find(|one| one["message"]["client_id"] == msgid);
        match (body["event_type"].as_str(), known) {
            (Some("edit_message"), Some(known)) => {
                known["message"]["text"] = content["text"].clone();
                known["edited"] = json!(true);
                let id = known["message"]["id"].clone();
                (200, json!({"new_message": {"conversation_id": conversation, "msgid": id, "ref_id": msgid}}))
            }
            (Some("edit_message"), None) => refused(404, "MESSAGE_NOT_FOUND", "There is no such message"),
            (Some("new_message"), Some(_)) => refused(400, "MESSAGE_EXISTS", "The message has been added already"),
            (Some("new_message"), None) => {
                let mut content = content;
                content["id"] = json!(id);
                content["client_id"] = json!(msgid);
                chat.messages.push(json!({"timestamp": payload["timestamp"], "sender": {"id": "x",
                    "client_id": payload["sender"]["id"], "name": payload["sender"]["name"],
                    "phone": payload["sender"]["profile"]["phone"], "ref_id": payload["sender"]["ref_id"]},
                    "silent": payload["silent"], "source": payload["source"], "message": content}));
                (200, json!({"new_message": {"conversation_id": conversation, "msgid": id, "ref_id": msgid}}))
            }
            _ => refused(400, "VALIDATION", "The event is not known"),
        }
    }

    /// What is wrong with who writes to whom, where and when.
    fn misfit(&self, payload: &Value) -> Option<&'static str> {
        let named = |who: &Value| who["id"].is_string() && who["name"].is_string();
        if !payload["timestamp"].is_u64() || !payload["msec_timestamp"].is_u64() {
            return Some("timestamp and msec_timestamp are needed");
        }
        let source = &payload["source"]["external_id"];
        if source.as_str().is_some_and(|id| id.len() > SOURCE || !id.bytes().all(|byte| byte.is_ascii_graphic())) {
            return Some("source.external_id is 40 printable characters at most");
        }
        // An edit says neither.
        if payload["sender"].is_null() && payload["receiver"].is_null() {
            return None;
        }
        if !named(&payload["sender"]) || !(payload["receiver"].is_null() || named(&payload["receiver"])) {
            return Some("sender and receiver have an id and a name");
        }
        let own = &payload["sender"]["ref_id"];
        let known = *own == BOT || own.is_string() && self.users.iter().any(|user| user["amojo_id"] == *own);
        (payload["receiver"].is_object() && !known).then_some("The sender is neither a user nor the channel's bot")
    }

    /// A user writes in a chat: it stands there, and the service posts it to the integration.
    pub fn write(&mut self, conversation: &str, text: &str) -> Hook {
        let id = format!("message-{}", self.id());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (account, user) = (self.amojo.clone(), self.users[0]["amojo_id"].clone());
        let chat = self.chat_of(conversation);
        let content = json!({"id": id, "type": "text", "text": text, "media": "", "file_name": "", "file_size": 0});
        // As the vendor's example of a history has it: with an id that no integration has given.
        let mut shown = content.clone();
        shown["client_id"] = json!(format!("skm-{id}"));
        chat.messages.push(json!({"timestamp": now, "sender": {"id": user, "name": "Anna"},
            "receiver": {"id": chat.client, "client_id": conversation, "name": "Client"}, "message": shown}));
        let body = json!({"account_id": account, "time": now, "message": {
            "receiver": {"id": chat.client, "client_id": conversation, "phone": "79990001122"},
            "sender": {"id": user}, "conversation": {"id": chat.id, "client_id": conversation},
            "source": {"external_id": ""}, "timestamp": now, "msec_timestamp": now * 1000, "message": content}});
        Hook::of(&body)
    }
}

impl Hook {
    /// A body of one's own, signed.
    pub fn of(body: &Value) -> Self {
        let body = body.to_string().into_bytes();
        Self { signature: sign(&body), body }
    }
}
