//! What one call of a component may use. Every number stands here with its reason.

use std::time::Duration;

/// Bounds of one use. The defaults suit every component seen so far with room to spare.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the call to its answer, requests included. A CRM that takes longer is down for our purposes.
    pub timeout: Duration,
    /// Linear memory, all memories together. An interpreter such as Python's starts at about 40 MiB.
    pub memory: usize,
    /// Elements of one table. Python's libraries need some 20,000.
    pub table: usize,
    /// Calls into the hub, the system interface included. A page of 500 records logged one by one needs a few thousand.
    pub host_calls: u64,
    /// Outgoing requests, fetches and queries. A batch of 100 changes at three requests each, and as many again for looking up.
    pub requests: u32,
    /// Bytes handed over in one go, either way: a whole result, a chunk of a body. A page of 500 long messages is 2 MiB.
    pub transfer: usize,
    /// The body of one outgoing request; it may carry a recording.
    pub request_body: usize,
    /// The body of one answer, or of a fetched file.
    pub answer_body: usize,
    /// All headers of a request or of an answer together.
    pub headers: usize,
    /// Lines written to the log.
    pub log_lines: u32,
    /// How many calls one kept instance serves. What a leak costs stays bounded, and the start is spread over them.
    pub kept_calls: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            timeout: Duration::from_secs(30),
            memory: 256 << 20,
            table: 100_000,
            host_calls: 100_000,
            requests: 600,
            transfer: 32 << 20,
            request_body: 64 << 20,
            answer_body: 64 << 20,
            headers: 64 << 10,
            log_lines: 100,
            kept_calls: 1000,
        }
    }
}
