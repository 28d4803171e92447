//! A [`Host`] over real connections: the component runs natively, outside any hub, as the baseline that shows what the
//! sandbox costs.

use std::error::Error as _;
use std::io::Read as _;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use ureq::{Agent, http};

use crate::Host;
use crate::host::{Content, Level};
use crate::http::{Error, Request, Response};
use crate::vocabulary::{Failure, Grant, Instant};

/// A host over real connections, which it keeps open and uses again. Clones share them.
#[derive(Clone)]
pub struct Connected {
    agent: Agent,
    settings: String,
    grant: std::sync::Arc<Mutex<Option<Grant>>>,
}

impl Connected {
    /// With these settings, and no grant.
    pub fn new(settings: &Value) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .max_idle_connections(256)
            .max_idle_connections_per_host(256);
        Self { agent: config.build().into(), settings: settings.to_string(), grant: std::sync::Arc::default() }
    }

    /// Sets the grant.
    pub fn set_grant(&self, grant: Option<Grant>) {
        *self.grant.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = grant;
    }
}

impl Host for Connected {
    fn settings(&self) -> &str {
        &self.settings
    }

    fn grant(&self) -> Option<Grant> {
        self.grant.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn log(&self, _level: Level, _message: &str) {}

    fn now(&self) -> Instant {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    fn random(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the system gives random numbers");
    }

    fn send(&self, request: Request) -> Result<Response, Error> {
        let host = request.url.split('/').nth(2).unwrap_or_default().to_owned();
        let invalid = |why: String| Error::Url { url: request.url.clone(), why };
        let mut builder = http::Request::builder().method(request.method.as_str()).uri(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let outgoing = builder.body(request.body.as_slice()).map_err(|error| invalid(error.to_string()))?;
        let outgoing = self
            .agent
            .configure_request(outgoing)
            .timeout_recv_response(Some(request.timeout))
            .timeout_recv_body(Some(request.timeout))
            .build();
        let answer = self.agent.run(outgoing).map_err(|error| translate(&host, error))?;
        let (head, body) = answer.into_parts();
        let headers =
            head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
        let mut bytes = Vec::new();
        let read = body.into_reader().take(request.limit as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|error| Error::Broken { host: host.clone(), why: error.to_string() })?;
        if bytes.len() > request.limit {
            return Err(Error::TooLong { host, limit: request.limit });
        }
        Ok(Response { status: head.status.as_u16(), headers, body: bytes, at: self.now() })
    }

    fn fetch(&self, url: &str, limit: u64) -> Result<Content, Failure> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX - 1);
        let answer = self.send(Request::get(url).limit(limit))?.success()?;
        Ok(Content { media_type: answer.header("content-type").map(str::to_owned), bytes: answer.body })
    }
}

fn translate(host: &str, error: ureq::Error) -> Error {
    let host = host.to_owned();
    match error {
        ureq::Error::BadUri(why) => Error::Url { url: host, why },
        ureq::Error::HostNotFound => Error::Unknown(host),
        ureq::Error::Timeout(_) => Error::Timeout(host),
        ureq::Error::ConnectionFailed => Error::Unreachable { host, why: error.to_string() },
        ureq::Error::Io(io) if io.kind() == std::io::ErrorKind::ConnectionRefused => {
            Error::Unreachable { host, why: io.to_string() }
        }
        other => {
            let why = other.source().map_or_else(|| other.to_string(), ToString::to_string);
            Error::Broken { host, why }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    /// Answers one request with these bytes, and gives the request's lines.
    fn serve(answer: &'static str) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let lines = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            stream.write_all(answer.as_bytes()).unwrap();
            lines
        });
        (url, serving)
    }

    #[test]
    fn requests_are_real() {
        let host = Connected::new(&serde_json::json!({}));
        let (url, serving) = serve("HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 2\r\n\r\nno");
        let answer = Request::post(url).form([("a", "b")]).send(&host).unwrap();
        assert_eq!((answer.status, answer.header("location"), answer.text()), (302, Some("/y"), "no".to_owned()));
        let lines = serving.join().unwrap();
        assert_eq!(lines[0], "POST /x HTTP/1.1");
        assert!(lines.iter().any(|line| line.eq_ignore_ascii_case("content-length: 3")), "{lines:?}");

        let (url, _serving) = serve("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
        assert!(matches!(Request::get(url).limit(1).send(&host), Err(Error::TooLong { limit: 1, .. })));
        let error = Request::get("http://127.0.0.1:1/").timeout(Duration::from_secs(5)).send(&host).unwrap_err();
        assert!(!error.may_have_arrived(), "{error}");
    }
}
