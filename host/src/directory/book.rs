//! One sink's directory: asked with a grant, by so many at once, and left alone while it fails.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use moka::Expiry;
use tokio::sync::Semaphore;

use crate::components::contract::{Ability, Failure, Match};
use crate::config::{Breaker, Tenant};
use crate::grants::Granted;
use crate::model::Phone;

/// Whoever was found is believed for so long: names and owners seldom change.
const FOUND: Duration = Duration::from_secs(300);

/// That nobody was found, for so long: a new contact is often made right after the first call.
const NOBODY: Duration = Duration::from_secs(60);

/// A number over which a directory failed is not asked for again so soon.
const FAILED: Duration = Duration::from_secs(5);

/// A directory that does not take the hub's login or settings is left alone for so long.
const REFUSED: Duration = Duration::from_secs(60);

/// Questions to one directory at once. A CRM that is slow is not asked ever more.
const AT_ONCE: usize = 16;

/// People with one number that are taken in, and the length of a text about one.
const PEOPLE: usize = 50;
const TEXT: usize = 1024;

/// What a directory said.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// These have the number, best first; nobody when empty.
    People(Arc<[Match]>),
    /// It did not answer, or was not asked because it did not answer before.
    Away,
}

impl Answer {
    pub(super) fn nobody() -> Self {
        Answer::People(Arc::default())
    }
}

/// How long each answer is kept.
pub(super) struct Lifetimes;

impl Expiry<(u64, String), Answer> for Lifetimes {
    fn expire_after_create(&self, _: &(u64, String), answer: &Answer, _: Instant) -> Option<Duration> {
        Some(match answer {
            Answer::People(people) if people.is_empty() => NOBODY,
            Answer::People(_) => FOUND,
            Answer::Away => FAILED,
        })
    }
}

/// A sink that may know people.
pub(super) struct Book {
    id: u64,
    tenant: String,
    sink: String,
    adapter: Arc<Granted>,
    places: Semaphore,
    breaker: Breaker,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    failures: u32,
    /// Not to be asked before.
    away_until: Option<Instant>,
}

impl Book {
    pub(super) fn new(tenant: &Tenant, sink: &str, adapter: Arc<Granted>) -> Arc<Self> {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Arc::new(Book {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            tenant: tenant.name.clone(),
            sink: sink.to_owned(),
            adapter,
            places: Semaphore::new(AT_ONCE),
            breaker: tenant.sinks.get(sink).map(|sink| sink.breaker).unwrap_or_default(),
            standing: Mutex::default(),
        })
    }

    /// No other one has it.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The sink's name.
    pub(super) fn sink(&self) -> &str {
        &self.sink
    }

    /// Whether it is this adapter's.
    pub(super) fn is_of(&self, adapter: &Arc<Granted>) -> bool {
        Arc::ptr_eq(&self.adapter, adapter)
    }

    /// Whether its component, as it is now, can be asked.
    pub(super) fn knows_people(&self) -> bool {
        self.adapter.component().component().abilities().has(Ability::Directory)
    }

    /// Asks, however long that takes.
    pub(super) async fn ask(self: Arc<Self>, phone: Phone) -> Answer {
        let count = |outcome| metrics::counter!("cordboard_directory_total", "outcome" => outcome).increment(1);
        let place = match self.is_away() {
            true => None,
            false => self.places.try_acquire().ok(),
        };
        let Some(_place) = place else {
            count("away");
            return Answer::Away;
        };
        let asked = self.adapter.call(|adapter| {
            let phone = phone.clone();
            async move { adapter.find(phone).await }
        });
        let (result, _) = asked.await;
        match result {
            Ok(Ok(people)) => {
                *self.standing() = Standing::default();
                count(if people.is_empty() { "nobody" } else { "found" });
                Answer::People(people.into_iter().take(PEOPLE).map(bounded).collect())
            }
            Ok(Err(failure)) => {
                let why = self.adapter.component().redacted(&failure.to_string());
                self.failed(match failure {
                    Failure::RateLimited { after } => Some(after.unwrap_or(FAILED)),
                    Failure::Unauthorized { .. } | Failure::Misconfigured { .. } => Some(REFUSED),
                    Failure::Retryable { .. } => None,
                    // It answered, though not this question.
                    Failure::Rejected { .. } => Some(Duration::ZERO),
                });
                tracing::warn!(tenant = self.tenant, sink = self.sink, "the directory did not answer: {why}");
                count("failed");
                Answer::Away
            }
            Err(fault) => {
                self.failed(None);
                tracing::error!(tenant = self.tenant, sink = self.sink, "the directory broke down: {fault}");
                count("failed");
                Answer::Away
            }
        }
    }

    fn is_away(&self) -> bool {
        self.standing().away_until.is_some_and(|until| Instant::now() < until)
    }

    /// Leaves it alone for so long; when nothing says how long, after as many failures in a row as the sink's breaker
    /// takes, for the breaker's pause.
    fn failed(&self, alone: Option<Duration>) {
        let mut standing = self.standing();
        standing.failures = standing.failures.saturating_add(1);
        let broken = (standing.failures >= self.breaker.failures).then_some(self.breaker.pause);
        if let Some(alone) = alone.or(broken) {
            standing.away_until = Some(Instant::now() + alone);
        }
    }

    fn standing(&self) -> std::sync::MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a component says of somebody, none of it longer than anybody reads.
fn bounded(mut found: Match) -> Match {
    let cut = |text: &mut String| {
        let end = (0..=TEXT.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
    };
    [&mut found.external_id, &mut found.kind, &mut found.name].into_iter().for_each(cut);
    // Cut, these would lead to somebody else.
    found.url =
        found.url.filter(|url| url.len() <= TEXT && (url.starts_with("https://") || url.starts_with("http://")));
    found.owner = found.owner.filter(|owner| owner.len() <= TEXT);
    found.attributes.retain(|(name, value)| name.len() <= TEXT && value.len() <= TEXT);
    found.attributes.truncate(PEOPLE);
    found
}
