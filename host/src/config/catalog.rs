//! What the components say of themselves, and whether the uses of them in a configuration fit.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::document::Place;
use super::hosts::{Host, HostPattern};
use super::plan::Plan;
use super::problem::{Problem, Problems};
use super::settings::Settings;
use super::suggest::suggestion;

/// What a component offers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    /// JSON Schema of its settings.
    pub schema: Value,
    /// It can be used as a source.
    pub source: bool,
    /// It can be used as a sink.
    pub sink: bool,
    /// It knows people by their number.
    pub directory: bool,
    /// The outside can call it.
    pub endpoint: bool,
    /// Hosts that it needs.
    pub hosts: Vec<String>,
}

/// The components that are there.
pub trait Catalog {
    /// What the component of that name offers; absent when there is none.
    fn offer(&self, component: &str) -> Option<Offer>;
    /// The names of all.
    fn names(&self) -> Vec<String>;
}

impl Plan {
    /// Checks every use of a component against what the component says of itself. Gives back what is odd without
    /// being wrong.
    pub fn check_components(&self, catalog: &dyn Catalog) -> Result<Vec<Problem>, Problems> {
        let mut check = Check { catalog, problems: Vec::new(), warnings: Vec::new() };
        for tenant in self.tenants.values() {
            for source in tenant.sources.values() {
                let part = Part { name: &source.name, place: &source.place, settings: &source.settings };
                check.part(&part, &source.component, &source.allow, ("source", |offer| offer.source));
            }
            for sink in tenant.sinks.values() {
                let part = Part { name: &sink.name, place: &sink.place, settings: &sink.settings };
                check.part(&part, &sink.component, &sink.allow, ("sink", |offer| offer.sink));
            }
            for sink in tenant.sinks.values().filter(|sink| !sink.paths.is_empty()) {
                if catalog.offer(&sink.component).is_some_and(|offer| !offer.endpoint) {
                    let what =
                        format!("`{}` claims paths, and its component `{}` answers nobody", sink.name, sink.component);
                    let hint = "take out `paths`, or use a component that exports `endpoint`".to_owned();
                    check.problems.push(sink.place.problem(what, Some(hint)));
                }
            }
            for name in tenant.directory.sinks.iter().flatten() {
                let component = tenant.sinks.get(name).map_or("", |sink| sink.component.as_str());
                if catalog.offer(component).is_some_and(|offer| !offer.directory) {
                    let what = format!("the directory asks `{name}`, whose component `{component}` knows nobody");
                    let hint = "name a sink whose component exports `directory`".to_owned();
                    check.problems.push(tenant.directory.place.problem(what, Some(hint)));
                }
            }
        }
        if check.problems.is_empty() { Ok(check.warnings) } else { Err(Problems(check.problems)) }
    }
}

/// A source or a sink.
struct Part<'a> {
    name: &'a str,
    place: &'a Place,
    settings: &'a Settings,
}

/// Settings that a component's schema wants a warning for: `"x-warning": { "when": …, "text": … }` beside a property
/// warns when the setting has that value.
fn daring<'a>(schema: &'a Value, settings: &Value) -> Vec<(&'a str, &'a str)> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let warned = properties.filter_map(|(name, property)| {
        let warning = property.get("x-warning")?;
        let value = settings.get(name)?;
        (warning["when"] == *value).then(|| Some((name.as_str(), warning["text"].as_str()?)))?
    });
    warned.collect()
}

