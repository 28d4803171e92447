//! The routes: who asks, how often, and what they get.

use std::collections::HashMap;
use std::convert::identity;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::http::request::Parts;
use axum::routing::any;
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};

use super::answer::{Given, Refusal, page, written_out};
use super::faults::Fault;
use super::world::{Hook, World, contact_row};
use super::{SESSION, Server, teller};

/// Bytes of a body.
const BODY: usize = 64 << 20;
/// The number of the session's row.
const ROW: u64 = 2;

pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(any(answer)).with_state(server)
}

/// One request, taken apart.
struct Asked {
    method: String,
    /// The path's parts behind `/api`, decoded.
    path: Vec<String>,
    query: HashMap<String, String>,
    body: Value,
    key: Option<String>,
    bearer: Option<String>,
}

impl Asked {
    fn read(head: &Parts, body: &[u8]) -> Self {
        let decode = |part: &str| {
            form_urlencoded::parse(format!("x={}", part.replace('+', "%2B")).as_bytes())
                .next()
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let query = head.uri.query().unwrap_or_default();
        Self {
            method: head.method.to_string(),
            path: head.uri.path().split('/').skip(2).map(decode).collect(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            body: serde_json::from_slice(body).unwrap_or_default(),
            key: header("x-api-key"),
            bearer: header("authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned)),
        }
    }

    fn text(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY).collect().await else { return page(413) };
    let fault = server.faults.meet(&format!("{} {}", head.method, head.uri));
    if let Some(Fault::Page(status)) = fault {
        return page(status);
    }
    let asked = Asked::read(&head, &body.to_bytes());
    let given = limited(&server, &asked).and_then(|()| routed(&server, &asked));
    match fault {
        Some(Fault::Hangs) => return std::future::pending().await,
        Some(Fault::Lost(status)) => return page(status),
        _ => {}
    }
    let limits = server.limits().clone();
    let scarce = match (asked.path.first().map(String::as_str), sends(&asked)) {
        (Some("auth"), _) => &limits.logins,
        (_, true) => &limits.sends,
        _ => &limits.session,
    };
    written_out(given, &limits, scarce)
}

fn sends(asked: &Asked) -> bool {
    asked.method == "POST" && asked.path.last().is_some_and(|last| last == "send")
}

/// Counts a request, or refuses it for being one too many.
fn limited(server: &Server, asked: &Asked) -> Result<(), Refusal> {
    let mut limits = server.limits();
    let too_many = || Refusal::new(429, "RATE_LIMIT_EXCEEDED", "Demasiadas solicitudes");
    if !limits.all.take() {
        return Err(too_many());
    }
    match asked.path.first().map(String::as_str) {
        Some("auth") if !limits.logins.take() => Err(too_many()),
        Some("messages" | "contacts") if !limits.session.take() => Err(too_many()),
        _ if sends(asked) && !limits.sends.take() => {
            Err(Refusal::new(429, "MESSAGE_RATE_LIMIT_EXCEEDED", "Límite de mensajes excedido"))
        }
        _ => Ok(()),
    }
}

fn routed(server: &Arc<Server>, asked: &Asked) -> Given {
    let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
    if let ["auth", what] = path[..] {
        return login(server, asked, what);
    }
    server.access().check(asked.key.as_deref(), asked.bearer.as_deref())?;
    match (asked.method.as_str(), &path[..]) {
        ("GET", ["sessions"]) => {
            let row = session(server);
            listed(&server.world(), asked, "sessions", std::iter::once(row), identity)
        }
        (_, ["sessions", id, rest @ ..]) => {
            if *id != ROW.to_string() && *id != SESSION {
                return Err(Refusal::new(404, "SESSION_NOT_FOUND", "Sesión no encontrada"));
            }
            of_session(server, asked, rest)
        }
        ("GET", ["webhooks"]) => {
            let world = server.world();
            listed(&world, asked, "webhooks", world.hooks.iter(), hook)
        }
        ("POST", ["webhooks"]) => registered(server, asked),
        (_, ["contacts" | "messages", id, ..]) if *id != SESSION => {
            Err(Refusal::new(404, "SESSION_NOT_FOUND", "Sesión no encontrada"))
        }
        (_, ["contacts" | "messages", ..]) if !server.world().connected => {
            Err(Refusal::new(400, "SESSION_NOT_CONNECTED", "La sesión debe estar conectada"))
        }
        ("GET", ["contacts", _]) => {
            let world = server.world();
            listed(&world, asked, "contacts", world.contacts.iter(), contact_row)
        }
        ("GET", ["messages", _, "chats"]) => {
            let world = server.world();
            listed(&world, asked, "chats", world.chat_rows().into_iter(), identity)
        }
        ("POST", ["messages", _, "send"]) => sent(server, asked),
        ("PUT", ["messages", _, chat, "read"]) => {
            let mut world = server.world();
            let messages = world.chats.get_mut(*chat).map(Vec::as_mut_slice).unwrap_or_default();
            let unread: Vec<_> = messages.iter_mut().filter(|message| message.status == "received").collect();
            let marked = unread.len();
            unread.into_iter().for_each(|message| "read".clone_into(&mut message.status));
            Ok((200, json!({ "markedCount": marked })))
        }
        ("GET", ["messages", _, chat]) => {
            let world = server.world();
            listed(&world, asked, "messages", world.message_rows(chat).into_iter(), identity)
        }
        ("GET", ["messages", _]) => {
            let chat = asked.query.get("chatId").cloned().unwrap_or_default();
            let world = server.world();
            listed(&world, asked, "messages", world.message_rows(&chat).into_iter(), identity)
        }
        _ => Err(Refusal::new(404, "NOT_FOUND", "Ruta no encontrada")),
    }
}

fn login(server: &Server, asked: &Asked, what: &str) -> Given {
    let mut access = server.access();
    access.asked += 1;
    let pair = match what {
        "login" => access.login(asked.text("identifier"), asked.text("password"))?,
        "refresh-token" => access.renew(asked.text("refreshToken"))?,
        _ => return Err(Refusal::new(404, "NOT_FOUND", "Ruta no encontrada")),
    };
    Ok((200, json!({ "accessToken": pair.access, "refreshToken": pair.refresh, "expiresIn": "24h" })))
}

fn session(server: &Server) -> Value {
    let connected = server.world().connected;
    json!({
        "id": ROW, "sessionId": SESSION, "sessionName": "Acme", "phoneNumber": "447700900000",
        "status": if connected { "connected" } else { "disconnected" }, "isConnected": connected, "hasQR": !connected,
    })
}

fn of_session(server: &Arc<Server>, asked: &Asked, rest: &[&str]) -> Given {
    match (asked.method.as_str(), rest) {
        ("GET", ["status"]) => Ok((200, session(server))),
        ("GET", ["qr"]) if server.world().connected => {
            Err(Refusal::new(400, "VALIDATION_ERROR", "La sesión ya está conectada"))
        }
        ("GET", ["qr"]) => {
            let expires_at = super::world::written(super::world::now() + 60_000);
            Ok((
                200,
                json!({ "qrCode": "data:image/png;base64,iVBORw0KGgo=", "expiresAt": expires_at, "status": "qr_code" }),
            ))
        }
        ("POST", ["connect" | "restart" | "disconnect"]) => {
            let connected = rest[0] != "disconnect";
            server.world().connected = connected;
            let (event, status) = match connected {
                true => ("session.connected", "connected"),
                false => ("session.disconnected", "disconnected"),
            };
            let telling = server.clone();
            tokio::spawn(async move { teller::tell(&telling, event, json!({ "status": status })).await });
            Ok((200, json!({ "sessionId": SESSION, "status": status })))
        }
        ("PUT", ["webhook"]) => {
            let events = asked.body["webhookEvents"].as_array().into_iter().flatten();
            let events = events.filter_map(Value::as_str).map(str::to_owned).collect();
            let (url, secret) = (asked.text("webhookUrl").to_owned(), asked.text("webhookSecret").to_owned());
            server.world().hooks = vec![Hook { id: 1, url, secret, events }];
            Ok((200, json!({})))
        }
        _ => Err(Refusal::new(404, "NOT_FOUND", "Ruta no encontrada")),
    }
}

fn registered(server: &Server, asked: &Asked) -> Given {
    if !asked.text("url").starts_with("http") || asked.text("secret").is_empty() {
        return Err(Refusal::invalid("url, secret"));
    }
    let mut world = server.world();
    let events = asked.body["events"].as_array().into_iter().flatten();
    let made = Hook {
        id: world.hooks.len() + 1,
        url: asked.text("url").to_owned(),
        secret: asked.text("secret").to_owned(),
        events: events.filter_map(Value::as_str).map(str::to_owned).collect(),
    };
    let shown = hook(&made);
    world.hooks.push(made);
    Ok((201, shown))
}

fn hook(hook: &Hook) -> Value {
    json!({ "id": hook.id, "url": hook.url, "method": "POST", "events": hook.events, "isActive": true })
}

/// Every send is a message of its own: the server knows no key of the sender's.
fn sent(server: &Arc<Server>, asked: &Asked) -> Given {
    let digits: String = asked.text("to").chars().take_while(char::is_ascii_digit).collect();
    if digits.len() < 7 {
        return Err(Refusal::invalid("to"));
    }
    let to =
        if asked.text("to").contains('@') { asked.text("to").to_owned() } else { format!("{digits}@s.whatsapp.net") };
    let kind = asked.body["type"].as_str().unwrap_or("text");
    let content = match &asked.body["message"] {
        Value::String(text) if kind == "text" => text.clone(),
        Value::Object(object) if kind != "text" && object.contains_key(kind) => {
            object.get("caption").and_then(Value::as_str).unwrap_or_default().to_owned()
        }
        _ => return Err(Refusal::invalid("message")),
    };
    if kind == "text" && !(1..=4096).contains(&content.chars().count()) {
        return Err(Refusal::invalid("1-4096 caracteres"));
    }
    let mut world = server.world();
    let message = world.send(&to, content, kind);
    let tells = world.tells_sends;
    drop(world);
    if tells {
        tokio::spawn(teller::tell_statuses(server.clone(), message.id.clone(), digits.clone()));
    }
    let at = super::world::written(message.at);
    Ok((200, json!({ "messageId": message.id, "to": digits, "status": "sent", "timestamp": at })))
}

/// A page of a list: of `all` only what stands on it is made into rows.
fn listed<T>(
    world: &World,
    asked: &Asked,
    name: &str,
    all: impl ExactSizeIterator<Item = T>,
    row: impl Fn(T) -> Value,
) -> Given {
    let number = |name: &str, default: usize| match asked.query.get(name) {
        None => Some(default),
        Some(text) => text.parse::<usize>().ok().filter(|number| *number > 0),
    };
    let (Some(page), Some(limit)) = (number("page", 1), number("limit", 20)) else {
        return Err(Refusal::invalid("page, limit"));
    };
    if limit > 100 {
        return Err(Refusal::invalid("limit: 1-100"));
    }
    let (total, from) = (world.total.unwrap_or(all.len()), if world.circle { 1 } else { page });
    let rows: Vec<Value> = all.skip((from - 1).saturating_mul(limit)).take(limit).map(row).collect();
    let pagination = json!({ "total": total, "page": page, "limit": limit, "pages": total.div_ceil(limit) });
    Ok((200, json!({ name: rows, "pagination": pagination })))
}
