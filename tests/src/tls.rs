//! The tests' own authority, and the server's side of TLS. The certificate is for `localhost` and `pbx.test`.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The certificate of the authority, in PEM.
pub const AUTHORITY: &str = include_str!("../fixtures/tls/ca.pem");

/// The same as a file.
pub const AUTHORITY_FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tls/ca.pem");

/// Takes connections with the certificate.
pub fn acceptor() -> TlsAcceptor {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let pem = include_bytes!("../fixtures/tls/server.pem");
    let chain = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../fixtures/tls/server.key")).expect("a key");
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
    TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")))
}

/// TLS before a server that has none; it ends when it is dropped.
#[derive(Debug)]
pub struct Front {
    port: u16,
    task: JoinHandle<()>,
}

impl Front {
    /// A port of this machine that leads to this one.
    pub async fn of(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own = listener.local_addr().expect("its address").port();
        let acceptor = acceptor();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut near) = acceptor.accept(near).await else { return };
                    let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                    // Either side may go away as it likes.
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Front { port: own, task }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.task.abort();
    }
}
