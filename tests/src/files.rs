//! A server of files behind TLS, as messengers have their media. Its certificate is for `localhost`, of the tests' own
//! authority.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, Uri};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What stands under a path.
#[derive(Clone, Debug)]
pub struct File {
    /// The status of the answer.
    pub status: u16,
    /// Its type.
    pub media_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where the answer leads to instead.
    pub location: Option<String>,
}

#[derive(Default)]
struct Shelf {
    files: Mutex<HashMap<String, File>>,
    asked: Mutex<Vec<String>>,
}

/// The server; it ends when it is dropped.
pub struct Files {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    serving: JoinHandle<()>,
}

impl Files {
    /// Listens on a free port of the loopback interface.
    pub async fn start() -> std::io::Result<Self> {
        let acceptor = crate::tls::acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, shelf) = (listener.local_addr()?, Arc::<Shelf>::default());
        let router = Router::new().fallback(answer).with_state(shelf.clone());
        let serving = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(Secured { listener, acceptor }, router).await;
        });
        Ok(Self { address, shelf, serving })
    }

    /// Puts a file under a path.
    pub fn put(&self, path: &str, status: u16, media_type: &'static str, bytes: impl Into<Vec<u8>>) {
        self.shelve(path, File { status, media_type, bytes: bytes.into(), location: None });
    }

    /// Has a path lead elsewhere.
    pub fn lead(&self, path: &str, to: &str) {
        let location = Some(to.to_owned());
        self.shelve(path, File { status: 302, media_type: "text/plain", bytes: vec![], location });
    }

    fn shelve(&self, path: &str, file: File) {
        self.shelf.files.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), file);
    }

    /// How often a path was asked for.
    pub fn asked(&self, path: &str) -> usize {
        let asked = self.shelf.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|one| *one == path).count()
    }

    /// What stands in a list of hosts that are allowed.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.host())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(shelf): State<Arc<Shelf>>, uri: Uri) -> Response<Body> {
    let path = uri.path().to_owned();
    let file = shelf.files.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
    shelf.asked.lock().unwrap_or_else(PoisonError::into_inner).push(path);
    let gone = File { status: 404, media_type: "text/plain", bytes: b"gone".to_vec(), location: None };
    let file = file.unwrap_or(gone);
    let mut answer = Response::builder().status(file.status).header("content-type", file.media_type);
    if let Some(location) = &file.location {
        answer = answer.header("location", location);
    }
    answer.body(Body::from(file.bytes)).expect("an answer")
}

struct Secured {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Secured {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, address)) = self.listener.accept().await else { continue };
            // Whoever does not believe the certificate goes away.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
