//! The state of a paired account.

use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::Value;

use crate::address::Address;
use crate::fit;
use crate::look;
use crate::refused::{Decoded, Refused};
use crate::settings::Plan;

/// How long a QR code is good when its end is not told: seen at the server.
const QR: u64 = 60_000;

/// The contract's word for the server's.
pub fn state(word: &str) -> &'static str {
    match word {
        "connected" | "open" => "connected",
        "connecting" | "pending" => "starting",
        "qr_code" | "qr" => "pairing",
        "disconnected" | "close" | "closed" => "disconnected",
        "error" | "failed" => "failed",
        "rate_limited" => "throttled",
        "banned" => "banned",
        _ => "unknown",
    }
}

/// A change of state, as an event tells it. `since` is when it came about.
pub fn changed(session: &str, data: &Value, state: &str, since: Option<Instant>) -> Observation {
    let reason = look::text(data, &["reason", "error"]).map(|reason| fit::line(&reason));
    let unpaired = state == "disconnected" && matches!(reason.as_deref(), Some("logout" | "device_removed"));
    let record = Session {
        state: Some(state.to_owned()),
        reason,
        since,
        attributes: vec![("needs-pairing".to_owned(), unpaired.to_string())],
        ..known(data)
    };
    Observation { at: since, ..Observation::of(session, record) }
}

/// What a row of the list of sessions shows. Its state may be old, and is not told.
pub fn listed(session: &str, row: &Value) -> Observation {
    Observation::of(session, known(row))
}

/// A code to pair with. One that is over is reported too: the hub keeps no code, and tells only good ones.
pub fn pairing(
    session: &str,
    data: &Value,
    plan: &Plan,
    at: Option<Instant>,
    received: Instant,
) -> Result<Decoded, Refused> {
    let code = look::text(data, &["qrCode", "qr", "code"])
        .ok_or_else(|| Refused::at("/data/qrCode", "a QR code without the code"))?;
    let expires_at = plan.clock.find(data, &["expiresAt", "qrCodeExpiresAt"]).map(|moment| moment.at);
    let expires_at = expires_at.unwrap_or(at.unwrap_or(received) + QR);
    let record = Session {
        state: Some("pairing".to_owned()),
        since: at,
        pairing: Some(Pairing { code, expires_at }),
        ..Session::default()
    };
    Ok(Decoded::Observations(vec![Observation { at, ..Observation::of(session, record) }]))
}

fn known(data: &Value) -> Session {
    let number = look::text(data, &["phoneNumber", "phone", "me.id"]).and_then(|text| Address::read(&text));
    let number = match number {
        Some(Address::Phone { digits, .. }) => Some(Phone::raw(format!("+{digits}"))),
        _ => None,
    };
    Session { name: look::text(data, &["sessionName", "name"]).map(|it| fit::line(&it)), number, ..Session::default() }
}
