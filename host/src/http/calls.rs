//! Calls: listed, read, logged by hand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::Json as Body;
use super::problem::{Kind, Problem};
use super::query::{Filled, Id, limit, span};
use crate::components::contract::Refusal;
use crate::config::Role;
use crate::intake::IntakeError;
use crate::model::call::{CallPhase, Direction};
use crate::model::{Agent, Call, Instant, Item, Numbering, Party};
use crate::store::{CallFilter, Clash, Page, Place, Record};

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Of this source.
    source: Option<String>,
    /// Begun not before.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Instant>,
    /// Begun before.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Instant>,
    /// `ringing`, `answered`, `ended`.
    phase: Option<String>,
    /// `answered`, `no-answer`, `busy`, `declined`, `failed`, `abandoned`, `voicemail`, ….
    outcome: Option<String>,
    /// `inbound`, `outbound`, `internal`.
    direction: Option<String>,
    /// Digits in the caller's, the callee's or the line's number.
    number: Option<String>,
    /// An extension that rang, answered or placed it.
    agent: Option<String>,
    /// Words in names, numbers, notes.
    text: Option<String>,
    /// What the page before gave as `next`.
    #[param(value_type = Option<String>)]
    after: Option<Place>,
    /// At most so many.
    limit: Option<u32>,
}

/// Some of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CallPage {
    #[schema(value_type = Vec<Object>)]
    items: Vec<Record>,
    /// To be given as `after` for what follows; absent at the end.
    next: Option<String>,
}

/// Calls, newest first.
///
/// An agent gets those of its own extension.
#[utoipa::path(get, path = "/v1/calls", tag = "calls", params(Asked),
    responses((status = 200, body = CallPage), (status = "default", body = super::problem::Document)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Filled(asked): Filled<Asked>,
) -> Result<Json<CallPage>, Problem> {
    let (limit, after) = (limit(asked.limit)?, asked.after.map(|after| after.to_string()));
    span(asked.from, asked.to)?;
    let filter = CallFilter {
        source: asked.source,
        from: asked.from,
        to: asked.to,
        phase: one_of("phase", asked.phase, &["ringing", "answered", "ended"])?,
        outcome: asked.outcome,
        direction: one_of("direction", asked.direction, &["inbound", "outbound", "internal"])?,
        number: asked.number,
        agent: desk(&caller, asked.agent)?,
        text: asked.text,
    };
    let Page { items, next } = api.store.calls(&caller.tenant.name, &filter, after.as_deref(), limit).await?;
    Ok(Json(CallPage { items, next }))
}

pub(super) fn one_of(name: &str, word: Option<String>, words: &[&str]) -> Result<Option<String>, Problem> {
    match word {
        Some(word) if !words.contains(&word.as_str()) => {
            let detail = format!("`{}` is none of: {}", word.escape_default(), words.join(", "));
            Err(Problem::new(Kind::Malformed, detail).at(name))
        }
        word => Ok(word),
    }
}

/// The extension whose calls are asked for: an agent's own.
fn desk(caller: &Caller, asked: Option<String>) -> Result<Option<String>, Problem> {
    if caller.role != Role::Agent {
        return Ok(asked);
    }
    match (asked, &*caller.extensions) {
        (Some(asked), own) if own.contains(&asked) => Ok(Some(asked)),
        (Some(_), _) => Err(Problem::new(Kind::Forbidden, "an agent sees the calls of its own extensions").at("agent")),
        (None, [only]) => Ok(Some(only.clone())),
        (None, []) => Err(Problem::new(Kind::Forbidden, "you have no extension in the tenant's file")),
        (None, own) => {
            let detail = format!("you have several extensions, say which one: {}", own.join(", "));
            Err(Problem::new(Kind::Malformed, detail).at("agent"))
        }
    }
}

/// One call.
#[utoipa::path(get, path = "/v1/calls/{id}", tag = "calls", params(("id" = i64, Path, description = "The record's id")),
    responses((status = 200, body = Object), (status = "default", body = super::problem::Document)))]
