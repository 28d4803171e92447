//! A subscriber of the live feed.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::hub::Hub;

/// An open socket.
#[derive(Debug)]
pub struct Live {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// What the hub said first.
    pub hello: Value,
}

impl Live {
    /// Opens one the way a browser does: the token stands in a subprotocol. The hub has said hello.
    pub async fn open(hub: &Hub, query: &str, token: &str) -> Self {
        let url = format!("ws://{}/v1/live{query}", hub.address());
        let mut request = url.into_client_request().expect("an address");
        let protocols = format!("cordboard.v1, bearer.{token}").parse().expect("a header");
        request.headers_mut().insert("sec-websocket-protocol", protocols);
        let (socket, answer) = tokio_tungstenite::connect_async(request).await.expect("the hub takes the socket");
        let chosen = answer.headers().get("sec-websocket-protocol").and_then(|chosen| chosen.to_str().ok());
        assert_eq!(chosen, Some("cordboard.v1"), "the hub names the protocol, and never the token");
        let mut live = Self { socket, hello: Value::Null };
        live.hello = live.next().await;
        assert_eq!(live.hello["type"], "hello");
        live
    }

    /// The next frame.
    pub async fn next(&mut self) -> Value {
        loop {
            let next =
                tokio::time::timeout(Duration::from_secs(30), self.socket.next()).await.expect("a frame in time");
            match next.expect("an open socket").expect("a whole frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("a frame is JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("not a frame: {other:?}"),
            }
        }
    }

    /// The code and the reason with which the hub closes, past all frames before.
    pub async fn close(&mut self) -> (u16, String) {
        loop {
            let next =
                tokio::time::timeout(Duration::from_secs(30), self.socket.next()).await.expect("a close in time");
            match next.expect("a close before the end").expect("a whole frame") {
                Message::Close(Some(close)) => return (close.code.into(), close.reason.to_string()),
                Message::Close(None) => panic!("a close that says nothing"),
                _ => {}
            }
        }
    }

    /// Says something to the hub.
    pub async fn say(&mut self, what: &Value) {
        self.socket.send(Message::text(what.to_string())).await.expect("the hub hears it");
    }

    /// The next frame of a type, past all others.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }
}
