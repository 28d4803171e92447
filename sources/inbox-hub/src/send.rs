//! Sending a message, once. The server knows no key by which a repeated request could be told from a new one: so what
//! may have been sent is not sent again before its chat has been looked through.

use cordboard_sdk::http::{Multipart, Request, encode};
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};

use crate::address::Address;
use crate::api::{Api, PAGE};
use crate::arguments::{Arguments, bad};
use crate::fit;
use crate::key::{self, Key};
use crate::look;
use crate::person::Person;
use crate::refusal::Refusal;

/// The most characters that the server takes.
const TEXT: usize = 4096;
/// Bytes of a file that is uploaded.
const FILE: u64 = 50 << 20;
/// Pages of a chat that are looked through.
const PAGES: u32 = 3;
/// How long after the first try a chat can be relied upon to show the message.
const SETTLED: u64 = 30_000;
/// How far the server's clock may be behind.
const SKEW: u64 = 60_000;

/// What is to be sent.
struct Outgoing {
    to: Address,
    /// The text or the caption, by which it is found again.
    text: Option<String>,
    media: Option<Attachment>,
}

struct Attachment {
    kind: &'static str,
    url: String,
    media_type: Option<String>,
    file_name: Option<String>,
}

/// Carries `message.send` out, and notes what is known of the message by it: what it says and to whom, and under which
/// command it was sent, or why not. Not every server tells of messages that it was asked to send.
pub fn send(
    host: &dyn Host,
    api: &Api<'_>,
    arguments: &Arguments,
    command: &str,
    seen: &mut Vec<Observation>,
) -> Result<CommandOutcome, Failure> {
    let session = arguments.session(api.plan)?;
    let outgoing = Outgoing::read(arguments, &session);
    let now = host.now();
    let attributes = vec![("command".to_owned(), command.to_owned())];
    let result = match &outgoing {
        Ok(outgoing) => taken(host, api, arguments, &session, outgoing),
        Err(failure) => Err(failure.clone()),
    };
    let of = |subject: String, record: Message| Observation { at: Some(now), ..Observation::of(subject, record) };
    match &result {
        Ok(CommandOutcome::Accepted(Some(subject))) => {
            let Ok(outgoing) = &outgoing else { return result };
            let message = outgoing.message(&session, subject);
            let record = Message { status: Some(MessageStatus::Sent), sent_at: Some(now), attributes, ..message };
            let last = LastMessage {
                id: Some(subject.clone()),
                preview: record.text.as_deref().map(fit::preview).unwrap_or_default(),
                at: now,
                outgoing: true,
            };
            seen.extend([of(subject.clone(), record), outgoing.conversation(&session, last)]);
        }
        Err(failure) => {
            let subject = key::unsent(&session, command);
            let message = match &outgoing {
                Ok(outgoing) => outgoing.message(&session, &subject),
                Err(_) => Message { text: arguments.text("text"), ..outbound() },
            };
            let error = Some(fit::line(failure.why()));
            seen.push(of(subject, Message { status: Some(MessageStatus::Failed), error, attributes, ..message }));
        }
        // What may have been sent the chat will show, or a webhook.
        Ok(_) => {}
    }
    result
}

