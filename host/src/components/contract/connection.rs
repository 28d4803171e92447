//! A source behind a socket: what happened, and what is to be done.

use std::time::Duration;

use super::{Command, CommandOutcome, Failure, Job};
use crate::model::{Instant, Item, Observation};

/// Where to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
}

/// Something that the source reported and that has not come to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// The subject's id at the source.
    pub id: String,
    /// What is known of it.
    pub item: Item,
}

/// What sessions before this one have left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Left {
    /// When the source last reported anything.
    pub heard: Instant,
    /// The calls that had not ended.
    pub unfinished: Vec<Unfinished>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The first input of a session, when the source has ever reported anything.
    Left(Left),
    /// The connection stands.
    Opened,
    /// Bytes came.
    Bytes(Vec<u8>),
    /// The timer with this number has gone off.
    Timer(u32),
    /// The connection is gone.
    Closed(String),
    /// To be carried out.
    Command(Command),
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Send bytes.
    Send(Vec<u8>),
    /// Report a sighting.
    Observe(Box<Observation>),
    /// Start the timer anew.
    SetTimer {
        /// Which one.
        number: u32,
        /// When it goes off.
        after: Duration,
    },
    /// Stop the timer.
    CancelTimer(u32),
    /// Close the connection and open a new one.
    Reconnect {
        /// For the log.
        why: String,
        /// Trying again soon cannot help.
        misconfigured: bool,
    },
    /// The outcome of a command.
    Answer {
        /// The id of the command.
        command: String,
        /// What came of it.
        result: Result<CommandOutcome, Failure>,
    },
    /// Start reading.
    Start(Job),
    /// The state to show for the source.
    Status(String),
    /// A case of a later version of the contract: its name and text. To be logged and passed over.
    Other(String, String),
}
