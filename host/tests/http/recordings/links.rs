//! Signed links.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard::config::Plan;
use cordboard::model::{Instant, Item};
use cordboard::recordings::short;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Method, StatusCode};
use sha2::Sha256;

use super::{Bench, SOUND};
use crate::fixture::answer;

#[tokio::test]
async fn a_signed_link_opens_one_recording_for_a_while() {
    let bench = Bench::plain().await;
    bench.sound("2026/11/21/in-1.wav", SOUND);
    bench.sound("2026/11/21/in-2.wav", b"RIFF....WAVE, two");
    let id = bench.call("c1", &["in-1.wav", "in-2.wav"]).await;
    let other = bench.call("c2", &["in-1.wav"]).await;
    let record = bench.hub.hub.store.record("acme", id).await.unwrap().unwrap();
    let links = || {
        let mut item = record.item.clone();
        bench.hub.hub.links.put_into(&mut item, "acme", &record.subject, id);
        let Item::Call(call) = item else { unreachable!() };
        call.recordings.into_iter().map(|recording| recording.url.unwrap()).collect::<Vec<_>>()
    };
    let first = links();
    assert_eq!(first, links(), "a call that is delivered again says nothing new");
    let link = first[0].strip_prefix("https://hub.example").unwrap().to_owned();
    assert!(first[0].len() < 200, "CRMs cut longer links: {}", first[0]);
    let open = async |link: &str| bench.ask_as(None, Method::GET, link, &[]).await;
    let (status, _, bytes) = open(&link).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::OK, SOUND), "{link}: {}", String::from_utf8_lossy(&bytes));
    let part = bench.ask_as(None, Method::GET, &link, &[("range", "bytes=0-3")]).await;
    assert_eq!((part.0, part.2.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"RIFF"[..]));

    let url = url::Url::parse(&first[0]).unwrap();
    let value = |name: &str| url.query_pairs().find(|(own, _)| own == name).unwrap().1.into_owned();
    let expires: u64 = value("expires").parse().unwrap();
    let now = Instant::now().millis() / 1000;
    assert!(expires > now + 44 * 86_400, "half of its time at least: {expires}");
    for (from, to) in [
        (format!("/v1/recordings/{id}?"), format!("/v1/recordings/{other}?")),
        ("tenant=acme".to_owned(), "tenant=other".to_owned()),
        (short("in-1.wav"), short("in-2.wav")),
        (short("in-1.wav"), "in-1.wav".to_owned()),
        (format!("expires={expires}"), format!("expires={}", expires + 1)),
        (value("signature"), value("signature").to_uppercase()),
        (value("signature"), value("signature")[..20].to_owned()),
        (value("signature"), String::new()),
    ] {
        let odd = link.replace(&from, &to);
        assert_ne!(odd, link, "{from}");
        let (status, _, bytes) = open(&odd).await;
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(status, StatusCode::FORBIDDEN, "{odd}: {text}");
        assert!(text.contains("signature is wrong"), "{text}");
    }
    let (status, problem) = answer(bench.hub.request(Method::GET, &link.replace("tenant=acme&", ""), None)).await;
    assert_eq!((status, &problem["field"]), (StatusCode::BAD_REQUEST, &"tenant".into()));

    // One that was right, and whose time is over.
    let signed = |expires: u64| {
        let key = bench.hub.hub.store.derived_key("links to recordings");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let short = short("in-1.wav");
        mac.update(format!("/v1/recordings/{id}\0acme\0{short}\0{expires}").as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16]);
        format!("/v1/recordings/{id}?tenant=acme&recording={short}&expires={expires}&signature={signature}")
    };
    assert_eq!(open(&signed(now + 60)).await.0, StatusCode::OK);
    let (status, _, bytes) = open(&signed(now - 1)).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(String::from_utf8_lossy(&bytes).contains("the link has expired"));
}

#[tokio::test]
async fn without_an_address_of_its_own_the_hub_makes_no_links() {
    let bench = Bench::plain().await;
    let id = bench.call("c1", &["in-1.wav"]).await;
    let record = bench.hub.hub.store.record("acme", id).await.unwrap().unwrap();
    let mut plan = Plan::clone(&bench.hub.hub.plan.load_full());
    plan.hub.public_url = None;
    bench.hub.hub.plan.store(plan.into());
    let mut item = record.item.clone();
    bench.hub.hub.links.put_into(&mut item, "acme", &record.subject, id);
    assert_eq!(item, record.item);
}
