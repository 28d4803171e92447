//! An installation of amocrm_asterisk_ng, switched off: the hub's own program stands in its place, with a played Asterisk
//! behind it and a played amoCRM before it. `acceptance_*` are the lines of the acceptance list, `fault_*` the faults of
//! the old server that are gone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod cdr;
mod import;
mod outages;
mod panel;
mod records;
mod redirecting;
mod stock;
mod whole_way;
mod world;
