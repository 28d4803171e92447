//! What this source can be asked to do.

use cordboard_sdk::http::encode;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};

use crate::api::{Api, PAGE};
use crate::arguments::Arguments;
use crate::look;
use crate::refusal::Refusal;
use crate::refused::shown;
use crate::register;
use crate::send;
use crate::session;
use crate::settings::Plan;

/// The commands that there are.
pub const COMMANDS: [&str; 10] = [
    "message.send",
    "message.read",
    "session.list",
    "session.status",
    "session.code",
    "session.connect",
    "session.disconnect",
    "session.restart",
    "session.create",
    "webhook.register",
];

/// Carries out one command.
pub fn perform(host: &dyn Host, command: &Command) -> Performed {
    let mut observations = Vec::new();
    let result = carried_out(host, command, &mut observations);
    Performed { result, observations }
}

fn carried_out(host: &dyn Host, command: &Command, seen: &mut Vec<Observation>) -> Result<CommandOutcome, Failure> {
    if !COMMANDS.contains(&command.name.as_str()) {
        let why = format!("{} is no command of this source", shown(&command.name));
        return Err(Failure::rejected("unknown-command", why));
    }
    let plan = Plan::of(host)?;
    let arguments = Arguments::read(command)?;
    let api = Api::new(host, &plan)?;
    match command.name.as_str() {
        "message.send" => send::send(host, &api, &arguments, &command.id, seen),
        "message.read" => read(&api, &arguments),
        "session.list" => list(&api),
        "session.status" => status(&api, &arguments),
        "session.code" => code(&api, &arguments),
        "session.create" => register::create_session(&api, &arguments),
        "webhook.register" => register::register(&api, &arguments),
        change => moved(&api, &arguments, change.trim_start_matches("session.")),
    }
}

/// Marks a conversation's messages as read. Doing it twice marks none the second time.
fn read(api: &Api<'_>, arguments: &Arguments) -> Result<CommandOutcome, Failure> {
    let session = arguments.session(api.plan)?;
    let chat = arguments.address("conversation", &session)?;
    let path = format!("/api/messages/{}/{}/read", encode(&session), encode(&chat.jid()));
    let answer = api.write("PUT", &path, &json!({}))?;
    Ok(done(json!({ "marked": look::count(&answer.data, &["markedCount"]) })))
}

/// The tenant's own sessions; those of others under the same key are not shown.
fn list(api: &Api<'_>) -> Result<CommandOutcome, Failure> {
    let rows = rows(api)?;
    let own = rows.iter().filter(|row| look::text(row, &["sessionId"]).is_some_and(|session| api.plan.has(&session)));
    Ok(done(json!({ "sessions": own.map(shape).collect::<Vec<_>>() })))
}

fn status(api: &Api<'_>, arguments: &Arguments) -> Result<CommandOutcome, Failure> {
    let session = arguments.session(api.plan)?;
    let answer = api.get(&format!("/api/sessions/{}/status", row(api, &session)?), &[])?;
    let mut shape = shape(&answer.data);
    shape["session"] = session.into();
    Ok(done(shape))
}

/// The code to pair with. It is for whoever pairs the device, for as long as it is good.
fn code(api: &Api<'_>, arguments: &Arguments) -> Result<CommandOutcome, Failure> {
    let session = arguments.session(api.plan)?;
    let answer = api.get(&format!("/api/sessions/{}/qr", row(api, &session)?), &[])?;
    let Some(code) = look::text(&answer.data, &["qrCode", "qr"]) else {
        let why = "there is no code to show: the session is connected, or has to be connected first";
        return Err(Failure::rejected("no-code", why));
    };
    let expires_at = api.plan.clock.find(&answer.data, &["expiresAt", "qrCodeExpiresAt"]).map(|moment| moment.at);
    Ok(done(json!({ "session": session, "code": code, "expires-at": expires_at })))
}

/// Connects, disconnects or restarts a session. Asking twice leads to the same state.
fn moved(api: &Api<'_>, arguments: &Arguments, change: &str) -> Result<CommandOutcome, Failure> {
    let session = arguments.session(api.plan)?;
    match api.write("POST", &format!("/api/sessions/{}/{change}", row(api, &session)?), &json!({})) {
        Ok(_) => Ok(CommandOutcome::Accepted(Some(session))),
        Err(Refusal::Uncertain(why)) => Ok(CommandOutcome::Unknown(why)),
        Err(refusal) => Err(refusal.into()),
    }
}

/// The number by which the routes of sessions know one; its name where the list does not have it.
pub fn row(api: &Api<'_>, session: &str) -> Result<String, Failure> {
    let rows = rows(api)?;
    let row = rows.iter().find(|row| look::text(row, &["sessionId"]).as_deref() == Some(session));
    let number = row.and_then(|row| look::count(row, &["id"]));
    Ok(number.map_or_else(|| encode(session), |number| number.to_string()))
}

fn rows(api: &Api<'_>) -> Result<Vec<Value>, Failure> {
    let query = [("page", "1".to_owned()), ("limit", PAGE.to_string())];
    Ok(api.page("/api/sessions", &["sessions"], &query)?.rows)
}

fn shape(row: &Value) -> Value {
    let word = look::text(row, &["status"]).unwrap_or_default();
    json!({
        "session": look::text(row, &["sessionId"]), "name": look::text(row, &["sessionName"]),
        "state": session::state(&word), "number": look::text(row, &["phoneNumber"]),
        "last-activity": look::text(row, &["lastActivity"]),
    })
}

fn done(value: Value) -> CommandOutcome {
    CommandOutcome::Done(value.to_string())
}
