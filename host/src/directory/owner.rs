//! Where to send a caller: to whoever looks after them, if that is beyond doubt.

use super::known::Known;

/// Longer texts are no extension.
const LONGEST: usize = 32;

/// The one extension that all sinks agree on. A dialplan dials what it is given, so it is given nothing when somebody
/// was not heard, when a match has no owner or one without an extension, or when two owners have it.
pub(super) fn extension(known: &Known) -> Option<String> {
    if !known.complete {
        return None;
    }
    let mut agreed: Option<&str> = None;
    for found in known.matches.iter().filter(|found| found.sink.is_some()) {
        let own = found.owner.as_ref()?.extension.as_deref()?;
        if agreed.is_some_and(|other| other != own) {
            return None;
        }
        agreed = Some(own);
    }
    agreed.filter(|extension| is_safe(extension)).map(str::to_owned)
}

/// Nothing but what can be pressed on a telephone: `&` would dial several, `/` choose a channel, `,` end an argument.
fn is_safe(extension: &str) -> bool {
    let pressed = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'+');
    (1..=LONGEST).contains(&extension.len()) && extension.bytes().all(pressed)
}

#[cfg(test)]
mod tests {
    use super::super::known::{Match, Owner};
    use super::*;
    use crate::model::Phone;

    /// Matches in a sink, by the extension of their owner; absent: an owner without one.
    fn known(owners: &[Option<&str>]) -> Known {
        let mut known = Known::nobody(Phone::raw("600111222"));
        known.matches = owners
            .iter()
            .map(|extension| Match {
                sink: Some("crm".to_owned()),
                source: None,
                id: "12x1".to_owned(),
                kind: "contact".to_owned(),
                name: "Inés".to_owned(),
                link: None,
                owner: Some(Owner { user: "19x5".to_owned(), extension: extension.map(str::to_owned), name: None }),
                attributes: Default::default(),
            })
            .collect();
        known
    }

    #[test]
    fn one_owner_beyond_doubt() {
        assert_eq!(extension(&known(&[Some("1001")])).as_deref(), Some("1001"));
        assert_eq!(extension(&known(&[Some("1001"), Some("1001")])).as_deref(), Some("1001"));
        assert_eq!(extension(&known(&[])), None);
        assert_eq!(extension(&known(&[Some("1001"), Some("1002")])), None);
        assert_eq!(extension(&known(&[Some("1001"), None])), None);
        assert_eq!(extension(&Known { complete: false, ..known(&[Some("1001")]) }), None);
        let mut without = known(&[Some("1001")]);
        without.matches[0].owner = None;
        assert_eq!(extension(&without), None);
    }

    #[test]
    fn nothing_that_a_dialplan_would_take_for_more_than_digits() {
        for odd in ["1001&1002", "1001,30,t", "PJSIP/1001", "${SHELL(x)}", "10 01", "1001\n", "", "ana", "１００１"]
        {
            assert_eq!(extension(&known(&[Some(odd)])), None, "{odd:?}");
        }
        assert_eq!(extension(&known(&[Some(&"1".repeat(33))])), None);
        assert_eq!(extension(&known(&[Some("*97#")])).as_deref(), Some("*97#"));
    }
}
