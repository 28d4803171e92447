//! Signed webhooks, made before, over connections that stay open. As lean as it gets: it runs on the same cores.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cordboard_tests::pbx::{self, PbxCall};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Requests as they go out, each of a call of its own.
pub struct Requests {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Requests {
    /// Ended calls of these numbers.
    pub fn ended(calls: Range<usize>) -> Arc<Self> {
        let mut requests = Requests { bytes: Vec::new(), ends: Vec::new() };
        for n in calls {
            requests.push(PbxCall::number(n).ended().to_string().as_bytes());
        }
        Arc::new(requests)
    }

    fn push(&mut self, body: &[u8]) {
        let signature = pbx::signature(pbx::SECRET, body);
        let head = format!(
            "POST /v1/hooks/acme/pbx HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             X-Signature: {signature}\r\n\r\n",
            body.len()
        );
        self.bytes.extend_from_slice(head.as_bytes());
        self.bytes.extend_from_slice(body);
        self.ends.push(self.bytes.len());
    }

    fn get(&self, n: usize) -> Option<&[u8]> {
        let end = *self.ends.get(n)?;
        let begin = n.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.bytes[begin..end])
    }
}

/// One request that rings.
pub fn ringing(n: usize) -> Vec<u8> {
    let mut requests = Requests { bytes: Vec::new(), ends: Vec::new() };
    requests.push(PbxCall::number(n).ringing().to_string().as_bytes());
    requests.bytes
}

/// A connection that stays open.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Opens it.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: vec![0; 4096] })
    }

    /// Sends a request and reads the whole answer; its status.
    pub async fn ask(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        let mut have = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[have..]).await?;
            if read == 0 {
                bail!("the server closed the connection");
            }
            have += read;
            let answer = &self.buffer[..have];
            let Some(head) = find(answer, b"\r\n\r\n") else { continue };
            let length = find(&answer[..head], b"content-length: ").map_or(0, |at| number(&answer[at + 16..]));
            if have >= head + 4 + length {
                return Ok(u16::try_from(number(&answer[9..]))?);
            }
        }
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn number(text: &[u8]) -> usize {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

/// What came of a load.
pub struct Done {
    /// Requests answered with 2xx.
    pub requests: usize,
    /// In this time.
    pub took: Duration,
    /// How long each took, in microseconds.
    pub latencies: Vec<u32>,
}

impl Done {
    /// Requests in a second.
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

/// Sends what there is over so many connections, each its next request when the last is answered, for so long.
pub async fn run(address: SocketAddr, connections: usize, requests: Arc<Requests>, time: Duration) -> Result<Done> {
    alone(move || async move {
        let mut open = Vec::new();
        for _ in 0..connections {
            open.push(Connection::open(address).await?);
        }
        let (next, began) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let tasks: Vec<_> = open
            .into_iter()
            .map(|mut connection| {
                let (next, requests) = (next.clone(), requests.clone());
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while began.elapsed() < time {
                        let Some(request) = requests.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                        let sent = Instant::now();
                        let status = connection.ask(request).await?;
                        if !(200..300).contains(&status) {
                            bail!("a webhook was answered with {status}");
                        }
                        latencies.push(u32::try_from(sent.elapsed().as_micros())?);
                    }
                    Ok(latencies)
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await??);
        }
        Ok(Done { requests: latencies.len(), took: began.elapsed(), latencies })
    })
    .await
}

/// Runs something on a thread of its own, which shares its connections with no other thread.
pub async fn alone<T, F>(what: impl FnOnce() -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let thread = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(what())
    });
    thread.await.context("the thread ended early")?
}
