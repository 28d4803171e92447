//! One connection: the banner, logging in, actions and events.

use std::sync::Arc;
use std::time::Duration;

use md5::{Digest, Md5};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{sleep, timeout};

use super::action::{Action, Came, next};
use super::answer::{allowed, answer, error, response};
use super::filter::Filters;
use super::message::{message, value};
use super::{Said, Shared, User};

/// Who has not logged in by then is put out.
const LOGIN: Duration = Duration::from_secs(30);

/// A wrong password is answered only after this, and the connection closed.
const PENALTY: Duration = Duration::from_secs(1);

/// A write that takes longer goes to somebody who does not read: the connection is closed.
const WRITE: Duration = Duration::from_secs(5);

/// Takes connections until it is aborted.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let mut cut = shared.cut.subscribe();
            cut.mark_unchanged();
            tokio::select! {
                () = serve(stream, &shared) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

async fn serve(stream: TcpStream, shared: &Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let (read, mut write) = stream.into_split();
    // An action that is half read must not be lost when something else happens.
    let (came_to, mut came) = mpsc::channel(64);
    let mut frozen = shared.frozen.subscribe();
    let reading = tokio::spawn(async move {
        let mut read = BufReader::new(read);
        loop {
            let one = next(&mut read).await;
            let ended = matches!(one, Came::End);
            let is_over = frozen.wait_for(|frozen| !frozen).await.is_err();
            if is_over || came_to.send(one).await.is_err() || ended {
                return;
            }
        }
    });
    let banner = format!("Asterisk Call Manager/{}\r\n", shared.version);
    if send(&mut write, shared, banner.as_bytes()).await
        && let Ok(Some((user, events))) = timeout(LOGIN, login(&mut came, &mut write, shared)).await
    {
        // It hears what is told from the moment on that it counts.
        let told = shared.events.subscribe();
        let _logged_in = LoggedIn::new(shared);
        logged_in(&mut came, &mut write, shared, &user, events, told).await;
    }
    reading.abort();
}

/// Counts a session for as long as it lives.
struct LoggedIn<'a>(&'a Shared);

impl<'a> LoggedIn<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.sessions.send_modify(|(open, ever)| {
            *open += 1;
            *ever += 1;
        });
        LoggedIn(shared)
    }
}

impl Drop for LoggedIn<'_> {
    fn drop(&mut self) {
        self.0.sessions.send_modify(|(open, _)| *open -= 1);
    }
}

/// Writes; false when the connection is to be closed.
async fn send(write: &mut OwnedWriteHalf, shared: &Shared, bytes: &[u8]) -> bool {
    let mut frozen = shared.frozen.subscribe();
    if frozen.wait_for(|frozen| !frozen).await.is_err() {
        return false;
    }
    matches!(timeout(WRITE, write.write_all(bytes)).await, Ok(Ok(())))
}

/// Until somebody has logged in: who, and whether they hear events.
async fn login(came: &mut mpsc::Receiver<Came>, write: &mut OwnedWriteHalf, shared: &Shared) -> Option<(User, bool)> {
    let mut challenge = None;
    loop {
        let action = match came.recv().await? {
            Came::End => return None,
            Came::Wrong(why) => {
                send(write, shared, &error(&Action::default(), why)).await.then_some(())?;
                continue;
            }
            Came::Action(action) => action,
        };
        shared.state().actions.push(action.clone());
        let said = match action.get("Action").unwrap_or_default().to_ascii_lowercase().as_str() {
            "logoff" => {
                send(write, shared, &farewell(&action)).await;
                return None;
            }
            "challenge" if action.get("AuthType").is_some_and(|kind| kind.eq_ignore_ascii_case("md5")) => {
                let number = shared.begun.elapsed().as_nanos() % 1_000_000_000;
                let number = format!("{number:09}");
                let said = response(&action, "Success", &[("Challenge", &number)]);
                challenge = Some(number);
                said
            }
            "challenge" => error(&action, "Must specify AuthType"),
            "login" => {
                let Some(user) = proved(shared, &action, challenge.as_deref()) else {
                    shared.state().refused += 1;
                    sleep(PENALTY).await;
                    send(write, shared, &error(&action, "Authentication failed")).await;
                    return None;
                };
                let events = !action.get("Events").is_some_and(|events| events.eq_ignore_ascii_case("off"));
                let mut said = response(&action, "Success", &[("Message", "Authentication accepted")]);
                if events && user.read.contains(&"system") {
                    said.extend(fully_booted(shared));
                }
                send(write, shared, &said).await.then_some(())?;
                return Some((user, events));
            }
            _ => error(&action, "Permission denied"),
        };
        send(write, shared, &said).await.then_some(())?;
    }
}

