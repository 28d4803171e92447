//! An Asterisk manager interface, played from recordings of real ones.
//!
//! It speaks the protocol of Asterisk 16 and 22: the banner, logging in and its refusals, rights, lists, the limits of a
//! line and of a message. Calls come from recordings, at the pace at which they were recorded; what goes into them by a
//! client's own action (`Originate`) takes the client's ids and numbers.

mod action;
mod answer;
mod channels;
mod filter;
mod message;
mod originate;
mod play;
mod recording;
mod session;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::JoinHandle;

pub use recording::{Recording, VERSIONS};

use channels::Channels;
use recording::Frame;

/// The user that the tests log in as.
pub const USER: &str = "hub";

/// Its password.
pub const SECRET: &str = "hub-lab-secret";

/// A user who may read and nothing else.
pub const READER: &str = "hub-ro";

/// The reader's password.
pub const READER_SECRET: &str = "hub-ro-lab-secret";

/// Events that a client may be behind; the real one closes a connection whose client does not read.
const BACKLOG: usize = 20_000;

/// A played Asterisk.
#[derive(Debug)]
pub struct FakeAmi {
    shared: Arc<Shared>,
    address: SocketAddr,
    listening: Mutex<Option<JoinHandle<()>>>,
}

/// Somebody who may log in.
#[derive(Clone, Debug)]
struct User {
    secret: String,
    /// Classes of events and of actions.
    read: &'static [&'static str],
    write: &'static [&'static str],
}

/// What all sessions share.
#[derive(Debug)]
struct Shared {
    /// `5.0.4`, `11.0.0`.
    version: String,
    users: HashMap<String, User>,
    begun: Instant,
    events: broadcast::Sender<Said>,
    /// Grows whenever all connections are cut.
    cut: watch::Sender<u64>,
    /// Nothing is said and nothing is heard while this is set.
    frozen: watch::Sender<bool>,
    /// Sessions that are logged in, and how often somebody has logged in.
    sessions: watch::Sender<(usize, u64)>,
    /// Lists of channels that were asked for.
    listed: watch::Sender<u64>,
    /// The rest of what is played comes at once.
    hurry: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    channels: Channels,
    /// Extensions that the dialplan lacks.
    missing: Vec<String>,
    /// What is said of devices, and of extensions that have a hint.
    states: HashMap<String, String>,
    /// How long every answer takes.
    slowness: Duration,
    /// What an `Originate` plays.
    originated: Option<Arc<Vec<Frame>>>,
    /// Actions that came, with all their lines.
    actions: Vec<action::Action>,
    /// Clients that tried to log in and were refused.
    refused: usize,
    /// `Originate`s that were taken on.
    placed: u64,
    /// How often it was started anew.
    restarts: u32,
}

/// Something that sessions hear.
#[derive(Clone, Debug)]
enum Said {
    /// Whoever reads its class.
    Event(Arc<[u8]>),
    /// Everybody, whatever they want to hear.
    Bytes(Arc<[u8]>),
}

impl FakeAmi {
    /// Listens on a free port as this version: `asterisk-16`, `asterisk-22`.
    pub async fn start(version: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::serve(listener, version)
    }

