//! A misdeed costs its own call. Beside each one runs a crowd of good calls, none of which may fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cordboard::components::contract::{Outcome, Refusal, Request};
use cordboard::components::{Component, Exchange, Fault, LoadError, Runtime};
use cordboard::model;
use cordboard_tests::built::component;
use tokio::task::JoinHandle;

use crate::bench::{self, SECRET};
use crate::loading;

/// How long the good calls are watched by themselves, before and after.
const ALONE: Duration = Duration::from_millis(300);

/// A misdeed that is soon over is done again and again for so long, or nothing could be seen beside it.
const BESIDE: Duration = Duration::from_millis(500);

/// The longest that a good call may take: far less than the five seconds that a misdeed may last, and more than a busy
/// machine takes a thread away for.
const STALL: Duration = Duration::from_millis(2500);

/// Good calls that go on while a misdeed is done: from when until when each took.
struct Crowd {
    stop: Arc<AtomicBool>,
    members: Vec<JoinHandle<Vec<(Instant, Instant)>>>,
}

impl Crowd {
    fn start(runtime: &Arc<Runtime>, component: &Arc<Component>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let good = bench::doing(runtime, component, "none", "", &[]);
        let member = |_| {
            let (stop, good) = (stop.clone(), good.clone());
            tokio::spawn(async move {
                let mut calls = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    assert_eq!(bench::delivered(&good).await, "good");
                    calls.push((begun, Instant::now()));
                    tokio::task::yield_now().await;
                }
                calls
            })
        };
        Crowd { members: (0..4).map(member).collect(), stop }
    }

    async fn end(self) -> Vec<(Instant, Instant)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut calls = Vec::new();
        for member in self.members {
            calls.extend(member.await.unwrap());
        }
        calls
    }
}

/// Good calls in a second, of those that ended in this time.
fn rate(calls: &[(Instant, Instant)], from: Instant, to: Instant) -> f64 {
    let ended = calls.iter().filter(|(_, end)| (from..to).contains(end)).count();
    ended as f64 / (to - from).as_secs_f64()
}

/// Does it beside a crowd of good calls: none of them fails, none waits for it, and together they go on at their rate.
pub async fn beside<T>(runtime: &Arc<Runtime>, component: &Arc<Component>, misdeed: impl AsyncFn() -> T) -> T {
    let crowd = Crowd::start(runtime, component);
    // The first calls of all are slower.
    tokio::time::sleep(ALONE / 3).await;
    let alone = Instant::now();
    tokio::time::sleep(ALONE).await;
    let begun = Instant::now();
    let result = misdeed().await;
    while begun.elapsed() < BESIDE {
        misdeed().await;
    }
    let ended = Instant::now();
    tokio::time::sleep(ALONE).await;
    let over = Instant::now();
    let calls = crowd.end().await;
    // The misdeed has a share of the threads, too. Where other programs come and go, the slower of before and after is
    // what the machine had to give.
    let (during, before, after) = (rate(&calls, begun, ended), rate(&calls, alone, begun), rate(&calls, ended, over));
    assert!(
        during >= before.min(after) / 4.0,
        "{before:.0} good calls in a second, {during:.0} during it, then {after:.0}"
    );
    let longest = calls.iter().filter(|(_, end)| *end > begun).map(|(begun, end)| *end - *begun).max();
    assert!(longest.is_some_and(|longest| longest < STALL), "a good call took {longest:?}");
    result
}

async fn misdeed(name: &str, url: &str, allow: &[&str]) -> (Result<Outcome, Fault>, Vec<Exchange>) {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let bad = bench::doing(&runtime, &component, name, url, allow);
    beside(&runtime, &component, async || bench::deliver(&bad).await).await
}

