//! Making texts fit: what Vtiger would change without a word is changed here, and said.

/// What a column of this width stores of a text, and a sentence when that is not all of it.
///
/// Vtiger cuts what is too long, stores `??` for what lies outside Unicode's basic plane, and escapes angle brackets.
pub fn fitted(name: &str, given: &str, width: Option<usize>, lines: bool, notes: &mut Vec<String>) -> String {
    let mut strange = 0;
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
            '<' => text.push('‹'),
            '>' => text.push('›'),
            c if u32::from(c) > 0xFFFF => {
                strange += 1;
                text.push('□');
            }
            c => text.push(c),
        }
    }
    if strange > 0 {
        notes.push(format!("{name}: {strange} characters that Vtiger cannot store (emoji, say) became □"));
    }
    if control {
        notes.push(format!("{name}: control characters were left out"));
    }
    let length = text.chars().count();
    match width {
        Some(width) if length > width => {
            notes.push(format!("{name}: cut at {width} of {length} characters"));
            let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
            cut.push('…');
            cut
        }
        _ => text,
    }
}

/// A link that a column of this width can hold whole, written so that nothing in it is changed.
pub fn link(given: &str, width: usize) -> Option<String> {
    let mut link = String::with_capacity(given.len());
    for c in given.trim().chars() {
        match c {
            c if c.is_control() => return None,
            '<' => link.push_str("%3C"),
            '>' => link.push_str("%3E"),
            '"' => link.push_str("%22"),
            ' ' => link.push_str("%20"),
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

/// The same text with the entities that the server puts in or takes out undone, for comparing.
pub fn plain(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#039;", "'");
    text.replace("&amp;", "&").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_said() {
        let mut notes = Vec::new();
        assert_eq!(fitted("subject", "Ana 😀 <b>\0\u{202E}", Some(40), false, &mut notes), "Ana □ ‹b›");
        assert_eq!(notes.len(), 2);
        let mut notes = Vec::new();
        assert_eq!(fitted("subject", "äöü€", Some(3), false, &mut notes), "äö…");
        assert_eq!(notes, ["subject: cut at 3 of 4 characters"]);
        let mut notes = Vec::new();
        assert_eq!(fitted("description", "a\r\nb\tc", None, true, &mut notes), "a\nb c");
        assert!(notes.is_empty());
    }

    #[test]
    fn a_link_is_whole_or_not_there() {
        assert_eq!(link("https://pbx.test/a b<c>.wav", 200).unwrap(), "https://pbx.test/a%20b%3Cc%3E.wav");
        assert_eq!(link("https://pbx.test/ü", 200).unwrap(), "https://pbx.test/%C3%BC");
        assert_eq!(link(&format!("https://pbx.test/{}", "a".repeat(200)), 200), None);
        assert_eq!(link("javascript:alert(1)", 200), None);
    }
}
