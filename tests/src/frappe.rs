//! A Frappe site over HTTP: what [`cordboard_frappe_site`] plays, with its webhooks, its worker's time and its faults.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use cordboard_tests::frappe::FakeFrappe;
//! use serde_json::json;
//!
//! let site = FakeFrappe::start().await?;
//! let key = site.world().user("hub@example.test", &["Hub Integration"]).key;
//! println!("{} {key}", site.url());
//! site.typed("Hub WhatsApp Message", &json!({"direction": "Outgoing", "content": "hola"}));
//! # Ok(())
//! # }
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cordboard_frappe_site::{Asked, Hook, Site};
use hmac::{Hmac, KeyInit, Mac};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Bytes of a body that the proxy in front takes.
const BODY: usize = 25 << 20;

/// Before the second try of a webhook, and before the third.
const AGAIN: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// What a site's one worker needs. Seen on a small machine: 17 ms for a create by itself, 0.4 s for 200 at once, 19 ms for
/// an update.
#[derive(Debug, Clone, Copy, Default)]
pub struct Costs {
    /// For any request.
    pub request: Duration,
    /// For each document that is written, besides.
    pub document: Duration,
}

impl Costs {
    /// As it was seen.
    pub fn seen() -> Self {
        Self { request: Duration::from_millis(15), document: Duration::from_millis(2) }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The proxy in front answers with this status and a page; nothing is done.
    Page(u16),
    /// Everything is done, and no answer ever comes.
    Hangs,
}

#[derive(Default)]
struct Plan {
    costs: Costs,
    next: VecDeque<(String, Fault)>,
    down: Option<Fault>,
    asked: Vec<String>,
    told: Vec<Hook>,
}

struct Server {
    site: Mutex<Site>,
    plan: Mutex<Plan>,
    /// The one worker.
    worker: tokio::sync::Mutex<()>,
    client: reqwest::Client,
}

impl Server {
    fn site(&self) -> MutexGuard<'_, Site> {
        self.site.lock().expect("the site")
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("the plan")
    }
}

