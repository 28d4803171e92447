//! An open connection: one task that only reads, one that only writes, and a bound on both.
//!
//! When nobody takes what was read, reading stops, and the other side has to wait. What the other side does not take is
//! kept up to a bound; then the connection is given up.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Bytes that one read takes at most: a PBX sends 64 KiB at once when calls end.
const READ: usize = 64 * 1024;

/// Reads that may wait to be taken.
const WAITING: usize = 16;

/// Bytes handed to the session at once: more would keep timers and commands waiting.
const TAKEN: usize = 256 * 1024;

/// Bytes that may wait to be sent.
const UNSENT: usize = 1 << 20;

/// Pieces that may wait to be sent.
const PIECES: usize = 4096;

/// A write that takes longer goes to somebody who does not read.
const STALL: Duration = Duration::from_secs(30);

/// How long closing may take: what is still to be sent, and the farewell of TLS.
const FAREWELL: Duration = Duration::from_secs(1);

/// TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Bytes that went over a source's connections.
#[derive(Default)]
pub(super) struct Traffic {
    pub received: AtomicU64,
    pub sent: AtomicU64,
}

/// An open connection.
pub(super) struct Wire {
    read: mpsc::Receiver<Read>,
    write: mpsc::Sender<Bytes>,
    unsent: Arc<AtomicUsize>,
    _reader: AbortOnDropHandle<()>,
    writer: AbortOnDropHandle<()>,
}

enum Read {
    Bytes(Bytes),
    Ended(String),
}

/// What came over a connection: bytes, and why it ended if it did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub bytes: Vec<u8>,
    pub ended: Option<String>,
}

/// The other side does not take what is sent.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side does not read: {} KiB wait to be sent", UNSENT / 1024)]
pub(super) struct Deaf;

impl Wire {
    /// Starts reading and writing.
    pub fn new(stream: Box<dyn Stream>, traffic: Arc<Traffic>) -> Self {
        let (near, far) = tokio::io::split(stream);
        let (read_to, read) = mpsc::channel(WAITING);
        let (write, write_from) = mpsc::channel(PIECES);
        let unsent = Arc::<AtomicUsize>::default();
        let failed = Arc::<OnceLock<String>>::default();
        let broken = CancellationToken::new();
        let reading = reading(near, read_to, traffic.clone(), failed.clone(), broken.clone());
        let writing = writing(far, write_from, unsent.clone(), traffic, failed, broken);
        let [reader, writer] = [tokio::spawn(reading), tokio::spawn(writing)].map(AbortOnDropHandle::new);
        Wire { read, write, unsent, _reader: reader, writer }
    }

    /// Puts bytes into the queue of what is sent.
    pub fn send(&self, bytes: Vec<u8>) -> Result<(), Deaf> {
        let length = bytes.len();
        if length == 0 {
            return Ok(());
        }
        if self.unsent.fetch_add(length, Ordering::Relaxed) + length > UNSENT {
            return Err(Deaf);
        }
        self.write.try_send(bytes.into()).map_err(|_| Deaf)
    }

    /// Waits for bytes or the end, and takes whatever else is there, up to a bound. Nothing is taken when the wait is
    /// given up.
    pub async fn next(&mut self) -> Taken {
        let mut taken = Taken::default();
        let mut next = self.read.recv().await;
        loop {
            match next {
                Some(Read::Bytes(bytes)) => taken.bytes.extend_from_slice(&bytes),
                Some(Read::Ended(why)) => taken.ended = Some(why),
                None => taken.ended = Some("the connection broke down".to_owned()),
            }
            if taken.ended.is_some() || taken.bytes.len() + READ > TAKEN {
                return taken;
            }
            next = match self.read.try_recv() {
                Ok(read) => Some(read),
                Err(_) => return taken,
            };
        }
    }

    /// Sends what is still to be sent, if the other side takes it soon, and closes.
    pub async fn close(self) {
        let Wire { write, writer, .. } = self;
        drop(write);
        let _ = timeout(FAREWELL, writer).await;
    }
}

