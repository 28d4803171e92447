//! What stands in a message: kind, text, media, place, cards, poll.
//!
//! Two families of shapes: flat objects with a `type`, and the content objects of Baileys, where a member's name is the
//! type (`imageMessage`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cordboard_sdk::records::{Card, Location, Media, Poll};
use cordboard_sdk::serde_json::Value;
use cordboard_sdk::vocabulary::Attributes;

use crate::fit::{self, Odd};
use crate::key::Key;
use crate::look;
use crate::vcard;

/// What stands in a message.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    /// In the contract's words.
    pub kind: &'static str,
    /// Text or caption.
    pub text: Option<String>,
    /// The one attachment there can be.
    pub media: Option<Media>,
    /// A place.
    pub location: Option<Location>,
    /// Contact cards.
    pub cards: Vec<Card>,
    /// A question.
    pub poll: Option<Poll>,
    /// The id of the message that is answered.
    pub quotes: Option<String>,
    /// What there is no field for.
    pub attributes: Attributes,
}

/// Members of Baileys' content objects, and what they are.
const OBJECTS: [(&str, &str); 23] = [
    ("extendedTextMessage", "text"),
    ("imageMessage", "image"),
    ("videoMessage", "video"),
    ("ptvMessage", "video-note"),
    ("audioMessage", "audio"),
    ("documentMessage", "document"),
    ("stickerMessage", "sticker"),
    ("locationMessage", "location"),
    ("liveLocationMessage", "live-location"),
    ("contactMessage", "contacts"),
    ("contactsArrayMessage", "contacts"),
    ("pollCreationMessage", "poll"),
    ("pollCreationMessageV2", "poll"),
    ("pollCreationMessageV3", "poll"),
    ("buttonsResponseMessage", "button-reply"),
    ("templateButtonReplyMessage", "button-reply"),
    ("listResponseMessage", "list-reply"),
    ("templateMessage", "template"),
    ("interactiveMessage", "interactive"),
    ("orderMessage", "order"),
    ("productMessage", "product"),
    ("groupInviteMessage", "group-invite"),
    ("eventMessage", "event"),
];

/// Objects around the content.
const WRAPPERS: [&str; 7] = [
    "ephemeralMessage",
    "viewOnceMessage",
    "viewOnceMessageV2",
    "viewOnceMessageV2Extension",
    "documentWithCaptionMessage",
    "deviceSentMessage",
    "editedMessage",
];

/// The kind that a word in `type` means.
fn kind(word: &str) -> Option<&'static str> {
    let found = match word.to_ascii_lowercase().as_str() {
        "text" | "chat" | "conversation" | "extendedtext" | "extendedtextmessage" | "ephemeral" => "text",
        "image" | "imagemessage" => "image",
        "video" | "videomessage" => "video",
        "ptv" | "video_note" => "video-note",
        "gif" => "gif",
        "audio" | "audiomessage" => "audio",
        "ptt" | "voice" => "voice",
        "document" | "file" | "documentmessage" => "document",
        "sticker" | "stickermessage" => "sticker",
        "location" | "locationmessage" => "location",
        "live_location" | "livelocation" => "live-location",
        "contact" | "contacts" | "vcard" | "multi_vcard" | "contact_card" => "contacts",
        "poll" | "poll_creation" => "poll",
        "buttons_response" | "button_reply" | "template_button_reply" | "button" => "button-reply",
        "list_response" | "list_reply" => "list-reply",
        "interactive" => "interactive",
        "template" => "template",
        "order" => "order",
        "product" => "product",
        "groups_v4_invite" | "group_invite" => "group-invite",
        "event" => "event",
        "call_log" => "call-log",
        "e2e_notification" | "notification" | "notification_template" | "gp2" | "system" | "protocol" => "system",
        "ciphertext" | "undecryptable" => "undecryptable",
        _ => return None,
    };
    Some(found)
}

/// The object of a message's content without what is wrapped around it, and whether it may be seen once only.
pub fn inner(message: &Value) -> (&Value, bool) {
    let mut node = look::first(message, &["message"]).filter(|inner| inner.is_object()).unwrap_or(message);
    let mut once = look::flag(message, &["viewOnce", "isViewOnce"]).unwrap_or(false);
    for _ in 0..4 {
        let wrapped = WRAPPERS.iter().find_map(|name| {
            let inner = node.get(*name)?.get("message")?;
            inner.is_object().then_some((*name, inner))
        });
        let Some((name, inner)) = wrapped else { break };
        once |= name.starts_with("viewOnce");
        node = inner;
    }
    (node, once)
}

