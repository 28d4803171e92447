//! One source's connection from its start to its end: the right to hold it, one session after the other, and what
//! people are told of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant as Clock};

use arc_swap::ArcSwap;
use serde_json::Map;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::Spec;
use super::commit::Committer;
use super::hold::Hold;
use super::order::Order;
use super::state::{Board, Phase};
use super::talk::{End, Talk};
use crate::components::Fault;
use crate::components::contract::{Ability, Input, Left, Unfinished};
use crate::delivery::{Alert, Bell, Breaker, backoff};
use crate::intake::Entry;
use crate::live::{Audience, Live};
use crate::model::{Instant, Item};
use crate::store::{Store, StoreError};

/// Sessions in a row that broke down before the component is given a rest,
const FAULTS: u32 = 5;

/// for so long at first,
const REST: Duration = Duration::from_secs(30);

/// and never longer than this.
const LONGEST_REST: Duration = Duration::from_secs(900);

/// What the breaker counts: all sessions are one thing to it.
const SESSIONS: i64 = 0;

/// A session that lived so long shows that the component can work.
const SOUND: Duration = Duration::from_secs(60);

/// A call that began longer ago is not going on any more, whatever the ledger knows of its end.
const OPEN_SINCE: Duration = Duration::from_secs(7 * 86_400);

/// Calls that a new session is told of; the newest.
const OPEN_CALLS: u32 = 1000;

/// Bytes of JSON of all those calls; well under what is handed to a component at once.
const OPEN_BYTES: usize = 8 << 20;

/// Before a store that is away is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What one source's connection stands on.
pub(super) struct Driver {
    pub spec: Spec,
    pub current: Arc<ArcSwap<Entry>>,
    pub store: Store,
    pub live: Arc<Live>,
    pub bell: Bell,
    pub board: Arc<Board>,
    pub committer: Committer,
    pub orders: mpsc::Receiver<Order>,
    /// The component may have been replaced.
    pub renew: Arc<Notify>,
    pub stop: CancellationToken,
}

impl Driver {
    /// Holds the connection until it is stopped.
    pub async fn run(mut self) {
        let stop = self.stop.clone();
        while !stop.is_cancelled() {
            let (tenant, source) = (self.entry().tenant.name.clone(), self.entry().name.clone());
            let taken = tokio::select! {
                biased;
                () = stop.cancelled() => None,
                hold = Hold::take(&self.store, &tenant, &source, || {
                    self.stands(Phase::Elsewhere, Some("another node holds the connection".to_owned()), None);
                }) => Some(hold),
            };
            let Some(mut hold) = taken else { break };
            let lost = tokio::select! {
                biased;
                () = hold.kept() => true,
                () = self.sessions() => false,
            };
            if lost {
                self.warn("the right to hold the connection was lost: it is let go");
                self.gone();
            }
            self.refuse_orders("it is let go");
            hold.release().await;
        }
        self.refuse_orders("it has ended");
        self.board.set(Phase::Stopped, None, None);
    }

    /// One session after the other, until the connection is stopped.
    async fn sessions(&mut self) {
        let mut breaker = Breaker::new(FAULTS, REST, LONGEST_REST);
        let mut faults = 0;
        loop {
            let begun = Clock::now();
            let fault = match self.session().await {
                End::Stopped => return,
                End::Outdated => continue,
                End::Fault(fault) => fault,
            };
            if begun.elapsed() >= SOUND {
                faults = 0;
                breaker.succeeded();
            }
            faults += 1;
            let now = Clock::now();
            let opened = breaker.failed(SESSIONS, now);
            let spec = &self.spec.backoff;
            let mut wait = backoff::wait(faults, spec.first, spec.ceiling, None);
            if let Some(until) = breaker.holds_until() {
                wait = wait.max(until.saturating_duration_since(now));
            }
            self.failed(&fault, wait, opened);
            if !self.rest(wait).await {
                return;
            }
        }
    }

    /// One session, from what was left open to its end.
    async fn session(&mut self) -> End {
        // What a session before this one reported must be in the ledger before the ledger is asked.
        tokio::select! {
            biased;
            () = self.stop.cancelled() => return End::Stopped,
            () = self.committer.drained(self.entry()) => {}
        }
        let Some(first) = self.left().await else { return End::Stopped };
        let entry = self.entry();
        let opened = entry.component.component().open_session().await;
        match opened {
            Ok(session) => Talk::new(self, session).run(first).await,
            Err(fault) => End::Fault(fault),
        }
    }

    /// What sessions before left behind, as the ledger knows it; absent when the connection is stopped meanwhile.
    async fn left(&self) -> Option<Option<Input>> {
        loop {
            match self.left_in_ledger().await {
                Ok(left) => return Some(left.map(Input::Left)),
                Err(why) => self.waits_for_store(&why),
            }
            tokio::select! {
                () = tokio::time::sleep(ASK_AGAIN) => {}
                () = self.stop.cancelled() => return None,
            }
        }
    }

    async fn left_in_ledger(&self) -> Result<Option<Left>, StoreError> {
        let entry = self.entry();
        let Some(heard) = self.store.last_intake(&entry.tenant.name, &entry.name).await? else { return Ok(None) };
        let since = Instant::now().before(OPEN_SINCE);
        let records = self.store.open_calls(&entry.tenant.name, &entry.name, since, OPEN_CALLS).await?;
        let mut room = OPEN_BYTES;
        let open = records.into_iter().map(|record| Unfinished { id: record.subject.id, item: record.item });
        let unfinished = open.take_while(|open| {
            let size = size(&open.item);
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        });
        Ok(Some(Left { heard, unfinished: unfinished.collect() }))
    }