async fn reading(
    mut from: impl AsyncRead + Unpin,
    to: mpsc::Sender<Read>,
    traffic: Arc<Traffic>,
    failed: Arc<OnceLock<String>>,
    broken: CancellationToken,
) {
    let mut room = BytesMut::new();
    let why = loop {
        room.reserve(READ);
        let read = tokio::select! {
            biased;
            () = broken.cancelled() => break failed.get().cloned().unwrap_or_default(),
            read = from.read_buf(&mut room) => read,
        };
        match read {
            Ok(0) => break "the other side closed the connection".to_owned(),
            Ok(length) => {
                traffic.received.fetch_add(length as u64, Ordering::Relaxed);
                if to.send(Read::Bytes(room.split().freeze())).await.is_err() {
                    return;
                }
            }
            Err(why) => break broke(&why),
        }
    };
    let _ = to.send(Read::Ended(why)).await;
}

async fn writing(
    mut to: impl AsyncWrite + Unpin,
    mut from: mpsc::Receiver<Bytes>,
    unsent: Arc<AtomicUsize>,
    traffic: Arc<Traffic>,
    failed: Arc<OnceLock<String>>,
    broken: CancellationToken,
) {
    while let Some(bytes) = from.recv().await {
        let written = timeout(STALL, async {
            to.write_all(&bytes).await?;
            if from.is_empty() { to.flush().await } else { Ok(()) }
        });
        let why = match written.await {
            Ok(Ok(())) => {
                unsent.fetch_sub(bytes.len(), Ordering::Relaxed);
                traffic.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                continue;
            }
            Ok(Err(why)) => broke(&why),
            Err(_) => format!("the other side has not read for {} s", STALL.as_secs()),
        };
        let _ = failed.set(why);
        broken.cancel();
        return;
    }
    let _ = to.shutdown().await;
}

fn broke(why: &std::io::Error) -> String {
    use std::io::ErrorKind;
    match why.kind() {
        ErrorKind::TimedOut => "the other side does not answer any more".to_owned(),
        ErrorKind::UnexpectedEof => "the other side broke the connection off".to_owned(),
        _ => format!("the connection broke: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> (Wire, tokio::io::DuplexStream) {
        let (near, far) = tokio::io::duplex(1024);
        (Wire::new(Box::new(near), Arc::default()), far)
    }

    #[tokio::test]
    async fn what_came_before_the_end_is_handed_over_first() {
        let (mut wire, mut far) = wire();
        far.write_all(b"last words").await.unwrap();
        drop(far);
        let mut all = Taken::default();
        while all.ended.is_none() {
            let taken = wire.next().await;
            all.bytes.extend(taken.bytes);
            all.ended = taken.ended;
        }
        assert_eq!(all.bytes, b"last words");
        assert_eq!(all.ended.as_deref(), Some("the other side closed the connection"));
    }

    #[tokio::test]
    async fn what_nobody_takes_is_not_read() {
        let (mut wire, mut far) = wire();
        let all = 8 * READ * WAITING;
        let writing = tokio::spawn(async move {
            for _ in 0..all / 1024 {
                far.write_all(&[7; 1024]).await.unwrap();
            }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!writing.is_finished(), "the other side waits");
        let mut taken = 0;
        while taken < all {
            let more = wire.next().await;
            assert!(more.bytes.len() <= TAKEN && more.ended.is_none());
            taken += more.bytes.len();
        }
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn who_does_not_read_is_given_up() {
        let (wire, far) = wire();
        let mut sent = 0;
        let deaf = loop {
            match wire.send(vec![1; 10_000]) {
                Ok(()) => sent += 10_000,
                Err(deaf) => break deaf,
            }
        };
        assert!((UNSENT - 10_000..=UNSENT).contains(&sent), "{sent}");
        assert!(deaf.to_string().contains("does not read"));
        drop(far);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_that_stalls_ends_the_connection() {
        let (mut wire, _far) = wire();
        wire.send(vec![1; 10_000]).unwrap();
        assert_eq!(wire.next().await.ended.as_deref(), Some("the other side has not read for 30 s"));
    }
}
