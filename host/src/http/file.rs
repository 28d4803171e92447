//! A file as an answer: whole or in part, or not at all when whoever asks has it already (RFC 9110).

use std::ops::RangeInclusive;
use std::time::SystemTime;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_range_header::{EndPosition, RangeUnsatisfiableError, StartPosition, parse_range_header};

use crate::recordings::Sound;

/// What is sent of a file.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    Some(RangeInclusive<u64>),
    /// Nothing of the file is in the range.
    None,
}

/// The answer to a request with these headers. The file is read while it is sent.
pub(super) fn respond(sound: Sound, asked: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", sound.tag);
    if unchanged(asked, &tag, sound.modified) {
        return described(StatusCode::NOT_MODIFIED, &sound, &tag, Body::empty());
    }
    let length = sound.length;
    match part(asked, &tag, sound.modified, length) {
        Part::Whole => {
            let mut response = sent(StatusCode::OK, &sound, &tag, 0, length);
            set(&mut response, header::CONTENT_LENGTH, &length.to_string());
            response
        }
        Part::Some(range) => {
            let count = range.end() - range.start() + 1;
            let mut response = sent(StatusCode::PARTIAL_CONTENT, &sound, &tag, *range.start(), count);
            set(&mut response, header::CONTENT_LENGTH, &count.to_string());
            let which = format!("bytes {}-{}/{length}", range.start(), range.end());
            set(&mut response, header::CONTENT_RANGE, &which);
            response
        }
        Part::None => {
            let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            set(&mut response, header::CONTENT_RANGE, &format!("bytes */{length}"));
            set(&mut response, header::ACCEPT_RANGES, "bytes");
            response
        }
    }
}

