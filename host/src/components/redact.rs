//! Blacks secrets out of whatever people will read: exchanges and log lines.
//!
//! Three ways, because each alone leaks: the secrets that are known by value, in each spelling they may travel in;
//! the members and headers whose name says that their value is a secret; and what was found that way, everywhere else.

use std::borrow::Cow;
use std::sync::LazyLock;

use base64::Engine as _;
use regex::Regex;
use serde_json::Value;

/// What stands in a secret's place.
pub(super) const BLACK: &str = "[secret]";

/// A value shorter than this is not searched for: blacking out every "on" would hide the page and protect nothing.
const SHORTEST: usize = 4;

/// A secret longer than this is known by its beginning.
pub(super) const LONGEST: usize = 2048;

/// Names of members whose value nobody should read.
const NAMES: &str = r"[\w.-]*(?:passw(?:or)?d|passwd|secret|token|access[_-]?key|api[_-]?key|private[_-]?key|session[_-]?name|qr[_-]?code|credential|challenge|authorization)[\w.-]*";

/// `"name": "value"`, also when the text was cut inside the value.
static JSON: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r#"(?i)"{NAMES}"\s*:\s*(?:"((?:[^"\\]|\\.)*)|([0-9][0-9.eE+-]*))"#)).ok());

/// The same in a JSON text that stands inside a JSON text.
static NESTED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r#"(?i)\\+"{NAMES}\\+"\s*:\s*\\+"([^"\\]*)"#)).ok());

/// `name=value` in a query or a form.
static FORM: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r"(?i)(?:^|[?&;\s])(?:{NAMES})=([^&\s#]*)")).ok());

/// `name` and value as a percent-encoded JSON member.
static ENCODED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(r"(?i)%22{NAMES}%22(?:%3A|:)(?:\+|%20)*%22((?:[^%&\s]|%[013-9A-F][0-9A-F]|%2[013-9A-F])*)"))
        .ok()
});

/// `name="name"`, an empty line and the value, in a multipart body.
static MULTIPART: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!(r#"(?i)name="{NAMES}"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n([^\r\n]*)"#)).ok());

/// Knows secrets by value.
#[derive(Clone, Debug, Default)]
pub(super) struct Redactor {
    known: Option<Regex>,
    secrets: Vec<String>,
}

impl Redactor {
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut all = Vec::new();
        for secret in secrets {
            leaves(&secret, &mut all);
        }
        all.retain(|secret| secret.len() >= SHORTEST);
        all.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        let mut spellings: Vec<String> = all.iter().flat_map(|secret| spellings(secret)).collect();
        spellings.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        spellings.dedup();
        let alternatives: Vec<String> = spellings.iter().map(|spelling| regex::escape(spelling)).collect();
        let known = if alternatives.is_empty() {
            None
        } else {
            regex::RegexBuilder::new(&alternatives.join("|")).size_limit(64 << 20).build().ok()
        };
        Redactor { known, secrets: all }
    }

    /// With more secrets.
    pub fn with(&self, more: impl IntoIterator<Item = String>) -> Self {
        let mut more = more.into_iter().peekable();
        if more.peek().is_none() {
            return self.clone();
        }
        Redactor::new(self.secrets.iter().cloned().chain(more))
    }

    /// The text without the secrets that are known by value.
    pub fn values<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.known {
            Some(known) => known.replace_all(text, regex::NoExpand(BLACK)),
            None => Cow::Borrowed(text),
        }
    }

    /// The text without secrets, and those that only their name gave away.
    pub fn text(&self, text: &str, found: &mut Vec<String>) -> String {
        let mut text = self.values(text).into_owned();
        for named in [&*JSON, &*NESTED, &*FORM, &*ENCODED, &*MULTIPART].into_iter().flatten() {
            text = blacken(named, &text, found);
        }
        text
    }

    /// A header's value.
    pub fn header(&self, name: &str, value: &str, found: &mut Vec<String>) -> String {
        if named_secret(name) {
            return BLACK.to_owned();
        }
        self.text(value, found)
    }
}

/// Whether a header is a secret as a whole.
fn named_secret(name: &str) -> bool {
    static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(&format!(r"(?i)^(?:(?:proxy-)?authorization|(?:set-)?cookie|x-signature|{NAMES})$")).ok()
    });
    HEADER.as_ref().is_some_and(|names| names.is_match(name))
}

/// Blacks out the captured group of every match.
fn blacken(named: &Regex, text: &str, found: &mut Vec<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for captures in named.captures_iter(text) {
        let Some(value) = captures.iter().skip(1).flatten().next() else { continue };
        if value.is_empty() || value.as_str() == BLACK {
            continue;
        }
        out.push_str(&text[from..value.start()]);
        out.push_str(BLACK);
        from = value.end();
        if value.len() >= 2 * SHORTEST {
            found.push(value.as_str().to_owned());
        }
    }
    out.push_str(&text[from..]);
    out
}

