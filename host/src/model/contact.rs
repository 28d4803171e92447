//! Somebody outside, as a source knows them.

use serde::{Deserialize, Serialize};

use super::join::{Element, Fact, Join, Set, Stamp};
use super::party::Identity;
use super::phone::Phone;
use super::record::{self, record};

record! {
    /// One person or business.
    Contact, MergedContact {
        /// Who they are on the channel.
        ids: set Identity,
        /// Their numbers.
        numbers: set Phone,
        /// The name in the tenant's own address book.
        name: fact String,
        /// The name that the person chose.
        push_name: fact String,
        /// The name that the channel has verified.
        verified_name: fact String,
        /// A business.
        business: fact bool,
        /// Blocked by the tenant.
        blocked: fact bool,
        /// Link to a picture.
        picture: fact String,
        /// The tenant's labels.
        labels: set String,
        /// What the contract has no field for.
        attributes: set (String, String),
    }
}

impl Element for Phone {
    type Key = String;
    type Body = Fact<Phone>;

    fn split(self, stamp: Stamp) -> (String, Fact<Phone>) {
        (self.raw.clone(), Fact { value: self, stamp })
    }

    fn unite(_raw: &String, body: &Fact<Phone>) -> Self {
        body.value.clone()
    }
}
