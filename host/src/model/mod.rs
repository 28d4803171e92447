//! Records, observations and their merge; telephone numbers; events.
//!
//! No input or output, no clock, no async: everything here is a function of its arguments, and is tested as such.

mod at_desks;
pub mod bounds;
pub mod call;
pub mod contact;
pub mod conversation;
mod customer;
mod dialling;
pub mod event;
mod event_type;
pub mod instant;
pub mod join;
pub mod look;
pub mod message;
pub mod party;
pub mod phone;
mod record;
pub mod session;
pub mod subject;

pub use at_desks::{AtDesks, occupies};
pub use bounds::Rejected;
pub use call::Call;
pub use contact::Contact;
pub use conversation::Conversation;
pub use customer::Customer;
pub use event::{About, Event};
pub use event_type::{EVENT_TYPES, kind_of, type_of};
pub use instant::Instant;
pub use join::{Stamp, Trust};
pub use message::Message;
pub use party::{Agent, Correspondent, Identity, Party};
pub use phone::{Numbering, Phone};
pub use session::Session;
pub use subject::{Item, Kind, Merged, Observation, Subject};

#[cfg(test)]
mod merge_tests;
