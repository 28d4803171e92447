//! Bytes of the manager interface as text.

/// Bytes of a number that are kept.
const NUMBER: usize = 80;
/// Bytes of a name that are kept.
const NAME: usize = 256;

/// Text of any bytes: UTF-8 where they are that, else ISO 8859-1. Asterisk passes on what a caller's telephone sent.
pub fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Text without control characters, of so many bytes at most.
pub fn short(bytes: &[u8], longest: usize) -> String {
    let mut text = text(bytes);
    text.retain(|letter| !letter.is_control());
    if text.len() > longest {
        let end = (0..=longest).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}

/// A value that says something: Asterisk writes an absent one as nothing or as `<unknown>`.
pub fn known(bytes: &[u8]) -> Option<&[u8]> {
    let bytes = bytes.trim_ascii();
    let nothing = bytes.is_empty()
        || bytes.eq_ignore_ascii_case(b"<unknown>")
        || bytes.eq_ignore_ascii_case(b"(null)")
        || bytes.eq_ignore_ascii_case(b"<null>");
    (!nothing).then_some(bytes)
}

/// A telephone number, when there is one and it is not withheld.
pub fn number(bytes: &[u8]) -> Option<String> {
    let bytes = known(bytes).filter(|bytes| !withheld(bytes))?;
    Some(short(bytes, NUMBER)).filter(|number| !number.is_empty())
}

/// A display name, when there is one.
pub fn name(bytes: &[u8]) -> Option<String> {
    let bytes = known(bytes).filter(|bytes| !withheld(bytes))?;
    Some(short(bytes, NAME)).filter(|name| !name.is_empty())
}

/// Words that stand in the place of a number or a name which the caller does not show.
pub fn withheld(bytes: &[u8]) -> bool {
    const WORDS: [&[u8]; 6] = [b"anonymous", b"restricted", b"private", b"withheld", b"unavailable", b"unknown"];
    WORDS.iter().any(|word| bytes.trim_ascii().eq_ignore_ascii_case(word))
}

/// An extension of the dialplan that is a number somebody dialled: not `s`, `h`, `i`, `t` and their like.
pub fn dialled(bytes: &[u8]) -> Option<String> {
    let bytes = known(bytes)?;
    let good = bytes.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'+'));
    (good && bytes.len() <= NUMBER).then(|| text(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_are_text() {
        assert_eq!(text("Müller".as_bytes()), "Müller");
        assert_eq!(text(b"M\xfcller"), "Müller");
        assert_eq!(name(b"M\xfcller\r"), Some("Müller".to_owned()));
        assert_eq!(short("aé".as_bytes(), 2), "a");
        assert_eq!(name(&[b'x'; 1000]).map(|name| name.len()), Some(256));
    }

    #[test]
    fn what_says_nothing_is_nothing() {
        for value in ["", " ", "<unknown>", "<Unknown>", "anonymous", "Anonymous", "Restricted"] {
            assert_eq!(number(value.as_bytes()), None, "{value}");
        }
        assert_eq!(number(b"+34600111222"), Some("+34600111222".to_owned()));
        for exten in ["s", "h", "i", "", "<unknown>", "ended-NOANSWER"] {
            assert_eq!(dialled(exten.as_bytes()), None, "{exten}");
        }
        assert_eq!(dialled(b"*97"), Some("*97".to_owned()));
    }
}
