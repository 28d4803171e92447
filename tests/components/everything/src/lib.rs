//! Every interface of the contract, written with the SDK, each as small as can be while still saying whether what went
//! in came through.

mod desk;
mod line;

use cordboard_sdk::prelude::*;

/// The component.
pub struct Everything;

impl About for Everything {
    fn describe() -> Descriptor {
        Descriptor {
            hosts: vec!["{url}".to_owned(), "{line}".to_owned()],
            batch: 100,
            rate: Some(Rate { requests: 1000, per: 1000 }),
            commands: ["call.originate", "message.send", "call.hangup", "call.fly"].map(str::to_owned).to_vec(),
            ..descriptor!("Exports every interface of the contract", include_str!("../settings.schema.json"))
        }
    }
}

cordboard_sdk::export!(
    Everything: about, webhook, connection, pull, commands, sink, directory, grants, endpoint
);
