//! One message: names and values in the order they came.

use crate::search::{is, last_feed, line};

/// So many lines come before those of the event: `Event`, `Privilege`, `Timestamp`, and a number or the system's name.
const HEAD: usize = 6;

/// Where a line's name and value stand.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    shape: Shape,
    start: u32,
    colon: u32,
    value: u32,
    end: u32,
}

/// What tells most names apart without a look at their letters: how many there are, and the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape(u32);

impl Shape {
    fn of(name: &[u8]) -> Self {
        let length = u32::try_from(name.len()).unwrap_or(u32::MAX);
        Self(length << 8 | u32::from(name.last().map_or(0, |last| last | 0x20)))
    }

    /// The length behind a prefix of so many letters, and the last letter, a small one.
    fn behind(self, prefix: u32) -> (u32, u8) {
        (self.0.wrapping_sub(prefix << 8) >> 8, self.0 as u8)
    }
}

/// A message's lines. Names are compared without case, and may repeat.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    bytes: &'a [u8],
    lines: &'a [Line],
}

/// The fields that Asterisk tells of a channel, whatever the event and the prefix of their names. Empty: not told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chan<'a> {
    /// `PJSIP/1001-0000002a`.
    pub name: &'a [u8],
    /// The channel's key.
    pub uid: &'a [u8],
    /// The key of the oldest channel that it is tied to. Asterisk 1.8 and later, and there not in all events.
    pub linked: &'a [u8],
    /// Number or word, see [`state`].
    pub state: &'a [u8],
    /// The number of who is at that end.
    pub number: &'a [u8],
    /// The name of who is at that end.
    pub caller_name: &'a [u8],
    /// The number of who is at the other end.
    pub connected: &'a [u8],
    /// Where in the dialplan it is.
    pub context: &'a [u8],
    /// Where in the context it is: at first what was dialled.
    pub exten: &'a [u8],
}

/// The value that follows `Event: ` or another first name, and the name.
pub fn first_line(message: &[u8]) -> (&[u8], &[u8]) {
    let (colon, end) = line(message, 0);
    match colon {
        Some(colon) => (&message[..colon], message[colon + 1..end].trim_ascii()),
        None => (&message[..end], b""),
    }
}

/// The value of the last line that begins with `name`, colon and blank with it, in a message whose other lines are of no
/// interest. What is looked for so stands near the end.
pub fn last<'a>(message: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut end = message.len();
    while let Some(at) = last_feed(&message[..end]) {
        let text = &message[at + 1..];
        if at > 0 && message[at - 1] == b'\r' && starts(text, name) {
            return Some(&text[name.len()..line(text, 0).1]);
        }
        end = at;
    }
    None
}

impl<'a> Message<'a> {
    /// Finds the lines; `lines` is used again for each message.
    pub fn read(bytes: &'a [u8], lines: &'a mut Vec<Line>) -> Self {
        lines.clear();
        let mut start = 0;
        while start < bytes.len() {
            let (colon, end) = line(bytes, start);
            if let Some(colon) = colon {
                let value = if bytes.get(colon + 1) == Some(&b' ') { colon + 2 } else { colon + 1 };
                let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
                lines.push(Line {
                    shape: Shape::of(&bytes[start..colon]),
                    start: at(start),
                    colon: at(colon),
                    value: at(value.min(end)),
                    end: at(end),
                });
            }
            start = end + 2;
        }
        Self { bytes, lines }
    }

    fn pair(&self, line: &Line) -> (&'a [u8], &'a [u8]) {
        (&self.bytes[line.start as usize..line.colon as usize], &self.bytes[line.value as usize..line.end as usize])
    }

