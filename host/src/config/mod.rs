//! The configuration: files to a checked plan, swapped whole.
//!
//! Nothing here speaks to the outside or knows what a component does: the components' own schemas are asked for through
//! [`Catalog`].

pub mod amount;
mod authority;
mod catalog;
mod claims;
mod condition;
mod database;
mod directory;
mod document;
mod hosts;
mod hub;
mod media;
mod networks;
mod plan;
mod problem;
mod recordings;
mod routing;
mod secret;
mod settings;
mod silence;
mod suggest;
mod tenant;
mod tenant_file;
mod warnings;

pub use amount::Rate;
pub use authority::Authority;
pub use catalog::{Catalog, Offer};
pub use claims::{Claim, Claimed};
pub use condition::{Condition, Misfit, Scope};
pub use database::{DatabaseAddress, DatabaseKind};
pub use directory::Directory;
pub use document::Place;
pub use hosts::{Host, HostPattern};
pub use hub::{Alerts, Auth, EncryptionKey, Hub, Limits, Log, Mail, Retention, StoreAddress, TokenKeys};
pub use media::Fetching;
pub use networks::Networks;
pub use plan::Plan;
pub use problem::{Problem, Problems};
pub use recordings::{Archive, ArchivePlace, Serving, Storage, StoragePlace, Template};
pub use routing::{Question, Routing};
pub use secret::{Keeper, Machine, Secret};
pub use settings::Settings;
pub use silence::{Hours, Silence};
pub use tenant::{Agent, ApiKey, Backoff, Breaker, Choice, Role, Route, Sink, Source, Tenant};
pub use tenant_file::MANUAL;

/// A commented `cordboard.toml` with every setting.
pub const DEFAULT_HUB: &str = include_str!("cordboard.default.toml");

/// A commented tenant's file with every setting.
pub const DEFAULT_TENANT: &str = include_str!("tenant.default.toml");

#[cfg(test)]
mod tests;
