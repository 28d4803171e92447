//! Recordings are copied before the PBX takes them away.
//!
//! Nothing is queued: every so often the calls that began lately are looked at, and what has no copy yet is copied. So a
//! crash loses nothing, and what failed is tried again as long as the configuration says. Each source is looked at on its
//! own: one whose recordings cannot be reached, or only slowly, holds up no other.

mod memory;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant as Clock};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::config::{Plan, Source, Storage};
use crate::delivery::Alert;
use crate::model::{Instant, Item};
use crate::recordings::{Copied, Uncopied, Wanted};
use crate::store::{CallFilter, Record};
use memory::{Failing, Memory};

/// Between two looks at the calls that began lately.
const PAUSE: Duration = Duration::from_secs(15);

/// What began lately.
const LATELY: Duration = Duration::from_secs(4 * 3600);

/// Calls that are read at once.
const PAGE: u32 = 200;

/// A tenant and a source of its.
type Name = (String, String);

/// Copies until the hub stops.
pub(super) async fn copy(hub: Weak<Hub>, stop: CancellationToken) {
    let mut rounds = Rounds::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return rounds.running.shutdown().await,
        }
        let Some(hub) = hub.upgrade() else { return };
        let plan = hub.plan.load_full();
        rounds.keep(|name| copied(&plan, name).is_some());
        let names = plan
            .tenants
            .values()
            .flat_map(|tenant| tenant.sources.keys().map(|source| (tenant.name.clone(), source.clone())));
        for name in names.filter(|name| copied(&plan, name).is_some()) {
            let (hub, plan) = (hub.clone(), plan.clone());
            rounds.begin(&name.clone(), |memory| round(hub, plan, name, memory));
        }
    }
}

/// Where to, and from which source, if the recordings of this one are copied.
fn copied<'a>(plan: &'a Plan, (tenant, name): &Name) -> Option<(&'a Storage, &'a Source)> {
    let source = plan.tenants.get(tenant)?.sources.get(name).filter(|source| source.recordings.is_some())?;
    Some((plan.hub.recordings.copies.as_ref()?, source))
}

/// The rounds of all sources.
#[derive(Default)]
struct Rounds {
    /// Held by the round that is under way.
    memories: HashMap<Name, Arc<Mutex<Memory>>>,
    running: JoinSet<()>,
}

impl Rounds {
    /// Begins a round of this source, unless its last one is still under way.
    fn begin<R>(&mut self, name: &Name, round: impl FnOnce(OwnedMutexGuard<Memory>) -> R)
    where
        R: Future<Output = ()> + Send + 'static,
    {
        while self.running.try_join_next().is_some() {}
        let memory = self.memories.entry(name.clone()).or_default().clone();
        if let Ok(memory) = memory.try_lock_owned() {
            self.running.spawn(round(memory));
        }
    }

    /// Forgets all other sources.
    fn keep(&mut self, copied: impl Fn(&Name) -> bool) {
        self.memories.retain(|name, _| {
            let stays = copied(name);
            if !stays {
                failing(name).set(0.0);
            }
            stays
        });
    }
}

fn failing((tenant, source): &Name) -> metrics::Gauge {
    metrics::gauge!("cordboard_recordings_failing", "tenant" => tenant.clone(), "source" => source.clone())
}

