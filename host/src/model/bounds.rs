//! What a source may report: bounds on ids, texts and lists, so that one odd observation cannot swell the ledger.

use std::cell::Cell;
use std::fmt;

use serde::ser::{self, Impossible, Serialize, Serializer};

use super::Observation;

/// Bytes of an id.
pub const ID: usize = 255;
/// Ids under which a subject may also be known.
const ALSO: usize = 16;
/// Elements of a list.
const LIST: usize = 1000;
/// Bytes of text in one observation.
const TOTAL: usize = 768 << 10;

/// Bytes that a field's text may have.
fn longest(field: &str) -> usize {
    match field {
        "text" => 256 << 10,
        "notes" => 64 << 10,
        "code" => 16 << 10,
        "url" | "picture" => 4 << 10,
        "raw" => 160,
        _ => 1 << 10,
    }
}

/// Bytes that the value of an attribute may have.
const ATTRIBUTE: usize = 8 << 10;

/// Why an observation is not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The field, as a path: `call.recordings[2].url`.
    pub field: String,
    /// What is wrong with it.
    pub why: String,
}

impl Rejected {
    fn new(why: impl Into<String>) -> Self {
        Rejected { field: String::new(), why: why.into() }
    }

    fn under(mut self, field: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{field}{dot}{}", self.field);
        self
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.field, self.why)
    }
}

impl std::error::Error for Rejected {}

impl ser::Error for Rejected {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Rejected::new(why.to_string())
    }
}

impl Observation {
    /// Whether the observation is within bounds.
    pub fn check(&self) -> Result<(), Rejected> {
        check_id(&self.id).map_err(|why| why.under("id"))?;
        if self.also.len() > ALSO {
            return Err(Rejected::new(format!("has {} ids and may have {ALSO}", self.also.len())).under("also"));
        }
        for id in &self.also {
            check_id(id).map_err(|why| why.under("also"))?;
        }
        let left = Cell::new(TOTAL);
        self.item.serialize(Walk { longest: longest(""), left: &left })
    }
}

fn check_id(id: &str) -> Result<(), Rejected> {
    match id {
        "" => Err(Rejected::new("is empty")),
        long if long.len() > ID => Err(Rejected::new(format!("is {} bytes long and may have {ID}", long.len()))),
        odd if odd.chars().any(char::is_control) => Err(Rejected::new("has a control character in it")),
        _ => Ok(()),
    }
}

/// Goes through every text and list of a record and writes nothing.
#[derive(Clone, Copy)]
struct Walk<'a> {
    longest: usize,
    left: &'a Cell<usize>,
}

/// Goes through the parts of a thing.
struct Parts<'a> {
    walk: Walk<'a>,
    at: usize,
}

impl<'a> Walk<'a> {
    fn parts(self) -> Parts<'a> {
        Parts { walk: self, at: 0 }
    }
}

macro_rules! nothing_to_check {
    ($($name:ident: $ty:ty,)+) => {
        $(fn $name(self, _: $ty) -> Result<(), Rejected> {
            Ok(())
        })+
    };
}

impl<'a> Serializer for Walk<'a> {
    type Ok = ();
    type Error = Rejected;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Impossible<(), Rejected>;
    type SerializeTupleVariant = Impossible<(), Rejected>;
    type SerializeMap = Impossible<(), Rejected>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Impossible<(), Rejected>;

