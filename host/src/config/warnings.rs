//! What is odd about a configuration without being wrong.

use super::document::Place;
use super::hub::{Hub, TokenKeys};
use super::problem::Problem;
use super::tenant::{Route, Source, Tenant};
use crate::model::{EVENT_TYPES, Kind, kind_of};

/// Shorter secrets can be guessed.
const SECRET: usize = 32;

pub(super) fn of_hub(hub: &Hub) -> Vec<Problem> {
    let place = Place { file: "cordboard.toml".to_owned(), line: 0, column: 0 };
    let mut warnings = Vec::new();
    match hub.auth.as_ref().map(|auth| &auth.keys) {
        None => {
            let hint = "set CORDBOARD_JWT_SECRET, or write an `[auth]` table".to_owned();
            warnings.push(place.problem("nobody can call the API: there is nothing to check tokens with", Some(hint)));
        }
        Some(TokenKeys::Secret(secret)) if secret.reveal().len() < SECRET => {
            let what = format!("the secret that tokens are signed with is shorter than {SECRET} bytes");
            warnings.push(place.problem(what, Some("make one with `openssl rand -base64 32`".to_owned())));
        }
        Some(_) => {}
    }
    if hub.encryption.is_none() {
        let hint = "set CORDBOARD_KEY, or write a `[keys]` table".to_owned();
        let what =
            "there is no key to seal grants with: one is made and kept beside the store, which serves one node only";
        warnings.push(place.problem(what, Some(hint)));
    }
    warnings
}

pub(super) fn of_tenant(tenant: &Tenant) -> Vec<Problem> {
    let mut warnings: Vec<Problem> = tenant.routes.iter().filter_map(idle).collect();
    for sink in tenant.sinks.values() {
        if !tenant.routes.iter().any(|route| route.to.contains(&sink.name)) {
            let what = format!("no route leads to the sink `{}`", sink.name);
            warnings.push(sink.place.problem(what, None));
        }
    }
    warnings
}

/// Recordings that CRMs could have a link to, if the hub knew how it is reached.
pub(super) fn of_links(hub: &Hub, tenant: &Tenant) -> Vec<Problem> {
    if hub.public_url.is_some() || tenant.sinks.is_empty() {
        return Vec::new();
    }
    let sources = tenant.sources.values().filter(|source| source.recordings.is_some());
    let warning = |source: &Source| {
        let hint = "set `public_url` in cordboard.toml".to_owned();
        source.place.problem(format!("CRMs get no links to the recordings of `{}`", source.name), Some(hint))
    };
    sources.map(warning).collect()
}

/// A route that selects nothing, whatever happens.
fn idle(route: &Route) -> Option<Problem> {
    let selected = |event_type: &str| route.when.as_ref().is_none_or(|when| when.may_select(event_type));
    let kinds: Vec<Kind> =
        EVENT_TYPES.iter().filter(|(word, _)| selected(word)).filter_map(|(word, _)| kind_of(word)).collect();
    if kinds.is_empty() {
        return Some(route.place.problem("the route's `when` holds for no event", None));
    }
    let holds = route.holds.as_ref()?;
    if kinds.iter().any(|kind| holds.may_hold(*kind)) {
        return None;
    }
    Some(route.place.problem("the route's `while` holds for no record that its `when` selects", None))
}
