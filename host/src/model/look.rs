//! Fields by name: what conditions read of a record, and what fields there are to read.

use std::borrow::Cow;

use super::call::{CallPhase, Desk, Direction, Recording, Transfer};
use super::conversation::LastMessage;
use super::message::{Card, Location, Media, MessageStatus, Origin, Poll, Reaction};
use super::session::Pairing;
use super::{Agent, Call, Contact, Conversation, Identity, Instant, Item, Kind, Message, Phone, Session};

/// What kind of value a field has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// True or false.
    Flag,
    /// A whole number.
    Number,
    /// A text.
    Text,
    /// One of a closed list of words.
    Words(&'static [&'static str]),
    /// A moment, as RFC 3339 in UTC.
    Moment,
    /// Something with fields of its own.
    Thing(&'static [(&'static str, &'static Shape)]),
    /// Any number of one kind.
    List(&'static Shape),
    /// A name with a text: lists of them are looked into by name.
    Pair,
}

/// A value that was looked at.
pub enum Seen<'a> {
    /// Nobody knows it.
    Absent,
    /// True or false.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// Something with fields of its own.
    Thing(&'a dyn Fields),
    /// Any number of one kind.
    List(Vec<Seen<'a>>),
    /// A name with a text.
    Pair(&'a str, &'a str),
}

/// Something that has fields.
pub trait Fields {
    /// The field of that name.
    fn field(&self, name: &str) -> Seen<'_>;
    /// The names of all fields and what they are.
    fn fields(&self) -> &'static [(&'static str, &'static Shape)];
}

/// Something that can be looked at.
pub trait Look {
    /// What kind of value it is.
    const SHAPE: Shape;
    /// The value.
    fn look(&self) -> Seen<'_>;
}

impl Kind {
    /// The fields of a record of that kind.
    pub fn fields(self) -> &'static [(&'static str, &'static Shape)] {
        let shape = match self {
            Kind::Call => Call::SHAPE,
            Kind::Message => Message::SHAPE,
            Kind::Contact => Contact::SHAPE,
            Kind::Conversation => Conversation::SHAPE,
            Kind::Session => Session::SHAPE,
        };
        match shape {
            Shape::Thing(fields) => fields,
            _ => &[],
        }
    }
}

impl Item {
    /// The record's fields.
    pub fn fields(&self) -> &dyn Fields {
        match self {
            Item::Call(call) => call,
            Item::Message(message) => message,
            Item::Contact(contact) => contact,
            Item::Conversation(conversation) => conversation,
            Item::Session(session) => session,
        }
    }

    /// The value at a path of names; absent where the path ends early.
    pub fn at<'n>(&self, path: impl Iterator<Item = &'n str>) -> Seen<'_> {
        let mut seen = Seen::Thing(self.fields());
        for name in path {
            seen = match seen {
                Seen::Thing(thing) => thing.field(name),
                Seen::List(pairs) => {
                    let mut values = pairs.into_iter().filter_map(|pair| match pair {
                        Seen::Pair(own, value) if own == name => Some(Seen::Text(Cow::Borrowed(value))),
                        _ => None,
                    });
                    values.next().unwrap_or(Seen::Absent)
                }
                _ => return Seen::Absent,
            };
        }
        seen
    }
}

impl<T: Look> Look for Option<T> {
    const SHAPE: Shape = T::SHAPE;

    fn look(&self) -> Seen<'_> {
        self.as_ref().map_or(Seen::Absent, Look::look)
    }
}

impl<T: Look> Look for Vec<T> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);

    fn look(&self) -> Seen<'_> {
        Seen::List(self.iter().map(Look::look).collect())
    }
}

impl Look for String {
    const SHAPE: Shape = Shape::Text;

    fn look(&self) -> Seen<'_> {
        Seen::Text(Cow::Borrowed(self))
    }
}

impl Look for (String, String) {
    const SHAPE: Shape = Shape::Pair;

    fn look(&self) -> Seen<'_> {
        Seen::Pair(&self.0, &self.1)
    }
}

impl Look for bool {
    const SHAPE: Shape = Shape::Flag;

    fn look(&self) -> Seen<'_> {
        Seen::Flag(*self)
    }
}

impl Look for Instant {
    const SHAPE: Shape = Shape::Moment;

    fn look(&self) -> Seen<'_> {
        Seen::Text(Cow::Owned(self.to_string()))
    }
}

macro_rules! numbers {
    ($($ty:ty),+) => {
        $(impl Look for $ty {
            const SHAPE: Shape = Shape::Number;

            fn look(&self) -> Seen<'_> {
                Seen::Number((*self).try_into().unwrap_or(i64::MAX))
            }
        })+
    };
}
numbers!(u16, u32, u64, i32);

