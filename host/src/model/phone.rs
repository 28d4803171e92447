//! Telephone numbers: the raw text is kept, the rest is worked out from the tenant's region and corrector rules.
//!
//! Nothing is forced into E.164: extensions, short codes, service codes and names stay raw text.

use std::borrow::Cow;

use phonenumber::country;
use serde::{Deserialize, Serialize};

use super::dialling::Number;

/// A number or an extension.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phone {
    /// As the outside system wrote it.
    pub raw: String,
    /// E.164 with its plus sign; absent for extensions, short codes and impossible numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e164: Option<String>,
    /// As dialled inside its own country, digits only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national: Option<String>,
}

/// How a tenant's numbers are read.
#[derive(Clone, Debug, Default)]
pub struct Numbering {
    /// The country that numbers without a prefix belong to.
    pub region: Option<country::Id>,
    /// Corrector rules, applied in order to the raw text: every match is replaced.
    pub correct: Vec<(regex::Regex, String)>,
}

/// No spelling of a telephone number is longer, extension and punctuation included.
const LONGEST: usize = 64;

/// Variants handed to adapters.
const VARIANTS: usize = 8;

/// Fewer digits than these are nobody's number.
const SHORTEST: usize = 2;

/// What people write before a number.
const LABELS: [&str; 13] =
    ["tel", "telf", "tlf", "tfno", "phone", "ph", "mob", "mobile", "móvil", "movil", "тел", "телефон", "моб"];

/// What people write between a number and its extension, beside `ext` in all its lengths.
const EXTENSIONS: [&str; 8] = ["x", "х", "p", "int", "доб", "добавочный", "вн", "внутр"];

impl Phone {
    /// A number as it was written, nothing worked out yet.
    pub fn raw(raw: impl Into<String>) -> Self {
        Phone { raw: raw.into(), e164: None, national: None }
    }

    /// Whether the text says that there is no number to see.
    pub fn is_withheld(&self) -> bool {
        let user = user_part(&self.raw);
        let word = user.trim_matches(|c: char| !c.is_alphanumeric()).to_ascii_lowercase();
        matches!(
            word.as_str(),
            "" | "anonymous" | "unknown" | "private" | "restricted" | "withheld" | "unavailable" | "blocked" | "hidden"
        ) && !user.contains(['*', '#'])
    }
}

impl Phone {
    /// What all spellings of one number have in common, as far as it is known: the digits of E.164, or those that were
    /// written. Absent when it is no number.
    pub fn key(&self) -> Option<String> {
        let key = match &self.e164 {
            Some(e164) => only_digits(e164),
            None => digits(user_part(&self.raw))?.0,
        };
        (key.len() >= SHORTEST).then_some(key)
    }
}

impl Numbering {
    /// A number as somebody has typed it, its forms worked out.
    pub fn typed(&self, text: &str) -> Phone {
        let mut phone = Phone::raw(text.trim());
        self.normalize(&mut phone);
        phone
    }

    /// The keys under which records may know this number, likeliest first: see [`Phone::key`]. Whatever has an E.164
    /// number is known by the first one alone: the digits of another spelling may be those of somebody else's number.
    pub fn keys(&self, phone: &Phone) -> Vec<String> {
        let spelled = self.variants(phone).into_iter().filter_map(|variant| Phone::raw(variant).key());
        let mut keys: Vec<String> = Vec::new();
        for key in phone.key().into_iter().chain(spelled) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// Works out the forms of a number from its raw text.
    pub fn normalize(&self, phone: &mut Phone) {
        (phone.e164, phone.national) = match self.read(&phone.raw) {
            Some(number) => (Some(number.e164()), Some(only_digits(&number.at_home()))),
            None => (None, None),
        };
    }

    /// Spellings worth asking a CRM for, likeliest first, without repeats.
    pub fn variants(&self, phone: &Phone) -> Vec<String> {
        let mut variants: Vec<String> = Vec::with_capacity(VARIANTS);
        let mut offer = |text: &str| {
            if !text.is_empty() && text.len() <= LONGEST && variants.iter().all(|known| known != text) {
                variants.push(text.to_owned());
            }
        };
        let number = phone.e164.as_deref().and_then(|e164| e164.strip_prefix('+')).and_then(Number::international);
        if let Some(number) = number {
            offer(&number.e164());
            offer(&number.e164()[1..]);
            offer(&only_digits(&number.at_home()));
            offer(&number.significant);
            offer(&number.abroad());
            offer(&number.at_home());
        }
        if let Some((digits, _)) = digits(user_part(&phone.raw)) {
            offer(&digits);
        }
        offer(phone.raw.trim());
        variants.truncate(VARIANTS);
        variants
    }

    /// The number that a text spells, if it is one that the whole world can dial.
    fn read(&self, raw: &str) -> Option<Number> {
        if raw.len() > LONGEST * 2 {
            return None;
        }
        let corrected = self.corrected(raw);
        let (digits, plus) = digits(user_part(&corrected))?;
        if plus {
            return Number::international(&digits);
        }
        if let Some(rest) = digits.strip_prefix("00")
            && let Some(number) = Number::international(rest)
        {
            return Some(number);
        }
        let region = self.region?;
        if digits.len() < 6 {
            return None;
        }
        // A foreign number whose plus sign was lost: only when it cannot be one of the region's.
        let foreign = || (11..=15).contains(&digits.len()).then(|| Number::international(&digits)).flatten();
        Number::of_region(&digits, region).or_else(|| foreign().filter(Number::is_known))
    }

    /// The text after the tenant's rules.
    fn corrected<'a>(&self, raw: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(raw.trim());
        for (pattern, with) in &self.correct {
            if let Cow::Owned(replaced) = pattern.replace_all(&text, with.as_str()) {
                text = Cow::Owned(replaced);
            }
        }
        text
    }
}

