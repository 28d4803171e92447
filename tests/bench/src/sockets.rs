//! Live sockets: how soon a frame is there after its webhook, and how fast one event comes to many.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cordboard_tests::hub::{Hub, Setup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::child::Bare;
use crate::disk;
use crate::frames::Frames;
use crate::load::{self, Connection};
use crate::table::{Row, percentile};

/// A webhook's way to the sockets takes no longer, or something is broken.
const PATIENCE: Duration = Duration::from_secs(10);

/// The sockets of the row about latency.
const LISTENERS: usize = 1_000;

/// How many webhooks it takes, and the time between two.
const WEBHOOKS: usize = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// How long each server is measured at a time, and how often.
const TURN: Duration = Duration::from_millis(1_500);
const TURNS: usize = 2;

/// One webhook at a time, to all sockets.
pub async fn latency() -> Result<Vec<Row>> {
    let hub = hub().await;
    let server = Server::hub(&hub);
    let mut late = load::alone(move || async move {
        let mut listeners = Listeners::open(&server, LISTENERS).await?;
        for _ in 0..WEBHOOKS {
            listeners.event().await?;
            // Calls come one by one: the hub is at rest between two.
            tokio::time::sleep(PAUSE).await;
        }
        Ok(listeners.late())
    })
    .await?;
    let mut disk = tokio::task::spawn_blocking(|| disk::flushes(WEBHOOKS, PAUSE)).await??;
    let what = format!("webhook in → frame, at each of {LISTENERS} sockets");
    let row = |percent| {
        let millis = percentile(&mut late, percent) / 1000.0;
        let flush = percentile(&mut disk, percent) / 1000.0;
        Row::below(format!("{what}: p{percent}"), "ms", millis, 25.0)
            .beside(format!("{flush:.1} ms the disk alone"), None)
    };
    Ok([50, 99].map(row).into())
}

/// The next event when everybody has the last.
pub async fn fan_out() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for sockets in [1_000, 5_000] {
        let hub = hub().await;
        let ours = Server::hub(&hub);
        let length = load::alone({
            let ours = ours.clone();
            move || async move {
                let mut one = Listeners::open(&ours, 1).await?;
                one.event().await?;
                Ok(one.shared.length.load(Ordering::Relaxed))
            }
        })
        .await?;
        let bare = Bare::start(&["bare-sockets", &length.to_string()]).await?;
        let theirs = Server::bare(&bare)?;
        let (hub, bare) = load::alone(move || async move {
            let mut ours = Listeners::open(&ours, sockets).await?;
            let mut theirs = Listeners::open(&theirs, sockets).await?;
            ours.event().await?;
            theirs.event().await?;
            let (mut hub, mut bare) = (Rates::default(), Rates::default());
            for _ in 0..TURNS {
                hub.add(&ours.rates(TURN).await?);
                bare.add(&theirs.rates(TURN).await?);
            }
            Ok((hub, bare))
        })
        .await?;
        let what = format!("one event to {sockets} sockets");
        rows.push(Row::share(what.clone(), "frames/s", hub.spread, bare.spread, 0.7));
        rows.push(Row::plain(format!("{what}, its webhook and commit with it"), "frames/s", hub.whole, bare.whole));
    }
    Ok(rows)
}

async fn hub() -> Hub {
    let mut setup = Setup::vtiger("http://127.0.0.1:1");
    setup.tenant = crate::webhooks::TENANT.to_owned();
    Hub::start(setup).await
}

/// Frames in a second.
#[derive(Default)]
struct Rates {
    /// From the first socket that has an event to the last: what sending it to all costs.
    spread: f64,
    /// From the moment that the event was asked for. The hub commits it first, the bare server keeps nothing.
    whole: f64,
}

impl Rates {
    fn add(&mut self, turn: &Rates) {
        self.spread += turn.spread / TURNS as f64;
        self.whole += turn.whole / TURNS as f64;
    }
}

/// Who sends frames, and how it is made to.
#[derive(Clone)]
pub struct Server {
    address: SocketAddr,
    request: String,
    bell: Option<SocketAddr>,
}

impl Server {
    fn hub(hub: &Hub) -> Self {
        Server::of(hub, "/v1/live")
    }

    /// A hub whose sockets are asked for in these words.
    pub fn of(hub: &Hub, path: &str) -> Self {
        let header = format!("Authorization: Bearer {}\r\n", hub.token("supervisor", "bench"));
        Server { address: hub.address(), request: upgrade(path, &header), bell: None }
    }

    fn bare(bare: &Bare) -> Result<Self> {
        let [address, bell] = bare.said.as_slice() else { anyhow::bail!("the bare server said {:?}", bare.said) };
        Ok(Server { address: address.parse()?, request: upgrade("/", ""), bell: Some(bell.parse()?) })
    }
}

fn upgrade(path: &str, header: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{header}\r\n"
    )
}

/// What all sockets write down together.
struct Shared {
    got: AtomicUsize,
    wanted: AtomicUsize,
    length: AtomicUsize,
    there: Notify,
    times: Mutex<Times>,
}

struct Times {
    /// When the last event was asked for.
    asked: Instant,
    /// When the first socket had it.
    first: Option<Instant>,
    /// How late each frame was, in microseconds.
    late: Vec<u32>,
}

