//! How many events a second one core takes in natively, and what an open call costs in memory:
//! `cargo run --release --example events -p cordboard-ami`.
#![allow(clippy::print_stdout)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use cordboard_ami::Session;
use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::Outside;
use serde_json::json;

/// Counts what is allocated.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static TIMES: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator that counts is one that passes on")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        TIMES.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: u64 = 60;
const OPEN: u64 = 5_000;
const START: u64 = 1_795_246_343_000;

fn session(outside: &Outside) -> Session {
    let mut session = Session::begin(outside);
    let login =
        "Asterisk Call Manager/5.0.4\r\nResponse: Success\r\nActionID: cordboard-1\r\n\r\nEvent: FullyBooted\r\n\r\n";
    session.handle(outside, START, vec![Input::Opened, Input::Bytes(login.as_bytes().to_vec())]);
    session
}

/// The bytes with other ids of channels.
fn renumbered(bytes: &[u8], number: u64) -> Vec<u8> {
    let fresh = format!("{}", 20_000 + number % 10_000).into_bytes();
    let mut bytes = bytes.to_vec();
    for start in 0..bytes.len().saturating_sub(5) {
        if bytes[start..].starts_with(b"1795") && !bytes[start - 1].is_ascii_digit() {
            bytes[start..start + 5].copy_from_slice(&fresh);
        }
    }
    bytes
}

/// The events of all recordings of one version, without the banners and answers.
fn recordings(version: &str) -> Vec<Vec<u8>> {
    let mut streams = Vec::new();
    for entry in std::fs::read_dir(folder(version)).expect("the recordings") {
        let path = entry.expect("a file").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_some_and(|end| end == "ami") && !name.starts_with(['z', 'w', 'o']) {
            streams.push(recording(&path));
        }
    }
    streams
}

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(version)
}

fn recording(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("a stream");
    let start = bytes.windows(16).position(|window| window == b"\r\n\r\nEvent: Newch").map_or(0, |start| start + 4);
    bytes[start..].to_vec()
}

fn events(streams: &[Vec<u8>]) -> usize {
    streams.iter().map(|stream| stream.windows(9).filter(|window| *window == b"\r\nEvent: ").count() + 1).sum()
}

/// Seconds that this thread has had a processor, so that what else the machine does counts for nothing.
fn busy() -> f64 {
    let line = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a Linux that counts the time of threads");
    line.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).expect("a number") / 1e9
}

fn main() {
    let outside = Outside::new().settings(json!({ "host": "pbx", "username": "u", "password": "p" }));
    for version in ["asterisk-16", "asterisk-22", "asterisk-22-options"] {
        let streams = recordings(version);
        let rounds: Vec<Vec<Vec<u8>>> =
            (0..ROUNDS).map(|round| streams.iter().map(|stream| renumbered(stream, round)).collect()).collect();
        let (each, bytes) = (events(&streams), streams.iter().map(Vec::len).sum::<usize>());
        let mut session = session(&outside);
        let (mut observed, mut now) = (0, START);
        let allocated = TIMES.load(Ordering::Relaxed);
        let started = busy();
        for round in rounds {
            for stream in round {
                now += 2_000;
                let actions = session.handle(&outside, now, vec![Input::Timer(3), Input::Bytes(stream)]);
                observed += actions.iter().filter(|action| matches!(action, Action::Observe(_))).count();
            }
        }
        let seconds = busy() - started;
        let total = each * ROUNDS as usize;
        println!(
            "{version}: {:.0} events/s, {:.0} MB/s; {observed} observations and {:.1} allocations for 100 events",
            total as f64 / seconds,
            (bytes * ROUNDS as usize) as f64 / seconds / 1e6,
            (TIMES.load(Ordering::Relaxed) - allocated) as f64 * 100.0 / total as f64,
        );
    }
    let answered = recording(&folder("asterisk-16").join("a_inbound_answered.ami"));
    let upto = answered.windows(20).position(|window| window == b"Event: HangupRequest").unwrap_or(answered.len());
    let mut session = session(&outside);
    let before = HELD.load(Ordering::Relaxed);
    for number in 0..OPEN {
        drop(session.handle(&outside, START, vec![Input::Bytes(renumbered(&answered[..upto], number))]));
    }
    println!("an open call: {} bytes", (HELD.load(Ordering::Relaxed) - before) / OPEN as usize);
}
