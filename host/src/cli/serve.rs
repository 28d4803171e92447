//! `cordboard serve`: the hub, until it is told to stop.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::Failure;
use crate::config::{Log, Plan};
use crate::http;
use crate::hub::Hub;

/// Runs the hub. A wrong configuration, a taken port, a store that does not open: it does not start, and says why.
pub async fn run(folder: &Path) -> Result<(), Failure> {
    let plan = Plan::load(folder)?;
    start_log(&plan.hub.log)?;
    let recorder = http::recorder();
    let listen = plan.hub.listen;
    let listener = TcpListener::bind(listen).await.map_err(|why| match why.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{listen} is taken: another hub may be running; stop it, or change `listen` in cordboard.toml")
        }
        _ => format!("cannot listen on {listen}: {why}"),
    })?;
    if plan.hub.auth.is_none() {
        tracing::warn!("nobody can use the API: cordboard.toml has no [auth]");
    }
    let hub = Hub::start(folder, plan).await?;
    hub.watch()?;
    let stop = CancellationToken::new();
    tokio::spawn(signals(hub.clone(), stop.clone()));
    tracing::info!("listening on http://{}", listener.local_addr()?);
    http::serve(listener, http::Api::new(&hub, recorder), stop).await;
    hub.stop().await;
    tracing::info!("stopped");
    Ok(())
}

fn start_log(log: &Log) -> Result<(), Failure> {
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| log.level.clone());
    let filter = EnvFilter::try_new(&filter).map_err(|why| format!("[log] level: `{filter}`: {why}"))?;
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours);
    match log.json {
        true => lines.json().finish().try_init()?,
        false => lines.finish().try_init()?,
    }
    Ok(())
}

/// Stops on Ctrl-C and SIGTERM, reads the configuration again on SIGHUP.
async fn signals(hub: Arc<Hub>, stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut end), Ok(mut again)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        tracing::error!("signals cannot be heard: stop the hub with SIGKILL");
        return;
    };
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = end.recv() => break,
            _ = again.recv() => match hub.reload().await {
                Ok(()) => tracing::info!("the configuration was read again and is in force"),
                Err(problems) => tracing::error!("the configuration is wrong, the old one stays:\n{problems}"),
            },
        }
    }
    tracing::info!("stopping");
    stop.cancel();
}
