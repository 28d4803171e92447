//! Reading `tenants/NAME.toml`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::authority::Authority;
use super::claims;
use super::condition::{Condition, Scope};
use super::database;
use super::directory::Directory;
use super::document::{Document, Node, Table};
use super::hosts::HostPattern;
use super::hub::Retention;
use super::networks::Networks;
use super::recordings::Archive;
use super::routing::Routing;
use super::settings::Settings;
use super::silence::Silence;
use super::suggest::suggestion;
use super::tenant::{Agent, ApiKey, Backoff, Breaker, Role, Route, Sink, Source, Tenant};
use crate::model::Numbering;

/// The source under which calls logged by hand stand.
pub const MANUAL: &str = "manual";

impl Tenant {
    pub(super) fn read(name: &str, table: &Table<'_>, retention: Retention) -> Self {
        let sources = named(table, "sources", Source::read);
        let sinks = named(table, "sinks", Sink::read);
        let declared = Declared { sources: names(table, "sources"), sinks: names(table, "sinks") };
        let tenant = Tenant {
            name: name.to_owned(),
            numbering: numbering(table),
            agents: listed(table, "agents", Agent::read),
            routes: listed(table, "routes", |table| Route::read(table, &declared)),
            keys: listed(table, "keys", ApiKey::read),
            retention: Retention::read(table, retention),
            directory: Directory::read(table, &declared.sinks),
            routing: Routing::read(table),
            sources,
            sinks,
        };
        if let Some(node) = table.take("routes") {
            tenant.check_routes(&node, &declared);
        }
        if let Some(node) = table.take("agents") {
            tenant.check_agents(&node, &declared);
        }
        tenant
    }

    /// Routes come from somewhere and go somewhere.
    fn check_routes(&self, node: &Node<'_>, declared: &Declared<'_>) {
        for route in node.list().unwrap_or_default().iter().filter_map(Node::table) {
            for (name, node) in route.take("from").map(|from| from.texts()).unwrap_or_default() {
                let Declared { sources, sinks } = declared;
                if name != "*" && name != MANUAL && !sources.contains(&name) && !sinks.contains(&name) {
                    let known = sources.iter().chain(sinks).copied().chain([MANUAL]);
                    let hint = suggestion(name, known);
                    node.problem(format!("the route comes from `{name}`, which is no source"), Some(hint));
                }
            }
            for (name, node) in route.take("to").map(|to| to.texts()).unwrap_or_default() {
                if !declared.sinks.contains(&name) {
                    let hint = suggestion(name, declared.sinks.iter().copied());
                    node.problem(format!("the route leads to `{name}`, which is no sink"), Some(hint));
                }
            }
            route.leave();
        }
        self.check_cycles(node.document);
    }

    /// What goes out must not come back by a route: a sink can report observations under its own name.
    fn check_cycles(&self, document: &Document<'_>) {
        let next = |name: &str| -> Vec<&str> {
            let routes = self.routes.iter().filter(|route| route.from.iter().any(|from| from == name));
            routes.flat_map(|route| route.to.iter().map(String::as_str)).collect()
        };
        for route in &self.routes {
            for (from, to) in route.from.iter().flat_map(|from| route.to.iter().map(move |to| (from, to))) {
                // Each cycle is told once, at the route out of its first name.
                let Some(way) = way_back(from, to, &next).filter(|way| way.iter().all(|name| *name >= from.as_str()))
                else {
                    continue;
                };
                let names: Vec<String> =
                    [from.as_str()].into_iter().chain(way).map(|name| format!("`{name}`")).collect();
                let what = format!("the routes go in a circle: {}", names.join(" to "));
                document.problems.borrow_mut().push(route.place.problem(what, Some("take one of them out".to_owned())));
            }
        }
    }

