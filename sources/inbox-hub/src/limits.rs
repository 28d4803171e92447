//! What the server's headers say of its limits. Two families of them arrive together.

use cordboard_sdk::http::Response;
use cordboard_sdk::serde_json::Value;

use crate::time::Clock;

/// No wait is longer than the longest window.
const CEILING: u64 = 15 * 60_000;

/// What one family says.
struct Family {
    /// Calls left in the window.
    remaining: Option<u64>,
    /// Milliseconds until the window ends.
    reset: u64,
}

/// How long to wait after a refusal for too many calls: the latest of what the headers say, but for those of a family
/// that has calls left.
pub fn refused(answer: &Response) -> Option<u64> {
    let families = families(answer).into_iter().filter(|family| family.remaining.unwrap_or(0) == 0);
    let waits = families.map(|family| family.reset).chain(answer.retry_after());
    waits.max().map(|wait| wait.min(CEILING))
}

/// How long reading should wait so that the last calls of the window are left for sending.
pub fn spared(answer: &Response, reserve: u64) -> Option<u64> {
    let families = families(answer).into_iter();
    let low = families.filter(|family| family.remaining.is_some_and(|remaining| remaining <= reserve));
    low.map(|family| family.reset.min(CEILING)).max()
}

fn families(answer: &Response) -> Vec<Family> {
    let number = |name: &str| answer.header(name).and_then(|value| value.trim().parse::<u64>().ok());
    let seconds = number("ratelimit-reset").map(|seconds| seconds.saturating_mul(1000));
    let moment = answer.header("x-ratelimit-reset").and_then(|value| {
        let moment = Clock::new("UTC").ok()?.read(&Value::from(value))?;
        Some(moment.at.saturating_sub(answer.at))
    });
    let family = |prefix: &str, reset: Option<u64>| {
        Some(Family { remaining: number(&format!("{prefix}ratelimit-remaining")), reset: reset? })
    };
    [family("", seconds), family("x-", moment)].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answered at 2025-10-15T10:30:00Z.
    fn answer(headers: &[(&str, &str)]) -> Response {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        Response { status: 429, headers, body: vec![], at: 1_760_524_200_000 }
    }

    #[test]
    fn the_latest_wait_of_those_that_count() {
        let both = answer(&[
            ("retry-after", "10"),
            ("ratelimit-reset", "42"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "2025-10-15T10:30:30.000Z"),
        ]);
        assert_eq!(refused(&both), Some(42_000));
        let other_window = answer(&[
            ("ratelimit-remaining", "982"),
            ("ratelimit-reset", "779"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "2025-10-15T10:31:00.000Z"),
        ]);
        assert_eq!(refused(&other_window), Some(60_000));
        assert_eq!(refused(&answer(&[("ratelimit-reset", "99999")])), Some(CEILING));
        assert_eq!(refused(&answer(&[("x-ratelimit-reset", "soon")])), None);
    }

    #[test]
    fn the_last_calls_are_spared() {
        let left = |remaining| {
            answer(&[("x-ratelimit-remaining", remaining), ("x-ratelimit-reset", "2025-10-15T10:30:20.000Z")])
        };
        assert_eq!(spared(&left("5"), 5), Some(20_000));
        assert_eq!(spared(&left("6"), 5), None);
    }
}
