//! Every request that leaves the hub on a component's behalf: allowed, bounded, pooled, written down.
//!
//! Each use has a client of its own, so that a connection is never shared between tenants, and the resolver inside it
//! knows what this use may reach. Redirects are not followed: the component sees them, and what it does next is checked
//! like any request.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, Method, header};
use http_body_util::{BodyExt, StreamBody};
use reqwest::{Client, Request, Response};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use url::Url;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::address::Lookup;
use super::allow::{Allowed, Denied};
use super::contract::{Failure, Rate, Target};
use super::limits::Limits;
use super::resolve::{self, Resolver, Unreachable};
use super::trace::{Entry, Recorder};

/// How long making a connection may take. Longer than the slowest TLS handshake seen, and than one lost SYN.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept. Apache closes after five seconds: a little sooner, and no request is sent
/// into a connection that is being closed.
const IDLE: Duration = Duration::from_secs(4);

/// Unused connections kept for one host; more than any lane runs at once.
const IDLE_PER_HOST: usize = 32;

/// A body up to this size is sent with its length; a larger one is streamed. Python's client sends all bodies in
/// chunks, and some CRMs refuse chunks.
const BUFFERED: usize = 1 << 20;

/// Redirects that a fetch follows.
const HOPS: usize = 3;

/// What a component that names none is called.
const USER_AGENT: &str = concat!("Cordboard/", env!("CARGO_PKG_VERSION"));

/// The world behind the hub, when a component is tried out without a network.
pub trait Outside: Send + Sync {
    /// What is answered to a request; an error when there is nobody.
    fn answer(&self, request: &Request) -> Result<http::Response<Bytes>, String>;
}

/// Where requests go.
#[derive(Clone)]
pub(super) enum World {
    /// Out, by names that are looked up so.
    Network(Arc<dyn Lookup>),
    /// Nowhere: they are answered here.
    Played(Arc<dyn Outside>),
}

/// One use's way out.
pub(super) struct Egress {
    allowed: Arc<Allowed>,
    world: World,
    client: OnceLock<Result<Client, String>>,
    limits: Limits,
    pace: Option<DefaultDirectRateLimiter>,
}

impl Egress {
    pub fn new(allowed: Allowed, world: World, limits: Limits) -> Self {
        Egress { allowed: Arc::new(allowed), world, client: OnceLock::new(), limits, pace: None }
    }

    /// No faster than this. Evenly: whoever counts the requests of any second would count a burst twice.
    pub fn at(mut self, rate: Option<Rate>) -> Self {
        let quota = rate.and_then(|rate| Quota::with_period(rate.per / rate.requests.max(1)));
        self.pace = quota.map(RateLimiter::direct);
        self
    }

    async fn execute(&self, request: Request) -> Result<Response, Failed> {
        match &self.world {
            World::Network(lookup) => self.client(lookup)?.execute(request).await.map_err(Failed::of),
            World::Played(outside) => match outside.answer(&request) {
                Ok(answer) => Ok(answer.into()),
                Err(why) => Err(Failed::new(Error::ConnectionRefused, &why)),
            },
        }
    }

    fn client(&self, lookup: &Arc<dyn Lookup>) -> Result<&Client, Failed> {
        let built = self.client.get_or_init(|| {
            // Fails when another part of the program has chosen one already, which is as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
            Client::builder()
                .dns_resolver(Arc::new(Resolver { allowed: self.allowed.clone(), lookup: lookup.clone() }))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .connect_timeout(CONNECT)
                .pool_idle_timeout(IDLE)
                .pool_max_idle_per_host(IDLE_PER_HOST)
                .user_agent(USER_AGENT)
                .build()
                .map_err(|error| chain(&error))
        });
        built.as_ref().map_err(|why| Failed::new(Error::ConfigurationError, why))
    }

    /// The addresses of a connection's other side, as far as this use may reach them.
    pub async fn reach(&self, target: &Target) -> Result<Vec<SocketAddr>, Unreachable> {
        match &self.world {
            World::Network(lookup) => resolve::reach(&self.allowed, &**lookup, target).await,
            World::Played(_) => Err(Unreachable::Unknown("there is no network".to_owned())),
        }
    }

