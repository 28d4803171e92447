//! Cordboard: a communications hub. Sources bring in calls and messages, sinks make CRMs agree with them.
//!
//! The modules are floors, each using only those below it; from the ground up: `model`, `config`, `store`,
//! `components`, `conformance`, `grants`, `live`, `directory`, `recordings`, `media`, `delivery`, `intake`, `commands`,
//! `routing`, `hub`, `http`, `cli`.

pub mod cli;
pub mod commands;
pub mod components;
pub mod config;
pub mod conformance;
pub mod delivery;
pub mod directory;
pub mod grants;
pub mod http;
pub mod hub;
pub mod import;
pub mod intake;
pub mod live;
pub mod media;
pub mod model;
pub mod recordings;
pub mod routing;
pub mod store;
