//! Recordings are copied before the PBX takes them away.
//!
//! Nothing is queued: every so often the calls that began lately are looked at, and what has no copy yet is copied. So a
//! crash loses nothing, and what failed is tried again as long as the configuration says.

use std::collections::{HashMap, HashSet};
use std::sync::Weak;
use std::time::{Duration, Instant as Clock};

use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::config::{Source, Tenant};
use crate::model::{Instant, Item};
use crate::recordings::{Copied, Wanted};
use crate::store::{CallFilter, Record};

/// Between two looks at the calls that began lately.
const PAUSE: Duration = Duration::from_secs(15);

/// What began lately.
const LATELY: Duration = Duration::from_secs(4 * 3600);

/// Between two looks at all calls whose recordings are still to be tried.
const ALL: Duration = Duration::from_secs(3600);

/// Calls that are read at once.
const PAGE: u32 = 200;

/// After a failure a recording waits so long, then twice as long, up to [`ALL`].
const FIRST: Duration = Duration::from_secs(30);

/// Remembered so that the storage is not asked again; past that many the memory is begun anew.
const REMEMBERED: usize = 200_000;

/// What is known of recordings, by tenant, source and id.
#[derive(Default)]
struct Memory {
    done: HashSet<String>,
    failed: HashMap<String, (Clock, Duration)>,
}

/// Copies until the hub stops.
pub(super) async fn copy(hub: Weak<Hub>, stop: CancellationToken) {
    let mut memory = Memory::default();
    let mut all_at = Clock::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
        let Some(hub) = hub.upgrade() else { return };
        let plan = hub.plan.load_full();
        let Some(storage) = &plan.hub.recordings.copies else { continue };
        let all = Clock::now() >= all_at;
        if all {
            all_at = Clock::now() + ALL;
        }
        let since = Instant::now().before(if all { storage.within } else { LATELY.min(storage.within) });
        for tenant in plan.tenants.values() {
            for source in tenant.sources.values().filter(|source| source.recordings.is_some()) {
                let round = copy_since(&hub, tenant, source, since, &mut memory);
                tokio::select! {
                    () = round => {}
                    () = stop.cancelled() => return,
                }
            }
        }
        if memory.done.len() + memory.failed.len() > REMEMBERED {
            memory = Memory::default();
        }
    }
}

async fn copy_since(hub: &Hub, tenant: &Tenant, source: &Source, since: Instant, memory: &mut Memory) {
    let filter = CallFilter { source: Some(source.name.clone()), from: Some(since), ..CallFilter::default() };
    let mut after = None;
    loop {
        let page = match hub.store.calls(&tenant.name, &filter, after.as_deref(), PAGE).await {
            Ok(page) => page,
            Err(why) => {
                tracing::warn!(tenant = tenant.name, "recordings to copy cannot be looked for: {why}");
                return;
            }
        };
        for record in &page.items {
            copy_call(hub, tenant, source, record, memory).await;
        }
        after = page.next;
        if after.is_none() {
            return;
        }
    }
}

async fn copy_call(hub: &Hub, tenant: &Tenant, source: &Source, record: &Record, memory: &mut Memory) {
    let Item::Call(call) = &record.item else { return };
    for recording in &call.recordings {
        let key = format!("{}\0{}\0{}", tenant.name, source.name, recording.id);
        let waits = memory.failed.get(&key).is_some_and(|(until, _)| *until > Clock::now());
        if waits || memory.done.contains(&key) {
            continue;
        }
        let wanted = Wanted {
            tenant: &tenant.name,
            record,
            call,
            recording,
            archive: source.recordings.as_ref(),
            source: hub.reception.entry(&tenant.name, &source.name).map(|entry| entry.component.component().clone()),
        };
        match hub.recordings.copy(&wanted).await {
            Copied::Done => {
                memory.failed.remove(&key);
                memory.done.insert(key);
            }
            Copied::Early => {}
            Copied::Failed => {
                let wait = memory.failed.get(&key).map_or(FIRST, |(_, wait)| (*wait * 2).min(ALL));
                memory.failed.insert(key, (Clock::now() + wait, wait));
            }
        }
    }
}
