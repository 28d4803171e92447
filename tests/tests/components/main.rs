//! The runtime for components, with real components in it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bench;
mod egress;
mod every_interface;
mod lanes;
mod library;
mod loading;
mod misdeeds;