    /// An extension is one person's, and users belong to sinks that are there.
    fn check_agents(&self, node: &Node<'_>, declared: &Declared<'_>) {
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        let mut logins: BTreeMap<String, usize> = BTreeMap::new();
        for agent in node.list().unwrap_or_default().iter().filter_map(Node::table) {
            let line = agent.place().line;
            for (extension, node) in agent.take("extensions").map(|node| node.texts()).unwrap_or_default() {
                if let Some(other) = owners.insert(extension.to_owned(), line) {
                    let what = format!("extension `{extension}` has two people");
                    node.problem(what, Some(format!("it is also in line {other}")));
                }
            }
            if let Some((login, node)) = agent.take("login").and_then(|node| node.text().map(|text| (text, node)))
                && let Some(other) = logins.insert(login.to_owned(), line)
            {
                node.problem(format!("login `{login}` has two people"), Some(format!("it is also in line {other}")));
            }
            for (sink, node) in agent.take("users").and_then(|node| node.table()).iter().flat_map(Table::entries) {
                if !declared.sinks.contains(&sink) {
                    let hint = suggestion(sink, declared.sinks.iter().copied());
                    node.document.problem(node.name.clone(), format!("`{sink}` is no sink"), Some(hint));
                }
            }
            agent.leave();
        }
    }
}

/// The names from `at` along the routes to `home`, both ends with it.
fn way_back<'a>(home: &'a str, at: &'a str, next: &dyn Fn(&str) -> Vec<&'a str>) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![at]];
    let mut seen = vec![at];
    while let Some(way) = ways.pop() {
        let end = *way.last()?;
        if end == home {
            return Some(way);
        }
        for name in next(end) {
            if !seen.contains(&name) {
                seen.push(name);
                ways.push(way.iter().copied().chain([name]).collect());
            }
        }
    }
    None
}

/// The names that a file gives to its sources and sinks, also to those that are wrong themselves.
struct Declared<'a> {
    sources: Vec<&'a str>,
    sinks: Vec<&'a str>,
}

fn names<'a>(table: &Table<'a>, key: &'static str) -> Vec<&'a str> {
    let node = table.take(key).filter(Node::is_table);
    node.and_then(|node| node.table())
        .map_or(Vec::new(), |table| table.entries().into_iter().map(|(name, _)| name).collect())
}

/// The tables under `key`, by name.
fn named<T>(table: &Table<'_>, key: &'static str, read: impl Fn(&str, &Table<'_>) -> Option<T>) -> BTreeMap<String, T> {
    let Some(tables) = table.take(key).and_then(|node| node.table()) else { return BTreeMap::new() };
    let mut found = BTreeMap::new();
    for (name, node) in tables.entries() {
        if let Err(why) = check_name(name) {
            node.document.problem(node.name.clone(), why, None);
        }
        if let Some(thing) = node.table().and_then(|table| read(name, &table)) {
            found.insert(name.to_owned(), thing);
        }
    }
    found
}

/// The tables of the list under `key`.
fn listed<T>(table: &Table<'_>, key: &'static str, read: impl Fn(&Table<'_>) -> Option<T>) -> Vec<T> {
    let nodes = table.take(key).and_then(|node| node.list()).unwrap_or_default();
    nodes.iter().filter_map(|node| node.table().and_then(|table| read(&table))).collect()
}

/// Names stand in addresses: they are kept plain.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    match (1..=63).contains(&name.len()) && name.chars().all(plain) && !name.starts_with(['-', '_']) {
        true => Ok(()),
        false => Err(format!("`{name}` is not a name: lower-case letters, digits, `-` and `_`, 63 at most")),
    }
}

fn numbering(table: &Table<'_>) -> Numbering {
    let region = table.take("region").and_then(|node| {
        let text = node.text()?;
        let region = text.parse().ok();
        if region.is_none() {
            node.problem(format!("`region` is `{text}`"), Some("write two letters, such as `ES`".to_owned()));
        }
        region
    });
    let rules = table.take("correct").and_then(|node| node.list()).unwrap_or_default();
    let correct = rules.iter().filter_map(|rule| {
        let pair = rule.list()?;
        let [pattern, with] = pair.as_slice() else {
            rule.problem(format!("`{}` is not a pair", rule.path), Some("write `[\"pattern\", \"text\"]`".to_owned()));
            return None;
        };
        let (text, with) = (pattern.text()?, with.text()?);
        match regex::Regex::new(text) {
            Ok(regex) => Some((regex, with.to_owned())),
            Err(why) => {
                pattern.problem(format!("`{text}` is not a regular expression: {}", last_line(&why)), None);
                None
            }
        }
    });
    let correct = correct.collect();
    Numbering { region, correct }
}

