//! Whom a source's TLS connection believes, when it is not the authorities that the machine knows.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::document::Node;

/// The certificates of a file. A connection's certificate must come from one of them; those that the machine knows are
/// not asked then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority(Arc<[CertificateDer<'static>]>);

impl Authority {
    /// Reads the file that a text names; a relative path begins at the configuration's folder.
    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        let name = node.text()?;
        let path = node.document.folder.join(name);
        let wrong = |what: String, hint: String| {
            node.problem(format!("`{}`: {what}", node.path), Some(hint));
            None
        };
        let text = match node.document.keeper.file(&path) {
            Ok(text) => text,
            Err(why) => {
                let hint = format!("looked for it at `{}`", path.display());
                return wrong(format!("the file `{name}` cannot be read: {why}"), hint);
            }
        };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let hint = "it must hold certificates in PEM, which begin with `-----BEGIN CERTIFICATE-----`".to_owned();
        match certificates {
            Ok(certificates) if certificates.is_empty() => wrong(format!("the file `{name}` has no certificate"), hint),
            Ok(certificates) => match usable(&certificates) {
                Ok(_) => Some(Authority(certificates.into())),
                Err(why) => wrong(format!("the file `{name}` has a certificate that cannot be used: {why}"), hint),
            },
            Err(why) => wrong(format!("the file `{name}` is broken: {why}"), hint),
        }
    }

    /// The certificates as TLS takes them.
    pub fn roots(&self) -> RootCertStore {
        // Each was tried when the file was read.
        usable(&self.0).unwrap_or_else(|_| RootCertStore::empty())
    }
}

fn usable(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore, rustls::Error> {
    let mut roots = RootCertStore::empty();
    certificates.iter().try_for_each(|certificate| roots.add(certificate.clone()))?;
    Ok(roots)
}
