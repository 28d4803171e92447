//! Times and durations as PBXs write them.
//!
//! The usual spellings are read by hand: that is what a decode spends its time on. Patterns and named zones go through
//! the time zone database.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::{AmbiguousOffset, TimeZone};

use crate::refused::Shown;

/// The last millisecond of the year 9999.
const LATEST: u64 = 253_402_300_799_999;

/// A moment in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The moment; the first of the two when clocks were set back and the hour came twice.
    pub at: u64,
    /// The second of the two.
    pub again: Option<u64>,
}

/// How a source's times are read.
#[derive(Clone, Debug)]
pub struct Clock {
    zone: Option<TimeZone>,
    formats: Vec<Format>,
}

#[derive(Clone, Debug)]
enum Format {
    Auto,
    Rfc3339,
    Epoch(Unit),
    Pattern(String),
}

/// What a plain number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Thousandths.
    Millis,
    /// Millionths.
    Micros,
}

impl Unit {
    fn per_second(self) -> f64 {
        match self {
            Unit::Seconds => 1.0,
            Unit::Millis => 1e3,
            Unit::Micros => 1e6,
        }
    }
}

impl Clock {
    /// `zone` is an IANA name; `formats` are names or strftime patterns, tried in order.
    pub fn new(zone: &str, formats: &[String]) -> Result<Self, String> {
        let zone = match zone {
            "UTC" | "Etc/UTC" | "Z" => None,
            name => Some(TimeZone::get(name).map_err(|_| {
                format!("`{name}` is not a time zone: write an IANA name such as `Europe/Madrid` or `UTC`")
            })?),
        };
        let formats = formats
            .iter()
            .map(|format| match format.as_str() {
                "auto" => Ok(Format::Auto),
                "rfc3339" => Ok(Format::Rfc3339),
                "epoch" => Ok(Format::Epoch(Unit::Seconds)),
                "epoch-ms" => Ok(Format::Epoch(Unit::Millis)),
                "epoch-us" => Ok(Format::Epoch(Unit::Micros)),
                pattern if pattern.contains('%') => Ok(Format::Pattern(pattern.to_owned())),
                other => Err(format!(
                    "`{other}` is not a time format: write `auto`, `rfc3339`, `epoch`, `epoch-ms`, `epoch-us` or a \
                     pattern such as `%d.%m.%Y %H:%M:%S`"
                )),
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Clock { zone, formats: if formats.is_empty() { vec![Format::Auto] } else { formats } })
    }

    /// Reads a time. A zero, as PBXs write it for "never", is no time.
    pub fn read(&self, text: &str) -> Result<Option<Moment>, String> {
        let text = text.trim();
        if text.is_empty() || text.starts_with("0000-00-00") {
            return Ok(None);
        }
        let mut reason = None;
        for format in &self.formats {
            let read = match format {
                Format::Auto => self.civil(text).or_else(|not| not.or_try(|| epoch(text, None))),
                Format::Rfc3339 => self.civil(text),
                Format::Epoch(unit) => epoch(text, Some(*unit)),
                Format::Pattern(pattern) => self.pattern(pattern, text),
            };
            match read {
                Ok(moment) => return Ok((moment.at != 0).then_some(moment)),
                Err(Not::ThisFormat) => {}
                Err(Not::AMoment(why)) => reason = reason.or(Some(why)),
            }
        }
        Err(match reason {
            Some(why) => format!("{} {why}", Shown(text)),
            None => format!(
                "{} is not a time that this source reads: send RFC 3339 (2026-03-01T09:30:00Z) or seconds since 1970, \
                 or name the format in the setting `times`",
                Shown(text)
            ),
        })
    }

    /// `2026-03-01T09:30:00.5+01:00` and its relatives: a blank for the `T`, slashes for the dashes, no seconds, no
    /// offset.
    fn civil(&self, text: &str) -> Result<Moment, Not> {
        let mut rest = Digits(text.as_bytes());
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let separator = text.as_bytes().get(digits).copied();
        if !matches!(separator, Some(b'-' | b'/')) || digits < 4 {
            return Err(Not::ThisFormat);
        }
        if digits > 4 {
            return Err(Not::out_of_range());
        }
        let year = rest.number(4)?;
        rest.skip(|byte| Some(byte) == separator)?;
        let month = rest.number(2)?;
        rest.skip(|byte| Some(byte) == separator)?;
        let day = rest.number(2)?;
        rest.skip(|byte| matches!(byte, b'T' | b't' | b' '))?;
        let hour = rest.number(2)?;
        rest.skip(|byte| byte == b':')?;
        let minute = rest.number(2)?;
        let mut second = 0;
        let mut milli = 0;
        if rest.skip(|byte| byte == b':').is_ok() {
            second = rest.number(2)?;
            if rest.skip(|byte| matches!(byte, b'.' | b',')).is_ok() {
                milli = rest.fraction()?;
            }
        }
        if month == 0 || month > 12 || day == 0 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 60
        {
            return Err(Not::AMoment("is not a day and hour that exist".into()));
        }
        let local = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute;
        let local = (local * 60 + second) * 1000 + milli;
        match rest.offset()? {
            Some(offset) => Moment::new(local - offset * 1000),
            None => match &self.zone {
                None => Moment::new(local),
                Some(zone) => {
                    let civil = [year, month, day, hour, minute, second.min(59)];
                    let [year, month, day, hour, minute, second] = civil.map(|part| part as i16);
                    let part = |part: i16| part as i8;
                    let civil = DateTime::new(
                        year,
                        part(month),
                        part(day),
                        part(hour),
                        part(minute),
                        part(second),
                        milli as i32 * 1_000_000,
                    );
                    in_zone(zone, civil.map_err(|_| Not::ThisFormat)?)
                }
            },
        }
    }

    fn pattern(&self, pattern: &str, text: &str) -> Result<Moment, Not> {
        let parsed = strtime::parse(pattern, text).map_err(|_| Not::ThisFormat)?;
        if let Ok(timestamp) = parsed.to_timestamp() {
            return Moment::new(timestamp.as_millisecond());
        }
        let civil = match parsed.to_datetime() {
            Ok(civil) => civil,
            // A pattern without a time of day means midnight.
            Err(_) => parsed.to_date().map_err(|_| Not::ThisFormat)?.at(0, 0, 0, 0),
        };
        match &self.zone {
            Some(zone) => in_zone(zone, civil),
            None => in_zone(&TimeZone::UTC, civil),
        }
    }
}

/// Why a text is not a moment in one format.
enum Not {
    ThisFormat,
    AMoment(String),
}

impl Not {
    fn out_of_range() -> Self {
        Not::AMoment("is out of range: times from 1970 to the year 9999 are taken".into())
    }

