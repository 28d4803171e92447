//! A moment, to the millisecond.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since 1970-01-01T00:00:00Z, up to the end of the year 9999. Written as RFC 3339 in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

/// 9999-12-31T23:59:59.999Z
const LAST: u64 = 253_402_300_799_999;

impl Instant {
    /// The moment so many milliseconds after 1970; nothing past the year 9999.
    pub fn from_millis(millis: u64) -> Option<Self> {
        (millis <= LAST).then_some(Instant(millis))
    }

    /// As [`Instant::from_millis`], with the end of the year 9999 for anything later.
    pub fn clamped(millis: u64) -> Self {
        Instant(millis.min(LAST))
    }

    /// The present, by the machine's clock.
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Instant::clamped(since.as_millis().try_into().unwrap_or(LAST))
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// So much later.
    pub fn after(self, duration: std::time::Duration) -> Self {
        Instant::clamped(self.0.saturating_add(duration.as_millis().try_into().unwrap_or(LAST)))
    }

    /// So much earlier, not before 1970.
    pub fn before(self, duration: std::time::Duration) -> Self {
        Instant(self.0.saturating_sub(duration.as_millis().try_into().unwrap_or(LAST)))
    }

    /// Whole seconds from `earlier` to this moment; 0 when it is not earlier.
    pub fn seconds_since(self, earlier: Instant) -> u32 {
        (self.0.saturating_sub(earlier.0) / 1000).try_into().unwrap_or(u32::MAX)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(millis) {
            Ok(timestamp) => write!(f, "{timestamp:.3}"),
            Err(_) => f.write_str("9999-12-31T23:59:59.999Z"),
        }
    }
}

impl std::str::FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let timestamp: jiff::Timestamp =
            text.parse().map_err(|_| format!("`{text}` is not a time like 2026-11-21T09:10:20Z"))?;
        u64::try_from(timestamp.as_millisecond())
            .ok()
            .and_then(Instant::from_millis)
            .ok_or_else(|| format!("`{text}` is not between the years 1970 and 9999"))
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
