//! Proving where a webhook comes from, over its bytes as they came.
//!
//! Every secret is tried each time, and every comparison takes the same time whatever differs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cordboard_sdk::serde_json::Value;
use cordboard_sdk::vocabulary::{Incoming, Instant};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};

use crate::settings::{Algorithm, Encoding, Freshness, Settings, Signature, Signed};
use crate::time::Clock;

/// What a webhook must show.
pub struct Proof {
    signature: Signature,
    freshness: Freshness,
    keys: Vec<Key>,
    clock: Clock,
}

enum Key {
    Sha256(Box<Hmac<Sha256>>),
    Sha512(Box<Hmac<Sha512>>),
}

/// How many signatures of one request are looked at.
const SIGNATURES: usize = 8;

impl Proof {
    /// Makes the keys ready.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let secrets = settings.secret.all();
        if secrets.is_empty() || secrets.iter().any(String::is_empty) {
            return Err("`secret` must be set: webhooks that nobody signed are not taken".to_owned());
        }
        let key = |secret: &String| {
            let secret = secret.as_bytes();
            let bad = |_| "`secret` cannot be used as a key".to_owned();
            Ok(match settings.signature.algorithm {
                Algorithm::Sha256 => Key::Sha256(Box::new(Hmac::new_from_slice(secret).map_err(bad)?)),
                Algorithm::Sha512 => Key::Sha512(Box::new(Hmac::new_from_slice(secret).map_err(bad)?)),
            })
        };
        Ok(Self {
            signature: settings.signature.clone(),
            freshness: settings.freshness.clone(),
            keys: secrets.iter().map(key).collect::<Result<_, String>>()?,
            clock: Clock::new("UTC")?,
        })
    }

    /// Checks a request, and says in one sentence what is missing.
    pub fn check(&self, request: &Incoming) -> Result<(), String> {
        let name = self.signature.headers.iter().find(|name| values(request, name).next().is_some());
        let Some(name) = name else {
            return Err(format!("the header `{}` is missing", self.signature.headers.join("`, `")));
        };
        let sent = self.sent(request)?;
        let given = self.given(request, name)?;
        let mut good = Choice::from(0);
        for key in &self.keys {
            let time = match self.signature.signed {
                Signed::Body => None,
                Signed::TimestampAndBody => Some(sent.ok_or_else(|| self.missing())?),
            };
            let wanted = key.sign(time, &request.body);
            for given in &given {
                good |= wanted.ct_eq(given);
            }
        }
        if !bool::from(good) {
            return Err(format!("the signature in the header `{name}` does not fit the body"));
        }
        match sent {
            Some(sent) => self.fresh(sent, request.received_at),
            None if self.freshness.required => Err(self.missing()),
            None => Ok(()),
        }
    }

    /// The signatures in the header, as bytes.
    fn given(&self, request: &Incoming, name: &str) -> Result<Vec<Vec<u8>>, String> {
        let all: Vec<&[u8]> = values(request, name).collect();
        let parts: Vec<&[u8]> = match self.signature.list {
            true => all.iter().flat_map(|value| value.split(|byte| *byte == b',')).collect(),
            false if all.len() > 1 => return Err(format!("the header `{name}` stands twice")),
            false => all,
        };
        if parts.len() > SIGNATURES {
            return Err(format!("the header `{name}` holds more than {SIGNATURES} signatures"));
        }
        let length = match self.signature.algorithm {
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        };
        let read = |part: &[u8]| {
            let text = std::str::from_utf8(part).ok()?.trim();
            let text = text.strip_prefix(self.signature.prefix.as_str()).unwrap_or(text);
            let bytes = match self.signature.encoding {
                Encoding::Hex => hex::decode(text).ok()?,
                Encoding::Base64 => STANDARD.decode(text).ok()?,
            };
            (bytes.len() == length).then_some(bytes)
        };
        let given: Vec<_> = parts.into_iter().filter_map(read).collect();
        if given.is_empty() {
            return Err(format!("the header `{name}` does not hold a signature of {length} bytes"));
        }
        Ok(given)
    }

    /// The time header, when it is there.
    fn sent<'r>(&self, request: &'r Incoming) -> Result<Option<&'r [u8]>, String> {
        let mut all = values(request, &self.freshness.header);
        let sent = all.next();
        match all.next() {
            Some(_) => Err(format!("the header `{}` stands twice", self.freshness.header)),
            None => Ok(sent),
        }
    }

    fn fresh(&self, sent: &[u8], received_at: Instant) -> Result<(), String> {
        let Freshness { header, tolerance, .. } = &self.freshness;
        if *tolerance == 0 {
            return Ok(());
        }
        let read = |text: &str| self.clock.read(&Value::from(text));
        let Some(moment) = std::str::from_utf8(sent).ok().and_then(read) else {
            return Err(format!("the header `{header}` does not hold a time"));
        };
        let away = moment.at.abs_diff(received_at) / 1000;
        if away > *tolerance {
            return Err(format!("the time in the header `{header}` is {away} s away, and may be {tolerance}"));
        }
        Ok(())
    }

    fn missing(&self) -> String {
        format!("the header `{}` is missing", self.freshness.header)
    }
}

impl Key {
    fn sign(&self, time: Option<&[u8]>, body: &[u8]) -> Vec<u8> {
        fn signed(mut mac: impl Mac, time: Option<&[u8]>, body: &[u8]) -> Vec<u8> {
            if let Some(time) = time {
                mac.update(time);
                mac.update(b".");
            }
            mac.update(body);
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha256(mac) => signed(Hmac::clone(mac), time, body),
            Self::Sha512(mac) => signed(Hmac::clone(mac), time, body),
        }
    }
}

fn values<'r>(request: &'r Incoming, name: &str) -> impl Iterator<Item = &'r [u8]> {
    request.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice())
}
