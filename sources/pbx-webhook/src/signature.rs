//! Proving where a request comes from, over its bytes as they came.
//!
//! Every comparison takes the same time whatever differs, and every configured secret is tried each time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;

use crate::contract::Request;
use crate::settings::{Algorithm, Encoding, TokenEncoding};
use crate::time::Clock;

/// What a request must show.
#[derive(Debug)]
pub struct Proof {
    /// A keyed hash of the body.
    pub signature: Option<Signature>,
    /// A word that only the sender knows, in a header.
    pub token: Option<Token>,
    /// The moment of sending, in a header.
    pub timestamp: Option<Timestamp>,
}

impl Proof {
    /// Checks a request, and says in one sentence what is missing.
    pub fn check(&self, request: &Request) -> Result<(), String> {
        if let Some(token) = &self.token {
            token.check(request)?;
        }
        let sent = match &self.timestamp {
            Some(timestamp) => Some(header(request, &timestamp.header)?),
            None => None,
        };
        if let Some(signature) = &self.signature {
            let together = self.timestamp.as_ref().and_then(|timestamp| timestamp.together.as_deref());
            signature.check(request, together, sent.unwrap_or_default())?;
        }
        match (&self.timestamp, sent) {
            (Some(timestamp), Some(sent)) => timestamp.check(sent, request.received_at),
            _ => Ok(()),
        }
    }
}

/// A signature in a header.
#[derive(Debug)]
pub struct Signature {
    /// In lower case.
    pub header: String,
    /// Stands before the signature.
    pub prefix: String,
    /// How the signature is written.
    pub encoding: Encoding,
    /// One for each secret.
    pub keys: Vec<Key>,
}

/// A key ready for use.
#[derive(Clone)]
pub enum Key {
    /// HMAC-SHA-1.
    Sha1(Box<Hmac<Sha1>>),
    /// HMAC-SHA-256.
    Sha256(Box<Hmac<Sha256>>),
    /// HMAC-SHA-512.
    Sha512(Box<Hmac<Sha512>>),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

/// A part of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text as it stands in the settings.
    Text(String),
    /// The timestamp header, as it was sent.
    Timestamp,
    /// The body.
    Body,
}

/// Long enough for the longest hash.
type Bytes = [u8; 64];

impl Key {
    /// Makes a key; every length of secret is a good one.
    pub fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self, String> {
        let bad = |_| "the secret cannot be used as a key".to_owned();
        Ok(match algorithm {
            Algorithm::Sha1 => Key::Sha1(Box::new(Hmac::new_from_slice(secret).map_err(bad)?)),
            Algorithm::Sha256 => Key::Sha256(Box::new(Hmac::new_from_slice(secret).map_err(bad)?)),
            Algorithm::Sha512 => Key::Sha512(Box::new(Hmac::new_from_slice(secret).map_err(bad)?)),
        })
    }

    /// Bytes of a signature.
    pub fn length(&self) -> usize {
        match self {
            Key::Sha1(_) => 20,
            Key::Sha256(_) => 32,
            Key::Sha512(_) => 64,
        }
    }

    /// Signs pieces as if they stood in one.
    pub fn sign<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> Bytes {
        fn fill(mut mac: impl Mac + Clone, pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> Bytes {
            for piece in pieces {
                mac.update(piece.as_ref());
            }
            let mut bytes = [0; 64];
            let code = mac.finalize().into_bytes();
            bytes[..code.len()].copy_from_slice(&code);
            bytes
        }
        match self {
            Key::Sha1(mac) => fill(Hmac::clone(mac), pieces),
            Key::Sha256(mac) => fill(Hmac::clone(mac), pieces),
            Key::Sha512(mac) => fill(Hmac::clone(mac), pieces),
        }
    }
}

impl Signature {
    fn check(&self, request: &Request, together: Option<&[Part]>, sent: &[u8]) -> Result<(), String> {
        let shown = header(request, &self.header)?;
        let Some(shown) = shown.strip_prefix(self.prefix.as_bytes()) else {
            return Err(format!("the header `{}` does not begin with `{}`", self.header, self.prefix));
        };
        let length = self.keys.first().map_or(0, Key::length);
        let Some(given) = self.encoding.decode(shown, length) else {
            return Err(format!(
                "the header `{}` does not hold a signature of {length} bytes in {}",
                self.header,
                self.encoding.words()
            ));
        };
        let mut good = subtle::Choice::from(0);
        for key in &self.keys {
            let wanted = match together {
                None => key.sign(std::iter::once(&request.body[..])),
                Some(parts) => key.sign(parts.iter().map(|part| match part {
                    Part::Text(text) => text.as_bytes(),
                    Part::Timestamp => sent,
                    Part::Body => &request.body[..],
                })),
            };
            good |= wanted[..].ct_eq(&given[..]);
        }
        if good.into() {
            Ok(())
        } else {
            Err(format!("the signature in the header `{}` does not fit the body", self.header))
        }
    }
}

impl Encoding {
    fn words(self) -> &'static str {
        match self {
            Encoding::Hex => "lower-case hex",
            Encoding::HexAny => "hex",
            Encoding::Base64 => "base64",
        }
    }

