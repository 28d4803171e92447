//! The public keys that tokens are signed with, fetched from where the configuration says and kept.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use tokio::sync::Mutex;

use super::problem::{Kind, Problem};

/// Keys are asked for again after this time, so that a withdrawn one stops working.
const FRESH: Duration = Duration::from_secs(600);

/// Between two attempts to fetch: a token with an invented key id does not make the hub a nuisance.
const PAUSE: Duration = Duration::from_secs(10);

/// A set of keys is not larger.
const LARGEST: usize = 256 * 1024;

/// A public key and the one algorithm that it is for.
pub(super) struct Key {
    pub(super) key: DecodingKey,
    pub(super) algorithm: Algorithm,
}

/// The keys as they were fetched last.
#[derive(Default)]
pub(super) struct Jwks {
    kept: ArcSwapOption<Kept>,
    fetching: Mutex<Option<Tried>>,
}

struct Kept {
    url: String,
    at: Instant,
    keys: HashMap<String, Arc<Key>>,
    /// The only key, for tokens that name none.
    only: Option<Arc<Key>>,
}

struct Tried {
    url: String,
    at: Instant,
}

impl Kept {
    fn find(&self, kid: Option<&str>) -> Option<Arc<Key>> {
        match kid {
            Some(kid) => self.keys.get(kid).cloned(),
            None => self.only.clone(),
        }
    }
}

impl Jwks {
    /// The key with this id; the only one when no id is given.
    pub(super) async fn key(&self, url: &str, kid: Option<&str>) -> Result<Arc<Key>, Problem> {
        let found = |fresh: bool| {
            let kept = self.kept.load();
            let kept = kept.as_ref().filter(|kept| kept.url == url && (!fresh || kept.at.elapsed() < FRESH))?;
            kept.find(kid)
        };
        if let Some(key) = found(true) {
            return Ok(key);
        }
        self.refresh(url).await;
        found(false).ok_or_else(|| match self.kept.load().as_ref().is_some_and(|kept| kept.url == url) {
            true => Problem::new(Kind::Unauthenticated, "the token names a key that its issuer does not publish"),
            false => {
                Problem::new(Kind::Unavailable, "the keys that tokens are signed with cannot be fetched").after(PAUSE)
            }
        })
    }

    /// Fetches the keys, unless that was tried just now. One at a time; the others wait for it.
    async fn refresh(&self, url: &str) {
        let asked = Instant::now();
        let mut tried = self.fetching.lock().await;
        if tried.as_ref().is_some_and(|tried| tried.url == url && (tried.at > asked || tried.at.elapsed() < PAUSE)) {
            return;
        }
        let fetched = fetch(url).await;
        *tried = Some(Tried { url: url.to_owned(), at: Instant::now() });
        match fetched {
            Ok(set) => self.kept.store(Some(Arc::new(kept(url, &set)))),
            Err(why) => tracing::warn!(url, why, "the keys that tokens are signed with cannot be fetched"),
        }
    }
}

fn kept(url: &str, set: &JwkSet) -> Kept {
    let usable: Vec<_> = set.keys.iter().filter_map(|jwk| Some((jwk.common.key_id.clone(), usable(jwk)?))).collect();
    let only = if let [(_, key)] = usable.as_slice() { Some(key.clone()) } else { None };
    let keys = usable.into_iter().filter_map(|(kid, key)| Some((kid?, key))).collect();
    Kept { url: url.to_owned(), at: Instant::now(), keys, only }
}

/// A key for signatures of a kind that is taken: RS256 or ES256. A shared secret in a public set is never one.
fn usable(jwk: &Jwk) -> Option<Arc<Key>> {
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        _ => return None,
    };
    let for_signatures = jwk.common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let same = jwk.common.key_algorithm.is_none_or(|algorithm| algorithm == named);
    let key = DecodingKey::from_jwk(jwk).ok()?;
    (for_signatures && same).then(|| Arc::new(Key { key, algorithm }))
}

async fn fetch(url: &str) -> Result<JwkSet, String> {
    static CLIENT: OnceLock<Option<reqwest::Client>> = OnceLock::new();
    let client = CLIENT.get_or_init(|| {
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .inspect_err(|why| tracing::error!(%why, "no HTTP client for the keys of tokens"))
            .ok()
    });
    let client = client.as_ref().ok_or("no HTTP client")?;
    let mut response = client.get(url).send().await.map_err(|why| why.without_url().to_string())?;
    if !response.status().is_success() {
        return Err(format!("status {}", response.status()));
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|why| why.without_url().to_string())? {
        if body.len() + piece.len() > LARGEST {
            return Err(format!("more than {LARGEST} bytes"));
        }
        body.extend_from_slice(&piece);
    }
    let set: serde_json::Value = serde_json::from_slice(&body).map_err(|why| why.to_string())?;
    // Keys of kinds that are not understood are passed over, not an error for the whole set.
    let keys = set.get("keys").and_then(|keys| keys.as_array()).ok_or("no `keys`")?;
    Ok(JwkSet { keys: keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect() })
}