async fn fault(name: &str) -> Fault {
    misdeed(name, "", &[]).await.0.unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_loop_meets_its_deadline() {
    let fault = fault("loop").await;
    assert_eq!(fault, Fault::Deadline(Duration::from_secs(5)));
    assert_eq!(fault.to_string(), "the component did not finish within 5 s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sleeping_meets_the_deadline_too() {
    assert_eq!(fault("sleep").await, Fault::Deadline(Duration::from_secs(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_recursion_uses_up_its_own_stack() {
    let fault = fault("recursion").await;
    assert_eq!(fault, Fault::Stack(1024), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_recursion_with_large_frames_leaves_its_memory() {
    let said = fault("frames").await.to_string();
    assert!(said.ends_with("it reached outside its memory, as endless recursion does"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_bomb_gets_no_more_than_its_share() {
    let fault = fault("memory").await;
    assert!(matches!(fault, Fault::Memory { limit: 64, .. }), "{fault}");
    assert!(fault.to_string().ends_with("it may have 64 MiB"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_bomb_gets_no_more_than_its_share() {
    // While it says who it is: Rust has no word for `table.grow`, so this one is written by hand.
    let grow = "(loop $again (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 10000)) (i32.const -1)))) unreachable";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("growing.wasm");
    std::fs::write(&file, wat::parse_str(loading::shaped("1.0.0", grow)).unwrap()).unwrap();
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let error = beside(&runtime, &component, async || runtime.load(&file).await.err()).await.unwrap();
    let LoadError::Describe { fault: Fault::Table { limit: 100_000, .. }, .. } = &error else { panic!("{error}") };
    assert!(error.to_string().contains("it may have 100000"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_files_are_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let mut damaged = std::fs::read(component("misdeeds")).unwrap();
    damaged.truncate(damaged.len() / 2);
    let bad = [
        ("text.wasm", b"hello".to_vec()),
        ("module.wasm", wat("(module)")),
        ("nothing.wasm", wat("(component)")),
        ("tomorrow.wasm", wat(&loading::shaped("2.0.0", ""))),
        ("crashing.wasm", wat(&loading::shaped("1.0.0", "unreachable"))),
        ("precompiled.wasm", b"\x7fELF\x02\x01\x01\0 and so on".to_vec()),
        ("damaged.wasm", damaged),
    ];
    for (name, bytes) in &bad {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    std::fs::File::create(folder.path().join("huge.wasm")).unwrap().set_len(200 << 20).unwrap();
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let files = bad.iter().map(|(name, _)| *name).chain(["huge.wasm"]).map(|name| folder.path().join(name));
    let files: Vec<_> = files.collect();
    beside(&runtime, &component, async || {
        for file in &files {
            assert!(runtime.load(file).await.is_err(), "{}", file.display());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_return_value_is_not_taken() {
    let fault = fault("huge").await;
    // Whichever comes first: the memory to make it in, or the handing over.
    assert!(matches!(fault, Fault::Memory { .. } | Fault::TooLarge(_)), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_return_value_that_fits_its_memory_is_not_taken_either() {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let mut options = bench::options(serde_json::json!({"misdeed": "huge"}), &[]);
    options.limits.memory = 512 << 20;
    let bad = bench::used(&runtime, &component, options);
    let fault = beside(&runtime, &component, async || bench::deliver(&bad).await).await.0.unwrap_err();
    assert_eq!(fault, Fault::TooLarge(8 << 10), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_into_the_hub_are_counted() {
    let fault = fault("calls").await;
    assert_eq!(fault, Fault::HostCalls(100_000), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted() {
    let server = bench::server().await;
    let (result, exchanges) = misdeed("requests", &format!("http://{server}/"), &[&server.to_string()]).await;
    assert_eq!(result.unwrap_err(), Fault::Requests(50));
    assert_eq!(exchanges.len(), 50);
    assert!(exchanges.iter().all(|exchange| exchange.status == Some(200)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_says_where() {
    let fault = fault("trap").await;
    assert!(fault.to_string().starts_with("the component crashed: "), "{fault}");
    assert!(fault.to_string().contains("unreachable"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_leaves_its_last_words_without_secrets() {
    let said = fault("panic").await.to_string();
    assert!(said.contains("it panicked at") && said.contains("no reason at all"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ending_itself_is_a_crash() {
    let said = fault("exit").await.to_string();
    assert!(said.contains("ended itself"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaking_what_the_hub_lent_ends_the_call() {
    let fault = fault("leak").await;
    assert!(matches!(fault, Fault::Trap(_) | Fault::HostCalls(_)), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_break_the_contract_are_not_taken() {
    assert_eq!(fault("nothing").await, Fault::Answer("0 outcomes for 1 changes".into()));
    let said = fault("memo").await.to_string();
    assert!(said.contains("receipt.memo: has 5000 bytes"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn printing_and_logging_without_end_does_no_harm() {
    let outcome = misdeed("log", "", &[]).await.0.unwrap();
    assert!(matches!(outcome, Outcome::Done(receipt) if receipt.external_id.as_deref() == Some("logged")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_environment_and_sockets_are_empty() {
    let outcome = misdeed("files", "", &["127.0.0.1"]).await.0.unwrap();
    let Outcome::Done(receipt) = outcome else { panic!("{outcome:?}") };
    assert_eq!(receipt.external_id.as_deref(), Some("false 0 false"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_trap_a_kept_instance_is_thrown_away() {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let it = bench::used(&runtime, &component, bench::options(serde_json::json!({}), &[]));
    let post = |body: &'static str| Request {
        method: "POST".into(),
        path: "/".into(),
        query: None,
        headers: Vec::new(),
        body: body.into(),
        received_at: model::Instant::now(),
    };
    for calls in 1..=3 {
        let refusal = it.receive(post("good")).await.unwrap().unwrap_err();
        assert_eq!(refusal, Refusal::Ignored(calls.to_string()), "it is not kept");
    }
    assert!(matches!(it.receive(post("trap")).await, Err(Fault::Trap(_))));
    assert_eq!(it.receive(post("good")).await.unwrap().unwrap_err(), Refusal::Ignored("1".into()));
}
