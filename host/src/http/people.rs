//! People by their number: who has it, and what was said with them.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as Odd, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::calls::one_of;
use super::problem::{Kind as ProblemKind, Problem};
use super::query::{Filled, Names, limit, span, words};
use crate::config::Role;
use crate::directory::{Known, Match};
use crate::model::message::MessageStatus;
use crate::model::{Instant, Kind, Phone};
use crate::store::{Communication, Communications, Page, Place, Record};

/// A call or a message, with whom it was.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Entry {
    /// `call` or `message`: the member of that name is the record.
    r#type: &'static str,
    /// When it was: the list's order.
    #[schema(value_type = String, format = DateTime)]
    at: Instant,
    /// The other side; absent when its number is withheld and its name unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<CustomerView>,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    record: Record,
}

/// The other side of a call or a message.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CustomerView {
    /// The number, in all its forms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    number: Option<Phone>,
    /// What they are called: by a contact, by what people logged, by what a CRM said lately, or as came with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Who says so; absent for a name that came with the call or message.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<Match>,
}

/// Calls and messages, newest first.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Entries {
    items: Vec<Entry>,
    /// To be given as `after` for what follows; absent at the end. A filter that finds little may give a short page, or
    /// an empty one, with more to follow.
    next: Option<String>,
}

/// Who has a number.
///
/// The directories of the tenant's sinks are asked, for as long as its budget allows, and the hub's own contacts and
/// calls logged by hand are looked through. The number may be written as people write numbers.
#[utoipa::path(get, path = "/v1/people/{number}", tag = "people",
    params(("number" = String, Path, description = "A number or an extension, as anybody may write it")),
    responses((status = 200, body = Known), (status = "default", body = super::problem::Document)))]
pub(super) async fn who(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Names(name): Names<1>,
) -> Result<Json<Known>, Problem> {
    let phone = numbered(&caller, &name[0]).map_err(|why| why.at("number"))?;
    Ok(Json(api.directory.who(&caller.tenant.name, &phone).await))
}

/// What a list is narrowed and cut by.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Turned {
    /// What the page before gave as `next`.
    #[param(value_type = Option<String>)]
    after: Option<Place>,
    /// At most so many.
    limit: Option<u32>,
}

/// What was said with one number: calls and messages together, newest first.
///
/// An agent gets those of its own extensions.
#[utoipa::path(get, path = "/v1/people/{number}/timeline", tag = "people",
    params(("number" = String, Path, description = "A number, as anybody may write it"), Turned),
    responses((status = 200, body = Entries), (status = "default", body = super::problem::Document)))]
pub(super) async fn timeline(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Names(name): Names<1>,
    Filled(turned): Filled<Turned>,
) -> Result<Json<Entries>, Problem> {
    let phone = numbered(&caller, &name[0]).map_err(|why| why.at("number"))?;
    let filter = Communications {
        people: caller.tenant.numbering.keys(&phone),
        agents: desks(&caller, None)?,
        ..Communications::default()
    };
    entries(&api, &caller, &filter, turned.after, limit(turned.limit)?).await.map(Json)
}

/// Which calls and messages.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// `call`, `message`, with commas between them; both when absent.
    r#type: Option<String>,
    /// `inbound`, `outbound`, `internal`.
    direction: Option<String>,
    /// An extension that rang, answered or placed it.
    agent: Option<String>,
    /// How a call went (`answered`, `no-answer`, …), or how far a message has come (`sent`, `read`, …).
    outcome: Option<String>,
    /// Of this source.
    source: Option<String>,
    /// With this number, as anybody may write it.
    number: Option<String>,
    /// Not before.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Instant>,
    /// Before.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Instant>,
    /// What the page before gave as `next`.
    #[param(value_type = Option<String>)]
    after: Option<Place>,
    /// At most so many.
    limit: Option<u32>,
}

/// Calls and messages of the tenant, newest first.
///
/// An agent gets those of its own extensions.
#[utoipa::path(get, path = "/v1/inbox", tag = "people", params(Asked),
    responses((status = 200, body = Entries), (status = "default", body = super::problem::Document)))]