pub(super) async fn one(State(api): State<Arc<Api>>, caller: Caller, Id(id): Id) -> Result<Json<Record>, Problem> {
    let record = api.store.record(&caller.tenant.name, id).await?;
    let seen = record.filter(|record| matches!(record.item, Item::Call(_)) && caller.sight().sees(&record.item));
    seen.map(Json).ok_or_else(|| Problem::missing("call"))
}

/// A call to log.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ByHand {
    /// Your own id for it: the same id again adds to the same call, and corrects it. When it is absent it is the header
    /// `Idempotency-Key`, which stands for this one request, or else made up.
    #[schema(max_length = 200)]
    id: Option<String>,
    /// Whom it was with: the side that is not ours, by the call's direction.
    customer: Option<CustomerByHand>,
    /// What is known of it, in the fields of a call.
    #[schema(value_type = Object)]
    call: Call,
}

/// Whom a call was with.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CustomerByHand {
    /// What they are called: later calls with the number show it.
    name: Option<String>,
    /// The number, as people write numbers.
    number: Option<String>,
}

/// What calls logged by hand are known by.
#[derive(Clone, Copy)]
enum KnownBy {
    /// An id of the sender's own.
    Id,
    /// The key of this one request.
    Key,
}

/// A call logged by hand.
///
/// It goes the way of every other call, under the source `manual`, and is over. An agent logs calls of its own extensions
/// and speaks of no others' telephones. What is said again under the same id is a correction; times can only be corrected
/// to earlier ones, as of all that is said of a beginning or an end the earliest counts.
#[utoipa::path(post, path = "/v1/calls", tag = "calls", request_body = ByHand,
    responses((status = 201, description = "The call as it stands now", body = Object),
        (status = "default", body = super::problem::Document)))]
pub(super) async fn log(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    Body(ByHand { id, customer, mut call }): Body<ByHand>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Record>), Problem> {
    let key = headers.get("idempotency-key").map(|key| key.to_str().unwrap_or_default().to_owned());
    let by = if id.is_none() && key.is_some() { KnownBy::Key } else { KnownBy::Id };
    let id = id.or(key);
    if let Some(odd) = id.as_deref().filter(|id| id.is_empty() || id.len() > 200 || id.contains(char::is_control)) {
        let detail = format!("an id has from 1 to 200 bytes and no control characters; this one has {}", odd.len());
        return Err(Problem::new(Kind::Invalid, detail).at(by.field()));
    }
    if call.phase.replace(CallPhase::Ended).is_some_and(|phase| phase != CallPhase::Ended) {
        let detail = "a call that is logged by hand is over: leave `phase` out, or say `ended`";
        return Err(Problem::new(Kind::Invalid, detail).at("/call/phase"));
    }
    let own = (caller.role == Role::Agent).then(|| caller.extensions.clone());
    if let Some(own) = &own {
        let asked = call.agent.as_ref().and_then(|agent| agent.extension.clone());
        let extension = desk(&caller, asked).map_err(|problem| problem.at("/call/agent/extension"))?;
        call.agent = Some(Agent { extension, name: None, user: None });
        at_own_desks(&mut call, own)?;
    }
    if let Some(customer) = customer {
        with_customer(&mut call, customer, &caller.tenant.numbering)?;
    }
    let id = id.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let said = [call.started_at, call.answered_at, call.ended_at];
    let consent = move |before: &Item, after: &Item| match (before, after) {
        (Item::Call(before), Item::Call(after)) => goes_with(by, own.as_deref(), said, before, after),
        _ => Ok(()),
    };
    let committed = api.reception.log_call(&caller.tenant, id, call, Arc::new(consent)).await.map_err(in_body)?;
    let record = match committed.records.first() {
        Some(record) => api.store.record(&caller.tenant.name, *record).await?,
        None => None,
    };
    let record = record.ok_or_else(|| Problem::new(Kind::Internal, "the call was logged, but cannot be read"))?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/v1/calls/{}", record.id))], Json(record)))
}

impl KnownBy {
    fn field(self) -> &'static str {
        match self {
            KnownBy::Id => "/id",
            KnownBy::Key => "Idempotency-Key",
        }
    }
}

