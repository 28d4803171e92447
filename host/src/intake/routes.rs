//! A tenant's routes, as the ledger asks for them.

use std::sync::Arc;

use crate::config::Tenant;
use crate::model::Event;
use crate::store::{Routes, Want};

/// The routes of one tenant.
pub struct TenantRoutes(pub Arc<Tenant>);

impl Routes for TenantRoutes {
    fn wants(&self, _tenant: &str, event: &Event) -> Vec<Want> {
        let choices = self.0.wants(event);
        choices
            .map(|choice| Want {
                sink: choice.sink.to_owned(),
                holds: choice.holds.map(str::to_owned),
                expires_at: choice.expires_at,
            })
            .collect()
    }
}
