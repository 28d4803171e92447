//! Following changes of the configuration files.

use std::path::Path;
use std::sync::Weak;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::Hub;

/// An editor writes a file in several steps: look once they are over.
const SETTLE: Duration = Duration::from_millis(300);

/// The changes of a configuration folder. Ends when it is dropped.
pub struct Changes {
    receiver: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

/// Watches `cordboard.toml` and the tenants' files.
pub fn configuration(folder: &Path) -> Result<Changes, notify::Error> {
    let (sender, receiver) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let of_ours = |event: notify::Event| {
            !event.kind.is_access() && event.paths.iter().any(|path| path.extension().is_some_and(|end| end == "toml"))
        };
        if event.is_ok_and(of_ours) {
            let _ = sender.try_send(());
        }
    })?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    let tenants = folder.join("tenants");
    if tenants.is_dir() {
        watcher.watch(&tenants, RecursiveMode::NonRecursive)?;
    }
    Ok(Changes { receiver, _watcher: watcher })
}

/// Reloads on every change until the hub stops.
pub async fn follow(
    hub: Weak<Hub>,
    mut changes: Changes,
    mut components: watch::Receiver<u64>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            changed = changes.receiver.recv() => if changed.is_none() { return },
            changed = components.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
        tokio::time::sleep(SETTLE).await;
        while changes.receiver.try_recv().is_ok() {}
        let Some(hub) = hub.upgrade() else { return };
        match hub.reload().await {
            Ok(()) => tracing::info!("the configuration was read again and is in force"),
            Err(problems) => tracing::error!("the configuration is wrong, the old one stays in force:\n{problems}"),
        }
    }
}