/// A secret that is itself a JSON text hides secrets in its members.
fn leaves(secret: &str, into: &mut Vec<String>) {
    fn walk(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) => into.push(bounded(text)),
            Value::Array(items) => items.iter().for_each(|item| walk(item, into)),
            Value::Object(members) => members.values().for_each(|member| walk(member, into)),
            _ => {}
        }
    }
    into.push(bounded(secret));
    if secret.starts_with(['{', '['])
        && let Ok(value) = serde_json::from_str::<Value>(secret)
    {
        walk(&value, into);
    }
}

fn bounded(text: &str) -> String {
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text[..end].to_owned()
}

/// The ways in which a value may travel.
fn spellings(secret: &str) -> Vec<String> {
    let percent: String = percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string();
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = Value::String(secret.to_owned()).to_string();
    let json = json.trim_matches('"').to_owned();
    vec![
        percent.to_lowercase(),
        form.replace('+', "%20"),
        form.to_lowercase(),
        base64::engine::general_purpose::STANDARD.encode(secret),
        json.replace('/', "\\/"),
        json,
        percent,
        form,
        secret.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn black(redactor: &Redactor, text: &str) -> String {
        redactor.text(text, &mut Vec::new())
    }

    #[test]
    fn known_values_are_blacked_out_in_every_spelling() {
        let redactor = Redactor::new(["p&ss w/rd \"x\"".to_owned()]);
        for text in [
            "a p&ss w/rd \"x\" b",
            "q=p%26ss+w%2Frd+%22x%22",
            "q=p%26ss%20w%2Frd%20%22x%22",
            "q=p%26ss%20w%2frd%20%22x%22",
            r#"{"a":"p&ss w/rd \"x\""}"#,
            r#"{"a":"p&ss w\/rd \"x\""}"#,
            "cCZzcyB3L3JkICJ4Ig==",
        ] {
            let out = black(&redactor, text);
            assert!(out.contains(BLACK) && !out.contains("ss"), "{text} → {out}");
        }
    }

    #[test]
    fn members_are_blacked_out_by_name() {
        let redactor = Redactor::default();
        for (text, out) in [
            (r#"{"accessKey":"abc","x":1}"#, r#"{"accessKey":"[secret]","x":1}"#),
            (r#"{"sessionName" : "abc"}"#, r#"{"sessionName" : "[secret]"}"#),
            (r#"{"access_token":"a\"b","refresh_token":"c"#, r#"{"access_token":"[secret]","refresh_token":"[secret]"#),
            (r#"{"token":12345}"#, r#"{"token":[secret]}"#),
            (
                "https://x.example/?operation=login&accessKey=abc&u=1",
                "https://x.example/?operation=login&accessKey=[secret]&u=1",
            ),
            ("client_secret=abc&grant_type=x", "client_secret=[secret]&grant_type=x"),
            ("element=%7B%22password%22%3A%22abc%22%7D", "element=%7B%22password%22%3A%22[secret]%22%7D"),
            ("name=\"sessionName\"\r\n\r\nabc\r\n--x", "name=\"sessionName\"\r\n\r\n[secret]\r\n--x"),
            (r#""{\"password\":\"abc\"}""#, r#""{\"password\":\"[secret]\"}""#),
            (r#"{"name":"keep"}"#, r#"{"name":"keep"}"#),
            (r#"{"sessionId":"acme_main","qrCode":"data:x"}"#, r#"{"sessionId":"acme_main","qrCode":"[secret]"}"#),
        ] {
            assert_eq!(black(&redactor, text), out);
        }
        let mut found = Vec::new();
        assert_eq!(redactor.header("Authorization", "Bearer abc", &mut found), BLACK);
        assert_eq!(redactor.header("cookie", "a=b", &mut found), BLACK);
        assert_eq!(redactor.header("X-Api-Key", "a", &mut found), BLACK);
        assert_eq!(redactor.header("accept", "text/html", &mut found), "text/html");
    }

    #[test]
    fn what_a_name_gave_away_is_found() {
        let mut found = Vec::new();
        Redactor::default().text(r#"{"sessionName":"0123456789"}"#, &mut found);
        assert_eq!(found, ["0123456789"]);
    }

    #[test]
    fn a_grant_in_json_hides_its_members() {
        let redactor = Redactor::new([r#"{"session":"s3ss10n","user":"19x1"}"#.to_owned()]);
        assert_eq!(black(&redactor, "x=s3ss10n"), "x=[secret]");
    }

    #[test]
    fn short_values_are_left_alone() {
        assert_eq!(black(&Redactor::new(["on".to_owned(), String::new()]), "turned on"), "turned on");
    }
}
