//! What components may ask about their own tenant, answered by the running hub.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};

use crate::commands::{Ask, Asker, CommandError, Commands};
use crate::components::contract::{CallPage, Command, CommandOutcome, Failure, KnownCall, Person, Selection};
use crate::components::{Asking, CALLS, Inside};
use crate::config::{Plan, Tenant};
use crate::delivery::name_people;
use crate::directory::{Directory, Match};
use crate::live::{Live, call_concerns};
use crate::model::{Agent, Item, Subject};
use crate::store::{CallFilter, CommandRow, CommandState, Store, StoreError};

/// The hub, as components see it.
pub(super) struct Tenants {
    pub plan: Arc<ArcSwap<Plan>>,
    pub store: Store,
    pub live: Arc<Live>,
    pub directory: Arc<Directory>,
    pub commands: Arc<Commands>,
}

impl Tenants {
    fn tenant(&self, who: Asking<'_>) -> Option<Arc<Tenant>> {
        self.plan.load().tenants.get(who.tenant).cloned()
    }
}

/// A call with the tenant's people named as they are called in the outside system of who asks.
fn shown(tenant: &Tenant, who: Asking<'_>, subject: Subject, revision: u64, mut item: Item) -> Option<KnownCall> {
    name_people(&mut item, tenant, who.name);
    let Item::Call(call) = item else { return None };
    Some(KnownCall { subject, revision, call })
}

impl Inside for Tenants {
    fn under_way<'a>(
        &'a self,
        who: Asking<'a>,
        extension: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<KnownCall>, Failure>> {
        async move {
            let Some(tenant) = self.tenant(who) else { return Ok(Vec::new()) };
            let calls = self.live.desks().under_way(who.tenant).await.map_err(away)?;
            let wanted = calls.iter().filter(|known| extension.is_none_or(|own| call_concerns(&known.call, own)));
            let shown = wanted.take(CALLS as usize).filter_map(|known| {
                shown(&tenant, who, known.subject.clone(), known.revision, Item::Call(known.call.clone()))
            });
            Ok(shown.collect())
        }
        .boxed()
    }

    fn calls<'a>(
        &'a self,
        who: Asking<'a>,
        which: Selection,
        after: Option<&'a str>,
        limit: u32,
    ) -> BoxFuture<'a, Result<CallPage, Failure>> {
        async move {
            let Selection { extension: agent, since: from, until: to } = which;
            let filter = CallFilter { agent, from, to, ..CallFilter::default() };
            let page = self.store.calls(who.tenant, &filter, after, limit).await.map_err(away)?;
            let Some(tenant) = self.tenant(who) else { return Ok(CallPage { calls: Vec::new(), next: None }) };
            let calls = page.items.into_iter();
            let calls = calls.filter_map(|it| shown(&tenant, who, it.subject, it.revision, it.item)).collect();
            Ok(CallPage { calls, next: page.next })
        }
        .boxed()
    }

    fn call_of<'a>(&'a self, who: Asking<'a>, id: &'a str) -> BoxFuture<'a, Result<Option<KnownCall>, Failure>> {
        async move {
            let Some(tenant) = self.tenant(who) else { return Ok(None) };
            let sources = tenant.sources.keys().cloned().collect();
            let record = self.store.call_of_any(who.tenant, sources, id).await.map_err(away)?;
            Ok(record.and_then(|it| shown(&tenant, who, it.subject, it.revision, it.item)))
        }
        .boxed()
    }

    fn agents(&self, who: Asking<'_>, extension: Option<&str>, user: Option<&str>) -> Vec<Agent> {
        let Some(tenant) = self.tenant(who) else { return Vec::new() };
        let mut found = Vec::new();
        for agent in &tenant.agents {
            let own = agent.users.get(who.name);
            if user.is_some_and(|user| !own.is_some_and(|own| own.eq_ignore_ascii_case(user))) {
                continue;
            }
            let at = agent.extensions.iter().filter(|at| extension.is_none_or(|extension| *at == extension));
            found.extend(at.map(|at| Agent {
                extension: Some(at.clone()),
                name: agent.name.clone(),
                user: own.cloned(),
            }));
        }
        found
    }

    fn who<'a>(&'a self, who: Asking<'a>, number: &'a str, patience: Duration) -> BoxFuture<'a, Vec<Person>> {
        async move {
            let Some(tenant) = self.tenant(who) else { return Vec::new() };
            let phone = tenant.numbering.typed(number);
            if patience.is_zero() {
                let Some(key) = phone.key() else { return Vec::new() };
                let found = self.directory.remembered(who.tenant, &key).await;
                return found.into_iter().map(person).collect();
            }
            let known = self.directory.within(who.tenant, &phone, patience).await;
            known.matches.into_iter().map(person).collect()
        }
        .boxed()
    }

    fn perform<'a>(
        &'a self,
        who: Asking<'a>,
        command: Command,
        patience: Duration,
    ) -> BoxFuture<'a, Result<CommandOutcome, Failure>> {
        async move {
            let Some(tenant) = self.tenant(who) else { return Err(gone()) };
            let Command { id, name, agent, arguments } = command;
            let Ok(arguments) = serde_json::from_str::<Map<String, Value>>(&arguments) else {
                return Err(rejected("invalid", "the arguments are no JSON object"));
            };
            // Whoever acts for somebody acts from their telephone, as they themselves would.
            let desk = agent.as_ref().and_then(|agent| agent.extension.clone()).map(|own| Arc::from([own]));
            let asker = Asker { tenant, name: format!("endpoint of {}", who.name), desk };
            let ask = Ask { key: format!("{}:{id}", who.name), source: None, name, agent, arguments };
            match self.commands.carry_out(&asker, ask, patience).await {
                Ok(row) => outcome(&row),
                Err(error) => Err(refused(error)),
            }
        }
        .boxed()
    }
}

