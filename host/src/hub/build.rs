//! From a plan to uses of components, keeping those that have not changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Hub;
use crate::components::{Limits, Use, UseOptions};
use crate::config::{DatabaseAddress, HostPattern, Plan, Problem, Problems, Settings, Sink, Source, Tenant};
use crate::delivery::{LEASE, Spec};
use crate::directory::Sinks;
use crate::grants::Granted;
use crate::intake::{ConnectionSpec, Entry, Lasting};
use crate::store::Lane;

/// What a plan has been made into.
#[derive(Default)]
pub(super) struct Built {
    sources: BTreeMap<(String, String), BuiltSource>,
    sinks: BTreeMap<(String, String), BuiltSink>,
}

/// A source that has been built.
struct BuiltSource {
    source: Source,
    entry: Arc<Entry>,
}

/// A sink that has been built.
struct BuiltSink {
    tenant: Arc<Tenant>,
    sink: Sink,
    adapter: Arc<Granted>,
    new: bool,
}

/// What must be stopped and started to come from one plan to the next.
pub(super) struct Change {
    /// Lanes that are not in the new plan.
    pub lanes: Vec<Lane>,
    /// Lanes that are new or different.
    pub starting: Vec<Spec>,
}

/// A plan's uses, and what is needed to start their lanes.
pub(super) struct Next {
    built: Built,
    starting: Vec<Spec>,
}

impl Built {
    /// Builds what the plan needs, taking over what has not changed.
    pub fn next(&self, plan: &Plan, hub: &Hub) -> Result<Next, Problems> {
        let mut next = Next { built: Built::default(), starting: Vec::new() };
        let mut problems = Vec::new();
        for tenant in plan.tenants.values() {
            for source in tenant.sources.values() {
                let key = (tenant.name.clone(), source.name.clone());
                let before = self
                    .sources
                    .get(&key)
                    .filter(|built| same_source(&built.source, source) && same_numbers(&built.entry.tenant, tenant));
                let lasting = match before {
                    Some(built) => Ok(built.entry.lasting()),
                    None => {
                        Part::of_source(tenant, source).build(hub).map(|component| Lasting::new(component, source.rate))
                    }
                };
                match lasting {
                    Ok(lasting) => {
                        let entry = Entry::new(tenant.clone(), &source.name, &source.settings, lasting);
                        next.built.sources.insert(key, BuiltSource { source: source.clone(), entry });
                    }
                    Err(problem) => problems.push(problem),
                }
            }
            for sink in tenant.sinks.values() {
                let key = (tenant.name.clone(), sink.name.clone());
                let before = self
                    .sinks
                    .get(&key)
                    .filter(|built| same_sink(&built.sink, sink) && same_numbers(&built.tenant, tenant));
                let adapter = match before {
                    Some(built) => Ok(built.adapter.clone()),
                    None => Part::of_sink(tenant, sink).build(hub),
                };
                match adapter {
                    Ok(adapter) => {
                        let new = before.is_none_or(|built| built.tenant.agents != tenant.agents);
                        let built = BuiltSink { tenant: tenant.clone(), sink: sink.clone(), adapter, new };
                        next.built.sinks.insert(key, built);
                    }
                    Err(problem) => problems.push(problem),
                }
            }
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        next.starting = next.built.sinks.values().filter(|built| built.new).map(|built| built.spec(hub)).collect();
        Ok(next)
    }

    /// Puts the next one in its place; what must be stopped and started for it.
    pub fn replace(&mut self, next: Next) -> Change {
        let gone = self.sinks.keys().filter(|key| !next.built.sinks.contains_key(*key));
        let lanes = gone.map(|(tenant, sink)| Lane { tenant: tenant.clone(), sink: sink.clone() }).collect();
        *self = next.built;
        Change { lanes, starting: next.starting }
    }

    /// The tenants with their sinks, for asking whose a number is.
    pub fn directories(&self, plan: &Plan) -> Vec<Sinks> {
        let of = |tenant: &Arc<Tenant>| {
            let own = self.sinks.iter().filter(|((name, _), _)| *name == tenant.name);
            let sinks = own.map(|((_, sink), built)| (sink.clone(), built.adapter.clone())).collect();
            Sinks { tenant: tenant.clone(), sinks }
        };
        plan.tenants.values().map(of).collect()
    }

    /// The sources' connections; those whose component has none are left out where they are started.
    pub fn connections(&self) -> Vec<ConnectionSpec> {
        let spec = |built: &BuiltSource| {
            let Source { ca, backoff, .. } = &built.source;
            ConnectionSpec { entry: built.entry.clone(), ca: ca.clone(), backoff: *backoff }
        };
        self.sources.values().map(spec).collect()
    }

    /// All that the outside may call: the sources, and the sinks.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        let sinks = self.sinks.values().map(|built| {
            let lasting = Lasting::new(built.adapter.clone(), None);
            Entry::new(built.tenant.clone(), &built.sink.name, &built.sink.settings, lasting)
        });
        self.sources.values().map(|built| built.entry.clone()).chain(sinks).collect()
    }
}

