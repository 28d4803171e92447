//! Regular expressions of Python, in the words of ours.

use regex::Regex;

/// A pattern in our words, and how it may differ from what Python made of it.
pub(super) fn pattern(text: &str) -> Result<(String, Vec<String>), String> {
    let mut warnings = Vec::new();
    for (mark, what) in [("(?=", "look-ahead"), ("(?!", "look-ahead"), ("(?<=", "look-behind"), ("(?<!", "look-behind")]
    {
        if text.contains(mark) {
            return Err(format!(
                "`{mark}…)` is {what}, which the hub's engine does not have: write the rule without it"
            ));
        }
    }
    if text.contains("(?P=") || text.contains("(?(") {
        return Err("it refers back to what it has matched, which the hub's engine cannot".to_owned());
    }
    let mut ours = String::new();
    let mut chars = text.chars().peekable();
    let (mut in_class, mut before) = (false, None);
    while let Some(c) = chars.next() {
        match (c, chars.peek().copied()) {
            ('\\', Some('Z')) => {
                chars.next();
                ours.push_str("\\z");
            }
            ('\\', Some(digit @ '1'..='9')) => {
                return Err(format!("`\\{digit}` refers back to what it has matched, which the hub's engine cannot"));
            }
            ('\\', Some(next)) => {
                chars.next();
                ours.extend([c, next]);
                before = None;
            }
            ('[', next) if !in_class => {
                ours.push('[');
                (in_class, before) = (true, None);
                // First in a class, also of one of what is not in it, a bracket stands for itself.
                if next == Some('^') {
                    ours.extend(chars.next());
                }
                if chars.next_if_eq(&']').is_some() {
                    ours.push_str("\\]");
                }
            }
            (']', _) if in_class => {
                ours.push(']');
                in_class = false;
            }
            // Here classes have classes and sets in them, and Python's do not.
            (c, _) if in_class => {
                if c == '[' || matches!(c, '&' | '-' | '~') && before == Some(c) {
                    ours.push('\\');
                }
                ours.push(c);
                before = Some(c);
            }
            // Python reads `{,3}` as `{0,3}`.
            ('{', Some(',')) => ours.push_str("{0"),
            ('$', _) => {
                ours.push('$');
                warnings.push("`$` also matched before a line's end in Python; here it is the very end".to_owned());
            }
            (c, _) => ours.push(c),
        }
    }
    if text.contains("\\w") || text.contains("\\s") || text.contains("\\b") {
        warnings.push("`\\w`, `\\s` and `\\b` know all letters in Python, and those of ASCII here".to_owned());
    }
    Regex::new(&ours).map_err(|why| why.to_string().lines().last().unwrap_or_default().trim().to_owned())?;
    Ok((ours, warnings))
}

/// A replacement in our words: `\1` and `\g<name>` become `${1}` and `${name}`.
pub(super) fn replacement(text: &str) -> Result<String, String> {
    let mut ours = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '$' => ours.push_str("$$"),
            '\\' if rest.starts_with("g<") => {
                let (name, after) = rest[2..].split_once('>').ok_or("`\\g<` has no `>`")?;
                ours.push_str(&format!("${{{name}}}"));
                rest = after;
            }
            '\\' => {
                let Some(next) = rest.chars().next() else { return Err("it ends in `\\`".to_owned()) };
                rest = &rest[next.len_utf8()..];
                match next {
                    '0'..='9' => {
                        let second = rest.chars().next().filter(char::is_ascii_digit);
                        rest = &rest[second.map_or(0, char::len_utf8)..];
                        ours.push_str(&format!("${{{next}{}}}", second.map_or(String::new(), String::from)));
                    }
                    '\\' => ours.push('\\'),
                    'n' => ours.push('\n'),
                    't' => ours.push('\t'),
                    other => return Err(format!("`\\{other}` means nothing in a replacement")),
                }
            }
            c => ours.push(c),
        }
    }
    Ok(ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn substituted(python: &str, with: &str, text: &str) -> String {
        let (ours, _) = pattern(python).unwrap();
        Regex::new(&ours).unwrap().replace_all(text, replacement(with).unwrap()).into_owned()
    }

    #[test]
    fn rules_do_what_they_did_in_python() {
        // Each was tried in Python: re.sub(pattern, with, text).
        for (pattern, with, text, result) in [
            (r"^\+7(\d{10})$", r"8\g<1>", "+79990001122", "89990001122"),
            (r"^\+7", "8", "+79990001122", "89990001122"),
            (r"^8(?P<rest>\d{10})\Z", r"+7\g<rest>", "89990001122", "+79990001122"),
            (r"(\d)(\d)", r"\2\1", "1234", "2143"),
            (r"\d{,2}9", "x", "129", "x"),
            (r"[[(]", "", "(1[2", "12"),
            (r"[]x]", "", "1]x2", "12"),
            (r"[^]x]", "", "1]x2", "]x"),
            (r"[+--]", "", "+,-7", "7"),
            (r"[a&&b]", "", "a&b1", "1"),
            (r"[\s()-]", "", "(1) 2-3", "123"),
            ("1", "$1", "1", "$1"),
            ("a", r"\\", "a", "\\"),
            (r"(1)(2)(3)(4)(5)(6)(7)(8)(9)(0)", r"\10", "1234567890", "0"),
        ] {
            assert_eq!(substituted(pattern, with, text), result, "{pattern} {with}");
        }
    }

    #[test]
    fn what_the_engine_lacks_is_said() {
        for odd in ["(?=1)", "(?!1)", "(?<=1)2", "(?<!1)2", r"(1)\1", "(?P<a>1)(?P=a)", "(1"] {
            assert!(pattern(odd).is_err(), "{odd}");
        }
        assert!(replacement("\\").is_err() && replacement("\\g<1").is_err() && replacement("\\q").is_err());
        assert!(!pattern("1$").unwrap().1.is_empty(), "a line's end counts differently");
    }
}
