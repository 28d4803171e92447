//! The adapter natively: against the played Vtiger, its faults, and recordings of the real one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bench;
mod events;
mod faults;
mod pbxmanager;
mod recordings;
