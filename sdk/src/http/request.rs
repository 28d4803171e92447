//! Building a request.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::{Error, Multipart, Response};
use crate::Host;

/// All that RFC 3986 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A request to send. The builder's methods can be chained.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// Absolute, with its query.
    pub url: String,
    /// In the order they are sent. `Host` and `Content-Length` are put in when it is sent.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How long to wait for the answer's first byte, and then for each further piece.
    pub timeout: Duration,
    /// How many bytes of an answer's body to take; a longer one is an error.
    pub limit: usize,
}

impl Request {
    /// A request by any method. It waits 20 seconds and takes 8 MiB unless told otherwise.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: vec![],
            body: vec![],
            timeout: Duration::from_secs(20),
            limit: 8 << 20,
        }
    }

    /// Reads.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// Creates, or whatever the outside system takes it for.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Replaces.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// Changes.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new("PATCH", url)
    }

    /// Deletes.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds `Authorization: Bearer …`.
    #[must_use]
    pub fn bearer(self, token: impl AsRef<str>) -> Self {
        self.header("authorization", format!("Bearer {}", token.as_ref()))
    }

    /// Adds pairs to the query, encoded as forms are.
    #[must_use]
    pub fn query<K: AsRef<str>, V: AsRef<str>>(mut self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let query = form(pairs);
        if !query.is_empty() {
            self.url.push(if self.url.contains('?') { '&' } else { '?' });
            self.url.push_str(&query);
        }
        self
    }

    /// Sets a body of this media type.
    #[must_use]
    pub fn body(mut self, media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-type"));
        self.body = body.into();
        self.header("content-type", media_type)
    }

    /// Sets a JSON body.
    ///
    /// # Panics
    /// When the value cannot be JSON: a map whose keys are not text.
    #[must_use]
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("the value can be written as JSON");
        self.body("application/json", body)
    }

    /// Sets a body of pairs, as a web form sends it.
    #[must_use]
    pub fn form<K: AsRef<str>, V: AsRef<str>>(self, pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        self.body("application/x-www-form-urlencoded", form(pairs))
    }

    /// Sets a body of parts, as a web form with files sends it.
    #[must_use]
    pub fn multipart(self, parts: Multipart) -> Self {
        let (media_type, body) = parts.encode();
        self.body(&media_type, body)
    }

    /// How long to wait for the answer's first byte, and then for each further piece.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How many bytes of an answer's body to take; a longer one is an error.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Sends it and waits for the whole answer.
    pub fn send(self, host: &dyn Host) -> Result<Response, Error> {
        host.send(self)
    }

    /// Whether to say how long the body is: always when there is one, and for the methods that usually have one.
    #[cfg(target_family = "wasm")]
    pub(crate) fn has_length(&self) -> bool {
        !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH")
    }
}

/// Text as one segment of a path or one value in a query: all but letters, digits and `-_.~` percent-encoded.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Pairs as `application/x-www-form-urlencoded`.
pub fn form<K: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (K, V)>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_added_to_what_is_there() {
        let request = Request::get("https://crm.test/x?a=1").query([("q", "a b&c"), ("é", "+")]);
        assert_eq!(request.url, "https://crm.test/x?a=1&q=a+b%26c&%C3%A9=%2B");
        assert_eq!(Request::get("https://crm.test/x").query::<&str, &str>([]).url, "https://crm.test/x");
        assert_eq!(encode("a b/ü~"), "a%20b%2F%C3%BC~");
    }

    #[test]
    fn the_last_body_gives_the_type() {
        let request = Request::post("https://crm.test/").json(&[1]).form([("a", "b")]);
        assert_eq!(request.headers, [("content-type".into(), "application/x-www-form-urlencoded".to_owned())]);
        assert_eq!(request.body, b"a=b");
    }
}
