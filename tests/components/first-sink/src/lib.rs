//! The smallest sink. What is built from it at each released version of the contract is kept under `tests/fixtures`
//! and must load for ever.

#![cfg(target_family = "wasm")]
#![allow(missing_docs, unsafe_code, unused_qualifications, reason = "a tool makes the bindings")]

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:first;
        world first {
            export cordboard:hub/about@1.0.0;
            export cordboard:hub/sink@1.0.0;
        }
    ",
    generate_all,
});

use cordboard::hub::vocabulary::Failure;
use exports::cordboard::hub::{about, sink};

struct First;

export!(First);

impl about::Guest for First {
    fn describe() -> about::Descriptor {
        about::Descriptor {
            name: "first-sink".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "The smallest sink.".to_owned(),
            settings_schema: "{}".to_owned(),
            hosts: Vec::new(),
            batch: 1,
            rate: None,
            commands: Vec::new(),
        }
    }
}

impl sink::Guest for First {
    fn deliver(changes: Vec<sink::Change>) -> Vec<sink::Outcome> {
        let done = |change: sink::Change| {
            sink::Outcome::Done(sink::Receipt {
                external_id: Some(change.subject.id),
                url: None,
                shortened: Vec::new(),
                memo: change.memo,
            })
        };
        changes.into_iter().map(done).collect()
    }

    fn check() -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }
}
