//! A wire between two programs that a test can cut.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on to another address, until it is cut.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    is_whole: Arc<watch::Sender<bool>>,
    flows: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A port of this machine that leads to `to`.
    pub async fn start(to: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let is_whole = Arc::new(watch::Sender::new(true));
        let flows = Arc::new(watch::Sender::new(true));
        let (wire, flow) = (is_whole.clone(), flows.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // While it is cut, connections are closed as soon as they are there.
                if *wire.borrow() {
                    tokio::spawn(pass(stream, to.clone(), wire.subscribe(), flow.subscribe()));
                }
            }
        });
        Ok(Self { port, is_whole, flows, task })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections and takes no more.
    pub fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    /// Holds all connections open, and lets nothing through: neither side hears of it.
    pub fn freeze(&self) {
        self.flows.send_replace(false);
    }

    /// Takes connections again, and lets everything through.
    pub fn mend(&self) {
        self.is_whole.send_replace(true);
        self.flows.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn pass(near: TcpStream, to: String, mut is_whole: watch::Receiver<bool>, flows: watch::Receiver<bool>) {
    let Ok(far) = TcpStream::connect(to).await else { return };
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = async {
            tokio::join!(copy(&mut from_near, &mut to_far, flows.clone()), copy(&mut from_far, &mut to_near, flows));
        } => {}
        _ = is_whole.wait_for(|whole| !whole) => {}
    }
}

/// One direction, until its end; nothing moves while nothing is to flow.
async fn copy(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, mut flows: watch::Receiver<bool>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if flows.wait_for(|flows| *flows).await.is_err() || to.write_all(&bytes[..length]).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}