impl Shared {
    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Open sockets, and the way to send an event.
pub struct Listeners {
    shared: Arc<Shared>,
    bell: Bell,
    sockets: usize,
    sent: usize,
    _tasks: JoinSet<()>,
}

enum Bell {
    Webhook(Box<Connection>),
    Byte(TcpStream),
    /// Whoever has the sockets makes the events.
    None,
}

impl Listeners {
    async fn open(server: &Server, sockets: usize) -> Result<Self> {
        let mut listeners = Self::silent(sockets, |_| server.clone()).await?;
        listeners.bell = match server.bell {
            Some(bell) => Bell::Byte(TcpStream::connect(bell).await?),
            None => Bell::Webhook(Box::new(Connection::open(server.address).await?)),
        };
        Ok(listeners)
    }

    /// Open sockets and nothing else, each asked for as `server` says.
    pub async fn silent(sockets: usize, server: impl Fn(usize) -> Server) -> Result<Self> {
        let shared = Arc::new(Shared {
            got: AtomicUsize::new(0),
            wanted: AtomicUsize::new(sockets),
            length: AtomicUsize::new(0),
            there: Notify::new(),
            times: Mutex::new(Times { asked: Instant::now(), first: None, late: Vec::new() }),
        });
        let mut tasks = JoinSet::new();
        for n in 0..sockets {
            let (stream, rest) = opened(&server(n)).await?;
            tasks.spawn(follow(stream, rest, shared.clone()));
        }
        let listeners = Listeners { shared, bell: Bell::None, sockets, sent: 0, _tasks: tasks };
        // Each is greeted.
        listeners.everybody().await?;
        listeners.shared.times().late.clear();
        Ok(listeners)
    }

    /// Sends one event and waits until everybody has it.
    async fn event(&mut self) -> Result<()> {
        static CALL: AtomicUsize = AtomicUsize::new(0);
        let request = load::ringing(CALL.fetch_add(1, Ordering::Relaxed));
        self.expect();
        let all = everybody(&self.shared);
        match &mut self.bell {
            Bell::None => all.await?,
            Bell::Byte(stream) => {
                stream.write_all(b"!").await?;
                all.await?;
            }
            Bell::Webhook(connection) => {
                let (status, all) = tokio::join!(connection.ask(&request), all);
                ensure!(status? == 200, "the webhook was not taken");
                all?;
            }
        }
        Ok(())
    }

    /// An event is on its way to everybody.
    pub fn expect(&mut self) {
        self.sent += 1;
        self.shared.wanted.fetch_add(self.sockets, Ordering::Relaxed);
        let mut times = self.shared.times();
        (times.asked, times.first) = (Instant::now(), None);
    }

    /// Waits until everybody has what is on its way.
    pub async fn everybody(&self) -> Result<()> {
        everybody(&self.shared).await
    }

    async fn rates(&mut self, time: Duration) -> Result<Rates> {
        let (began, before) = (Instant::now(), self.sent);
        let mut spread = Duration::ZERO;
        while began.elapsed() < time {
            self.event().await?;
            spread += self.shared.times().first.map_or(Duration::ZERO, |first| first.elapsed());
        }
        let frames = ((self.sent - before) * self.sockets) as f64;
        Ok(Rates { spread: frames / spread.as_secs_f64(), whole: frames / began.elapsed().as_secs_f64() })
    }

    /// How late each frame was, in microseconds after the webhook was sent.
    pub fn late(&self) -> Vec<u32> {
        std::mem::take(&mut self.shared.times().late)
    }
}

async fn everybody(shared: &Shared) -> Result<()> {
    let there = async {
        while shared.got.load(Ordering::Relaxed) < shared.wanted.load(Ordering::Relaxed) {
            shared.there.notified().await;
        }
    };
    let all = timeout(PATIENCE, there).await;
    all.with_context(|| {
        format!("{} frames of {}", shared.got.load(Ordering::Relaxed), shared.wanted.load(Ordering::Relaxed))
    })
}

async fn opened(server: &Server) -> Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(server.address).await?;
    stream.write_all(server.request.as_bytes()).await?;
    let mut answer = Vec::new();
    loop {
        ensure!(stream.read_buf(&mut answer).await? > 0, "a socket was refused: {}", String::from_utf8_lossy(&answer));
        if let Some(at) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            ensure!(answer.starts_with(b"HTTP/1.1 101"), "a socket was refused: {}", String::from_utf8_lossy(&answer));
            return Ok((stream, answer.split_off(at + 4)));
        }
    }
}

async fn follow(mut stream: TcpStream, rest: Vec<u8>, shared: Arc<Shared>) {
    let mut frames = Frames::default();
    let mut note = |bytes: &[u8]| {
        let (texts, length) = frames.read(bytes);
        if texts == 0 {
            return;
        }
        {
            let mut times = shared.times();
            let micros = u32::try_from(times.asked.elapsed().as_micros()).unwrap_or(u32::MAX);
            times.first.get_or_insert_with(Instant::now);
            times.late.extend(std::iter::repeat_n(micros, texts));
        }
        shared.length.store(length, Ordering::Relaxed);
        let got = shared.got.fetch_add(texts, Ordering::Relaxed) + texts;
        if got >= shared.wanted.load(Ordering::Relaxed) {
            shared.there.notify_one();
        }
    };
    note(&rest);
    let mut buffer = vec![0; 2048];
    while let Ok(read) = stream.read(&mut buffer).await
        && read > 0
    {
        note(&buffer[..read]);
    }
}
