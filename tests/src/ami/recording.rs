//! Recordings of real servers: what was said, when, and what a good log of it says.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::message::{lines, value};

/// The folder of the recordings, from the workspace's.
const RECORDINGS: &str = "sources/ami/tests/recordings";

/// The versions that were recorded, as folders.
pub const VERSIONS: [&str; 2] = ["asterisk-16", "asterisk-22"];

/// A recorded scenario.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The scenario.
    pub name: String,
    /// The folder.
    pub version: String,
    /// What a good log of it says.
    pub expected: Value,
    pub(super) frames: Vec<Frame>,
}

/// What happened at a time.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub at: Duration,
    pub what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    /// An event came.
    Event(Vec<u8>),
    /// The client was told which channels are up.
    List(Vec<Vec<(String, String)>>),
    /// The client had this done for the first time here.
    Originate(String),
    /// The connection went away.
    Close,
    /// It was there again.
    Open,
}

fn folder(version: &str) -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    workspace.join(RECORDINGS).join(version)
}

impl Recording {
    /// One scenario of a version.
    ///
    /// # Panics
    /// When there is none: a test cannot go on without it.
    pub fn load(version: &str, name: &str) -> Self {
        let read = |ending: &str| {
            let path = folder(version).join(format!("{name}{ending}"));
            std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
        };
        let (bytes, timing) = (read(".ami"), read(".timing.jsonl"));
        let parsed = |line: &str| serde_json::from_str::<Value>(line).expect("a line of JSON");
        let timing: Vec<Value> = String::from_utf8_lossy(&timing).lines().map(parsed).collect();
        let expected = serde_json::from_slice(&read(".expected.json")).expect("JSON");
        Recording { name: name.to_owned(), version: version.to_owned(), expected, frames: frames(&bytes, &timing) }
    }

    /// All scenarios of a version that have calls.
    pub fn all(version: &str) -> Vec<Self> {
        let entries = std::fs::read_dir(folder(version)).unwrap_or_else(|why| panic!("recordings of {version}: {why}"));
        let names = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_string_lossy().strip_suffix(".expected.json").map(str::to_owned));
        let mut names: Vec<String> = names.filter(|name| name != "z_protocol").collect();
        names.sort();
        names.iter().map(|name| Self::load(version, name)).collect()
    }
}

impl Recording {
    /// The same calls once more, as other calls: channels, bridges and ids are those of the `n`th time.
    pub fn anew(&self, n: u64) -> Self {
        let mut again = self.clone();
        for frame in &mut again.frames {
            if let What::Event(event) = &mut frame.what {
                let lines: Vec<Vec<u8>> = event.split(|byte| *byte == b'\n').map(|line| renamed(line, n)).collect();
                *event = lines.join(&b'\n');
            }
        }
        again
    }
}

/// A line of an event with the names and ids of the `n`th time.
fn renamed(line: &[u8], n: u64) -> Vec<u8> {
    let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(": ")) else {
        return line.to_vec();
    };
    let (text, end) = value.strip_suffix('\r').map_or((value, ""), |text| (text, "\r"));
    let named = name.to_ascii_lowercase();
    let text = if named.ends_with("uniqueid") && text.len() == 36 || named == "bridgeid" && !text.is_empty() {
        // A bridge.
        format!("{n:08x}{}", text.get(8..).unwrap_or_default())
    } else if named.ends_with("uniqueid") || named.ends_with("linkedid") {
        match text.rsplit_once('.').and_then(|(at, count)| Some((at, count.parse::<u64>().ok()?))) {
            Some((at, count)) => format!("{at}.{}", count + n * 1_000),
            None => text.to_owned(),
        }
    } else {
        recounted(text, n)
    };
    format!("{name}: {text}{end}").into_bytes()
}

/// `PJSIP/1001-0000002a` with a later number.
fn recounted(text: &str, n: u64) -> String {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('-') {
        let (before, after) = rest.split_at(at + 1);
        out.push_str(before);
        let ends = after.as_bytes().get(8).is_none_or(|byte| !byte.is_ascii_hexdigit() && *byte != b'-');
        match after.get(..8).filter(|count| is_hex(count) && ends && text.contains('/')) {
            Some(count) => {
                let count = u64::from_str_radix(count, 16).unwrap_or_default();
                out.push_str(&format!("{:08x}", (count + n * 0x100) & 0xffff_ffff));
                rest = &after[8..];
            }
            None => rest = after,
        }
    }
    out + rest
}

fn frames(bytes: &[u8], timing: &[Value]) -> Vec<Frame> {
    let own: Vec<String> =
        timing.iter().filter_map(|line| value(line["data"].as_str()?.as_bytes(), "ActionID")).collect();
    let last = timing.iter().rposition(|line| line["kind"] == "open").unwrap_or_default();
    let (mut frames, mut list) = (Vec::new(), Vec::new());
    for (position, line) in timing.iter().enumerate() {
        let at = Duration::from_secs_f64(line["t_ms"].as_f64().unwrap_or_default() / 1000.0);
        let mut push = |what| frames.push(Frame { at, what });
        match line["kind"].as_str() {
            Some("open") if position > 1 => push(What::Open),
            Some("close") if position < last => push(What::Close),
            Some("send") => {
                let sent = line["data"].as_str().unwrap_or_default().as_bytes();
                if value(sent, "Action").as_deref() == Some("Originate") {
                    push(What::Originate(value(sent, "ActionID").unwrap_or_default()));
                }
            }
            Some("frame") => {
                let number =
                    |name: &str| line[name].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
                let message = &bytes[number("offset")..number("offset") + number("len")];
                match value(message, "Event").as_deref() {
                    Some("FullyBooted") | None => {}
                    Some("CoreShowChannel") => {
                        list.push(
                            lines(message)
                                .filter(|(name, _)| !["Event", "ActionID"].contains(&name.as_str()))
                                .collect(),
                        );
                    }
                    Some("CoreShowChannelsComplete") => push(What::List(std::mem::take(&mut list))),
                    // What was said in answer to the client of that time. The end of an `Originate` goes to everybody.
                    Some(kind)
                        if kind != "OriginateResponse"
                            && value(message, "ActionID").is_some_and(|id| own.contains(&id)) => {}
                    Some(_) if message.starts_with(b"Event:") => push(What::Event(message.to_vec())),
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_another_time_has_names_of_its_own() {
        for (line, wanted) in [
            ("Channel: PJSIP/1001-0000002a\r", "Channel: PJSIP/1001-0000022a\r"),
            ("DestChannel: Local/1002@from-queue-0000000f;1\r", "DestChannel: Local/1002@from-queue-0000020f;1\r"),
            ("Uniqueid: 1795246448.57\r", "Uniqueid: 1795246448.2057\r"),
            ("DestLinkedid: pbx-1795246448.5\r", "DestLinkedid: pbx-1795246448.2005\r"),
            (
                "BridgeUniqueid: 1d8a4f5e-1111-2222-3333-123456789abc\r",
                "BridgeUniqueid: 00000002-1111-2222-3333-123456789abc\r",
            ),
            ("CallerIDNum: 447700900456\r", "CallerIDNum: 447700900456\r"),
            ("\r", "\r"),
        ] {
            assert_eq!(String::from_utf8(renamed(line.as_bytes(), 2)).unwrap(), wanted);
        }
    }
}
