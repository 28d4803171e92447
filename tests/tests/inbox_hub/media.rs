//! What is attached to messages: fetched early, kept, handed out, and never waited for.

use std::time::Duration;

use cordboard_tests::files::Files;
use cordboard_tests::proxy::Proxy;
use cordboard_tests::tls::AUTHORITY_FILE;
use cordboard_tests::web::Web;
use serde_json::{Value, json};

use crate::world::{Wish, World};

const JPEG: &[u8] = b"\xff\xd8\xff\xe0\x00\x10JFIF and the rest of a picture";

async fn world(host: &str) -> World {
    let wish = Wish {
        allow: format!(", \"{host}\""),
        hub: "[media]\nsize = \"64KiB\"\n".to_owned(),
        environment: vec![("SSL_CERT_FILE".to_owned(), AUTHORITY_FILE.to_owned())],
        ..Wish::sync()
    };
    World::start(wish, |_| {}).await
}

/// Somebody sends a file; the record of the message.
async fn sends(world: &World, id: &str, media_type: &str, url: &str) -> i64 {
    let from = "34600111222@s.whatsapp.net";
    let kind = media_type.split('/').next().unwrap();
    let kind = if kind == "application" { "document" } else { kind };
    let media = json!({ "filename": "foto <1>.jpg", "mimetype": media_type, "url": url });
    let message = json!({
        "messageId": id, "chatId": from, "from": from, "fromMe": false, "type": kind, "content": "mira", "media": media,
    });
    world.server.tell("message.received", message).await;
    let events = world.events("message.received").await;
    let id = format!("acme_main:{id}");
    let event = events.iter().find(|event| event["subject"]["id"] == id).unwrap_or_else(|| panic!("{events:#?}"));
    event["record"].as_i64().unwrap()
}

async fn opened(world: &World, record: i64, range: Option<&str>) -> reqwest::Response {
    let request = world.hub.http.get(world.hub.url(&format!("/v1/media/{record}")));
    let request = request.bearer_auth(world.hub.token("supervisor", "eva"));
    let request = match range {
        Some(range) => request.header("range", range),
        None => request,
    };
    request.send().await.unwrap()
}

fn header(answer: &reqwest::Response, name: &str) -> String {
    answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// The attribute that says why there is no file.
async fn missing(world: &World, record: i64) -> Option<String> {
    let events = world.hub.get(&format!("/v1/events?record={record}&limit=500")).await;
    let last = events["events"].as_array()?.last()?.clone();
    let attributes = last["message"]["attributes"].as_array()?.clone();
    let found = attributes.iter().find(|pair| pair[0] == "media-missing")?;
    Some(found[1].as_str()?.to_owned())
}

#[tokio::test]
async fn a_picture_is_there_when_its_link_has_gone() {
    let files = Files::start().await.unwrap();
    files.put("/v/1.jpg", 200, "image/jpeg", JPEG);
    let world = world(&files.host()).await;
    let record = sends(&world, "M1", "image/jpeg", &files.url("/v/1.jpg")).await;
    world.hub.until("it is fetched", || async { files.asked("/v/1.jpg") == 1 }).await;
    files.put("/v/1.jpg", 410, "text/plain", "gone");
    let whole = opened(&world, record, None).await;
    assert_eq!(whole.status(), 200, "{}", world.hub.log());
    let tag = header(&whole, "etag");
    assert_eq!(
        ["content-type", "content-disposition", "x-content-type-options", "content-security-policy"]
            .map(|name| header(&whole, name)),
        ["image/jpeg", "inline; filename=\"foto__1_.jpg\"", "nosniff", "default-src 'none'; sandbox"]
    );
    assert_eq!(whole.bytes().await.unwrap(), JPEG);
    let part = opened(&world, record, Some("bytes=0-2")).await;
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().to_vec()), (206, JPEG[..3].to_vec()));
    let request = world.hub.http.get(world.hub.url(&format!("/v1/media/{record}"))).header("if-none-match", tag);
    let same = request.bearer_auth(world.hub.token("supervisor", "eva")).send().await.unwrap();
    assert_eq!(same.status(), 304);
    assert_eq!(files.asked("/v/1.jpg"), 1, "it is fetched once");
    let nobody = world.hub.http.get(world.hub.url(&format!("/v1/media/{record}"))).send().await.unwrap();
    assert_eq!(nobody.status(), 401);
    let forged = format!("/v1/media/{record}?tenant=acme&media=x&expires=99999999999&signature=AAAA");
    assert_eq!(world.hub.http.get(world.hub.url(&forged)).send().await.unwrap().status(), 403);
    assert_eq!(missing(&world, record).await, None);
}

#[tokio::test]
async fn what_is_not_what_it_says_is_only_a_file() {
    let files = Files::start().await.unwrap();
    files.put("/v/program.jpg", 200, "image/jpeg", &b"MZ\x90\x00 a program"[..]);
    files.put("/v/page.svg", 200, "image/svg+xml", &b"<svg onload=alert(1)>"[..]);
    let world = world(&files.host()).await;
    for (id, path, media_type) in [("M1", "/v/program.jpg", "image/jpeg"), ("M2", "/v/page.svg", "image/svg+xml")] {
        let record = sends(&world, id, media_type, &files.url(path)).await;
        world.hub.until("it is fetched", || async { files.asked(path) == 1 }).await;
        let answer = opened(&world, record, None).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(header(&answer, "content-type"), "application/octet-stream", "{path}");
        assert!(header(&answer, "content-disposition").starts_with("attachment"), "{path}");
    }
}

