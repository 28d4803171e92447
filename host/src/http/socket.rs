//! One open live socket: frames out, a few words in.
//!
//! A socket is one task that holds a place among those who follow its tenant. Whatever waits there goes out in one write.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use futures::stream::FuturesUnordered;
use futures::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use super::auth::Caller;
use super::commands::Asked;
use super::problem::{Kind, Problem};
use super::{Api, commands};
use crate::config::Role;
use crate::live::{Cut, Feed, Gap, Subscription};

/// Bytes that are gathered for one write.
pub(super) const BATCH_BYTES: usize = 16 * 1024;

/// When to come back after being turned away.
pub(super) const COME_BACK: Duration = Duration::from_secs(5);

/// A socket that says nothing is asked whether it is there.
const PING: Duration = Duration::from_secs(30);

/// Unanswered pings after which a socket is given up.
const DEAF: u32 = 2;

/// A socket that takes nothing for so long is given up: it has read nothing of a whole batch.
const STALL: Duration = Duration::from_secs(20);

/// How long a close waits for its answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// The hub stops.
const GOING_AWAY: u16 = 1001;
/// The token has ended.
const TOKEN_ENDED: u16 = 4001;
/// Too slow.
const TOO_SLOW: u16 = 4008;
/// The store does not answer.
const TRY_AGAIN: u16 = 1013;

/// Commands of one socket that may be under way at once.
const COMMANDS: usize = 16;

/// How long a command of a socket is waited for: its answer comes when it has ended, other frames go on meanwhile.
const ANSWERED: Duration = Duration::from_secs(150);

/// What a client may say.
enum Said {
    /// What it wants to see.
    Subscribe(Subscription),
    /// What is to be done.
    Command(Asked),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    subscribe: Subscription,
}

impl Said {
    fn read(text: &str) -> Result<Self, serde_json::Error> {
        let mut said: Value = serde_json::from_str(text)?;
        if said["type"] != "command" {
            return serde_json::from_str(text).map(|Wish { subscribe }| Said::Subscribe(subscribe));
        }
        if let Some(said) = said.as_object_mut() {
            said.remove("type");
        }
        serde_json::from_value(said).map(Said::Command)
    }
}

/// Why a socket ends.
enum End {
    /// It is gone: there is nobody to say anything to.
    Gone,
    /// It is told why.
    Close(u16, String),
}

/// Serves a socket until it ends.
pub(super) async fn run(api: &Api, mut socket: WebSocket, mut feed: Feed, caller: Caller) {
    let end = serve(api, &mut socket, &mut feed, &caller).await;
    let End::Close(code, reason) = end else { return };
    if code == TOO_SLOW {
        api.meters.cut.increment(1);
    }
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    if matches!(timeout(FAREWELL, socket.send(close)).await, Ok(Ok(()))) {
        // Whoever closes first loses what is under way: the other side's answer is waited for.
        let _ = timeout(FAREWELL, async { while let Some(Ok(_)) = socket.recv().await {} }).await;
    }
}

async fn serve(api: &Api, socket: &mut WebSocket, feed: &mut Feed, caller: &Caller) -> End {
    let stopping = api.stopping.child_token();
    let mut stopped = pin!(stopping.cancelled());
    // What has ended already ends at once: a ticket may outlast the token that it was made with.
    let left = caller.until.map(|until| until.duration_since(SystemTime::now()).unwrap_or_default());
    let until = left.and_then(|left| Instant::now().checked_add(left));
    let soon = |now: Instant| until.map_or(now + PING, |until| until.min(now + PING));
    let mut clock = pin!(sleep_until(soon(Instant::now())));
    let mut unanswered = 0;
    let mut commands = FuturesUnordered::new();
    if let Err(end) = greet(api, socket, feed, caller).await {
        return end;
    }
    loop {
        tokio::select! {
            biased;
            () = &mut stopped => return End::Close(GOING_AWAY, format!("the hub stops, resume with since={}", feed.seen())),
            said = socket.recv() => {
                unanswered = 0;
                match hear(socket, feed, said).await {
                    Ok(None) => {}
                    Ok(Some(asked)) if commands.len() < COMMANDS => commands.push(answer(api, caller, asked)),
                    Ok(Some(asked)) => {
                        let detail = format!("this socket has {COMMANDS} commands under way already");
                        let refused = refusal(asked.id, &Problem::new(Kind::TooMany, detail));
                        if let Err(end) = say(socket, &refused).await {
                            return end;
                        }
                    }
                    Err(end) => return end,
                }
            }
            Some(answer) = commands.next(), if !commands.is_empty() => {
                if let Err(end) = say(socket, &answer).await {
                    return end;
                }
            }
            frame = feed.next() => {
                let sent = match frame {
                    Ok(frame) => send(api, socket, feed, frame).await,
                    Err(cut) => Err(ending(cut, feed.seen())),
                };
                if let Err(end) = sent {
                    return end;
                }
            }
            () = &mut clock => {
                let now = Instant::now();
                if until.is_some_and(|until| until <= now) {
                    return End::Close(TOKEN_ENDED, format!("the token has ended, resume with since={}", feed.seen()));
                }
                if !caller.stands(&api.plan.load()) {
                    return End::Close(TOKEN_ENDED, format!("the login is void, resume with since={}", feed.seen()));
                }
                if unanswered >= DEAF {
                    return End::Gone;
                }
                unanswered += 1;
                if !matches!(timeout(STALL, socket.send(Message::Ping(Default::default()))).await, Ok(Ok(()))) {
                    return End::Gone;
                }
                clock.as_mut().reset(soon(now));
            }
        }
    }
}