macro_rules! words {
    ($($ty:ident { $($case:ident: $word:literal),+ })+) => {
        $(impl Look for $ty {
            const SHAPE: Shape = Shape::Words(&[$($word),+]);

            fn look(&self) -> Seen<'_> {
                Seen::Text(Cow::Borrowed(match self {
                    $($ty::$case => $word,)+
                }))
            }
        })+
    };
}
words! {
    CallPhase { Ringing: "ringing", Answered: "answered", Ended: "ended" }
    Direction { Inbound: "inbound", Outbound: "outbound", Internal: "internal" }
    MessageStatus {
        Queued: "queued", Sent: "sent", Failed: "failed", Delivered: "delivered", Read: "read", Played: "played"
    }
    Origin { Historic: "historic", Live: "live" }
}

/// Makes the named fields of a type readable.
macro_rules! look {
    ($($ty:ident { $($field:ident: $fty:ty),+ $(,)? })+) => {
        $(impl $crate::model::look::Look for $ty {
            const SHAPE: $crate::model::look::Shape = $crate::model::look::Shape::Thing(&[
                $((stringify!($field), &<$fty as $crate::model::look::Look>::SHAPE),)+
            ]);

            fn look(&self) -> $crate::model::look::Seen<'_> {
                $crate::model::look::Seen::Thing(self)
            }
        }

        impl $crate::model::look::Fields for $ty {
            fn field(&self, name: &str) -> $crate::model::look::Seen<'_> {
                $(if name == stringify!($field) {
                    return $crate::model::look::Look::look(&self.$field);
                })+
                $crate::model::look::Seen::Absent
            }

            fn fields(&self) -> &'static [(&'static str, &'static $crate::model::look::Shape)] {
                match <$ty as $crate::model::look::Look>::SHAPE {
                    $crate::model::look::Shape::Thing(fields) => fields,
                    _ => &[],
                }
            }
        })+
    };
}
pub(super) use look;

// An agent's user is filled in for each sink, and is no part of the record.
look! {
    Agent { extension: Option<String>, name: Option<String> }
    Phone { raw: String, e164: Option<String>, national: Option<String> }
    Identity { scheme: String, value: String }
    Location { latitude_e6: i32, longitude_e6: i32, name: Option<String>, address: Option<String> }
    Poll { question: String, options: Vec<String>, choices: u32 }
    Card { name: String, numbers: Vec<String> }
    Reaction { by: String, emoji: Option<String>, at: Instant }
    LastMessage { at: Instant, id: Option<String>, preview: String, outgoing: bool }
    Pairing { expires_at: Instant, code: String }
    Desk { extension: String, rang_at: Instant, answered_at: Option<Instant>, stopped_at: Option<Instant> }
    Recording { id: String, url: Option<String>, media_type: Option<String>, duration: Option<u32> }
    Transfer { at: Instant, kind: String, by: Option<String>, to: Option<String>, answered: Option<bool> }
    Media {
        id: String,
        media_type: Option<String>,
        file_name: Option<String>,
        size: Option<u64>,
        url: Option<String>,
        sha256: Option<String>,
        duration: Option<u32>,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Party;
    use super::*;

    fn text(item: &Item, path: &str) -> Option<String> {
        match item.at(path.split('.')) {
            Seen::Text(text) => Some(text.into_owned()),
            Seen::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    #[test]
    fn values_by_path() {
        let item = Item::Call(Call {
            phase: Some(CallPhase::Ringing),
            duration: Some(7),
            caller: Some(Party { number: Some(Phone::raw("1001")), ..Party::default() }),
            attributes: vec![("vip".into(), "yes".into())],
            ..Call::default()
        });
        assert_eq!(text(&item, "phase").as_deref(), Some("ringing"));
        assert_eq!(text(&item, "duration").as_deref(), Some("7"));
        assert_eq!(text(&item, "caller.number.raw").as_deref(), Some("1001"));
        assert_eq!(text(&item, "callee.number.raw"), None);
        assert_eq!(text(&item, "attributes.vip").as_deref(), Some("yes"));
        assert_eq!(text(&item, "attributes.other"), None);
    }

    #[test]
    fn words_are_those_of_json() {
        for kind in Kind::ALL {
            assert!(!kind.fields().is_empty());
        }
        for (_, shape) in Kind::ALL.iter().flat_map(|kind| kind.fields()) {
            if let Shape::Words(words) = shape {
                assert!(words.iter().all(|word| word.chars().all(|c| c.is_ascii_lowercase())));
            }
        }
        let words = Shape::Words(&["ringing", "answered", "ended"]);
        assert_eq!(CallPhase::SHAPE, words);
        for phase in [CallPhase::Ringing, CallPhase::Answered, CallPhase::Ended] {
            let json = serde_json::to_value(phase).unwrap();
            assert!(matches!(phase.look(), Seen::Text(text) if json == *text));
        }
    }
}
