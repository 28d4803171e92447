//! Where a dialplan should send a caller: to whoever looks after them, or to where the tenant's file says instead.
//!
//! A dialplan dials the text that it is given, so what comes out of here is an extension that can be pressed on a
//! telephone, or nothing. Nothing here writes, or knows how the answer travels.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Routing, Tenant};
use crate::directory::{Directory, Responsible};
use crate::live::Live;
use crate::model::occupies;

/// Finds out where callers go.
pub struct Router {
    directory: Arc<Directory>,
    live: Arc<Live>,
}

impl Router {
    /// By what these know.
    pub fn new(directory: Arc<Directory>, live: Arc<Live>) -> Arc<Self> {
        Arc::new(Router { directory, live })
    }

    /// The extension to which a caller from this number should go; absent when the dialplan should go on as if it had
    /// not asked. It is there after `patience` at the latest, or never.
    pub async fn extension(&self, tenant: &Tenant, typed: &str, patience: Duration) -> Option<String> {
        let Routing { unknown, otherwise, skip_busy, .. } = &tenant.routing;
        let found = self.directory.responsible(&tenant.name, typed, patience).await;
        let chosen = match found {
            Responsible::Of(extension) if *skip_busy && self.is_busy(tenant, &extension).await => otherwise.clone(),
            Responsible::Of(extension) => Some(extension),
            Responsible::Nobody => unknown.clone().or_else(|| otherwise.clone()),
            Responsible::Unclear => otherwise.clone(),
        };
        chosen.filter(|extension| Routing::can_be_dialled(extension))
    }

    /// Whether somebody rings or talks there. When the ledger does not say, nobody does: the telephone itself knows
    /// better.
    async fn is_busy(&self, tenant: &Tenant, extension: &str) -> bool {
        let calls = self.live.desks().under_way(&tenant.name).await.unwrap_or_default();
        calls.iter().any(|known| occupies(&known.call, extension))
    }
}