impl BuiltSink {
    fn spec(&self, hub: &Hub) -> Spec {
        Spec {
            tenant: self.tenant.clone(),
            sink: self.sink.clone(),
            adapter: self.adapter.clone(),
            store: hub.store.clone(),
            bell: hub.bell.clone(),
            links: hub.links.clone(),
            lease: LEASE,
        }
    }
}

/// What a use is made of, whether source or sink.
struct Part<'a> {
    tenant: &'a Tenant,
    name: &'a str,
    component: &'a str,
    settings: &'a Settings,
    databases: &'a BTreeMap<String, DatabaseAddress>,
    allow: &'a [HostPattern],
    timeout: std::time::Duration,
    problem: Box<dyn Fn(String) -> Problem + 'a>,
}

impl<'a> Part<'a> {
    fn of_source(tenant: &'a Tenant, source: &'a Source) -> Self {
        let Source { name, component, settings, databases, allow, timeout, place, .. } = source;
        let problem = Box::new(|what| place.problem(what, None));
        Part { tenant, name, component, settings, databases, allow, timeout: *timeout, problem }
    }

    fn of_sink(tenant: &'a Tenant, sink: &'a Sink) -> Self {
        let Sink { name, component, settings, databases, allow, timeout, place, .. } = sink;
        let problem = Box::new(|what| place.problem(what, None));
        Part { tenant, name, component, settings, databases, allow, timeout: *timeout, problem }
    }

    fn build(self, hub: &Hub) -> Result<Arc<Granted>, Problem> {
        let handle = hub
            .library
            .get(self.component)
            .ok_or_else(|| (self.problem)(format!("there is no component `{}`", self.component)))?;
        let settings = serde_json::from_str(self.settings.reveal())
            .map_err(|why| (self.problem)(format!("the settings are no JSON: {why}")))?;
        let options = UseOptions {
            tenant: self.tenant.name.clone(),
            name: self.name.to_owned(),
            settings,
            secrets: self.settings.secrets().map(|secret| secret.reveal().to_owned()).collect(),
            allow: self.allow.iter().map(ToString::to_string).collect(),
            databases: self.databases.clone(),
            numbering: Arc::new(self.tenant.numbering.clone()),
            limits: Limits { timeout: self.timeout, ..Limits::default() },
        };
        let component = Use::new(&hub.runtime, handle, options).map_err(|why| (self.problem)(why.to_string()))?;
        Ok(Granted::new(&self.tenant.name, self.name, component, hub.store.clone()))
    }
}

fn same_source(one: &Source, other: &Source) -> bool {
    let made_of = |source: &Source| {
        let Source { component, settings, databases, allow, timeout, rate, ca, backoff, .. } = source.clone();
        (component, settings, databases, allow, timeout, rate, ca, backoff)
    };
    made_of(one) == made_of(other)
}

fn same_sink(one: &Sink, other: &Sink) -> bool {
    // What it claims is the plan's, not the lane's.
    let (place, paths, listen) = (other.place.clone(), other.paths.clone(), other.listen);
    Sink { place, paths, listen, ..one.clone() } == *other
}

fn same_numbers(one: &Tenant, other: &Tenant) -> bool {
    let rules = |tenant: &Tenant| -> Vec<(String, String)> {
        tenant.numbering.correct.iter().map(|(pattern, to)| (pattern.to_string(), to.clone())).collect()
    };
    one.numbering.region == other.numbering.region && rules(one) == rules(other)
}
