//! A source's own tie to the outside: a paired account, a connection to a PBX.

use serde::{Deserialize, Serialize};

use super::Instant;
use super::join::{Fact, Join, Set, Stamp};
use super::phone::Phone;
use super::record::{self, record};

record! {
    /// One tie.
    Session, MergedSession {
        /// `starting`, `pairing`, `connected`, `disconnected`, `throttled`, `banned`, `failed`, `unknown`, ….
        state: fact String,
        /// Why it is so.
        reason: fact String,
        /// The account in words.
        name: fact String,
        /// The tenant's own number.
        number: fact Phone,
        /// When the present state began.
        since: fact Instant,
        /// What to show for pairing; never stored past its expiry.
        pairing: fact Pairing,
        /// What the contract has no field for.
        attributes: set (String, String),
    }
}

/// What to show a person who pairs a device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairing {
    /// When it stops working.
    pub expires_at: Instant,
    /// The text of the QR code, or a data URL of its picture.
    pub code: String,
}
