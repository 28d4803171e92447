//! `POST /asterisk_ng`: the widget AsteriskNG, which asks through amoCRM's servers. One envelope for everything, always
//! with HTTP 200, as the widget wants it.

use cordboard_sdk::Host;
use cordboard_sdk::abilities::{Answer, Sent, Wait};
use cordboard_sdk::serde_json::{self, Map, Value, json};
use cordboard_sdk::vocabulary::{Incoming, Reply};

use super::settings::AsteriskNg;
use super::{form, methods, not_allowed, preflight};
use crate::secret::same;
use crate::settings::Settings;

/// What the widget must be.
const MAJOR: &str = "1";

/// A request of the widget, understood.
pub struct Asked<'a> {
    pub host: &'a dyn Host,
    pub settings: &'a AsteriskNg,
    /// Where the account is.
    pub site: &'a str,
    /// Who asks, as the page says: an id and an e-mail of the CRM.
    pub user: u64,
    pub email: String,
    pub params: Map<String, Value>,
    /// No other request has it.
    pub click: String,
    /// When it came, in milliseconds.
    pub at: u64,
}

/// What came of a method.
pub enum Outcome {
    Result(Value),
    /// Nothing yet: until then, at these desks.
    Later {
        desks: Vec<String>,
        until: u64,
        otherwise: Value,
    },
    /// What it was given does not fit.
    Refused(u16, String),
    /// The name of a failure as the widget knows it, and what went wrong.
    Raised(&'static str, String),
}

/// Answers the widget; absent when no secret is set for it.
pub fn answer(host: &dyn Host, all: &Settings, settings: &AsteriskNg, request: &Incoming) -> Option<Answer> {
    let secret = settings.secret_key.as_deref()?;
    let given = request.query_pairs().into_iter().find(|(name, _)| name == "secret_key");
    if !given.is_some_and(|(_, given)| same(&given, secret)) {
        return Some(refused(401, "Invalid secret key.").into());
    }
    Some(match request.method.as_str() {
        "OPTIONS" => preflight(request).into(),
        "POST" => understood(host, all, settings, request).unwrap_or_else(Into::into),
        _ => not_allowed("POST, OPTIONS").into(),
    })
}

/// Whether a reply says that the secret is wrong: no page of another origin is told more.
pub fn is_refused(reply: &Reply) -> bool {
    reply.body == refused(401, "Invalid secret key.").body
}

fn understood(host: &dyn Host, all: &Settings, settings: &AsteriskNg, request: &Incoming) -> Result<Answer, Reply> {
    let bad = || refused(400, "Bad Request.");
    let text = form::json_field(request).ok_or_else(bad)?;
    let body: Value = serde_json::from_str(&text).map_err(|_| bad())?;
    let (headers, content) = (&body["headers"], &body["content"]);
    let email = headers["amouser_email"].as_str().ok_or_else(bad)?.to_owned();
    let user = headers["amouser_id"].as_u64().ok_or_else(bad)?;
    let version = headers["widget_version"].as_str().ok_or_else(bad)?;
    if version.split('.').next() != Some(MAJOR) {
        return Err(refused(409, "Incompatible version of the widget."));
    }
    let id = content["id"].clone();
    if !id.is_i64() && !id.is_u64() {
        return Err(bad());
    }
    let method = content["method"].as_str().ok_or_else(bad)?;
    let params = match &content["params"] {
        Value::Null => Map::new(),
        Value::Object(params) => params.clone(),
        _ => return Err(bad()),
    };
    let click = format!("{}/{id}", request.received_at);
    let asked = Asked { host, settings, site: all.site(), user, email, params, click, at: request.received_at };
    Ok(match methods::carry_out(&asked, method) {
        Outcome::Result(result) => envelope(&id, &result).into(),
        Outcome::Raised(name, why) => envelope(&id, &json!({ "exception_name": name, "message": why })).into(),
        Outcome::Refused(code, why) => refused(code, &why).into(),
        Outcome::Later { desks, until, otherwise } => {
            Sent::Wait(Wait { desks, until, otherwise: envelope(&id, &otherwise) }).into()
        }
    })
}

fn envelope(id: &Value, result: &Value) -> Reply {
    let content = json!({ "jsonrpc": "2.0", "result": result, "id": id });
    Reply::json(200, &json!({ "headers": { "status_code": 200, "detail": "success" }, "content": content }))
}

fn refused(code: u16, why: &str) -> Reply {
    Reply::json(200, &json!({ "headers": { "status_code": code, "detail": why } }))
}
