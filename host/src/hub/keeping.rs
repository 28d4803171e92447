//! Retention: what is older than the configuration says is swept away, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Plan};
use crate::store::{Retention, Store};

/// Between two sweeps.
const PAUSE: Duration = Duration::from_secs(600);

/// Rows of one table in one go, so that no sweep holds up a commit for long.
const SLICE: u32 = 1_000;

/// Sweeps every tenant until the hub stops.
pub async fn sweep(store: Store, plan: Arc<ArcSwap<Plan>>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return,
        }
        sweep_all(&store, &plan.load_full(), &stop).await;
    }
}

/// Sweeps each tenant until nothing of it is past its time.
async fn sweep_all(store: &Store, plan: &Plan, stop: &CancellationToken) {
    for tenant in plan.tenants.values() {
        while !stop.is_cancelled() {
            match store.sweep(&tenant.name, &retention(tenant.retention), SLICE).await {
                Ok(swept) if swept.is_full(SLICE) => tokio::task::yield_now().await,
                Ok(_) => break,
                Err(why) => {
                    tracing::warn!(tenant = tenant.name, "old rows could not be swept: {why}");
                    break;
                }
            }
        }
    }
}

fn retention(kept: config::Retention) -> Retention {
    let config::Retention { intake, events, attempts, deliveries, records } = kept;
    // Commands and jobs are seen in the events that came of them, and are kept as long.
    Retention { intake, events, attempts, deliveries, records, commands: events, jobs: events }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Machine;
    use crate::model::{Call, Instant, Item, Observation, Trust};
    use crate::store::{Intake, IntakeFilter, Options, Raw};

    const DAY: Duration = Duration::from_secs(86_400);

    fn plan(files: &[(&str, &str)]) -> Plan {
        let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Plan::read(Path::new("."), &files, &Machine).unwrap()
    }

    #[test]
    fn each_time_of_the_file_is_that_of_its_own_rows() {
        let text =
            "[retention]\nintake = \"1d\"\nevents = \"2d\"\nattempts = \"3d\"\ndeliveries = \"4d\"\nrecords = \"5d\"\n";
        let kept = retention(plan(&[("tenants/acme.toml", text)]).tenants["acme"].retention);
        let Retention { intake, events, attempts, deliveries, records, commands, jobs } = kept;
        let days = [intake, events, attempts, deliveries, records, commands, jobs].map(|kept| kept.unwrap() / 86_400);
        assert_eq!(days.map(|days| days.as_secs()), [1, 2, 3, 4, 5, 2, 2]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn each_tenant_is_swept_to_the_end_by_its_own_times() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { data: folder.path().to_owned(), ..Options::default() };
        let store = Store::open(&format!("sqlite:{}/ledger.db", folder.path().display()), options).await.unwrap();
        let plan = plan(&[("tenants/acme.toml", "[retention]\nintake = \"1d\"\n"), ("tenants/other.toml", "")]);
        let commit = |tenant: &'static str, n: u32, age: Duration| {
            let item = Item::Call(Call::default());
            let seen = Observation { id: format!("c{n}"), also: Vec::new(), at: None, trust: Trust::Reported, item };
            let (raw, received_at) = (Some(Raw::default()), Instant::now().before(age));
            store.commit(Intake { raw, received_at, ..Intake::of(tenant, "pbx", vec![seen]) })
        };
        // More than are swept in one go.
        let old = (0..SLICE * 2 + 1).map(|n| commit("acme", n, 2 * DAY));
        futures::future::try_join_all(old).await.unwrap();
        commit("acme", SLICE * 3, DAY / 2).await.unwrap();
        commit("other", 0, 2 * DAY).await.unwrap();
        sweep_all(&store, &plan, &CancellationToken::new()).await;
        for tenant in ["acme", "other"] {
            let left = store.intake(tenant, &IntakeFilter::default(), None, 100).await.unwrap();
            assert_eq!(left.items.len(), 1, "{tenant}");
        }
    }
}
