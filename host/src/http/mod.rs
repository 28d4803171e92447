//! The hub's HTTP face: webhooks in, the API, the live socket, endpoints of components.
//!
//! A handler finds out who asks and what is asked, hands that to the floor below and turns the answer into HTTP. Bounds
//! (connections, rate, headers, bodies, time) come before any work; every error is a problem document (RFC 9457).
//!
//! Nothing here decides what a webhook means, writes to the ledger by itself, or knows Wasm.

mod auth;
mod body;
mod calls;
mod client;
mod commands;
mod deliveries;
mod docs;
mod endpoints;
mod events;
mod file;
mod hooks;
mod hub;
mod intake;
mod jwks;
mod live;
mod media;
mod metrics;
mod people;
mod problem;
mod query;
mod rate;
mod recordings;
mod route;
mod router;
mod serve;
mod signed;
mod socket;
mod sources;
mod tickets;

use std::sync::Arc;

use arc_swap::ArcSwap;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use auth::{Caller, Claims};
pub use metrics::recorder;
pub use problem::{Kind as ProblemKind, Problem};
pub use router::{openapi, router};
pub use serve::{SideDoor, serve};

use crate::commands::Commands;
use crate::components::Library;
use crate::config::Plan;
use crate::delivery::Lanes;
use crate::directory::Directory;
use crate::hub::Hub;
use crate::intake::{Connections, Reception};
use crate::live::Live;
use crate::media::Media;
use crate::recordings::{Links, Recordings};
use crate::routing::Router;
use crate::store::Store;

/// What the handlers stand on.
pub struct Api {
    plan: Arc<ArcSwap<Plan>>,
    store: Store,
    live: Arc<Live>,
    directory: Arc<Directory>,
    routing: Arc<Router>,
    library: Arc<Library>,
    reception: Arc<Reception>,
    lanes: Arc<Lanes>,
    recordings: Arc<Recordings>,
    media: Arc<Media>,
    links: Arc<Links>,
    connections: Arc<Connections>,
    commands: Arc<Commands>,
    prometheus: PrometheusHandle,
    meters: metrics::Meters,
    tickets: tickets::Tickets,
    jwks: jwks::Jwks,
    /// Set when the hub stops: live sockets close, readiness ends.
    stopping: CancellationToken,
    /// The live sockets, which outlive the connections that they came from.
    sockets: TaskTracker,
}

impl Api {
    /// The face of a hub.
    pub fn new(hub: &Hub, prometheus: PrometheusHandle) -> Arc<Self> {
        Arc::new(Api {
            plan: hub.plan.clone(),
            store: hub.store.clone(),
            live: hub.live.clone(),
            directory: hub.directory.clone(),
            routing: hub.routing.clone(),
            library: hub.library.clone(),
            reception: hub.reception.clone(),
            lanes: hub.lanes.clone(),
            recordings: hub.recordings.clone(),
            media: hub.media.clone(),
            links: hub.links.clone(),
            connections: hub.connections.clone(),
            commands: hub.commands.clone(),
            prometheus,
            meters: metrics::Meters::new(),
            tickets: tickets::Tickets::default(),
            jwks: jwks::Jwks::default(),
            stopping: CancellationToken::new(),
            sockets: TaskTracker::new(),
        })
    }
}
