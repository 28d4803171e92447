//! Where to send a caller: to whoever looks after them, if that is beyond doubt.

use super::known::Known;
use crate::config::Routing;

/// Whose callers somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Responsible {
    /// Of whoever has this extension.
    Of(String),
    /// No CRM knows them.
    Nobody,
    /// Somebody was not heard, nobody with an extension looks after them, or several do.
    Unclear,
}

/// The one extension that all sinks agree on. A dialplan dials what it is given, so nothing is named when somebody was
/// not heard, when a match has no owner or one without an extension, or when two owners have it.
pub(super) fn responsible(known: &Known) -> Responsible {
    if !known.complete {
        return Responsible::Unclear;
    }
    let mut agreed: Option<&str> = None;
    for found in known.matches.iter().filter(|found| found.sink.is_some()) {
        let own = found.owner.as_ref().and_then(|owner| owner.extension.as_deref());
        match own.filter(|own| Routing::can_be_dialled(own) && agreed.is_none_or(|other| other == *own)) {
            Some(own) => agreed = Some(own),
            None => return Responsible::Unclear,
        }
    }
    agreed.map_or(Responsible::Nobody, |extension| Responsible::Of(extension.to_owned()))
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
        let extension = |known: &Known| match responsible(known) {
            Responsible::Of(extension) => Some(extension),
            Responsible::Nobody | Responsible::Unclear => None,
        };
        assert_eq!(responsible(&known(&[])), Responsible::Nobody);
        assert_eq!(responsible(&Known { complete: false, ..known(&[]) }), Responsible::Unclear);
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
            assert_eq!(responsible(&known(&[Some(odd)])), Responsible::Unclear, "{odd:?}");
        }
        assert_eq!(responsible(&known(&[Some(&"1".repeat(33))])), Responsible::Unclear);
        assert_eq!(responsible(&known(&[Some("*97#")])), Responsible::Of("*97#".to_owned()));
    }
}
