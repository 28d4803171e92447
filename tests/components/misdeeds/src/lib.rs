//! A component that does whatever harm its settings tell it to do, each time it is asked to deliver.

#![cfg(target_family = "wasm")]
#![allow(missing_docs, unsafe_code, unused_qualifications, reason = "a tool makes the bindings")]

use std::hint::black_box;

mod outgoing;

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:misdeeds;
        world misdeeds {
            import cordboard:hub/host@1.0.0;
            import wasi:clocks/monotonic-clock@0.2.12;
            import wasi:http/outgoing-handler@0.2.12;
            export cordboard:hub/about@1.0.0;
            export cordboard:hub/sink@1.0.0;
            export cordboard:hub/webhook@1.0.0;
        }
    ",
    generate_all,
});

use cordboard::hub::host;
use cordboard::hub::vocabulary::{Failure, Rejected, Request};
use exports::cordboard::hub::{about, sink, webhook};

struct Misdeeds;

export!(Misdeeds);

impl about::Guest for Misdeeds {
    fn describe() -> about::Descriptor {
        about::Descriptor {
            name: "misdeeds".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary: "Does harm on request.".to_owned(),
            settings_schema: r#"{"type": "object", "properties": {
                "misdeed": {"type": "string"}, "url": {"type": "string"}, "secret": {"type": "string", "writeOnly": true}
            }}"#
                .to_owned(),
            hosts: ["{url}", "evil.example", "localhost", "*.friends.example", "169.254.169.254", "127.0.0.1"]
                .map(str::to_owned)
                .to_vec(),
            batch: 1,
            rate: None,
            commands: Vec::new(),
        }
    }
}

impl sink::Guest for Misdeeds {
    fn deliver(changes: Vec<sink::Change>) -> Vec<sink::Outcome> {
        let settings: serde_json::Value = serde_json::from_str(&host::settings()).unwrap_or_default();
        let setting = |name: &str| settings[name].as_str().unwrap_or_default().to_owned();
        let outcome = misdeed(&setting("misdeed"), &setting("url"), &setting("secret"));
        changes.iter().map(|_| outcome.clone()).collect::<Vec<_>>().into_iter().flatten().collect()
    }

    fn check() -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }
}

impl webhook::Guest for Misdeeds {
    /// Traps when the body says so; otherwise says how often this instance was called.
    fn receive(request: Request) -> Result<webhook::Accepted, webhook::Refusal> {
        static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let calls = CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        if request.body == b"trap" {
            panic!("as it was told");
        }
        Err(webhook::Refusal::Ignored(calls.to_string()))
    }
}

fn done(text: String) -> Option<sink::Outcome> {
    Some(sink::Outcome::Done(sink::Receipt {
        external_id: Some(text),
        url: None,
        shortened: Vec::new(),
        memo: Vec::new(),
    }))
}

fn failed(code: &str, why: String) -> Option<sink::Outcome> {
    Some(sink::Outcome::Failed(Failure::Rejected(Rejected { code: code.to_owned(), why })))
}

fn misdeed(name: &str, url: &str, secret: &str) -> Option<sink::Outcome> {
    match name {
        "none" => done("good".to_owned()),
        "loop" => loop {
            black_box(0);
        },
        "recursion" => done(deeper(1).to_string()),
        "frames" => done(wider(1).to_string()),
        "memory" => {
            let mut kept = Vec::new();
            loop {
                kept.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "trap" => core::arch::wasm32::unreachable(),
        "panic" => panic!("no reason at all, but the secret {secret}"),
        "exit" => std::process::exit(3),
        "huge" => Some(sink::Outcome::Skipped("x".repeat(100 << 20))),
        "memo" => Some(sink::Outcome::Done(sink::Receipt {
            external_id: None,
            url: None,
            shortened: Vec::new(),
            memo: vec![0; 5000],
        })),
        "nothing" => None,
        "calls" => loop {
            black_box(wasi::clocks::monotonic_clock::now());
        },
        "sleep" => {
            wasi::clocks::monotonic_clock::subscribe_duration(3_600_000_000_000).block();
            done("slept".to_owned())
        }
        "leak" => {
            for _ in 0..1_000_000 {
                std::mem::forget(wasi::http::types::Fields::new());
            }
            done("leaked".to_owned())
        }
        "log" => {
            for _ in 0..1000 {
                host::log(host::Level::Info, &format!("the secret is {secret}"));
            }
            println!("printed: {}", "x".repeat(100_000));
            done("logged".to_owned())
        }
        "files" => {
            let read = std::fs::read_dir("/").map(|entries| entries.count());
            let variables = std::env::vars().count();
            let socket = std::net::TcpStream::connect("127.0.0.1:80").is_ok();
            done(format!("{} {variables} {socket}", read.is_ok()))
        }
        "request" => answered(outgoing::get(url)),
        "requests" => {
            let refused = (0..5000).filter(|_| outgoing::get(url).is_err()).count();
            done(format!("{refused} refused"))
        }
        "redirect" => match outgoing::get(url) {
            Ok(answer) => match answer.location {
                Some(location) => answered(outgoing::get(&location)),
                None => failed("no-redirect", answer.status.to_string()),
            },
            Err(code) => failed("first", code),
        },
        "post" => answered(outgoing::post(url, format!("password={secret}&text=kept").as_bytes())),
        "large-post" => answered(outgoing::post(url, &vec![b'x'; 4 << 20])),
        "fetch" => match host::fetch(url, 100_000) {
            Ok(content) => done(format!("{} {:?}", content.bytes.len(), content.media_type)),
            Err(Failure::Misconfigured(why)) => failed("misconfigured", why),
            Err(Failure::Rejected(it)) => failed(&it.code, it.why),
            Err(other) => failed("other", format!("{other:?}")),
        },
        other => failed("unknown", format!("`{other}` is no misdeed")),
    }
}

fn answered(answer: Result<outgoing::Answer, String>) -> Option<sink::Outcome> {
    match answer {
        Ok(answer) => done(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))),
        Err(code) => failed("request", code),
    }
}

/// Uses up the engine's stack.
#[allow(unconditional_recursion, reason = "that is the misdeed")]
#[inline(never)]
fn deeper(level: u64) -> u64 {
    black_box(deeper(level + 1)) + level
}

/// Uses up the stack that the component has in its own memory.
#[allow(unconditional_recursion, reason = "that is the misdeed")]
#[inline(never)]
fn wider(level: u64) -> u64 {
    let frame = black_box([level; 64]);
    black_box(wider(level + 1)) + frame[0]
}
