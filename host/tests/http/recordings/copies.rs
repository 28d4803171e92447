//! Copies in a bucket.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use cordboard::model::{Instant, Item};
use cordboard::recordings::{Copied, Wanted};
use reqwest::StatusCode;

use super::{Bench, SOUND, said};

/// A bucket that is played: it keeps what is put into it, for whoever signs.
async fn bucket() -> (String, std::sync::Arc<std::sync::Mutex<BTreeMap<String, Vec<u8>>>>) {
    let kept = std::sync::Arc::new(std::sync::Mutex::new(BTreeMap::<String, Vec<u8>>::new()));
    let shared = kept.clone();
    let take = move |request: Request<Body>| {
        let kept = shared.clone();
        async move {
            let (head, body) = request.into_parts();
            let name = head.uri.path().to_owned();
            let signed = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !signed.starts_with("AWS4-HMAC-SHA256 Credential=AKIA/") {
                return (StatusCode::FORBIDDEN.as_u16(), Vec::new());
            }
            let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
            let mut kept = kept.lock().unwrap();
            match head.method.as_str() {
                "PUT" => {
                    kept.insert(name, body.to_vec());
                    (200, Vec::new())
                }
                _ => kept.get(&name).map_or((404, Vec::new()), |bytes| (200, bytes.clone())),
            }
        }
    };
    let answer = |(status, bytes): (u16, Vec<u8>)| {
        let dated = [("etag", "\"1\""), ("last-modified", "Sat, 21 Nov 2026 12:00:00 GMT")];
        (StatusCode::from_u16(status).unwrap(), dated, bytes)
    };
    let router = axum::Router::new().fallback(move |request| {
        let taken = take(request);
        async move { answer(taken.await) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, kept)
}

#[tokio::test]
async fn a_recording_is_copied_into_a_bucket_and_heard_from_there() {
    let (endpoint, kept) = bucket().await;
    let storage = format!(
        "[recordings.copies]\nbucket = \"calls\"\nprefix = \"/hub/\"\nendpoint = \"{endpoint}\"\n\
         access_key = {{ file = \"s3-key\" }}\nsecret_key = {{ file = \"s3-secret\" }}\n"
    );
    let bench = Bench::storing("root = \"ROOT\"", "", &storage).await;
    bench.sound("in-1.wav", SOUND);
    let id = bench.call("c1", &["/monitor/in-1.wav"]).await;
    let young = bench.call_that_ended("c2", &["/monitor/in-2.wav"], Instant::now()).await;
    let copy = async |id: i64| {
        let record = bench.hub.hub.store.record("acme", id).await.unwrap().unwrap();
        let Item::Call(call) = &record.item else { unreachable!() };
        let plan = bench.hub.hub.plan.load_full();
        let archive = plan.tenants["acme"].sources["pbx"].recordings.as_ref();
        let recording = &call.recordings[0];
        bench
            .hub
            .hub
            .recordings
            .copy(&Wanted { tenant: "acme", record: &record, call, recording, archive, source: None })
            .await
    };
    assert_eq!(copy(young).await, Copied::Early);
    assert_eq!(copy(id).await, Copied::Done);
    assert_eq!(copy(id).await, Copied::Done, "what is there is not copied again");
    let names: Vec<String> = kept.lock().unwrap().keys().cloned().collect();
    assert!(matches!(&names[..], [one] if one.starts_with("/calls/hub/acme/pbx/")), "{names:?}");
    assert_eq!(kept.lock().unwrap()[&names[0]], SOUND);

    std::fs::remove_file(bench.folder.path().join("monitor/in-1.wav")).unwrap();
    let (status, headers, bytes) = bench.ask(&format!("/v1/recordings/{id}"), &[("range", "bytes=0-3")]).await;
    assert_eq!((status, bytes.as_slice()), (StatusCode::PARTIAL_CONTENT, &b"RIFF"[..]));
    assert_eq!(said(&headers, "content-disposition"), "inline; filename=\"in-1.wav\"");
    let gone = bench.call("c3", &["/monitor/in-3.wav"]).await;
    assert_eq!(copy(gone).await, Copied::Failed);
    assert_eq!(bench.ask(&format!("/v1/recordings/{gone}"), &[]).await.0, StatusCode::NOT_FOUND);
}
