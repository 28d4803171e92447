//! What a lane sees of its sink as a whole, and what people are told of it.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::super::alert::Alert;
use super::super::gate::Verdict;
use super::super::outcome::Meaning;
use super::Runner;
use crate::store::Lane;

/// Stands for the sink's check where a delivery is named: their numbers begin with 1.
const CHECK: i64 = 0;

impl Runner {
    /// Looks whether the sink can work. What a person should mend is said; what keeps it from working pauses the lane.
    pub(super) async fn check(&self) {
        match self.look().await {
            Ok(sentences) => {
                for sentence in &sentences {
                    tracing::warn!(tenant = self.lane.tenant, sink = self.lane.sink, "{sentence}");
                }
                self.put_in_order().await;
                let verdict = self.gate().checked(sentences);
                self.tell(&verdict);
            }
            Err(meaning) => self.hear_check(meaning),
        }
    }

    /// Asks the adapter whether the sink can work, and what a person should mend.
    pub(super) async fn look(&self) -> Result<Vec<String>, Meaning> {
        let (result, _) = self.spec.adapter.call(|component| async move { component.check().await }).await;
        match result {
            Ok(Ok(sentences)) => Ok(sentences),
            Ok(Err(failure)) => Err(match Meaning::of_failure(failure) {
                Meaning::Park { why } => Meaning::Pause { word: "misconfigured", why },
                meaning => meaning,
            }),
            Err(fault) => Err(Meaning::of_fault(&fault)),
        }
    }

    pub(super) fn hear_check(&self, meaning: Meaning) {
        let verdict = self.gate().heard(&[(CHECK, meaning)], Instant::now());
        self.tell(&verdict);
    }

    pub(super) fn tell(&self, verdict: &Verdict) {
        if let Some(why) = &verdict.paused {
            self.in_order.store(false, Ordering::Relaxed);
            self.ring("paused", None, why);
        }
        if verdict.resumed {
            tracing::info!(tenant = self.lane.tenant, sink = self.lane.sink, "the lane goes on");
        }
    }

    pub(super) fn ring(&self, kind: &'static str, delivery: Option<i64>, why: &str) {
        let Lane { tenant, sink } = self.lane.clone();
        self.spec.bell.ring(Alert { kind, tenant, name: sink, delivery, why: why.to_owned(), more: 0 });
    }
}
