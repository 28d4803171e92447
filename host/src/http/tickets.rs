//! Tickets: a browser cannot send headers with a WebSocket, and a token in an address ends up in logs. A ticket opens
//! one socket, once, within half a minute.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt;
use serde::Serialize;

use super::Api;
use super::auth::Caller;
use super::problem::{Kind, Problem};

/// How long a ticket waits to be used.
const LIFE: Duration = Duration::from_secs(30);

/// Tickets that may wait at once: a bound on memory.
const MOST: usize = 20_000;

/// The tickets that wait to be used.
#[derive(Default)]
pub(super) struct Tickets(Mutex<HashMap<String, (Caller, Instant)>>);

impl Tickets {
    /// A ticket for somebody; none when too many wait.
    fn issue(&self, caller: Caller) -> Option<String> {
        let ticket = URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 24]>());
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() >= MOST {
            tickets.retain(|_, (_, issued)| issued.elapsed() < LIFE);
        }
        (tickets.len() < MOST).then(|| tickets.insert(ticket.clone(), (caller, Instant::now())))?;
        Some(ticket)
    }

    /// Uses a ticket up.
    pub(super) fn redeem(&self, ticket: &str) -> Option<Caller> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(ticket);
        found.filter(|(_, issued)| issued.elapsed() < LIFE).map(|(caller, _)| caller)
    }
}

/// A ticket for the live socket.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct Ticket {
    /// To be given as `ticket` to `/v1/live`, once.
    ticket: String,
    /// Seconds until it is void.
    expires_in: u64,
}

/// A ticket for one live socket.
///
/// For browsers, which cannot send an `Authorization` header with a WebSocket.
#[utoipa::path(post, path = "/v1/tickets", tag = "live",
    responses((status = 201, body = Ticket), (status = "default", body = super::problem::Document)))]
pub(super) async fn issue(State(api): State<Arc<Api>>, caller: Caller) -> Result<(StatusCode, Json<Ticket>), Problem> {
    let busy = || Problem::new(Kind::Unavailable, "too many tickets wait to be used").after(LIFE);
    let ticket = api.tickets.issue(caller).ok_or_else(busy)?;
    Ok((StatusCode::CREATED, Json(Ticket { ticket, expires_in: LIFE.as_secs() })))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Machine, Plan, Role};

    #[test]
    fn a_ticket_opens_once_and_for_half_a_minute() {
        let files = [("tenants/acme.toml".to_owned(), String::new())];
        let tenant = Plan::read(Path::new("."), &files, &Machine).unwrap().tenants["acme"].clone();
        let (name, extensions) = ("eva".to_owned(), Vec::<String>::new().into());
        let caller = Caller { tenant, name, role: Role::Supervisor, extensions, until: None, key: None };
        let tickets = Tickets::default();
        let aged = |seconds| {
            let ticket = tickets.issue(caller.clone()).unwrap();
            tickets.0.lock().unwrap().get_mut(&ticket).unwrap().1 -= Duration::from_secs(seconds);
            ticket
        };
        let (young, old) = (aged(29), aged(30));
        assert_eq!(tickets.redeem(&young).map(|caller| caller.name).as_deref(), Some("eva"));
        assert!(tickets.redeem(&young).is_none(), "once");
        assert!(tickets.redeem(&old).is_none(), "it waited too long");
        assert!(tickets.redeem("x").is_none());
    }
}
