//! Numbers as people type them, and as a dialplan is given them.

use regex_lite::Regex;

use super::AsteriskNg;

/// Shorter than this it is no outside number, and gets no prefix.
const OUTSIDE: usize = 7;

/// What is dialled for what was typed: formatting taken out, the rules of `outbound` applied in order, the prefix put
/// before numbers of the outside. Absent when nothing is left that can be dialled.
pub fn dialled(settings: &AsteriskNg, typed: &str) -> Option<String> {
    let pressed = |c: &char| c.is_ascii_digit() || matches!(c, '*' | '#' | '+');
    let mut number: String = typed.chars().filter(pressed).collect();
    for (pattern, with) in &settings.outbound {
        if let Ok(pattern) = Regex::new(pattern) {
            let ruled = pattern.replace_all(&number, with.as_str()).into_owned();
            number = ruled.chars().filter(pressed).collect();
        }
    }
    if number.len() >= OUTSIDE {
        number.insert_str(0, &settings.trunk_prefix);
    }
    (!number.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_what_can_be_pressed_is_dialled() {
        let plain = AsteriskNg::default();
        for (typed, number) in [
            ("+7 (999) 000-11-22", Some("+79990001122")),
            ("*97#", Some("*97#")),
            ("103", Some("103")),
            ("1&SIP/2,3", Some("123")),
            ("1\r\nAction: Command", Some("1")),
            ("anna", None),
            ("", None),
        ] {
            assert_eq!(dialled(&plain, typed).as_deref(), number, "{typed:?}");
        }
        let ruled = AsteriskNg {
            outbound: vec![(r"^\+7".into(), "8".into()), (r"^8(\d{10})$".into(), "${1}".into())],
            trunk_prefix: "9".into(),
            ..plain
        };
        assert_eq!(dialled(&ruled, "+7 999 000-11-22").as_deref(), Some("99990001122"));
        assert_eq!(dialled(&ruled, "103").as_deref(), Some("103"), "colleagues have no prefix");
    }
}