    /// It is on the way; why the last one was lost is still worth knowing.
    pub fn connects(&self) {
        let (_, why) = self.board.phase();
        self.stands(Phase::Connecting, why, None);
    }

    fn waits_for_store(&self, why: &StoreError) {
        if self.stands(Phase::Waiting, Some("the store does not answer".to_owned()), None) != Phase::Waiting {
            self.warn(&format!("a connection waits for the store: {why}"));
        }
    }

    /// Waits; false when the connection is stopped meanwhile. Commands are turned away.
    async fn rest(&mut self, wait: Duration) -> bool {
        let mut over = std::pin::pin!(tokio::time::sleep(wait));
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return false,
                // A newer component may be a better one.
                () = self.renew.notified() => return true,
                Some(order) = self.orders.recv() => order.refuse("the component has broken down"),
                () = &mut over => return true,
            }
        }
    }

    fn refuse_orders(&mut self, why: &str) {
        while let Ok(order) = self.orders.try_recv() {
            order.refuse(why);
        }
    }

    /// The source as the plan has it now.
    pub fn entry(&self) -> Arc<Entry> {
        self.current.load_full()
    }

    /// Whether the component can do this too.
    pub fn can(&self, ability: Ability) -> bool {
        self.entry().component.component().component().abilities().has(ability)
    }

    /// A component's text without secrets.
    pub fn redacted(&self, text: &str) -> String {
        self.entry().component.component().redacted(text)
    }

    pub fn warn(&self, what: &str) {
        let entry = self.entry();
        tracing::warn!(tenant = entry.tenant.name, source = entry.name, "{what}");
    }

    /// Notes how the connection stands.
    pub fn stands(&self, phase: Phase, why: Option<String>, until: Option<Instant>) -> Phase {
        self.board.set(phase, why, until)
    }

    /// The connection stands.
    pub fn came(&self) {
        let entry = self.entry();
        self.board.connects.fetch_add(1, Ordering::Relaxed);
        self.stands(Phase::Connected, None, None);
        tracing::info!(tenant = entry.tenant.name, source = entry.name, "connected");
        self.count("connected");
        self.notice("source.connected", &[]);
    }

    /// The connection is gone, or did not come to be.
    pub fn lost(&self, why: &str, misconfigured: bool, wait: Duration) {
        let entry = self.entry();
        let (tenant, source) = (&entry.tenant.name, &entry.name);
        let phase = if misconfigured { Phase::Misconfigured } else { Phase::Waiting };
        let (before, reason) = self.board.phase();
        self.stands(phase, Some(why.to_owned()), Some(Instant::now().after(wait)));
        let seconds = wait.as_secs_f64();
        if misconfigured {
            let why = format!("source `{source}` cannot connect until somebody mends it: {why}");
            self.ring("misconfigured", why);
        } else if before == Phase::Connected || reason.as_deref() != Some(why) {
            tracing::warn!(tenant, source, seconds, "not connected: {why}");
        } else {
            tracing::debug!(tenant, source, seconds, "not connected: {why}");
        }
        self.count(if misconfigured { "misconfigured" } else { "lost" });
        if before == Phase::Connected {
            self.away(phase);
        }
    }

    /// The connection was let go, without a fault of anybody.
    pub fn gone(&self) {
        if self.stands(Phase::Waiting, None, None) == Phase::Connected {
            self.away(Phase::Waiting);
        }
    }

    fn away(&self, phase: Phase) {
        self.notice("source.disconnected", &[("state", phase.word())]);
    }

    /// The component broke down.
    fn failed(&self, fault: &Fault, wait: Duration, opened: bool) {
        let entry = self.entry();
        let (tenant, source) = (&entry.tenant.name, &entry.name);
        let component = entry.component.component().component().descriptor().name.clone();
        let fault = self.redacted(&fault.to_string());
        tracing::error!(tenant, source, seconds = wait.as_secs_f64(), "a connection's session broke down: {fault}");
        metrics::counter!("cordboard_component_faults_total", "component" => component).increment(1);
        let before = self.stands(Phase::Waiting, Some(fault.clone()), Some(Instant::now().after(wait)));
        if before == Phase::Connected {
            self.away(Phase::Waiting);
        }
        if opened {
            self.ring("paused", format!("source `{source}` is not connected, its component breaks down: {fault}"));
        }
    }

    fn ring(&self, kind: &'static str, why: String) {
        let entry = self.entry();
        let (tenant, name) = (entry.tenant.name.clone(), entry.name.clone());
        self.bell.ring(Alert { kind, tenant, name, delivery: None, why, more: 0 });
    }

    fn count(&self, outcome: &'static str) {
        let entry = self.entry();
        let (tenant, source) = (entry.tenant.name.clone(), entry.name.clone());
        metrics::counter!("cordboard_connections_total", "tenant" => tenant, "source" => source, "outcome" => outcome)
            .increment(1);
    }

    /// Everybody is told, without addresses and without reasons: those are for whoever looks after it.
    fn notice(&self, kind: &str, more: &[(&str, &str)]) {
        let entry = self.entry();
        let mut about = Map::new();
        about.insert("source".to_owned(), entry.name.clone().into());
        about.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
        self.live.notice(&entry.tenant.name, kind, Audience::Everybody, about);
    }
}

/// Bytes of an item's JSON.
fn size(item: &Item) -> usize {
    serde_json::to_vec(item).map_or(usize::MAX, |json| json.len())
}
