//! Vtiger CRM 8.4 open source, played honestly: the webservice with its sessions, its query language, its refusals and
//! its silent damage.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use cordboard_tests::vtiger::FakeVtiger;
//!
//! let crm = FakeVtiger::start().await?;
//! println!("{} hub {}", crm.url(), cordboard_tests::vtiger::HUB_KEY);
//! crm.world().add("Contacts", 5, &[("lastname", "Grey"), ("phone", "+34 600 11 22 33")]);
//! # Ok(())
//! # }
//! ```
//!
//! It starts with the people of the recorded server: the administrator `hub`, two agents with extensions 101 and 102,
//! three contacts, a lead, an account. Nothing of it is written down; it ends with the value that `start` gave.
//!
//! Not played: the browser's pages but for the poll of incoming calls, the PBX connector, and the cloud.

mod access;
mod clock;
mod column;
mod definition;
mod documents;
mod faults;
mod http;
mod operation;
mod popup;
mod read;
mod refusal;
mod relations;
mod seed;
mod sessions;
mod shape;
mod stock;
mod store;
mod vtql;
mod wire;
mod write;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use clock::Clock;
pub use definition::{Field, Module};
pub use faults::{Fault, Faults, Logged};
pub use refusal::Refusal;
pub use seed::HUB_KEY;
pub use sessions::{Sessions, digest};
pub use store::{Account, Crm, File, Record};

/// What a running server holds.
#[derive(Debug)]
pub(crate) struct Server {
    crm: Mutex<Crm>,
    sessions: Mutex<Sessions>,
    clock: Clock,
    faults: Faults,
    /// Between a create's checks and its insert.
    gap: Duration,
    /// What nginx takes at most.
    body_limit: usize,
}

impl Server {
    fn crm(&self) -> MutexGuard<'_, Crm> {
        self.crm.lock().expect("the CRM's data")
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().expect("the CRM's sessions")
    }
}

/// A running fake.
#[derive(Debug)]
pub struct FakeVtiger {
    server: Arc<Server>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl FakeVtiger {
    /// Starts on a free port of the loopback interface.
    pub async fn start() -> std::io::Result<Self> {
        Self::serve(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// As `start`, and nothing waits: for measuring those who ask, and not how long they are kept waiting.
    pub async fn prompt() -> std::io::Result<Self> {
        Self::waiting(TcpListener::bind("127.0.0.1:0").await?, Duration::ZERO)
    }

    /// Starts on a listener of one's own.
    pub fn serve(listener: TcpListener) -> std::io::Result<Self> {
        Self::waiting(listener, Duration::from_millis(1))
    }

    fn waiting(listener: TcpListener, gap: Duration) -> std::io::Result<Self> {
        let server = Arc::new(Server {
            crm: Mutex::new(Crm::recorded()),
            sessions: Mutex::default(),
            clock: Clock::default(),
            faults: Faults::default(),
            gap,
            body_limit: 64 << 20,
        });
        let address = listener.local_addr()?;
        let router = http::router(server.clone());
        let task = tokio::spawn(async move {
            // It ends when the task is dropped; an accept that fails is tried again inside.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { server, address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What stands in the adapter's setting `url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The CRM's data, to look at and to change. Requests wait as long as it is held.
    pub fn world(&self) -> MutexGuard<'_, Crm> {
        self.server.crm()
    }

    /// The switches and the log of requests.
    pub fn faults(&self) -> &Faults {
        &self.server.faults
    }

    /// The server's clock.
    pub fn clock(&self) -> &Clock {
        &self.server.clock
    }

    /// Collects all sessions: the next request of each gets `INVALID_SESSIONID`.
    pub fn expire_sessions(&self) {
        self.server.sessions().collect();
    }

    /// How many logins have succeeded.
    pub fn logins(&self) -> u64 {
        self.server.sessions().logins
    }

    /// All records of a module that are not deleted, as `retrieve` shows them, texts by field name.
    pub fn records(&self, module: &str) -> Vec<BTreeMap<String, String>> {
        let crm = self.world();
        let Some(definition) = crm.modules.get(module) else { return Vec::new() };
        let rows = crm.rows.get(module).into_iter().flat_map(|rows| rows.values());
        rows.filter(|record| !record.deleted)
            .filter_map(|record| match crm.whole(definition, record) {
                Value::Object(fields) => Some(fields.into_iter().map(|(k, v)| (k, column::text(&v))).collect()),
                _ => None,
            })
            .collect()
    }

    /// How many records a module has, deleted ones not counted.
    pub fn count(&self, module: &str) -> usize {
        let crm = self.world();
        crm.rows.get(module).map_or(0, |rows| rows.values().filter(|record| !record.deleted).count())
    }
}

impl Drop for FakeVtiger {
    fn drop(&mut self) {
        self.task.abort();
    }
}