pub(super) async fn inbox(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Filled(asked): Filled<Asked>,
) -> Result<Json<Entries>, Problem> {
    let people = match &asked.number {
        Some(typed) => {
            let phone = numbered(&caller, typed).map_err(|why| why.at("number"))?;
            caller.tenant.numbering.keys(&phone)
        }
        None => Vec::new(),
    };
    let kind = |word: String| match word.as_str() {
        "call" => Ok(Kind::Call),
        "message" => Ok(Kind::Message),
        _ => Err(malformed(format!("`{word}` is none of: call, message")).at("type")),
    };
    let kinds: Vec<Kind> = words(asked.r#type.as_deref()).into_iter().map(kind).collect::<Result<_, _>>()?;
    // Sources may know further outcomes of calls; how far a message may come is known.
    if let ([Kind::Message], Some(status)) = (&*kinds, &asked.outcome) {
        let status: StrDeserializer<'_, Odd> = status.as_str().into_deserializer();
        MessageStatus::deserialize(status).map_err(|why| malformed(why.to_string()).at("outcome"))?;
    }
    span(asked.from, asked.to)?;
    let filter = Communications {
        kinds,
        people,
        source: asked.source,
        from: asked.from,
        to: asked.to,
        direction: one_of("direction", asked.direction, &["inbound", "outbound", "internal"])?,
        outcome: asked.outcome,
        agents: desks(&caller, asked.agent)?,
    };
    entries(&api, &caller, &filter, asked.after, limit(asked.limit)?).await.map(Json)
}

fn malformed(why: String) -> Problem {
    Problem::new(ProblemKind::Malformed, why)
}

/// A number as somebody has written it.
fn numbered(caller: &Caller, typed: &str) -> Result<Phone, Problem> {
    let phone = caller.tenant.numbering.typed(typed);
    match phone.key() {
        Some(_) => Ok(phone),
        None => {
            let typed: String = typed.chars().take(40).flat_map(char::escape_default).collect();
            Err(malformed(format!("`{typed}` is no telephone number and no extension: write it as one dials it")))
        }
    }
}

/// The extensions that a list is narrowed to: an agent's own.
fn desks(caller: &Caller, asked: Option<String>) -> Result<Vec<String>, Problem> {
    let forbidden = |why: &str| Err(Problem::new(ProblemKind::Forbidden, why));
    match (caller.role, asked, &*caller.extensions) {
        (Role::Supervisor | Role::Admin, asked, _) => Ok(asked.into_iter().collect()),
        (Role::Agent, _, []) => forbidden("you have no extension in the tenant's file"),
        (Role::Agent, None, own) => Ok(own.to_vec()),
        (Role::Agent, Some(asked), own) if own.contains(&asked) => Ok(vec![asked]),
        (Role::Agent, Some(_), _) => {
            forbidden("an agent sees what concerns its own extensions").map_err(|why| why.at("agent"))
        }
    }
}

async fn entries(
    api: &Api,
    caller: &Caller,
    filter: &Communications,
    after: Option<Place>,
    limit: u32,
) -> Result<Entries, Problem> {
    let tenant = &caller.tenant.name;
    let Page { items, next } = api.store.communications(tenant, filter, after, limit).await?;
    let mut people: Vec<String> = items.iter().filter_map(|item| item.person.clone()).collect();
    people.sort_unstable();
    people.dedup();
    let named = api.store.names(tenant, &people).await?;
    let mut known: HashMap<String, Match> = named.into_iter().map(|(key, named)| (key, Match::own(named))).collect();
    for person in &people {
        if !known.contains_key(person)
            && let Some(found) = api.directory.remembered(tenant, person).await
        {
            known.insert(person.clone(), found);
        }
    }
    Ok(Entries { items: items.into_iter().map(|item| Entry::of(item, &known)).collect(), next })
}

impl Entry {
    fn of(item: Communication, known: &HashMap<String, Match>) -> Self {
        let Communication { at, person, record } = item;
        let other = record.item.customer();
        let (number, told) = other.map_or((None, None), |other| (other.number.cloned(), other.name.map(str::to_owned)));
        let known = person.and_then(|person| known.get(&person).cloned());
        let name = known.as_ref().map(|known| known.name.clone()).or(told);
        let customer = (number.is_some() || name.is_some()).then_some(CustomerView { number, name, known });
        Entry { r#type: record.item.kind().word(), at, customer, record }
    }
}