    /// The bytes of a signature of just this length.
    fn decode(self, text: &[u8], length: usize) -> Option<Bytes> {
        let mut bytes = [0; 64];
        if length == 0 {
            return None;
        }
        match self {
            Encoding::Base64 => {
                // Room for what the decoder may write before it finds the text too long.
                let mut room = [0; 66];
                let written = STANDARD.decode_slice(text, &mut room).ok()?;
                if written != length {
                    return None;
                }
                bytes[..length].copy_from_slice(&room[..length]);
            }
            hex => {
                if text.len() != 2 * length {
                    return None;
                }
                for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
                    *byte = hex.digit(pair[0])? << 4 | hex.digit(pair[1])?;
                }
            }
        }
        Some(bytes)
    }

    fn digit(self, byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            b'A'..=b'F' if self == Encoding::HexAny => Some(byte - b'A' + 10),
            _ => None,
        }
    }
}

/// A shared word in a header, for PBXs that cannot sign.
pub struct Token {
    /// In lower case.
    pub header: String,
    /// The whole values that are taken.
    values: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Token {
    /// A token that stands behind `prefix` in `header`.
    pub fn new(header: String, prefix: &str, encoding: TokenEncoding, secrets: &[String]) -> Self {
        let values = secrets.iter().map(|secret| {
            let secret = match encoding {
                TokenEncoding::Plain => secret.clone(),
                TokenEncoding::Base64 => STANDARD.encode(secret),
            };
            format!("{prefix}{secret}").into_bytes()
        });
        Token { header, values: values.collect() }
    }

    fn check(&self, request: &Request) -> Result<(), String> {
        let shown = header(request, &self.header)?;
        let mut good = subtle::Choice::from(0);
        for value in &self.values {
            good |= value[..].ct_eq(shown);
        }
        if good.into() { Ok(()) } else { Err(format!("the header `{}` does not hold the token", self.header)) }
    }
}

/// The moment of sending.
#[derive(Debug)]
pub struct Timestamp {
    /// In lower case.
    pub header: String,
    /// Milliseconds that it may be away from the hub's clock, either way.
    pub tolerance: u64,
    /// What is signed when the timestamp is signed too.
    pub together: Option<Vec<Part>>,
    /// How it is read.
    pub clock: Clock,
}

impl Timestamp {
    fn check(&self, sent: &[u8], now: u64) -> Result<(), String> {
        let sent = std::str::from_utf8(sent).ok().and_then(|text| self.clock.read(text).ok().flatten());
        match sent {
            None => Err(format!("the header `{}` does not hold a time", self.header)),
            Some(sent) if sent.at.abs_diff(now) > self.tolerance => Err(format!(
                "the time in the header `{}` is {} s away from the hub's clock, {} s are allowed",
                self.header,
                sent.at.abs_diff(now) / 1000,
                self.tolerance / 1000
            )),
            Some(_) => Ok(()),
        }
    }
}

/// Reads what is to be signed: `{timestamp}.{body}`.
pub fn together(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("{timestamp}") {
            parts.push(Part::Timestamp);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("{body}") {
            parts.push(Part::Body);
            rest = after;
        } else {
            let end = rest.char_indices().skip(1).find(|(_, c)| *c == '{').map_or(rest.len(), |(at, _)| at);
            parts.push(Part::Text(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    if parts.contains(&Part::Body) && parts.contains(&Part::Timestamp) {
        Ok(parts)
    } else {
        Err(format!("`{text}` must hold both `{{timestamp}}` and `{{body}}`"))
    }
}

/// The value of a header that must stand once.
fn header<'a>(request: &'a Request, name: &str) -> Result<&'a [u8], String> {
    let mut values = request.headers.iter().filter(|(header, _)| header == name);
    match (values.next(), values.next()) {
        (Some((_, value)), None) => Ok(value.trim_ascii()),
        (None, _) => Err(format!("the header `{name}` is missing")),
        (Some(_), Some(_)) => Err(format!("the header `{name}` stands twice")),
    }
}
