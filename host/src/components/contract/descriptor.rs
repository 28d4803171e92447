//! Who a component says it is, and what its type says it can do.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeSeq};

/// Who a component says it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Descriptor {
    /// The word that tenant files use.
    pub name: String,
    /// The component's own version.
    pub version: String,
    /// One sentence for people.
    pub summary: String,
    /// JSON Schema of the settings.
    pub settings_schema: serde_json::Value,
    /// Host patterns, `{setting}` for the host of a URL in the settings.
    pub hosts: Vec<String>,
    /// How many changes one `deliver` takes. 1 or more.
    pub batch: u32,
    /// The rate that the outside system is known to allow.
    pub rate: Option<Rate>,
    /// The commands that it carries out.
    pub commands: Vec<String>,
}

/// So many requests in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many.
    pub requests: u32,
    /// In so long.
    pub per: Duration,
}

/// One interface of the contract that a component may export beside `about`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ability {
    /// A source that is told by HTTP.
    Webhook,
    /// A source behind a socket.
    Connection,
    /// A source that can be read.
    Pull,
    /// A source that can be asked.
    Commands,
    /// An adapter.
    Sink,
    /// Knows people by their number.
    Directory,
    /// Logs in.
    Grants,
    /// Makes what the outside system needs beforehand.
    Setup,
    /// Is called by the outside system.
    Endpoint,
}

impl Ability {
    /// All of them.
    pub const ALL: [Ability; 9] = [
        Ability::Webhook,
        Ability::Connection,
        Ability::Pull,
        Ability::Commands,
        Ability::Sink,
        Ability::Directory,
        Ability::Grants,
        Ability::Setup,
        Ability::Endpoint,
    ];

    /// The name of the interface.
    pub fn word(self) -> &'static str {
        match self {
            Ability::Webhook => "webhook",
            Ability::Connection => "connection",
            Ability::Pull => "pull",
            Ability::Commands => "commands",
            Ability::Sink => "sink",
            Ability::Directory => "directory",
            Ability::Grants => "grants",
            Ability::Setup => "setup",
            Ability::Endpoint => "endpoint",
        }
    }
}

impl fmt::Display for Ability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a component can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities(u16);

impl Abilities {
    /// Whether it can do this.
    pub fn has(self, ability: Ability) -> bool {
        self.0 & (1 << ability as u8) != 0
    }

    /// In the order of [`Ability::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Ability> {
        Ability::ALL.into_iter().filter(move |ability| self.has(*ability))
    }

    /// True when it can do nothing.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Ability> for Abilities {
    fn from_iter<I: IntoIterator<Item = Ability>>(abilities: I) -> Self {
        Abilities(abilities.into_iter().fold(0, |set, ability| set | (1 << ability as u8)))
    }
}

/// `sink, directory, grants`
impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, ability) in self.iter().enumerate() {
            write!(f, "{}{ability}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Serialize for Abilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for ability in self.iter() {
            list.serialize_element(ability.word())?;
        }
        list.end()
    }
}
