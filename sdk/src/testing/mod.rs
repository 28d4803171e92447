//! A test bench: the component runs natively against a scripted outside.
//!
//! ```
//! use cordboard_sdk::prelude::*;
//! use cordboard_sdk::testing::Outside;
//!
//! let outside = Outside::new().settings(serde_json::json!({ "url": "https://crm.test" }));
//! outside.expect("POST", "/calls").body_json(serde_json::json!({ "id": "1" })).answer(201, r#""c-1""#);
//!
//! let host: &dyn Host = &outside;
//! let answer = Request::post("https://crm.test/calls").json(&serde_json::json!({ "id": "1" })).send(host);
//! assert_eq!(answer.expect("an answer").status, 201);
//! ```
//!
//! What is asked must be what is expected next, else the test fails on the spot and shows both; what is expected and
//! never asked fails it at the end.

mod asking;
mod compare;
mod exchange;
mod office;
mod outside;
mod schema;

pub use asking::Asking;
pub use exchange::{Exchange, Expected, Recording};
pub use office::Office;
pub use outside::{Expecting, Outside};
pub use schema::schema_agrees;

use crate::abilities::Change;
use crate::records::Item;
use crate::vocabulary::{Incoming, Kind, Subject};

/// A first delivery of a record, from the source `pbx`.
pub fn change(id: &str, item: impl Into<Item>) -> Change {
    let item = item.into();
    let kind = match &item {
        Item::Call(_) | Item::Other(_) => Kind::Call,
        Item::Message(_) => Kind::Message,
        Item::Contact(_) => Kind::Contact,
        Item::Conversation(_) => Kind::Conversation,
        Item::Session(_) => Kind::Session,
    };
    Change {
        subject: Subject { source: "pbx".to_owned(), kind, id: id.to_owned() },
        revision: 1,
        attempt: 1,
        external_id: None,
        memo: vec![],
        joined: vec![],
        item,
    }
}

/// A request that comes in with a POST.
pub fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Incoming {
    Incoming {
        method: "POST".to_owned(),
        path: path.to_owned(),
        query: None,
        headers: headers.iter().map(|(name, value)| (name.to_lowercase(), value.as_bytes().to_vec())).collect(),
        body: body.into(),
        received_at: outside::NOON,
    }
}
