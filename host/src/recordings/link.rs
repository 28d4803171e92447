//! Links to recordings and to media that work for a while without logging in: for CRMs, whose users open them from there.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Plan;
use crate::model::{Instant, Item, Subject};

/// Bytes of a signature: 128 bits. CRMs cut links at 200 characters.
const SIGNATURE: usize = 16;

/// Makes links and proves them.
pub struct Links {
    plan: Arc<ArcSwap<Plan>>,
    key: [u8; 32],
}

/// What of a record a link opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A recording of a call.
    Recording,
    /// Something attached to a message.
    Media,
}

impl Part {
    /// What its parameter is called.
    pub fn name(self) -> &'static str {
        match self {
            Part::Recording => "recording",
            Part::Media => "media",
        }
    }

    fn path(self, record: i64) -> String {
        match self {
            Part::Recording => format!("/v1/recordings/{record}"),
            Part::Media => format!("/v1/media/{record}"),
        }
    }
}

/// Why a link does not open anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It was not made by this hub, not for this file, or with a key that has been changed.
    #[error("the link's signature is wrong")]
    Wrong,
    /// Its time is over.
    #[error("the link has expired")]
    Expired,
}

/// An id in a few letters, as links name it.
pub fn short(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(id)[..9])
}

impl Links {
    /// Signed with this key; where the hub is reached and how long links last is looked up in the plan each time.
    pub fn new(plan: Arc<ArcSwap<Plan>>, key: [u8; 32]) -> Self {
        Links { plan, key }
    }

    /// Gives the recordings of a call, and the media of a message, links to this hub: where the hub knows how it is
    /// reached, and how it gets them itself.
    pub fn put_into(&self, item: &mut Item, tenant: &str, subject: &Subject, record: i64) {
        let plan = self.plan.load();
        let Some(base) = &plan.hub.public_url else { return };
        let source = plan.tenants.get(tenant).and_then(|tenant| tenant.sources.get(&subject.source));
        let link = |part: Part, id: &str, born: Option<Instant>| {
            let id = short(id);
            let expires = expiry(born.unwrap_or_default(), Instant::now(), plan.hub.recordings.links);
            let signature = URL_SAFE_NO_PAD.encode(self.signature(part, tenant, record, &id, expires));
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.append_pair("tenant", tenant).append_pair(part.name(), &id);
            query.append_pair("expires", &expires.to_string()).append_pair("signature", &signature);
            format!("{base}{}?{}", part.path(record), query.finish())
        };
        match item {
            Item::Call(call) if source.is_some_and(|source| source.recordings.is_some()) => {
                for recording in &mut call.recordings {
                    recording.url = Some(link(Part::Recording, &recording.id, call.started_at));
                }
            }
            Item::Message(message) => {
                for media in message.media.iter_mut().filter(|media| media.url.is_some()) {
                    media.url = Some(link(Part::Media, &media.id, message.sent_at));
                }
            }
            _ => {}
        }
    }

    /// Proves a link. `id` is as the link names it.
    pub fn check(
        &self,
        part: Part,
        tenant: &str,
        record: i64,
        id: &str,
        expires: u64,
        signature: &str,
    ) -> Result<(), LinkError> {
        let given = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let right = self.signature(part, tenant, record, id, expires);
        if !bool::from(right.ct_eq(&given)) {
            return Err(LinkError::Wrong);
        }
        if Instant::now().millis() / 1000 >= expires { Err(LinkError::Expired) } else { Ok(()) }
    }

    fn signature(&self, part: Part, tenant: &str, record: i64, id: &str, expires: u64) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        // None of them can hold a NUL.
        mac.update(format!("{}\0{tenant}\0{id}\0{expires}", part.path(record)).as_bytes());
        mac.finalize().into_bytes()[..SIGNATURE].to_vec()
    }
}

/// When a link ends, in seconds since 1970. The same link comes out however often a call is delivered, so that a CRM
/// does not see a change where there is none: ends are so many times `lasting` after the call, and the next one is taken
/// when less than half of that time is left.
fn expiry(born: Instant, now: Instant, lasting: Duration) -> u64 {
    let (born, now, lasting) = (born.millis() / 1000, now.millis() / 1000, lasting.as_secs().max(1));
    let times = (now + lasting / 2).saturating_sub(born).div_ceil(lasting).max(1);
    born + times * lasting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_the_same_and_never_ends_soon() {
        let (born, lasting) = (1_795_000_000_u64, 1000);
        let at = |after: u64| {
            let now = Instant::clamped((born + after) * 1000);
            expiry(Instant::clamped(born * 1000), now, Duration::from_secs(lasting)) - born
        };
        assert_eq!(
            [at(0), at(1), at(500), at(501), at(1500), at(1501), at(1_000_000)],
            [1000, 1000, 1000, 2000, 2000, 3000, 1_001_000]
        );
        let early =
            expiry(Instant::clamped((born + 5000) * 1000), Instant::clamped(born * 1000), Duration::from_secs(lasting));
        assert_eq!(early - born, 6000, "a call that begins later, by a clock that is ahead");
    }
}
