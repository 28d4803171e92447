//! How long the hub takes to be ready, and what it holds when nothing happens.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cordboard_tests::hub::{Hub, Setup};
use cordboard_tests::vtiger::FakeVtiger;

use crate::child::memory;
use crate::load::Connection;
use crate::table::Row;

const STARTS: usize = 5;

/// Both, with a source and a sink of two components.
pub async fn measure() -> Result<Vec<Row>> {
    let crm = FakeVtiger::start().await?;
    let mut hub = Hub::start(Setup::vtiger(&crm.url())).await;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        hub.stop().await;
        let began = Instant::now();
        hub.launch();
        ready(&hub, began).await?;
        times.push(began.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let idle = memory(hub.pid(), "VmRSS")?;
    Ok(vec![
        Row::below("memory, idle with two components", "MiB", idle, 60.0),
        Row::below(format!("start with a warm cache, median of {STARTS}"), "s", times[STARTS / 2], 1.0),
    ])
}

async fn ready(hub: &Hub, began: Instant) -> Result<()> {
    let request = b"GET /readyz HTTP/1.1\r\nHost: hub\r\n\r\n";
    loop {
        if let Ok(mut connection) = Connection::open(hub.address()).await
            && connection.ask(request).await.is_ok_and(|status| status == 200)
        {
            return Ok(());
        }
        ensure!(began.elapsed() < Duration::from_secs(30), "the hub did not get ready:\n{}", hub.log());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
