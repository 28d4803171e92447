//! Who is this number? The tenant's own people, the directories of its sinks, and what the hub's records say.
//!
//! All sinks that know people are asked at once, and nobody waits longer than the tenant's budget: what comes later
//! fills the cache for the next one who asks. A directory that fails costs its own names and nothing else.
//!
//! Nothing here knows a vendor, writes to the ledger, or holds up a frame of the live feed.

mod book;
mod caller;
mod known;
mod owner;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures::future::join_all;
use moka::future::Cache;

use crate::config::Tenant;
use crate::grants::Granted;
use crate::live::Live;
use crate::model::Phone;
use crate::store::Store;

use book::{Answer, Book, Lifetimes};
pub use known::{Known, Match, Owner};
pub use owner::Responsible;

/// Answers that are kept, of all tenants together. At about half a kilobyte each, some megabytes.
const ANSWERS: u64 = 10_000;

/// With fewer digits than these it is an extension or a service, and no CRM is asked.
const LEAST: usize = 6;

/// The directories of all tenants.
pub struct Directory {
    store: Store,
    live: Arc<Live>,
    shelves: RwLock<HashMap<String, Arc<Shelf>>>,
    answers: Cache<(u64, String), Answer>,
}

/// What one tenant asks.
struct Shelf {
    tenant: Arc<Tenant>,
    /// In the order in which they are believed.
    books: Vec<Arc<Book>>,
}

/// The sinks of one tenant, as they are asked.
pub struct Sinks {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// By name.
    pub sinks: Vec<(String, Arc<Granted>)>,
}

impl Directory {
    /// No tenant yet. Whoever calls is named on the live feed from the first one on.
    pub fn new(store: Store, live: Arc<Live>) -> Arc<Self> {
        let answers = Cache::builder().max_capacity(ANSWERS).expire_after(Lifetimes).build();
        let heard = live.published();
        let directory = Arc::new(Directory { store, live, shelves: RwLock::default(), answers });
        tokio::spawn(caller::follow(Arc::downgrade(&directory), heard));
        directory
    }

    /// Replaces all tenants at once. What the same adapter has answered stays.
    pub fn set(&self, all: Vec<Sinks>) {
        let mut shelves = self.shelves.write().unwrap_or_else(PoisonError::into_inner);
        let before: Vec<Arc<Book>> = shelves.values().flat_map(|shelf| shelf.books.iter().cloned()).collect();
        let shelf = |Sinks { tenant, sinks }: Sinks| {
            let book = |name: &String| {
                let (_, adapter) = sinks.iter().find(|(own, _)| own == name)?;
                let same = before.iter().find(|book| book.is_of(adapter));
                Some(same.cloned().unwrap_or_else(|| Book::new(&tenant, name, adapter.clone())))
            };
            let all: Vec<String> = sinks.iter().map(|(name, _)| name.clone()).collect();
            let books = tenant.directory.sinks.as_ref().unwrap_or(&all).iter().filter_map(book).collect();
            (tenant.name.clone(), Arc::new(Shelf { tenant, books }))
        };
        *shelves = all.into_iter().map(shelf).collect();
    }

    /// Whose number it is, as far as that comes to light within the tenant's budget.
    pub async fn who(self: &Arc<Self>, tenant: &str, phone: &Phone) -> Known {
        let budget = self.shelf(tenant).map_or(Duration::ZERO, |shelf| shelf.tenant.directory.budget);
        self.within(tenant, phone, budget).await
    }

    /// Whose number it is, as far as that comes to light within this time.
    pub async fn within(self: &Arc<Self>, tenant: &str, phone: &Phone, budget: Duration) -> Known {
        let mut known = Known::nobody(phone.clone());
        let (Some(shelf), Some(key)) = (self.shelf(tenant), phone.key()) else { return known };
        if let Some(colleague) = colleague(&shelf.tenant, phone) {
            known.matches.push(Match::colleague(colleague, phone));
            return known;
        }
        let until = tokio::time::Instant::now() + budget;
        let key = key.as_str();
        let asked = join_all(shelf.books.iter().filter(|book| book.knows_people()).map(|book| async move {
            let found = match phone.e164.is_some() || key.len() >= LEAST {
                true => tokio::time::timeout_at(until, self.asked(book, key, phone)).await,
                false => Ok(Answer::nobody()),
            };
            (book, found)
        }));
        let keys = shelf.tenant.numbering.keys(phone);
        let own = tokio::time::timeout_at(until, self.store.named(tenant, &keys));
        let (asked, own) = tokio::join!(asked, own);
        for (book, answer) in asked {
            match answer {
                Ok(Answer::People(people)) => {
                    known.matches.extend(people.iter().map(|found| Match::of(&shelf.tenant, book.sink(), found)));
                }
                Ok(Answer::Away) => known.complete = false,
                Err(_) => {
                    metrics::counter!("cordboard_directory_total", "outcome" => "late").increment(1);
                    known.complete = false;
                }
            }
        }
        match own {
            Ok(Ok(own)) => known.add_own(own),
            Ok(Err(_)) | Err(_) => known.complete = false,
        }
        known
    }

    /// What a book says, from the cache if it has been asked lately. Whoever stops waiting does not stop the asking.
    async fn asked(&self, book: &Arc<Book>, key: &str, phone: &Phone) -> Answer {
        let place = (book.id(), key.to_owned());
        if let Some(answer) = self.answers.get(&place).await {
            metrics::counter!("cordboard_directory_total", "outcome" => "cached").increment(1);
            return answer;
        }
        let (answers, book, phone) = (self.answers.clone(), book.clone(), phone.clone());
        let asking = tokio::spawn(async move { answers.get_with(place, book.ask(phone)).await });
        asking.await.unwrap_or(Answer::Away)
    }

    /// What the sinks have said of a number lately, without asking anybody.
    pub async fn remembered(&self, tenant: &str, key: &str) -> Option<Match> {
        let shelf = self.shelf(tenant)?;
        for book in &shelf.books {
            if let Some(Answer::People(people)) = self.answers.get(&(book.id(), key.to_owned())).await
                && let Some(first) = people.first()
            {
                return Some(Match::of(&shelf.tenant, book.sink(), first));
            }
        }
        None
    }

    /// Who looks after whoever has this number, as far as that comes to light within `patience` or the tenant's budget,
    /// whichever is less.
    pub async fn responsible(self: &Arc<Self>, tenant: &str, typed: &str, patience: Duration) -> Responsible {
        let begun = Instant::now();
        let Some(shelf) = self.shelf(tenant) else { return Responsible::Unclear };
        let phone = shelf.tenant.numbering.typed(typed);
        let budget = shelf.tenant.directory.budget.min(patience);
        let known = self.within(tenant, &phone, budget).await;
        tracing::debug!(tenant, took = ?begun.elapsed(), complete = known.complete, "whose number is it");
        owner::responsible(&known)
    }

    fn shelf(&self, tenant: &str) -> Option<Arc<Shelf>> {
        self.shelves.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }
}

/// The tenant's own person with this extension.
fn colleague<'t>(tenant: &'t Tenant, phone: &Phone) -> Option<&'t crate::config::Agent> {
    tenant.agent_at(phone.raw.trim())
}