    nothing_to_check! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_bytes: &[u8],
        serialize_unit_struct: &'static str,
    }

    fn serialize_str(self, text: &str) -> Result<(), Rejected> {
        if text.len() > self.longest {
            return Err(Rejected::new(format!("is {} bytes long and may have {}", text.len(), self.longest)));
        }
        if text.as_bytes().contains(&0) {
            return Err(Rejected::new("has a NUL character in it"));
        }
        match self.left.get().checked_sub(text.len()) {
            Some(left) => self.left.set(left),
            None => return Err(Rejected::new(format!("brings the texts of the observation over {TOTAL} bytes"))),
        }
        Ok(())
    }

    /// Moments are within bounds by their type.
    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), Rejected> {
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Rejected> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Rejected> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Rejected> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Rejected> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Rejected> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Rejected> {
        value.serialize(self).map_err(|why| why.under(variant))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Parts<'a>, Rejected> {
        match length {
            Some(length) if length > LIST => Err(Rejected::new(format!("has {length} elements and may have {LIST}"))),
            _ => Ok(self.parts()),
        }
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, Rejected> {
        Ok(Walk { longest: ATTRIBUTE, ..self }.parts())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, Rejected> {
        Ok(self.parts())
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Impossible<(), Rejected>, Rejected> {
        Err(ser::Error::custom(name))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Rejected>, Rejected> {
        Err(ser::Error::custom(name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Impossible<(), Rejected>, Rejected> {
        Err(ser::Error::custom("a map"))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Rejected>, Rejected> {
        Err(ser::Error::custom(name))
    }
}

impl ser::SerializeSeq for Parts<'_> {
    type Ok = ();
    type Error = Rejected;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Rejected> {
        value.serialize(self.walk).map_err(|why| why.under(&format!("[{}]", self.at)))?;
        self.at += 1;
        Ok(())
    }

    fn end(self) -> Result<(), Rejected> {
        Ok(())
    }
}

impl ser::SerializeTuple for Parts<'_> {
    type Ok = ();
    type Error = Rejected;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Rejected> {
        ser::SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<(), Rejected> {
        Ok(())
    }
}

impl ser::SerializeStruct for Parts<'_> {
    type Ok = ();
    type Error = Rejected;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, field: &'static str, value: &T) -> Result<(), Rejected> {
        value.serialize(Walk { longest: longest(field), ..self.walk }).map_err(|why| why.under(field))
    }

    fn end(self) -> Result<(), Rejected> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::Recording;
    use super::super::{Call, Identity, Item, Message, Party, Phone, Trust};
    use super::*;

    fn check(item: Item) -> Result<(), String> {
        let observation = Observation { id: "c1".into(), also: Vec::new(), at: None, trust: Trust::Reported, item };
        observation.check().map_err(|rejected| rejected.to_string())
    }

    #[test]
    fn ids() {
        let with = |id: &str, also: Vec<String>| {
            let item = Item::Call(Call::default());
            Observation { id: id.into(), also, at: None, trust: Trust::Reported, item }.check()
        };
        assert_eq!(with("c1", vec!["c2".into()]), Ok(()));
        assert_eq!(with(&"x".repeat(255), Vec::new()), Ok(()));
        let why = |id: &str, also| with(id, also).map_err(|rejected| rejected.to_string()).unwrap_err();
        assert_eq!(why("", Vec::new()), "`id` is empty");
        assert_eq!(why(&"x".repeat(10_000), Vec::new()), "`id` is 10000 bytes long and may have 255");
        assert_eq!(why("a\u{0}b", Vec::new()), "`id` has a control character in it");
        assert_eq!(why("a", vec![String::new()]), "`also` is empty");
        assert_eq!(why("a", vec!["b".into(); 17]), "`also` has 17 ids and may have 16");
    }

    #[test]
    fn texts_and_lists() {
        let number = |raw: String| Some(Party { number: Some(Phone::raw(raw)), ..Party::default() });
        assert_eq!(check(Item::Call(Call { caller: number("9".repeat(60)), ..Call::default() })), Ok(()));
        assert_eq!(
            check(Item::Call(Call { caller: number("9".repeat(200)), ..Call::default() })).unwrap_err(),
            "`call.caller.number.raw` is 200 bytes long and may have 160"
        );
        let recording =
            |url: &str| Recording { id: "r".into(), url: Some(url.into()), media_type: None, duration: None };
        let recordings = vec![recording("https://pbx.example/r.wav"), recording("a\u{0}")];
        assert_eq!(
            check(Item::Call(Call { recordings, ..Call::default() })).unwrap_err(),
            "`call.recordings[1].url` has a NUL character in it"
        );
        let attributes = vec![("a".to_owned(), "x".repeat(9000))];
        assert_eq!(
            check(Item::Call(Call { attributes, ..Call::default() })).unwrap_err(),
            "`call.attributes[0][1]` is 9000 bytes long and may have 8192"
        );
        assert_eq!(check(Item::Call(Call { notes: Some("é\n".repeat(20_000)), ..Call::default() })), Ok(()));
        let ids = vec![Identity { scheme: "jid".into(), value: "x".into() }; 1001];
        let contact = super::super::Contact { ids, ..Default::default() };
        assert_eq!(check(Item::Contact(contact)).unwrap_err(), "`contact.ids` has 1001 elements and may have 1000");
        let labels = vec!["x".repeat(1000); 1000];
        let contact = super::super::Contact { labels, ..Default::default() };
        assert_eq!(
            check(Item::Contact(contact)).unwrap_err(),
            "`contact.labels[786]` brings the texts of the observation over 786432 bytes"
        );
        assert_eq!(check(Item::Message(Message { text: Some("x".repeat(200_000)), ..Message::default() })), Ok(()));
    }
}