fn proved(shared: &Shared, action: &Action, challenge: Option<&str>) -> Option<User> {
    let user = shared.users.get(action.get("Username")?)?;
    let proved = match (action.get("Key"), challenge) {
        (Some(key), Some(challenge)) => {
            hex::encode(Md5::digest(format!("{challenge}{}", user.secret))).eq_ignore_ascii_case(key)
        }
        _ => action.get("Secret") == Some(user.secret.as_str()),
    };
    proved.then(|| user.clone())
}

fn fully_booted(shared: &Shared) -> Vec<u8> {
    let uptime = shared.begun.elapsed().as_secs().to_string();
    message(&[
        ("Event", "FullyBooted"),
        ("Privilege", "system,all"),
        ("Uptime", &uptime),
        ("LastReload", &uptime),
        ("Status", "Fully Booted"),
    ])
}

fn farewell(action: &Action) -> Vec<u8> {
    response(action, "Goodbye", &[("Message", "Thanks for all the fish.")])
}

async fn logged_in(
    came: &mut mpsc::Receiver<Came>,
    write: &mut OwnedWriteHalf,
    shared: &Arc<Shared>,
    user: &User,
    mut hears: bool,
    mut events: broadcast::Receiver<Said>,
) {
    let mut filters = Filters::default();
    loop {
        tokio::select! {
            biased;
            one = came.recv() => {
                let said = match one {
                    None | Some(Came::End) => return,
                    Some(Came::Wrong(why)) => error(&Action::default(), why),
                    Some(Came::Action(action)) => {
                        shared.state().actions.push(action.clone());
                        let slowness = shared.state().slowness;
                        if !slowness.is_zero() {
                            sleep(slowness).await;
                        }
                        match action.get("Action").unwrap_or_default().to_ascii_lowercase().as_str() {
                            "logoff" => {
                                send(write, shared, &farewell(&action)).await;
                                return;
                            }
                            "events" => {
                                hears = !action.get("EventMask").is_some_and(|mask| mask.eq_ignore_ascii_case("off"));
                                response(&action, "Success", &[("Events", if hears { "On" } else { "Off" })])
                            }
                            "filter" if allowed(user, "filter") => match filters.add(&action) {
                                Ok(()) => response(&action, "Success", &[("Message", "Success")]),
                                Err(why) => error(&action, why),
                            },
                            _ => answer(shared, user, &action),
                        }
                    }
                };
                if !send(write, shared, &said).await {
                    return;
                }
            }
            event = events.recv() => {
                // Who is too far behind is put out.
                let Ok(said) = event else { return };
                let (bytes, wanted) = match &said {
                    Said::Event(event) => (event, hears && reads(user, event) && filters.let_through(event)),
                    Said::Bytes(bytes) => (bytes, true),
                };
                if wanted && !send(write, shared, bytes).await {
                    return;
                }
            }
        }
    }
}

/// Whether an event has a class that the user reads.
fn reads(user: &User, event: &[u8]) -> bool {
    let classes = value(event, "Privilege").unwrap_or_default();
    classes.split(',').any(|class| user.read.contains(&class))
}
