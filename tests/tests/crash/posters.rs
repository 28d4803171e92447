//! PBXs that post calls, and post again what was not acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cordboard_tests::hub::Hub;
use cordboard_tests::pbx::{self, PbxCall};
use cordboard_tests::vtiger::FakeVtiger;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::seed::Seed;

/// So many post side by side.
const POSTERS: usize = 8;

/// No new call is begun while the CRM is so many behind: the test is of kills, not of patience.
const BEHIND: usize = 1500;

/// A call that was posted to its end.
#[derive(Debug)]
pub struct Call {
    pub pbx: PbxCall,
    /// None of its posts repeats what another said.
    pub in_parts: bool,
}

/// What was posted.
#[derive(Debug, Default)]
pub struct Posted {
    /// Calls all of whose posts were acknowledged: all that were begun.
    pub calls: Vec<Call>,
    /// Bodies that were acknowledged, each with the number that the hub gave it.
    pub acknowledged: Vec<(u64, String)>,
    /// Posts that had to be sent again.
    pub again: usize,
}

/// Posters at work.
pub struct Posters {
    stop: watch::Sender<bool>,
    tasks: JoinSet<Posted>,
}

impl Posters {
    pub fn start(hub: &Hub, crm: Arc<FakeVtiger>, seed: &mut Seed) -> Self {
        let stop = watch::Sender::new(false);
        let begun = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        for _ in 0..POSTERS {
            let poster = Poster {
                http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap(),
                url: hub.url("/v1/hooks/acme/pbx"),
                crm: crm.clone(),
                begun: begun.clone(),
                seed: seed.another(),
                posted: Posted::default(),
            };
            tasks.spawn(poster.run(stop.subscribe()));
        }
        Self { stop, tasks }
    }

    /// Lets every poster bring its call to its end.
    pub async fn end(self) -> Posted {
        self.stop.send_replace(true);
        let mut all = Posted::default();
        for one in self.tasks.join_all().await {
            all.calls.extend(one.calls);
            all.acknowledged.extend(one.acknowledged);
            all.again += one.again;
        }
        all
    }
}

struct Poster {
    http: reqwest::Client,
    url: String,
    crm: Arc<FakeVtiger>,
    begun: Arc<AtomicUsize>,
    seed: Seed,
    posted: Posted,
}

impl Poster {
    async fn run(mut self, stop: watch::Receiver<bool>) -> Posted {
        while !*stop.borrow() {
            if self.begun.load(Ordering::Relaxed) > self.crm.count("PBXManager") + BEHIND {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            let pbx = PbxCall::number(self.begun.fetch_add(1, Ordering::Relaxed));
            let in_parts = self.seed.below(2) == 0;
            let mut posts = if in_parts { pbx.in_parts() } else { [pbx.ringing(), pbx.answered(), pbx.ended()] };
            // Now and then they come in another order.
            if self.seed.below(4) == 0 {
                let other = self.seed.below(3) as usize;
                posts.swap(other, 2);
            }
            for post in posts {
                self.post(post.to_string()).await;
                tokio::time::sleep(Duration::from_millis(self.seed.below(20))).await;
            }
            self.posted.calls.push(Call { pbx, in_parts });
        }
        self.posted
    }

    /// Sends it until it is acknowledged.
    async fn post(&mut self, body: String) {
        let signature = pbx::signature(pbx::SECRET, body.as_bytes());
        loop {
            let request = self.http.post(&self.url).header("x-signature", &signature).body(body.clone());
            match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    // A head without its body is no acknowledgement: the hub was killed in between.
                    if let Ok(said) = answer.json::<Value>().await {
                        let number = said["intake"].as_u64().unwrap_or_else(|| panic!("no number: {said}"));
                        self.posted.acknowledged.push((number, body));
                        return;
                    }
                }
                Ok(answer) => assert!(answer.status().is_server_error(), "a good post was refused: {answer:?}"),
                Err(_) => {}
            }
            self.posted.again += 1;
            tokio::time::sleep(Duration::from_millis(20 + self.seed.below(60))).await;
        }
    }
}
