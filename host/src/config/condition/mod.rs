//! Conditions of routes: CEL over an event and its record, or over a record as it stands.
//!
//! `event` has `type`, `kind`, `source`, `id`, `tenant`, `at`, `revision` and `changed`; the record stands under the
//! name of its kind, with the fields of the API's JSON. What nobody knows is `null`, lists are empty; a record of
//! another kind is not there. A condition that cannot be decided does not hold.
//!
//! Before anything is evaluated a condition is checked against the fields that there are, and decided in advance for
//! every type of event as far as that goes: most events then cost one look into a table.

mod check;
mod scene;
mod verdict;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cel::extractors::This;
use cel::{IdedExpr, Program, Value};
use regex::Regex;

use self::scene::Scene;
use self::verdict::Verdict;
use crate::model::{EVENT_TYPES, Event, Item, Kind, kind_of};

/// What a condition speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `event` and the record: for `when`.
    Event,
    /// The record alone: for `while`.
    Record,
}

/// A compiled condition. Keeps its text.
pub struct Condition {
    text: String,
    expression: IdedExpr,
    by_type: HashMap<&'static str, Verdict>,
    by_kind: HashMap<Kind, Verdict>,
    /// Absent when there are none.
    patterns: Option<Arc<HashMap<String, Regex>>>,
}

/// Why a text is not a condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Misfit {
    /// Where in the text, in characters.
    pub offset: usize,
    /// What is wrong.
    pub what: String,
    /// The way out.
    pub hint: Option<String>,
}

/// Longer texts are no conditions.
const LONGEST: usize = 4096;

impl Condition {
    /// Compiles and checks a text.
    pub fn parse(text: &str, scope: Scope) -> Result<Self, Misfit> {
        if text.len() > LONGEST {
            let what = format!("the condition is {} bytes long and may have {LONGEST}", text.len());
            return Err(Misfit { offset: 0, what, hint: None });
        }
        let program = Program::compile(text).map_err(|errors| unreadable(text, &errors))?;
        let mut expression = program.expression().clone();
        let patterns = check::check(&mut expression, program.source_info(), scope)?;
        let patterns = (!patterns.is_empty()).then(|| Arc::new(patterns));
        let types = EVENT_TYPES.iter().filter_map(|(word, _)| Some((*word, kind_of(word)?)));
        let by_type = types.map(|(word, kind)| (word, verdict::of(&expression, Some(word), kind))).collect();
        let by_kind = Kind::ALL.into_iter().map(|kind| (kind, verdict::of(&expression, None, kind))).collect();
        Ok(Condition { text: text.to_owned(), expression, by_type, by_kind, patterns })
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it holds for an event. A condition that cannot be decided does not hold.
    pub fn selects(&self, event: &Event) -> bool {
        match self.by_type.get(event.kind.as_str()) {
            Some(Verdict::Never) => false,
            Some(Verdict::Always) => true,
            Some(Verdict::Depends) | None => self.evaluate(&Scene { event: Some(event), item: &event.about.item }),
        }
    }

    /// Whether it holds for a record as it stands. A condition that cannot be decided does not hold.
    pub fn holds(&self, item: &Item) -> bool {
        match self.by_kind.get(&item.kind()) {
            Some(Verdict::Never) => false,
            Some(Verdict::Always) => true,
            Some(Verdict::Depends) | None => self.evaluate(&Scene { event: None, item }),
        }
    }

    /// Whether it can hold for a known type of event at all.
    pub fn may_select(&self, event_type: &str) -> bool {
        self.by_type.get(event_type) != Some(&Verdict::Never)
    }

    /// Whether it can hold for a record of a kind at all.
    pub fn may_hold(&self, kind: Kind) -> bool {
        self.by_kind.get(&kind) != Some(&Verdict::Never)
    }

    fn evaluate(&self, scene: &Scene<'_>) -> bool {
        let mut context = scene.context();
        if let Some(patterns) = self.patterns.clone() {
            let fits = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
                patterns.get(pattern.as_str()).is_some_and(|pattern| pattern.is_match(&text))
            };
            if context.add_function(check::FITS, fits).is_err() {
                return false;
            }
        }
        matches!(Value::resolve(&self.expression, &context), Ok(Value::Bool(true)))
    }
}

/// The parser's first complaint, in one line.
fn unreadable(text: &str, errors: &cel::ParseErrors) -> Misfit {
    let first = errors.errors.first();
    let (line, column) = first.map_or((1, 1), |error| error.pos);
    let before = text.split_inclusive('\n').take(usize::try_from(line - 1).unwrap_or(0));
    let before: usize = before.map(|line| line.chars().count()).sum();
    let message = first.map_or("not CEL", |error| error.msg.as_str());
    let message = message.lines().next().unwrap_or_default().trim_start_matches("Syntax error: ");
    let hint = text.contains(" = ").then(|| "to compare, write `==`".to_owned());
    let hint = hint.or_else(|| text.contains(" and ").then(|| "write `&&` for and, `||` for or".to_owned()));
    let column = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    Misfit { offset: before + column, what: format!("not a condition: {message}"), hint }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests;
