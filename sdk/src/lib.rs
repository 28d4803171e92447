//! What a component author adds to `Cargo.toml`.
//!
//! A component implements the traits of the abilities it has and names them in [`export!`]:
//!
//! ```
//! use cordboard_sdk::prelude::*;
//!
//! struct MyCrm;
//!
//! impl About for MyCrm {
//!     fn describe() -> Descriptor {
//!         Descriptor { hosts: vec!["{url}".into()], ..descriptor!("Logs calls in My CRM", r#"{"type": "object"}"#) }
//!     }
//! }
//!
//! impl Sink for MyCrm {
//!     fn deliver(host: &dyn Host, changes: Vec<Change>) -> Vec<Outcome> {
//!         changes.into_iter().map(|change| write(host, &change).into()).collect()
//!     }
//! }
//!
//! fn write(host: &dyn Host, change: &Change) -> Result<Receipt, Failure> {
//!     let body = serde_json::json!({ "id": change.subject.id });
//!     let answer = Request::post("https://crm.example.com/calls").json(&body).send(host)?.success()?;
//!     Ok(Receipt { external_id: answer.json()?, ..Receipt::default() })
//! }
//!
//! cordboard_sdk::export!(MyCrm: about, sink);
//! ```
//!
//! All that a component sees of the world is the [`Host`] it is given. Built for `wasm32-wasip2` that is the hub; built
//! natively it is whatever a test ([`testing::Outside`]) or a benchmark (`native::Connected`) hands in, and `export!`
//! only checks that the traits are there. So the very same code is a component and a plain Rust library.

#[doc(hidden)]
pub mod bindings;

pub mod abilities;
pub mod crm;
mod export;
mod failure;
mod host;
pub mod http;
#[cfg(target_family = "wasm")]
mod hub;
#[cfg(all(feature = "native", not(target_family = "wasm")))]
pub mod native;
pub mod records;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
pub mod vocabulary;

pub use host::{CallPage, Host, KnownCall, Ledger, Person, Row, Selection, SettingsError};
pub use serde;
pub use serde_json;

#[doc(hidden)]
pub use export::Exported;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub use hub::Hub;

/// The memory of every component, by an allocator that is made for WebAssembly.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// What nearly every component uses.
pub mod prelude {
    pub use crate::abilities::*;
    pub use crate::descriptor;
    pub use crate::host::{Host, KnownCall, Ledger, Level, Person, Rows, Selection};
    pub use crate::http::{Request, Response};
    pub use crate::records::*;
    pub use crate::serde_json;
    pub use crate::vocabulary::*;
}
