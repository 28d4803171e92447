//! The listener: bounds before any work, and a graceful end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::client::Client;
use super::hooks::{self, Door};
use super::problem::{Kind, Problem};
use super::rate::Rates;
use super::router::{claims_alone, router};
use super::{Api, route};

/// A request's head must be there in this time; a connection that is kept open may be silent for as long.
const HEAD: Duration = Duration::from_secs(30);

/// A connection whose other side takes nothing for so long is given up.
#[cfg(target_os = "linux")]
const STALLED: Duration = Duration::from_secs(60);

/// Bytes of a request's head.
const HEAD_BYTES: usize = 64 * 1024;

/// Requests that one HTTP/2 connection may have under way.
const STREAMS: u32 = 256;

/// What is under way when the hub stops may take so long. The lanes, commands and the store come after it, and the
/// process has ten seconds for all of it.
const STOP: Duration = Duration::from_secs(4);

/// A connection's place among those that may be open. A live socket holds it on.
#[derive(Clone)]
pub(super) struct Place {
    _permit: Arc<OwnedSemaphorePermit>,
}

/// A port beside the hub's own, where tenants' files claim paths.
pub struct SideDoor {
    /// As the files name it.
    pub listen: SocketAddr,
    /// Open.
    pub listener: TcpListener,
}

/// Serves until `stop`. Then no more connections are taken, live sockets are told to come back, requests under way are
/// finished; it is over in four seconds.
pub async fn serve(listener: TcpListener, doors: Vec<SideDoor>, api: Arc<Api>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let rates = Arc::new(Rates::default());
    let places = Arc::new(Semaphore::new(api.plan.load().hub.limits.connections));
    let main = (listener, None, router(api.clone()));
    let doors = doors.into_iter().map(|door| (door.listener, Some(door.listen), claims_alone(api.clone())));
    for (listener, door, router) in [main].into_iter().chain(doors) {
        let server = Server { api: api.clone(), router, door, rates: rates.clone(), http: http() };
        let (places, tracker) = (places.clone(), connections.clone());
        connections.spawn(Arc::new(server).take(listener, places, tracker, stop.clone()));
    }
    let mut tidy = tokio::time::interval(Duration::from_secs(5));
    tidy.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = tidy.tick() => {
                rates.tidy();
                api.prometheus.run_upkeep();
            }
        }
    }
    api.stopping.cancel();
    connections.close();
    api.sockets.close();
    let over = async { tokio::join!(connections.wait(), api.sockets.wait()) };
    if tokio::time::timeout(STOP, over).await.is_err() {
        let (requests, sockets) = (connections.len(), api.sockets.len());
        tracing::warn!(requests, sockets, "stopping does not wait any longer for what is under way");
    }
}

/// The next connection, when there is a place for it. Until then callers wait in the listener's own queue.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, Place) {
    loop {
        let Ok(permit) = places.clone().acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, from)) => return (stream, from, Place { _permit: Arc::new(permit) }),
            // The caller is gone, or there are no more file descriptors: waiting is all that helps.
            Err(why) => {
                tracing::warn!(%why, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEAD_BYTES as u32)
        .keep_alive_interval(HEAD)
        .keep_alive_timeout(HEAD);
    http
}

struct Server {
    api: Arc<Api>,
    router: Router,
    door: Option<SocketAddr>,
    rates: Arc<Rates>,
    http: auto::Builder<TokioExecutor>,
}

impl Server {
    /// Takes connections until `stop`.
    async fn take(
        self: Arc<Self>,
        listener: TcpListener,
        places: Arc<Semaphore>,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                (stream, from, place) = accept(&listener, &places) => {
                    tracker.spawn(self.clone().connection(stream, from, place, stop.child_token()));
                }
            }
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, from: SocketAddr, place: Place, stop: CancellationToken) {
        let _ = stream.set_nodelay(true);
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&stream).set_tcp_user_timeout(Some(STALLED));
        let server = self.clone();
        let service = service_fn(move |request| server.clone().answer(from, place.clone(), request));
        let mut connection = pin!(self.http.serve_connection_with_upgrades(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(why) = ended {
            tracing::trace!(%from, %why, "a connection ended badly");
        }
    }

    async fn answer(
        self: Arc<Self>,
        from: SocketAddr,
        place: Place,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let (client, per_second) = {
            let hub = &self.api.plan.load().hub;
            (Client::of(from.ip(), request.headers(), &hub.proxies), hub.limits.requests_per_second)
        };
        if !self.rates.admits(client.0, per_second) {
            if hooks::is_dialplan(&self.api, self.door, request.uri().path()) {
                return Ok(route::nothing());
            }
            let detail = format!("one address may make {per_second} requests in a second");
            return Ok(Problem::new(Kind::TooMany, detail).after(Duration::from_secs(1)).into_response());
        }
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(place);
        request.extensions_mut().insert(client);
        request.extensions_mut().insert(Door(self.door));
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return self.router.clone().call(request).await;
        }
        // The query is left out: it may hold a ticket.
        let (method, path, began) =
            (request.method().clone(), request.uri().path().to_owned(), std::time::Instant::now());
        let response = self.router.clone().call(request).await;
        if let Ok(response) = &response {
            tracing::debug!(from = %client.0, %method, path, status = response.status().as_u16(), took = ?began.elapsed(), "answered");
        }
        response
    }
}
