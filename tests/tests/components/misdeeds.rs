//! A misdeed costs its own call. Beside each one runs a crowd of good calls, none of which may fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cordboard::components::contract::{Outcome, Refusal, Request};
use cordboard::components::{Component, Exchange, Fault, Runtime};
use cordboard::model::Instant;

use crate::bench::{self, SECRET};

/// Good calls that go on while a misdeed is done.
struct Crowd {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Crowd {
    fn start(runtime: &Arc<Runtime>, component: &Arc<Component>) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let good = bench::doing(runtime, component, "none", "", &[]);
        let member = |_| {
            let (stop, done, good) = (stop.clone(), done.clone(), good.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(bench::delivered(&good).await, "good");
                    done.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        };
        Crowd { tasks: (0..4).map(member).collect(), stop, done }
    }

    /// Ends it; all of them must have gone well, while the misdeed was being done.
    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        assert!(self.done.load(Ordering::Relaxed) > 4, "the good calls did not get on");
    }
}

async fn misdeed(name: &str, url: &str, allow: &[&str]) -> (Result<Outcome, Fault>, Vec<Exchange>) {
    let runtime = bench::runtime();
    let component = bench::load(&runtime, "misdeeds").await;
    let bad = bench::doing(&runtime, &component, name, url, allow);
    let crowd = Crowd::start(&runtime, &component);
    // Enough to be under way when the misdeed begins and after it has ended.
    while crowd.done.load(Ordering::Relaxed) < 4 {
        tokio::task::yield_now().await;
    }
    let result = bench::deliver(&bad).await;
    let before = crowd.done.load(Ordering::Relaxed);
    while crowd.done.load(Ordering::Relaxed) < before + 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    crowd.end().await;
    result
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
    let fault = bench::deliver(&bench::used(&runtime, &component, options)).await.0.unwrap_err();
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
        received_at: Instant::now(),
    };
    for calls in 1..=3 {
        let refusal = it.receive(post("good")).await.unwrap().unwrap_err();
        assert_eq!(refusal, Refusal::Ignored(calls.to_string()), "it is not kept");
    }
    assert!(matches!(it.receive(post("trap")).await, Err(Fault::Trap(_))));
    assert_eq!(it.receive(post("good")).await.unwrap().unwrap_err(), Refusal::Ignored("1".into()));
}
