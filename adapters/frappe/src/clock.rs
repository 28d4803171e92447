//! Moments as Frappe wants them: by the clock on the site's wall, without saying which.

use cordboard_sdk::vocabulary::Instant;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The last moment that has four digits for its year in every zone.
const LAST: u64 = 253_402_200_000_000;

/// A site's time zone.
#[derive(Debug, Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// By its name in the time zone database: "Asia/Kolkata".
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name.trim()).ok().map(Self)
    }

    /// `YYYY-MM-DD HH:MM:SS`.
    pub fn datetime(&self, moment: Instant) -> String {
        self.format(moment, "%Y-%m-%d %H:%M:%S")
    }

    /// The same with the fraction of the second, when there is one: messages of one second keep their order.
    pub fn precise(&self, moment: Instant) -> String {
        match moment.min(LAST) % 1000 {
            0 => self.datetime(moment),
            fraction => format!("{}.{fraction:03}000", self.datetime(moment)),
        }
    }

    /// `YYYY-MM-DD`.
    pub fn date(&self, moment: Instant) -> String {
        self.format(moment, "%Y-%m-%d")
    }

    /// `HH:MM:SS`.
    pub fn time(&self, moment: Instant) -> String {
        self.format(moment, "%H:%M:%S")
    }

    fn format(&self, moment: Instant, format: &str) -> String {
        let milliseconds = i64::try_from(moment.min(LAST)).unwrap_or_default();
        let moment = Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH);
        moment.to_zoned(self.0.clone()).strftime(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_on_the_sites_wall() {
        let kolkata = Zone::named("Asia/Kolkata").unwrap();
        assert_eq!(kolkata.datetime(1_772_704_530_000), "2026-03-05 15:25:30");
        assert_eq!(kolkata.precise(1_772_704_530_250), "2026-03-05 15:25:30.250000");
        assert_eq!(kolkata.precise(1_772_704_530_000), "2026-03-05 15:25:30");
        let madrid = Zone::named("Europe/Madrid").unwrap();
        assert_eq!(madrid.datetime(1_774_746_000_000), "2026-03-29 03:00:00", "an hour was skipped");
        assert_eq!(madrid.datetime(1_774_745_999_000), "2026-03-29 01:59:59");
        assert_eq!((madrid.date(0).as_str(), madrid.time(0).as_str()), ("1970-01-01", "01:00:00"));
        for far in [u64::MAX, LAST + 1] {
            assert!(Zone::named("Pacific/Kiritimati").unwrap().datetime(far).starts_with("9999-12-"));
        }
        assert!(Zone::named("Mars/Olympus").is_none());
        assert!(Zone::named("Asia/Calcutta").is_some(), "names of long ago");
    }
}