fn sent(status: StatusCode, sound: &Sound, tag: &str, from: u64, count: u64) -> Response {
    match sound.pieces(from, count) {
        Ok(pieces) => described(status, sound, tag, Body::from_stream(pieces)),
        Err(why) => {
            tracing::error!(file = %sound.path.display(), %why, "a recording cannot be read");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn described(status: StatusCode, sound: &Sound, tag: &str, body: Body) -> Response {
    let mut response = (status, body).into_response();
    let modified = httpdate::fmt_http_date(sound.modified);
    let shown = if sound.inline { "inline" } else { "attachment" };
    let disposition = format!("{shown}; filename=\"{}\"", sound.name);
    for (name, value) in [
        (header::CONTENT_TYPE, sound.media_type),
        (header::CONTENT_DISPOSITION, disposition.as_str()),
        (header::ETAG, tag),
        (header::LAST_MODIFIED, &modified),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        set(&mut response, name, value);
    }
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    // Every value here is made of plain letters.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

fn text<'a>(asked: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    asked.get(name).and_then(|value| value.to_str().ok())
}

/// Whether what is asked for is what the other side has. A tag counts more than a date.
fn unchanged(asked: &HeaderMap, tag: &str, modified: SystemTime) -> bool {
    if let Some(tags) = text(asked, &header::IF_NONE_MATCH) {
        let same = |one: &str| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag;
        return tags.split(',').any(|one| same(one.trim()));
    }
    let since = text(asked, &header::IF_MODIFIED_SINCE).and_then(|date| httpdate::parse_http_date(date).ok());
    since.is_some_and(|since| seconds(modified) <= seconds(since))
}

/// A range counts when it is one alone and well written, and when `If-Range` does not say that it is of another file.
fn part(asked: &HeaderMap, tag: &str, modified: SystemTime, length: u64) -> Part {
    if let Some(condition) = text(asked, &header::IF_RANGE) {
        let same_date = || httpdate::parse_http_date(condition).is_ok_and(|date| seconds(date) == seconds(modified));
        if condition != tag && !same_date() {
            return Part::Whole;
        }
    }
    let Some(ranges) = text(asked, &header::RANGE) else { return Part::Whole };
    let range = match parse_range_header(ranges) {
        Ok(ranges) => match ranges.ranges[..] {
            [range] => range,
            _ => return Part::Whole,
        },
        Err(RangeUnsatisfiableError::ZeroSuffix) if !ranges.contains(',') => return Part::None,
        Err(_) => return Part::Whole,
    };
    match (range.start, range.end) {
        (StartPosition::Index(start), EndPosition::Index(end)) if end < start => Part::Whole,
        (StartPosition::Index(start), _) if start >= length => Part::None,
        (StartPosition::Index(start), EndPosition::Index(end)) => Part::Some(start..=end.min(length - 1)),
        (StartPosition::Index(start), EndPosition::LastByte) => Part::Some(start..=length - 1),
        // Of an empty file the last bytes are all of it, which no `Content-Range` can say.
        (StartPosition::FromLast(_), _) if length == 0 => Part::Whole,
        (StartPosition::FromLast(count), _) => Part::Some(length.saturating_sub(count)..=length - 1),
    }
}

/// Dates of HTTP have no fractions.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn asked(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn one_range_is_understood_and_everything_else_is_the_whole() {
        let modified = UNIX_EPOCH + Duration::from_millis(1_795_262_400_500);
        let of = |pairs: &[(HeaderName, &str)], length| part(&asked(pairs), "\"t\"", modified, length);
        let range = |text| of(&[(header::RANGE, text)], 10);
        assert_eq!(range("bytes=0-"), Part::Some(0..=9));
        assert_eq!(range("bytes=2-4"), Part::Some(2..=4));
        assert_eq!(range("bytes=2-400"), Part::Some(2..=9));
        assert_eq!(range("bytes=-3"), Part::Some(7..=9));
        assert_eq!(range("bytes=-400"), Part::Some(0..=9), "a file that is shorter is asked for whole");
        for none in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(range(none), Part::None, "{none}");
        }
        for whole in
            ["bytes=0-1,3-4", "bytes=a-b", "lines=1-2", "0-1", "bytes=", "bytes=5-2", "bytes=12-11", "bytes=0-1,-0"]
        {
            assert_eq!(range(whole), Part::Whole, "{whole}");
        }
        assert_eq!(of(&[(header::RANGE, "bytes=0-")], 0), Part::None);
        assert_eq!(of(&[(header::RANGE, "bytes=-5")], 0), Part::Whole);
        let with = |condition: &str| of(&[(header::RANGE, "bytes=2-4"), (header::IF_RANGE, condition)], 10);
        assert_eq!(with("\"t\""), Part::Some(2..=4));
        assert_eq!(with("Sat, 21 Nov 2026 12:00:00 GMT"), Part::Some(2..=4));
        for other in ["\"u\"", "W/\"t\"", "Sat, 21 Nov 2026 12:00:01 GMT"] {
            assert_eq!(with(other), Part::Whole, "{other}");
        }
    }

    #[test]
    fn what_is_there_already_is_not_sent() {
        let modified = UNIX_EPOCH + Duration::from_millis(1_795_262_400_500);
        let is = |pairs: &[(HeaderName, &str)]| unchanged(&asked(pairs), "\"t\"", modified);
        for same in ["\"t\"", "W/\"t\"", "\"a\", \"t\"", "*"] {
            assert!(is(&[(header::IF_NONE_MATCH, same)]), "{same}");
        }
        assert!(!is(&[(header::IF_NONE_MATCH, "\"u\"")]));
        assert!(is(&[(header::IF_MODIFIED_SINCE, "Sat, 21 Nov 2026 12:00:00 GMT")]));
        assert!(!is(&[(header::IF_MODIFIED_SINCE, "Sat, 21 Nov 2026 11:59:59 GMT")]));
        let both = [(header::IF_NONE_MATCH, "\"u\""), (header::IF_MODIFIED_SINCE, "Sat, 21 Nov 2026 12:00:00 GMT")];
        assert!(!is(&both), "the tag counts");
    }
}