#[tokio::test]
async fn no_message_waits_for_its_file() {
    let files = Files::start().await.unwrap();
    files.put("/v/1.jpg", 200, "image/jpeg", JPEG);
    let wire = Proxy::start(files.host()).await.unwrap();
    wire.freeze();
    let host = format!("localhost:{}", wire.port());
    let world = world(&host).await;
    // The webhook is answered, and the message is there for everybody, while nothing of its file has come, and long
    // before the hub gives up waiting for it.
    let url = format!("https://{host}/v/1.jpg");
    let sent = tokio::time::timeout(Duration::from_secs(8), sends(&world, "M1", "image/jpeg", &url)).await;
    let record = sent.expect("the message waits for its file");
    assert_eq!(files.asked("/v/1.jpg"), 0);
    wire.mend();
    world.hub.until("it is fetched", || async { files.asked("/v/1.jpg") == 1 }).await;
    let whole = opened(&world, record, None).await;
    assert_eq!((whole.status().as_u16(), whole.bytes().await.unwrap().to_vec()), (200, JPEG.to_vec()));
}

#[tokio::test]
async fn what_cannot_be_had_is_said() {
    let files = Files::start().await.unwrap();
    files.put("/v/large", 200, "image/jpeg", vec![0xff; 100 << 10]);
    files.put("/v/expired", 200, "text/html; charset=utf-8", "<html>link expired</html>");
    let world = world(&files.host()).await;
    let elsewhere = "https://169.254.169.254/latest/meta-data".to_owned();
    for (id, url, why) in [
        ("M1", files.url("/v/none"), "404"),
        ("M2", files.url("/v/large"), "larger"),
        ("M3", files.url("/v/expired"), "a page came in its place"),
        ("M4", elsewhere, "`allow`"),
    ] {
        let record = sends(&world, id, "image/jpeg", &url).await;
        world.hub.until(why, || async { missing(&world, record).await.is_some_and(|said| said.contains(why)) }).await;
        let answer = opened(&world, record, None).await;
        assert_eq!(answer.status(), 404);
        let said: Value = answer.json().await.unwrap();
        assert!(said["detail"].as_str().unwrap().contains(why), "{said}");
    }
    // A new link is tried anew, and what was said before is taken back.
    let record = sends(&world, "M5", "image/jpeg", &files.url("/v/late.jpg")).await;
    world
        .hub
        .until("it is given up", || async { missing(&world, record).await.is_some_and(|why| !why.is_empty()) })
        .await;
    files.put("/v/again.jpg", 200, "image/jpeg", JPEG);
    sends(&world, "M5", "image/jpeg", &files.url("/v/again.jpg")).await;
    world.hub.until("it is there", || async { missing(&world, record).await.as_deref() == Some("") }).await;
    assert_eq!(opened(&world, record, None).await.status(), 200);
}

#[tokio::test]
async fn a_link_that_leads_elsewhere_is_followed_only_over_https_and_a_little_way() {
    let (files, open) = (Files::start().await.unwrap(), Web::start(|_| (200, "in the open".to_owned())).await.unwrap());
    files.put("/v/1.jpg", 200, "image/jpeg", JPEG);
    files.lead("/v/moved", &files.url("/v/1.jpg"));
    files.lead("/v/open", &open.url("/1.jpg"));
    files.lead("/v/inside", "https://169.254.169.254/latest/meta-data");
    files.lead("/v/round", &files.url("/v/round"));
    let world = world(&format!("{}\", \"{}", files.host(), open.address)).await;
    let record = sends(&world, "M1", "image/jpeg", &files.url("/v/moved")).await;
    world.hub.until("it is fetched", || async { files.asked("/v/1.jpg") == 1 }).await;
    assert_eq!(opened(&world, record, None).await.bytes().await.unwrap(), JPEG);
    for (id, path, why) in
        [("M2", "/v/open", "away from https"), ("M3", "/v/inside", "`allow`"), ("M4", "/v/round", "on and on")]
    {
        let record = sends(&world, id, "image/jpeg", &files.url(path)).await;
        world.hub.until(why, || async { missing(&world, record).await.is_some_and(|said| said.contains(why)) }).await;
    }
    assert!(open.asked().is_empty(), "nothing is asked for in the open");
    assert_eq!(files.asked("/v/round"), 1 + 3);
}

#[tokio::test]
async fn a_place_that_is_down_is_tried_again_after_the_hub_was_killed() {
    let files = Files::start().await.unwrap();
    files.put("/v/1.jpg", 503, "text/plain", "down");
    let mut world = world(&files.host()).await;
    let record = sends(&world, "M1", "image/jpeg", &files.url("/v/1.jpg")).await;
    world.hub.until("it is tried", || async { files.asked("/v/1.jpg") == 1 }).await;
    assert_eq!(opened(&world, record, None).await.status(), 503);
    world.hub.kill();
    files.put("/v/1.jpg", 200, "image/jpeg", JPEG);
    let before = files.asked("/v/1.jpg");
    world.hub.launch();
    world.hub.ready().await;
    world.hub.until("it is tried again", || async { files.asked("/v/1.jpg") > before }).await;
    assert_eq!(opened(&world, record, None).await.status(), 200);
}