    /// Sends what a component sends through `wasi:http`.
    pub async fn send(
        self: Arc<Self>,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        recorder: Recorder,
    ) -> Result<http::Response<WasiBody>, Error> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string();
        let entry = recorder.begin(parts.method.as_str(), &url, &parts.headers);
        let sending = async {
            let url = self.check(&url)?;
            self.check_headers(&parts.headers).map_err(|size| {
                Failed::new(Error::HttpRequestHeaderSectionSize(Some(size)), "the request's headers are too large")
            })?;
            let mut outgoing = Request::new(parts.method, url);
            *outgoing.headers_mut() = parts.headers;
            let body = self.body(body, outgoing.headers_mut(), &entry).await?;
            *outgoing.body_mut() = body;
            if let (Some(pace), World::Network(_)) = (&self.pace, &self.world) {
                pace.until_ready().await;
            }
            self.exchange(outgoing, options.unwrap_or_default(), &entry).await
        };
        let answer = sending.await.map_err(|failed| failed.noted(&entry))?;
        Ok(self.streamed(answer, options.unwrap_or_default(), entry))
    }

    /// Fetches a file, following a few redirects as long as they lead to hosts that are allowed, and not away from TLS.
    pub async fn fetch(&self, url: &str, limit: u64, recorder: Recorder) -> Result<(Option<String>, Vec<u8>), Failure> {
        let mut bytes = Vec::new();
        let limit = limit.min(self.limits.answer_body as u64);
        let kind = self.fetch_into(&mut bytes, url, limit, recorder).await?;
        Ok((kind, bytes))
    }

    /// The same, piece by piece to where it is kept; what is longer than `limit` is broken off. Its type.
    pub async fn fetch_into(
        &self,
        into: &mut (impl AsyncWrite + Unpin),
        url: &str,
        limit: u64,
        recorder: Recorder,
    ) -> Result<Option<String>, Failure> {
        let mut url = url.to_owned();
        for _ in 0..=HOPS {
            let entry = recorder.begin("GET", &url, &HeaderMap::new());
            let fetched = async {
                let target = self.check(&url)?;
                self.exchange(Request::new(Method::GET, target), RequestOptions::default(), &entry).await
            };
            let mut answer = fetched.await.map_err(|failed: Failed| failed.into_failure(&url, &entry))?;
            let status = answer.status();
            let location = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            if let Some(location) = location.filter(|_| status.is_redirection()) {
                let next = answer.url().join(location).map_err(|_| misled(&url, location))?;
                if answer.url().scheme() == "https" && next.scheme() != "https" {
                    return Err(uncovered(&url, &next));
                }
                url = next.to_string();
                continue;
            }
            if !status.is_success() {
                return Err(status_failure(&url, status));
            }
            let too_long = || Failure::Rejected {
                code: "too-large".into(),
                why: format!("the file at {} has more than {limit} bytes", without_query(&url)),
            };
            if answer.content_length().is_some_and(|length| length > limit) {
                return Err(too_long());
            }
            let kind =
                answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
            let mut length = 0;
            let broken = |error| Failed::of(error).into_failure(&url, &entry);
            while let Some(chunk) = answer.chunk().await.map_err(broken)? {
                length += chunk.len() as u64;
                if length > limit {
                    return Err(too_long());
                }
                entry.received(&chunk);
                into.write_all(&chunk).await.map_err(|why| unkept(&why))?;
            }
            into.flush().await.map_err(|why| unkept(&why))?;
            return Ok(kind);
        }
        let why = format!("more than {HOPS} redirects, lastly to {}", without_query(&url));
        Err(Failure::Rejected { code: "redirects".into(), why })
    }

    fn check(&self, url: &str) -> Result<Url, Failed> {
        let parsed = Url::parse(url)
            .ok()
            .filter(|url| {
                matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
            })
            .ok_or_else(|| Failed::denied(&Denied::Url(without_query(url).to_owned())))?;
        self.allowed.host(&parsed).map_err(|denied| Failed::denied(&denied))?;
        Ok(parsed)
    }

    fn check_headers(&self, headers: &HeaderMap) -> Result<(), u32> {
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if size > self.limits.headers { Err(size.try_into().unwrap_or(u32::MAX)) } else { Ok(()) }
    }

    /// Reads the body until it ends or is large; a small one gets its length, a large one goes on as a stream.
    async fn body(
        &self,
        mut body: WasiBody,
        headers: &mut HeaderMap,
        entry: &Entry,
    ) -> Result<Option<reqwest::Body>, Failed> {
        let mut start = BytesMut::new();
        let mut ended = true;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Failed::new(error, "the component broke off its body"))?;
            if let Ok(data) = frame.into_data() {
                entry.sent(&data);
                start.extend_from_slice(&data);
            }
            if start.len() > BUFFERED {
                ended = false;
                break;
            }
        }
        if start.len() > self.limits.request_body {
            return Err(too_large(start.len() as u64));
        }
        if ended {
            headers.remove(header::CONTENT_LENGTH);
            let nothing = start.is_empty();
            return Ok((!nothing).then(|| start.freeze().into()));
        }
        let (most, entry) = (self.limits.request_body as u64, entry.clone());
        let mut total = start.len() as u64;
        let rest = body.into_data_stream().map(move |piece| {
            let piece = piece?;
            entry.sent(&piece);
            total += piece.len() as u64;
            if total > most {
                entry.failed("the request's body is too large");
                return Err(Error::HttpRequestBodySize(Some(total)));
            }
            Ok(piece)
        });
        let whole = stream::once(async move { Ok(start.freeze()) }).chain(rest);
        Ok(Some(reqwest::Body::wrap_stream(whole)))
    }

    async fn exchange(&self, request: Request, options: RequestOptions, entry: &Entry) -> Result<Response, Failed> {
        let sending = self.execute(request);
        let answer = match options.first_byte_timeout {
            Some(wait) => tokio::time::timeout(wait, sending).await.map_err(|_| {
                Failed::new(Error::HttpResponseTimeout, "no answer came in the time that the component set")
            })?,
            None => sending.await,
        }?;
        self.check_headers(answer.headers()).map_err(|size| {
            Failed::new(Error::HttpResponseHeaderSectionSize(Some(size)), "the answer's headers are too large")
        })?;
        entry.answered(answer.status().as_u16(), answer.headers());
        Ok(answer)
    }

    /// The answer as the component reads it, its body piece by piece.
    fn streamed(&self, answer: Response, options: RequestOptions, entry: Entry) -> http::Response<WasiBody> {
        let mut head = http::Response::new(());
        *head.status_mut() = answer.status();
        *head.headers_mut() = answer.headers().clone();
        let wait = options.between_bytes_timeout.unwrap_or(self.limits.timeout);
        let left = Some(self.limits.answer_body as u64);
        let pieces = stream::unfold((answer, left, entry), move |(mut answer, left, entry)| async move {
            let room = left?;
            let piece: Result<Bytes, Failed> = match tokio::time::timeout(wait, answer.chunk()).await {
                Ok(Ok(Some(piece))) if piece.len() as u64 <= room => Ok(piece),
                Ok(Ok(Some(_))) => {
                    Err(Failed::new(Error::HttpResponseBodySize(None), "the answer's body is too large"))
                }
                Ok(Ok(None)) => return None,
                Ok(Err(error)) => Err(Failed::of(error)),
                Err(_) => Err(Failed::new(Error::ConnectionReadTimeout, "the answer's body stopped coming")),
            };
            let left = match &piece {
                Ok(piece) => {
                    entry.received(piece);
                    Some(room - piece.len() as u64)
                }
                Err(_) => None,
            };
            let piece = piece.map(http_body::Frame::data).map_err(|failed| failed.noted(&entry));
            Some((piece, (answer, left, entry)))
        });
        head.map(|()| StreamBody::new(pieces).boxed_unsync())
    }
}

