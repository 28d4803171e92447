//! What can go wrong in the store, told so that the caller knows what to do.

use std::path::PathBuf;

/// Why something was not taken by whoever handed it in, seeing what is there already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Clash {
    /// Where in what was handed in.
    pub field: String,
    /// For people.
    pub why: String,
}

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The database cannot be reached, or has no room: nothing was acknowledged. Ask again later (HTTP 503).
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// More is waiting to be committed than the queue holds: nothing was acknowledged. Ask again later (HTTP 503).
    #[error("the store is busy: its queue of {0} is full")]
    Busy(usize),
    /// The database refused this very row; its neighbours are not concerned.
    #[error("the store refused it: {0}")]
    Refused(String),
    /// It does not go with the record that is there already: nothing was stored.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// The claim under which this was done is held by another by now: nothing was stored.
    #[error("the {0} was taken over by another worker")]
    Lost(&'static str),
    /// What was asked for is not there.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// The address of the store cannot be understood.
    #[error("`{0}` is not a store: write `sqlite:PATH` or `postgres://USER@HOST/DATABASE`")]
    Address(String),
    /// Another hub has the SQLite file open.
    #[error("{} is in use by another hub: stop that one first, or give this one its own `store`", .0.display())]
    Locked(PathBuf),
    /// The tables were made by a newer program.
    #[error("the store was written by a newer cordboard (schema {0}): run that one, this program cannot read it")]
    Newer(i64),
    /// A migration failed or was changed after it ran.
    #[error("the store's tables could not be brought up to date: {0}")]
    Migration(String),
    /// A file or folder beside the database.
    #[error("{}: {why}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        why: std::io::Error,
    },
    /// A sealed grant does not open with the present key.
    #[error("a stored grant does not open with this key: put the former `keys.encryption` back, or log in anew")]
    Sealed,
    /// What was read cannot be understood.
    #[error("the store holds what this program cannot read: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// True when the very same request can succeed later.
    pub fn passing(&self) -> bool {
        matches!(self, StoreError::Unavailable(_) | StoreError::Busy(_))
    }
}
