//! The adapter natively: against the played site, its faults, and recordings of the real one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod endpoint;
mod faults;
mod recordings;
mod setup;
mod site;
mod whatsapp;
