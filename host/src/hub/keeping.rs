//! Retention: what is older than the configuration says is swept away, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Plan};
use crate::model::Instant;
use crate::store::{Retention, Store, Swept};

/// Between two sweeps.
const PAUSE: Duration = Duration::from_secs(600);

/// Rows of one table in one go, so that no sweep holds up a commit for long.
const SLICE: u32 = 1_000;

/// No command is under way for so long: a call of a component ends after ten minutes at most, and is made twice at most.
const ABANDONED: Duration = Duration::from_secs(1800);

/// Sweeps every tenant until the hub stops.
pub async fn sweep(store: Store, plan: Arc<ArcSwap<Plan>>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
        // On a store that others share, a node that died leaves its commands behind.
        if let Err(why) = store.abandon_commands(Instant::now().before(ABANDONED)).await {
            tracing::warn!("commands that nobody carries out any more could not be marked: {why}");
        }
        let tenants: Vec<_> = plan.load().tenants.values().cloned().collect();
        for tenant in tenants {
            while !stop.is_cancelled() {
                match store.sweep(&tenant.name, &retention(tenant.retention), SLICE).await {
                    Ok(swept) if most(&swept) >= u64::from(SLICE) => tokio::task::yield_now().await,
                    Ok(_) => break,
                    Err(why) => {
                        tracing::warn!(tenant = tenant.name, "old rows could not be swept: {why}");
                        break;
                    }
                }
            }
        }
    }
}

fn retention(kept: config::Retention) -> Retention {
    let config::Retention { intake, events, attempts, deliveries, records } = kept;
    Retention { intake, events, attempts, deliveries, records, commands: events }
}

fn most(swept: &Swept) -> u64 {
    let Swept { intake, events, attempts, deliveries, records, commands } = *swept;
    [intake, events, attempts, deliveries, records, commands].into_iter().max().unwrap_or_default()
}
