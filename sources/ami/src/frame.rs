//! Bytes in pieces of any size to whole messages.
//!
//! A message ends with an empty line; lines end with CR LF and with nothing else, for a lone CR may stand inside a
//! value. Extra empty lines between messages are passed over. The first line of a connection is the banner, which no
//! empty line follows. Whatever comes, no more is kept than one message within the bounds.

use memchr::memchr;
use memchr::memmem;

use crate::search::empty_line;

/// Bytes of a line, at most. The longest seen are lists of codecs and dial strings of some kilobytes.
const LINE: usize = 64 << 10;
/// Bytes of a message, at most.
const MESSAGE: usize = 1 << 20;
/// Lines of a message, at most.
const LINES: usize = 10_000;
/// Bytes of a banner, at most.
const BANNER: usize = 1 << 10;
/// Messages of this length or less are within the bounds of lines and their number anyway.
const HARMLESS: usize = 16 << 10;

const END: &[u8] = b"\r\n\r\n";
/// How the output of a command ended before Asterisk 14; empty lines may stand before it.
const END_OF_OUTPUT: &[u8] = b"--END COMMAND--\r\n\r\n";
const OUTPUT: &[u8] = b"Response: Follows\r\n";

/// What is cut out of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// The first line of a connection.
    Banner(&'a [u8]),
    /// A message without the empty line that ends it.
    Message(&'a [u8]),
}

/// Cuts a stream into messages.
#[derive(Default)]
pub struct Framer {
    bytes: Vec<u8>,
    /// Where the next message begins.
    at: usize,
    /// Up to where no end was found.
    searched: usize,
    /// What was counted of the message that begins at `at` and has not ended yet.
    counted: Counted,
    greeted: bool,
}

/// How long a message is so far, that none is looked at from its beginning each time that a piece of it comes.
#[derive(Default)]
struct Counted {
    bytes: usize,
    lines: usize,
    /// Bytes of the line that has not ended.
    line: usize,
}

impl Framer {
    /// Takes in what came. Call [`Self::next`] until it gives nothing, before more comes.
    pub fn push(&mut self, bytes: Vec<u8>) {
        if self.at == self.bytes.len() {
            self.bytes = bytes;
        } else {
            self.bytes.drain(..self.at);
            self.bytes.extend_from_slice(&bytes);
        }
        self.searched = self.searched.saturating_sub(self.at);
        self.at = 0;
    }

    /// The next whole piece. An error says why the connection is to be dropped.
    pub fn next(&mut self) -> Result<Option<Piece<'_>>, String> {
        while self.bytes[self.at..].starts_with(b"\r\n") {
            self.at += 2;
        }
        let Some(end) = self.end()? else { return Ok(None) };
        let start = self.at;
        if !self.greeted {
            self.greeted = true;
            self.at = end + 2;
            return Ok(Some(Piece::Banner(&self.bytes[start..end])));
        }
        self.at = end + END.len();
        self.searched = self.at;
        let message = &self.bytes[start..end];
        std::mem::take(&mut self.counted).check(message)?;
        Ok(Some(Piece::Message(message)))
    }

    /// Where the piece that begins here ends, if it does.
    fn end(&mut self) -> Result<Option<usize>, String> {
        let rest = &self.bytes[self.at..];
        if !self.greeted {
            return match memmem::find(rest, b"\r\n") {
                Some(end) if end <= BANNER => Ok(Some(self.at + end)),
                None if rest.len() <= BANNER => Ok(None),
                _ => {
                    Err("the other side does not greet as Asterisk's manager does: its first line has no end"
                        .to_owned())
                }
            };
        }
        let searched = self.searched.max(self.at);
        let from = searched.saturating_sub(END.len() - 1).max(self.at);
        let mut end = empty_line(&self.bytes[from..]).map(|line| from + line - 2);
        if end.is_some() && rest.len() >= OUTPUT.len() && rest[..OUTPUT.len()].eq_ignore_ascii_case(OUTPUT) {
            let from = searched.saturating_sub(END_OF_OUTPUT.len() - 1).max(self.at);
            let output = memmem::find(&self.bytes[from..], END_OF_OUTPUT);
            end = output.map(|end| from + end + END_OF_OUTPUT.len() - END.len());
        }
        if end.is_none() {
            self.searched = self.bytes.len();
            self.counted.check(rest)?;
        }
        Ok(end)
    }
}

