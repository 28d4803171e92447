//! Sources that have gone silent are found out.

use std::sync::Weak;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Hub;
use crate::config::{Silence, Source};
use crate::intake;

/// The longest time between two looks.
const PAUSE: Duration = Duration::from_secs(60);

/// So many looks in the time after which a source is silent.
const LOOKS: u32 = 4;

/// Listens until the hub stops.
pub(super) async fn listen(hub: Weak<Hub>, stop: CancellationToken) {
    let mut pause = PAUSE / 60;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        let Some(hub) = hub.upgrade() else { return };
        let plan = hub.plan.load_full();
        pause = PAUSE;
        for tenant in plan.tenants.values() {
            for source in tenant.sources.values() {
                let Some(entry) = hub.reception.entry(&tenant.name, &source.name) else { continue };
                pause = pause.min(after(source) / LOOKS);
                let listened = intake::listen(&entry, source.silence.as_ref(), &hub.store, &hub.live, &hub.bell).await;
                if let Err(why) = listened {
                    let (tenant, source) = (&tenant.name, &source.name);
                    tracing::warn!(tenant, source, "nobody knows whether it is silent: {why}");
                }
            }
        }
    }
}

fn after(source: &Source) -> Duration {
    source.silence.as_ref().unwrap_or(&Silence::UNLESS_SAID).after.unwrap_or(PAUSE * LOOKS)
}