    /// Listens here.
    pub fn serve(listener: TcpListener, version: &str) -> Self {
        let all: &[&str] = &["system", "call", "agent", "user", "reporting", "cdr", "dialplan", "originate", "command"];
        let user = |secret: &str, read, write| User { secret: secret.to_owned(), read, write };
        let users = [
            (USER.to_owned(), user(SECRET, all, all)),
            (READER.to_owned(), user(READER_SECRET, &["call", "agent", "cdr", "dialplan"], &[])),
        ];
        let shared = Arc::new(Shared {
            version: if version.starts_with("asterisk-16") { "5.0.4".to_owned() } else { "11.0.0".to_owned() },
            users: users.into_iter().collect(),
            begun: Instant::now(),
            events: broadcast::channel(BACKLOG).0,
            cut: watch::Sender::new(0),
            frozen: watch::Sender::new(false),
            sessions: watch::Sender::new((0, 0)),
            listed: watch::Sender::new(0),
            hurry: Notify::new(),
            state: Mutex::default(),
        });
        let address = listener.local_addr().expect("its address");
        let listening = tokio::spawn(session::accept(listener, shared.clone()));
        FakeAmi { shared, address, listening: Mutex::new(Some(listening)) }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts all connections off; new ones are refused until [`FakeAmi::listen`].
    pub fn down(&self) {
        let listening = self.listening.lock().unwrap_or_else(PoisonError::into_inner).take();
        listening.into_iter().for_each(|task| task.abort());
        self.shared.cut.send_modify(|cut| *cut += 1);
    }

    /// Takes connections again, on the same port.
    pub async fn listen(&self) {
        let begun = Instant::now();
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(why) => assert!(begun.elapsed() < PATIENCE, "the port is not free again: {why}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let listening = tokio::spawn(session::accept(listener, self.shared.clone()));
        *self.listening.lock().unwrap_or_else(PoisonError::into_inner) = Some(listening);
    }

    /// From now on nothing is said and nothing is heard, and no connection is closed: a link that is half open.
    pub fn freeze(&self) {
        self.shared.frozen.send_replace(true);
    }

    /// Ends [`FakeAmi::freeze`].
    pub fn thaw(&self) {
        self.shared.frozen.send_replace(false);
    }

    /// An extension that the dialplan lacks.
    pub fn lacks(&self, extension: &str) {
        self.shared.state().missing.push(extension.to_owned());
    }

    /// How a device (`PJSIP/1001`), or an extension that has a hint (`1001@from-internal`), stands from now on.
    pub fn stands(&self, name: &str, state: &str) {
        self.shared.state().states.insert(name.to_owned(), state.to_owned());
    }

    /// From now on every answer takes so long.
    pub fn slow(&self, slowness: Duration) {
        self.shared.state().slowness = slowness;
    }

    /// What an `Originate` plays: a recording of a click to call.
    pub fn originates(&self, recording: &Recording) {
        self.shared.state().originated = Some(Arc::new(recording.frames.clone()));
    }

    /// How many clients are logged in.
    pub fn sessions(&self) -> usize {
        self.shared.sessions.borrow().0
    }

    /// How often a client was refused for its name or its password.
    pub fn refused(&self) -> usize {
        self.shared.state().refused
    }

    /// Waits until clients have logged in so often in all, and one is there.
    pub async fn logged_in(&self, times: u64) {
        let mut sessions = self.shared.sessions.subscribe();
        let waited = sessions.wait_for(|(open, ever)| *open > 0 && *ever >= times);
        let waited = tokio::time::timeout(PATIENCE, waited).await.is_ok();
        assert!(waited, "nobody logged in for the {times}. time");
    }

    /// How often a client was told which channels are up.
    pub fn lists(&self) -> u64 {
        *self.shared.listed.borrow()
    }

    /// Waits until clients were told so often which channels are up.
    pub async fn listed(&self, times: u64) {
        let mut listed = self.shared.listed.subscribe();
        let waited = tokio::time::timeout(PATIENCE, listed.wait_for(|listed| *listed >= times)).await.is_ok();
        assert!(waited, "nobody asked for the {times}. time which channels are up");
    }

    /// The actions of a name that came, each with all its lines.
    pub fn actions(&self, name: &str) -> Vec<Vec<(String, String)>> {
        let state = self.shared.state();
        let of_name = state.actions.iter().filter(|action| action.get("Action") == Some(name));
        of_name.map(|action| action.lines.clone()).collect()
    }

    /// Sends an event to whoever is logged in, as it is.
    pub fn tell(&self, bytes: &[u8]) {
        self.shared.tell(bytes);
    }

    /// Sends bytes that need not be an event to whoever is logged in.
    pub fn babble(&self, bytes: &[u8]) {
        let _ = self.shared.events.send(Said::Bytes(bytes.into()));
    }

    /// Is started anew: connections are cut, its channels are gone, and ids begin from the first again.
    pub async fn restart(&self) {
        self.down();
        {
            let mut state = self.shared.state();
            state.channels.clear();
            state.restarts += 1;
        }
        self.listen().await;
    }
}

/// How long a test waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);

impl Drop for FakeAmi {
    fn drop(&mut self) {
        self.down();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One message to everybody, noted in the list of channels.
    fn tell(&self, bytes: &[u8]) {
        self.state().channels.note(bytes);
        let _ = self.events.send(Said::Event(bytes.into()));
    }
}
