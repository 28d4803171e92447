//! What must not be taken, and what is kept of it.

use std::time::Duration;

use cordboard_tests::pbx::{self, PbxCall};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::World;

const HOOK: &str = "/v1/hooks/acme/pbx";

async fn signed_as(world: &World, signature: Option<&str>, body: &[u8]) -> (u16, Value) {
    let mut request = world.hub.http.post(world.hub.url(HOOK)).body(body.to_vec());
    if let Some(signature) = signature {
        request = request.header("x-signature", signature);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// Signed well, whatever it says.
async fn signed(world: &World, body: &[u8]) -> (u16, Value) {
    signed_as(world, Some(&pbx::signature(pbx::SECRET, body)), body).await
}

async fn intake(world: &World, verdict: &str) -> Vec<Value> {
    let page = world.hub.get(&format!("/v1/intake?verdict={verdict}&limit=200")).await;
    page["items"].as_array().cloned().unwrap()
}

#[tokio::test]
async fn a_wrong_signature_stores_nothing() {
    let world = World::start().await;
    let body = PbxCall::number(1).ended().to_string().into_bytes();
    let good = pbx::signature(pbx::SECRET, &body);
    let others = pbx::signature("another secret", &body);
    let other_body = pbx::signature(pbx::SECRET, b"{}");
    for wrong in [
        None,
        Some(""),
        Some(others.as_str()),
        Some(other_body.as_str()),
        Some(good.to_uppercase().as_str()),
        Some(&good[..62]),
        Some(&good[..63]),
        Some(format!("{good}00").as_str()),
        Some("zz"),
    ] {
        let (status, problem) = signed_as(&world, wrong, &body).await;
        assert_eq!(status, 401, "{wrong:?}: {problem}");
        assert_eq!(problem["type"], "/docs#problem-unauthenticated", "{wrong:?}");
        assert!(!problem.to_string().contains(&good), "the answer does not say what would be right");
    }
    let all = world.hub.get("/v1/intake").await;
    assert_eq!(all["items"], json!([]), "nothing is stored");
    assert_eq!(world.hub.get("/v1/calls").await["items"], json!([]));
    let metrics = world.hub.ask(Method::GET, "/metrics").await.text().await.unwrap();
    let counted = metrics.lines().any(|line| line.contains("unauthenticated") && line.ends_with(" 9"));
    assert!(counted, "but a counter:\n{metrics}");
    assert_eq!(signed(&world, &body).await.0, 200, "the right one is taken");
}

#[tokio::test]
async fn nobody_is_there() {
    let world = World::start().await;
    let body = PbxCall::number(1).ended().to_string().into_bytes();
    for path in
        ["/v1/hooks/acme/nothing", "/v1/hooks/nobody/pbx", "/v1/hooks/acme", "/elsewhere", "/v1/hooks/acme/manual"]
    {
        let answer = world.hub.post_bytes(path, body.clone()).await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{path}");
    }
    assert_eq!(world.hub.get("/v1/intake").await["items"], json!([]));
}

#[tokio::test]
async fn ten_mebibytes_are_not_read() {
    let world = World::start().await;
    // Of the body nothing is sent, and nothing is waited for.
    for path in [HOOK, "/webhook/call"] {
        let mut stream = TcpStream::connect(world.hub.address()).await.unwrap();
        let signature = "0".repeat(64);
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: hub\r\nx-signature: {signature}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            10 << 20
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer[..read.expect("an answer at once").unwrap()]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("application/problem+json"), "{path}: {answer}");
    }
    // One that does not say its length is read up to the limit.
    let pieces = futures::stream::iter((0..160).map(|_| Ok::<_, std::io::Error>(vec![b' '; 64 << 10])));
    let request = world.hub.http.post(world.hub.url(HOOK)).header("x-signature", "0".repeat(64));
    // The hub may have closed before all was sent.
    if let Ok(answer) = request.body(reqwest::Body::wrap_stream(pieces)).send().await {
        assert_eq!(answer.status(), 413);
    }
    assert_eq!(world.hub.get("/v1/intake").await["items"], json!([]));
    world.post(&PbxCall::number(2).ended()).await;
}

/// The body with one field put in place of what was there.
fn with(field: &str, value: Value) -> Vec<u8> {
    let mut body = PbxCall::number(1).ended();
    body[field] = value;
    body.to_string().into_bytes()
}

fn bad() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut nul = PbxCall::number(1).ended().to_string().into_bytes();
    nul.push(0);
    let without = |field: &str| {
        let mut body = PbxCall::number(1).ended();
        body.as_object_mut().unwrap().remove(field);
        body.to_string().into_bytes()
    };
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    vec![
        ("not JSON", b"call_uuid=1&from=2".to_vec(), ""),
        ("nothing", Vec::new(), ""),
        ("a NUL after the end", nul, ""),
        ("not UTF-8", b"{\"call_uuid\": \"\xff\xfe\"}".to_vec(), ""),
        ("a list", b"[]".to_vec(), ""),
        ("10,000 nested arrays", nested.clone().into_bytes(), ""),
        ("10,000 nested arrays inside", format!("{{\"call_uuid\":\"x\",\"from\":{nested}}}").into_bytes(), "/from"),
        ("no call id", without("call_uuid"), "/call_uuid"),
        ("an id that is a list", with("call_uuid", json!(["a"])), "/call_uuid"),
        ("an id of 10 kB", with("call_uuid", json!("x".repeat(10_000))), "/call_uuid"),
        ("an id with a NUL", with("call_uuid", json!("a\0b")), "/call_uuid"),
        ("a number that is an object", with("from", json!({ "number": 1 })), "/from"),
        ("a number of 200 digits", with("from", json!("1".repeat(200))), "/from"),
        ("a status that is true", with("status", json!(true)), "/status"),
        ("the year 99999", with("start_time", json!("99999-01-01T00:00:00Z")), "/start_time"),
        ("no time at all", with("end_time", json!("yesterday")), "/end_time"),
        ("a negative duration", with("duration", json!(-5)), "/duration"),
        ("a lone surrogate", br#"{"call_uuid": "a\ud800b"}"#.to_vec(), "/call_uuid"),
    ]
}

#[tokio::test]
async fn what_is_signed_and_not_understood_is_kept() {
    let world = World::start().await;
    let bad = bad();
    for (what, body, field) in &bad {
        let (status, problem) = signed(&world, body).await;
        assert_eq!(status, 422, "{what}: {problem}");
        assert_eq!(problem["field"].as_str().unwrap_or_default(), *field, "{what}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 5), "{what}: {problem}");
    }
    assert_eq!(world.hub.get("/v1/calls").await["items"], json!([]));
    let mut refused = intake(&world, "refused").await;
    refused.reverse();
    assert_eq!(refused.len(), bad.len());
    for (row, (what, body, field)) in refused.iter().zip(&bad) {
        assert_eq!(row["field"].as_str().unwrap_or_default(), *field, "{what}: {row}");
        let raw = world.hub.ask(Method::GET, &format!("/v1/intake/{}?raw=true", row["id"])).await;
        assert_eq!(&raw.bytes().await.unwrap()[..], &body[..], "{what} is kept as it came");
    }
    assert_eq!(intake(&world, "accepted").await.len(), 0);
}

#[tokio::test]
async fn what_was_refused_is_replayed_once_it_can_be_understood() {
    let world = World::start().await;
    // A status word that the source does not know is no reason to refuse; a time of its own form is.
    let mut body = PbxCall::number(1).ended();
    body["start_time"] = json!("21.11.2026 10:10:20");
    body["end_time"] = json!("21.11.2026 10:12:45");
    let (status, problem) = signed(&world, body.to_string().as_bytes()).await;
    assert_eq!(status, 422, "{problem}");
    let row = intake(&world, "refused").await.remove(0);
    let again = world.hub.ask(Method::POST, &format!("/v1/intake/{}/replay", row["id"])).await;
    assert_eq!(again.json::<Value>().await.unwrap()["verdict"], "refused");

    let path = world.hub.folder().join("tenants/acme.toml");
    let tenant = std::fs::read_to_string(&path).unwrap();
    let mended = tenant.replace(
        "settings = { secret = { env = \"ACME_WEBHOOK_SECRET\" } }",
        "settings = { secret = { env = \"ACME_WEBHOOK_SECRET\" }, zone = \"Europe/Madrid\", \
         times = [\"%d.%m.%Y %H:%M:%S\"] }",
    );
    assert_ne!(mended, tenant);
    std::fs::write(&path, mended).unwrap();
    world.hub.until("the new settings", || async { world.hub.log().contains("is in force") }).await;
    let again = world.hub.ask(Method::POST, "/v1/intake/replay").await;
    assert_eq!(again.json::<Value>().await.unwrap()["accepted"], 1, "{}", world.hub.log());
    world.hub.until("the call in the CRM", || async { world.call("call-1").is_some() }).await;
    assert_eq!(world.call("call-1").unwrap()["starttime"], "2026-11-21 09:10:20");
    assert_eq!(intake(&world, "refused").await.len(), 0);
}
