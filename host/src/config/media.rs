//! `[media]` of `cordboard.toml`: how what is attached to messages is fetched and kept.

use std::time::Duration;

use super::document::Table;

/// How media of messages is fetched and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetching {
    /// Bytes of the largest file that is fetched.
    pub size: u64,
    /// How long fetching one may take.
    pub timeout: Duration,
    /// How many are fetched at once.
    pub at_once: usize,
    /// For so long after a message came it is tried.
    pub within: Duration,
    /// Bytes of files that are kept.
    pub space: u64,
}

impl Default for Fetching {
    fn default() -> Self {
        let (timeout, within) = (Duration::from_secs(30), Duration::from_secs(86_400));
        Fetching { size: 50 << 20, timeout, at_once: 4, within, space: 10 << 30 }
    }
}

impl Fetching {
    pub(super) fn read(table: &Table<'_>) -> Self {
        let mut fetching = Fetching::default();
        let Some(table) = table.take("media").and_then(|node| node.table()) else { return fetching };
        fetching.size = table.take("size").and_then(|node| node.size()).unwrap_or(fetching.size);
        if let Some(node) = table.take("timeout") {
            match node.duration() {
                Some(timeout) if timeout.is_zero() || timeout > Duration::from_secs(600) => {
                    node.problem("`media.timeout` must be from 1ms to 10m", None);
                }
                timeout => fetching.timeout = timeout.unwrap_or(fetching.timeout),
            }
        }
        let at_once = table.take("at_once").and_then(|node| node.number(1..=64));
        fetching.at_once = at_once.map_or(fetching.at_once, |count| count as usize);
        fetching.within = table.take("within").and_then(|node| node.duration()).unwrap_or(fetching.within);
        if let Some(node) = table.take("space") {
            match node.size() {
                Some(space) if space < fetching.size => {
                    let hint = Some("make `media.space` larger, or `media.size` smaller".to_owned());
                    node.problem("`media.space` is smaller than one file may be", hint);
                }
                space => fetching.space = space.unwrap_or(fetching.space),
            }
        }
        fetching
    }
}
