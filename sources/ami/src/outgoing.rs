//! Actions that go out.

/// Why a value cannot stand in an action: it would end its line, and what follows would be a line of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused(pub String);

/// Bytes of a line that Asterisk reads; it breaks the whole message when one is longer.
const LINE: usize = 1_000;
/// Lines of an action that Asterisk reads.
const LINES: usize = 120;

/// An action being written.
pub struct Outgoing {
    bytes: Vec<u8>,
    lines: usize,
    refused: Option<Refused>,
}

impl Outgoing {
    /// An action of this name under this id.
    pub fn new(action: &str, id: u64) -> Self {
        let mut outgoing = Self { bytes: Vec::with_capacity(256), lines: 0, refused: None };
        outgoing.line("Action", action);
        outgoing.line("ActionID", &format!("{PREFIX}{id}"));
        outgoing
    }

    /// One more line. A value with a control character in it is refused, not mended.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.line(name, value);
        self
    }

    fn line(&mut self, name: &str, value: &str) {
        if let Some(odd) = name.bytes().chain(value.bytes()).find(|byte| *byte < 0x20 || *byte == 0x7f) {
            self.refused
                .get_or_insert(Refused(format!("the value of `{name}` has the control character {odd:#04x} in it")));
        }
        if name.len() + value.len() + 4 > LINE {
            self.refused.get_or_insert(Refused(format!("the value of `{name}` is too long for Asterisk")));
        }
        self.lines += 1;
        if self.lines > LINES {
            self.refused.get_or_insert(Refused("there are more lines than Asterisk takes".to_owned()));
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.bytes.extend_from_slice(value.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Whether it can be sent.
    pub fn is_good(&self) -> bool {
        self.refused.is_none()
    }

    /// The bytes to send.
    pub fn bytes(mut self) -> Result<Vec<u8>, Refused> {
        match self.refused {
            Some(refused) => Err(refused),
            None => {
                self.bytes.extend_from_slice(b"\r\n");
                Ok(self.bytes)
            }
        }
    }
}

const PREFIX: &str = "cordboard-";

/// The number of one of our own ids of actions.
pub fn action_id(bytes: &[u8]) -> Option<u64> {
    std::str::from_utf8(bytes).ok()?.strip_prefix(PREFIX)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_lines() {
        let bytes = Outgoing::new("Ping", 7).with("A", "b: c").bytes().expect("good");
        assert_eq!(bytes, b"Action: Ping\r\nActionID: cordboard-7\r\nA: b: c\r\n\r\n");
        assert_eq!((action_id(b"cordboard-7"), action_id(b"lab-7")), (Some(7), None));
    }

    #[test]
    fn control_characters_do_not_leave() {
        for odd in ["a\r\nAction: Originate", "a\nb", "a\rb", "\0", "a\tb", "\x7f"] {
            assert!(Outgoing::new("Ping", 1).with("A", odd).bytes().is_err(), "{odd:?}");
        }
        assert!(Outgoing::new("Ping", 1).with("A", &"x".repeat(1000)).bytes().is_err());
        let many = (0..200).fold(Outgoing::new("Ping", 1), |outgoing, _| outgoing.with("Variable", "a=b"));
        assert!(many.bytes().is_err());
    }
}
