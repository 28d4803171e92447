//! `tenants/NAME.toml`: a business with its sources, sinks, routes and people.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::amount::Rate;
use super::authority::Authority;
use super::condition::Condition;
use super::database::DatabaseAddress;
use super::directory::Directory;
use super::document::Place;
use super::hosts::HostPattern;
use super::hub::Retention;
use super::networks::Networks;
use super::recordings::Archive;
use super::routing::Routing;
use super::settings::Settings;
use super::silence::Silence;
use crate::model::message::Origin;
use crate::model::{Event, Instant, Item, Numbering};

/// A business. Nothing crosses tenants.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name: the file's, without the ending.
    pub name: String,
    /// How its numbers are read.
    pub numbering: Numbering,
    /// Its people.
    pub agents: Vec<Agent>,
    /// Where its records come from, by name.
    pub sources: BTreeMap<String, Source>,
    /// Where its records go, by name.
    pub sinks: BTreeMap<String, Sink>,
    /// Which events go to which sink.
    pub routes: Vec<Route>,
    /// API keys of machines.
    pub keys: Vec<ApiKey>,
    /// How long its things are kept.
    pub retention: Retention,
    /// Who is asked whose a number is.
    pub directory: Directory,
    /// Where a dialplan that asks should send a caller.
    pub routing: Routing,
}

/// A person who answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// The name, for people.
    pub name: Option<String>,
    /// What identifies the person's token: its `sub`.
    pub login: Option<String>,
    /// Extensions at the PBX.
    pub extensions: Vec<String>,
    /// Users in the outside systems, by the sink's name.
    pub users: BTreeMap<String, String>,
}

/// A configured use of a component that reports observations.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name in the tenant.
    pub name: String,
    /// The component's word.
    pub component: String,
    /// The component's settings.
    pub settings: Settings,
    /// The databases that the component may read, by the name that it asks for.
    pub databases: BTreeMap<String, DatabaseAddress>,
    /// Paths beside `/v1/hooks/{tenant}/{source}` that are its own.
    pub paths: Vec<String>,
    /// From where it may be told; from anywhere when empty.
    pub clients: Networks,
    /// The hosts that it may speak to.
    pub allow: Vec<HostPattern>,
    /// How long one call of the component may take.
    pub timeout: Duration,
    /// How often its outside system may be asked, reading and commands together; as the component says when absent.
    pub rate: Option<Rate>,
    /// When somebody is told that it says nothing any more; absent: what holds unless a file says otherwise.
    pub silence: Option<Silence>,
    /// Where the recordings of its calls are; absent when nothing but their links is known.
    pub recordings: Option<Archive>,
    /// Whom its TLS connection believes; absent: the authorities that the machine knows.
    pub ca: Option<Authority>,
    /// How long a connection that was lost waits.
    pub backoff: Backoff,
    /// Where it stands.
    pub place: Place,
}

/// A configured use of a component that makes an outside system agree with records.
#[derive(Clone, Debug, PartialEq)]
pub struct Sink {
    /// Its name in the tenant.
    pub name: String,
    /// The component's word.
    pub component: String,
    /// The component's settings.
    pub settings: Settings,
    /// The databases that the component may read, by the name that it asks for.
    pub databases: BTreeMap<String, DatabaseAddress>,
    /// Paths beside `/v1/endpoints/{tenant}/{sink}/` that are its own; with `/*` at the end all that is below.
    pub paths: Vec<String>,
    /// Where these paths are, when not on the hub's own port.
    pub listen: Option<SocketAddr>,
    /// From where its addresses may be asked; from anywhere when empty.
    pub clients: Networks,
    /// The hosts that it may speak to.
    pub allow: Vec<HostPattern>,
    /// How many deliveries run at once.
    pub concurrency: usize,
    /// How many calls of the component in how much time; as the component says when absent.
    pub rate: Option<Rate>,
    /// How often a delivery is tried before it is parked.
    pub attempts: u32,
    /// How long a failed delivery waits.
    pub backoff: Backoff,
    /// How long one call of the component may take.
    pub timeout: Duration,
    /// When the lane pauses by itself.
    pub breaker: Breaker,
    /// How many changes go into one call; as the component says when absent.
    pub batch: Option<usize>,
    /// Where it stands.
    pub place: Place,
}

/// How long a delivery that failed or a connection that was lost waits: twice as long each time, with jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure.
    pub first: Duration,
    /// Never longer.
    pub ceiling: Duration,
}

/// When a lane pauses by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// After so many failures in a row.
    pub failures: u32,
    /// For so long.
    pub pause: Duration,
}

/// A rule: which events of which sources go to which sinks.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The sources, and the sinks that report something.
    pub from: Vec<String>,
    /// The sinks.
    pub to: Vec<String>,
    /// Which events.
    pub when: Option<std::sync::Arc<Condition>>,
    /// What must be true of the record at the moment of delivery.
    pub holds: Option<std::sync::Arc<Condition>>,
    /// How long the delivery makes sense.
    pub ttl: Option<Duration>,
    /// Where it stands.
    pub place: Place,
}

/// An API key of a machine: only its hash is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Who has it.
    pub name: String,
    /// SHA-256 of the key.
    pub sha256: [u8; 32],
    /// What it may do.
    pub role: Role,
    /// Where it stands.
    pub place: Place,
}

/// What a caller of the API may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees its own desk.
    Agent,
    /// Sees the tenant.
    Supervisor,
    /// Changes things.
    Admin,
}

/// A sink that wants a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The sink's name.
    pub sink: &'a str,
    /// The text of the condition that must hold at the moment of delivery.
    pub holds: Option<&'a str>,
    /// When the delivery stops making sense.
    pub expires_at: Option<Instant>,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { first: Duration::from_secs(1), ceiling: Duration::from_secs(3600) }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker { failures: 5, pause: Duration::from_secs(30) }
    }
}

impl Route {
    /// Whether it selects the event.
    pub fn matches(&self, event: &Event) -> bool {
        let source = &event.about.subject.source;
        self.from.iter().any(|from| from == source) && self.when.as_ref().is_none_or(|when| when.selects(event))
    }

    /// Whether what it wants is a popup: it may pass unseen.
    pub fn is_ephemeral(&self) -> bool {
        self.holds.is_some() || self.ttl.is_some()
    }
}

impl Tenant {
    /// The sinks that want the event's record. A sink stands once for lasting routes and once for each that passes.
    pub fn wants<'a>(&'a self, event: &'a Event) -> impl Iterator<Item = Choice<'a>> {
        // What was read from the past is no news, whatever a route says of types.
        let past = matches!(&event.about.item, Item::Message(message) if message.origin == Some(Origin::Historic));
        let selected = move |route: &&Route| !(past && route.is_ephemeral()) && route.matches(event);
        self.routes.iter().filter(selected).flat_map(|route| {
            route.to.iter().map(|sink| Choice {
                sink,
                holds: route.holds.as_ref().map(|holds| holds.text()),
                expires_at: route.ttl.map(|ttl| event.at.after(ttl)),
            })
        })
    }

    /// The person with that extension.
    pub fn agent_at(&self, extension: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.extensions.iter().any(|own| own == extension))
    }

    /// The person who logs in under that name.
    pub fn agent_named(&self, login: &str) -> Option<&Agent> {
        self.agents.iter().find(|agent| agent.login.as_deref() == Some(login))
    }
}