    fn or_try(self, other: impl FnOnce() -> Result<Moment, Not>) -> Result<Moment, Not> {
        match self {
            Not::ThisFormat => other(),
            not => Err(not),
        }
    }
}

impl Moment {
    fn new(millis: i64) -> Result<Self, Not> {
        match u64::try_from(millis) {
            Ok(at) if at <= LATEST => Ok(Moment { at, again: None }),
            _ => Err(Not::out_of_range()),
        }
    }
}

/// Reads a number of seconds, thousandths or millionths; without a unit the size of the number tells.
fn epoch(text: &str, unit: Option<Unit>) -> Result<Moment, Not> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return Err(Not::ThisFormat);
    }
    if negative || whole.len() > 17 {
        return Err(Not::out_of_range());
    }
    let Ok(number) = whole.parse::<i64>() else { return Err(Not::out_of_range()) };
    let unit = unit.unwrap_or(match number {
        ..100_000_000_000 => Unit::Seconds,
        100_000_000_000..100_000_000_000_000 => Unit::Millis,
        _ => Unit::Micros,
    });
    Moment::new(match unit {
        Unit::Seconds => {
            let mut thousandths = Digits(fraction.as_bytes());
            let thousandths = if fraction.is_empty() { 0 } else { thousandths.fraction()? };
            number.saturating_mul(1000).saturating_add(thousandths)
        }
        Unit::Millis => number,
        Unit::Micros => number / 1000,
    })
}

