//! The other side of a connection that speaks lines, as a test wants it to behave.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A server of lines. It takes any number of connections; what a test says goes to all of them.
#[derive(Debug)]
pub struct LineServer {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
    connects: watch::Sender<usize>,
    open: watch::Sender<usize>,
    say: broadcast::Sender<Say>,
    listens: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

#[derive(Clone, Debug)]
enum Say {
    Text(String),
    HangUp,
}

impl LineServer {
    /// Listens on a free port of this machine.
    pub async fn start() -> Self {
        Self::with(None, "127.0.0.1:0").await
    }

    /// Listens on this port.
    pub async fn at(port: u16) -> Self {
        Self::with(None, &format!("127.0.0.1:{port}")).await
    }

    /// The same with TLS, with the tests' own certificate.
    pub async fn secured() -> Self {
        Self::with(Some(crate::tls::acceptor()), "127.0.0.1:0").await
    }

    async fn with(tls: Option<TlsAcceptor>, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connects, open) = (watch::Sender::new(0), watch::Sender::new(0));
        let (say, _) = broadcast::channel(100_000);
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let listens = Arc::new(watch::Sender::new(true));
        let task = tokio::spawn({
            let (connects, open, say) = (connects.clone(), open.clone(), say.clone());
            let (heard, listens) = (heard.clone(), listens.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let words = say.subscribe();
                    let (connects, open, tls) = (connects.clone(), open.clone(), tls.clone());
                    let (heard, listens) = (heard.clone(), listens.subscribe());
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, words, &connects, &open, &heard, listens).await,
                            Some(tls) => {
                                let Ok(stream) = tls.accept(stream).await else { return };
                                serve(stream, words, &connects, &open, &heard, listens).await;
                            }
                        }
                    });
                }
            }
        });
        LineServer { address, heard, connects, open, say, listens, task }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there have been.
    pub fn connects(&self) -> usize {
        *self.connects.borrow()
    }

    /// Waits until there have been so many connections, and the last one is open.
    pub async fn connected(&self, times: usize) {
        let mut connects = self.connects.subscribe();
        let waited = connects.wait_for(|connects| *connects >= times);
        let waited = tokio::time::timeout(Duration::from_secs(60), waited).await;
        assert!(waited.is_ok(), "connected {} times, not {times}", self.connects());
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        *self.open.borrow()
    }

    /// Says this line on every open connection.
    pub fn say(&self, line: impl Into<String>) {
        let _ = self.say.send(Say::Text(line.into() + "\n"));
    }

    /// Closes every open connection.
    pub fn hang_up(&self) {
        let _ = self.say.send(Say::HangUp);
    }

    /// Reads no more, and goes on to hold its connections open.
    pub fn go_deaf(&self) {
        self.listens.send_replace(false);
    }

    /// What it has heard, line by line.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has heard this line so many times.
    pub async fn hears(&self, line: &str, times: usize) {
        let begun = Instant::now();
        while self.heard().iter().filter(|heard| *heard == line).count() < times {
            assert!(begun.elapsed() < Duration::from_secs(60), "never heard `{line}`: {:?}", self.heard());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for LineServer {
    fn drop(&mut self) {
        self.task.abort();
        self.hang_up();
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    mut words: broadcast::Receiver<Say>,
    connects: &watch::Sender<usize>,
    open: &watch::Sender<usize>,
    heard: &Mutex<Vec<String>>,
    mut listens: watch::Receiver<bool>,
) {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).lines();
    open.send_modify(|open| *open += 1);
    connects.send_modify(|connects| *connects += 1);
    loop {
        let listening = *listens.borrow_and_update();
        tokio::select! {
            line = lines.next_line(), if listening => match line {
                Ok(Some(line)) => heard.lock().unwrap_or_else(PoisonError::into_inner).push(line),
                _ => break,
            },
            said = words.recv() => match said {
                Ok(Say::Text(text)) => if write.write_all(text.as_bytes()).await.is_err() { break },
                _ => break,
            },
            _ = listens.changed() => {}
        }
    }
    open.send_modify(|open| *open -= 1);
}
