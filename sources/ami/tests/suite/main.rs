//! The source natively: recordings of real servers, calls that no recording has, commands, connections that fail.

mod cdr;
mod commands;
mod connection;
mod lost;
mod older;
mod recordings;
mod scenarios;
mod support;
