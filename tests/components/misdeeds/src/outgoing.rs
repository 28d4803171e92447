//! The least HTTP client over `wasi:http`.

use crate::wasi::http::outgoing_handler;
use crate::wasi::http::types::{Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, Scheme};
use crate::wasi::io::streams::StreamError;

pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: Vec<u8>,
}

pub fn get(url: &str) -> Result<Answer, String> {
    send(url, &Method::Get, None)
}

pub fn post(url: &str, body: &[u8]) -> Result<Answer, String> {
    send(url, &Method::Post, Some(body))
}

fn send(url: &str, method: &Method, body: Option<&[u8]>) -> Result<Answer, String> {
    let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let scheme = if scheme == "http" { Scheme::Http } else { Scheme::Https };
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(method).map_err(|()| "method")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "authority")?;
    request.set_path_with_query(Some(path)).map_err(|()| "path")?;
    let outgoing = request.body().map_err(|()| "body")?;
    let future = outgoing_handler::handle(request, None).map_err(|code| format!("{code:?}"))?;
    if let Some(body) = body {
        let stream = outgoing.write().map_err(|()| "stream")?;
        for piece in body.chunks(4096) {
            stream.blocking_write_and_flush(piece).map_err(|error| format!("{error:?}"))?;
        }
    }
    OutgoingBody::finish(outgoing, None).map_err(|code| format!("{code:?}"))?;
    future.subscribe().block();
    let answer = future.get().ok_or("no answer")?.map_err(|()| "taken")?.map_err(|code| format!("{code:?}"))?;
    let location = answer.headers().get("location").into_iter().next();
    let location = location.map(|value| String::from_utf8_lossy(&value).into_owned());
    let status = answer.status();
    let incoming = answer.consume().map_err(|()| "consume")?;
    let mut body = Vec::new();
    {
        let stream = incoming.stream().map_err(|()| "stream")?;
        loop {
            match stream.blocking_read(65536) {
                Ok(piece) => body.extend_from_slice(&piece),
                Err(StreamError::Closed) => break,
                Err(error) => return Err(format!("{error:?}")),
            }
        }
    }
    drop(IncomingBody::finish(incoming));
    Ok(Answer { status, location, body })
}
