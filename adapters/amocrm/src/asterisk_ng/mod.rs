//! The addresses of amocrm_asterisk_ng 3.0, so that its widgets, links and dialplans go on as they are: `/asterisk` of
//! the stock widget, `/asterisk_ng` of the widget AsteriskNG, `/records/{id}`. Their faults are not among what is kept.
//!
//! `settings` says what is served; `number` and `telephone` place and move calls, `state` says what goes on at a desk,
//! `token` who asks, where that must be proved;
//! `stock`, `panel` with its `methods`, and `records` are the three addresses. Where a caller should go
//! (`/redirecting`) is the hub's own to say.

mod form;
mod methods;
mod number;
mod panel;
mod records;
mod settings;
mod state;
mod stock;
mod telephone;
mod token;

use cordboard_sdk::Host;
use cordboard_sdk::abilities::{Answer, Sent};
use cordboard_sdk::vocabulary::{Incoming, Reply};

use crate::settings::Settings;

pub use settings::AsteriskNg;

/// Answers a request to one of the old server's addresses; absent when it is none of them, or they are not set up.
pub fn handle(host: &dyn Host, settings: &Settings, request: &Incoming) -> Option<Answer> {
    let own = settings.asterisk_ng.as_ref()?;
    let path = own_path(&request.path);
    let mut answer = match path {
        "/asterisk" => stock::answer(host, own, request)?,
        "/asterisk_ng" => panel::answer(host, settings, own, request)?,
        path => records::answer(host, own, request, path.strip_prefix("/records/")?)?,
    };
    open_to_pages(request, &mut answer);
    Some(answer)
}

/// The path without what the hub's own addresses begin with.
fn own_path(path: &str) -> &str {
    let of_hub = path.strip_prefix("/v1/endpoints/").and_then(|rest| rest.splitn(3, '/').nth(2));
    of_hub.map_or(path, |rest| &path[path.len() - rest.len() - 1..])
}

/// Pages of any origin may read the answers, and are told so only when they ask.
fn open_to_pages(request: &Incoming, answer: &mut Answer) {
    if request.header("origin").is_none() {
        return;
    }
    let allow = ("access-control-allow-origin".to_owned(), b"*".to_vec());
    match &mut answer.sent {
        Sent::Response(reply) if panel::is_refused(reply) => {}
        Sent::Response(reply) => reply.headers.push(allow),
        Sent::Sound(sound) => {
            sound.missing.headers.push(allow.clone());
            sound.headers.push(allow);
        }
        Sent::Wait(wait) => wait.otherwise.headers.push(allow),
        Sent::Other(_) => {}
    }
}

/// What a page is told before it asks.
fn preflight(request: &Incoming) -> Reply {
    let mut reply = Reply::text(200, "OK");
    let asked = request.header("access-control-request-headers").unwrap_or("*").to_owned();
    for (name, value) in [
        ("access-control-allow-methods", "GET, POST, OPTIONS".to_owned()),
        ("access-control-allow-headers", asked),
        ("access-control-max-age", "600".to_owned()),
    ] {
        reply.headers.push((name.to_owned(), value.into_bytes()));
    }
    reply
}

/// Only with these methods.
fn not_allowed(methods: &str) -> Reply {
    let mut reply = Reply::json(405, &cordboard_sdk::serde_json::json!({ "detail": "Method Not Allowed" }));
    reply.headers.push(("allow".to_owned(), methods.as_bytes().to_vec()));
    reply
}
