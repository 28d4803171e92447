//! How long to wait before the next try.

use std::time::Duration;

use rand::RngExt;

/// The longest wait that is believed of an outside system: a date where seconds should stand is many years.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Exponential, with full jitter: anything between nothing and `first` doubled for each try so far, up to `ceiling`;
/// never sooner than the outside system asked for (`after`).
pub fn wait(attempts: u32, first: Duration, ceiling: Duration, after: Option<Duration>) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
    let most = doubled.min(ceiling).max(Duration::from_millis(1));
    let jittered = Duration::from_millis(rand::rng().random_range(0..=most.as_millis().try_into().unwrap_or(u64::MAX)));
    jittered.max(after.unwrap_or_default().min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Duration = Duration::from_secs(1);
    const CEILING: Duration = Duration::from_secs(60);

    #[test]
    fn grows_and_stays_under_the_ceiling() {
        let longest = |attempts| (0..200).map(|_| wait(attempts, FIRST, CEILING, None)).max().unwrap();
        assert!(longest(1) <= FIRST);
        assert!(longest(4) > FIRST, "the fourth wait is drawn from up to 8 seconds");
        assert!(longest(40) <= CEILING);
        let shortest = (0..200).map(|_| wait(40, FIRST, CEILING, None)).min().unwrap();
        assert!(shortest < CEILING / 2, "those who wait for the same thing do not come back together: {shortest:?}");
    }

    #[test]
    fn never_sooner_than_asked() {
        let after = Duration::from_secs(90);
        assert!((0..50).all(|_| wait(1, FIRST, CEILING, Some(after)) >= after));
    }
}