fn taken(
    host: &dyn Host,
    api: &Api<'_>,
    arguments: &Arguments,
    session: &str,
    outgoing: &Outgoing,
) -> Result<CommandOutcome, Failure> {
    if let Some(since) = arguments.moment("since") {
        match find(api, session, outgoing, since)? {
            Found::Sent(id) => return Ok(CommandOutcome::Accepted(Some(key::message(session, &id)))),
            Found::Unclear(why) => return Ok(CommandOutcome::Unknown(why)),
            Found::Nothing if host.now().saturating_sub(since) < SETTLED => {
                let why = "the chat does not show it yet, and it may have been sent less than 30 s ago";
                return Ok(CommandOutcome::Unknown(why.to_owned()));
            }
            Found::Nothing => {}
        }
    }
    if arguments.has("quotes") {
        host.warn("the server has no published way to quote: the message is sent without its quotation");
    }
    let body = outgoing.body(host, api, session)?;
    match api.write("POST", &format!("/api/messages/{}/send", encode(session)), &body) {
        Ok(answer) => Ok(sent(session, &answer.data)),
        Err(Refusal::Uncertain(why)) => {
            Ok(CommandOutcome::Unknown(format!("{why}: it may have been sent; the chat will show it")))
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// What the server says of a message that it has taken: flat, or with the message inside.
fn sent(session: &str, data: &Value) -> CommandOutcome {
    let message = look::first(data, &["message"]).filter(|message| message.is_object()).unwrap_or(data);
    match Key::of(message).id {
        Some(id) => CommandOutcome::Accepted(Some(key::message(session, &id))),
        None => CommandOutcome::Unknown("the server says that it was sent, and not as which message".to_owned()),
    }
}

/// A message of ours, of which nothing else is known.
fn outbound() -> Message {
    Message {
        channel: Some("whatsapp".to_owned()),
        direction: Some(Direction::Outbound),
        kind: Some("text".to_owned()),
        origin: Some(Origin::Live),
        ..Message::default()
    }
}

impl Outgoing {
    /// The message as it is known here.
    fn message(&self, session: &str, subject: &str) -> Message {
        let media = self.media.iter().map(|media| Media {
            id: subject.rsplit(':').next().unwrap_or(subject).to_owned(),
            url: Some(media.url.clone()),
            media_type: media.media_type.clone(),
            file_name: media.file_name.clone(),
            ..Media::default()
        });
        Message {
            conversation: Some(key::place(session, &self.to.jid())),
            kind: Some(self.media.as_ref().map_or("text", |media| media.kind).to_owned()),
            recipient: Person::of(&self.to).map(|person| person.correspondent(None)),
            text: self.text.clone(),
            media: media.collect(),
            ..outbound()
        }
    }

    /// Its conversation, with this as the last message.
    fn conversation(&self, session: &str, last: LastMessage) -> Observation {
        let jid = self.to.jid();
        let person = Person::of(&self.to);
        let ids = person.as_ref().map(Person::identities);
        let record = Conversation {
            kind: Some(self.to.conversation().to_owned()),
            channel: Some("whatsapp".to_owned()),
            ids: ids.unwrap_or_else(|| vec![Identity { scheme: "jid".to_owned(), value: jid.clone() }]),
            contact: person.map(|person| key::place(session, &person.main())),
            last_message: Some(last.clone()),
            ..Conversation::default()
        };
        Observation { at: Some(last.at), ..Observation::of(key::place(session, &jid), record) }
    }

    fn read(arguments: &Arguments, session: &str) -> Result<Self, Failure> {
        let to = arguments.address("to", session)?;
        if matches!(to, Address::Status | Address::System(_)) {
            return Err(bad("`to`: messages are sent to people, groups and lists"));
        }
        let media = arguments.object("media").map(|media| Attachment::read(&media)).transpose()?;
        let text = match &media {
            Some(_) => arguments.object("media").and_then(|media| media.text("caption")).or(arguments.text("text")),
            None => Some(arguments.needed("text")?),
        };
        let length = text.as_ref().map_or(0, |text| text.chars().count());
        if length > TEXT {
            let why = format!("the text has {length} characters, and WhatsApp takes {TEXT}");
            return Err(Failure::rejected("text-too-long", why));
        }
        Ok(Self { to, text, media })
    }

    /// The body of the request; a file that the server cannot fetch is uploaded for it.
    fn body(&self, host: &dyn Host, api: &Api<'_>, session: &str) -> Result<Value, Failure> {
        let to = self.to.jid();
        let Some(media) = &self.media else {
            return Ok(json!({ "to": to, "message": self.text, "type": "text" }));
        };
        let url = match api.plan.settings.media {
            crate::settings::Media::Link => media.url.clone(),
            crate::settings::Media::Upload => upload(host, api, session, media)?,
        };
        let mut file = json!({ "url": url });
        if let Some(media_type) = &media.media_type {
            file["mimetype"] = media_type.as_str().into();
        }
        if let (Some(file_name), "document") = (&media.file_name, media.kind) {
            file["fileName"] = file_name.as_str().into();
        }
        // A voice message is a sound with a mark.
        let kind = if media.kind == "voice" { "audio" } else { media.kind };
        let mut message = json!({ kind: file });
        if let Some(caption) = &self.text {
            message["caption"] = caption.as_str().into();
        }
        if kind == "audio" {
            message["ptt"] = (media.kind == "voice").into();
        }
        Ok(json!({ "to": to, "message": message, "type": kind }))
    }
}

impl Attachment {
    fn read(media: &Arguments) -> Result<Self, Failure> {
        let url = media.needed("url")?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(bad("`media.url` is no link"));
        }
        let media_type = media.text("media-type");
        let kind = match media.text("kind").as_deref() {
            Some("image") => "image",
            Some("video") => "video",
            Some("audio") => "audio",
            Some("voice") => "voice",
            Some("document") => "document",
            Some(other) => return Err(bad(format!("`media.kind`: `{}` cannot be sent", other.escape_debug()))),
            None => match media_type.as_deref().and_then(|it| it.split('/').next()) {
                Some("image") => "image",
                Some("video") => "video",
                Some("audio") => "audio",
                _ => "document",
            },
        };
        let file_name = media.text("file-name").and_then(|name| fit::file_name(&name));
        Ok(Self { kind, url, media_type, file_name })
    }
}

/// Uploads a file, and gives its address at the server. Doing it twice leaves a file too many, and no message.
fn upload(host: &dyn Host, api: &Api<'_>, session: &str, media: &Attachment) -> Result<String, Failure> {
    let content = host.fetch(&media.url, FILE)?;
    let media_type = media.media_type.clone().or(content.media_type);
    let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
    let name = media.file_name.clone().unwrap_or_else(|| "file".to_owned());
    let parts = Multipart::new().file("file", name, media_type, content.bytes);
    let url = api.url(&format!("/api/media/sessions/{}/upload", encode(session)));
    let answer = api.send(Request::post(url).multipart(parts))?;
    look::text(&answer.data, &["url", "file.url"])
        .ok_or_else(|| Failure::retryable("the file was uploaded, and the server does not say where it is"))
}

enum Found {
    /// It was sent, as the message with this id.
    Sent(String),
    /// It was not.
    Nothing,
    /// The chat does not tell.
    Unclear(String),
}

/// Looks through a chat, newest first, for a message of ours with the same text that was written since.
fn find(api: &Api<'_>, session: &str, outgoing: &Outgoing, since: Instant) -> Result<Found, Failure> {
    let (path, query) = api.messages(session, &outgoing.to.jid());
    let earliest = since.saturating_sub(SKEW);
    for page in 1..=PAGES {
        let mut query = query.clone();
        query.extend([("page", page.to_string()), ("limit", PAGE.to_string())]);
        let listing = match api.page(&path, &["messages"], &query) {
            Ok(listing) => listing,
            // No chat yet: nothing was ever sent to it.
            Err(Refusal::Absent { code, .. }) if code == "CONTACT_NOT_FOUND" => return Ok(Found::Nothing),
            Err(refusal) => return Err(refusal.into()),
        };
        let mut reached = listing.rows.len() < PAGE;
        for row in &listing.rows {
            let at = api.plan.clock.find(row, &["timestamp", "messageTimestamp"]).map(|moment| moment.at);
            if at.is_some_and(|at| at < earliest) {
                reached = true;
                continue;
            }
            let key = Key::of(row);
            let text = look::text(row, &["content", "body", "text", "caption"]);
            let kind = look::text(row, &["type"]).unwrap_or_default();
            let wanted = outgoing.media.as_ref().map_or("text", |media| media.kind);
            let alike = text == outgoing.text && (outgoing.media.is_none() || kind == wanted || kind == "ptt");
            if key.from_me == Some(true) && at.is_some() && alike {
                return Ok(match key.id {
                    Some(id) => Found::Sent(id),
                    None => Found::Unclear("the chat shows such a message without an id".to_owned()),
                });
            }
        }
        if reached {
            return Ok(Found::Nothing);
        }
    }
    Ok(Found::Unclear(format!("{PAGES} pages of the chat do not reach back to the first try")))
}
