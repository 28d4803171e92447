//! What of a request may be kept: everything but credentials.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::components::contract::Headers;

/// Headers that prove who is asking by themselves. A signature over the body is no credential: it is kept, or the
/// request could not be replayed.
const CREDENTIALS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"];

/// What stands in the place of what is not kept. With a number in it (`***0***`) it is the use's secret of that number,
/// which a replay puts back.
const MASK: &str = "***";

/// Secrets shorter than this would black out half of every text.
const SHORTEST: usize = 4;

/// Secrets with the other forms in which headers and addresses carry them: Base64, and percent-encoded. These stand
/// behind the plain ones, whose numbers are in rows already.
pub fn with_forms(mut secrets: Vec<String>) -> Vec<String> {
    let forms = |secret: &String| {
        let percent: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        [STANDARD.encode(secret), percent].into_iter().filter(|form| form != secret).collect::<Vec<_>>()
    };
    let other: Vec<String> = secrets.iter().filter(|secret| secret.len() >= SHORTEST).flat_map(forms).collect();
    secrets.extend(other);
    secrets
}

/// The headers as text, credentials and known secrets taken out.
pub fn headers(headers: Headers, secrets: &[String]) -> Vec<(String, String)> {
    let keep = |(name, value): (String, Vec<u8>)| {
        let value = String::from_utf8(value).unwrap_or_else(|odd| String::from_utf8_lossy(odd.as_bytes()).into_owned());
        let is_credential = CREDENTIALS.contains(&name.as_str());
        let value = match text(&value, secrets) {
            Some(kept) => kept,
            None if is_credential => MASK.to_owned(),
            None => value,
        };
        (name, value)
    };
    headers.into_iter().map(keep).collect()
}

/// A text with known secrets taken out; absent when it has none.
pub fn text(text: &str, secrets: &[String]) -> Option<String> {
    let numbered = secrets.iter().enumerate().filter(|(_, secret)| secret.len() >= SHORTEST);
    numbered.fold(None, |kept, (at, secret)| {
        let seen = kept.as_deref().unwrap_or(text);
        if seen.contains(secret.as_str()) { Some(seen.replace(secret.as_str(), &mark(at))) } else { kept }
    })
}

/// The headers as they came, as far as what was taken out is a secret of the use.
pub fn restored(headers: Vec<(String, String)>, secrets: &[String]) -> Headers {
    let restore = |text: String| {
        secrets.iter().enumerate().fold(text, |text, (at, secret)| text.replace(&mark(at), secret)).into_bytes()
    };
    headers.into_iter().map(|(name, value)| (name, restore(value))).collect()
}

fn mark(at: usize) -> String {
    format!("{MASK}{at}{MASK}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_secrets_are_taken_out() {
        let given: Headers = vec![
            ("authorization".into(), b"Bearer abc".to_vec()),
            ("x-signature".into(), b"00ff".to_vec()),
            ("x-note".into(), b"key=s3cret!".to_vec()),
        ];
        let kept = headers(given, &["s3cret!".to_owned()]);
        assert_eq!(kept[0].1, "***");
        assert_eq!(kept[1].1, "00ff", "a signature is needed to replay the request");
        assert_eq!(kept[2].1, "key=***0***");
        assert_eq!(restored(kept, &["s3cret!".to_owned()])[2].1, b"key=s3cret!", "a replay has it again");
    }

    #[test]
    fn secrets_are_taken_out_in_each_form() {
        let secrets = with_forms(vec!["a+b/c=".to_owned(), "x".to_owned()]);
        let given: Headers =
            vec![("x-auth".into(), b"YStiL2M9".to_vec()), ("x-form".into(), b"key=a%2Bb%2Fc%3D&x=1".to_vec())];
        let kept = headers(given.clone(), &secrets);
        assert_eq!((kept[0].1.as_str(), kept[1].1.as_str()), ("***2***", "key=***3***&x=1"));
        assert_eq!(restored(kept, &secrets), given, "a replay has them again");
    }
}
