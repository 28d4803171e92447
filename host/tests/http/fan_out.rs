//! One event to many sockets: the hub's feed, and the least that a WebSocket server can do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cordboard::live::Audience;
use futures::{SinkExt, StreamExt};
use serde_json::{Map, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::fixture::{Fixture, token};

const TEXT: usize = 700;

/// Frames in a second that a bare broadcaster brings to this many sockets.
pub async fn bare(sockets: usize, events: usize) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ring, _) = broadcast::channel::<Utf8Bytes>(4096);
    let source = ring.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut ring = source.subscribe();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(async move {
                let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(small())).await.unwrap();
                socket.send(Message::text("hello")).await.unwrap();
                while let Ok(text) = ring.recv().await {
                    if socket.send(Message::Text(text)).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    let text = Utf8Bytes::from("x".repeat(TEXT));
    measure(format!("ws://{address}"), None, sockets, events, move || {
        let _ = ring.send(text.clone());
    })
    .await
}

/// Frames in a second that the hub brings to this many sockets.
pub async fn hub(sockets: usize, events: usize) -> f64 {
    let hub = Fixture::start().await;
    let url = format!("{}/v1/live", hub.base.replace("http", "ws"));
    let live = hub.hub.live.clone();
    let text = Map::from_iter([("text".to_owned(), json!("x".repeat(TEXT - 80)))]);
    let before = resident();
    let rate = measure(url, Some(token("acme", "supervisor", "eva")), sockets, events, move || {
        live.notice("acme", "test", Audience::Everybody, text.clone());
    })
    .await;
    println!("{sockets} sockets and their clients: {} MiB more than before", (resident() - before) / 1024);
    rate
}

fn small() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(16 * 1024)
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends one event after the other, the next when everybody has the last.
async fn measure(url: String, token: Option<String>, sockets: usize, events: usize, send: impl Fn()) -> f64 {
    let got = Arc::new(AtomicUsize::new(0));
    let mut readers = JoinSet::new();
    for _ in 0..sockets {
        let mut request = url.as_str().into_client_request().unwrap();
        if let Some(token) = &token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let (mut socket, _) = tokio_tungstenite::connect_async_with_config(request, Some(small()), true).await.unwrap();
        socket.next().await.unwrap().unwrap();
        let got = got.clone();
        readers.spawn(async move {
            while let Some(Ok(Message::Text(_))) = socket.next().await {
                got.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let began = Instant::now();
    for event in 1..=events {
        send();
        let patience = Instant::now() + Duration::from_secs(30);
        while got.load(Ordering::Relaxed) < event * sockets {
            assert!(Instant::now() < patience, "{} of {}", got.load(Ordering::Relaxed), event * sockets);
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
    }
    (events * sockets) as f64 / began.elapsed().as_secs_f64()
}
