//! What the hub takes: bounds on texts, ids, file names and links, kept without losing the rest.

/// Bytes of a message's text.
const TEXT: usize = 256 << 10;
/// Bytes of a name or another line.
const LINE: usize = 1 << 10;
/// Bytes of an id.
const ID: usize = 255;
/// Bytes of a file's name.
const FILE: usize = 200;
/// Bytes of a link.
const LINK: usize = 4 << 10;

/// What was odd about something, as words for the attribute `inbox-hub-anomalies`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Odd(Vec<&'static str>);

impl Odd {
    /// Notes a word.
    pub fn note(&mut self, word: &'static str) {
        if let Err(at) = self.0.binary_search(&word) {
            self.0.insert(at, word);
        }
    }

    /// The words, as the attribute has them.
    pub fn words(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(", "))
    }
}

/// A message's text byte for byte, but for NUL, which no store keeps, and for what is over 256 KiB.
pub fn text(text: &str, odd: &mut Odd) -> String {
    let whole = without_nul(text, odd);
    let start = start(&whole, TEXT);
    if start.len() < whole.len() {
        odd.note("text-cut");
    }
    start.to_owned()
}

/// A name or another short text: at most 1 KiB.
pub fn line(text: &str) -> String {
    start(&without_nul(text, &mut Odd::default()), LINE).to_owned()
}

/// An id that the hub takes.
pub fn id(text: &str) -> Option<&str> {
    (!text.is_empty() && text.len() <= ID && !text.contains(char::is_control)).then_some(text)
}

/// A file's name without separators, control and bidirectional characters.
pub fn file_name(text: &str) -> Option<String> {
    let harmless = |c: &char| {
        !c.is_control()
            && !matches!(c, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let name: String = text.chars().filter(harmless).collect();
    let name = start(name.trim().trim_start_matches('.'), FILE);
    (!name.is_empty()).then(|| name.to_owned())
}

/// A link that may be fetched: `https`, and not too long.
pub fn link(text: &str, odd: &mut Odd) -> Option<String> {
    let good = text.starts_with("https://") && text.len() <= LINK && !text.contains(char::is_control);
    if !good {
        odd.note("link-not-https");
    }
    good.then(|| text.to_owned())
}

/// The first characters of a text, for a list of conversations.
pub fn preview(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(120).collect()
}

fn without_nul(text: &str, odd: &mut Odd) -> String {
    if text.contains('\0') {
        odd.note("nul-replaced");
    }
    text.replace('\0', "\u{fffd}")
}

/// As much of a text as fits, cut between characters.
fn start(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_as_they_are_as_long_as_they_can() {
        let mut odd = Odd::default();
        let both_ways = " \u{202e}שלום\u{1f469}\u{200d}\u{1f467} \r\n";
        assert_eq!(text(both_ways, &mut odd), both_ways);
        assert_eq!(odd.words(), None);
        let long = "é".repeat(TEXT);
        assert_eq!(text(&long, &mut odd).len(), TEXT);
        assert_eq!(text("a\0b", &mut odd), "a\u{fffd}b");
        assert_eq!(odd.words().as_deref(), Some("nul-replaced, text-cut"));
    }

    #[test]
    fn names_of_files_are_harmless() {
        assert_eq!(file_name("../../etc/pass\u{202e}gpj.exe").as_deref(), Some("etcpassgpj.exe"));
        assert_eq!(file_name("informe año.pdf").as_deref(), Some("informe año.pdf"));
        assert_eq!(file_name("..\u{7}/"), None);
        let mut odd = Odd::default();
        assert_eq!(link("http://169.254.169.254/x", &mut odd), None);
        assert_eq!(odd.words().as_deref(), Some("link-not-https"));
    }
}
