//! Where a dialplan should send a caller: to whoever looks after them, or to where the tenant's file says instead.
//!
//! A dialplan dials the text that it is given, so what comes out of here is an extension that can be pressed on a
//! telephone, or nothing. Nothing here writes, or knows how the answer travels.

mod telephone;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::commands::Commands;
use crate::config::{Routing, Tenant};
use crate::directory::{Directory, Responsible};
use crate::live::Live;
use crate::model::occupies;
use telephone::{Telephone, Telephones};

/// So long at most a caller waits for what PBXs say of telephones.
const LOOK: Duration = Duration::from_millis(300);

/// Finds out where callers go.
pub struct Router {
    directory: Arc<Directory>,
    live: Arc<Live>,
    telephones: Telephones,
}

impl Router {
    /// By what these know.
    pub fn new(directory: Arc<Directory>, live: Arc<Live>, commands: Arc<Commands>) -> Arc<Self> {
        Arc::new(Router { directory, live, telephones: Telephones::new(commands) })
    }

    /// The extension to which a caller from this number should go: the first that can take the call. Absent when the
    /// dialplan should go on as if it had not asked. It is there after `patience` at the latest, or never.
    pub async fn extension(&self, tenant: &Arc<Tenant>, typed: &str, patience: Duration) -> Option<String> {
        let end = Instant::now() + patience;
        let Routing { unknown, otherwise, .. } = &tenant.routing;
        let first = match self.directory.responsible(&tenant.name, typed, patience).await {
            Responsible::Of(extension) => Some(extension),
            Responsible::Nobody => unknown.clone(),
            Responsible::Unclear => None,
        };
        let until = end.min(Instant::now() + LOOK);
        for extension in first.iter().chain(otherwise) {
            if Routing::can_be_dialled(extension) && self.takes(tenant, extension, until).await {
                return Some(extension.clone());
            }
        }
        None
    }

    /// Whether a call may be sent there. On any doubt it may: the telephone itself knows better. What is nobody's
    /// extension, a queue or a menu, always takes one.
    async fn takes(&self, tenant: &Arc<Tenant>, extension: &str, until: Instant) -> bool {
        let Routing { skip_busy, skip_unreachable, .. } = tenant.routing;
        if !(skip_busy || skip_unreachable) || tenant.agent_at(extension).is_none() {
            return true;
        }
        if skip_busy && timeout_at(until, self.is_busy(tenant, extension)).await.unwrap_or(false) {
            return false;
        }
        match self.telephones.look(tenant, extension, until).await {
            Telephone::Free | Telephone::Unclear => true,
            Telephone::Busy => !skip_busy,
            Telephone::Unreachable => !skip_unreachable,
        }
    }

    /// Whether somebody rings or talks there by the ledger. When it does not say, nobody does.
    async fn is_busy(&self, tenant: &Tenant, extension: &str) -> bool {
        let calls = self.live.desks().under_way(&tenant.name).await.unwrap_or_default();
        calls.iter().any(|known| occupies(&known.call, extension))
    }
}
