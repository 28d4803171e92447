//! What the ledger asks of the configuration inside a commit: which sinks an event concerns.

use crate::model::{Event, Instant};

/// The tenants' routes.
pub trait Routes: Send + Sync {
    /// The sinks that this event concerns. Called inside the commit, once for each event: it must not block.
    fn wants(&self, tenant: &str, event: &Event) -> Vec<Want>;
}

/// That a sink is to agree with the record of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The sink.
    pub sink: String,
    /// A condition on the record as it is when it is delivered (CEL); while it does not hold, nothing is delivered.
    pub holds: Option<String>,
    /// When the want is past.
    pub expires_at: Option<Instant>,
}

impl Want {
    /// A want that lasts until it is met.
    pub fn lasting(sink: impl Into<String>) -> Self {
        Want { sink: sink.into(), holds: None, expires_at: None }
    }

    /// True when it may pass without being met.
    pub fn is_ephemeral(&self) -> bool {
        self.holds.is_some() || self.expires_at.is_some()
    }
}

/// Nothing concerns anybody.
impl Routes for () {
    fn wants(&self, _tenant: &str, _event: &Event) -> Vec<Want> {
        Vec::new()
    }
}
