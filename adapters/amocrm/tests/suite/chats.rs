//! WhatsApp in amoCRM's chats, both ways.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::bench::{Bench, KNOWN, finished, first, next, repeated};
use cordboard_amocrm::Amocrm;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};
use cordboard_sdk::testing::post;
use cordboard_tests::amocrm::{ANNA, BOT, CHANNEL, CHANNEL_SECRET, Fault, Hook};

const CHAT: &str = "main:79990001122@s.whatsapp.net";

fn bench() -> Bench {
    let mut bench = Bench::outside(json!({}));
    bench.again(channel(&bench, CHANNEL_SECRET));
    bench.crm.faults().forget();
    bench
}

/// The settings of a channel with this secret.
fn channel(bench: &Bench, secret: &str) -> Value {
    json!({
        "chat_url": bench.crm.url(),
        "chat": {"channel": CHANNEL, "secret": secret, "bot": BOT, "sources": {"main": "wa-phone-1"}},
    })
}

fn now() -> Instant {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

fn person() -> Correspondent {
    let number = Phone { raw: "79990001122".into(), e164: Some("+79990001122".into()), ..Phone::default() };
    Correspondent { number: Some(number), name: Some("Ivan".into()), ..Correspondent::default() }
}

fn came(text: &str) -> Message {
    Message {
        conversation: Some(CHAT.into()),
        channel: Some("whatsapp".into()),
        direction: Some(Direction::Inbound),
        kind: Some("text".into()),
        sender: Some(person()),
        text: Some(text.into()),
        sent_at: Some(now()),
        origin: Some(Origin::Live),
        ..Message::default()
    }
}

fn went(text: &str, status: MessageStatus) -> Message {
    Message {
        direction: Some(Direction::Outbound),
        sender: None,
        recipient: Some(person()),
        status: Some(status),
        ..came(text)
    }
}

fn messages(bench: &Bench) -> Vec<Value> {
    bench.crm.world().chats.get(CHAT).map(|chat| chat.messages.clone()).unwrap_or_default()
}

fn hook(bench: &Bench, hook: &Hook) -> Answer {
    let request = post("/v1/endpoints/acme/crm/chat/scope", &[("X-Signature", &hook.signature)], hook.body.clone());
    Amocrm::handle(&bench.host, request)
}

#[test]
fn a_message_of_a_client_stands_in_the_chat_once() {
    let bench = bench();
    assert!(bench.crm.world().connected);
    let change = first("main:A1", came("Сколько стоит?"));
    bench.crm.faults().next("/v2/origin/custom", Fault::Lost);
    assert_eq!(bench.fails(&change).word(), "retryable");
    let receipt = bench.one(&repeated(&change));
    let all = messages(&bench);
    assert_eq!(all.len(), 1);
    assert_eq!(receipt.external_id.as_deref(), all[0]["message"]["id"].as_str());
    // The hub has forgotten all of it, and says that it is the first try.
    assert_eq!(bench.one(&change).external_id, receipt.external_id);
    assert_eq!(messages(&bench).len(), 1);
    let sent = bench.crm.faults().log().into_iter().find(|one| one.body["event_type"] == "new_message").unwrap().body;
    let payload = &sent["payload"];
    assert_eq!((&payload["msgid"], &payload["conversation_id"]), (&json!("main:A1"), &json!(CHAT)));
    assert_eq!(payload["sender"], json!({"id": CHAT, "name": "Ivan", "profile": {"phone": "+79990001122"}}));
    assert_eq!((&payload["source"]["external_id"], &payload["silent"]), (&json!("wa-phone-1"), &json!(false)));
    assert!(payload.get("receiver").is_none(), "that makes it incoming");
}

#[test]
fn what_was_written_on_the_telephone_is_the_bots() {
    let bench = bench();
    bench.one(&first("main:B1", went("Завтра", MessageStatus::Sent)));
    let historic = Message { origin: Some(Origin::Historic), ..came("давно") };
    bench.one(&first("main:B2", historic));
    let all = messages(&bench);
    assert_eq!((&all[0]["sender"]["ref_id"], &all[1]["silent"]), (&json!(BOT), &json!(true)));
    let agent = Agent { user: Some(ANNA.to_string()), ..Agent::default() };
    let by_anna = Correspondent { agent: Some(agent), ..Correspondent::default() };
    bench.one(&first("main:B3", Message { sender: Some(by_anna), ..went("от Анны", MessageStatus::Sent) }));
    let user = bench.crm.world().users[0]["amojo_id"].clone();
    assert_eq!(messages(&bench)[2]["sender"]["ref_id"], user);
}

#[test]
fn an_answer_of_amocrm_goes_out_and_does_not_come_back() {
    let bench = bench();
    bench.one(&first("main:A1", came("Сколько стоит?")));
    let told = bench.crm.world().write(CHAT, "1000 рублей");
    let answer = hook(&bench, &told);
    assert_eq!((answer.response().unwrap().status, answer.commands.len()), (200, 1));
    let command = &answer.commands[0];
    let arguments: Value = serde_json::from_str(&command.arguments).unwrap();
    assert_eq!(command.name, "message.send");
    assert_eq!(arguments, json!({"session": "main", "to": "79990001122@s.whatsapp.net", "text": "1000 рублей"}));
    assert_eq!(hook(&bench, &told).commands[0].id, command.id, "the same message is the same command");
    // The source reports what it has sent; amoCRM hears how far it has come, and not the message.
    let change = first("main:C1", went("1000 рублей", MessageStatus::Sent));
    let receipt = bench.one(&change);
    let delivered = next(change, &receipt, went("1000 рублей", MessageStatus::Delivered));
    let receipt = bench.one(&delivered);
    let read = next(delivered.clone(), &receipt, went("1000 рублей", MessageStatus::Read));
    let receipt = bench.one(&read);
    bench.one(&next(delivered, &receipt, went("1000 рублей", MessageStatus::Delivered)));
    assert_eq!(messages(&bench).len(), 2, "{:#?}", messages(&bench));
    let world = bench.crm.world();
    let codes: Vec<i64> = world.chats[CHAT].statuses.iter().map(|(_, code)| *code).collect();
    assert_eq!(codes, [1, 2], "never back");
}

/// What was sent by a command is the message that asked for it, whatever it says and whenever it went out.
#[test]
fn an_answer_is_known_by_its_command() {
    let bench = bench();
    bench.one(&first("main:A1", came("?")));
    let told = bench.crm.world().write(CHAT, "да");
    let other = bench.crm.world().write(CHAT, "да");
    let sent = |hooked: &Hook, status| {
        let id = hook(&bench, hooked).commands[0].id.clone();
        // As the hub keys it: whose command it is stands before it.
        let attributes = vec![("command".to_owned(), format!("crm:{id}"))];
        let late = Some(now() + 3_600_000);
        Message { attributes, sent_at: late, ..went("да.", status) }
    };
    let ids = |bench: &Bench| -> Vec<String> {
        let all = messages(bench).into_iter();
        all.map(|one| one["message"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = ids(&bench);
    let second = bench.one(&first("main:C2", sent(&other, MessageStatus::Read)));
    let first_one = bench.one(&first("main:C1", sent(&told, MessageStatus::Delivered)));
    assert_eq!((first_one.external_id, second.external_id), (Some(all[1].clone()), Some(all[2].clone())));
    assert_eq!(ids(&bench), all, "nothing is added");
    let world = bench.crm.world();
    assert_eq!(world.chats[CHAT].statuses, [(all[2].clone(), 2), (all[1].clone(), 1)]);
    drop(world);
    // One of an account that is not this one's is a message like any other.
    let elsewhere = vec![("command".to_owned(), "other:chat/message-1".to_owned())];
    bench.one(&first("main:C3", Message { attributes: elsewhere, ..went("нет", MessageStatus::Sent) }));
    assert_eq!(messages(&bench).len(), 4);
}

/// The server tells of a message before the hub knows by which command it was sent.
#[test]
fn an_answer_that_was_taken_for_another_is_put_right() {
    let bench = bench();
    bench.one(&first("main:A1", came("?")));
    let hooks = [0; 2].map(|_| bench.crm.world().write(CHAT, "да"));
    let ids: Vec<String> =
        messages(&bench)[1..].iter().map(|one| one["message"]["id"].as_str().unwrap().to_owned()).collect();
    for (n, told) in hooks.iter().enumerate() {
        let change = first(&format!("main:C{n}"), went("да", MessageStatus::Sent));
        let receipt = bench.one(&change);
        let command = hook(&bench, told).commands[0].id.clone();
        let attributes = vec![("command".to_owned(), format!("crm:{command}"))];
        let known = Message { attributes, ..went("да", MessageStatus::Read) };
        let receipt = bench.one(&next(change, &receipt, known));
        assert_eq!(receipt.external_id.as_ref(), Some(&ids[n]));
    }
    let world = bench.crm.world();
    let read: Vec<&String> =
        world.chats[CHAT].statuses.iter().filter(|(_, told)| *told == 2).map(|(id, _)| id).collect();
    assert_eq!(read, [&ids[0], &ids[1]], "each is said to be read");
}

/// Of two accounts each answers its own conversations.
#[test]
fn the_conversation_says_by_which_account_it_is_answered() {
    let mut bench = bench();
    let mut settings = channel(&bench, CHANNEL_SECRET);
    settings["chat"]["sources"] = json!({"main": "wa-phone-1", "branch": "wa-phone-2"});
    bench.again(settings);
    for (session, source) in [("branch", "wa-phone-2"), ("main", "wa-phone-1")] {
        let conversation = format!("{session}:79990001122@s.whatsapp.net");
        let message = Message { conversation: Some(conversation.clone()), ..came("?") };
        bench.one(&first(&format!("{session}:A1"), message));
        let payload = bench.crm.faults().latest("/v2/origin/custom")["payload"].clone();
        assert_eq!(payload["source"]["external_id"], source);
        let told = bench.crm.world().write(&conversation, "да");
        let arguments: Value = serde_json::from_str(&hook(&bench, &told).commands[0].arguments).unwrap();
        let to = "79990001122@s.whatsapp.net";
        assert_eq!((&arguments["session"], &arguments["to"]), (&json!(session), &json!(to)));
    }
}

#[test]
fn two_answers_with_the_same_words_are_two() {
    let bench = bench();
    bench.one(&first("main:A1", came("?")));
    bench.crm.world().write(CHAT, "да");
    bench.crm.world().write(CHAT, "да");
    let changes =
        [first("main:C1", went("да", MessageStatus::Sent)), first("main:C2", went("да", MessageStatus::Sent))];
    let outcomes = bench.deliver(&changes);
    let [Outcome::Done(one), Outcome::Done(two)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
    assert_ne!(one.external_id, two.external_id);
    assert_eq!(messages(&bench).len(), 3);
}

#[test]
fn a_message_that_could_not_be_delivered_says_why() {
    let bench = bench();
    bench.crm.world().write(CHAT, "привет");
    let failed = Message { error: Some("not on WhatsApp".into()), ..went("привет", MessageStatus::Failed) };
    bench.one(&first("main:C1", failed));
    let told = bench.crm.faults().latest("delivery_status");
    assert_eq!((&told["delivery_status"], &told["status_code"]), (&json!(-1), &json!(-1)), "both names of the field");
    assert_eq!((&told["error_code"], &told["error"]), (&json!(905), &json!("not on WhatsApp")));
}

#[test]
fn edits_and_what_was_taken_back_are_edits() {
    let bench = bench();
    let change = first("main:A1", came("пять"));
    let receipt = bench.one(&change);
    let edited = Message { edited_at: Some(now()), ..came("шесть") };
    let change = next(change, &receipt, edited);
    let receipt = bench.one(&change);
    assert_eq!(messages(&bench)[0]["message"]["text"], "шесть");
    assert_eq!(bench.requests(|| drop(bench.one(&next(change.clone(), &receipt, came("шесть"))))), 0);
    bench.one(&next(change, &receipt, Message { deleted_at: Some(now()), ..came("шесть") }));
    assert_eq!((messages(&bench).len(), &messages(&bench)[0]["message"]["text"]), (1, &json!("🗑")));
}

#[test]
fn files_places_and_cards_go_along() {
    let bench = bench();
    let file = |kind: &str, media_type: &str| Message {
        kind: Some(kind.into()),
        text: None,
        media: vec![Media {
            id: "m".into(),
            media_type: Some(media_type.into()),
            url: Some("https://hub.example.com/m/1".into()),
            size: Some(48_211),
            ..Media::default()
        }],
        ..came("")
    };
    for (id, message, kind) in [
        ("p", file("image", "image/jpeg"), "picture"),
        ("s", file("sticker", "image/webp"), "picture"),
        ("v", file("video", "video/mp4"), "video"),
        ("o", file("voice", "audio/ogg; codecs=opus"), "voice"),
        ("d", file("document", "application/pdf"), "file"),
    ] {
        bench.one(&first(id, message));
        let content = messages(&bench).pop().unwrap()["message"].clone();
        assert_eq!((content["type"].as_str().unwrap(), content["file_size"].as_u64()), (kind, Some(48_211)), "{id}");
        assert!(content["file_name"].as_str().unwrap().contains('.'), "{content}");
    }
    let place = Location { latitude: 55.75, longitude: 37.61, ..Location::default() };
    bench.one(&first("l", Message { kind: Some("location".into()), location: Some(place), text: None, ..came("") }));
    assert_eq!(messages(&bench).pop().unwrap()["message"]["location"], json!({"lon": 37.61, "lat": 55.75}));
    let card = Card { name: "Olga".into(), numbers: vec!["+7999".into()] };
    bench.one(&first("c", Message { kind: Some("contacts".into()), cards: vec![card], text: None, ..came("") }));
    assert_eq!(messages(&bench).pop().unwrap()["message"]["contact"]["name"], "Olga");
    // A file without a link, or a kind that nobody knows, is at least told of.
    bench.one(&first("u", Message { kind: Some("undecryptable".into()), text: None, ..came("") }));
    assert_eq!(messages(&bench).pop().unwrap()["message"]["text"], "[undecryptable]");
}

#[test]
fn what_has_no_place_in_a_chat_is_skipped() {
    let bench = bench();
    bench.skipped(&first("g", Message { conversation: Some("main:1203@g.us".into()), ..came("x") }));
    bench.skipped(&first("n", Message { conversation: None, ..came("x") }));
    bench.skipped(&first("e", Message { text: None, kind: None, ..came("x") }));
    let without = Bench::with(json!({}));
    assert!(without.skipped(&first("m", came("x"))).contains("`chat`"));
}

#[test]
fn hooks_are_proved_before_they_are_read() {
    let bench = bench();
    let told = bench.crm.world().write(CHAT, "привет");
    for signature in ["", "00", &told.signature[1..], "zz"] {
        let wrong = Hook { signature: signature.into(), ..told.clone() };
        let answer = hook(&bench, &wrong);
        assert_eq!((answer.response().unwrap().status, answer.commands.len()), (401, 0));
    }
    let mut other = told.clone();
    other.body.push(b' ');
    assert_eq!(hook(&bench, &other).response().unwrap().status, 401, "over the bytes as they came");
}

#[test]
fn hooks_of_all_kinds_are_answered() {
    let bench = bench();
    let of = |body: Value| hook(&bench, &Hook::of(&body));
    let typing = of(json!({"action": {"typing": {"user": {"id": "u"}, "conversation": {"id": "c"}}}}));
    let reaction = of(json!({"action": {"reaction": {"msgid": "m", "type": "react", "emoji": "😍"}}}));
    for answer in [typing, reaction, of(json!({})), of(json!([])), of(json!({"message": 7}))] {
        assert_eq!((answer.response().unwrap().status, answer.commands.len()), (200, 0));
    }
    // It begins in amoCRM: there is a number, and no conversation yet.
    let first = of(json!({"message": {"receiver": {"phone": "79161234567"}, "conversation": {"id": "c"},
        "source": {"external_id": "wa-phone-1"}, "message": {"id": "m1", "type": "text", "text": "Здравствуйте"}}}));
    let arguments: Value = serde_json::from_str(&first.commands[0].arguments).unwrap();
    assert_eq!((&arguments["session"], &arguments["to"]), (&json!("main"), &json!("+79161234567")));
    // A file, with buttons below its words, in answer to a message of ours.
    let file = of(json!({"message": {"conversation": {"client_id": CHAT}, "message": {"id": "m2", "type": "picture",
        "text": "Заказ", "media": "https://amojo.amocrm.ru/attachments/image.jpg", "file_name": "image.jpg",
        "markup": {"mode": "inline", "buttons": [[{"text": "Принять"}, {"text": "Сайт", "url": "https://x.test"}]]},
        "reply_to": {"message": {"msgid": "main:A1"}}}}}));
    let arguments: Value = serde_json::from_str(&file.commands[0].arguments).unwrap();
    assert_eq!(
        arguments["media"],
        json!({"url": "https://amojo.amocrm.ru/attachments/image.jpg", "kind": "image", "media-type": "image/jpeg",
            "file-name": "image.jpg", "caption": "Заказ\n— Принять\n— Сайт: https://x.test"})
    );
    assert_eq!(arguments["quotes"], "main:A1");
    let nobody = of(json!({"message": {"conversation": {}, "message": {"id": "m3", "type": "text", "text": "?"}}}));
    assert_eq!((nobody.response().unwrap().status, nobody.commands.len()), (200, 0), "said, and not posted again");
}

#[test]
fn a_channel_that_is_not_connected_is_said() {
    let mut bench = Bench::outside(json!({}));
    let (wrong, right) = (channel(&bench, "wrong"), channel(&bench, CHANNEL_SECRET));
    bench.again(wrong);
    bench.crm.faults().forget();
    let changes = [first("main:A1", came("раз")), first("call", finished(KNOWN)), first("main:A2", came("два"))];
    let outcomes = bench.deliver(&changes);
    for outcome in [&outcomes[0], &outcomes[2]] {
        let Outcome::Failed(Failure::Rejected(rejected)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(rejected.code, "chat-not-connected");
        assert!(rejected.why.contains("`chat.secret`"), "{rejected:?}");
    }
    assert!(matches!(outcomes[1], Outcome::Done(_)), "{outcomes:?}");
    assert_eq!(bench.crm.faults().count("/connect"), 1, "asked once more for both");
    assert_eq!(bench.crm.world().tokens.exchanges, 1, "and no login is spent on it");
    bench.again(right);
    bench.one(&changes[0]);
}

#[test]
fn a_channel_that_could_not_be_asked_for_is_connected_when_it_is_needed() {
    let mut bench = Bench::outside(json!({}));
    bench.crm.faults().next("/connect", Fault::Page(503));
    bench.again(channel(&bench, CHANNEL_SECRET));
    assert!(!bench.crm.world().connected);
    bench.crm.faults().next("/connect", Fault::Page(503));
    assert_eq!(bench.fails(&first("main:A1", came("раз"))).word(), "retryable");
    let outcomes = bench.deliver(&[first("main:A1", came("раз")), first("main:A2", came("два"))]);
    assert!(matches!(outcomes.as_slice(), [Outcome::Done(_), Outcome::Done(_)]), "{outcomes:?}");
    assert_eq!(bench.crm.faults().count("/connect"), 3, "once for both");
}

#[test]
fn what_the_chat_service_refuses_holds_up_no_call() {
    let forged = r#"{"status":0,"error_code":403,"error_type":"ORIGIN_INVALID_SIGNATURE"}"#;
    for (fault, word) in [
        (Fault::Says(403, forged.into()), "rejected"),
        (Fault::Stranger, "rejected"),
        (Fault::Says(429, r#"{"retry_after":60}"#.into()), "retryable"),
        (Fault::Page(403), "retryable"),
        (Fault::Page(502), "retryable"),
    ] {
        let bench = bench();
        bench.crm.faults().next("/v2/origin/", fault.clone());
        let changes = [first("main:A1", came("раз")), first("call", finished(KNOWN)), first("main:A2", came("два"))];
        let outcomes = Amocrm::deliver(&bench.host, changes.to_vec());
        let words: Vec<&str> = outcomes
            .iter()
            .map(|outcome| match outcome {
                Outcome::Done(_) => "done",
                Outcome::Failed(failure) => failure.word(),
                other => panic!("{fault:?}: {other:?}"),
            })
            .collect();
        assert_eq!(words, [word, "done", word], "{fault:?}");
        assert_eq!(bench.crm.faults().count("/v2/origin/"), 1, "{fault:?}: and the service is asked no more");
        assert_eq!(bench.crm.world().seen("call"), 1);
    }
}