fn ending(cut: Cut, seen: u64) -> End {
    match cut {
        Cut::TooSlow(_) => End::Close(TOO_SLOW, cut.to_string()),
        Cut::Ended => End::Close(GOING_AWAY, format!("the hub stops, resume with since={seen}")),
        Cut::Store(why) => {
            tracing::warn!(%why, "a live socket cannot be served");
            End::Close(TRY_AGAIN, format!("the store does not answer, resume with since={seen}"))
        }
    }
}

/// What a socket is told first: who it is, where it stands, which sources are away. What becomes of those comes later.
async fn greet(api: &Api, socket: &mut WebSocket, feed: &Feed, caller: &Caller) -> Result<(), End> {
    let role = match caller.role {
        Role::Agent => "agent",
        Role::Supervisor => "supervisor",
        Role::Admin => "admin",
    };
    let (seq, tenant) = (feed.seen(), &caller.tenant.name);
    let away = api.connections.away(tenant);
    let hello =
        json!({ "type": "hello", "seq": seq, "tenant": tenant, "name": caller.name, "role": role, "away": away });
    say(socket, &hello).await?;
    match feed.gap() {
        Some(Gap::Swept(oldest)) => {
            let detail = "events after the number that you gave are no longer kept";
            say(socket, &json!({ "type": "gap", "since": seq, "oldest": oldest, "detail": detail })).await
        }
        Some(Gap::Ahead(newest)) => {
            let detail = "there has been no such number yet: this goes on from the newest";
            say(socket, &json!({ "type": "gap", "newest": newest, "detail": detail })).await
        }
        None => Ok(()),
    }
}

async fn say(socket: &mut WebSocket, what: &Value) -> Result<(), End> {
    match timeout(STALL, socket.send(Message::Text(what.to_string().into()))).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(End::Gone),
    }
}

/// Sends a frame and whatever else waits, in one write.
async fn send(api: &Api, socket: &mut WebSocket, feed: &mut Feed, first: Utf8Bytes) -> Result<(), End> {
    let (mut bytes, mut frames) = (0, 0);
    let mut next = Some(first);
    let gathered = async {
        while let Some(frame) = next.take() {
            bytes += frame.len();
            frames += 1;
            socket.feed(Message::Text(frame)).await?;
            next = if bytes < BATCH_BYTES { feed.ready() } else { None };
        }
        socket.flush().await
    };
    let written = timeout(STALL, gathered).await;
    api.meters.frames.increment(frames);
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Close(TOO_SLOW, Cut::TooSlow(feed.seen()).to_string())),
    }
}

/// What a client said: a subscription is taken on at once, a command is given back.
async fn hear(
    socket: &mut WebSocket,
    feed: &mut Feed,
    said: Option<Result<Message, axum::Error>>,
) -> Result<Option<Asked>, End> {
    let said = match said {
        None | Some(Err(_) | Ok(Message::Close(_))) => return Err(End::Gone),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(None),
        Some(Ok(Message::Binary(_))) => Err("only text is understood".to_owned()),
        Some(Ok(Message::Text(text))) => Said::read(&text).map_err(|why| why.to_string()),
    };
    match said {
        Ok(Said::Command(asked)) => Ok(Some(asked)),
        Ok(Said::Subscribe(subscribe)) => {
            let answer = json!({ "type": "subscribed", "seq": feed.seen(), "subscription": &subscribe });
            feed.subscribe(subscribe);
            say(socket, &answer).await.map(|()| None)
        }
        Err(why) => {
            let detail = format!(
                "not understood: {why}. Say {{\"subscribe\": {{\"types\": [\"call.*\"]}}}} or {{\"type\": \"command\", \
                 \"id\": \"…\", \"name\": \"call.hangup\", \"arguments\": {{\"call\": \"…\"}}}}"
            );
            say(socket, &json!({ "type": "error", "detail": detail })).await.map(|()| None)
        }
    }
}

/// Carries a command out; what the client is told of its end.
async fn answer(api: &Api, caller: &Caller, asked: Asked) -> Value {
    let ask = asked.ask();
    let id = ask.key.clone();
    match commands::carry_out(api, caller, ask, ANSWERED).await {
        Ok(view) => {
            let mut frame = serde_json::to_value(view).unwrap_or_default();
            frame["type"] = "command".into();
            frame
        }
        Err(problem) => refusal(Some(id), &problem),
    }
}

/// A command that was not begun.
fn refusal(id: Option<String>, problem: &Problem) -> Value {
    json!({ "type": "command", "id": id, "state": "refused", "problem": problem.document() })
}
