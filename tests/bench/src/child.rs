//! A bare server in a process of its own, and what the system knows of a process.

use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running bare server; it ends when this is dropped.
pub struct Bare {
    child: Child,
    /// The words that it printed when it was ready.
    pub said: Vec<String>,
}

impl Bare {
    /// Starts this program as something else.
    pub async fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let line = BufReader::new(output).lines().next_line().await?;
        let line = line.with_context(|| format!("the bare server `{}` did not start", arguments.join(" ")))?;
        Ok(Bare { child, said: line.split_whitespace().map(str::to_owned).collect() })
    }
}

impl Bare {
    /// Its process.
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("the bare server has ended")
    }
}

/// Processor time that a process has used so far, in seconds.
pub fn processor(pid: u32) -> Result<f64> {
    /// Linux counts it in hundredths, whatever its own clock.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name stands in brackets and may hold anything; user and system time are the 12th and 13th after it.
    let after = stat.rsplit_once(')').context("the system does not tell")?.1;
    let ticks: Vec<f64> = after.split_whitespace().skip(11).take(2).filter_map(|text| text.parse().ok()).collect();
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// A line of `/proc/PID/status` in MiB: `VmRSS`, or its highest so far, `VmHWM`.
pub fn memory(pid: u32, line: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()).context("the system does not tell")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}
