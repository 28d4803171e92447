//! Paths that the tenants' files claim beside the hub's own, on its port or on ports of their own: for a source, for a
//! sink's endpoint, for a dialplan's question.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::document::Node;
use super::problem::Problem;
use super::tenant::Tenant;

/// Who answers at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The tenant.
    pub tenant: String,
    /// What there is.
    pub of: Claimed,
}

/// What answers at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The webhook of this source.
    Source(String),
    /// The endpoint of this sink.
    Sink(String),
    /// The dialplan's question where a caller should go.
    Routing,
}

/// All claims. A path stands once on each port.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    exact: BTreeMap<(Option<SocketAddr>, String), Claim>,
    below: BTreeMap<(Option<SocketAddr>, String), Claim>,
}

impl Claims {
    /// The claims of all tenants; what is claimed twice is a problem.
    pub fn of(tenants: &BTreeMap<String, Arc<Tenant>>, problems: &mut Vec<Problem>) -> Self {
        let mut claims = Claims::default();
        for tenant in tenants.values() {
            let mut claim = |listen: Option<SocketAddr>, path: &str, of: Claimed, place: &super::document::Place| {
                let claim = Claim { tenant: tenant.name.clone(), of };
                let (kind, path) = match path.strip_suffix("/*") {
                    Some(above) => (&mut claims.below, above),
                    None => (&mut claims.exact, path),
                };
                if let Some(other) = kind.insert((listen, path.to_owned()), claim) {
                    let hint = format!("{other} has it too");
                    problems.push(place.problem(format!("the path `{path}` is claimed twice"), Some(hint)));
                }
            };
            for source in tenant.sources.values() {
                for path in &source.paths {
                    claim(None, path, Claimed::Source(source.name.clone()), &source.place);
                }
            }
            for sink in tenant.sinks.values() {
                for path in &sink.paths {
                    claim(sink.listen, path, Claimed::Sink(sink.name.clone()), &sink.place);
                }
            }
            for question in &tenant.routing.paths {
                claim(tenant.routing.listen, &question.path, Claimed::Routing, &tenant.routing.place);
            }
        }
        claims
    }

    /// Who has a path on this port; absent: the hub's own.
    pub fn at(&self, listen: Option<SocketAddr>, path: &str) -> Option<&Claim> {
        self.exact.get(&(listen, path.to_owned())).or_else(|| {
            let mut above = path;
            while let Some((next, _)) = above.rsplit_once('/') {
                if let Some(claim) = self.below.get(&(listen, next.to_owned())) {
                    return Some(claim);
                }
                above = next;
            }
            None
        })
    }

    /// The ports beside the hub's own.
    pub fn listens(&self) -> BTreeSet<SocketAddr> {
        self.exact.keys().chain(self.below.keys()).filter_map(|(listen, _)| *listen).collect()
    }
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.of {
            Claimed::Source(name) => write!(f, "source `{name}` of tenant `{}`", self.tenant),
            Claimed::Sink(name) => write!(f, "sink `{name}` of tenant `{}`", self.tenant),
            Claimed::Routing => write!(f, "`routing` of tenant `{}`", self.tenant),
        }
    }
}

/// The paths that a list names; `below` allows `/*` at an end, for all that is below.
pub(super) fn paths(node: Option<Node<'_>>, below: bool, own_port: bool) -> Vec<String> {
    let texts = node.map(|node| node.texts()).unwrap_or_default();
    let read = |(path, node): (&str, Node<'_>)| {
        let plain = if below { path.strip_suffix("/*").unwrap_or(path) } else { path };
        match check(plain, own_port) {
            Ok(()) => Some(path.to_owned()),
            Err(why) => {
                node.problem(format!("`{path}` {why}"), None);
                None
            }
        }
    };
    texts.into_iter().filter_map(read).collect()
}

/// What may be claimed: on a port of one's own everything, on the hub's what is not the hub's.
pub(super) fn check(path: &str, own_port: bool) -> Result<(), &'static str> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '{' | '}' | '*' | '%');
    if !path.starts_with('/') || path.contains("//") || path.chars().any(odd) || path.len() > 255 {
        return Err("is not a plain path like `/webhook/call`");
    }
    let own = ["/v1", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"];
    let is_own = |own: &&str| path == *own || path.strip_prefix(*own).is_some_and(|rest| rest.starts_with('/'));
    if !own_port && (path == "/" || own.iter().any(is_own)) {
        return Err("is the hub's own");
    }
    Ok(())
}

/// A port of one's own, as `listen` names it.
pub(super) fn listen(node: Option<Node<'_>>) -> Option<SocketAddr> {
    let node = node?;
    let text = node.text()?;
    let listen = text.parse().ok();
    if listen.is_none() {
        let hint = "write an address and a port, such as `0.0.0.0:8000`".to_owned();
        node.problem(format!("`{text}` is nothing to listen on"), Some(hint));
    }
    listen
}
