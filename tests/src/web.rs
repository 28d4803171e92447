//! A web server for a test: it writes down what it is asked, and answers as it is told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Upper case.
    pub method: String,
    /// With the query.
    pub path: String,
    /// All of them.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Asked {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// A header as text; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

type Answer = dyn Fn(&Asked) -> (u16, String) + Send + Sync;

struct Inner {
    asked: Mutex<Vec<Asked>>,
    answer: Box<Answer>,
    time: Mutex<Duration>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

/// A request that is under way, until it is answered or its client leaves.
struct UnderWay<'a>(&'a Inner);

impl<'a> UnderWay<'a> {
    fn begin(inner: &'a Inner) -> Self {
        inner.most.fetch_max(inner.under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        UnderWay(inner)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The server; it ends when it is dropped.
pub struct Web {
    /// Where it listens: a free port on the loopback address.
    pub address: SocketAddr,
    inner: Arc<Inner>,
    serving: JoinHandle<()>,
}

impl Web {
    /// Starts it.
    pub async fn start(answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> std::io::Result<Self> {
        let inner = Arc::new(Inner {
            asked: Mutex::default(),
            answer: Box::new(answer),
            time: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(take).with_state(inner.clone());
        let serving = tokio::spawn(async move {
            // It ends with the task.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, inner, serving })
    }

    /// Everything asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Each answer takes so long from now on.
    pub fn takes(&self, time: Duration) {
        *self.inner.time.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// How many requests were under way at once, at most.
    pub fn most_at_once(&self) -> usize {
        self.inner.most.load(Ordering::SeqCst)
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let path = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let asked = Asked { method: method.to_string(), path, headers, body };
    let _under_way = UnderWay::begin(&inner);
    let (status, text) = (inner.answer)(&asked);
    inner.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    let time = *inner.time.lock().unwrap_or_else(PoisonError::into_inner);
    tokio::time::sleep(time).await;
    (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), text)
}
