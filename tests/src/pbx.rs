//! A PBX that posts signed webhooks, with the body that the existing installations send.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// The secret that the demo and the suites sign with.
pub const SECRET: &str = "a-secret-between-pbx-and-hub";

/// Lower-case hex HMAC-SHA256 of a body.
pub fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}

/// A call as the PBX tells of it, in three posts.
#[derive(Clone, Debug)]
pub struct PbxCall {
    /// Its id.
    pub id: String,
    /// The caller's number.
    pub from: String,
    /// The extension that rings.
    pub extension: String,
}

impl PbxCall {
    /// A call from a number of its own.
    pub fn number(n: usize) -> Self {
        PbxCall { id: format!("call-{n}"), from: format!("+3460{n:07}"), extension: "101".to_owned() }
    }

    /// It rings.
    pub fn ringing(&self) -> Value {
        json!({
            "call_uuid": self.id, "from": self.from, "to": "+34911000000", "direction": "inbound",
            "start_time": "2026-11-21T09:10:20Z", "status": "ringing", "agent_ext": self.extension, "pbx_system": "demo",
        })
    }

    /// It is answered.
    pub fn answered(&self) -> Value {
        let mut post = self.ringing();
        post["status"] = "answered".into();
        post
    }

    /// It is over, with a recording.
    pub fn ended(&self) -> Value {
        let mut post = self.ringing();
        post["status"] = "completed".into();
        post["end_time"] = "2026-11-21T09:12:45Z".into();
        post["recording_url"] = self.recording().into();
        post
    }

    /// The whole call in three posts of which none repeats what another says: none can be missing unseen.
    pub fn in_parts(&self) -> [Value; 3] {
        let id = &self.id;
        [
            self.ringing(),
            json!({ "call_uuid": id, "status": "answered", "answer_time": "2026-11-21T09:10:35Z" }),
            json!({
                "call_uuid": id, "status": "completed", "end_time": "2026-11-21T09:12:45Z",
                "recording_url": self.recording(),
            }),
        ]
    }

    /// Where its recording is.
    pub fn recording(&self) -> String {
        format!("https://pbx.example.test/rec/{}.wav", self.id)
    }
}