/// A running fake, with Frappe CRM.
pub struct FakeFrappe {
    server: Arc<Server>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl FakeFrappe {
    /// Starts on a free port of the loopback interface.
    pub async fn start() -> std::io::Result<Self> {
        Self::serve(TcpListener::bind("127.0.0.1:0").await?)
    }

    /// Starts on this one.
    pub fn serve(listener: TcpListener) -> std::io::Result<Self> {
        // A second provider would only be installed by a second call.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build();
        let mut site = Site::with_crm();
        site.clock = Box::new(|| {
            let zone = jiff::tz::TimeZone::get("Europe/Madrid").expect("a zone");
            jiff::Timestamp::now().to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
        });
        let server = Arc::new(Server {
            site: Mutex::new(site),
            plan: Mutex::default(),
            worker: tokio::sync::Mutex::default(),
            client: client.map_err(std::io::Error::other)?,
        });
        let address = listener.local_addr()?;
        let router = Router::new().fallback(any(answer)).with_state(server.clone());
        let task = tokio::spawn(async move {
            // It ends when the task is dropped; an accept that fails is tried again inside.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { server, address, task })
    }

    /// What stands in the sink's setting `url`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The site itself, to look at and to change. Requests wait as long as it is held.
    pub fn world(&self) -> MutexGuard<'_, Site> {
        self.server.site()
    }

    /// Documents of a DocType, oldest first.
    pub fn docs(&self, doctype: &str) -> Vec<Value> {
        self.world().docs.get(doctype).into_iter().flatten().cloned().map(Value::Object).collect()
    }

    /// Somebody writes a document in the desk and saves it. Its name.
    pub fn typed(&self, doctype: &str, doc: &Value) -> String {
        let name = self.world().typed(doctype, doc).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        work_off(&self.server);
        name
    }

    /// The site's webhooks about this document once more, as after an answer that was lost.
    pub async fn tell_again(&self, hook: &Hook) {
        deliver(self.server.clone(), hook.clone()).await;
    }

    /// The webhooks that were sent so far.
    pub fn told(&self) -> Vec<Hook> {
        self.server.plan().told.clone()
    }

    /// What the worker needs from now on.
    pub fn costs(&self, costs: Costs) {
        self.server.plan().costs = costs;
    }

    /// The next request whose line (`POST /api/…`) has this in it meets the fault.
    pub fn next(&self, part: &str, fault: Fault) {
        self.server.plan().next.push_back((part.to_owned(), fault));
    }

    /// Whether every fault that was planned by `next` has been met.
    pub fn all_met(&self) -> bool {
        self.server.plan().next.is_empty()
    }

    /// Every request meets this fault, until it is `None` again.
    pub fn down(&self, fault: Option<Fault>) {
        self.server.plan().down = fault;
    }

    /// The lines of all requests so far.
    pub fn asked(&self) -> Vec<String> {
        self.server.plan().asked.clone()
    }
}

impl Drop for FakeFrappe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY).collect().await else { return page(413) };
    let (line, fault, costs) = {
        let mut plan = server.plan();
        let line = format!("{} {}", head.method, head.uri);
        plan.asked.push(line.clone());
        let at = plan.next.iter().position(|(part, _)| line.contains(part.as_str()));
        let fault = at.and_then(|at| plan.next.remove(at)).map(|(_, fault)| fault).or_else(|| plan.down.clone());
        (line, fault, plan.costs)
    };
    if let Some(Fault::Page(status)) = fault {
        return page(status);
    }
    let header = |(name, value): (&axum::http::HeaderName, &axum::http::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let asked = Asked {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: head.headers.iter().filter_map(header).collect(),
        body: body.to_bytes().to_vec(),
    };
    let answered = {
        let _turn = server.worker.lock().await;
        let answered = server.site().answer(&asked);
        let written = match answered.body.as_ref().ok().map(|body| &body["message"]) {
            Some(Value::Array(names)) if line.contains("insert_many") => names.len(),
            _ => usize::from(asked.method != "GET"),
        };
        let cost = costs.request + costs.document * u32::try_from(written).unwrap_or(u32::MAX);
        if !cost.is_zero() {
            tokio::time::sleep(cost).await;
        }
        answered
    };
    work_off(&server);
    if fault == Some(Fault::Hangs) {
        return std::future::pending().await;
    }
    let (kind, text) = match answered.body {
        Ok(json) => ("application/json", json.to_string()),
        Err(page) => ("text/html; charset=utf-8", page),
    };
    response(answered.status, kind, text)
}

fn page(status: u16) -> Response<Body> {
    response(status, "text/html", format!("<html><head><title>{status}</title></head><body><hr>nginx</body></html>"))
}

fn response(status: u16, kind: &str, body: String) -> Response<Body> {
    Response::builder().status(status).header("content-type", kind).body(Body::from(body)).expect("an answer")
}

/// The background worker takes what is due.
fn work_off(server: &Arc<Server>) {
    let hooks = server.site().hooks();
    server.plan().told.extend(hooks.iter().cloned());
    for hook in hooks {
        tokio::spawn(deliver(server.clone(), hook));
    }
}

/// Three tries, the same bytes and signature each time; then it is lost, but for a row in the log.
async fn deliver(server: Arc<Server>, hook: Hook) {
    for attempt in 0..=AGAIN.len() {
        let mut request = server.client.post(&hook.url).body(hook.body.clone());
        for (name, value) in &hook.headers {
            request = request.header(name, value);
        }
        if let Some(secret) = &hook.secret {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
            mac.update(&hook.body);
            request = request.header("X-Frappe-Webhook-Signature", STANDARD.encode(mac.finalize().into_bytes()));
        }
        let (good, said) = match request.send().await {
            Ok(answer) => (answer.status().is_success(), answer.text().await.unwrap_or_default()),
            Err(why) => (false, why.to_string()),
        };
        let row =
            json!({"webhook": hook.webhook, "reference_document": hook.document, "url": hook.url, "response": said});
        server.site().put("Webhook Request Log", row);
        match AGAIN.get(attempt) {
            Some(wait) if !good => tokio::time::sleep(*wait).await,
            _ => return,
        }
    }
}
