//! What one request costs natively: `cargo run --release --example speed -p cordboard-pbx-webhook`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use cordboard_pbx_webhook::PbxWebhook;
use cordboard_sdk::prelude::*;
use cordboard_sdk::testing::{Outside, post};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

const ROUNDS: u32 = 50_000;

fn main() {
    let native = r#"{"call_uuid":"a1f0c0de-1f6e-4f3a-9a53-2f0c1f9f1c11","from":"+34600111222","to":"+34911222333","direction":"inbound","start_time":"2026-11-20T09:15:02Z","end_time":"2026-11-20T09:18:47Z","status":"completed","recording_url":"https://pbx.example.com/rec/a1f0c0de.mp3","agent_ext":"1001","pbx_system":"freepbx-madrid"}"#;
    measure("native, signed", json!({ "secret": "a secret of the usual length" }), native);
    measure("native, unsigned", json!({ "unsigned": true }), native);
    for (format, payload) in [
        ("3cx", include_str!("../tests/payloads/3cx-inbound.json")),
        ("yeastar", include_str!("../tests/payloads/yeastar-cdr.json")),
        ("freeswitch", include_str!("../tests/payloads/freeswitch.json")),
    ] {
        measure(format, json!({ "unsigned": true, "format": format }), payload);
    }
}

fn measure(name: &str, settings: Value, body: &str) {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(settings["secret"].as_str().unwrap_or("").as_bytes())
        .expect("every key is a good one");
    mac.update(body.as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = post("/", &[("content-type", "application/json"), ("x-signature", &signature)], body);
    let outside = Outside::new().settings(settings);
    let started = Instant::now();
    for _ in 0..ROUNDS {
        black_box(PbxWebhook::receive(&outside, black_box(request.clone()))).expect("accepted");
    }
    let each = started.elapsed() / ROUNDS;
    println!("{name}: {:.2} µs for {} bytes", each.as_secs_f64() * 1e6, body.len());
}
