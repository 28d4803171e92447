//! Filters of events, of which each session has its own.

use regex::bytes::{Regex, RegexBuilder};

use super::action::Action;

/// What a session wants to hear.
#[derive(Debug, Default)]
pub(super) struct Filters {
    only: Vec<Regex>,
    never: Vec<Regex>,
}

impl Filters {
    /// One more, or the words of the refusal. The expression is held against the text of a whole event.
    pub fn add(&mut self, action: &Action) -> Result<(), &'static str> {
        if !action.get("Operation").is_some_and(|operation| operation.eq_ignore_ascii_case("add")) {
            return Err("Unknown operation");
        }
        let text = action.get("Filter").unwrap_or_default();
        let (list, text) = match text.strip_prefix('!') {
            Some(text) => (&mut self.never, text),
            None => (&mut self.only, text),
        };
        let compiled = RegexBuilder::new(text).dot_matches_new_line(true).build();
        list.push(compiled.map_err(|_| "Filter did not compile.  Check the syntax of the filter given.")?);
        Ok(())
    }

    /// Whether an event is wanted.
    pub fn let_through(&self, event: &[u8]) -> bool {
        let any = |list: &[Regex]| list.iter().any(|filter| filter.is_match(event));
        (self.only.is_empty() || any(&self.only)) && !any(&self.never)
    }
}
