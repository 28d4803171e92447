//! The people at both ends of a call or a message.

use serde::{Deserialize, Serialize};

use super::join::{Element, Fact, Join, Set, Stamp};
use super::phone::Phone;
use super::record::{self, Parts};

/// Somebody who answers: an extension at the PBX, a user in a CRM.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Agent {
    /// The extension at the PBX.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// The display name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The user's id in the outside system that is being spoken to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Defines a thing whose parts merge one by one.
macro_rules! parts {
    ($(#[$doc:meta])* $plain:ident, $merged:ident { $($(#[$fdoc:meta])* $field:ident: $rule:ident $ty:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $plain {
            $($(#[$fdoc])*
            #[serde(skip_serializing_if = "record::absent")]
            pub $field: record::record!(@plain $rule $ty),)+
        }

        /// The merged form.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $merged {
            $(#[serde(skip_serializing_if = "record::absent")]
            $field: record::record!(@merged $rule $ty),)+
        }

        impl Join for $merged {
            fn join(&mut self, other: Self) -> bool {
                let mut changed = false;
                $(changed |= self.$field.join(other.$field);)+
                changed
            }
        }

        $crate::model::look::look! { $plain { $($field: record::record!(@plain $rule $ty)),+ } }

        impl Parts for $plain {
            type Merged = $merged;

            fn merged(self, stamp: Stamp) -> $merged {
                $merged { $($field: record::record!(@of $rule self.$field, stamp),)+ }
            }

            fn plain(merged: &$merged) -> Self {
                $plain { $($field: record::record!(@view $rule merged.$field),)+ }
            }
        }
    };
}

parts! {
    /// One side of a call.
    Party, MergedParty {
        /// Absent when withheld.
        number: fact Phone,
        /// The name that came with the call: any text that a stranger chose.
        name: fact String,
        /// Set for the tenant's own people.
        agent: fact Agent,
    }
}

parts! {
    /// The sender or the receiver of a message.
    Correspondent, MergedCorrespondent {
        /// Who they are on the channel.
        ids: set Identity,
        /// Their number, when they have one.
        number: fact Phone,
        /// The name that came with the message.
        name: fact String,
        /// Set for the tenant's own people.
        agent: fact Agent,
    }
}

/// Who somebody is on a channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// `phone`, `jid`, `lid`, `user-id`, `email`, ….
    pub scheme: String,
    /// The id itself.
    pub value: String,
}

impl Element for Identity {
    type Key = (String, String);
    type Body = ();

    fn split(self, _stamp: Stamp) -> (Self::Key, ()) {
        ((self.scheme, self.value), ())
    }

    fn unite((scheme, value): &Self::Key, (): &()) -> Self {
        Identity { scheme: scheme.clone(), value: value.clone() }
    }
}

/// A label.
impl Element for String {
    type Key = String;
    type Body = ();

    fn split(self, _stamp: Stamp) -> (String, ()) {
        (self, ())
    }

    fn unite(key: &String, (): &()) -> Self {
        key.clone()
    }
}

/// An attribute: what the contract has no field for. For one name the latest value stays.
impl Element for (String, String) {
    type Key = String;
    type Body = Fact<String>;

    fn split(self, stamp: Stamp) -> (String, Fact<String>) {
        (self.0, Fact { value: self.1, stamp })
    }

    fn unite(key: &String, body: &Fact<String>) -> Self {
        (key.clone(), body.value.clone())
    }
}
