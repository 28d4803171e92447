//! The disk that every commit waits for, alone: what no hub can be quicker than.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// What a small commit appends to SQLite's log.
const COMMIT: [u8; 16 << 10] = [7; 16 << 10];

/// Waits until what was measured before is on the disk: it would be measured again with what comes next.
pub async fn settle() -> Result<()> {
    let done = tokio::process::Command::new("sync").status().await.context("there is no `sync`")?;
    ensure!(done.success(), "`sync` failed");
    Ok(())
}

/// How long it takes to append a small commit and have it on the disk, in microseconds, so many times.
pub fn flushes(count: usize, pause: Duration) -> Result<Vec<u32>> {
    let mut file: File = tempfile::tempfile()?;
    (0..count)
        .map(|_| {
            std::thread::sleep(pause);
            let began = Instant::now();
            file.write_all(&COMMIT)?;
            file.sync_data()?;
            Ok(u32::try_from(began.elapsed().as_micros())?)
        })
        .collect()
}
