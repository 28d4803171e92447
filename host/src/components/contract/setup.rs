//! What an outside system needs beforehand.

/// One thing that it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What will be done, for people.
    pub says: String,
    /// What it comes to, for people who look closer.
    pub details: Vec<String>,
    /// What the component needs to make it.
    pub work: String,
}
