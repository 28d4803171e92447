//! Grants: what components got by logging in. Kept sealed (XChaCha20-Poly1305), each bound to its tenant and use.

use std::path::Path;
use std::time::Duration;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::db::args;
use super::error::StoreError;
use super::lease::Lease;
use super::{Result, Store};
use crate::model::Instant;

/// What a component got from an outside system by logging in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The secret.
    pub token: String,
    /// When it stops working.
    pub expires_at: Option<Instant>,
    /// What may be shown.
    pub attributes: Vec<(String, String)>,
}

/// The token is never shown.
impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant").field("expires_at", &self.expires_at).field("attributes", &self.attributes).finish()
    }
}

/// The key that grants are sealed with.
pub(super) struct Seal {
    cipher: XChaCha20Poly1305,
    key: [u8; 32],
}

const NONCE: usize = 24;

impl Seal {
    /// With a key that was given.
    pub fn new(key: &[u8; 32]) -> Self {
        Seal { cipher: XChaCha20Poly1305::new(&Key::from(*key)), key: *key }
    }

    /// With the key kept in a file, which is made when it is missing and is its owner's alone.
    pub fn from_file(path: &Path) -> Result<Self> {
        let at_fault = |why| StoreError::File { path: path.to_owned(), why };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(at_fault)?;
        }
        match create(path) {
            Ok(key) => return Ok(Seal::new(&key)),
            Err(why) if why.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(at_fault(why)),
        }
        let text = std::fs::read_to_string(path).map_err(at_fault)?;
        let mut key = [0; 32];
        let bad = |_| std::io::Error::new(std::io::ErrorKind::InvalidData, "is not a key of 64 hex digits");
        hex::decode_to_slice(text.trim(), &mut key).map_err(bad).map_err(at_fault)?;
        Ok(Seal::new(&key))
    }

    fn close(&self, about: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload { msg: plain, aad: about.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| StoreError::Sealed)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn open(&self, about: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>().ok_or(StoreError::Sealed)?;
        let payload = Payload { msg: sealed, aad: about.as_bytes() };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| StoreError::Sealed)
    }
}

/// Makes the file with a new key; fails when it is there.
fn create(path: &Path) -> std::io::Result<[u8; 32]> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let key: [u8; 32] = rand::random();
    writeln!(file, "{}", hex::encode(key))?;
    file.sync_all()?;
    Ok(key)
}

/// What a sealed grant is bound to. A NUL cannot stand in either name.
fn about(tenant: &str, of: &str) -> String {
    format!("{tenant}\0{of}")
}

impl Store {
    /// A key for something else than sealing, made of the key that grants are sealed with: another purpose, another key.
    pub fn derived_key(&self, purpose: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.inner.seal.key).expect("HMAC takes a key of any length");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// The grant of a tenant's use.
    pub async fn grant(&self, tenant: &str, of: &str) -> Result<Option<Grant>> {
        let sql = "select sealed from grant_ where tenant = $1 and use_ = $2";
        let rows = self.db().fetch(sql, args![tenant, of]).await?;
        let Some(sealed) = rows.first().map(|row| row.opt_bytes(0)).transpose()?.flatten() else { return Ok(None) };
        let plain = self.inner.seal.open(&about(tenant, of), &sealed)?;
        serde_json::from_slice(&plain).map(Some).map_err(|why| StoreError::Corrupt(why.to_string()))
    }

    /// Keeps a grant, sealed.
    pub async fn put_grant(&self, tenant: &str, of: &str, grant: &Grant) -> Result<()> {
        let plain = serde_json::to_vec(grant).map_err(|why| StoreError::Refused(why.to_string()))?;
        let sealed = self.inner.seal.close(&about(tenant, of), &plain)?;
        let sql = "insert into grant_ (tenant, use_, sealed, expires_at, updated_at) values ($1, $2, $3, $4, $5)
             on conflict (tenant, use_) do update set sealed = excluded.sealed, expires_at = excluded.expires_at,
                 updated_at = excluded.updated_at";
        let values = args![tenant, of, sealed, grant.expires_at, Instant::now()];
        self.db().execute(sql, values).await.map(drop)
    }

    /// Forgets a grant.
    pub async fn drop_grant(&self, tenant: &str, of: &str) -> Result<()> {
        let sql = "delete from grant_ where tenant = $1 and use_ = $2";
        self.db().execute(sql, args![tenant, of]).await.map(drop)
    }

    /// Waits for the exclusive right to log in for a tenant's use, over the whole cluster. Read the grant again once
    /// it is held: another may have logged in meanwhile. It ends by itself after `ttl`, should its holder die.
    pub async fn grant_lock(&self, tenant: &str, of: &str, ttl: Duration) -> Result<Lease> {
        let name = format!("grant:{tenant}:{of}");
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(lease) = self.lease(&name, ttl).await? {
                return Ok(lease);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }
}
