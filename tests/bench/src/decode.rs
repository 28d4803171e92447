//! One webhook decoded: in a kept instance of the component, and by the same code natively.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant as Clock;

use anyhow::{Result, anyhow};
use cordboard::components::contract::Request;
use cordboard::components::{Handle, Limits, Runtime, RuntimeOptions, Use, UseOptions};
use cordboard::model::{Instant, Numbering};
use cordboard_pbx_webhook::PbxWebhook;
use cordboard_sdk::native::Connected;
use cordboard_sdk::prelude::Webhook;
use cordboard_sdk::testing::post;
use cordboard_tests::built::component;
use cordboard_tests::pbx;
use serde_json::json;

use crate::table::Row;

/// The example of the PBX's own documentation.
const BODY: &str = r#"{"call_uuid":"a1f0c0de-1f6e-4f3a-9a53-2f0c1f9f1c11","from":"+34600111222","to":"+34911222333","direction":"inbound","start_time":"2026-11-20T09:15:02Z","end_time":"2026-11-20T09:18:47Z","status":"completed","recording_url":"https://pbx.example.com/rec/a1f0c0de.mp3","agent_ext":"1001","pbx_system":"freepbx-madrid"}"#;

/// Of each, in turns; the quickest turn counts: what disturbs it is not its own.
const ROUNDS: u32 = 20_000;
const TURNS: usize = 8;

/// Both.
pub async fn measure() -> Result<Vec<Row>> {
    let settings = json!({ "secret": pbx::SECRET });
    let signature = pbx::signature(pbx::SECRET, BODY.as_bytes());
    let headers = [("content-type", "application/json"), ("x-signature", signature.as_str())];
    let cache = tempfile::tempdir()?;
    let runtime = Runtime::new(RuntimeOptions { cache: Some(cache.path().to_owned()), ..RuntimeOptions::default() })?;
    let loaded = runtime.load(&component("pbx-webhook")).await?;
    let options = UseOptions {
        tenant: "acme".into(),
        name: "pbx".into(),
        settings: settings.clone(),
        secrets: Vec::new(),
        allow: Vec::new(),
        databases: BTreeMap::new(),
        numbering: Arc::new(Numbering::default()),
        limits: Limits::default(),
    };
    let used = Use::new(&runtime, Handle::new(loaded), options)?;
    let request = Request {
        method: "POST".into(),
        path: "/v1/hooks/acme/pbx".into(),
        query: None,
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect(),
        body: BODY.into(),
        received_at: Instant::now(),
    };
    let (host, incoming) = (Connected::new(&settings), post("/v1/hooks/acme/pbx", &headers, BODY));
    let mut quickest = BTreeMap::from([("kept", f64::MAX), ("native", f64::MAX)]);
    for _ in 0..TURNS {
        let began = Clock::now();
        for _ in 0..ROUNDS {
            let decoded = used.receive(black_box(request.clone())).await?;
            black_box(decoded.map_err(|refusal| anyhow!("the component refused: {refusal}"))?);
        }
        note(&mut quickest, "kept", began);
        let began = Clock::now();
        for _ in 0..ROUNDS {
            let decoded = PbxWebhook::receive(&host, black_box(incoming.clone()));
            black_box(decoded.map_err(|refusal| anyhow!("natively refused: {refusal:?}"))?);
        }
        note(&mut quickest, "native", began);
    }
    let (kept, native) = (quickest["kept"], quickest["native"]);
    let row = Row::below("decode the example body in a kept instance, HMAC included", "µs", kept, 10.0);
    Ok(vec![row.beside(format!("{native:.1} µs natively"), Some(kept / native))])
}

fn note(quickest: &mut BTreeMap<&str, f64>, which: &'static str, began: Clock) {
    let each = began.elapsed().as_secs_f64() * 1e6 / f64::from(ROUNDS);
    quickest.entry(which).and_modify(|quickest| *quickest = quickest.min(each));
}
