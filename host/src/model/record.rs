//! The macro that defines a kind of record: each field once, with its merge rule.

use serde::{Deserialize, Serialize};

use super::join::{Join, Stamp};

/// Defines a record twice over from one list of fields: the plain form, where a field is there or not (what a source
/// observed, what adapters, events and the API show), and the merged form that the ledger keeps.
///
/// The rules are `furthest`, `earliest`, `fact`, `parts` (a thing whose parts merge one by one; plain type `Option<T>` in
/// all four) and `set` (plain type `Vec<T>`).
macro_rules! record {
    ($(#[$doc:meta])* $plain:ident, $merged:ident { $($(#[$fdoc:meta])* $field:ident: $rule:ident $ty:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $plain {
            $($(#[$fdoc])*
            #[serde(skip_serializing_if = "record::absent")]
            pub $field: record!(@plain $rule $ty),)+
        }

        impl $plain {
            /// The names of the fields in which the two differ.
            pub fn differing(&self, other: &Self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.$field != other.$field {
                    names.push(stringify!($field));
                })+
                names
            }
        }

        /// The merged form: each field with what its merge rule needs to know.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $merged {
            $(#[serde(skip_serializing_if = "record::absent")]
            $field: record!(@merged $rule $ty),)+
        }

        impl $merged {
            /// What one observation says.
            pub fn of(plain: $plain, stamp: Stamp) -> Self {
                $merged { $($field: record!(@of $rule plain.$field, stamp),)+ }
            }

            /// The names of the fields of which anything is known.
            pub fn present(&self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if !record::absent(&self.$field) {
                    names.push(stringify!($field));
                })+
                names
            }

            /// Takes `other` in; calls `changed` with the name of each field that this changed.
            pub fn join(&mut self, other: Self, changed: &mut Vec<&'static str>) {
                $(if Join::join(&mut self.$field, other.$field) {
                    changed.push(stringify!($field));
                })+
            }

            /// The plain form: what is known now.
            pub fn plain(&self) -> $plain {
                $plain { $($field: record!(@view $rule self.$field),)+ }
            }
        }

        $crate::model::look::look! { $plain { $($field: record!(@plain $rule $ty)),+ } }
    };
    (@plain set $ty:ty) => { Vec<$ty> };
    (@plain $rule:ident $ty:ty) => { Option<$ty> };
    (@merged furthest $ty:ty) => { Option<Furthest<$ty>> };
    (@merged earliest $ty:ty) => { Option<Earliest> };
    (@merged fact $ty:ty) => { Option<Fact<$ty>> };
    (@merged parts $ty:ty) => { Option<<$ty as Parts>::Merged> };
    (@merged set $ty:ty) => { Set<$ty> };
    (@of furthest $value:expr, $stamp:expr) => { $value.map(Furthest) };
    (@of earliest $value:expr, $stamp:expr) => { $value.map(Earliest) };
    (@of fact $value:expr, $stamp:expr) => { $value.map(|value| Fact { value, stamp: $stamp }) };
    (@of parts $value:expr, $stamp:expr) => { $value.map(|value| value.merged($stamp)) };
    (@of set $value:expr, $stamp:expr) => { Set::of($value, $stamp) };
    (@view furthest $value:expr) => { $value.map(|furthest| furthest.0) };
    (@view earliest $value:expr) => { $value.map(|earliest| earliest.0) };
    (@view fact $value:expr) => { $value.as_ref().map(|fact| fact.value.clone()) };
    (@view parts $value:expr) => { $value.as_ref().map(Parts::plain) };
    (@view set $value:expr) => { $value.elements() };
}
pub(super) use record;

/// Defines an element of a set: the fields that say which one it is, and the fields that merge.
macro_rules! element {
    ($(#[$doc:meta])* $name:ident, $body:ident [ $($(#[$kdoc:meta])* $key:ident: $kty:ty),+ ]
     { $($(#[$fdoc:meta])* $field:ident: $rule:ident $ty:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$kdoc])* pub $key: $kty,)+
            $($(#[$fdoc])*
            #[serde(default, skip_serializing_if = "record::absent")]
            pub $field: record!(@plain $rule $ty),)+
        }

        /// What is kept for the element.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct $body {
            $(#[serde(skip_serializing_if = "record::absent")]
            $field: record!(@merged $rule $ty),)+
        }

        impl Join for $body {
            fn join(&mut self, other: Self) -> bool {
                let mut changed = false;
                $(changed |= self.$field.join(other.$field);)+
                changed
            }
        }

        impl Element for $name {
            type Key = ($($kty,)+);
            type Body = $body;

            fn split(self, stamp: Stamp) -> (Self::Key, Self::Body) {
                let _ = stamp;
                (($(self.$key,)+), $body { $($field: record!(@of $rule self.$field, stamp),)+ })
            }

            fn unite(key: &Self::Key, body: &Self::Body) -> Self {
                let ($($key,)+) = key.clone();
                $name { $($key,)+ $($field: record!(@view $rule body.$field),)+ }
            }
        }
    };
}
pub(super) use element;

/// A thing whose parts merge one by one.
pub trait Parts {
    /// The merged form.
    type Merged: Join + Clone + std::fmt::Debug + PartialEq + Eq + Serialize + for<'de> Deserialize<'de>;

    /// What one observation says.
    fn merged(self, stamp: Stamp) -> Self::Merged;
    /// What is known now.
    fn plain(merged: &Self::Merged) -> Self;
}

/// What serialization leaves out.
pub(super) trait Absent {
    fn absent(&self) -> bool;
}

impl<T> Absent for Option<T> {
    fn absent(&self) -> bool {
        self.is_none()
    }
}

impl<T> Absent for Vec<T> {
    fn absent(&self) -> bool {
        self.is_empty()
    }
}

impl<E: super::join::Element> Absent for super::join::Set<E> {
    fn absent(&self) -> bool {
        self.is_empty()
    }
}

pub(super) fn absent<T: Absent>(value: &T) -> bool {
    value.absent()
}