/// Reads the content of the message with this id.
pub fn read(message: &Value, id: &str, links_of_once: bool, odd: &mut Odd) -> Content {
    let (node, wrapped_once) = inner(message);
    let object =
        OBJECTS.iter().find_map(|(name, kind)| Some((*kind, node.get(*name).filter(|part| part.is_object())?)));
    let (said, part) = match object {
        Some((kind, part)) => (Some(kind), part),
        None if node.get("conversation").is_some_and(Value::is_string) => (Some("text"), node),
        None => (look::text(message, &["type", "messageType"]).as_deref().and_then(kind), message),
    };
    let once = wrapped_once || look::flag(part, &["viewOnce"]).unwrap_or(false);
    let mut content = Content { text: words(part, odd), ..Content::default() };
    let holder = look::first(part, &["media", "attachment", "mediaData"]).filter(|media| media.is_object());
    let says_media = holder.is_some()
        || look::text(part, &["mediaUrl", "media_url"]).is_some()
        || look::flag(part, &["hasMedia", "has_attachment"]).unwrap_or(false);
    let media_type = look::text(holder.unwrap_or(part), &["mimetype", "mimeType", "mime_type"]);
    let media_kind = || if says_media { Some(by_type(media_type.as_deref())) } else { None };
    let undecrypted = look::number(message, &["messageStubType"]).is_some_and(|stub| stub == 2.0);
    let system = message.get("messageStubType").is_some_and(|stub| !stub.is_null());
    content.kind = match said {
        Some("video") if look::flag(part, &["gifPlayback", "isGif"]).unwrap_or(false) => "gif",
        Some("audio") if look::flag(part, &["ptt", "isPtt"]).unwrap_or(false) => "voice",
        Some(kind) => kind,
        None if undecrypted => "undecryptable",
        None if system && content.text.is_none() => "system",
        None => match (media_kind(), &content.text, look::text(message, &["type", "messageType"])) {
            (Some(kind), _, _) => kind,
            (None, Some(_), None) => "text",
            _ => "unsupported",
        },
    };
    if content.kind == "unsupported"
        && let Some(word) = look::text(message, &["type", "messageType"])
    {
        content.attributes.push(("inbox-hub-type".to_owned(), fit::line(&word)));
    }
    match content.kind {
        "location" | "live-location" => content.location = location(part, odd),
        "contacts" => {
            content.cards = vcard::cards(part);
            if content.text.as_ref().is_some_and(|text| text.contains("BEGIN:VCARD")) {
                content.text = None;
            }
        }
        "poll" => content.poll = poll(part),
        _ => {}
    }
    let is_media =
        matches!(content.kind, "image" | "video" | "gif" | "video-note" | "audio" | "voice" | "document" | "sticker");
    if is_media || says_media {
        let media = Media { media_type: media_type.map(|it| fit::line(&it)), ..attached(holder, part, id, odd) };
        let media = if once && !links_of_once { Media { url: None, ..media } } else { media };
        differs(content.kind, media.media_type.as_deref(), odd);
        content.media = Some(media);
    }
    context(message, part, once, &mut content);
    content
}

/// The text that a message, or the new text of an edit, has.
pub fn words(part: &Value, odd: &mut Odd) -> Option<String> {
    let paths = [
        "content",
        "body",
        "text",
        "message",
        "caption",
        "conversation",
        "contentText",
        "selectedDisplayText",
        "title",
    ];
    let found = look::text(part, &paths);
    let another = |name: &str| matches!(part.get(name), Some(Value::Bool(_) | Value::Array(_)));
    if found.is_none() && ["content", "body", "text"].into_iter().any(another) {
        odd.note("text-is-none");
    }
    found.map(|text| fit::text(&text, odd))
}

fn by_type(media_type: Option<&str>) -> &'static str {
    match media_type.and_then(|it| it.split('/').next()) {
        Some("image") => "image",
        Some("video") => "video",
        Some("audio") => "audio",
        _ => "document",
    }
}

/// Notes a type of media that is not what the kind says.
fn differs(kind: &str, media_type: Option<&str>, odd: &mut Odd) {
    let wanted = match kind {
        "image" | "sticker" => "image/",
        "video" | "gif" | "video-note" => "video/",
        "audio" | "voice" => "audio/",
        _ => return,
    };
    if media_type.is_some_and(|it| !it.starts_with(wanted)) {
        odd.note("media-type-differs");
    }
}

