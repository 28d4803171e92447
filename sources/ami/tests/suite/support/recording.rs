//! A server that is played from a recording.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cordboard_sdk::prelude::*;
use serde_json::Value;

use super::{Hub, START, settings};

/// How the bytes of the recording are cut.
pub type Cut<'a> = &'a mut dyn FnMut(&[u8]) -> Vec<Vec<u8>>;

/// One recording.
pub struct Recording {
    pub name: String,
    pub bytes: Vec<u8>,
    pub timing: Vec<Value>,
    pub expected: Value,
}

/// One thing that happens to the session.
pub enum Step {
    Open,
    Close(String),
    /// A message, and what the recorder had sent to get it (when it is an answer).
    Frame(Vec<u8>, Option<String>),
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")
}

/// All recordings, those of one folder (`asterisk-16`) or of all.
pub fn all(only: Option<&str>) -> Vec<Recording> {
    let mut found = Vec::new();
    for version in ["asterisk-16", "asterisk-22", "asterisk-16-options", "asterisk-22-options"] {
        if only.is_some_and(|only| only != version) {
            continue;
        }
        let mut files: Vec<PathBuf> = fs::read_dir(folder().join(version))
            .expect("the recordings")
            .map(|entry| entry.expect("a file").path())
            .collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "ami")) {
            found.push(Recording::read(file, version));
        }
    }
    found
}

impl Recording {
    fn read(file: &Path, version: &str) -> Self {
        let scenario = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = |end: &str| fs::read_to_string(file.with_file_name(format!("{scenario}.{end}"))).expect("a file");
        Self {
            name: format!("{version}/{scenario}"),
            bytes: fs::read(file).expect("a stream"),
            timing: text("timing.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect(),
            expected: serde_json::from_str(&text("expected.json")).expect("JSON"),
        }
    }

    /// What happens, and when: milliseconds since the recording began.
    pub fn steps(&self) -> Vec<(u64, Step)> {
        let mut asked: BTreeMap<String, String> = BTreeMap::new();
        let mut steps = Vec::new();
        for entry in &self.timing {
            let at = entry["t_ms"].as_f64().unwrap_or(0.0).round() as u64;
            match entry["kind"].as_str().expect("a kind") {
                "open" => steps.push((at, Step::Open)),
                "close" => steps.push((at, Step::Close(entry["by"].as_str().unwrap_or("").to_owned()))),
                "send" => {
                    let data = entry["data"].as_str().expect("text");
                    if let (Some(action), Some(id)) = (field(data, "Action"), field(data, "ActionID")) {
                        asked.insert(id.to_owned(), action.to_owned());
                    }
                }
                "frame" => {
                    let offset = entry["offset"].as_u64().expect("a number") as usize;
                    let bytes = &self.bytes[offset..offset + entry["len"].as_u64().expect("a number") as usize];
                    let text = String::from_utf8_lossy(bytes);
                    let action = field(&text, "ActionID").and_then(|id| asked.get(id)).cloned();
                    steps.push((at, Step::Frame(bytes.to_vec(), action)));
                }
                _ => {}
            }
        }
        steps
    }

    /// The session's settings: those of the laboratory's user, and the way of logging in that was recorded.
    pub fn settings(&self) -> Value {
        let mut settings = settings();
        let md5 = self
            .timing
            .iter()
            .any(|entry| entry["data"].as_str().is_some_and(|data| data.contains("Action: Challenge")));
        settings["login"] = if md5 { "md5" } else { "plain" }.into();
        settings
    }

    /// Plays the recording to a session, its bytes cut as one likes.
    pub fn play(&self, cut: Cut<'_>) -> Hub {
        let mut hub = Hub::new(self.settings());
        self.play_to(&mut hub, cut);
        hub
    }

    pub fn play_to(&self, hub: &mut Hub, cut: Cut<'_>) {
        Self::perform(hub, self.steps(), cut);
    }

    /// Lets things happen at their time. Answers wait for the question.
    pub fn perform(hub: &mut Hub, steps: Vec<(u64, Step)>, cut: Cut<'_>) {
        let mut held: Vec<(String, Vec<u8>)> = Vec::new();
        for (at, step) in steps {
            hub.until(START + at);
            match step {
                Step::Open => hub.input(Input::Opened),
                Step::Close(by) => {
                    held.clear();
                    hub.input(Input::Closed(format!("closed by {by}")));
                }
                Step::Frame(bytes, None) => give(hub, &bytes, cut),
                Step::Frame(bytes, Some(action)) => {
                    if action == "Originate" && bytes.starts_with(b"Event") {
                        give(hub, &bytes, cut);
                    } else {
                        held.push((action, bytes));
                    }
                }
            }
            let mut waiting = Vec::new();
            for (action, bytes) in held.drain(..) {
                match hub.action_id(&action) {
                    Some(id) => give(hub, &with_id(&bytes, &id), cut),
                    None => waiting.push((action, bytes)),
                }
            }
            held = waiting;
        }
        hub.wait(5_000);
    }
}

fn give(hub: &mut Hub, bytes: &[u8], cut: Cut<'_>) {
    for piece in cut(bytes) {
        hub.input(Input::Bytes(piece));
    }
}

/// The message with another action id.
fn with_id(bytes: &[u8], id: &str) -> Vec<u8> {
    let start = bytes.windows(11).position(|window| window == b"\nActionID: ").expect("an id") + 11;
    let end = start + bytes[start..].iter().position(|byte| *byte == b'\r').expect("an end");
    [&bytes[..start], id.as_bytes(), &bytes[end..]].concat()
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}
