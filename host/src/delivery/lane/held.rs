//! What a lane has claimed and not yet ended, and until when it is surely its own.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Spec;
use crate::store::{Claimed, Lane, Store};

/// A delivery and the number of a claim of it.
pub(super) type Claim = (i64, i64);

pub(super) fn claim_of(claimed: &Claimed) -> Claim {
    (claimed.delivery, claimed.claim)
}

pub(super) struct Held {
    lease: Duration,
    /// A claim must last so much longer for a call of the adapter to begin.
    margin: Duration,
    until: Mutex<HashMap<Claim, Instant>>,
}

impl Held {
    pub fn new(spec: &Spec) -> Self {
        Held { lease: spec.lease, margin: spec.sink.timeout.min(spec.lease / 2), until: Mutex::default() }
    }

    fn until(&self) -> MutexGuard<'_, HashMap<Claim, Instant>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are ours until then.
    pub fn take(&self, claimed: &[Claimed], until: Instant) {
        self.until().extend(claimed.iter().map(|one| (claim_of(one), until)));
    }

    /// These have ended.
    pub fn leave(&self, claims: &[Claim]) {
        let mut until = self.until();
        for claim in claims {
            until.remove(claim);
        }
    }

    /// Whether a claim will outlast a call of the adapter. One that might not is left alone: its lease ends, and whoever
    /// claims it next delivers it.
    pub fn will_last(&self, claimed: &Claimed) -> bool {
        let (mut until, claim) = (self.until(), claim_of(claimed));
        let lasts = until.get(&claim).is_some_and(|end| Instant::now() + self.margin <= *end);
        if !lasts {
            until.remove(&claim);
        }
        lasts
    }

    /// Prolongs the leases, for as long as the lane lives.
    pub async fn prolong(self: Arc<Self>, store: Store, lane: Lane) {
        let mut ticks = tokio::time::interval(self.lease / 3);
        loop {
            ticks.tick().await;
            let held: Vec<Claim> = self.until().keys().copied().collect();
            if held.is_empty() {
                continue;
            }
            let end = Instant::now() + self.lease;
            match store.renew(&held, self.lease).await {
                Ok(ours) => {
                    let ours: HashSet<Claim> = ours.into_iter().collect();
                    self.until()
                        .iter_mut()
                        .filter(|(claim, _)| ours.contains(claim))
                        .for_each(|(_, until)| *until = end);
                }
                Err(why) => {
                    tracing::warn!(tenant = lane.tenant, sink = lane.sink, "leases cannot be prolonged: {why}");
                }
            }
        }
    }
}
