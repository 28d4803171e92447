//! The tokens that amocrm_asterisk_ng keeps: a JWT, signed with HS256 and a key of the configuration, and not encrypted.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;

/// What of them is of use.
#[derive(Debug, Deserialize)]
pub(super) struct Tokens {
    /// Works once.
    pub refresh_token: String,
    /// In seconds since 1970, when the file says so.
    #[serde(default)]
    pub refresh_token_expire: Option<f64>,
}

/// Reads the file's text and proves that it was signed with the key.
pub(super) fn read(text: &str, key: &str) -> Result<Tokens, String> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(key.as_bytes());
    let read = jsonwebtoken::decode::<Tokens>(text.trim(), &key, &validation);
    read.map(|read| read.claims).map_err(|why| why.to_string())
}
