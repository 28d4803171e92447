//! One lane: all deliveries of one sink of one tenant, in one task that claims what is due and hands it to the adapter.

mod check;
mod held;

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::alert::Bell;
use super::gate::{Gate, Standing, State};
use super::outcome::{FAULT, Meaning};
use super::{backoff, change};
use crate::components::Exchange;
use crate::components::contract::Change;
use crate::config::{Condition, Rate, Scope, Sink, Tenant};
use crate::grants::Granted;
use crate::model::{self, Item};
use crate::recordings::Links;
use crate::store::{Attempt, Claimed, End, Finished, Lane, Store};
use held::{Claim, Held, claim_of};

/// A claim lasts so long; it is prolonged while the lane lives, so this bounds only how long the deliveries of a dead
/// node wait for another.
pub const LEASE: Duration = Duration::from_secs(60);

/// A lane with nothing due looks again after so long, should a wake-up have been missed.
const IDLE: Duration = Duration::from_secs(30);

/// A lane that could claim nothing does not ask again before.
const IN_VAIN: Duration = Duration::from_millis(50);

/// How long a lane waits for a store that does not answer.
const STORE_GONE: Duration = Duration::from_secs(1);

/// What made the lane pause is tried again so long after the others.
const APART: Duration = Duration::from_secs(60);

/// Claimed ahead: so many times what can be under way at once.
const AHEAD: usize = 4;

/// What a lane is made of.
pub struct Spec {
    /// The tenant, for its people.
    pub tenant: Arc<Tenant>,
    /// The sink's configuration.
    pub sink: Sink,
    /// The adapter.
    pub adapter: Arc<Granted>,
    /// The ledger.
    pub store: Store,
    /// Where a person is told.
    pub bell: Bell,
    /// Links to recordings.
    pub links: Arc<Links>,
    /// How long a claim lasts.
    pub lease: Duration,
}

/// A lane at work.
pub struct Runner {
    pub(super) lane: Lane,
    spec: Spec,
    gate: Mutex<Gate>,
    wake: Notify,
    slots: Arc<Semaphore>,
    rate: Option<DefaultDirectRateLimiter>,
    /// The check has gone well since the last trial.
    checked: AtomicBool,
    /// What waited has been put back into its order since the outside was last seen to be down.
    in_order: AtomicBool,
    /// Something was given back that goes before what is claimed ahead.
    given_back: AtomicBool,
    held: Arc<Held>,
    conditions: Mutex<HashMap<String, Result<Arc<Condition>, String>>>,
    stop: CancellationToken,
}

impl Runner {
    pub(super) fn new(spec: Spec) -> Arc<Self> {
        let known = spec.adapter.component().component().descriptor().rate;
        let known = known.map(|rate| Rate { count: rate.requests, per: rate.per });
        let rate = spec.sink.rate.or(known).and_then(|rate| {
            let burst = std::num::NonZeroU32::new(rate.count)?;
            Quota::with_period(rate.per / rate.count).map(|quota| RateLimiter::direct(quota.allow_burst(burst)))
        });
        Arc::new(Runner {
            lane: Lane { tenant: spec.tenant.name.clone(), sink: spec.sink.name.clone() },
            gate: Mutex::new(Gate::new(&spec.sink)),
            wake: Notify::new(),
            slots: Arc::new(Semaphore::new(spec.sink.concurrency.max(1))),
            rate,
            checked: AtomicBool::new(false),
            in_order: AtomicBool::new(false),
            given_back: AtomicBool::new(false),
            held: Arc::new(Held::new(&spec)),
            conditions: Mutex::default(),
            stop: CancellationToken::new(),
            spec,
        })
    }

    /// Something may be due.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// A person wants it to go on now, whatever it waits for.
    pub(super) fn resume(&self) {
        self.gate().resume();
        self.wake();
    }

    /// How it stands.
    pub(super) fn state(&self) -> State {
        let running = self.spec.sink.concurrency.max(1).saturating_sub(self.slots.available_permits());
        State { running, ..self.gate().state(&self.lane) }
    }

    /// Takes no new work; `run` ends when the calls under way have ended.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many changes go into one call.
    fn batch(&self) -> usize {
        let offered = self.spec.adapter.component().component().descriptor().batch;
        let offered = usize::try_from(offered).unwrap_or(usize::MAX).max(1);
        self.spec.sink.batch.map_or(offered, |wanted| wanted.clamp(1, offered))
    }

