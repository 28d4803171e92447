//! The reading that is to be done: what goes on by itself, and what a connected session starts.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::json;

use crate::settings::Plan;

/// A repair of each session goes on by itself: each time the source is put to work, whatever was told meanwhile may have
/// been lost.
pub fn standing(plan: &Plan, now: Instant) -> Vec<Job> {
    let sessions = plan.settings.sessions.iter().filter(|_| plan.settings.repair.auto);
    sessions.map(|session| job(plan, "repair", session, json!({ "session": session, "at": now }), None)).collect()
}

/// What is to be read when a session has been connected at this moment. The same webhook twice starts nothing twice: a
/// repair that runs goes on at once, and a synchronization is not begun anew within `sync.min_interval`.
pub fn connected(plan: &Plan, session: &str, at: Instant) -> Vec<Job> {
    let (sync, repair) = (&plan.settings.sync, &plan.settings.repair);
    let parameters = || json!({ "session": session, "at": at, "delay": sync.delay });
    let since = at.saturating_sub(sync.min_interval * 1000);
    let sync = sync.auto.then(|| job(plan, "sync", session, parameters(), Some(since)));
    let repair = repair.auto.then(|| job(plan, "repair", session, parameters(), Some(at)));
    sync.into_iter().chain(repair).collect()
}

/// What is to be read when a webhook without a time comes again: how the session is, by the server itself.
pub fn again(plan: &Plan, session: &str, at: Instant) -> Job {
    Job { session: None, ..job(plan, "look", session, json!({ "session": session }), Some(at)) }
}

/// The one job of its kind for a session, whoever starts it.
fn job(plan: &Plan, kind: &str, session: &str, parameters: serde_json::Value, anew: Option<Instant>) -> Job {
    let id = match plan.settings.sessions.as_slice() {
        [_] => kind.to_owned(),
        _ => format!("{kind}/{session}"),
    };
    Job { id, kind: kind.to_owned(), parameters: parameters.to_string(), session: Some(session.to_owned()), anew }
}
