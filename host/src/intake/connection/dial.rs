//! From where a component wants to be connected to, to an open connection: the allow-list, TCP, TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::wire::Stream;
use crate::components::contract::{Failure, Target};
use crate::components::{Fault, Unreachable};
use crate::config::Authority;
use crate::intake::Entry;

/// How long one address may take to answer, and how long TLS may take: longer than one lost packet.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that is silent for so long is asked whether the other side is still there,
const QUIET: Duration = Duration::from_secs(30);

/// again after so long when no answer comes,
const AGAIN: Duration = Duration::from_secs(10);

/// and given up after so many questions.
const QUESTIONS: u32 = 3;

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum Refused {
    /// It may be there later; not before so long, if that is known.
    Passing { why: String, after: Option<Duration> },
    /// Trying again soon cannot help.
    Misconfigured(String),
    /// The component broke down over it.
    Fault(Fault),
}

/// Asks the component where to, and connects.
pub(super) async fn dial(entry: Arc<Entry>, ca: Option<Authority>) -> Result<Box<dyn Stream>, Refused> {
    let (target, _) = entry.component.call(|used| async move { used.target().await }).await;
    let target = target.map_err(Refused::Fault)?.map_err(|failure| of_failure(&entry, failure))?;
    let Target { host, port, tls } = &target;
    let reached = timeout(CONNECT, entry.component.component().reach(&target)).await;
    let late = || passing(format!("the name `{host}` was not looked up within {} s", CONNECT.as_secs()));
    let addresses = reached.map_err(|_| late())?.map_err(|why| match why {
        Unreachable::Denied(why) => Refused::Misconfigured(why),
        Unreachable::Unknown(why) => passing(why),
    })?;
    let stream = first(&addresses, &format!("{host}:{port}")).await?;
    if *tls { secured(stream, &target, ca).await } else { Ok(Box::new(stream)) }
}

fn passing(why: String) -> Refused {
    Refused::Passing { why, after: None }
}

fn of_failure(entry: &Entry, failure: Failure) -> Refused {
    let why = entry.component.component().redacted(&failure.to_string());
    match failure {
        Failure::Retryable { after, .. } | Failure::RateLimited { after } => Refused::Passing { why, after },
        Failure::Unauthorized { .. } | Failure::Rejected { .. } | Failure::Misconfigured { .. } => {
            Refused::Misconfigured(why)
        }
    }
}

/// A connection to the first address that answers; what the last one said when none does.
async fn first(addresses: &[SocketAddr], place: &str) -> Result<TcpStream, Refused> {
    let mut refused = passing(format!("{place} has no address"));
    for address in addresses {
        match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                watched(&stream).map_err(|why| passing(format!("{place}: {why}")))?;
                return Ok(stream);
            }
            Ok(Err(why)) if why.kind() == std::io::ErrorKind::ConnectionRefused => {
                refused = passing(format!("{place} refuses the connection: nothing listens there"));
            }
            Ok(Err(why)) => refused = passing(format!("{place} cannot be reached: {why}")),
            Err(_) => refused = passing(format!("{place} does not answer within {} s", CONNECT.as_secs())),
        }
    }
    Err(refused)
}

/// A silent link that is dead is found out; what is sent goes out at once.
fn watched(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(QUIET).with_interval(AGAIN).with_retries(QUESTIONS);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

async fn secured(stream: TcpStream, target: &Target, ca: Option<Authority>) -> Result<Box<dyn Stream>, Refused> {
    let Target { host, port, .. } = target;
    let name = ServerName::try_from(host.clone())
        .map_err(|_| Refused::Misconfigured(format!("`{host}` is no name that a certificate could have")))?;
    let roots = match &ca {
        Some(authority) => authority.roots(),
        None => machines().await,
    };
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match timeout(CONNECT, connecting).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(why)) => Err(not_secured(&why, &format!("{host}:{port}"), host)),
        Err(_) => Err(passing(format!("{host}:{port} does not speak TLS: it was silent for {} s", CONNECT.as_secs()))),
    }
}

/// The authorities that the machine knows.
async fn machines() -> RootCertStore {
    static KNOWN: tokio::sync::OnceCell<RootCertStore> = tokio::sync::OnceCell::const_new();
    let read = || async {
        let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await.unwrap_or_default();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            tracing::warn!("this machine has no certificates of authorities: a source with TLS needs its `ca`");
        }
        roots
    };
    KNOWN.get_or_init(read).await.clone()
}

fn not_secured(why: &std::io::Error, place: &str, host: &str) -> Refused {
    let inner = why.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(wrong)) => Refused::Misconfigured(match wrong {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("the certificate of {place} is not for the name `{host}`: connect by a name that stands in it")
            }
            CertificateError::UnknownIssuer => format!(
                "the certificate of {place} comes from an authority that is not known: put that authority's \
                 certificate into a file and name it as `ca` of the source"
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("the certificate of {place} has expired")
            }
            wrong => format!("the certificate of {place} is not accepted: {wrong}"),
        }),
        Some(rustls::Error::InvalidMessage(_)) => {
            Refused::Misconfigured(format!("{place} does not speak TLS: is it the port without?"))
        }
        Some(wrong) => passing(format!("no TLS with {place}: {wrong}")),
        None => passing(format!("no TLS with {place}: {why}")),
    }
}
