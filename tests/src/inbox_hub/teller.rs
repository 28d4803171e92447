//! The webhooks: signed over the body's bytes, tried three times, a second apart.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::world::{now, written};
use super::{SESSION, Server};

/// How often a webhook is tried.
const ATTEMPTS: usize = 3;

/// Tells all webhooks that want the event, and waits for their answers.
pub(super) async fn tell(server: &Arc<Server>, event: &str, data: Value) {
    let hooks = server.world().hooks.clone();
    let body = json!({ "event": event, "sessionId": SESSION, "timestamp": written(now()), "data": data }).to_string();
    for hook in hooks.iter().filter(|hook| hook.events.is_empty() || hook.events.iter().any(|one| one == event)) {
        let mut mac = Hmac::<Sha256>::new_from_slice(hook.secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        for attempt in 1..=ATTEMPTS {
            let answer = server
                .client
                .post(&hook.url)
                .header("content-type", "application/json")
                .header("x-webhook-signature", &signature)
                .header("x-webhook-event", event)
                .header("x-webhook-session", SESSION)
                .header("x-webhook-timestamp", now().to_string())
                .body(body.clone())
                .send()
                .await;
            if answer.is_ok_and(|answer| answer.status().is_success()) || attempt == ATTEMPTS {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// What becomes of a message of ours: taken, delivered, read.
pub(super) async fn tell_statuses(server: Arc<Server>, id: String, to: String) {
    for (event, status) in [("message.sent", "sent"), ("message.delivered", "delivered"), ("message.read", "read")] {
        server.world().advance(&id, status);
        let data = json!({ "messageId": id, "to": to, "status": status, "timestamp": written(now()) });
        tell(&server, event, data).await;
    }
}