impl Counted {
    /// Whether a message, whole or not, is within the bounds. Only what has come since the last time is looked at.
    fn check(&mut self, message: &[u8]) -> Result<(), String> {
        if message.len() <= HARMLESS {
            return Ok(());
        }
        if message.len() > MESSAGE {
            return Err(format!("a message of more than {MESSAGE} bytes came: it was not read to its end"));
        }
        let mut rest = message.get(self.bytes..).unwrap_or_default();
        self.bytes = self.bytes.max(message.len());
        while !rest.is_empty() {
            let end = memchr(b'\n', rest).map(|end| end + 1);
            let read = end.unwrap_or(rest.len());
            self.line += read;
            if self.line > LINE {
                return Err(format!("a line of more than {LINE} bytes came: it was not read to its end"));
            }
            if end.is_some() {
                (self.line, self.lines) = (0, self.lines + 1);
            }
            if self.lines + usize::from(self.line > 0) > LINES {
                return Err(format!("a message of more than {LINES} lines came: it was not read to its end"));
            }
            rest = &rest[read..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(chunks: &[&[u8]]) -> Result<Vec<Vec<u8>>, String> {
        let mut framer = Framer::default();
        let mut found = Vec::new();
        for chunk in chunks {
            framer.push(chunk.to_vec());
            while let Some(piece) = framer.next()? {
                found.push(match piece {
                    Piece::Banner(line) => [b"! ", line].concat(),
                    Piece::Message(message) => message.to_vec(),
                });
            }
        }
        Ok(found)
    }

    const STREAM: &[u8] = b"Asterisk Call Manager/5.0.4\r\nResponse: Success\r\nMessage: a: b\r\n\r\n\r\n\r\nEvent: X\r\nA: 1\r2\r\nB: \r\n\r\nResponse: Follows\r\nPrivilege: Command\r\none\n\r\n\r\ntwo\n--END COMMAND--\r\n\r\nEvent: Y\r\n\r\n";

    #[test]
    fn a_stream_falls_into_its_messages() {
        let found = pieces(&[STREAM]).expect("within bounds");
        let expected: [&[u8]; 5] = [
            b"! Asterisk Call Manager/5.0.4",
            b"Response: Success\r\nMessage: a: b",
            b"Event: X\r\nA: 1\r2\r\nB: ",
            b"Response: Follows\r\nPrivilege: Command\r\none\n\r\n\r\ntwo\n--END COMMAND--",
            b"Event: Y",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_has_no_end_is_refused_and_not_kept() {
        let why = pieces(&[b"Asterisk\r\n", &[b'a'; 70_000]]).expect_err("a line");
        assert!(why.contains("a line of more than"), "{why}");
        let line = [&[b'a'; 1000][..], b"\r\n"].concat();
        let many: Vec<&[u8]> = std::iter::once(&b"Asterisk\r\n"[..]).chain((0..2000).map(|_| &line[..])).collect();
        assert!(pieces(&many).expect_err("a message").contains("a message of more than 1048576 bytes"));
        let short: Vec<&[u8]> =
            std::iter::once(&b"Asterisk\r\n"[..]).chain((0..20_000).map(|_| &b"a\r\n"[..])).collect();
        assert!(pieces(&short).expect_err("lines").contains("lines came"));
        assert!(pieces(&[&[b'x'; 2000]]).expect_err("no banner").contains("does not greet"));
    }

    #[test]
    fn what_comes_byte_by_byte_is_counted_once() {
        let message = ["Event: X\r\n", &"Name: value\r\n".repeat(9_000)].concat();
        let mut framer = Framer::default();
        framer.push(b"Asterisk\r\n".to_vec());
        assert_eq!(framer.next(), Ok(Some(Piece::Banner(b"Asterisk"))));
        let mut counted = 0;
        for byte in message.bytes() {
            framer.push(vec![byte]);
            assert_eq!(framer.next(), Ok(None));
            assert!(framer.counted.bytes >= counted, "nothing is read from its beginning again");
            counted = framer.counted.bytes;
        }
        assert_eq!((counted, framer.counted.lines), (message.len(), 9_001));
        framer.push(b"\r\n".to_vec());
        assert!(matches!(framer.next(), Ok(Some(Piece::Message(found))) if found.len() == message.len() - 2));
        assert_eq!(framer.counted.bytes, 0, "the next one is counted anew");
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(cuts in proptest::collection::vec(0..STREAM.len(), 0..20)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &STREAM[pair[0]..pair[1]]).collect();
            prop_assert_eq!(pieces(&chunks), pieces(&[STREAM]));
        }

        #[test]
        fn garbage_does_no_harm(bytes in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b':'), any::<u8>()], 0..400)) {
            let whole = pieces(&[&bytes]);
            let each: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(pieces(&each), whole);
        }
    }
}
