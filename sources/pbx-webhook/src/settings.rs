//! The settings of a use, read once and made ready for every call after.

use serde::Deserialize;

use crate::contract::Trust;
use crate::mapping::{Around, MappingText, Mappings, OneOrMany};
use crate::sighting::Rules;
use crate::signature::{self, Key, Proof, Signature, Timestamp, Token};
use crate::time::{Clock, Unit};

/// The JSON Schema of the settings.
pub const SCHEMA: &str = include_str!("settings.json");

/// What the source does with a request.
#[derive(Debug)]
pub struct Plan {
    /// What a request must show; absent when the settings say that requests are not signed.
    pub proof: Option<Proof>,
    /// How bodies are read.
    pub decoder: Decoder,
}

/// How bodies are read.
#[derive(Debug)]
pub enum Decoder {
    /// The body of the existing middlewares.
    Native(Box<Rules>),
    /// Any other.
    Mapped(Mappings),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    format: Format,
    secret: Option<OneOrMany>,
    signature: Option<SignatureText>,
    timestamp: Option<TimestampText>,
    token: Option<TokenText>,
    unsigned: bool,
    zone: String,
    times: Vec<String>,
    recording_base: String,
    mapping: Option<OneOrManyMappings>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            format: Format::Native,
            secret: None,
            signature: None,
            timestamp: None,
            token: None,
            unsigned: false,
            zone: "UTC".into(),
            times: Vec::new(),
            recording_base: String::new(),
            mapping: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Format {
    #[serde(rename = "native")]
    Native,
    #[serde(rename = "3cx")]
    ThreeCx,
    #[serde(rename = "yeastar")]
    Yeastar,
    #[serde(rename = "freeswitch")]
    FreeSwitch,
    #[serde(rename = "custom")]
    Custom,
}

impl Format {
    /// The ready mapping.
    fn ready(self) -> Option<&'static str> {
        match self {
            Format::Native | Format::Custom => None,
            Format::ThreeCx => Some(include_str!("ready/3cx.json")),
            Format::Yeastar => Some(include_str!("ready/yeastar.json")),
            Format::FreeSwitch => Some(include_str!("ready/freeswitch.json")),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrManyMappings {
    Many(Vec<MappingText>),
    One(Box<MappingText>),
}

/// The hash that signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA-1.
    Sha1,
    /// HMAC-SHA-256.
    #[default]
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// Lower-case hex and no other.
    Hex,
    /// Hex in either case.
    HexAny,
    /// Base64 with padding.
    Base64,
}

/// How the secret stands in a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenEncoding {
    /// As it is.
    #[default]
    Plain,
    /// In base64, as HTTP's basic authentication has it.
    Base64,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SignatureText {
    header: Option<String>,
    algorithm: Algorithm,
    encoding: Option<Encoding>,
    prefix: String,
    secret: Option<OneOrMany>,
    secrets: Option<OneOrMany>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimestampText {
    header: String,
    #[serde(default = "five_minutes")]
    tolerance: u64,
    signed: Option<String>,
}

fn five_minutes() -> u64 {
    300
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TokenText {
    header: String,
    prefix: String,
    encoding: TokenEncoding,
    secret: Option<OneOrMany>,
    secrets: Option<OneOrMany>,
}

impl Default for TokenText {
    fn default() -> Self {
        TokenText {
            header: "Authorization".into(),
            prefix: String::new(),
            encoding: TokenEncoding::Plain,
            secret: None,
            secrets: None,
        }
    }
}

impl Plan {
    /// Makes the settings ready, or says in a sentence what is wrong with them.
    pub fn new(settings: &str) -> Result<Self, String> {
        let mut settings: Settings = serde_json::from_str(settings).map_err(|error| {
            let text = error.to_string();
            text.split(" at line ").next().unwrap_or_default().to_owned()
        })?;
        let proof = settings.proof()?;
        let decoder = settings.decoder()?;
        Ok(Plan { proof, decoder })
    }
}

impl Settings {
    fn proof(&mut self) -> Result<Option<Proof>, String> {
        if self.unsigned {
            return self.unproved().map(|()| None);
        }
        let signed = self.signature.is_some();
        let mut text = self.signature.take().unwrap_or_default();
        let spelled = [self.secret.take(), text.secret.take(), text.secrets.take()];
        let secrets = secrets(spelled, "secret")?;
        let timestamp = self.timestamp.take().map(|text| self.timestamp(text)).transpose()?;
        let together = timestamp.as_ref().is_some_and(|timestamp| timestamp.together.is_some());
        if secrets.is_empty() && (signed || together) {
            let name = if signed { "signature" } else { "timestamp.signed" };
            return Err(format!("`{name}` says how requests are signed, and there is no `secret` to sign with"));
        }
        let signature = if secrets.is_empty() {
            None
        } else {
            let yeastar = self.format == Format::Yeastar;
            let encoding = if yeastar { Encoding::Base64 } else { Encoding::Hex };
            let keys = secrets.iter().map(|secret| Key::new(text.algorithm, secret.as_bytes()));
            Some(Signature {
                header: text.header.unwrap_or_else(|| "X-Signature".into()).to_ascii_lowercase(),
                prefix: text.prefix,
                encoding: text.encoding.unwrap_or(encoding),
                keys: keys.collect::<Result<_, _>>()?,
            })
        };
        let token = self.token.take().map(token).transpose()?;
        if signature.is_some() || token.is_some() {
            return Ok(Some(Proof { signature, token, timestamp }));
        }
        Err("no `secret` is set, so nobody can prove who they are: set `secret`, or `token` for a PBX that cannot sign, \
             or `unsigned = true` when whoever reaches this address may report calls"
            .into())
    }

    /// Whoever says that nothing is proved cannot mean any proof to count.
    fn unproved(&self) -> Result<(), String> {
        let proofs = [
            ("secret", self.secret.is_some()),
            ("signature", self.signature.is_some()),
            ("timestamp", self.timestamp.is_some()),
            ("token", self.token.is_some()),
        ];
        match proofs.iter().find(|(_, there)| *there) {
            Some((name, _)) => Err(format!("`unsigned = true` and `{name}` exclude each other: take one of them out")),
            None => Ok(()),
        }
    }

    fn timestamp(&self, text: TimestampText) -> Result<Timestamp, String> {
        let together = text.signed.as_deref().map(signature::together).transpose();
        Ok(Timestamp {
            header: text.header.to_ascii_lowercase(),
            tolerance: text.tolerance.saturating_mul(1000),
            together: together.map_err(|why| format!("`timestamp.signed`: {why}"))?,
            clock: Clock::new("UTC", &[])?,
        })
    }

    fn decoder(self) -> Result<Decoder, String> {
        let around = Around { zone: &self.zone, times: &self.times, recording_base: &self.recording_base };
        if self.format != Format::Custom && self.mapping.is_some() {
            return Err("`mapping` is only for `format = \"custom\"`".into());
        }
        if let Some(ready) = self.format.ready() {
            let texts = serde_json::from_str(ready).map_err(|error| error.to_string())?;
            return Ok(Decoder::Mapped(Mappings::new(texts, &around)?));
        }
        if self.format == Format::Custom {
            let texts = match self.mapping {
                Some(OneOrManyMappings::Many(texts)) => texts,
                Some(OneOrManyMappings::One(text)) => vec![*text],
                None => Vec::new(),
            };
            return Ok(Decoder::Mapped(Mappings::new(texts, &around)?));
        }
        Ok(Decoder::Native(Box::new(Rules {
            id_place: "/call_uuid".into(),
            clock: Clock::new(&self.zone, &self.times)?,
            unit: Unit::Seconds,
            statuses: Default::default(),
            phase: None,
            recording_base: self.recording_base,
            trust: Trust::Reported,
        })))
    }
}

fn secrets(spelled: impl IntoIterator<Item = Option<OneOrMany>>, name: &str) -> Result<Vec<String>, String> {
    let secrets: Vec<String> = spelled.into_iter().flatten().flat_map(OneOrMany::into_vec).collect();
    if secrets.iter().any(String::is_empty) {
        return Err(format!("a `{name}` is empty: anybody could sign with it"));
    }
    Ok(secrets)
}

fn token(text: TokenText) -> Result<Token, String> {
    let secrets = secrets([text.secret, text.secrets], "token")?;
    if secrets.is_empty() {
        return Err("`token` has no `secret`".into());
    }
    Ok(Token::new(text.header.to_ascii_lowercase(), &text.prefix, text.encoding, &secrets))
}
