//! Reading an answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;

use crate::vocabulary::{Failure, Instant, Retryable};

/// How much of an unexpected body is shown to people.
const SHOWN: usize = 300;

/// Bytes of it that are looked at for that.
const READ: usize = 4096;

/// How the names end that credentials stand under in answers to a login.
const CREDENTIALS: [&str; 4] = ["access_token", "refresh_token", "_secret", "sessionname"];

/// An answer, read whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Response {
    /// 100 to 599.
    pub status: u16,
    /// In the order they came, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// When it was read, by the host's clock.
    pub at: Instant,
}

impl Response {
    /// The first header of this name, whatever its case, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)?;
        std::str::from_utf8(value).ok()
    }

    /// The body as text; bytes that are no UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON. Anything else is taken for a passing fault: a proxy's error page, say.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let why =
                format!("the answer with status {} is not the JSON expected ({error}): {}", self.status, self.start());
            Failure::Retryable(Retryable { why, status: Some(self.status), after: None })
        })
    }

    /// Whether the status is 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// This answer if it is a success, else what its status says the hub should do.
    pub fn success(self) -> Result<Self, Failure> {
        if self.is_success() { Ok(self) } else { Err(self.failure()) }
    }

    /// What the status says the hub should do: 401 is `unauthorized`; 429 `rate-limited`; 408, 425 and 5xx
    /// `retryable`; a redirect `misconfigured`; anything else `rejected` with the code `http-…`.
    pub fn failure(&self) -> Failure {
        let why = format!("answered {}: {}", self.status, self.start());
        match self.status {
            401 => Failure::Unauthorized(why),
            429 => Failure::RateLimited(self.retry_after()),
            408 | 425 | 500.. => {
                Failure::Retryable(Retryable { why, status: Some(self.status), after: self.retry_after() })
            }
            300..=399 => Failure::Misconfigured(match self.header("location") {
                Some(location) => format!("answered {} and points to {location}", self.status),
                None => why,
            }),
            status => Failure::rejected(format!("http-{status}"), why),
        }
    }

    /// `Retry-After`, whether in seconds or as a date, in milliseconds from now.
    pub fn retry_after(&self) -> Option<u64> {
        let value = self.header("retry-after")?.trim();
        if let Ok(seconds) = value.parse::<u64>() {
            return Some(seconds.saturating_mul(1000));
        }
        let until = httpdate::parse_http_date(value).ok()?;
        let now: SystemTime = UNIX_EPOCH + Duration::from_millis(self.at);
        Some(until.duration_since(now).map_or(0, |wait| wait.as_millis().try_into().unwrap_or(u64::MAX)))
    }

    /// The body's beginning on one line, for people: nothing from the first credential on.
    pub fn start(&self) -> String {
        let start = String::from_utf8_lossy(&self.body[..self.body.len().min(READ)]);
        let text = start.split_whitespace().collect::<Vec<_>>().join(" ");
        let long = text.char_indices().nth(SHOWN).map(|(end, _)| end);
        match credential(&text).into_iter().chain(long).min() {
            Some(end) => format!("{}…", &text[..end]),
            None if text.is_empty() => "an empty body".to_owned(),
            None => text,
        }
    }
}

/// Where the value of the first credential in a text would begin.
fn credential(text: &str) -> Option<usize> {
    let text = text.to_ascii_lowercase();
    let begins = |end: &usize| text[*end..].trim_start_matches('\\').starts_with(['"', '=']);
    CREDENTIALS.iter().flat_map(|name| text.match_indices(*name).map(|(at, name)| at + name.len())).filter(begins).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        Response { status, headers, body: b"no".to_vec(), at: 784_111_777_000 }
    }

    #[test]
    fn a_status_says_what_the_hub_does() {
        assert!(answer(204, &[]).success().is_ok());
        assert_eq!(answer(401, &[]).failure(), Failure::Unauthorized("answered 401: no".into()));
        assert_eq!(answer(429, &[("retry-after", "7")]).failure(), Failure::RateLimited(Some(7000)));
        assert_eq!(answer(404, &[]).failure(), Failure::rejected("http-404", "answered 404: no"));
        let Failure::Retryable(retryable) = answer(503, &[("Retry-After", "Sun, 06 Nov 1994 08:49:47 GMT")]).failure()
        else {
            panic!("503 passes")
        };
        assert_eq!((retryable.status, retryable.after), (Some(503), Some(10_000)));
        assert!(matches!(answer(302, &[("location", "/login")]).failure(), Failure::Misconfigured(_)));
    }

    #[test]
    fn credentials_are_not_shown() {
        let cut = |body: &str| Response { status: 200, body: body.as_bytes().to_vec(), ..Response::default() };
        let token = cut(r#"{"token_type":"Bearer", "Access_Token":"eyJ0eXAi","refresh_token":"def502"#);
        assert_eq!(token.start(), r#"{"token_type":"Bearer", "Access_Token…"#);
        let Err(Failure::Retryable(retryable)) = token.json::<serde_json::Value>() else { panic!("it is cut") };
        assert!(!retryable.why.contains("eyJ") && !retryable.why.contains("def"), "{}", retryable.why);
        for body in ["refresh_token=def502&access_token=eyJ0eXAi", r#"{"sessionName":"27fd5"#, r#"{"api_secret":"0c1f"#]
        {
            let start = cut(body).start();
            assert!(body.starts_with(start.trim_end_matches('…')) && start.len() < 24, "{start}");
        }
        let words = r#"{"hint":"Check the `refresh_token` parameter"}"#;
        assert_eq!(cut(words).start(), words, "a name is no credential");
    }
}
