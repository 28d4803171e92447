//! Who holds a connection: on a store that several nodes share, one of them at a time.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::store::{Lease, Store};

/// How long a connection belongs to a node that says nothing any more.
const LEASE: Duration = Duration::from_secs(30);

/// Between two prolongations, and between two tries to take a connection that another node holds.
const RENEW: Duration = Duration::from_secs(10);

/// After a prolongation that the store did not answer.
const SOON: Duration = Duration::from_secs(1);

/// A connection is let go so long before the lease ends.
const MARGIN: Duration = Duration::from_secs(5);

/// The right to hold a connection.
pub(super) struct Hold(Option<(Lease, Instant)>);

impl Hold {
    /// Takes the right, waiting until nobody has it. `elsewhere` is told when another node has it.
    pub async fn take(store: &Store, tenant: &str, source: &str, elsewhere: impl Fn()) -> Self {
        if !store.is_shared() {
            return Hold(None);
        }
        let name = format!("connection:{tenant}:{source}");
        let mut told = false;
        loop {
            let asked = Instant::now();
            let wait = match store.lease(&name, LEASE).await {
                Ok(Some(lease)) => return Hold(Some((lease, asked + LEASE - MARGIN))),
                Ok(None) => {
                    elsewhere();
                    RENEW
                }
                Err(why) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(tenant, source, "who holds the connection cannot be found out: {why}");
                    }
                    SOON
                }
            };
            sleep(wait).await;
        }
    }

    /// Keeps the right; ends when it cannot be kept.
    pub async fn kept(&mut self) {
        let Some((lease, until)) = &mut self.0 else { return std::future::pending().await };
        let mut wait = RENEW;
        loop {
            sleep(wait).await;
            let asked = Instant::now();
            wait = match timeout_at(*until, lease.renew(LEASE)).await {
                Ok(Ok(true)) => {
                    *until = asked + LEASE - MARGIN;
                    RENEW
                }
                Ok(Ok(false)) | Err(_) => return,
                Ok(Err(_)) => SOON,
            };
        }
    }

    /// Gives the right back, so that another node need not wait for its end.
    pub async fn release(self) {
        if let Some((lease, _)) = self.0 {
            // When the store is away the right ends by itself.
            let _ = tokio::time::timeout(SOON, lease.release()).await;
        }
    }
}
