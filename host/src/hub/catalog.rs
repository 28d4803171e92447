//! The components that are there, as the configuration is checked against them.

use crate::components::contract::Ability;
use crate::components::{Component, Library};
use crate::config::{Catalog, Offer, Plan};

/// What the library's components offer.
pub struct Offered<'a>(pub &'a Library);

impl Catalog for Offered<'_> {
    fn offer(&self, component: &str) -> Option<Offer> {
        self.0.get(component).map(|handle| offer(&handle.component()))
    }

    fn names(&self) -> Vec<String> {
        self.0.names()
    }
}

fn offer(component: &Component) -> Offer {
    let abilities = component.abilities();
    let sources = [Ability::Webhook, Ability::Connection, Ability::Pull, Ability::Commands];
    Offer {
        schema: component.descriptor().settings_schema.clone(),
        source: sources.into_iter().any(|ability| abilities.has(ability)),
        sink: abilities.has(Ability::Sink),
        directory: abilities.has(Ability::Directory),
        endpoint: abilities.has(Ability::Endpoint),
        hosts: component.descriptor().hosts.clone(),
    }
}

/// One component in place of whatever has its name.
struct Only<'a>(&'a Component);

impl Catalog for Only<'_> {
    fn offer(&self, component: &str) -> Option<Offer> {
        (component == self.0.descriptor().name).then(|| offer(self.0))
    }

    fn names(&self) -> Vec<String> {
        vec![self.0.descriptor().name.clone()]
    }
}

/// Whether a component fits every use of it in the plan; the problems in one text when not.
pub fn fits(plan: &Plan, component: &Component) -> Result<(), String> {
    let name = &component.descriptor().name;
    let mut own = plan.clone();
    for tenant in own.tenants.values_mut() {
        let tenant = std::sync::Arc::make_mut(tenant);
        tenant.sources.retain(|_, source| source.component == *name);
        tenant.sinks.retain(|_, sink| sink.component == *name);
    }
    own.check_components(&Only(component)).map(drop).map_err(|problems| problems.to_string())
}
