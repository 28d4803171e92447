//! Conversations in amoCRM's chats: a channel of the chat service, which has no access tokens and signs everything.
//!
//! `line` speaks to the service, `message` says what goes into a chat, `carry` brings it there, `hook` takes what is
//! answered in amoCRM.

mod carry;
pub mod hook;
mod line;
mod message;

pub use carry::Chats;
pub use line::connect;
