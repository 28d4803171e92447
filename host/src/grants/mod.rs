//! Logging in: a use's calls carry a grant that works.
//!
//! A grant is issued one at a time over the whole cluster, is kept sealed in the store before it is used, is renewed
//! ahead of its end, and is renewed once when the outside system refuses it. Whether a component logs in at all is
//! seen from what it exports; one that does not is called as it is.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::components::contract::{Ability, Change, Failure, Grant, Outcome};
use crate::components::{Called, Exchange, Fault, Use};
use crate::model::Instant;
use crate::store::{Store, StoreError};

/// A grant is renewed so long before its end, so that no call meets the end.
const AHEAD: Duration = Duration::from_secs(60);

/// How long one login may take before another node may try.
const LOGIN: Duration = Duration::from_secs(60);

/// The attribute of a grant with the moments of logins that have failed since.
const FAILED: &str = "failed-logins";

/// The attribute with what the last of them said.
const WHY: &str = "failed-login";

/// Moments that are kept at most.
const MOMENTS: usize = 8;

/// Characters of what a failure said.
const WORDS: usize = 300;

/// A use whose calls carry a grant.
pub struct Granted {
    tenant: String,
    name: String,
    component: Arc<Use>,
    store: Store,
    /// One login at a time; and the grant that came and could not be kept, for what it was made of is used up.
    renewing: Mutex<Option<Grant>>,
}

impl Granted {
    /// The use `name` of a tenant.
    pub fn new(tenant: &str, name: &str, component: Arc<Use>, store: Store) -> Arc<Self> {
        let (tenant, name) = (tenant.to_owned(), name.to_owned());
        Arc::new(Granted { tenant, name, component, store, renewing: Mutex::new(None) })
    }

    /// The use itself, for calls that need no grant.
    pub fn component(&self) -> &Arc<Use> {
        &self.component
    }

    /// Calls with a grant; when the outside system refuses it, once more with a new one.
    pub async fn call<T, F, W>(&self, call: F) -> Called<Result<T, Failure>>
    where
        F: Fn(Arc<Use>) -> W,
        W: Future<Output = Called<Result<T, Failure>>>,
    {
        let mut exchanges = Vec::new();
        let used = match self.ready(&mut exchanges).await {
            Ok(used) => used,
            Err(ended) => return (ended.map(Err), exchanges),
        };
        let (mut result, more) = call(self.component.clone()).await;
        exchanges.extend(more);
        if self.logs_in() && matches!(result, Ok(Err(Failure::Unauthorized { .. }))) {
            if let Err(ended) = self.renew(used, &mut exchanges).await {
                return (ended.map(Err), exchanges);
            }
            let (again, more) = call(self.component.clone()).await;
            exchanges.extend(more);
            result = again;
        }
        (result, exchanges)
    }

    /// Delivers with a grant; what the outside system refused for the grant's sake is delivered once more.
    pub async fn deliver(&self, changes: Vec<Change>) -> Called<Vec<Outcome>> {
        let mut exchanges = Vec::new();
        let all = |failure: Failure| changes.iter().map(|_| Outcome::Failed(failure.clone())).collect();
        let used = match self.ready(&mut exchanges).await {
            Ok(used) => used,
            Err(ended) => return (ended.map(all), exchanges),
        };
        let (result, more) = self.component.deliver(changes.clone()).await;
        exchanges.extend(more);
        let mut outcomes = match result {
            Ok(outcomes) => outcomes,
            Err(fault) => return (Err(fault), exchanges),
        };
        let refused = |outcome: &Outcome| matches!(outcome, Outcome::Failed(Failure::Unauthorized { .. }));
        if self.logs_in() && outcomes.iter().any(refused) {
            if let Err(ended) = self.renew(used, &mut exchanges).await {
                return match ended {
                    Ok(failure) => {
                        outcomes
                            .iter_mut()
                            .filter(|one| refused(one))
                            .for_each(|one| *one = Outcome::Failed(failure.clone()));
                        (Ok(outcomes), exchanges)
                    }
                    Err(fault) => (Err(fault), exchanges),
                };
            }
            let again: Vec<usize> = (0..outcomes.len()).filter(|at| refused(&outcomes[*at])).collect();
            let repeated = again.iter().map(|at| changes[*at].clone()).collect();
            let (result, more) = self.component.deliver(repeated).await;
            exchanges.extend(more);
            match result {
                Ok(new) => again.into_iter().zip(new).for_each(|(at, outcome)| outcomes[at] = outcome),
                Err(fault) => return (Err(fault), exchanges),
            }
        }
        (Ok(outcomes), exchanges)
    }

    fn logs_in(&self) -> bool {
        self.component.component().abilities().has(Ability::Grants)
    }

