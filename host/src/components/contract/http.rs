//! An HTTP request as it came in, and the answer to it.

use bytes::Bytes;

use crate::model::Instant;

/// Names in lower case, in the order they came; values are bytes.
pub type Headers = Vec<(String, Vec<u8>)>;

/// A request that somebody sent to the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// Without the query, as sent.
    pub path: String,
    /// What follows the question mark, as sent.
    pub query: Option<String>,
    /// As sent.
    pub headers: Headers,
    /// Whole and unchanged.
    pub body: Bytes,
    /// When the hub had read it all.
    pub received_at: Instant,
}

/// What is sent back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// In this order.
    pub headers: Headers,
    /// The whole of it.
    pub body: Vec<u8>,
}