fn last_line(why: &regex::Error) -> String {
    let text = why.to_string();
    text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
}

fn allow(table: &Table<'_>) -> Vec<HostPattern> {
    let texts = table.take("allow").map(|node| node.texts()).unwrap_or_default();
    texts.into_iter().filter_map(|(_, node)| node.parse()).collect()
}

fn timeout(table: &Table<'_>) -> Duration {
    let or = Duration::from_secs(30);
    let Some(node) = table.take("timeout") else { return or };
    match node.duration() {
        Some(timeout) if timeout.is_zero() || timeout > Duration::from_secs(600) => {
            node.problem("`timeout` must be from 1ms to 10m", None);
            or
        }
        timeout => timeout.unwrap_or(or),
    }
}

/// Component and settings: what sources and sinks have in common.
fn uses(table: &Table<'_>) -> (Option<String>, Option<Settings>) {
    table.hint("what belongs to the component stands under `settings = { … }`");
    let component = table.need("component").and_then(|node| node.text()).map(str::to_owned);
    let settings = match table.take("settings") {
        Some(node) => Settings::read(&node),
        None => Some(Settings::default()),
    };
    (component, settings)
}

/// The longest wait for a connection that was lost: nothing is seen meanwhile.
const RECONNECT_CEILING: Duration = Duration::from_secs(60);

impl Source {
    fn read(name: &str, table: &Table<'_>) -> Option<Self> {
        if name == MANUAL {
            table.problem(
                format!("`{MANUAL}` is the source of calls logged by hand"),
                Some("choose another".to_owned()),
            );
        }
        let (component, settings) = uses(table);
        let paths = claims::paths(table.take("paths"), false, false);
        let clients = Networks::read(table, "clients");
        let (databases, allow, timeout) = (database::read(table), allow(table), timeout(table));
        let recordings = Archive::read(table);
        let rate = table.take("rate").and_then(|node| node.rate());
        let silence = table.take("silence").and_then(|node| Silence::read(&node));
        let ca = table.take("ca").and_then(|node| Authority::read(&node));
        let backoff = backoff(table, Backoff { ceiling: RECONNECT_CEILING, ..Backoff::default() });
        let (name, place) = (name.to_owned(), table.place());
        let (component, settings) = (component?, settings?);
        Some(Source {
            name,
            component,
            settings,
            databases,
            paths,
            clients,
            allow,
            timeout,
            rate,
            silence,
            recordings,
            ca,
            backoff,
            place,
        })
    }
}

