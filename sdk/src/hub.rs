//! The host of a component: the hub itself, over the contract's imports.

use std::cell::OnceCell;
use std::time::{SystemTime, UNIX_EPOCH};

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

use crate::Host;
use crate::bindings::base::cordboard::hub::{host, ledger};
use crate::host::{CallPage, Content, KnownCall, Ledger, Level, Person, Rows, Selection};
use crate::http::{Error, Request, Response};
use crate::vocabulary::{Agent, Command, CommandOutcome, Failure, Grant, Instant};

/// How much is read at once.
const PIECE: u64 = 64 << 10;
/// How long to wait for a connection, at most.
const CONNECT: u64 = 10_000_000_000;

/// The hub, for the length of one call.
#[derive(Default)]
pub struct Hub {
    settings: OnceCell<String>,
}

impl Host for Hub {
    fn settings(&self) -> &str {
        self.settings.get_or_init(host::settings)
    }

    fn grant(&self) -> Option<Grant> {
        host::current_grant()
    }

    fn log(&self, level: Level, message: &str) {
        host::log(level, message);
    }

    fn now(&self) -> Instant {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&wasip2::random::random::get_random_bytes(bytes.len() as u64));
    }

    fn send(&self, request: Request) -> Result<Response, Error> {
        let target = Target::of(&request.url)?;
        let (answer, body) = target.ask(&request)?;
        if let Some(body) = body {
            target.write(body, &request.body)?;
        }
        answer.subscribe().block();
        let answer = match answer.get() {
            Some(Ok(result)) => result.map_err(|code| target.error(code))?,
            _ => return Err(target.broken("the answer was not there")),
        };
        let headers = answer.headers().entries();
        let body = target.read(&answer, request.limit)?;
        Ok(Response { status: answer.status(), headers, body, at: self.now() })
    }

    fn fetch(&self, url: &str, limit: u64) -> Result<Content, Failure> {
        host::fetch(url, limit)
    }

    fn query(&self, database: &str, statement: &str, parameters: &[&str]) -> Result<Rows, Failure> {
        let parameters: Vec<String> = parameters.iter().map(|&parameter| parameter.to_owned()).collect();
        host::query(database, statement, &parameters)
    }

    fn ledger(&self) -> &dyn Ledger {
        self
    }
}

impl Ledger for Hub {
    fn under_way(&self, extension: Option<&str>) -> Result<Vec<KnownCall>, Failure> {
        ledger::under_way(extension)
    }

    fn calls(&self, which: &Selection, after: Option<&str>, limit: u32) -> Result<CallPage, Failure> {
        ledger::calls(which, after, limit)
    }

    fn call_of(&self, id: &str) -> Result<Option<KnownCall>, Failure> {
        ledger::call_of(id)
    }

    fn agents(&self, extension: Option<&str>, user: Option<&str>) -> Vec<Agent> {
        ledger::agents(extension, user)
    }

    fn who(&self, number: &str, patience: u64) -> Vec<Person> {
        ledger::who(number, patience)
    }

    fn perform(&self, command: Command) -> Result<CommandOutcome, Failure> {
        ledger::perform(&command)
    }
}

/// A URL in the pieces that `wasi:http` wants.
struct Target {
    scheme: Scheme,
    authority: String,
    path: String,
}