/// Looks once at the calls of a source, and copies what has no copy.
async fn round(hub: Arc<Hub>, plan: Arc<Plan>, name: Name, mut memory: OwnedMutexGuard<Memory>) {
    let Some((storage, source)) = copied(&plan, &name) else { return };
    let (tenant, now) = (name.0.as_str(), Instant::now());
    for (recording, Failing { call, why, .. }) in memory.give_up(now) {
        let source = &source.name;
        tracing::error!(tenant, source, call, recording, "a recording was never copied, nor will it be: {why}");
        metrics::counter!("cordboard_recordings_uncopied_total", "tenant" => tenant.to_owned(), "source" => source.clone())
            .increment(1);
    }
    let all = memory.begins_all(now, Clock::now());
    let since = now.before(if all { storage.within } else { LATELY.min(storage.within) });
    let mut round = Round { hub: &hub, tenant, source, within: storage.within, all, memory: &mut memory };
    let broken_off = round.copy_since(since).await.is_err();
    if let Some((lasting, why)) = memory.ends(all, broken_off, Clock::now()) {
        let minutes = lasting.as_secs() / 60;
        let why = format!("no recording of the source `{}` was copied for {minutes} minutes: {why}", source.name);
        let (tenant, name) = (tenant.to_owned(), source.name.clone());
        hub.bell.ring(Alert { kind: "uncopied", tenant, name, delivery: None, why, more: 0 });
    }
    // Nobody would take it back from a source that is gone by now.
    if copied(&hub.plan.load(), &name).is_some() {
        failing(&name).set(memory.failing() as f64);
    }
}

struct Round<'a> {
    hub: &'a Hub,
    tenant: &'a str,
    source: &'a Source,
    within: Duration,
    all: bool,
    memory: &'a mut Memory,
}

/// Nothing more can be copied now.
struct Stuck;

impl Round<'_> {
    async fn copy_since(&mut self, since: Instant) -> Result<(), Stuck> {
        let source = Some(self.source.name.clone());
        let filter = CallFilter { source, from: Some(since), ..CallFilter::default() };
        let mut after = None;
        loop {
            let page = match self.hub.store.calls(self.tenant, &filter, after.as_deref(), PAGE).await {
                Ok(page) => page,
                Err(why) => {
                    tracing::warn!(tenant = self.tenant, "recordings to copy cannot be looked for: {why}");
                    return Ok(());
                }
            };
            for record in &page.items {
                self.copy_call(record).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn copy_call(&mut self, record: &Record) -> Result<(), Stuck> {
        let Item::Call(call) = &record.item else { return Ok(()) };
        let until = call.started_at.unwrap_or(record.created_at).after(self.within);
        let (tenant, source) = (self.tenant, &self.source.name);
        for recording in &call.recordings {
            let id = &recording.id;
            if !self.memory.looks_at(id, self.all, Clock::now()) {
                continue;
            }
            let entry = self.hub.reception.entry(tenant, source);
            let wanted = Wanted {
                tenant,
                record,
                call,
                recording,
                archive: self.source.recordings.as_ref(),
                source: entry.map(|entry| entry.component.component().clone()),
            };
            match self.hub.recordings.copy(&wanted, self.memory.length(id)).await {
                Copied::Early => {}
                Copied::Done(length) => {
                    if self.memory.copied(id, length, until) {
                        tracing::info!(tenant, source, "recordings are copied again");
                    }
                }
                Copied::Failed(Uncopied { why, general }) => {
                    let call = record.id;
                    if self.memory.failed(id, Failing { call, until, why: why.clone() }, Clock::now()) {
                        tracing::warn!(tenant, source, call, recording = id, "a recording is not copied yet: {why}");
                    }
                    if self.memory.breaks_off(general) {
                        return Err(Stuck);
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_source_whose_place_is_dead_holds_up_nobody_else() {
        let mut rounds = Rounds::default();
        let name = |source: &str| ("acme".to_owned(), source.to_owned());
        let (mut dead, mut alive) = (0, 0);
        for _ in 0..3 {
            rounds.begin(&name("dead"), |memory| {
                dead += 1;
                async {
                    let _memory = memory;
                    pending().await
                }
            });
            rounds.begin(&name("alive"), |memory| {
                alive += 1;
                drop(memory);
                ready(())
            });
        }
        assert_eq!((dead, alive), (1, 3));
        rounds.keep(|kept| *kept == name("alive"));
        assert_eq!(rounds.memories.keys().collect::<Vec<_>>(), [&name("alive")]);
    }
}
