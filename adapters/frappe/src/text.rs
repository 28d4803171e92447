//! Making texts fit: what Frappe would refuse or change without a word is changed here, and said.

/// Bytes that a `Small Text` or `Text` holds.
pub const TEXT: usize = 65_535;

/// One line of at most so many characters.
pub fn line(name: &str, given: &str, width: usize, notes: &mut Vec<String>) -> String {
    let text = cleaned(name, given, false, notes);
    let length = text.chars().count();
    if length <= width {
        return text;
    }
    notes.push(format!("{name}: cut at {width} of {length} characters"));
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Any number of lines, of at most so many bytes together.
pub fn lines(name: &str, given: &str, bytes: usize, notes: &mut Vec<String>) -> String {
    whole(name, &cleaned(name, given, true, notes), bytes, notes)
}

/// What somebody wrote, as it is. Only NUL cannot stay, which no database of Frappe's is sure to hold.
pub fn verbatim(name: &str, given: &str, bytes: usize, notes: &mut Vec<String>) -> String {
    let nuls = given.matches('\0').count();
    if nuls == 0 {
        return whole(name, given, bytes, notes);
    }
    notes.push(format!("{name}: {nuls} NUL characters were left out"));
    whole(name, &given.replace('\0', ""), bytes, notes)
}

/// What somebody wrote, as a field of HTML shows it letter by letter.
pub fn markup(given: &str) -> String {
    let text = given.replace('\0', "").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace("\r\n", "\n").replace('\n', "<br>")
}

/// A link that opens, or none: on the web, whole, with nothing in it that a filter would change.
pub fn link(given: &str, width: usize) -> Option<String> {
    let mut link = String::with_capacity(given.len());
    for c in given.trim().chars() {
        match c {
            c if c.is_control() => return None,
            '<' | '>' | '"' | ' ' | '\\' => link.push_str(&format!("%{:02X}", u32::from(c))),
            c if c.is_ascii() => link.push(c),
            c => {
                let mut bytes = [0; 4];
                link.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")));
            }
        }
    }
    let web = link.starts_with("https://") || link.starts_with("http://");
    (web && link.len() <= width).then_some(link)
}

/// What a field of Frappe's kind `Phone` takes; `None` when there is nothing of a number in it.
pub fn phone(given: &str) -> Option<String> {
    let fits = |c: char| c.is_ascii_digit() || " +_-,.*#()".contains(c);
    let given = given.trim();
    if !given.is_empty() && given.len() <= 20 && given.chars().all(fits) && given.contains(|c: char| c.is_ascii_digit())
    {
        return Some(given.to_owned());
    }
    // Of "sip:101@pbx" or "PJSIP/101" the digits would be somebody else's number.
    if given.contains(|c: char| c.is_alphabetic() || c == '@') {
        return None;
    }
    let digits: String = given.chars().filter(|c| c.is_ascii_digit() || *c == '+').take(20).collect();
    digits.contains(|c: char| c.is_ascii_digit()).then_some(digits)
}

fn cleaned(name: &str, given: &str, lines: bool, notes: &mut Vec<String>) -> String {
    let mut control = false;
    let mut text = String::with_capacity(given.len());
    for c in given.chars() {
        match c {
            '\n' if lines => text.push(c),
            '\r' if lines => {}
            '\n' | '\t' | '\r' => text.push(' '),
            c if c.is_control() => control = true,
            // Invisible, and they turn text around.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' => control = true,
            // Frappe would clean the whole text of what looks like markup.
            '<' => text.push('‹'),
            '>' => text.push('›'),
            c => text.push(c),
        }
    }
    if control {
        notes.push(format!("{name}: control characters were left out"));
    }
    text
}

fn whole(name: &str, text: &str, bytes: usize, notes: &mut Vec<String>) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    notes.push(format!("{name}: cut at {end} of {} bytes", text.len()));
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_said() {
        let mut notes = Vec::new();
        assert_eq!(line("title", "Ana 😀 <b>\0\u{202E}", 40, &mut notes), "Ana 😀 ‹b›");
        assert_eq!(line("title", "äöü€", 3, &mut notes), "äö…");
        assert_eq!(notes, ["title: control characters were left out", "title: cut at 3 of 4 characters"]);
        let mut notes = Vec::new();
        assert_eq!(lines("notes", "a\r\nb\tc", TEXT, &mut notes), "a\nb c");
        let text = "<b>O'One</b> \\ \"x\" 😀 \u{202E}שלום\t\r\n";
        assert_eq!(verbatim("content", text, usize::MAX, &mut notes), text);
        assert!(notes.is_empty());
        let cut = verbatim("content", &"é".repeat(40_000), TEXT, &mut notes);
        assert!(cut.len() <= TEXT && cut.ends_with('…') && notes.len() == 1);
        assert_eq!(markup("a<b>&\n\"c\""), "a&lt;b&gt;&amp;<br>&quot;c&quot;");
    }

    #[test]
    fn a_link_is_whole_or_not_there() {
        assert_eq!(link("https://pbx.test/a b<c>.wav", 200).unwrap(), "https://pbx.test/a%20b%3Cc%3E.wav");
        assert_eq!(link("https://pbx.test/ü", 200).unwrap(), "https://pbx.test/%C3%BC");
        assert_eq!(link(&format!("https://pbx.test/{}", "a".repeat(200)), 140), None);
        assert_eq!(link("javascript:alert(1)", 200), None);
    }

    #[test]
    fn a_phone_field_takes_numbers() {
        for given in ["+34600111222", "101", "*97", "(020) 7946-0123"] {
            assert_eq!(phone(given).as_deref(), Some(given));
        }
        assert_eq!(phone("+34/600/111/222").as_deref(), Some("+34600111222"));
        for given in ["anonymous", "sip:101@pbx", "PJSIP/100", "", "()", "😀"] {
            assert_eq!(phone(given), None, "{given}");
        }
    }
}