struct Check<'a> {
    catalog: &'a dyn Catalog,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Check<'_> {
    fn part(
        &mut self,
        part: &Part<'_>,
        component: &str,
        allow: &[HostPattern],
        (role, fits): (&str, fn(&Offer) -> bool),
    ) {
        let Some(offer) = self.catalog.offer(component) else {
            let names = self.catalog.names();
            let what = format!("{role} `{}` uses the component `{component}`, which is not there", part.name);
            let hint = suggestion(component, names.iter().map(String::as_str));
            self.problems.push(part.place.problem(what, Some(hint)));
            return;
        };
        if !fits(&offer) {
            let what = format!("the component `{component}` of `{}` cannot be used as a {role}", part.name);
            self.problems.push(part.place.problem(what, None));
            return;
        }
        let settings: Value = serde_json::from_str(part.settings.reveal()).unwrap_or_default();
        match jsonschema::validator_for(&offer.schema) {
            Ok(validator) => {
                for error in validator.iter_errors(&settings) {
                    self.misfit(part, &offer.schema, &error);
                }
            }
            Err(why) => {
                let what = format!("the settings schema of the component `{component}` is not a JSON Schema: {why}");
                self.problems.push(part.place.problem(what, None));
            }
        }
        let mut search = Search { root: &offer.schema, settings: part.settings, found: BTreeSet::new() };
        search.walk(&offer.schema, &settings, &mut String::new(), false, 0);
        for pointer in search.found {
            let what = format!("`{}` of `{}` is a secret and must not stand in the file", dotted(&pointer), part.name);
            let hint = Some("write `{ env = \"NAME\" }` or `{ file = \"path\" }`".to_owned());
            self.problems.push(part.settings.place(&pointer).problem(what, hint));
        }
        for (name, warning) in daring(&offer.schema, &settings) {
            let place = part.settings.place(&format!("/{name}"));
            self.warnings.push(place.problem(format!("`{name}` of `{}`: {warning}", part.name), None));
        }
        for host in offer.hosts.iter().filter_map(|host| needed(host, &settings)) {
            if !allow.is_empty() && allows(allow, &host) {
                continue;
            }
            let what = format!("`{}` needs the host `{host}`, which its `allow` does not name", part.name);
            self.warnings.push(part.place.problem(what, Some(format!("add `\"{host}\"` to `allow`"))));
        }
    }

    /// One complaint of a schema, brought back to its line.
    fn misfit(&mut self, part: &Part<'_>, schema: &Value, error: &ValidationError<'_>) {
        if let Some(rule) = rule(schema, error.evaluation_path().as_str()) {
            let place = part.settings.place(error.instance_path().as_str());
            let place = if place.line == 0 { part.place.clone() } else { place };
            self.problems.push(place.problem(format!("`settings` of `{}`: {rule}", part.name), None));
            return;
        }
        // A choice that fits nowhere: the complaints of the choice that went deepest say most.
        if let ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } = error.kind() {
            let depth = |errors: &&Vec<ValidationError<'static>>| {
                errors.iter().map(|error| error.instance_path().as_str().matches('/').count()).max()
            };
            let own = error.instance_path().as_str().matches('/').count();
            if let Some(nearest) = context.iter().max_by_key(depth).filter(|nearest| depth(nearest) > Some(own)) {
                nearest.iter().for_each(|error| self.misfit(part, schema, error));
                return;
            }
        }
        let pointer = error.instance_path().as_str();
        let place = part.settings.place(pointer);
        let path = dotted(pointer);
        let (place, what, hint) = match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected }
            | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                for name in unexpected {
                    let parent = error.schema_path().as_str().rsplit_once('/').map_or("", |(parent, _)| parent);
                    let known = schema.pointer(parent).and_then(|parent| parent.get("properties"));
                    let known = known.and_then(Value::as_object);
                    let known = known.iter().flat_map(|known| known.keys().map(String::as_str));
                    let own = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    let what = format!("`{}` is not a setting of the component of `{}`", dotted(&own), part.name);
                    let hint = suggestion(name, known);
                    self.problems.push(part.settings.place(&own).problem(what, Some(hint)));
                }
                return;
            }
            ValidationErrorKind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let what = format!("`{path}` of `{}` has no `{name}`", part.name);
                let place = if pointer.is_empty() && place.line == 0 { part.place.clone() } else { place };
                (place, what, Some(format!("add `{name} = …`")))
            }
            ValidationErrorKind::Enum { options } => {
                let words = options.as_array().into_iter().flatten().filter_map(Value::as_str);
                let hint = error.instance().as_str().map(|word| suggestion(word, words));
                (place, self.told(part, &path, error), hint)
            }
            _ => (place, self.told(part, &path, error), None),
        };
        self.problems.push(place.problem(what, hint));
    }

    /// The schema's own words; without the value when a secret is or may be in it.
    fn told(&self, part: &Part<'_>, path: &str, error: &ValidationError<'_>) -> String {
        let words = if part.settings.has_secret_at(error.instance_path().as_str()) || error.instance().is_object() {
            error.masked_with("it").to_string()
        } else {
            error.to_string()
        };
        format!("`{path}` of `{}`: {words}", part.name)
    }
}

