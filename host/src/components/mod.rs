//! Components: `.wasm` files that bring an outside system's events in, or make one agree with the ledger.
//!
//! The only module that knows Wasm. Above it stand plain types ([`contract`] and `model`); below it, out of sight, the
//! engine, the limits, the outgoing requests, and one folder for each version of the contract (`v1`).
//!
//! The way of a call: a [`Use`] (a component with one tenant's settings) takes an instance, fresh or kept; the instance
//! runs under a deadline and budgets, its requests go through `egress`, which allows, limits and records them; what comes
//! back is converted, checked, and returned, or a [`Fault`] says why not. A fault costs its own call and nothing else.
//!
//! Nothing here stores anything but compiled code, nothing retries, and nothing decides what a failure means.

mod address;
mod allow;
mod cache;
mod component;
mod context;
pub mod contract;
mod database;
mod descriptor;
mod egress;
mod engine;
mod fault;
mod inside;
mod kept;
mod library;
mod limits;
mod load;
mod question;
mod redact;
mod resolve;
mod runtime;
mod session;
mod state;
mod trace;
mod uses;
mod v1;

pub use address::{Lookup, SystemLookup};
pub use allow::{Pattern, PatternError};
pub use component::{Component, LoadError, Mistake, Port};
pub use egress::Outside;
pub use fault::Fault;
pub use inside::{Asking, CALLS, Inside};
pub use library::{Check, Library, State, Status};
pub use limits::Limits;
pub use resolve::Unreachable;
pub use runtime::{Runtime, RuntimeError, RuntimeOptions};
pub use session::Session;
pub use trace::{Exchange, Part};
pub use uses::{Called, Handle, Use, UseError, UseOptions};
