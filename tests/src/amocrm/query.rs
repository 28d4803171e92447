//! What the query of a request asks for.

/// All values of a name.
pub(super) fn all<'q>(query: &'q [(String, String)], name: &str) -> Vec<&'q str> {
    query.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
}

/// The first value of a name.
pub(super) fn one<'q>(query: &'q [(String, String)], name: &str) -> Option<&'q str> {
    query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

/// Whether `with` names this: what it does not name is left out.
pub(super) fn with(query: &[(String, String)], name: &str) -> bool {
    all(query, "with").iter().flat_map(|value| value.split(',')).any(|named| named.trim() == name)
}