/// The words of the rule that a complaint is of: the `description` of the `then` or `else` that led to it.
fn rule<'a>(schema: &'a Value, complaint: &str) -> Option<&'a str> {
    let ends = complaint.match_indices('/').map(|(at, _)| at).chain([complaint.len()]);
    let mut around = ends.filter_map(|end| complaint[..end].rsplit_once('/'));
    let (above, name) = around.rfind(|(above, name)| {
        ["then", "else"].contains(name) && schema.pointer(above).is_some_and(|above| above.get("if").is_some())
    })?;
    schema.pointer(above)?.get(name)?.get("description")?.as_str()
}

/// `/urls/0` as `settings.urls[0]`.
fn dotted(pointer: &str) -> String {
    let mut path = "settings".to_owned();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        match part.parse::<usize>() {
            Ok(at) => path.push_str(&format!("[{at}]")),
            Err(_) => path.push_str(&format!(".{part}")),
        }
    }
    path
}

/// Finds the texts that the schema calls secret and that stand in the file.
struct Search<'a> {
    root: &'a Value,
    settings: &'a Settings,
    found: BTreeSet<String>,
}

impl Search<'_> {
    fn walk(&mut self, schema: &Value, value: &Value, pointer: &mut String, secret: bool, depth: usize) {
        if depth > 32 {
            return;
        }
        let secret = secret || schema.get("writeOnly") == Some(&Value::Bool(true));
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        let choices = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema.get(key)?.as_array());
        let choices = choices.flatten().chain(target.and_then(|target| self.root.pointer(target)));
        for choice in choices.cloned().collect::<Vec<_>>() {
            self.walk(&choice, value, pointer, secret, depth + 1);
        }
        let none = Value::Null;
        let length = pointer.len();
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let known = schema.get("properties").and_then(|properties| properties.get(name));
                    let schema = known.or(schema.get("additionalProperties")).unwrap_or(&none);
                    pointer.push('/');
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    self.walk(schema, member, pointer, secret, depth + 1);
                    pointer.truncate(length);
                }
            }
            Value::Array(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    let first = schema.get("prefixItems").and_then(|items| items.get(at));
                    let schema = first.or(schema.get("items")).unwrap_or(&none);
                    pointer.push_str(&format!("/{at}"));
                    self.walk(schema, element, pointer, secret, depth + 1);
                    pointer.truncate(length);
                }
            }
            Value::String(text) if secret && !text.is_empty() && !self.settings.is_secret(pointer) => {
                self.found.insert(pointer.clone());
            }
            _ => {}
        }
    }
}

/// The host that a component's `api.example.com`, `*.example.com` or `{setting}` stands for; absent when the setting is.
fn needed(host: &str, settings: &Value) -> Option<String> {
    match host.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        None => Some(host.to_owned()),
        Some(setting) => {
            let text = settings.get(setting)?.as_str()?;
            match url::Url::parse(text).ok().filter(url::Url::has_host) {
                Some(url) => Some(url.host_str()?.trim_matches(['[', ']']).to_owned()),
                None => Some(HostPattern { port: None, ..text.parse().ok()? }.to_string()),
            }
        }
    }
}

/// Whether a list names a host; lists with networks may do so after the name is looked up.
fn allows(allow: &[HostPattern], host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    allow.iter().any(|pattern| match (&pattern.host, address) {
        (Host::Name(name), _) => name.eq_ignore_ascii_case(host),
        (Host::Under(name), _) => {
            let host = host.strip_prefix("*.").unwrap_or(host);
            host.eq_ignore_ascii_case(name) || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'))
        }
        (Host::Address(own), Some(address)) => *own == address,
        (Host::Network(network), Some(address)) => network.contains(&address),
        (Host::Address(_) | Host::Network(_), None) => true,
    })
}
