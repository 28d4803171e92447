//! The adapter natively: against the fake amoCRM, its limits and faults, and documented exchanges.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asterisk_ng;
mod bench;
mod calls;
mod chats;
mod endpoint;
mod fake;
mod faults;
mod once;
mod popups;
mod recordings;
