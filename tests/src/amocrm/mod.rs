//! One amoCRM account and its chat service, played honestly: tokens that work once, seven requests a second, validation,
//! calls that find their card by ten digits or are refused, and no protection from adding a call twice.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use cordboard_tests::amocrm::{self, FakeAmocrm};
//!
//! let crm = FakeAmocrm::start().await?;
//! println!("{} {} {}", crm.url(), amocrm::CLIENT, amocrm::CODE);
//! crm.world().contact("Ivan", "+7 (999) 000-11-22", amocrm::ANNA);
//! # Ok(())
//! # }
//! ```
//!
//! It follows the vendor's pages; where they are silent, what public projects report. What is shown only to who asks for
//! it by `with` is left out otherwise, and filters filter. It starts with two users, two pipelines and nobody to call.
//!
//! Not played: the browser, digital pipelines, tasks, custom fields but telephone numbers.

mod calls;
mod cards;
mod chats;
mod events;
mod faults;
mod http;
mod limits;
mod oauth;
mod query;
mod refusal;
mod rest;
mod world;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use chats::Hook;
pub use faults::{Fault, Faults, Logged};
pub use limits::Limits;
pub use oauth::{CLIENT, CODE, LONG_LIVED, REDIRECT, SECRET};
pub use world::{ANNA, BORIS, BOT, CHANNEL, CHANNEL_SECRET, World};

/// What a running server holds.
#[derive(Debug)]
pub(crate) struct Server {
    world: Mutex<World>,
    limits: Limits,
    faults: Faults,
}

impl Server {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("the account's data")
    }
}

/// A running fake.
#[derive(Debug)]
pub struct FakeAmocrm {
    server: Arc<Server>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl FakeAmocrm {
    /// Starts on a free port of the loopback interface, without limits: for whoever is not paced by a hub.
    pub async fn start() -> std::io::Result<Self> {
        Self::serve(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Starts on a listener of one's own.
    pub fn serve(listener: TcpListener) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let world = Mutex::new(World::new(&address.to_string()));
        let server = Arc::new(Server { world, limits: Limits::default(), faults: Faults::default() });
        let router = http::router(server.clone());
        let task = tokio::spawn(async move {
            // It ends when the task is dropped; an accept that fails is tried again inside.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { server, address, task })
    }

    /// What stands in the adapter's settings `url` and `chat_url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The account's other address, at which it is after `World::move_to`.
    pub fn other(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// The account's data, to look at and to change. Requests wait as long as it is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.server.world()
    }

    /// The switches and the log of requests.
    pub fn faults(&self) -> &Faults {
        &self.server.faults
    }

    /// How many requests are allowed.
    pub fn limits(&self) -> &Limits {
        &self.server.limits
    }
}

impl Drop for FakeAmocrm {
    fn drop(&mut self) {
        self.task.abort();
    }
}
