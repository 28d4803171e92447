//! A wire between two programs that a test can cut.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on to another address, until it is cut.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    is_whole: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A port of this machine that leads to `to`.
    pub async fn start(to: String) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let is_whole = Arc::new(watch::Sender::new(true));
        let wire = is_whole.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // While it is cut, connections are closed as soon as they are there.
                if *wire.borrow() {
                    tokio::spawn(pass(stream, to.clone(), wire.subscribe()));
                }
            }
        });
        Ok(Self { port, is_whole, task })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Breaks all connections and takes no more.
    pub fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn pass(mut near: TcpStream, to: String, mut is_whole: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(to).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _ = is_whole.wait_for(|whole| !whole) => {}
    }
}
