//! The live socket: who may open it, and what is asked for.

use std::sync::Arc;

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Deserialize;

use super::Api;
use super::auth::Caller;
use super::problem::{Kind, Problem};
use super::query::{Query, words};
use super::serve::Place;
use super::socket;
use crate::live::Subscription;

/// The subprotocol that the socket speaks.
const PROTOCOL: &str = "cordboard.v1";

/// A client has little to say.
const LONGEST_MESSAGE: usize = 64 * 1024;

/// Bytes that are kept for each socket to read into: thousands of sockets are mostly silent.
const READ_BUFFER: usize = 1024;

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// A ticket from `POST /v1/tickets`.
    ticket: Option<String>,
    /// The number of the last event that you have; from now on when absent.
    since: Option<u64>,
    /// Types, with commas between them: `call.ended`, `call.*`.
    types: Option<String>,
    /// Extensions, with commas between them.
    agents: Option<String>,
    /// Sources, with commas between them.
    sources: Option<String>,
    /// The hub's id of one record.
    record: Option<i64>,
    /// The id of one subject at its source.
    subject: Option<String>,
}

/// Events as they happen, over a WebSocket.
///
/// Who asks is known by an `Authorization` header; or by the subprotocols `cordboard.v1, bearer.TOKEN`; or by a ticket. A
/// token never stands in the address. The first frame, `hello`, names the sources that are `away`; `source.connected` and
/// `source.disconnected` tell what becomes of them. With `since` the events after that number come first, without a gap
/// and without repeats. An agent gets what concerns its own extensions. A socket that reads too slowly is closed with
/// 4008 and resumes.
#[utoipa::path(get, path = "/v1/live", tag = "live", params(Asked),
    responses((status = 101, description = "The socket is open"),
        (status = 426, description = "Not asked for as a WebSocket", body = super::problem::Document),
        (status = "default", body = super::problem::Document)))]
pub(super) async fn live(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
    place: Option<Extension<Place>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let caller = who(&api, &headers, asked.ticket.as_deref()).await?;
    let mut upgrade = upgrade.map_err(|why| Problem::new(Kind::Upgrade, why.body_text()))?;
    if api.stopping.is_cancelled() {
        return Err(Problem::new(Kind::Unavailable, "the hub is stopping").after(socket::COME_BACK));
    }
    let most = api.plan.load().hub.limits.sockets;
    if api.live.followers(&caller.tenant.name) >= most {
        let detail = format!("the tenant has {most} live sockets open already");
        return Err(Problem::new(Kind::TooMany, detail).after(socket::COME_BACK));
    }
    let wanted = Subscription {
        types: words(asked.types.as_deref()),
        agents: words(asked.agents.as_deref()),
        sources: words(asked.sources.as_deref()),
        record: asked.record,
        subject: asked.subject,
    };
    let feed = api.live.follow(&caller.tenant.name, asked.since, caller.sight(), wanted).await?;
    if upgrade.requested_protocols().any(|protocol| protocol == PROTOCOL) {
        upgrade.set_selected_protocol(HeaderValue::from_static(PROTOCOL));
    }
    let token = api.sockets.token();
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(socket::BATCH_BYTES)
        .max_message_size(LONGEST_MESSAGE)
        .max_frame_size(LONGEST_MESSAGE);
    Ok(upgrade.on_upgrade(move |socket| async move {
        // Held as long as the socket is open: its place among the connections, and among what stopping waits for.
        let _held = (token, place);
        socket::run(&api, socket, feed, caller).await;
    }))
}

async fn who(api: &Api, headers: &HeaderMap, ticket: Option<&str>) -> Result<Caller, Problem> {
    if let Some(ticket) = ticket {
        let void =
            || Problem::new(Kind::Unauthenticated, "the ticket is not known, was used, or is too old").at("ticket");
        return api.tickets.redeem(ticket).ok_or_else(void);
    }
    let protocols = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut protocols = protocols.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    match protocols.find_map(|protocol| protocol.trim().strip_prefix("bearer.")) {
        Some(token) => Caller::with(api, token).await,
        None => Caller::of(api, headers).await,
    }
}
