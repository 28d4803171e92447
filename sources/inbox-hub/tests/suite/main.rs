//! The source natively: recordings of webhooks, servers that lie, commands, logins.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod hostile;
mod login;
mod messages;
mod order;
mod recordings;
mod support;
mod sync;