impl Target {
    fn of(url: &str) -> Result<Self, Error> {
        let invalid = |why: String| Error::Url { url: url.to_owned(), why };
        let (url, _fragment) = url.split_once('#').unwrap_or((url, ""));
        let uri: http::Uri = url.parse().map_err(|error: http::uri::InvalidUri| invalid(error.to_string()))?;
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            _ => return Err(invalid("it must begin with https:// or http://".to_owned())),
        };
        let authority = uri.authority().ok_or_else(|| invalid("it names no host".to_owned()))?.to_string();
        let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(Self { scheme, authority, path })
    }

    /// Starts the request; gives the body to write when there is one.
    fn ask(&self, request: &Request) -> Result<(FutureIncomingResponse, Option<OutgoingBody>), Error> {
        let headers = Fields::new();
        for (name, value) in &request.headers {
            self.append(&headers, name, value)?;
        }
        if request.has_length() {
            self.append(&headers, "content-length", &request.body.len().to_string())?;
        }
        let outgoing = OutgoingRequest::new(headers);
        let set = outgoing
            .set_method(&method(&request.method))
            .and_then(|()| outgoing.set_scheme(Some(&self.scheme)))
            .and_then(|()| outgoing.set_authority(Some(&self.authority)))
            .and_then(|()| outgoing.set_path_with_query(Some(&self.path)));
        set.map_err(|()| self.invalid("a part of it is not allowed in a request"))?;
        let body = if request.body.is_empty() {
            None
        } else {
            Some(outgoing.body().map_err(|()| self.broken("the request has no body"))?)
        };
        let timeout = u64::try_from(request.timeout.as_nanos()).unwrap_or(u64::MAX);
        let options = RequestOptions::new();
        // A hub that does not know one of these keeps its own limits.
        let _ = options.set_connect_timeout(Some(timeout.min(CONNECT)));
        let _ = options.set_first_byte_timeout(Some(timeout));
        let _ = options.set_between_bytes_timeout(Some(timeout));
        let answer = outgoing_handler::handle(outgoing, Some(options)).map_err(|code| self.error(code))?;
        Ok((answer, body))
    }

    fn append(&self, headers: &Fields, name: &str, value: &str) -> Result<(), Error> {
        headers
            .append(name, value.as_bytes())
            .map_err(|error| self.invalid(&format!("the header `{name}` cannot be sent: {error}")))
    }

    /// Writes the body. When the other side stops listening, its answer tells why.
    fn write(&self, body: OutgoingBody, bytes: &[u8]) -> Result<(), Error> {
        let stream = body.write().map_err(|()| self.broken("the request has no body"))?;
        let written = pour(&stream, bytes);
        drop(stream);
        match written {
            Ok(()) => OutgoingBody::finish(body, None).map_err(|code| self.error(code)),
            Err(StreamError::Closed) => Ok(()),
            Err(StreamError::LastOperationFailed(error)) => Err(self.broken(&error.to_debug_string())),
        }
    }

    fn read(&self, answer: &IncomingResponse, limit: usize) -> Result<Vec<u8>, Error> {
        let body = answer.consume().map_err(|()| self.broken("the answer has no body"))?;
        let stream: InputStream = body.stream().map_err(|()| self.broken("the answer has no body"))?;
        let mut bytes = Vec::new();
        loop {
            match stream.blocking_read(PIECE) {
                Ok(piece) if bytes.is_empty() => bytes = piece,
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(StreamError::Closed) => return Ok(bytes),
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(match wasip2::http::types::http_error_code(&error) {
                        Some(code) => self.error(code),
                        None => self.broken(&error.to_debug_string()),
                    });
                }
            }
            if bytes.len() > limit {
                return Err(Error::TooLong { host: self.authority.clone(), limit });
            }
        }
    }

    fn invalid(&self, why: &str) -> Error {
        Error::Url { url: format!("{}{}", self.authority, self.path), why: why.to_owned() }
    }

    fn broken(&self, why: &str) -> Error {
        Error::Broken { host: self.authority.clone(), why: why.to_owned() }
    }

    fn error(&self, code: ErrorCode) -> Error {
        let host = self.authority.clone();
        let why = code.to_string();
        match code {
            ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => Error::Denied(host),
            ErrorCode::DnsError(_) | ErrorCode::DestinationNotFound => Error::Unknown(host),
            ErrorCode::DnsTimeout
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpUnroutable
            | ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionLimitReached
            | ErrorCode::TlsProtocolError
            | ErrorCode::TlsCertificateError
            | ErrorCode::TlsAlertReceived(_) => Error::Unreachable { host, why },
            ErrorCode::ConnectionReadTimeout | ErrorCode::ConnectionWriteTimeout | ErrorCode::HttpResponseTimeout => {
                Error::Timeout(host)
            }
            ErrorCode::HttpRequestUriInvalid => self.invalid(&why),
            _ => Error::Broken { host, why },
        }
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "PATCH" => Method::Patch,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    }
}

/// Writes as much at once as the stream takes.
fn pour(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            stream.subscribe().block();
            continue;
        }
        let (piece, rest) = bytes.split_at(room.min(bytes.len()));
        stream.write(piece)?;
        bytes = rest;
    }
    stream.flush()
}
