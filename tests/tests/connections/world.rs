//! What the tests stand on: a hub with one source behind a socket, and the other side of it.

use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::line::LineServer;
use serde_json::Value;

/// A tenant whose source `line` speaks lines with this place.
pub fn tenant(place: &str, more: &str) -> String {
    format!(
        r#"
region = "ES"

[[agents]]
login = "ana"
extensions = ["1001"]

[sources.line]
component = "everything"
allow = ["127.0.0.1", "localhost"]
backoff = {{ first = "50ms", ceiling = "200ms" }}
{more}
settings = {{ line = "{place}", heartbeat = 500 }}
"#
    )
}

/// A hub whose source speaks lines with this place.
pub fn setup(place: &str) -> Setup {
    Setup::of(&["everything"], tenant(place, ""))
}

/// A hub and the other side, connected.
pub async fn connected() -> (Hub, LineServer) {
    let server = LineServer::start().await;
    let hub = Hub::start(setup(&format!("tcp://127.0.0.1:{}", server.port()))).await;
    server.connected(1).await;
    stands(&hub, "connected").await;
    (hub, server)
}

/// How the source's connection stands.
pub async fn connection(hub: &Hub) -> Value {
    hub.get("/v1/sources").await[0]["connection"].clone()
}

/// Waits until the source's connection stands so; how it stands then.
pub async fn stands(hub: &Hub, state: &str) -> Value {
    hub.until(&format!("the connection is {state}"), || async { connection(hub).await["state"] == state }).await;
    connection(hub).await
}

/// The phase of a call, as the ledger has it.
pub async fn phase(hub: &Hub, id: &str) -> Option<String> {
    let calls = hub.get("/v1/calls?limit=500").await;
    let call = calls["items"].as_array()?.iter().find(|call| call["subject"]["id"] == id)?.clone();
    Some(call["call"]["phase"].as_str()?.to_owned())
}

/// Waits until a call has come so far.
pub async fn reaches(hub: &Hub, id: &str, wanted: &str) {
    hub.until(&format!("{id} is {wanted}"), || async { phase(hub, id).await.as_deref() == Some(wanted) }).await;
}
