//! What comes over the wire before it is a request: other versions of HTTP, and senders that take their time.

use std::time::{Duration, Instant};

use reqwest::{StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{Fixture, token};

#[tokio::test]
async fn http_2_is_spoken_without_tls() {
    let hub = Fixture::start().await;
    let client = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build().unwrap();
    let supervisor = token("acme", "supervisor", "eva");
    let asked = (0..20).map(|_| client.get(format!("{}/v1/calls", hub.base)).bearer_auth(&supervisor).send());
    for answer in futures::future::join_all(asked).await {
        let answer = answer.unwrap();
        assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    }
}

/// Sends the beginning of a request, then a byte each second, until the hub ends it; what it answered.
async fn drip(hub: &Fixture, beginning: &str) -> String {
    let address = hub.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(beginning.as_bytes()).await.unwrap();
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    let dripping = async {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = read.read_to_end(&mut answer) => drop(ended),
        () = dripping => {}
        () = tokio::time::sleep(Duration::from_secs(55)) => panic!("the hub still waits"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_sender_that_drips_holds_no_place() {
    let hub = Fixture::start().await;
    let ana = token("acme", "agent", "ana");
    let body = format!(
        "POST /v1/calls HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {ana}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: 1000\r\n\r\n"
    );
    let begun = Instant::now();
    let (of_body, of_head) =
        tokio::join!(drip(&hub, &body), drip(&hub, "GET /healthz HTTP/1.1\r\nhost: hub\r\nx-slow: "));
    assert!(of_body.starts_with("HTTP/1.1 408"), "{of_body}");
    assert!(of_body.contains("the body was not there within 30 s"), "{of_body}");
    assert!(of_head.is_empty() || of_head.starts_with("HTTP/1.1 408"), "{of_head}");
    assert!(begun.elapsed() > Duration::from_secs(20), "a slow line is no attack");
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_waits_for_one() {
    let hub = Fixture::with("[auth]\nsecret = { file = \"jwt\" }\n[limits]\nconnections = 2\n").await;
    let address = hub.base.trim_start_matches("http://");
    let connect = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: hub\r\n\r\n").await.unwrap();
        stream
    };
    let answered = async |stream: &mut TcpStream, patience: Duration| {
        let mut answer = vec![0; 4096];
        let read = tokio::time::timeout(patience, stream.read(&mut answer)).await.ok()?.unwrap();
        Some(String::from_utf8_lossy(&answer[..read]).starts_with("HTTP/1.1 200"))
    };
    let long = Duration::from_secs(10);
    let (mut first, mut second) = (connect().await, connect().await);
    assert_eq!((answered(&mut first, long).await, answered(&mut second, long).await), (Some(true), Some(true)));
    let mut third = connect().await;
    assert_eq!(answered(&mut third, Duration::from_millis(500)).await, None, "the others hold their places");
    drop(first);
    assert_eq!(answered(&mut third, long).await, Some(true));
}