/// That a call speaks of no telephones but these: what an agent says would show at others' desks.
fn at_own_desks(call: &mut Call, own: &[String]) -> Result<(), Problem> {
    let check = |extension: Option<&String>, field: String| match extension.is_some_and(|it| own.contains(it)) {
        true => Ok(()),
        false => Err(Problem::new(Kind::Forbidden, "an agent logs what was at its own extensions").at(field)),
    };
    for (side, party) in [("caller", &mut call.caller), ("callee", &mut call.callee)] {
        if let Some(agent) = party.as_mut().and_then(|party| party.agent.as_mut()) {
            check(agent.extension.as_ref(), format!("/call/{side}/agent/extension"))?;
            (agent.name, agent.user) = (None, None);
        }
    }
    let mut desks = call.desks.iter().enumerate();
    desks.try_for_each(|(at, desk)| check(Some(&desk.extension), format!("/call/desks/{at}/extension")))
}

/// Whether a call may be logged over the one that is there under its id: one of these desks', for an agent; nothing new,
/// under a key; and with the times that were `said` for it.
fn goes_with(
    by: KnownBy,
    own: Option<&[String]>,
    said: [Option<Instant>; 3],
    before: &Call,
    after: &Call,
) -> Result<(), Clash> {
    let clash = |field: &str, why: String| Err(Clash { field: field.to_owned(), why });
    let extension = before.agent.as_ref().and_then(|agent| agent.extension.as_ref());
    if own.is_some_and(|own| extension.is_none_or(|it| !own.contains(it))) {
        return clash(by.field(), "this id stands for a call that is not yours: choose another one".to_owned());
    }
    let times = [
        ("started_at", said[0], after.started_at),
        ("answered_at", said[1], after.answered_at),
        ("ended_at", said[2], after.ended_at),
    ];
    let lost = times.into_iter().find(|(_, said, stays)| said.is_some() && said != stays);
    match (by, lost) {
        (KnownBy::Key, lost) if lost.is_some() || before != after => {
            let why = "this key was used for another call: give each its own, or an `id` to correct it by";
            clash(by.field(), why.to_owned())
        }
        (KnownBy::Id, Some((time, _, Some(stays)))) => {
            let why = format!("`{time}` is {stays} already, and can be corrected to an earlier time only");
            clash(&format!("/call/{time}"), why)
        }
        _ => Ok(()),
    }
}

/// Puts the customer on the side that is not ours.
fn with_customer(
    call: &mut Call,
    CustomerByHand { name, number }: CustomerByHand,
    numbering: &Numbering,
) -> Result<(), Problem> {
    let side = match call.direction {
        Some(Direction::Inbound) => &mut call.caller,
        Some(Direction::Outbound) => &mut call.callee,
        Some(Direction::Internal) | None => {
            let detail =
                "with a `customer` the direction is needed: `inbound` when they called, `outbound` when you did";
            return Err(Problem::new(Kind::Invalid, detail).at("/call/direction"));
        }
    };
    if side.is_some() {
        let detail = "the call says itself who was on the customer's side: give one of the two";
        return Err(Problem::new(Kind::Invalid, detail).at("/customer"));
    }
    let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let (name, number) = (given(name), given(number));
    if name.is_none() && number.is_none() {
        return Err(Problem::new(Kind::Invalid, "give a name, a number or both").at("/customer"));
    }
    let number = number.map(|number| numbering.typed(&number));
    if number.as_ref().is_some_and(|number| number.key().is_none()) {
        let detail = "this is no telephone number and no extension; leave it out when it is not known";
        return Err(Problem::new(Kind::Invalid, detail).at("/customer/number"));
    }
    *side = Some(Party { number, name, agent: None });
    Ok(())
}

/// What is wrong with an observation, told with its place in the body.
fn in_body(why: IntakeError) -> Problem {
    match why {
        IntakeError::Refused(Refusal::Malformed { field, why }) => {
            let pointer = field.replace('[', "/").replace(']', "").replace('.', "/");
            Problem::new(Kind::Invalid, why).at(format!("/{pointer}"))
        }
        why => why.into(),
    }
}
