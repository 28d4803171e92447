//! Moments as Vtiger wants them: UTC, without saying so.

use cordboard_sdk::vocabulary::Instant;

/// The last moment that Vtiger's columns can hold with four digits for the year.
const LAST: u64 = 253_402_300_799_000;

/// `YYYY-MM-DD`.
pub fn date(moment: Instant) -> String {
    let days = moment.min(LAST) / 86_400_000;
    // Days since 0000-03-01, in eras of 400 years.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// `HH:MM:SS`.
pub fn time(moment: Instant) -> String {
    let seconds = moment.min(LAST) / 1000 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `YYYY-MM-DD HH:MM:SS`.
pub fn datetime(moment: Instant) -> String {
    format!("{} {}", date(moment), time(moment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_utc() {
        assert_eq!(datetime(1_795_246_209_000), "2026-11-21 07:30:09");
        assert_eq!(datetime(0), "1970-01-01 00:00:00");
        assert_eq!(datetime(951_782_400_999), "2000-02-29 00:00:00");
        assert_eq!(datetime(1_795_305_599_000), "2026-11-21 23:59:59");
        assert_eq!(datetime(1_795_305_600_000), "2026-11-22 00:00:00");
        assert_eq!(datetime(u64::MAX), "9999-12-31 23:59:59");
    }
}
