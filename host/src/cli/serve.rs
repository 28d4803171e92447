//! `cordboard serve`: the hub, until it is told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use super::Failure;
use crate::config::{Log, Plan};
use crate::http;
use crate::hub::Hub;

/// From the signal to the end. Each stage of stopping has a bound of its own, and they come to less; this one holds for
/// what none of them foresees, a store that does not answer above all.
const STOP: Duration = Duration::from_secs(9);

/// Runs the hub. A wrong configuration, a taken port, a store that does not open: it does not start, and says why.
pub async fn run(folder: &Path) -> Result<(), Failure> {
    let plan = Plan::load(folder)?;
    start_log(&plan.hub.log)?;
    let recorder = http::recorder();
    let listener = bind(plan.hub.listen, "cordboard.toml").await?;
    let mut doors = Vec::new();
    for listen in plan.listens() {
        doors.push(http::SideDoor { listen, listener: bind(listen, "the tenant's file").await? });
    }
    if plan.hub.auth.is_none() {
        tracing::warn!("nobody can use the API: cordboard.toml has no [auth]");
    }
    let hub = Hub::start(folder, plan).await?;
    hub.watch()?;
    let stop = CancellationToken::new();
    tokio::spawn(signals(hub.clone(), stop.clone()));
    tracing::info!("listening on http://{}", listener.local_addr()?);
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(STOP).await;
    };
    let serving = async {
        http::serve(listener, doors, http::Api::new(&hub, recorder), stop.clone()).await;
        hub.stop().await;
    };
    tokio::select! {
        () = serving => tracing::info!("stopped"),
        // Nothing is lost by it: what was acknowledged is committed, the rest is taken up again after the next start.
        () = overdue => tracing::warn!("stopped, without waiting any longer for the store"),
    }
    Ok(())
}

async fn bind(listen: SocketAddr, file: &str) -> Result<TcpListener, Failure> {
    let told = |why: std::io::Error| match why.kind() {
        std::io::ErrorKind::AddrInUse => {
            format!("{listen} is taken: another hub may be running; stop it, or change `listen` in {file}")
        }
        _ => format!("cannot listen on {listen}: {why}"),
    };
    Ok(TcpListener::bind(listen).await.map_err(told)?)
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
            _ = again.recv() => drop(tokio::spawn(reload(hub.clone()))),
        }
    }
    tracing::info!("stopping");
    stop.cancel();
}

/// In a task of its own: it waits for calls of the lanes that it ends, and a signal to stop is heard meanwhile.
async fn reload(hub: Arc<Hub>) {
    match hub.reload().await {
        Ok(()) => tracing::info!("the configuration was read again and is in force"),
        Err(problems) => tracing::error!("the configuration is wrong, the old one stays:\n{problems}"),
    }
}
