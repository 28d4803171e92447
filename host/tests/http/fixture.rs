//! A hub in a folder of its own, behind a listener of its own.

use std::sync::Arc;
use std::time::Duration;

use cordboard::config::Plan;
use cordboard::http::{self, Claims};
use cordboard::hub::Hub;
use cordboard::model::call::CallPhase;
use cordboard::model::{Agent, Call, Instant, Item, Observation, Party, Phone, Trust};
use cordboard::store::Intake;
use futures::{SinkExt, StreamExt};
use jsonwebtoken::{EncodingKey, Header};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use tokio_util::sync::CancellationToken;

/// What tokens are signed with.
pub const SECRET: &str = "a-secret-of-more-than-32-bytes-for-tests";

/// A machine's key: a supervisor of acme.
pub const KEY: &str = "ck_0123456789abcdef0123456789abcdef";

/// A hub at work.
pub struct Fixture {
    /// The hub.
    pub hub: Arc<Hub>,
    /// Its address.
    pub base: String,
    /// Stops it.
    pub stop: CancellationToken,
    /// Ends when it has stopped.
    pub served: JoinHandle<()>,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

/// An open live socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Fixture {
    /// A hub that knows tokens by [`SECRET`].
    pub async fn start() -> Self {
        Fixture::with("[auth]\nsecret = { file = \"jwt\" }\n").await
    }

    /// A hub with these lines in its `cordboard.toml`.
    pub async fn with(lines: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        for below in ["tenants", "components", "data"] {
            std::fs::create_dir(folder.path().join(below)).unwrap();
        }
        write("jwt", SECRET);
        write("s3-key", "AKIA");
        write("s3-secret", "sesame");
        write("cordboard.toml", lines);
        let key = hex::encode(Sha256::digest(KEY));
        let people = "[[agents]]\nname = \"Ana\"\nlogin = \"ana\"\nextensions = [\"1001\"]\n\
             [[agents]]\nlogin = \"luis\"\nextensions = [\"1002\", \"1003\"]\n";
        let machine = format!("[[keys]]\nname = \"crm\"\nrole = \"supervisor\"\nsha256 = \"{key}\"\n");
        write("tenants/acme.toml", &format!("region = \"ES\"\n{people}{machine}"));
        write("tenants/other.toml", "region = \"ES\"\n");
        let plan = Plan::load(folder.path()).unwrap();
        let hub = Hub::start(folder.path(), plan).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let api = http::Api::new(&hub, http::recorder());
        let served = tokio::spawn(http::serve(listener, Vec::new(), api, stop.clone()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Fixture { hub, base, stop, served, client, _folder: folder }
    }

    /// A request with a token, or without.
    pub fn request(&self, method: Method, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// What a GET answers.
    pub async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path, Some(token))).await
    }

    /// What a POST of JSON answers.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path, Some(token)).json(body)).await
    }

    /// Commits one call; answers the number of its event.
    pub async fn call(&self, tenant: &str, id: &str, extension: &str, notes: &str) -> u64 {
        let intake = Intake::of(tenant, "pbx", vec![observed(id, extension, notes)]);
        self.hub.store.commit(intake).await.unwrap().events.last().unwrap().seq
    }

    /// Opens a live socket.
    pub async fn socket(&self, query: &str, token: &str) -> Socket {
        self.try_socket(query, Some(token), None).await.unwrap()
    }

    /// Opens a live socket, or not.
    pub async fn try_socket(
        &self,
        query: &str,
        token: Option<&str>,
        protocols: Option<&str>,
    ) -> Result<Socket, tungstenite::Error> {
        let url = format!("{}/v1/live{query}", self.base.replace("http", "ws"));
        let mut request = url.into_client_request()?;
        if let Some(token) = token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        if let Some(protocols) = protocols {
            request.headers_mut().insert("sec-websocket-protocol", protocols.parse().unwrap());
        }
        tokio_tungstenite::connect_async(request).await.map(|(socket, _)| Socket(socket))
    }
}

impl Socket {
    /// The next frame.
    pub async fn next(&mut self) -> Value {
        match self.message().await {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("not a frame: {other:?}"),
        }
    }

    /// The next message that is not a ping.
    pub async fn message(&mut self) -> Message {
        loop {
            let next = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await;
            match next.expect("a message in time").expect("an open socket").unwrap() {
                Message::Ping(_) => {}
                message => return message,
            }
        }
    }

    /// Says something.
    pub async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text.to_owned())).await.unwrap();
    }

    /// The code and the reason of the close, past all that comes before it.
    pub async fn close(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(Some(close)) = self.message().await {
                return (close.code.into(), close.reason.to_string());
            }
        }
    }
}

/// A sighting of a call at an extension.
pub fn observed(id: &str, extension: &str, notes: &str) -> Observation {
    let agent = Agent { extension: Some(extension.to_owned()), ..Agent::default() };
    let caller = Party { number: Some(Phone::raw("+34600111222")), ..Party::default() };
    let call = Call {
        phase: Some(CallPhase::Ended),
        caller: Some(caller),
        agent: Some(agent),
        started_at: Some(Instant::now()),
        notes: Some(notes.to_owned()).filter(|notes| !notes.is_empty()),
        ..Call::default()
    };
    let id = id.to_owned();
    Observation { id, also: Vec::new(), at: None, trust: Trust::Reported, item: Item::Call(call) }
}

/// A token that works for an hour.
pub fn token(tenant: &str, role: &str, sub: &str) -> String {
    let exp = Instant::now().millis() / 1000 + 3600;
    signed(&Claims { tenant: tenant.to_owned(), role: role.to_owned(), sub: sub.to_owned(), exp })
}

/// A token with these claims.
pub fn signed(claims: &impl serde::Serialize) -> String {
    jsonwebtoken::encode(&Header::default(), claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

/// Status and JSON of an answer.
pub async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap_or_default())
}