fn in_zone(zone: &TimeZone, civil: DateTime) -> Result<Moment, Not> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    let twice = matches!(ambiguous.offset(), AmbiguousOffset::Fold { .. });
    let again = twice.then(|| ambiguous.later().ok()).flatten();
    let first = ambiguous.compatible().map_err(|_| Not::out_of_range())?;
    let mut moment = Moment::new(first.as_millisecond())?;
    moment.again = again.and_then(|later| u64::try_from(later.as_millisecond()).ok());
    Ok(moment)
}

/// What is left to read of a time.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    /// One to `most` digits.
    fn number(&mut self, most: usize) -> Result<i64, Not> {
        let count = self.0.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(Not::ThisFormat);
        }
        let number = self.0[..count].iter().fold(0, |number, byte| number * 10 + i64::from(byte - b'0'));
        self.0 = &self.0[count..];
        Ok(number)
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) -> Result<(), Not> {
        match self.0.first() {
            Some(byte) if wanted(*byte) => {
                self.0 = &self.0[1..];
                Ok(())
            }
            _ => Err(Not::ThisFormat),
        }
    }

    /// Digits after the point, as thousandths.
    fn fraction(&mut self) -> Result<i64, Not> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(Not::ThisFormat);
        }
        let digit = |at: usize| if at < count { i64::from(self.0[at] - b'0') } else { 0 };
        let milli = digit(0) * 100 + digit(1) * 10 + digit(2);
        self.0 = &self.0[count..];
        Ok(milli)
    }

    /// What stands at the end: an offset in seconds, or nothing.
    fn offset(&mut self) -> Result<Option<i64>, Not> {
        if self.skip(|byte| byte == b' ').is_ok() && self.0 == b"UTC" {
            return Ok(Some(0));
        }
        let sign = match self.0 {
            [] => return Ok(None),
            [b'Z' | b'z'] => return Ok(Some(0)),
            [b'+', ..] => 1,
            [b'-', ..] => -1,
            _ => return Err(Not::ThisFormat),
        };
        self.0 = &self.0[1..];
        let hours = self.number(2)?;
        let _ = self.skip(|byte| byte == b':');
        let minutes = if self.0.is_empty() { 0 } else { self.number(2)? };
        if !self.0.is_empty() || hours > 23 || minutes > 59 {
            return Err(Not::ThisFormat);
        }
        Ok(Some(sign * (hours * 3600 + minutes * 60)))
    }
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the first of January 1970, in the Gregorian calendar. Years are counted from March, so that the leap day
/// is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// Reads a duration in whole seconds: a number in `unit`, or `HH:MM:SS` and `MM:SS`.
pub fn duration(text: &str, unit: Unit) -> Result<u32, String> {
    let text = text.trim();
    let seconds = if text.contains(':') {
        let mut seconds = 0.0;
        for part in text.trim_start_matches('-').split(':') {
            let part = part.parse::<f64>().ok().filter(|part| part.is_finite() && *part >= 0.0);
            let Some(part) = part else { return Err(no_duration(text)) };
            seconds = seconds * 60.0 + part;
        }
        if text.starts_with('-') { -seconds } else { seconds }
    } else {
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.ok_or_else(|| no_duration(text))? / unit.per_second()
    };
    if seconds < 0.0 {
        return Err(format!("{} is negative: a duration is counted from zero", Shown(text)));
    }
    if seconds > f64::from(u32::MAX) {
        return Err(format!("{} is longer than a call can last", Shown(text)));
    }
    Ok(seconds as u32)
}

