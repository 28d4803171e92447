//! Version 1 of the contract, cordboard:hub@1.0.0: its bindings, and what turns them into the host's own types.
//!
//! A later version gets a folder beside this one and a case in each of the enums of `instance`; nothing here changes.

mod bindings;
mod calls;
mod host;
mod inward;
mod ledger;
mod live;
mod outward;

pub(super) use live::{Live, Ready, SessionState, linker};

/// The package, without the name of an interface.
pub(super) const PACKAGE: &str = "cordboard:hub/";

/// What stands behind the name of an interface.
pub(super) const VERSION: &str = "1.0.0";
