//! Why a body is not understood.

use std::fmt;

/// Where in the body something is wrong, and what would mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// A JSON pointer or the name of a form field; empty for the whole body.
    pub field: String,
    /// A sentence for the person at the sending side.
    pub why: String,
}

impl Refused {
    /// Something is wrong at one place.
    pub fn at(field: impl Into<String>, why: impl Into<String>) -> Self {
        Refused { field: field.into(), why: why.into() }
    }

    /// The whole body is wrong.
    pub fn whole(why: impl Into<String>) -> Self {
        Refused::at("", why)
    }

    /// The same, for a part that stands deeper in the body.
    pub fn below(mut self, parent: &str) -> Self {
        self.field.insert_str(0, parent);
        self
    }
}

/// A value as it may be shown in a sentence: short, on one line.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chars = self.0.chars();
        f.write_str("`")?;
        for c in chars.by_ref().take(40) {
            if c.is_control() { write!(f, "{}", c.escape_unicode())? } else { write!(f, "{c}")? }
        }
        f.write_str(if chars.next().is_some() { "…`" } else { "`" })
    }
}