    /// Delivers until it is stopped.
    pub(super) async fn run(self: Arc<Self>) {
        let prolonging = tokio::spawn(self.held.clone().prolong(self.spec.store.clone(), self.lane.clone()));
        self.check().await;
        let mut ready = VecDeque::new();
        let mut calls = JoinSet::new();
        while !self.stop.is_cancelled() {
            while calls.try_join_next().is_some() {}
            let standing = self.gate().ask(Instant::now());
            match standing {
                Standing::Go => self.work(&mut ready, &mut calls).await,
                Standing::Trial => self.trial(&mut ready, &mut calls).await,
                Standing::Recheck => self.check().await,
                // What waits is claimed again afterwards, as it stands then.
                Standing::Wait(until) => {
                    self.give_back(&mut ready).await;
                    self.sleep(until).await;
                }
            }
        }
        self.give_back(&mut ready).await;
        while calls.join_next().await.is_some() {}
        prolonging.abort();
    }

    /// Gives back what is claimed and not begun; no try is spent.
    async fn give_back(&self, ready: &mut VecDeque<Claimed>) {
        self.finish(ready.drain(..).map(|claimed| released(&claimed, None, None)).collect()).await;
    }

    async fn sleep(&self, until: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until(until.into()) => {}
            () = self.wake.notified() => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Sees whether the outside is back: asks the sink's check, which costs no delivery a try, then delivers one.
    ///
    /// The first one is what has been owed the longest. While the check goes well and deliveries fail all the same it
    /// is another one each time: one that can never be delivered holds up no other.
    async fn trial(self: &Arc<Self>, ready: &mut VecDeque<Claimed>, calls: &mut JoinSet<()>) {
        if !self.checked.swap(false, Ordering::Relaxed)
            && let Err(meaning) = self.look().await
        {
            self.in_order.store(false, Ordering::Relaxed);
            if let Meaning::Slow(_) = meaning {
                self.put_in_order().await;
            }
            return self.hear_check(meaning);
        }
        self.put_in_order().await;
        self.give_back(ready).await;
        self.claim(ready, 1).await;
        if ready.is_empty() {
            self.withdrawn();
            return self.idle().await;
        }
        self.start(ready, calls, 1, true).await;
    }

    /// What waited goes on in the order in which it came to be owed: once after each outage.
    async fn put_in_order(&self) {
        if !self.in_order.swap(true, Ordering::Relaxed)
            && let Err(why) = self.spec.store.recall(&self.lane).await
        {
            tracing::error!(tenant = self.lane.tenant, sink = self.lane.sink, "what waits keeps its turn: {why}");
        }
    }

    /// A trial had nothing to try.
    fn withdrawn(&self) {
        self.checked.store(true, Ordering::Relaxed);
        self.gate().withdrawn();
    }

    /// Starts one call, claiming first when nothing is at hand: the calls under way go on meanwhile.
    async fn work(self: &Arc<Self>, ready: &mut VecDeque<Claimed>, calls: &mut JoinSet<()>) {
        if self.given_back.swap(false, Ordering::Relaxed) {
            self.give_back(ready).await;
        }
        if ready.is_empty() {
            self.claim(ready, self.batch() * self.spec.sink.concurrency.max(1) * AHEAD).await;
        }
        if ready.is_empty() {
            return self.idle().await;
        }
        self.start(ready, calls, self.batch(), false).await;
    }

    /// Starts a call with up to `most` of what is at hand, once there is room for it.
    async fn start(self: &Arc<Self>, ready: &mut VecDeque<Claimed>, calls: &mut JoinSet<()>, most: usize, trial: bool) {
        // Outcomes are noted while the next calls are made, but no more of them than calls: a store that is slow, or
        // gone, holds up the lane.
        while calls.len() >= 2 * self.spec.sink.concurrency.max(1) {
            calls.join_next().await;
        }
        let permit = tokio::select! {
            permit = self.slots.clone().acquire_owned() => permit,
            () = self.stop.cancelled() => return,
        };
        let Ok(permit) = permit else { return };
        let batch: Vec<Claimed> = ready.drain(..most.min(ready.len())).collect();
        let claims: Vec<Claim> = batch.iter().map(claim_of).collect();
        let lane = self.clone();
        calls.spawn(async move {
            if AssertUnwindSafe(lane.clone().deliver(batch, permit, trial)).catch_unwind().await.is_err() {
                // Their leases end, and whoever claims them next tries again.
                lane.held.leave(&claims);
                if trial {
                    lane.withdrawn();
                }
                lane.wake();
            }
        });
    }

    async fn claim(&self, ready: &mut VecDeque<Claimed>, most: usize) {
        let until = Instant::now() + self.spec.lease;
        match self.spec.store.claim(&self.lane, most.try_into().unwrap_or(u32::MAX), self.spec.lease).await {
            Ok(claimed) => {
                self.held.take(&claimed, until);
                ready.extend(claimed);
            }
            Err(why) => {
                tracing::error!(tenant = self.lane.tenant, sink = self.lane.sink, "nothing can be claimed: {why}");
                self.sleep(Instant::now() + STORE_GONE).await;
            }
        }
    }

    /// Waits until something is due.
    async fn idle(&self) {
        let due = match self.spec.store.next_due(&self.lane).await {
            Ok(due) => due,
            Err(_) => return self.sleep(Instant::now() + STORE_GONE).await,
        };
        let now = model::Instant::now().millis();
        // It was just asked for in vain: another has it, or by the store's clock it is not due yet.
        let wait = due.map_or(IDLE, |due| Duration::from_millis(due.millis().saturating_sub(now)).max(IN_VAIN));
        self.sleep(Instant::now() + wait.min(IDLE)).await;
    }

    /// One call of the adapter, or one for each change when the first broke the component down, and what came of it.
    async fn deliver(self: Arc<Self>, batch: Vec<Claimed>, permit: OwnedSemaphorePermit, trial: bool) {
        let mut ends = Vec::with_capacity(batch.len());
        let mut changes = Vec::with_capacity(batch.len());
        let mut live = Vec::with_capacity(batch.len());
        self.paced().await;
        for mut claimed in batch.into_iter().filter(|claimed| self.held.will_last(claimed)) {
            if claimed.holds.is_some() {
                self.look_again(&mut claimed).await;
            }
            match change::stale(&claimed, |condition, item| self.holds(condition, item)) {
                Some(why) => {
                    metrics::counter!("cordboard_deliveries_total", "outcome" => "stale").increment(1);
                    ends.push(finished(&claimed, End::Stale { why }, None));
                }
                None => {
                    changes.push(change::change(&claimed, &self.spec.tenant, &self.lane.sink, &self.spec.links));
                    live.push(claimed);
                }
            }
        }
        if live.is_empty() && trial {
            self.withdrawn();
        }
        if !live.is_empty() {
            match self.attempt(&live, changes).await {
                Ok(attempted) => ends.extend(attempted),
                Err(changes) => {
                    for (claimed, mut change) in live.iter().zip(changes) {
                        // The call that broke down may have carried it out.
                        change.attempt = change.attempt.max(2);
                        if self.gate().must_wait(Instant::now()) {
                            ends.push(finished(claimed, End::Released { at: None, why: None, asked: true }, None));
                            continue;
                        }
                        self.paced().await;
                        let attempted = self.attempt(std::slice::from_ref(claimed), vec![change]).await;
                        self.finish(attempted.unwrap_or_default()).await;
                    }
                }
            }
        }
        // What is given back is claimed anew before anything that comes after it.
        if ends.iter().any(|end| matches!(end.end, End::Released { .. })) {
            self.finish(std::mem::take(&mut ends)).await;
            self.given_back.store(true, Ordering::Relaxed);
        }
        // The adapter is free for the next call while this one's outcomes are noted.
        drop(permit);
        self.finish(ends).await;
        self.wake();
    }

    /// Waits until the sink's rate allows one more call.
    async fn paced(&self) {
        if let Some(rate) = &self.rate {
            rate.until_ready().await;
        }
    }

    /// A popup is judged by the record as it is now, not as it was when it was claimed.
    async fn look_again(&self, claimed: &mut Claimed) {
        if let Ok(Some(record)) = self.spec.store.record(&self.lane.tenant, claimed.record).await {
            claimed.item = record.item;
            claimed.revision = record.revision;
        }
    }

    /// Calls the adapter; how the claims end. When several changes together broke the component down they are given
    /// back: each is to be tried by itself.
    async fn attempt(&self, live: &[Claimed], changes: Vec<Change>) -> Result<Vec<Finished>, Vec<Change>> {
        let (at, begun) = (model::Instant::now(), Instant::now());
        let (result, exchanges) = self.spec.adapter.deliver(changes.clone()).await;
        let took = begun.elapsed();
        if result.is_err() {
            let component = self.spec.sink.component.clone();
            metrics::counter!("cordboard_component_faults_total", "component" => component).increment(1);
        }
        metrics::histogram!("cordboard_delivery_seconds").record(took.as_secs_f64());
        let deliveries = live.iter().map(|claimed| claimed.delivery);
        let outcomes: Vec<(i64, Meaning)> = match result {
            Ok(outcomes) => deliveries.zip(outcomes.into_iter().map(Meaning::of)).collect(),
            Err(fault) if live.len() == 1 => deliveries.map(|delivery| (delivery, Meaning::of_fault(&fault))).collect(),
            Err(fault) => {
                tracing::warn!(tenant = self.lane.tenant, sink = self.lane.sink, "{fault}; each change by itself now");
                return Err(changes);
            }
        };
        let verdict = self.gate().heard(&outcomes, Instant::now());
        self.tell(&verdict);
        let mut story = Some(exchanges);
        let ends = live.iter().zip(&changes).zip(outcomes).map(|((claimed, change), (_, meaning))| {
            metrics::counter!("cordboard_deliveries_total", "outcome" => meaning.word()).increment(1);
            let exchanges = story.take();
            let why = match (&exchanges, live.first()) {
                (None, Some(first)) => format!("{} (exchanges: see delivery {})", meaning.why(), first.delivery),
                _ => meaning.why(),
            };
            let attempt = Attempt {
                at,
                took,
                number: claimed.attempt,
                outcome: meaning.word().to_owned(),
                why: why.trim_start().to_owned(),
                exchanges: json(&exchanges.unwrap_or_default()),
            };
            finished(claimed, self.end(claimed, change.attempt > 1, meaning, verdict.until), Some(attempt))
        });
        Ok(ends.collect())
    }

    /// How a claim ends by what the outcome means. `until`: the lane waits, and nobody spends an attempt, but for a change
    /// that breaks the component down: that is not the outside's fault.
    fn end(&self, claimed: &Claimed, asked: bool, meaning: Meaning, until: Option<Instant>) -> End {
        let waits = |until: Instant| model::Instant::now().after(until.saturating_duration_since(Instant::now()));
        match meaning {
            Meaning::Done(receipt) => End::Done(receipt),
            Meaning::Skipped(why) => End::Skipped(why),
            Meaning::Park { why } => {
                self.ring("parked", Some(claimed.delivery), &why);
                End::Parked { why }
            }
            // The lane waits, and the delivery keeps its place in it.
            Meaning::Slow(_) => End::Released { at: None, why: Some(meaning.why()), asked },
            // Should the sink's check find nothing, the others come first.
            Meaning::Pause { .. } => {
                End::Released { at: until.map(|until| waits(until + APART)), why: Some(meaning.why()), asked }
            }
            Meaning::Again { word, why, after } => match until.filter(|_| word != FAULT) {
                Some(until) => {
                    let at = waits(until).max(model::Instant::now().after(after.unwrap_or_default()));
                    End::Released { at: Some(at), why: Some(why), asked: true }
                }
                None if claimed.attempt >= self.spec.sink.attempts => {
                    let why = format!("given up after {} tries: {why}", claimed.attempt);
                    self.ring("parked", Some(claimed.delivery), &why);
                    End::Parked { why }
                }
                None => {
                    let pace = self.spec.sink.backoff;
                    let wait = backoff::wait(claimed.attempt, pace.first, pace.ceiling, after);
                    End::Retry { at: model::Instant::now().after(wait), why }
                }
            },
        }
    }

    /// Whether a condition of a want that may pass holds for a record.
    fn holds(&self, text: &str, item: &Item) -> Result<bool, String> {
        let mut conditions = self.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        if !conditions.contains_key(text) {
            let parsed = Condition::parse(text, Scope::Record).map(Arc::new).map_err(|why| why.to_string());
            conditions.insert(text.to_owned(), parsed);
        }
        match conditions.get(text) {
            Some(Ok(condition)) => Ok(condition.holds(item)),
            Some(Err(why)) => Err(why.clone()),
            None => Err("it was forgotten".to_owned()),
        }
    }

    /// Notes ends, however long the store is away: what is not noted would be delivered again.
    async fn finish(&self, ends: Vec<Finished>) {
        if ends.is_empty() {
            return;
        }
        let claims: Vec<Claim> = ends.iter().map(|end| (end.delivery, end.claim)).collect();
        while let Err(why) = self.spec.store.finish(ends.clone()).await {
            tracing::error!(tenant = self.lane.tenant, sink = self.lane.sink, "outcomes cannot be noted: {why}");
            if !why.passing() || self.stop.is_cancelled() {
                break;
            }
            tokio::time::sleep(STORE_GONE).await;
        }
        self.held.leave(&claims);
    }
}

fn finished(claimed: &Claimed, end: End, attempt: Option<Attempt>) -> Finished {
    Finished { delivery: claimed.delivery, claim: claimed.claim, revision: claimed.revision, end, attempt }
}

fn released(claimed: &Claimed, at: Option<model::Instant>, why: Option<String>) -> Finished {
    finished(claimed, End::Released { at, why, asked: false }, None)
}

fn json(exchanges: &[Exchange]) -> String {
    serde_json::to_string(exchanges).unwrap_or_else(|_| "[]".to_owned())
}
