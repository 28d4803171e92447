//! The hub's HTTP face and its live feed, over a real store and a real listener.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

mod api;
mod auth;
mod by_hand;
mod commands;
mod fan_out;
mod fixture;
mod inbox;
mod live;
mod people;
mod popups;
mod problems;
mod recordings;
mod wire;
