//! Actions as they come: lines, their limits, and what the server says of those that pass them.

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// A longer line cannot be parsed.
const LINE: usize = 1020;

/// More lines are too many.
const LINES: usize = 128;

/// What a client sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Action {
    /// Names and values in their order.
    pub lines: Vec<(String, String)>,
}

/// What came next.
pub(super) enum Came {
    Action(Action),
    /// What the server says of it.
    Wrong(&'static str),
    /// Nothing more.
    End,
}

impl Action {
    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lines.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Reads up to the empty line that ends an action.
pub(super) async fn next(from: &mut (impl AsyncBufRead + Unpin)) -> Came {
    let (mut action, mut seen) = (Action::default(), 0);
    loop {
        let mut line = Vec::new();
        match from.read_until(b'\n', &mut line).await {
            Ok(1..) if line.last() == Some(&b'\n') => {}
            _ => return Came::End,
        }
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() >= LINE {
            return Came::Wrong("Failed to parse message: line too long");
        }
        if line.is_empty() {
            return match (seen, action.get("Action").is_some()) {
                (LINES.., _) => Came::Wrong("Too many lines in message or allocation failure"),
                (_, false) => Came::Wrong("Missing action in request"),
                (_, true) => Came::Action(action),
            };
        }
        seen += 1;
        if seen < LINES {
            // A NUL cuts the value.
            let text = line.split(|byte| *byte == 0).next().unwrap_or_default();
            let text = String::from_utf8_lossy(text).into_owned();
            if let Some((name, value)) = text.split_once(':') {
                action.lines.push((name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()));
            }
        }
    }
}