    /// The first value of this name.
    pub fn find(&self, name: &str) -> Option<&'a [u8]> {
        let shape = Shape::of(name.as_bytes());
        let same = |line: &&Line| line.shape == shape && is(self.pair(line).0, name.as_bytes());
        self.lines.iter().find(same).map(|line| self.pair(line).1)
    }

    /// The first value of this name among the first lines, where stands what is told of the message itself.
    pub fn head(&self, name: &str) -> Option<&'a [u8]> {
        Self { bytes: self.bytes, lines: &self.lines[..self.lines.len().min(HEAD)] }.find(name)
    }

    /// The first value of this name; empty when there is none.
    pub fn get(&self, name: &str) -> &'a [u8] {
        self.find(name).unwrap_or_default()
    }

    /// What is told of the channel whose fields have this prefix.
    pub fn chan(&self, prefix: &str) -> Chan<'a> {
        let mut chan = Chan::default();
        let (mut word, mut caller, mut extension): (&[u8], &[u8], &[u8]) = (b"", b"", b"");
        let behind = u32::try_from(prefix.len()).unwrap_or(u32::MAX);
        for line in self.lines {
            let field = (line.start + behind) as usize;
            let is = |name: &str| is(&self.bytes[field..line.colon as usize], name.as_bytes());
            let slot = match line.shape.behind(behind) {
                (5, b'n') if is("Exten") => &mut chan.exten,
                (5, b'e') if is("State") => &mut word,
                (7, b'l') if is("Channel") => &mut chan.name,
                (7, b't') if is("Context") => &mut chan.context,
                (8, b'd') if is("Uniqueid") => &mut chan.uid,
                (8, b'd') if is("Linkedid") => &mut chan.linked,
                (8, b'd') if is("CallerID") => &mut caller,
                (9, b'n') if is("Extension") => &mut extension,
                (11, b'm') if is("CallerIDNum") => &mut chan.number,
                (12, b'e') if is("ChannelState") => &mut chan.state,
                (12, b'e') if is("CallerIDName") => &mut chan.caller_name,
                (16, b'm') if is("ConnectedLineNum") => &mut chan.connected,
                _ => continue,
            };
            let (name, value) = self.pair(line);
            if slot.is_empty() && starts(name, prefix) {
                *slot = value;
            }
        }
        if chan.state.is_empty() {
            chan.state = word;
        }
        if chan.number.is_empty() {
            chan.number = caller;
        }
        if chan.exten.is_empty() {
            chan.exten = extension;
        }
        chan
    }
}

/// Whether a name begins so, in whatever case.
fn starts(name: &[u8], prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|before| is(before, prefix.as_bytes()))
}

/// The number of a channel's state, which Asterisk 1.4 writes as a word.
pub fn state(bytes: &[u8]) -> Option<u8> {
    if let [digit @ b'0'..=b'9'] = bytes {
        return Some(digit - b'0');
    }
    const WORDS: [&str; 8] = ["Down", "Rsrvd", "OffHook", "Dialing", "Ring", "Ringing", "Up", "Busy"];
    let at = WORDS.iter().position(|word| bytes.eq_ignore_ascii_case(word.as_bytes()))?;
    u8::try_from(at).ok()
}

/// A whole number, when the bytes are one.
pub fn integer(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values() {
        let bytes = b"Event: X\r\nchannel:PJSIP/1-1\r\nCallerIDName: a: \\\"b\r<c>\r\nEmpty: \r\nRTPAUDIOQOS:   x\r\nno colon\r\nDestChannel: PJSIP/2-1\r\nDestUniqueID: 1.2\r\nUniqueid: 1.1\r\nUniqueid: 9";
        let mut lines = Vec::new();
        let message = Message::read(bytes, &mut lines);
        assert_eq!(message.get("callerIDname"), b"a: \\\"b\r<c>");
        assert_eq!((message.find("Empty"), message.find("Absent")), (Some(&b""[..]), None));
        assert_eq!(message.get("RTPAUDIOQOS"), b"  x");
        let (own, dest) = (message.chan(""), message.chan("Dest"));
        assert_eq!((own.name, own.uid), (&b"PJSIP/1-1"[..], &b"1.1"[..]));
        assert_eq!((dest.name, dest.uid), (&b"PJSIP/2-1"[..], &b"1.2"[..]));
        assert_eq!(first_line(bytes), (&b"Event"[..], &b"X"[..]));
        assert_eq!(last(bytes, "Uniqueid: "), Some(&b"9"[..]));
        assert_eq!(last(bytes, "CallerIDName: "), Some(&b"a: \\\"b\r<c>"[..]));
        assert_eq!(
            (last(bytes, "Event: "), last(bytes, "Empty: ")),
            (None, Some(&b""[..])),
            "the first line is not looked at"
        );
        assert_eq!(last(b"Event: X\r\nA: 1\nB: 2\r\nC: 3", "B: "), None, "a line ends with CR LF");
    }

    #[test]
    fn states_are_numbers_or_words() {
        assert_eq!((state(b"5"), state(b"Ringing"), state(b"up"), state(b"")), (Some(5), Some(5), Some(6), None));
    }
}