    /// Sees to it that there is a grant; the one that calls will use. What went wrong is a failure or a fault.
    async fn ready(&self, exchanges: &mut Vec<Exchange>) -> Result<Option<Grant>, Result<Failure, Fault>> {
        if !self.logs_in() {
            return Ok(None);
        }
        match self.component.grant() {
            Some(grant) if lasts(&grant) => Ok(Some(grant)),
            ended => {
                self.renew(ended, exchanges).await?;
                Ok(self.component.grant())
            }
        }
    }

    /// What the store has; what was refused, when it has none.
    async fn stored(&self, refused: &Option<Grant>) -> Result<Option<Grant>, StoreError> {
        match self.store.grant(&self.tenant, &self.name).await {
            Ok(stored) => Ok(stored.or_else(|| refused.clone())),
            Err(StoreError::Sealed) => {
                tracing::warn!(
                    tenant = self.tenant,
                    of = self.name,
                    "the stored grant does not open with the present key; logging in anew"
                );
                Ok(refused.clone())
            }
            Err(why) => Err(why),
        }
    }

    /// Replaces `refused` by a newer grant: one that somebody else has got meanwhile, or a new one.
    async fn renew(&self, refused: Option<Grant>, exchanges: &mut Vec<Exchange>) -> Result<(), Result<Failure, Fault>> {
        let mut unkept = self.renewing.lock().await;
        if let Some(present) = self.component.grant()
            && Some(&present) != refused.as_ref()
            && lasts(&present)
        {
            return Ok(());
        }
        let unavailable = |why: StoreError| {
            Ok(Failure::Retryable { why: format!("the grant could not be kept: {why}"), status: None, after: None })
        };
        let lock = self.store.grant_lock(&self.tenant, &self.name, LOGIN).await.map_err(unavailable)?;
        let grant = match unkept.take() {
            Some(grant) => grant,
            None => match self.stored(&refused).await.map_err(unavailable)? {
                Some(newer) if !is_one(&newer, refused.as_ref()) && lasts(&newer) => {
                    self.component.set_grant(Some(newer));
                    drop(lock);
                    return Ok(());
                }
                previous => {
                    let (issued, more) = self.component.issue(previous.clone()).await;
                    let answered = more.iter().filter(|exchange| counted(exchange)).count();
                    exchanges.extend(more);
                    match issued {
                        Ok(Ok(grant)) => grant,
                        Ok(Err(failure)) => {
                            self.note(previous, answered, &failure).await;
                            return Err(Ok(failure));
                        }
                        Err(fault) => return Err(Err(fault)),
                    }
                }
            },
        };
        if let Err(why) = self.store.put_grant(&self.tenant, &self.name, &grant).await {
            *unkept = Some(grant);
            return Err(unavailable(why));
        }
        self.component.set_grant(Some(grant));
        tracing::info!(tenant = self.tenant, of = self.name, "logged in");
        Ok(())
    }

    /// Keeps beside the old grant that requests to log in came to nothing: outside systems count those, too, and the
    /// component is told of them the next time, whatever restarts.
    async fn note(&self, previous: Option<Grant>, answered: usize, failure: &Failure) {
        if answered == 0 {
            return;
        }
        let never = || Grant { token: String::new(), expires_at: Some(Instant::default()), attributes: Vec::new() };
        let mut grant = previous.unwrap_or_else(never);
        let before = grant.attributes.iter().find(|(name, _)| name == FAILED).map(|(_, moments)| moments.clone());
        let now = Instant::now().millis().to_string();
        let mut moments: Vec<&str> = before.iter().flat_map(|moments| moments.split(',')).collect();
        moments.extend(std::iter::repeat_n(now.as_str(), answered.min(MOMENTS)));
        let moments = moments[moments.len().saturating_sub(MOMENTS)..].join(",");
        grant.attributes.retain(|(name, _)| name != FAILED && name != WHY);
        grant.attributes.push((FAILED.to_owned(), moments));
        let why = self.component.redacted(&failure.to_string());
        grant.attributes.push((WHY.to_owned(), why.chars().take(WORDS).collect()));
        if let Err(why) = self.store.put_grant(&self.tenant, &self.name, &grant).await {
            tracing::warn!(tenant = self.tenant, of = self.name, "a login that failed could not be counted: {why}");
        }
    }
}

/// Whether two are the same grant, whatever has been noted of either.
fn is_one(grant: &Grant, other: Option<&Grant>) -> bool {
    other.is_some_and(|other| (&grant.token, grant.expires_at) == (&other.token, other.expires_at))
}

/// Whether the outside system itself has answered, and not what stands before it.
fn counted(exchange: &Exchange) -> bool {
    exchange.status.is_some_and(|status| !matches!(status, 502 | 503))
}

fn lasts(grant: &Grant) -> bool {
    grant.expires_at.is_none_or(|end| end > Instant::now().after(AHEAD))
}
