//! Reading a source page by page.

use std::time::Duration;

use crate::model::Observation;
use crate::store::Progress;

/// One bounded page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// What it holds.
    pub observations: Vec<Observation>,
    /// Where to go on; absent when the job is finished.
    pub next: Option<Vec<u8>>,
    /// How long to wait before the next page.
    pub after: Option<Duration>,
    /// How far each stage has come.
    pub progress: Vec<Progress>,
}