fn only_digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

/// What stands for the number in `tel:` and `sip:` addresses, with or without a display name before them.
fn user_part(text: &str) -> &str {
    let text = match (text.find('<'), text.rfind('>')) {
        (Some(from), Some(to)) if from < to => &text[from + 1..to],
        _ => text,
    };
    let text = text.trim();
    let scheme = text
        .split_once(':')
        .filter(|(scheme, _)| ["tel", "sip", "sips", "callto"].iter().any(|known| scheme.eq_ignore_ascii_case(known)));
    let text = scheme.map_or(text, |(_, rest)| rest);
    let text = text.split_once('@').map_or(text, |(user, _)| user);
    text.split_once(';').map_or(text, |(user, _)| user).trim()
}

/// A number without the words that people put around it: `tel.: …`, `… (home)`.
fn without_words(text: &str) -> &str {
    let are_words = |text: &str| {
        let odd = |c: char| !(c.is_alphabetic() || c.is_whitespace() || ".,-'/".contains(c));
        text.contains(char::is_alphabetic) && !text.contains(odd)
    };
    let (label, rest) = after_word(text);
    let number = rest.trim_start_matches(is_pause);
    let text = if LABELS.contains(&&*label) && number.len() < rest.len() { number } else { text };
    let before = text.strip_prefix('(').and_then(|text| text.split_once(')'));
    let text = before.filter(|(words, _)| are_words(words)).map_or(text, |(_, number)| number.trim_start());
    let behind = text.strip_suffix(')').and_then(|text| text.rsplit_once('('));
    behind.filter(|(_, words)| are_words(words)).map_or(text, |(number, _)| number.trim_end())
}

/// The word at the beginning of a text, in lower case, and what follows it.
fn after_word(text: &str) -> (String, &str) {
    let rest = text.trim_start_matches(char::is_alphabetic);
    (text[..text.len() - rest.len()].to_lowercase(), rest)
}

/// What stands between a word and a number.
fn is_pause(c: char) -> bool {
    matches!(c, '.' | ':') || c.is_whitespace()
}

/// The digits of a text and whether a plus sign leads them; absent when it is anything but a number with punctuation,
/// with an extension or words of people's around it.
fn digits(text: &str) -> Option<(String, bool)> {
    let text = without_words(text);
    let text = text
        .strip_prefix("%2B")
        .or_else(|| text.strip_prefix("%2b"))
        .map_or(Cow::Borrowed(text), |rest| Cow::Owned(format!("+{rest}")));
    let mut digits = String::with_capacity(20);
    let mut plus = false;
    let mut rest = text.chars();
    loop {
        let ahead = rest.as_str();
        let Some(c) = rest.next() else { break };
        match c {
            '0'..='9' => digits.push(c),
            '+' | '\u{FF0B}' if digits.is_empty() && !plus => plus = true,
            '(' if rest.as_str().starts_with("0)") && (plus || digits.starts_with("00")) => {
                // "+44 (0)20 …": the zero is for callers at home.
                rest.next();
                rest.next();
            }
            ' ' | '-' | '.' | '/' | '(' | ')' | '[' | ']' | '\u{A0}' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
            // Left-to-right marks and the like come along when a number is copied from a page.
            '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{AD}' | '\u{FEFF}' => {}
            '\u{FF10}'..='\u{FF19}' | '\u{660}'..='\u{669}' | '\u{6F0}'..='\u{6F9}' => {
                digits.push(char::from(b'0' + (c as u32 % 16) as u8));
            }
            ',' if digits.len() > 6 => break,
            _ if digits.len() > 6 && is_extension(ahead) => break,
            _ => return None,
        }
        if digits.len() > LONGEST {
            return None;
        }
    }
    (!digits.is_empty()).then_some((digits, plus))
}

/// Whether what follows a number is an extension: `x12`, `ext. 12`, `доб. 12`, `#12`.
fn is_extension(text: &str) -> bool {
    let (word, rest) = after_word(text);
    let rest = match &*word {
        "" => rest.strip_prefix('#'),
        word => {
            let is_ext = word.starts_with('e') && word.chars().all(|c| "extension".contains(c));
            (is_ext || EXTENSIONS.contains(&word)).then_some(rest)
        }
    };
    let extension = rest.unwrap_or_default().trim_start_matches(is_pause).trim_end_matches([')', ']', '.', ' ']);
    (1..=8).contains(&extension.len()) && extension.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
#[path = "phone_tests.rs"]
mod tests;
