//! What components are tried with: requests that prove nothing, and records with every oddity.

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use crate::components::contract::{Change, Request};
use crate::model::call::{CallPhase, Direction};
use crate::model::{
    Agent, Call, Contact, Conversation, Instant, Item, Kind, Message, Numbering, Party, Phone, Session, Subject,
};

/// The moment of all trials: 2026-01-01T00:00:00Z.
const MOMENT: u64 = 1_767_225_600_000;

/// The moment of all trials, and so many milliseconds.
pub(super) fn moment(after: u64) -> Instant {
    Instant::clamped(MOMENT + after)
}

/// The hosts that the descriptor names, as a tenant would allow them.
pub(super) fn hosts(asked: &[String], settings: &Value) -> Vec<String> {
    let one = |pattern: &String| match pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        None => Some(pattern.clone()),
        Some(name) => {
            let url: Url = settings.get(name)?.as_str()?.parse().ok()?;
            url.host_str().map(str::to_owned)
        }
    };
    asked.iter().filter_map(one).collect()
}

/// The values that the schema marks as secrets.
pub(super) fn secrets(schema: &Value, settings: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let marked =
        properties.into_iter().flatten().filter(|(_, property)| property.get("writeOnly") == Some(&true.into()));
    marked
        .filter_map(|(name, _)| settings.get(name)?.as_str().map(str::to_owned))
        .filter(|text| text.len() >= 6)
        .collect()
}

/// Requests that no sender has signed: each with what it is in words.
pub(super) fn requests() -> Vec<(&'static str, Request)> {
    let bodies: Vec<(&'static str, Vec<u8>)> = vec![
        ("no body", vec![]),
        ("bytes that are no text", (0..=255).cycle().take(4096).collect()),
        ("JSON null", b"null".to_vec()),
        ("an empty object", b"{}".to_vec()),
        ("an empty array", b"[]".to_vec()),
        ("a number too large", b"1e999".to_vec()),
        ("half of a JSON text", br#"{"event": "call", "data": {"id": "1"#.to_vec()),
        ("10,000 nested arrays", "[".repeat(10_000).into_bytes()),
        ("NUL and lone surrogates", br#"{"id": "a\u0000b", "text": "\ud800"}"#.to_vec()),
        ("one MiB of one letter", vec![b'a'; 1 << 20]),
        ("a form", b"event=call&data[id]=1&data[id]=2&=&%zz".to_vec()),
        (
            "an object with the words of many senders",
            br#"{"event": "message", "type": "call", "id": "1", "call_uuid": "1",
            "status": "ringing", "session": "s", "data": {"id": "1", "from": "1", "to": "2"}}"#
                .to_vec(),
        ),
    ];
    let headers = vec![
        ("content-type".to_owned(), b"application/json".to_vec()),
        ("x-signature".to_owned(), b"0".repeat(64)),
        ("x-hub-signature-256".to_owned(), format!("sha256={}", "0".repeat(64)).into_bytes()),
        ("authorization".to_owned(), b"Bearer \xff\xfe".to_vec()),
        ("x-odd".to_owned(), vec![0x80, 0xff]),
    ];
    let request = |(words, body): (&'static str, Vec<u8>)| {
        let request = Request {
            method: "POST".to_owned(),
            path: "/v1/hooks/conformance/trial".to_owned(),
            query: None,
            headers: headers.clone(),
            body: Bytes::from(body),
            received_at: moment(0),
        };
        (words, request)
    };
    let mut requests: Vec<_> = bodies.into_iter().map(request).collect();
    let bare = request(("", vec![])).1;
    requests.push((
        "a GET with an odd query",
        Request { method: "GET".to_owned(), query: Some("%zz&=&a=%00&a=b&".to_owned()), headers: vec![], ..bare },
    ));
    requests
}

/// Records of all kinds: bare, and full of what people and strangers write.
pub(super) fn changes() -> Vec<Change> {
    const ODD: &str =
        "O'Brien \"<b>\\ %'); DROP \u{1F469}\u{200D}\u{1F469}\u{200D}\u{1F467} \u{202E}שלום\t\r\n\u{FFFD}";
    let phone = |raw: &str| {
        let mut phone = Phone::raw(raw);
        Numbering::default().normalize(&mut phone);
        Some(phone)
    };
    let agent = Agent { extension: Some("1001".to_owned()), ..Agent::default() };
    let call = Call {
        phase: Some(CallPhase::Ended),
        outcome: Some("answered".to_owned()),
        direction: Some(Direction::Inbound),
        caller: Some(Party { number: phone("+34600111222"), name: Some(ODD.to_owned()), ..Party::default() }),
        callee: Some(Party { number: phone("+34911000000"), ..Party::default() }),
        agent: Some(agent),
        started_at: Some(moment(0)),
        answered_at: Some(moment(5_000)),
        ended_at: Some(moment(65_000)),
        notes: Some(ODD.repeat(400)),
        attributes: vec![("odd-name".to_owned(), ODD.to_owned())],
        ..Call::default()
    };
    let withheld =
        Call { phase: Some(CallPhase::Ringing), outcome: Some("a-word-of-tomorrow".to_owned()), ..Call::default() };
    let message = Message {
        conversation: Some("c".to_owned()),
        kind: Some("a-kind-of-tomorrow".to_owned()),
        text: Some(ODD.to_owned()),
        direction: Some(Direction::Inbound),
        ..Message::default()
    };
    let items = [
        (Kind::Call, Item::Call(call)),
        (Kind::Call, Item::Call(withheld)),
        (Kind::Call, Item::Call(Call::default())),
        (Kind::Message, Item::Message(message)),
        (Kind::Message, Item::Message(Message::default())),
        (Kind::Contact, Item::Contact(Contact { name: Some(ODD.to_owned()), ..Contact::default() })),
        (Kind::Conversation, Item::Conversation(Conversation::default())),
        (Kind::Session, Item::Session(Session::default())),
    ];
    let change = |(n, (kind, item)): (usize, (Kind, Item))| Change {
        subject: Subject { source: "trial".to_owned(), kind, id: format!("{n}' or \"1\"=\"1 \u{1F4DE}") },
        revision: 3,
        attempt: 2,
        external_id: None,
        memo: vec![0xff, 0x00],
        joined: vec![],
        item,
    };
    items.into_iter().enumerate().map(change).collect()
}