/// Why there is no answer: as the component hears it, and as people read it.
struct Failed {
    code: Error,
    why: String,
    passing: bool,
}

impl Failed {
    fn new(code: Error, why: &str) -> Self {
        Failed { code, why: why.to_owned(), passing: true }
    }

    fn denied(denied: &Denied) -> Self {
        Failed { code: Error::HttpRequestDenied, why: denied.to_string(), passing: false }
    }

    fn of(error: reqwest::Error) -> Self {
        let mut source = error.source();
        while let Some(inner) = source {
            if let Some(denied) = inner.downcast_ref::<Denied>() {
                return Failed::denied(denied);
            }
            source = inner.source();
        }
        let why = chain(&error);
        let code = match &error {
            error if error.is_timeout() => Error::ConnectionTimeout,
            _ if why.contains("dns error") => Error::DnsError { rcode: None, info_code: None },
            _ if why.contains("certificate") => Error::TlsCertificateError,
            error if error.is_connect() => Error::ConnectionRefused,
            _ => Error::ConnectionTerminated,
        };
        Failed { code, why, passing: true }
    }

    /// Writes the reason down, and gives back what the component hears.
    fn noted(self, entry: &Entry) -> Error {
        entry.failed(&self.why);
        self.code
    }

    /// The same for a fetch.
    fn into_failure(self, url: &str, entry: &Entry) -> Failure {
        entry.failed(&self.why);
        let why = format!("{}: {}", without_query(url), self.why);
        if self.passing {
            Failure::Retryable { why, status: None, after: None }
        } else {
            Failure::Misconfigured { why }
        }
    }
}

fn too_large(size: u64) -> Failed {
    Failed::new(Error::HttpRequestBodySize(Some(size)), "the request's body is too large")
}

fn unkept(why: &std::io::Error) -> Failure {
    Failure::Retryable { why: format!("the file cannot be kept here: {why}"), status: None, after: None }
}

fn misled(url: &str, location: &str) -> Failure {
    let why = format!("{} redirects to `{location}`, which is no URL", without_query(url));
    Failure::Retryable { why, status: None, after: None }
}

fn uncovered(url: &str, next: &Url) -> Failure {
    let why = format!("{} redirects from https to {}", without_query(url), next.scheme());
    Failure::Rejected { code: "insecure".into(), why }
}

fn status_failure(url: &str, status: http::StatusCode) -> Failure {
    let why = format!("{} answers {status}", without_query(url));
    match status.as_u16() {
        408 | 425 | 500.. => Failure::Retryable { why, status: Some(status.as_u16()), after: None },
        429 => Failure::RateLimited { after: None },
        code => Failure::Rejected { code: code.to_string(), why },
    }
}

/// Queries carry tokens.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// An error with all its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !said.contains(&more) {
            said.push_str(": ");
            said.push_str(&more);
        }
        source = inner.source();
    }
    said
}
