//! What `wit-bindgen` makes of the contract; nothing here is written by hand but the options.
//!
//! `base` holds the types and the hub's own functions. A component exports whichever interfaces it likes, which no
//! single WIT world can say: so each interface has a world of its own, all sharing the types of `base`, and the linker
//! joins the worlds whose `export!` a component uses.
#![allow(missing_docs, unsafe_code, unused_qualifications, clippy::all, clippy::unwrap_used)]

pub mod base {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world base {
            import cordboard:hub/vocabulary@1.0.0; import cordboard:hub/records@1.0.0; import cordboard:hub/host@1.0.0;
            import cordboard:hub/ledger@1.0.0;
        }",
        generate_all,
        generate_unused_types: true,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        additional_type_attributes: {
            "cordboard:hub/vocabulary@1.0.0/phone": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/agent": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/party": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/request": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/response": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/grant": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/job": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/retryable": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/rejected": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/command": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/call": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/desk": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/recording": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/transfer": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/identity": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/correspondent": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/message": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/media": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/location": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/card": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/poll": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/reaction": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/contact": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/conversation": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/last-message": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/session": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/records@1.0.0/pairing": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/vocabulary@1.0.0/kind": [#[derive(Default)] #[serde(rename_all = "kebab-case")]],
            "cordboard:hub/vocabulary@1.0.0/failure-class": [#[derive(Default)] #[serde(rename_all = "kebab-case")]],
            "cordboard:hub/records@1.0.0/trust": [#[derive(Default)] #[serde(rename_all = "kebab-case")]],
            "cordboard:hub/records@1.0.0/call-phase": [#[serde(rename_all = "kebab-case")]],
            "cordboard:hub/records@1.0.0/direction": [#[serde(rename_all = "kebab-case")]],
            "cordboard:hub/records@1.0.0/message-status": [#[serde(rename_all = "kebab-case")]],
            "cordboard:hub/records@1.0.0/origin": [#[serde(rename_all = "kebab-case")]],
            "cordboard:hub/host@1.0.0/rows": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/ledger@1.0.0/selection": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/ledger@1.0.0/page": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/ledger@1.0.0/person": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/host@1.0.0/level": [#[serde(rename_all = "kebab-case")]],
            "cordboard:hub/vocabulary@1.0.0/failure": [#[serde(rename_all = "kebab-case")]],
            "cordboard:hub/vocabulary@1.0.0/command-outcome": [#[serde(rename_all = "kebab-case")]],
            "cordboard:hub/records@1.0.0/item": [#[serde(rename_all = "kebab-case")]],
        },
        additional_member_attributes: {
            "cordboard:hub/vocabulary@1.0.0/kind.call": [#[default]],
            "cordboard:hub/vocabulary@1.0.0/failure-class.passing": [#[default]],
            "cordboard:hub/records@1.0.0/trust.reported": [#[default]],
        },
    });
}

pub mod about {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world about { export cordboard:hub/about@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::about",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        additional_type_attributes: {
            "cordboard:hub/about@1.0.0/descriptor": [#[derive(Default)] #[serde(default)]],
        },
    });
}

pub mod webhook {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world webhook { export cordboard:hub/webhook@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::webhook",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: {
            "cordboard:hub/vocabulary@1.0.0": crate::bindings::base::cordboard::hub::vocabulary,
            "cordboard:hub/records@1.0.0": crate::bindings::base::cordboard::hub::records,
        },
        additional_type_attributes: {
            "cordboard:hub/webhook@1.0.0/accepted": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/webhook@1.0.0/malformed": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/webhook@1.0.0/refusal": [#[serde(rename_all = "kebab-case")]],
        },
    });
}

pub mod connection {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world connection { export cordboard:hub/connection@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::connection",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        additional_derives_ignore: ["session"],
        with: {
            "cordboard:hub/vocabulary@1.0.0": crate::bindings::base::cordboard::hub::vocabulary,
            "cordboard:hub/records@1.0.0": crate::bindings::base::cordboard::hub::records,
        },
        additional_type_attributes: {
            "cordboard:hub/connection@1.0.0/address": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/connection@1.0.0/timer": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/connection@1.0.0/reconnect": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/connection@1.0.0/input": [#[serde(rename_all = "kebab-case")]],
            "cordboard:hub/connection@1.0.0/action": [#[serde(rename_all = "kebab-case")]],
        },
    });
}

pub mod pull {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world pull { export cordboard:hub/pull@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::pull",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: {
            "cordboard:hub/vocabulary@1.0.0": crate::bindings::base::cordboard::hub::vocabulary,
            "cordboard:hub/records@1.0.0": crate::bindings::base::cordboard::hub::records,
        },
        additional_type_attributes: {
            "cordboard:hub/pull@1.0.0/page": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/pull@1.0.0/progress": [#[derive(Default)] #[serde(default)]],
        },
    });
}

pub mod commands {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world commands { export cordboard:hub/commands@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::commands",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: {
            "cordboard:hub/vocabulary@1.0.0": crate::bindings::base::cordboard::hub::vocabulary,
            "cordboard:hub/records@1.0.0": crate::bindings::base::cordboard::hub::records,
        },
    });
}

pub mod sink {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world sink { export cordboard:hub/sink@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::sink",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: {
            "cordboard:hub/vocabulary@1.0.0": crate::bindings::base::cordboard::hub::vocabulary,
            "cordboard:hub/records@1.0.0": crate::bindings::base::cordboard::hub::records,
        },
        additional_type_attributes: {
            "cordboard:hub/sink@1.0.0/receipt": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/sink@1.0.0/outcome": [#[serde(rename_all = "kebab-case")]],
        },
    });
}

pub mod directory {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world directory { export cordboard:hub/directory@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::directory",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: {
            "cordboard:hub/vocabulary@1.0.0": crate::bindings::base::cordboard::hub::vocabulary,
        },
        additional_type_attributes: {
            "cordboard:hub/directory@1.0.0/match": [#[derive(Default)] #[serde(default)]],
        },
    });
}

pub mod grants {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world grants { export cordboard:hub/grants@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::grants",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: {
            "cordboard:hub/vocabulary@1.0.0": crate::bindings::base::cordboard::hub::vocabulary,
        },
    });
}

pub mod setup {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world setup { export cordboard:hub/setup@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::setup",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: {
            "cordboard:hub/vocabulary@1.0.0": crate::bindings::base::cordboard::hub::vocabulary,
        },
        additional_type_attributes: {
            "cordboard:hub/setup@1.0.0/step": [#[derive(Default)] #[serde(default)]],
        },
    });
}

pub mod endpoint {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "package cordboard:sdk; world endpoint { export cordboard:hub/endpoint@1.0.0; }",
        default_bindings_module: "cordboard_sdk::bindings::endpoint",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
        with: {
            "cordboard:hub/vocabulary@1.0.0": crate::bindings::base::cordboard::hub::vocabulary,
            "cordboard:hub/records@1.0.0": crate::bindings::base::cordboard::hub::records,
        },
        additional_type_attributes: {
            "cordboard:hub/endpoint@1.0.0/sound": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/endpoint@1.0.0/wait": [#[derive(Default)] #[serde(default)]],
            "cordboard:hub/endpoint@1.0.0/sent": [#[serde(rename_all = "kebab-case")]],
        },
    });
}
