//! Commands of a node that died: on a store that several nodes share, what nobody says to be carrying out is unknown.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Commands;

/// Between two times that a node says that it is carrying a command out.
const SAID: Duration = Duration::from_secs(10);

/// Who has not said so for so long has died, or cannot reach the store.
const SILENCE: Duration = Duration::from_secs(60);

/// Between two looks for commands that nobody carries out any more.
const LOOK: Duration = Duration::from_secs(15);

impl Commands {
    /// Does what a command takes, and says meanwhile that it is being done.
    pub(super) async fn held<T>(&self, tenant: &str, key: &str, doing: impl Future<Output = T>) -> T {
        if !self.store.is_shared() {
            return doing.await;
        }
        tokio::select! {
            done = doing => done,
            never = self.keep_saying(tenant, key) => match never {},
        }
    }

    async fn keep_saying(&self, tenant: &str, key: &str) -> Infallible {
        loop {
            sleep(SAID).await;
            if let Err(why) = self.store.hold_command(tenant, key).await {
                tracing::warn!(tenant, key, "it could not be said that a command is under way: {why}");
            }
        }
    }

    /// Marks what dead nodes have left behind, until the hub stops. On a store of its own a hub does that when it starts.
    pub async fn look_after(self: Arc<Self>, stop: CancellationToken) {
        while self.store.is_shared() {
            tokio::select! {
                () = sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
            match self.store.abandon_commands(SILENCE).await {
                Ok(0) => {}
                Ok(count) => tracing::warn!(count, "commands of a node that died: what became of them is unknown"),
                Err(why) => tracing::warn!("commands that nobody carries out any more could not be marked: {why}"),
            }
        }
    }
}
