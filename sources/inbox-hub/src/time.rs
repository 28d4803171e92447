//! Moments in all the ways that senders write them.

use cordboard_sdk::serde_json::Value;
use cordboard_sdk::vocabulary::Instant;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::look;

/// The year 9999 ends.
const LATEST: f64 = 253_402_300_799_999.0;

/// Below this a number is seconds, from it on milliseconds.
const MILLIS: f64 = 1e12;

/// Reads moments.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: TimeZone,
}

/// A moment that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Instant,
    /// It had no offset: the setting `zone` decided.
    pub floating: bool,
}

impl Clock {
    /// Moments without an offset are in this zone.
    pub fn new(zone: &str) -> Result<Self, String> {
        let zone = match zone {
            "UTC" => TimeZone::UTC,
            name => TimeZone::get(name).map_err(|_| format!("zone: `{name}` is no time zone; write Europe/Madrid"))?,
        };
        Ok(Self { zone })
    }

    /// The first of these members that is a moment.
    pub fn find(&self, value: &Value, paths: &[&str]) -> Option<Moment> {
        paths.iter().find_map(|path| self.read(look::first(value, &[path])?))
    }

    /// A number of seconds or milliseconds, as number, text or two halves; or ISO 8601. Zero is no moment.
    pub fn read(&self, value: &Value) -> Option<Moment> {
        if let Some(number) = look::as_number(value) {
            let millis = if number < MILLIS { number * 1000.0 } else { number };
            return (1.0..=LATEST).contains(&millis).then_some(Moment { at: millis as u64, floating: false });
        }
        let text = value.as_str()?.trim();
        let (at, floating) = match text.parse::<Timestamp>() {
            Ok(at) => (at, false),
            Err(_) => (self.zone.to_timestamp(text.parse::<DateTime>().ok()?).ok()?, true),
        };
        let at = u64::try_from(at.as_millisecond()).ok().filter(|at| *at > 0)?;
        Some(Moment { at, floating })
    }
}

/// RFC 3339 with milliseconds, as the provider writes it.
pub fn written(at: Instant) -> String {
    let millis = i64::try_from(at).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).map_or_else(|_| at.to_string(), |at| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cordboard_sdk::serde_json::json;

    #[test]
    fn one_moment_in_many_spellings() {
        let clock = Clock::new("Europe/Madrid").unwrap();
        for value in [
            json!(1_760_524_200),
            json!(1_760_524_200_000_u64),
            json!("1760524200"),
            json!("1760524200000"),
            json!({"low": 1_760_524_200, "high": 0, "unsigned": true}),
            json!("2025-10-15T10:30:00.000Z"),
            json!("2025-10-15T12:30:00+02:00"),
            json!("2025-10-15 12:30:00"),
        ] {
            assert_eq!(clock.read(&value).expect("a moment").at, 1_760_524_200_000, "{value}");
        }
        assert!(clock.read(&json!("2025-10-15 12:30:00")).unwrap().floating);
        for value in [json!(0), json!(""), json!(-5), json!("soon"), json!(null), json!(1e300), json!(["x"])] {
            assert_eq!(clock.read(&value), None, "{value}");
        }
        assert_eq!(written(1_760_524_200_000), "2025-10-15T10:30:00.000Z");
        assert!(Clock::new("Mars/Olympus").is_err());
    }
}
