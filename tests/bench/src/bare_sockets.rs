//! The least that brings one text to many WebSockets.

use anyhow::Result;
use futures::SinkExt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

/// Serves until it is killed; prints where, and where each byte sends one text of this length.
pub async fn serve(length: usize) -> Result<()> {
    let (sockets, bell) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
    println!("{} {}", sockets.local_addr()?, bell.local_addr()?);
    let (ring, _) = broadcast::channel::<Utf8Bytes>(4096);
    let source = ring.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = sockets.accept().await {
            let mut ring = source.subscribe();
            let _ = stream.set_nodelay(true);
            tokio::spawn(async move {
                let small = WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(16 * 1024);
                let Ok(mut socket) = tokio_tungstenite::accept_async_with_config(stream, Some(small)).await else {
                    return;
                };
                let mut next = Ok(Utf8Bytes::from("hello"));
                while let Ok(text) = next {
                    if socket.send(Message::Text(text)).await.is_err() {
                        return;
                    }
                    next = ring.recv().await;
                }
            });
        }
    });
    let text = Utf8Bytes::from("x".repeat(length));
    let (mut stream, _) = bell.accept().await?;
    let mut byte = [0; 1];
    while stream.read(&mut byte).await? > 0 {
        let _ = ring.send(text.clone());
    }
    Ok(())
}
