//! When a source last said something, and whether it should have.
//!
//! A session can say that it is connected and be dead, and an outside system can have forgotten where to post. So the
//! time since the last proved request is looked at while a session of the source is connected, and somebody is told.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Map;

use super::Entry;
use crate::config::Silence;
use crate::delivery::{Alert, Bell};
use crate::live::{Audience, Live};
use crate::model::{Instant, Item, Kind};
use crate::store::{Store, StoreError};

/// What one source has said. It outlives reloads of the configuration.
#[derive(Default)]
pub struct Hearing {
    /// Milliseconds since 1970; 0 when nothing is known.
    heard: AtomicU64,
    silent: Mutex<Option<Instant>>,
}

impl Hearing {
    /// Notes that it said something.
    pub fn heard(&self, at: Instant) {
        self.heard.fetch_max(at.millis(), Ordering::Relaxed);
    }

    /// When it last did.
    pub fn last(&self) -> Option<Instant> {
        Some(self.heard.load(Ordering::Relaxed)).filter(|at| *at > 0).map(Instant::clamped)
    }

    /// Since when it is silent, and should not be.
    pub fn silent(&self) -> Option<Instant> {
        *self.lock()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks whether a source has gone silent, or speaks again, and tells it.
pub async fn listen(
    entry: &Arc<Entry>,
    silence: Option<&Silence>,
    store: &Store,
    live: &Live,
    bell: &Bell,
) -> Result<(), StoreError> {
    let now = Instant::now();
    let since = match expected(entry, silence, store).await? {
        Some((silence, speaks_since)) => {
            let last = last_heard(entry, store, now).await?;
            let from = silence.counts_from(last.max(speaks_since), now);
            from.filter(|from| silence.after.is_some_and(|after| from.after(after) <= now))
        }
        None => None,
    };
    let before = std::mem::replace(&mut *entry.hearing.lock(), since);
    let (tenant, source) = (&entry.tenant.name, &entry.name);
    let tell = |kind: &str, since: Instant| {
        let mut about = Map::new();
        about.insert("source".to_owned(), source.clone().into());
        about.insert("since".to_owned(), since.to_string().into());
        live.notice(tenant, kind, Audience::Everybody, about);
    };
    match (before, since) {
        (None, Some(since)) => {
            tell("source.silent", since);
            let why = format!(
                "the source `{source}` has said nothing since {since}, and its session is connected: look whether the \
                 outside system still posts here, and whether the session is alive (`silence` of the source says when \
                 this is told)"
            );
            let (tenant, name) = (tenant.clone(), source.clone());
            bell.ring(Alert { kind: "silent", tenant, name, delivery: None, why, more: 0 });
        }
        (Some(since), None) => {
            tracing::info!(tenant, source, "the source is not silent any more");
            tell("source.heard", since);
        }
        _ => {}
    }
    Ok(())
}

/// From when on the source should speak, if it should: one with sessions while one of them is connected, one without
/// when the file says so.
async fn expected<'a>(
    entry: &Entry,
    silence: Option<&'a Silence>,
    store: &Store,
) -> Result<Option<(&'a Silence, Instant)>, StoreError> {
    const UNLESS_SAID: &Silence = &Silence::UNLESS_SAID;
    if silence.is_some_and(|silence| silence.after.is_none()) {
        return Ok(None);
    }
    let sessions = store.records(&entry.tenant.name, Kind::Session, None, 1000).await?.items;
    let mut sessions = sessions.into_iter().filter(|record| record.subject.source == entry.name).peekable();
    if sessions.peek().is_none() {
        return Ok(silence.map(|silence| (silence, Instant::default())));
    }
    let connected = sessions.filter(
        |record| matches!(&record.item, Item::Session(session) if session.state.as_deref() == Some("connected")),
    );
    let since = connected.map(|record| record.updated_at).max();
    Ok(since.map(|since| (silence.unwrap_or(UNLESS_SAID), since)))
}

/// When it last said something, as far as that is kept; this moment when nothing is.
async fn last_heard(entry: &Entry, store: &Store, now: Instant) -> Result<Instant, StoreError> {
    if let Some(last) = entry.hearing.last() {
        return Ok(last);
    }
    let last = store.last_intake(&entry.tenant.name, &entry.name).await?.unwrap_or(now);
    entry.hearing.heard(last);
    Ok(last)
}
