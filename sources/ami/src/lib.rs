//! A source that follows the calls of an Asterisk through its manager interface.
//!
//! The way of a byte: `frame` cuts messages, `message` reads their lines, both by `search`, `event` and `older` say what happened in one
//! vocabulary for all versions of Asterisk, `book` joins what happened to one record for each logical call, and
//! `session` holds the conversation together. `commands` goes the other way,
//! `cdr` reads what was missed from a database. Nothing here does input or output: the hub
//! owns the socket, the timers and the clock.

mod asking;
mod book;
mod cdr;
mod clock;
mod commands;
mod device;
mod event;
mod frame;
mod login;
mod message;
mod older;
mod outgoing;
mod search;
mod session;
mod settings;
mod telephone;
mod text;

use cordboard_sdk::prelude::*;

pub use session::Session;

use settings::{Plan, SCHEMA};

/// The component.
pub struct Ami;

impl About for Ami {
    fn describe() -> Descriptor {
        Descriptor {
            hosts: vec!["{host}".to_owned()],
            commands: commands::COMMANDS.map(str::to_owned).to_vec(),
            ..descriptor!("Calls and commands through Asterisk's manager interface", SCHEMA)
        }
    }
}

impl Connection for Ami {
    type Session = Session;

    fn target(host: &dyn Host) -> Result<Address, Failure> {
        Plan::new(host.settings()).map(|plan| plan.address()).map_err(Failure::misconfigured)
    }
}

impl Pull for Ami {
    fn next(host: &dyn Host, job: Job, cursor: Option<Vec<u8>>) -> Result<Page, Failure> {
        let plan = Plan::new(host.settings()).map_err(Failure::misconfigured)?;
        cdr::page(host, &plan, &job, cursor.as_deref())
    }
}

cordboard_sdk::export!(Ami: about, connection, pull);
