//! Media of messages is fetched as soon as the message is known, before its link expires; no message waits for it.
//!
//! Nothing is queued in the store: what a message has and the folder does not is owed. What was being fetched when the
//! hub died is found again when it starts, as long as the configuration says. What cannot be had is said of the message
//! itself, in the attribute `media-missing`.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant as Clock};

use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::media::Attached;
use crate::model::{Event, Instant, Item, Message, Observation, Trust};
use crate::recordings::Unserved;
use crate::store::{Record, StoreError};

/// After a failure a file waits so long, then twice as long each time.
const FIRST: Duration = Duration::from_secs(15);

/// The longest wait.
const CEILING: Duration = Duration::from_secs(3600);

/// Files that are owed at most: what is over that is found at the next look at everything.
const OWED: usize = 20_000;

/// The attribute that says why there is no file.
const MISSING: &str = "media-missing";

/// A file: whose, of which message, which one, from where.
type Key = (String, i64, String, String);

/// When a file is tried, and how long it waits if that fails.
struct Due {
    at: Clock,
    wait: Duration,
}

/// What became of a try.
enum Tried {
    /// The file is there, or nobody wants it any more.
    Over,
    /// Its place does not answer.
    Later,
}

/// Fetches until the hub stops.
pub(super) async fn fetch(hub: Weak<Hub>, stop: CancellationToken) {
    let Some(mut published) = hub.upgrade().map(|hub| hub.live.published()) else { return };
    let mut owed: HashMap<Key, Due> = HashMap::new();
    let mut trying: JoinSet<(Key, Duration, Tried)> = JoinSet::new();
    if let Some(hub) = hub.upgrade() {
        look(&hub, &mut owed).await;
    }
    loop {
        let next = owed.values().map(|due| due.at).min().unwrap_or_else(|| Clock::now() + CEILING);
        tokio::select! {
            () = stop.cancelled() => return,
            events = published.recv() => match events {
                Ok(events) => events.iter().for_each(|event| owe_event(&mut owed, event)),
                Err(RecvError::Lagged(_)) => {
                    let Some(hub) = hub.upgrade() else { return };
                    look(&hub, &mut owed).await;
                }
                Err(RecvError::Closed) => return,
            },
            Some(tried) = trying.join_next(), if !trying.is_empty() => {
                if let Ok((key, wait, Tried::Later)) = tried {
                    owed.insert(key, Due { at: Clock::now() + wait, wait: (wait * 2).min(CEILING) });
                }
            }
            () = sleep_until(next.into()) => {
                let Some(hub) = hub.upgrade() else { return };
                // No more than may be fetched at once: the others wait here, and not each in a task of its own.
                let most = hub.plan.load().hub.media.at_once;
                let now = Clock::now();
                let due: Vec<Key> =
                    owed.iter().filter(|(_, due)| due.at <= now).map(|(key, _)| key.clone()).collect();
                for key in due {
                    if trying.len() >= most {
                        // Looked at again when one of them has ended, or in a moment.
                        if let Some(due) = owed.get_mut(&key) {
                            due.at = now + FIRST / 60;
                        }
                    } else if let Some(Due { wait, .. }) = owed.remove(&key) {
                        let hub = hub.clone();
                        trying.spawn(async move {
                            let tried = attempt(&hub, &key).await;
                            (key, wait, tried)
                        });
                    }
                }
            }
        }
    }
}

/// Everything that came in lately and is owed.
async fn look(hub: &Arc<Hub>, owed: &mut HashMap<Key, Due>) {
    let plan = hub.plan.load_full();
    let since = Instant::now().before(plan.hub.media.within);
    for tenant in plan.tenants.keys() {
        let mut before = None;
        loop {
            let records = match hub.store.attached_since(tenant, since, before).await {
                Ok(records) => records,
                Err(why) => {
                    tracing::warn!(tenant, "media to fetch cannot be looked for: {why}");
                    break;
                }
            };
            let Some(last) = records.last() else { break };
            before = Some(last.id);
            records.iter().for_each(|record| owe(owed, tenant, record.id, &record.item));
        }
    }
}

fn owe_event(owed: &mut HashMap<Key, Due>, event: &Event) {
    if event.about.changed.iter().any(|field| field == "media") {
        owe(owed, &event.tenant, event.about.record, &event.about.item);
    }
}

fn owe(owed: &mut HashMap<Key, Due>, tenant: &str, record: i64, item: &Item) {
    let Item::Message(message) = item else { return };
    for media in &message.media {
        let Some(url) = &media.url else { continue };
        if owed.len() >= OWED {
            return tracing::warn!(tenant, "too much media is owed: some is not fetched early");
        }
        let key = (tenant.to_owned(), record, media.id.clone(), url.clone());
        owed.entry(key).or_insert(Due { at: Clock::now(), wait: FIRST });
    }
}

/// Tries one file.
async fn attempt(hub: &Hub, (tenant, record, media, url): &Key) -> Tried {
    let record = match hub.store.record(tenant, *record).await {
        Ok(Some(record)) => record,
        Ok(None) => return Tried::Over,
        Err(_) => return Tried::Later,
    };
    let Item::Message(message) = &record.item else { return Tried::Over };
    // A newer link stands on its own.
    let Some(media) = message.media.iter().find(|it| it.id == *media && it.url.as_ref() == Some(url)) else {
        return Tried::Over;
    };
    let source = hub.reception.entry(tenant, &record.subject.source).map(|entry| entry.component.component().clone());
    let attached = Attached { tenant, record: &record, media, source };
    let told = message.attributes.iter().find(|(name, _)| name == MISSING).map_or("", |(_, why)| why.as_str());
    if hub.media.has(&attached) && told.is_empty() {
        return Tried::Over;
    }
    let why = match hub.media.file(&attached).await {
        Ok(_) => String::new(),
        Err(Unserved::Later(why)) => {
            if record.created_at.after(hub.plan.load().hub.media.within) > Instant::now() {
                return Tried::Later;
            }
            why
        }
        Err(Unserved::Missing(why, _) | Unserved::Form(why)) => why,
        Err(Unserved::Failed) => return Tried::Later,
    };
    if why != told {
        match say(hub, tenant, &record, &why).await {
            Ok(()) => {}
            Err(why) if why.passing() => return Tried::Later,
            Err(why) => tracing::warn!(tenant, message = record.id, "why media is missing was not noted: {why}"),
        }
    }
    Tried::Over
}

/// Says of the message why there is no file, or that there is one after all.
async fn say(hub: &Hub, tenant: &str, record: &Record, why: &str) -> Result<(), StoreError> {
    if !why.is_empty() {
        tracing::warn!(tenant, message = record.id, "media is not fetched: {why}");
        metrics::counter!("cordboard_media_missing_total", "tenant" => tenant.to_owned()).increment(1);
    }
    let Some(entry) = hub.reception.entry(tenant, &record.subject.source) else { return Ok(()) };
    let attributes = vec![(MISSING.to_owned(), why.to_owned())];
    let observation = Observation {
        id: record.subject.id.clone(),
        also: Vec::new(),
        at: None,
        trust: Trust::Settled,
        item: Item::Message(Message { attributes, ..Message::default() }),
    };
    hub.store.commit(entry.intake(Instant::now(), vec![observation])).await.map(drop)
}
