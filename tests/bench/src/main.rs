//! How fast the hub is, beside what is bare, in one run: `cargo xtask bench`.
//!
//! The hub is its own binary as it is shipped, in a process of its own, and so is each bare server; they take turns. What
//! is generated and what is played runs here, on the same cores.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line speaks to its terminal")]

mod asterisk;
mod bare_hooks;
mod bare_sockets;
mod batches;
mod child;
mod decode;
mod deliveries;
mod disk;
mod events;
mod frames;
mod load;
mod polls;
mod sockets;
mod start;
mod sync;
mod table;
mod webhooks;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use table::Row;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What can be measured alone.
const ROWS: [&str; 11] =
    ["webhooks", "decode", "deliveries", "batches", "sync", "live", "sockets", "polls", "asterisk", "events", "start"];

/// Measures also what takes minutes.
const LONG: &str = "--long";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("bench: {why:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<()> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["bare-hooks", store] => return bare_hooks::serve(store).await,
        ["bare-sockets", length] => return bare_sockets::serve(length.parse()?).await,
        _ => {}
    }
    let (options, wanted): (Vec<&str>, Vec<&str>) = words.into_iter().partition(|word| *word == LONG);
    if let Some(unknown) = wanted.iter().find(|row| !ROWS.contains(row)) {
        bail!("there is no row `{unknown}`: there are {}", ROWS.join(", "));
    }
    let mut rows = Vec::new();
    for name in ROWS {
        if wanted.is_empty() || wanted.contains(&name) {
            let began = Instant::now();
            eprintln!("▸ measuring {name}");
            disk::settle().await?;
            match measured(name, !options.is_empty()).await {
                Ok(more) => rows.extend(more),
                Err(why) => {
                    table::print(&rows);
                    return Err(why.context(name));
                }
            }
            eprintln!("  {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    table::print(&rows);
    Ok(())
}

async fn measured(name: &str, long: bool) -> Result<Vec<Row>> {
    match name {
        "webhooks" => webhooks::measure().await,
        "decode" => decode::measure().await,
        "deliveries" => deliveries::measure().await,
        "batches" => batches::measure().await,
        "sync" => sync::measure(long).await,
        "live" => sockets::latency().await,
        "sockets" => sockets::fan_out().await,
        "polls" => polls::measure().await,
        "asterisk" => asterisk::measure().await,
        "events" => events::measure().await,
        _ => start::measure().await,
    }
}
