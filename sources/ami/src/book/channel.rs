//! One channel, for as long as its call is kept.

use std::cell::Cell;

use crate::settings::Place;

/// Which side of a call a channel stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// With who placed the call.
    Caller,
    /// With whom it was placed to.
    Callee,
}

impl Side {
    /// The other side.
    pub fn other(self) -> Self {
        match self {
            Side::Caller => Side::Callee,
            Side::Callee => Side::Caller,
        }
    }

    /// As a record says it.
    pub fn word(self) -> &'static str {
        match self {
            Side::Caller => "caller",
            Side::Callee => "callee",
        }
    }
}

/// States of channels that mean something here.
pub const RING: u8 = 4;
pub const RINGING: u8 = 5;
pub const UP: u8 = 6;
pub const BUSY: u8 = 7;

/// One channel.
#[derive(Debug)]
pub struct Channel {
    /// Its key at the PBX.
    pub uid: Box<[u8]>,
    /// Its name now.
    pub name: Box<[u8]>,
    /// Who is there.
    pub place: Place,
    /// Where it stands.
    pub side: Side,
    /// The call it belongs to.
    pub call: usize,
    /// Down to Up.
    pub state: u8,
    /// Hung up.
    pub gone: bool,
    /// The bridge it is in.
    pub bridge: Option<Box<[u8]>>,
    /// The key of a Local channel's other half; set on the half that goes on in the dialplan.
    pub first_half: Option<Box<[u8]>>,
    /// What the second half finds it by; set on the half that is dialled. Its name may become another.
    pub pair: Option<Box<[u8]>>,
    /// What was dialled on it first.
    pub dialled: Option<String>,
    /// Whether it has put the other side on hold; nobody knows after a connection was lost meanwhile.
    pub holds: Option<bool>,
    /// The list of channels after a connect has named it, or an event has since.
    pub confirmed: Cell<bool>,
    /// Its beginning was seen.
    pub begun: bool,
}

impl Channel {
    /// Whether somebody is there.
    pub fn is_party(&self) -> bool {
        self.place != Place::Local
    }

    /// The extension, when one of the tenant's telephones is there.
    pub fn extension(&self) -> Option<&str> {
        match &self.place {
            Place::Extension(extension) => Some(extension),
            _ => None,
        }
    }
}
