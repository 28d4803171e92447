//! Secrets that whoever asks must know.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Whether two secrets are the same; how long it takes says nothing about them.
pub fn same(one: &str, other: &str) -> bool {
    let tag = |text: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"compared").ok()?;
        mac.update(text.as_bytes());
        Some(mac)
    };
    match (tag(one), tag(other)) {
        (Some(one), Some(other)) => one.verify(&other.finalize().into_bytes()).is_ok(),
        _ => false,
    }
}
