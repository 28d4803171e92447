//! `POST /asterisk_ng`: the widget AsteriskNG, which asks through amoCRM's servers. One envelope for everything, always
//! with HTTP 200, as the widget wants it.

use cordboard_sdk::Host;
use cordboard_sdk::abilities::{Answer, Sent, Wait};
use cordboard_sdk::serde_json::{self, Map, Value, json};
use cordboard_sdk::vocabulary::{Incoming, Reply};

use super::settings::AsteriskNg;
use super::token::{self, Proof};
use super::{form, methods, not_allowed, preflight};
use crate::secret::same;
use crate::session::Session;
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
    let mut email = headers["amouser_email"].as_str().ok_or_else(bad)?.to_owned();
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
    let mut click = format!("{}/{id}", request.received_at);
    if settings.disposable_token {
        let proved = proved(host, all, request).filter(|(proof, _)| proof.user == user);
        let (proof, own) = proved.ok_or_else(|| refused(401, "Invalid token."))?;
        // The page's word for the e-mail is not proved, and a token that comes again is the same click.
        (email, click) = (own, format!("{}/{id}", proof.id));
    }
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

/// Who asks by the token of the request, and the e-mail that the account has of them.
fn proved(host: &dyn Host, all: &Settings, request: &Incoming) -> Option<(Proof, String)> {
    let secret = all.client_secret.as_deref().filter(|secret| !secret.is_empty())?;
    let account = host.grant().and_then(|grant| Session::read(&grant.token)).map(|session| session.account);
    let account = account.unwrap_or_default();
    let proof = token::proof(request.header("x-auth-token")?, secret, account.id, request.received_at / 1000)?;
    let own = account.users.as_deref().unwrap_or_default().iter().find(|one| one.id == proof.user);
    let email = own.map(|one| one.email.clone()).unwrap_or_default();
    Some((proof, email))
}

fn envelope(id: &Value, result: &Value) -> Reply {
    let content = json!({ "jsonrpc": "2.0", "result": result, "id": id });
    Reply::json(200, &json!({ "headers": { "status_code": 200, "detail": "success" }, "content": content }))
}

fn refused(code: u16, why: &str) -> Reply {
    Reply::json(200, &json!({ "headers": { "status_code": code, "detail": why } }))
}
