//! Disposable tokens: amoCRM itself says, for half an hour, who presses a button in one of its pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cordboard_sdk::serde_json::{self, Value};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Seconds by which the two clocks may differ.
const SKEW: u64 = 60;

/// What a token says.
#[derive(Debug, PartialEq)]
pub struct Proof {
    /// Who presses the button.
    pub user: u64,
    /// No other token has it.
    pub id: String,
}

/// Reads a token that was signed with the integration's secret, for this account, and has not ended. An account that is
/// not known yet (0) is any.
pub fn proof(token: &str, secret: &str, account: u64, seconds: u64) -> Option<Proof> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (head, claims) = signed.split_once('.')?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    let (head, claims) = (part(head)?, part(claims)?);
    let ends = claims["exp"].as_u64()?.saturating_add(SKEW);
    let begins = claims["nbf"].as_u64().unwrap_or_default().saturating_sub(SKEW);
    let own = account == 0 || claims["account_id"].as_u64() == Some(account);
    let good = head["alg"] == "HS256" && begins <= seconds && seconds < ends && own;
    let id = claims["jti"].as_str().filter(|id| !id.is_empty() && good)?;
    Some(Proof { user: claims["user_id"].as_u64()?, id: id.to_owned() })
}

fn part(text: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use cordboard_sdk::serde_json::json;

    use super::*;

    const NOW: u64 = 1_795_262_400;

    fn token(head: &Value, claims: &Value, secret: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(head), part(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn only_what_the_account_has_signed_and_has_not_ended_is_believed() {
        let head = json!({"typ": "JWT", "alg": "HS256"});
        let claims = json!({"iss": "https://acme.amocrm.ru", "jti": "j1", "iat": NOW, "nbf": NOW, "exp": NOW + 1800,
            "account_id": 42, "user_id": 504_141, "client_uuid": "u"});
        let good = token(&head, &claims, "secret");
        for account in [42, 0] {
            let proved = proof(&good, "secret", account, NOW);
            assert_eq!(proved, Some(Proof { user: 504_141, id: "j1".into() }), "{account}");
        }
        assert_eq!(proof(&good, "another", 42, NOW), None);
        assert_eq!(proof(&good, "secret", 43, NOW), None, "another account's");
        assert_eq!(proof(&good, "secret", 42, NOW + 1800 + SKEW), None, "it has ended");
        assert_eq!(proof(&good, "secret", 42, NOW - SKEW - 1), None, "it has not begun");
        for (name, value) in [("user_id", Value::Null), ("jti", Value::Null), ("exp", Value::Null)] {
            let mut spoilt = claims.clone();
            spoilt[name] = value;
            assert_eq!(proof(&token(&head, &spoilt, "secret"), "secret", 42, NOW), None, "{name}");
        }
        let unsigned = token(&json!({"alg": "none"}), &claims, "secret");
        assert_eq!(proof(&unsigned, "secret", 42, NOW), None);
        let (bare, _) = good.rsplit_once('.').unwrap();
        for odd in [format!("{bare}."), bare.to_owned(), "a.b.c".to_owned(), "..".to_owned(), String::new()] {
            assert_eq!(proof(&odd, "secret", 42, NOW), None, "{odd}");
        }
    }
}
