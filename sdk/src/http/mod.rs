//! Outgoing HTTP: a request is built, sent through the [`Host`], and its answer read.
//!
//! There is no connection here to keep or to close: the hub pools them.

mod answer;
mod error;
mod multipart;
mod request;

pub use answer::Response;
pub use error::Error;
pub use multipart::{Multipart, Part};
pub use request::{Request, encode, form};

#[cfg(doc)]
use crate::Host;
