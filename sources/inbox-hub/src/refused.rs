//! Why a body cannot be understood, with the place.

/// A place in the body, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// A JSON pointer; empty for the whole body.
    pub field: String,
    /// For the person at the sending side.
    pub why: String,
}

impl Refused {
    /// Something at one place.
    pub fn at(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), why: why.into() }
    }

    /// The body as a whole.
    pub fn whole(why: impl Into<String>) -> Self {
        Self::at("", why)
    }
}

/// What became of something that could be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// What it shows.
    Observations(Vec<cordboard_sdk::records::Observation>),
    /// It is of no interest, and why.
    Ignored(String),
}

/// A stranger's text inside a sentence for people: short, on one line.
pub fn shown(text: &str) -> String {
    let start: String = text.chars().take(60).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", start.escape_debug())
}
