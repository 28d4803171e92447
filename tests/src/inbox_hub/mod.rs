//! An Inbox Hub server, played honestly: its routes, proofs, pages, limits and refusals, and its signed webhooks.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use cordboard_tests::inbox_hub::{API_KEY, FakeInboxHub};
//!
//! let server = FakeInboxHub::start().await?;
//! server.register("http://127.0.0.1:8420/v1/hooks/acme/whatsapp", "a secret");
//! server.world().fill(150, 25, 50);
//! println!("{} {API_KEY}", server.url());
//! server.says("34600000000@s.whatsapp.net", "hola").await;
//! # Ok(())
//! # }
//! ```
//!
//! It has one session, connected. A message that it is given is sent, delivered and read, each told by a webhook. The
//! limits are the published ones until a test lifts them. Nothing of it is written down.
//!
//! Not played: groups' administration, templates, organisations.

mod access;
mod answer;
mod faults;
mod http;
mod limits;
mod teller;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use access::{API_KEY, IDENTIFIER, PASSWORD};
pub use faults::{Fault, Faults};
pub use limits::{Limits, Window};
pub use world::{Hook, Message, World, now};

/// So many seconds from now, as the server writes moments.
pub fn moment(seconds: u64) -> String {
    world::written(now() + seconds * 1000)
}

/// The name of the one session.
pub const SESSION: &str = "acme_main";

/// What a running server holds.
#[derive(Debug)]
pub(crate) struct Server {
    world: Mutex<World>,
    access: Mutex<access::Access>,
    limits: Mutex<Limits>,
    faults: Faults,
    client: reqwest::Client,
}

impl Server {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("the server's data")
    }

    fn access(&self) -> MutexGuard<'_, access::Access> {
        self.access.lock().expect("the server's tokens")
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().expect("the server's limits")
    }
}

/// A running fake.
#[derive(Debug)]
pub struct FakeInboxHub {
    server: Arc<Server>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl FakeInboxHub {
    /// Starts on a free port of the loopback interface.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        // A second provider would only be installed by a second call.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().map_err(std::io::Error::other)?;
        let server = Arc::new(Server {
            world: Mutex::default(),
            access: Mutex::default(),
            limits: Mutex::default(),
            faults: Faults::default(),
            client,
        });
        let address = listener.local_addr()?;
        let router = http::router(server.clone());
        let task = tokio::spawn(async move {
            // It ends when the task is dropped; an accept that fails is tried again inside.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { server, address, task })
    }

    /// What stands in the source's setting `url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The server's data, to look at and to change. Requests wait as long as it is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.server.world()
    }

    /// The limits, to tighten and to lift.
    pub fn limits(&self) -> MutexGuard<'_, Limits> {
        self.server.limits()
    }

    /// The switches, and what was asked.
    pub fn faults(&self) -> &Faults {
        &self.server.faults
    }

    /// How many logins and renewals were asked for.
    pub fn logins(&self) -> usize {
        self.server.access().asked
    }

    /// Refuses whoever logs in, or takes them again.
    pub fn lock(&self, locked: bool) {
        self.server.access().locked = locked;
    }

    /// Lets all tokens end.
    pub fn expire_tokens(&self) {
        self.server.access().expire();
    }

    /// Registers a webhook, as its route does.
    pub fn register(&self, url: &str, secret: &str) {
        let mut world = self.world();
        let id = world.hooks.len() + 1;
        world.hooks.push(Hook { id, url: url.to_owned(), secret: secret.to_owned(), events: vec![] });
    }

    /// Somebody writes. Gives the message's id once the webhook was answered.
    pub async fn says(&self, from: &str, text: &str) -> String {
        let message = self.world().receive(from, text);
        let data = json!({
            "messageId": message.id, "chatId": from, "from": from, "fromMe": false, "isGroup": false, "type": "text",
            "content": text, "timestamp": world::written(message.at),
        });
        teller::tell(&self.server, "message.received", data).await;
        message.id
    }

    /// The session is connected, or no longer.
    pub async fn connected(&self, connected: bool) {
        self.world().connected = connected;
        let (event, data) = match connected {
            true => ("session.connected", json!({"status": "connected", "phoneNumber": "447700900000"})),
            false => ("session.disconnected", json!({"status": "disconnected", "reason": "connection_lost"})),
        };
        teller::tell(&self.server, event, data).await;
    }

    /// Tells the webhooks of any event.
    pub async fn tell(&self, event: &str, data: serde_json::Value) {
        teller::tell(&self.server, event, data).await;
    }
}

impl Drop for FakeInboxHub {
    fn drop(&mut self) {
        self.task.abort();
    }
}