fn no_duration(text: &str) -> String {
    format!("{} is not a duration: send seconds, or HH:MM:SS", Shown(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(zone: &str, formats: &[&str]) -> Clock {
        let formats: Vec<_> = formats.iter().map(|&format| format.to_owned()).collect();
        Clock::new(zone, &formats).expect("a clock")
    }

    fn at(clock: &Clock, text: &str) -> u64 {
        clock.read(text).expect(text).expect(text).at
    }

    #[test]
    fn the_same_moment_in_many_spellings() {
        let clock = clock("UTC", &[]);
        for text in [
            "2026-03-01T09:30:05Z",
            "2026-03-01T10:30:05+01:00",
            "2026-03-01T10:30:05+0100",
            "2026-03-01 04:30:05-05",
            "2026-03-01 09:30:05",
            "2026/03/01 09:30:05",
            "2026-3-1 9:30:05 UTC",
            "2026-03-01T09:30:05.000000Z",
            "1772357405",
            "1772357405000",
            "1772357405000000",
            "1772357405.0",
        ] {
            assert_eq!(at(&clock, text), 1_772_357_405_000, "{text}");
        }
        assert_eq!(at(&clock, "1970-01-01T00:00:00.25Z"), 250);
        assert_eq!(at(&clock, "2000-02-29T12:00:00Z"), 951_825_600_000);
        assert_eq!(at(&clock, "9999-12-31T23:59:59.999Z"), LATEST);
    }

    #[test]
    fn nothing_and_zero_are_no_time() {
        let clock = clock("UTC", &[]);
        for text in ["", "  ", "0", "0000-00-00 00:00:00"] {
            assert_eq!(clock.read(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_a_reason() {
        let clock = clock("UTC", &[]);
        for text in ["99999-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "-5", "999999999999999999", "100000000000000000"]
        {
            let why = clock.read(text).expect_err(text);
            assert!(why.contains("out of range"), "{text}: {why}");
        }
        for text in ["2026-02-29T00:00:00Z", "2026-13-01 00:00:00", "2026-01-01T24:00:00Z"] {
            assert!(clock.read(text).expect_err(text).contains("day and hour"), "{text}");
        }
        for text in ["yesterday", "2026-03-01", "2026-03-01T09:30:05Q", "2026-03-01T", "12:30", "1.2.3", "2026-"] {
            assert!(clock.read(text).expect_err(text).contains("`times`"), "{text}");
        }
    }

    #[test]
    fn times_without_an_offset_are_in_the_zone() {
        let clock = clock("Europe/Madrid", &[]);
        assert_eq!(at(&clock, "2026-03-01 10:30:05"), 1_772_357_405_000);
        assert_eq!(at(&clock, "2026-03-01 09:30:05Z"), 1_772_357_405_000);
        // Clocks go back on 2026-10-25 at 03:00: half past two comes twice.
        let twice = clock.read("2026-10-25 02:30:00").expect("a time").expect("a time");
        assert_eq!(twice.again, Some(twice.at + 3_600_000));
    }

    #[test]
    fn patterns() {
        let clock = clock("Europe/Madrid", &["%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p"]);
        assert_eq!(at(&clock, "01.03.2026 10:30:05"), 1_772_357_405_000);
        assert_eq!(at(&clock, "03/01/2026 10:30:05 AM"), 1_772_357_405_000);
        assert!(clock.read("2026-03-01T09:30:05Z").is_err());
        assert!(Clock::new("UTC", &["iso".into()]).is_err());
        assert!(Clock::new("Mars/Olympus", &[]).is_err());
    }

    #[test]
    fn durations() {
        assert_eq!(duration("19", Unit::Seconds), Ok(19));
        assert_eq!(duration("19.9", Unit::Seconds), Ok(19));
        assert_eq!(duration("19900", Unit::Millis), Ok(19));
        assert_eq!(duration("00:02:30", Unit::Seconds), Ok(150));
        assert_eq!(duration("2:30", Unit::Millis), Ok(150));
        for text in ["-5", "-0:05"] {
            assert!(duration(text, Unit::Seconds).expect_err(text).contains("negative"), "{text}");
        }
        for text in ["", "soon", "1e400", "NaN", "1:x", "99999999999"] {
            assert!(duration(text, Unit::Seconds).is_err(), "{text}");
        }
    }
}