/// How a command stands, in the contract's words.
fn outcome(row: &CommandRow) -> Result<CommandOutcome, Failure> {
    let answer: Value = row.answer.as_deref().and_then(|answer| serde_json::from_str(answer).ok()).unwrap_or_default();
    let word = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    match row.state {
        CommandState::Done => Ok(CommandOutcome::Done(answer["result"].to_string())),
        CommandState::Accepted => Ok(CommandOutcome::Accepted(answer["subject"].as_str().map(str::to_owned))),
        CommandState::Unknown => Ok(CommandOutcome::Unknown(word("why"))),
        CommandState::Running => Ok(CommandOutcome::Unknown("it is still under way".to_owned())),
        CommandState::Failed => Err(match word("failure").as_str() {
            "rejected" => rejected(&word("code"), word("why")),
            "unauthorized" => Failure::Unauthorized { why: word("why") },
            "misconfigured" => Failure::Misconfigured { why: word("why") },
            "rate-limited" => Failure::RateLimited { after: None },
            _ => Failure::Retryable { why: word("why"), status: None, after: None },
        }),
    }
}

/// Why a command was not begun, in the contract's words.
fn refused(error: CommandError) -> Failure {
    match error {
        CommandError::Invalid { field, why } => rejected("invalid", format!("{field}: {why}")),
        CommandError::Forbidden { field, why } => rejected("forbidden", format!("{field}: {why}")),
        CommandError::Clash(_) => rejected("clash", error.to_string()),
        CommandError::TooMany => Failure::RateLimited { after: None },
        CommandError::NotNow(failure) => failure,
        CommandError::Store(why) => away(why),
    }
}

fn rejected(code: &str, why: impl Into<String>) -> Failure {
    Failure::Rejected { code: code.to_owned(), why: why.into() }
}

fn away(why: StoreError) -> Failure {
    tracing::warn!(%why, "a component asked for calls and the store did not answer");
    Failure::Retryable { why: "the store does not answer".to_owned(), status: None, after: None }
}

fn gone() -> Failure {
    Failure::Misconfigured { why: "the tenant is not configured any more".to_owned() }
}

fn person(found: Match) -> Person {
    let owner = found.owner.map(|owner| owner.user);
    Person { sink: found.sink, id: found.id, kind: found.kind, name: found.name, url: found.link, owner }
}