impl Sink {
    fn read(name: &str, table: &Table<'_>) -> Option<Self> {
        let (component, settings) = uses(table);
        let number = |key, least, most, or| {
            let found = table.take(key).and_then(|node: Node<'_>| node.number(least..=most));
            found.unwrap_or(or)
        };
        let listen = claims::listen(table.take("listen"));
        let sink = Sink {
            name: name.to_owned(),
            component: component.unwrap_or_default(),
            settings: settings.unwrap_or_default(),
            databases: database::read(table),
            paths: claims::paths(table.take("paths"), true, listen.is_some()),
            listen,
            clients: Networks::read(table, "clients"),
            allow: allow(table),
            concurrency: number("concurrency", 1, 1024, 4) as usize,
            rate: table.take("rate").and_then(|node| node.rate()),
            attempts: number("attempts", 1, 1000, 12) as u32,
            backoff: backoff(table, Backoff::default()),
            timeout: timeout(table),
            breaker: breaker(table),
            batch: table.take("batch").and_then(|node| node.number(1..=1000)).map(|batch| batch as usize),
            place: table.place(),
        };
        (!sink.component.is_empty()).then_some(sink)
    }
}

fn backoff(table: &Table<'_>, mut backoff: Backoff) -> Backoff {
    let Some(node) = table.take("backoff") else { return backoff };
    let Some(table) = node.table() else { return backoff };
    backoff.first = table.take("first").and_then(|node| node.duration()).unwrap_or(backoff.first);
    backoff.ceiling = table.take("ceiling").and_then(|node| node.duration()).unwrap_or(backoff.ceiling);
    if backoff.first.is_zero() {
        node.problem("`backoff.first` must be longer than nothing", None);
    } else if backoff.first > backoff.ceiling {
        node.problem("`backoff.first` is longer than `backoff.ceiling`", None);
    }
    backoff
}

fn breaker(table: &Table<'_>) -> Breaker {
    let mut breaker = Breaker::default();
    let Some(table) = table.take("breaker").and_then(|node| node.table()) else { return breaker };
    let failures = table.take("failures").and_then(|node| node.number(1..=1000));
    breaker.failures = failures.map_or(breaker.failures, |failures| failures as u32);
    breaker.pause = table.take("pause").and_then(|node| node.duration()).unwrap_or(breaker.pause);
    breaker
}

impl Agent {
    fn read(table: &Table<'_>) -> Option<Self> {
        let word = |key| table.take(key).and_then(|node: Node<'_>| node.text()).map(str::to_owned);
        let extensions = table.take("extensions").map(|node| node.texts()).unwrap_or_default();
        let users = table.take("users").and_then(|node| node.table());
        let users = users.iter().flat_map(Table::entries);
        Some(Agent {
            name: word("name"),
            login: word("login"),
            extensions: extensions.into_iter().map(|(text, _)| text.to_owned()).collect(),
            users: users.filter_map(|(sink, node)| Some((sink.to_owned(), node.text()?.to_owned()))).collect(),
        })
    }
}

impl Route {
    fn read(table: &Table<'_>, declared: &Declared<'_>) -> Option<Self> {
        let names = |node: Option<Node<'_>>| -> Vec<String> {
            let texts = node.map(|node| node.texts()).unwrap_or_default();
            texts.into_iter().map(|(text, _)| text.to_owned()).collect()
        };
        let mut from = names(table.need("from"));
        if from.iter().any(|name| name == "*") {
            // What a sink reports is routed by the sink's name alone, or it would go back to where it came from.
            from = declared.sources.iter().copied().chain([MANUAL]).map(str::to_owned).collect();
        }
        let to = names(table.need("to"));
        for (list, key) in [(&to, "to"), (&from, "from")] {
            let twice = list.iter().enumerate().find(|(at, name)| list[..*at].contains(name));
            if let Some((_, name)) = twice {
                table.problem(format!("`{key}` names `{name}` twice"), None);
            }
        }
        let when = table.take("when").and_then(|node| condition(&node, Scope::Event));
        let holds = table.take("while").and_then(|node| condition(&node, Scope::Record));
        let ttl = table.take("ttl").and_then(|node| {
            let ttl = node.duration()?;
            if ttl < Duration::from_secs(1) {
                node.problem("`ttl` is under a second: the delivery would be stale at once", None);
            } else if ttl > Duration::from_secs(86_400) {
                let hint = "leave `ttl` out for deliveries that last".to_owned();
                node.problem("`ttl` is over a day: that is no popup", Some(hint));
            }
            Some(ttl)
        });
        Some(Route { from, to, when, holds, ttl, place: table.place() })
    }
}

fn condition(node: &Node<'_>, scope: Scope) -> Option<Arc<Condition>> {
    let text = node.text()?;
    match Condition::parse(text, scope) {
        Ok(condition) => Some(Arc::new(condition)),
        Err(misfit) => {
            let what = format!("`{}`: {misfit}", node.path);
            node.problem_within(text, misfit.offset, what, misfit.hint.clone());
            None
        }
    }
}

impl ApiKey {
    fn read(table: &Table<'_>) -> Option<Self> {
        let name = table.need("name").and_then(|node| node.text());
        let role = table.need("role").and_then(|node| {
            node.word(&[("agent", Role::Agent), ("supervisor", Role::Supervisor), ("admin", Role::Admin)])
        });
        let sha256 = table.need("sha256").and_then(|node| {
            let bytes = hex::decode(node.text()?).ok().and_then(|bytes| bytes.try_into().ok());
            if bytes.is_none() {
                node.problem(
                    "`sha256` is not 64 hex digits",
                    Some(
                        "it is the SHA-256 of the whole key, `ck_` included: `printf %s \"$KEY\" | sha256sum`"
                            .to_owned(),
                    ),
                );
            }
            bytes
        });
        Some(ApiKey { name: name?.to_owned(), sha256: sha256?, role: role?, place: table.place() })
    }
}