fn attached(holder: Option<&Value>, part: &Value, id: &str, odd: &mut Odd) -> Media {
    let media = holder.unwrap_or(part);
    let either = |paths: &[&str]| look::text(media, paths).or_else(|| look::text(part, paths));
    let url = either(&["url", "media_url", "mediaUrl", "link"]).and_then(|url| fit::link(&url, odd));
    let hash = look::text(media, &["sha256", "fileSha256", "fileHash"]).and_then(|hash| match hex::decode(&hash) {
        Ok(bytes) if bytes.len() == 32 => Some(hex::encode(bytes)),
        _ => STANDARD.decode(&hash).ok().filter(|bytes| bytes.len() == 32).map(hex::encode),
    });
    Media {
        id: look::text(media, &["fileId", "mediaFileId", "mediaId"])
            .filter(|id| fit::id(id).is_some())
            .unwrap_or_else(|| fit::line(id)),
        media_type: None,
        file_name: either(&["filename", "fileName", "file_name"]).and_then(|name| fit::file_name(&name)),
        size: look::count(media, &["filesize", "size", "fileLength", "fileSize"]),
        url,
        sha256: hash,
        duration: look::count(media, &["seconds", "duration"]).and_then(|seconds| u32::try_from(seconds).ok()),
    }
}

fn location(part: &Value, odd: &mut Odd) -> Option<Location> {
    let place = look::first(part, &["location"]).filter(|place| place.is_object()).unwrap_or(part);
    let latitude = look::number(place, &["latitude", "lat", "degreesLatitude"])?;
    let longitude = look::number(place, &["longitude", "lng", "lon", "degreesLongitude"])?;
    if latitude.abs() > 90.0 || longitude.abs() > 180.0 {
        odd.note("location-off-the-earth");
        return None;
    }
    let line = |paths: &[&str]| look::text(place, paths).map(|text| fit::line(&text));
    Some(Location { latitude, longitude, name: line(&["name"]), address: line(&["address", "description"]) })
}

fn poll(part: &Value) -> Option<Poll> {
    let poll = look::first(part, &["poll"]).filter(|poll| poll.is_object()).unwrap_or(part);
    let question = look::text(poll, &["question", "name", "pollName", "title", "body", "content"])?;
    let option = |option: &Value| look::as_text(option).or_else(|| look::text(option, &["optionName", "name", "text"]));
    let options = look::list(poll, &["options", "pollOptions", "values"]).iter().take(100).filter_map(option);
    let options: Vec<_> = options.map(|option| fit::line(&option)).collect();
    let choices = look::count(poll, &["selectableOptionsCount", "selectableCount", "max", "choices"]);
    let all = options.len() as u32;
    // Baileys writes 0 for "as many as there are".
    let choices = choices.and_then(|it| u32::try_from(it).ok()).filter(|it| *it > 0).unwrap_or(all);
    Some(Poll { question: fit::line(&question), options, choices })
}

/// What a message answers, and how it came about.
fn context(message: &Value, part: &Value, once: bool, content: &mut Content) {
    let context = look::first(part, &["contextInfo"]).or_else(|| look::first(message, &["contextInfo"]));
    let quoted = ["quotedMessageId", "quotedMsgId", "quotedStanzaID", "replyToMessageId", "replyTo", "quoted"];
    let quoted = context.and_then(|it| look::first(it, &["stanzaId"])).or_else(|| look::first(message, &quoted));
    content.quotes = quoted.and_then(|value| Key::pointed(value).id);
    let mut add = |name: &str, value: String| content.attributes.push((name.to_owned(), value));
    let of = |paths: &[&str]| context.and_then(|it| look::first(it, paths)).or_else(|| look::first(message, paths));
    let forwarded = [of(&["isForwarded"]), of(&["forwarded"])].into_iter().flatten().any(|it| it == &Value::Bool(true));
    if forwarded {
        add("forwarded", "true".to_owned());
    }
    if let Some(score) = of(&["forwardingScore"]).and_then(look::as_number).filter(|score| *score > 0.0) {
        add("forward-score", (score as u32).to_string());
    }
    if once {
        add("view-once", "true".to_owned());
    }
    if let Some(seconds) = of(&["expiration"]).and_then(look::as_number).filter(|seconds| *seconds > 0.0) {
        add("ephemeral-seconds", (seconds as u32).to_string());
    }
    let mentioned = |it| look::list(it, &["mentionedJid", "mentionedIds", "mentions"]);
    let mentioned = context.map(mentioned).filter(|list| !list.is_empty()).unwrap_or_else(|| mentioned(message));
    let mentioned: Vec<_> = mentioned.iter().take(100).filter_map(look::as_text).collect();
    if !mentioned.is_empty() {
        add("mentions", fit::line(&mentioned.join(", ")));
    }
}
