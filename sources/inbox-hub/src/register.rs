//! Telling the server where its webhooks go, as often as one likes, once.

use cordboard_sdk::http::encode;
use cordboard_sdk::prelude::*;
use cordboard_sdk::serde_json::{Value, json};

use crate::api::{Api, PAGE};
use crate::arguments::{Arguments, bad};
use crate::look;
use crate::refusal::Refusal;
use crate::settings::Register;

/// Carries `webhook.register` out.
pub fn register(api: &Api<'_>, arguments: &Arguments) -> Result<CommandOutcome, Failure> {
    let webhook = &api.plan.settings.webhook;
    let url = arguments.text("url").or_else(|| webhook.url.clone());
    let url = url.ok_or_else(|| bad("`url` is missing; give it, or set `webhook.url` to this source's address"))?;
    let secret = api.plan.settings.secret.all().first().cloned().unwrap_or_default();
    let wanted = Wanted { url, secret };
    match webhook.register {
        Register::PostWebhooks => created(api, "/api/webhooks", &wanted, json!({ "method": "POST" })),
        Register::Organization => {
            let organization = webhook.organization.as_ref();
            let organization = organization.ok_or_else(|| {
                Failure::misconfigured("`webhook.organization` must be set for `webhook.register = \"organization\"`")
            })?;
            if !api.has_token() {
                let why = "the route of organizations takes a JWT: set `identifier` and `password`";
                return Err(Failure::misconfigured(why));
            }
            let more = json!({ "headers": {}, "retryConfig": { "attempts": 3, "delay": 1000 }, "timeout": 30_000 });
            created(api, &format!("/api/webhooks/organizations/{}", encode(organization)), &wanted, more)
        }
        Register::SessionPut => put(api, &wanted),
        Register::SessionCreate => {
            let why = "the webhook of a session is given when the session is made: use the command `session.create`";
            Err(Failure::rejected("by-session-create", why))
        }
        Register::Manual => Err(Failure::rejected(
            "manual",
            format!("`webhook.register` is manual: enter {} at the server by hand, with the secret", wanted.url),
        )),
    }
}

struct Wanted {
    url: String,
    secret: String,
}

/// Makes a webhook, unless there is one with the same address and all the events.
fn created(api: &Api<'_>, path: &str, wanted: &Wanted, more: Value) -> Result<CommandOutcome, Failure> {
    let webhook = &api.plan.settings.webhook;
    let query = [("page", "1".to_owned()), ("limit", PAGE.to_string())];
    match api.page(path, &["webhooks", "items"], &query) {
        Ok(listing) => {
            let same = |row: &&Value| look::text(row, &["url"]).as_deref() == Some(wanted.url.as_str());
            let there: Vec<&Value> = listing.rows.iter().filter(same).collect();
            let whole = there.iter().find(|row| {
                let events: Vec<_> = look::list(row, &["events"]).iter().filter_map(look::as_text).collect();
                let active = look::flag(row, &["isActive", "active"]).unwrap_or(true);
                active && webhook.events.iter().all(|event| events.contains(event))
            });
            if let Some(row) = whole {
                return Ok(done(row, "there already"));
            }
            if !there.is_empty() {
                let why = format!(
                    "there is a webhook for {} that is switched off or lacks events, and the server has no published \
                     way to change one: delete it there, and register again",
                    wanted.url
                );
                return Err(Failure::rejected("webhook-differs", why));
            }
        }
        // A server that shows no list cannot be asked what is there.
        Err(Refusal::Absent { .. }) => {}
        Err(refusal) => return Err(refusal.into()),
    }
    let mut body =
        json!({ "name": webhook.name, "url": wanted.url, "events": webhook.events, "secret": wanted.secret });
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    match api.write("POST", path, &body) {
        Ok(answer) => Ok(done(&answer.data, "registered")),
        Err(Refusal::Uncertain(why)) => Ok(CommandOutcome::Unknown(why)),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Sets the webhook of each session: setting it again changes nothing.
fn put(api: &Api<'_>, wanted: &Wanted) -> Result<CommandOutcome, Failure> {
    let body = webhook_fields(api, wanted);
    for session in &api.plan.settings.sessions {
        let row = super::command::row(api, session)?;
        api.write("PUT", &format!("/api/sessions/{row}/webhook"), &body)?;
    }
    Ok(done(&Value::Null, "registered"))
}

fn webhook_fields(api: &Api<'_>, wanted: &Wanted) -> Value {
    let events = &api.plan.settings.webhook.events;
    json!({ "webhookUrl": wanted.url, "webhookSecret": wanted.secret, "webhookEvents": events })
}

/// Carries `session.create` out: a session that is there already stays as it is.
pub fn create_session(api: &Api<'_>, arguments: &Arguments) -> Result<CommandOutcome, Failure> {
    let session = arguments.session(api.plan)?;
    let query = [("page", "1".to_owned()), ("limit", PAGE.to_string())];
    let listing = api.page("/api/sessions", &["sessions"], &query)?;
    if listing.rows.iter().any(|row| look::text(row, &["sessionId"]).as_ref() == Some(&session)) {
        return Ok(CommandOutcome::Done(json!({ "session": session, "webhook": "unchanged" }).to_string()));
    }
    let name = arguments.text("name").unwrap_or_else(|| session.clone());
    let mut body = json!({ "sessionId": session, "sessionName": name });
    let url = arguments.text("url").or_else(|| api.plan.settings.webhook.url.clone());
    if let (Some(url), Some(body)) = (url, body.as_object_mut()) {
        let secret = api.plan.settings.secret.all().first().cloned().unwrap_or_default();
        if let Value::Object(fields) = webhook_fields(api, &Wanted { url, secret }) {
            body.extend(fields);
        }
    }
    match api.write("POST", "/api/sessions", &body) {
        Ok(_) => Ok(CommandOutcome::Accepted(Some(session))),
        Err(Refusal::Uncertain(why)) => Ok(CommandOutcome::Unknown(why)),
        Err(refusal) => Err(refusal.into()),
    }
}

fn done(webhook: &Value, how: &str) -> CommandOutcome {
    let id = look::first(webhook, &["id", "webhook.id"]);
    CommandOutcome::Done(json!({ "webhook": id, "state": how }).to_string())
}
