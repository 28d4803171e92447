//! From outside bytes to the ledger: webhooks, pages, connections, decoded by their component, committed, and only then
//! answered.
//!
//! Nothing here knows a sender's format, and nothing is answered before it is committed.

mod connection;
mod endpoint;
mod hearing;
mod pace;
mod pull;
mod redact;
mod routes;
mod webhook;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::components::Fault;
use crate::components::contract::{Refusal, Response};
use crate::config::{Rate, Settings, Tenant};
use crate::grants::Granted;
use crate::model::{Call, Instant, Item, Numbering, Observation, Trust};
use crate::store::{Committed, Consent, Intake, Store, StoreError};

pub use connection::{
    Connections, Phase as ConnectionPhase, Settled, Spec as ConnectionSpec, State as ConnectionState,
};
pub use endpoint::Answered;
pub use hearing::{Hearing, listen};
pub use pace::Pace;
pub use pull::{Reader, Wanted, can_be_read, start};
pub use routes::TenantRoutes;

/// The source that calls logged by hand belong to.
pub const MANUAL: &str = crate::config::MANUAL;

/// A source at work, or a sink that the outside system calls.
pub struct Entry {
    /// Its tenant.
    pub tenant: Arc<Tenant>,
    /// Its name in the tenant: what its records belong to.
    pub name: String,
    /// Its component.
    pub component: Arc<Granted>,
    /// How often its outside system may be asked.
    pub pace: Arc<Pace>,
    /// When it last said something.
    pub hearing: Arc<Hearing>,
    numbering: Arc<Numbering>,
    routes: Arc<TenantRoutes>,
    secrets: Vec<String>,
    counted: Counted,
}

/// Counters by verdict, looked up once: looking up costs more than counting.
#[derive(Default)]
struct Counted(RwLock<Vec<(&'static str, metrics::Counter)>>);

impl Counted {
    fn of(&self, verdict: &'static str, counter: impl FnOnce() -> metrics::Counter) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = known.iter().find(|(of, _)| *of == verdict) {
            return counter.increment(1);
        }
        drop(known);
        let counter = counter();
        counter.increment(1);
        self.0.write().unwrap_or_else(PoisonError::into_inner).push((verdict, counter));
    }
}

/// What of a source outlives a reload of the configuration that does not concern it.
#[derive(Clone)]
pub struct Lasting {
    /// Its component.
    pub component: Arc<Granted>,
    /// How often its outside system may be asked.
    pub pace: Arc<Pace>,
    /// When it last said something.
    pub hearing: Arc<Hearing>,
}

impl Lasting {
    /// Of a use that is new; `rate` is what the configuration says.
    pub fn new(component: Arc<Granted>, rate: Option<Rate>) -> Self {
        let known = component.component().component().descriptor().rate;
        let rate = rate.or(known.map(|rate| Rate { count: rate.requests, per: rate.per }));
        Lasting { component, pace: Pace::new(rate), hearing: Arc::default() }
    }
}

impl Entry {
    /// What of it outlives a reload.
    pub fn lasting(&self) -> Lasting {
        Lasting { component: self.component.clone(), pace: self.pace.clone(), hearing: self.hearing.clone() }
    }

    /// A source or sink of a tenant with its component and what must never be kept.
    pub fn new(tenant: Arc<Tenant>, name: &str, settings: &Settings, lasting: Lasting) -> Arc<Self> {
        let secrets = redact::with_forms(settings.secrets().map(|secret| secret.reveal().to_owned()).collect());
        let numbering = Arc::new(tenant.numbering.clone());
        let routes = Arc::new(TenantRoutes(tenant.clone()));
        Arc::new(Entry {
            tenant,
            name: name.to_owned(),
            component: lasting.component,
            pace: lasting.pace,
            hearing: lasting.hearing,
            numbering,
            routes,
            secrets,
            counted: Counted::default(),
        })
    }

    /// Sightings of this source, to be committed with its numbers and routes.
    pub fn intake(&self, received_at: Instant, observations: Vec<Observation>) -> Intake {
        Intake {
            received_at,
            numbering: self.numbering.clone(),
            routes: self.routes.clone(),
            ..Intake::of(&self.tenant.name, &self.name, observations)
        }
    }
}

/// Takes in what comes from outside.
pub struct Reception {
    store: Store,
    entries: RwLock<HashMap<String, HashMap<String, Arc<Entry>>>>,
}

/// What came of a request.
#[derive(Debug)]
pub struct Received {
    /// How it is answered.
    pub reply: Response,
    /// What was committed.
    pub committed: Committed,
}

/// Why a request was not taken.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// No such tenant, or nothing of that name in it that could take it: which of these is nobody's business.
    #[error("there is no such tenant or source")]
    Unknown,
    /// The component refused it.
    #[error("{0}")]
    Refused(Refusal),
    /// The component broke down over it. The request is kept.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// It was not committed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such raw request, or it was not kept whole.
    #[error("there is no such request, or no component that could take it")]
    NotReplayable,
}

impl Reception {
    /// Commits to this store; no source yet.
    pub fn new(store: Store) -> Arc<Self> {
        Arc::new(Reception { store, entries: RwLock::default() })
    }

    /// Replaces all sources at once.
    pub fn set(&self, all: Vec<Arc<Entry>>) {
        let mut entries: HashMap<String, HashMap<String, Arc<Entry>>> = HashMap::new();
        for entry in all {
            let (tenant, name) = (entry.tenant.name.clone(), entry.name.clone());
            entries.entry(tenant).or_default().insert(name, entry);
        }
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
    }

    /// The source or sink of this name.
    pub fn entry(&self, tenant: &str, name: &str) -> Option<Arc<Entry>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner).get(tenant)?.get(name).cloned()
    }

    /// A call logged by hand goes the same way as any other. `id` makes it the same call when it is sent again, with the
    /// consent of whoever logs it.
    pub async fn log_call(
        &self,
        tenant: &Arc<Tenant>,
        id: String,
        call: Call,
        consent: Consent,
    ) -> Result<Committed, IntakeError> {
        let observation = Observation { id, also: Vec::new(), at: None, trust: Trust::Settled, item: Item::Call(call) };
        if let Err(rejected) = observation.check() {
            return Err(IntakeError::Refused(malformed(rejected)));
        }
        let intake = Intake {
            numbering: Arc::new(tenant.numbering.clone()),
            routes: Arc::new(TenantRoutes(tenant.clone())),
            consent: Some(consent),
            ..Intake::of(&tenant.name, MANUAL, vec![observation])
        };
        Ok(self.store.commit(intake).await?)
    }
}

fn malformed(rejected: crate::model::Rejected) -> Refusal {
    Refusal::Malformed { field: rejected.field, why: rejected.why }
}
