//! What the tests stand on: a hub between an Inbox Hub and a Frappe site, and what a test waits for.

use std::process::Output;
use std::time::{Duration, Instant};

use cordboard_tests::frappe::FakeFrappe;
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::inbox_hub::{FakeInboxHub, SESSION};
use cordboard_tests::whatsapp::{self, INBOX_SECRET};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// A customer.
pub const ANA: &str = "34600111222@s.whatsapp.net";

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct World {
    pub hub: Hub,
    pub inbox: FakeInboxHub,
    pub site: FakeFrappe,
}

impl World {
    /// A site that the hub's own command has set up, and everything at work.
    pub async fn start() -> Self {
        let mut world = Self::bare("").await;
        world.set_up().await;
        world.go().await;
        world
    }

    /// Nothing is set up, and the hub does not run yet. With further settings of the sink.
    pub async fn bare(settings: &str) -> Self {
        Self::altered(|setup| setup.tenant.push_str(settings)).await
    }

    /// The same with anything else in its configuration.
    pub async fn altered(alter: impl FnOnce(&mut Setup)) -> Self {
        let (site, inbox) = (FakeFrappe::start().await.unwrap(), FakeInboxHub::start().await.unwrap());
        let mut setup = whatsapp::setup(&inbox.url(), &site.url());
        alter(&mut setup);
        let hub = Hub::prepare(setup);
        whatsapp::prepare(hub.folder(), &site).unwrap();
        Self { hub, inbox, site }
    }

    /// `cordboard components setup crm`, as the site's administrator.
    pub async fn setup(&self, more: &[&str]) -> (String, Output) {
        let output = whatsapp::asked(self.hub.command(&[]), self.hub.folder(), "acme", more).await.unwrap();
        (String::from_utf8_lossy(&output.stdout).into_owned(), output)
    }

    /// The site is set up, and the bot's own key stands in the tenant's file.
    pub async fn set_up(&self) {
        whatsapp::set_up(self.hub.command(&[]), self.hub.folder(), "acme").await.unwrap();
    }

    /// The hub runs, and the Inbox Hub knows where.
    pub async fn go(&mut self) {
        self.hub.launch();
        self.hub.ready().await;
        self.inbox.register(&self.hub.url("/v1/hooks/acme/whatsapp"), INBOX_SECRET);
    }

    /// Messages in the site.
    pub fn messages(&self) -> Vec<Value> {
        self.site.docs("Hub WhatsApp Message")
    }

    /// The one message with this id on WhatsApp.
    pub fn message(&self, id: &str) -> Option<Value> {
        let mut found = self.messages().into_iter().filter(|doc| doc["message_id"] == id);
        let message = found.next();
        assert!(found.next().is_none(), "the message {id} stands in the site more than once");
        message
    }

    /// A document by its name.
    pub fn document(&self, name: &str) -> Value {
        self.messages().into_iter().find(|doc| doc["name"] == name).expect("the document")
    }

    /// Somebody answers in the desk. The document's name.
    pub fn answers(&self, text: &str) -> String {
        let conversation = format!("{SESSION}:{ANA}");
        let doc = json!({"session": SESSION, "conversation": conversation, "direction": "Outgoing", "content": text});
        self.site.typed("Hub WhatsApp Message", &doc)
    }

    /// Posts an event, signed. The status of the answer.
    pub async fn post(&self, event: &str, data: Value) -> u16 {
        let body = json!({"event": event, "sessionId": SESSION, "data": data});
        self.post_as(&body, INBOX_SECRET).await
    }

    /// Posts a body, signed with any secret.
    pub async fn post_as(&self, body: &Value, secret: &str) -> u16 {
        let body = body.to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let request = self.hub.http.post(self.hub.url("/v1/hooks/acme/whatsapp"));
        let answer = request.header("x-webhook-signature", signature).body(body).send().await.unwrap();
        answer.status().as_u16()
    }

    /// Waits until something is so, and shows the messages and the hub's log when it never is.
    pub async fn until(&self, what: &str, mut so: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !so(self) {
            let (messages, log) = (self.messages(), self.hub.log());
            assert!(begun.elapsed() < PATIENCE, "waited in vain for: {what}\n{messages:#?}\n{log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until nothing is owed to the site.
    pub async fn settled(&self) {
        self.hub.settled(&["done", "joined"]).await;
    }
}

/// A message of a customer, as an event shows it.
pub fn said(id: &str, text: &str) -> Value {
    json!({
        "messageId": id, "chatId": ANA, "from": ANA, "fromMe": false, "type": "text", "content": text,
        "timestamp": "2026-03-05T10:15:30.000Z",
    })
}
