//! What `wit/` becomes in Rust. One world with every interface, of which a component exports some.

#![allow(missing_docs, reason = "documented in wit/")]

wasmtime::component::bindgen!({
    path: "../wit",
    inline: "
        package cordboard:runtime;
        world everything {
            import cordboard:hub/host@1.0.0;
            import cordboard:hub/ledger@1.0.0;
            export cordboard:hub/about@1.0.0;
            export cordboard:hub/webhook@1.0.0;
            export cordboard:hub/connection@1.0.0;
            export cordboard:hub/pull@1.0.0;
            export cordboard:hub/commands@1.0.0;
            export cordboard:hub/sink@1.0.0;
            export cordboard:hub/directory@1.0.0;
            export cordboard:hub/grants@1.0.0;
            export cordboard:hub/setup@1.0.0;
            export cordboard:hub/endpoint@1.0.0;
        }
    ",
    imports: {
        "cordboard:hub/host@1.0.0.fetch": async | trappable,
        "cordboard:hub/host@1.0.0.query": async | trappable,
        "cordboard:hub/ledger@1.0.0.under-way": async | trappable,
        "cordboard:hub/ledger@1.0.0.calls": async | trappable,
        "cordboard:hub/ledger@1.0.0.call-of": async | trappable,
        "cordboard:hub/ledger@1.0.0.who": async | trappable,
        "cordboard:hub/ledger@1.0.0.perform": async | trappable,
        default: trappable,
    },
    exports: { default: async },
});
