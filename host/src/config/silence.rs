//! `silence` of a source: after how long without a word somebody is told.

use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::document::{Node, Table};
use crate::model::Instant;

/// When a source that says nothing is taken to be silent.
#[derive(Clone, Debug, PartialEq)]
pub struct Silence {
    /// After so long without a word; absent: never.
    pub after: Option<Duration>,
    /// The hours that count; all of them when absent.
    pub hours: Option<Hours>,
}

/// The hours in which people write and call.
#[derive(Clone, Debug, PartialEq)]
pub struct Hours {
    from: Time,
    to: Time,
    /// Monday first.
    days: [bool; 7],
    zone: TimeZone,
}

impl Silence {
    /// What holds for a source with sessions whose file says nothing.
    pub const UNLESS_SAID: Silence = Silence { after: Some(Duration::from_secs(24 * 3600)), hours: None };

    /// Shorter ones would be told all day long.
    const SHORTEST: Duration = Duration::from_secs(1);

    /// From when on the time counts at this moment: the opening of the day, if that was later. Absent outside of the
    /// hours.
    pub fn counts_from(&self, heard: Instant, now: Instant) -> Option<Instant> {
        match &self.hours {
            None => Some(heard),
            Some(hours) => hours.opened(now).map(|opened| opened.max(heard)),
        }
    }

    /// `"2h"`, `"never"`, or a table.
    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        if node.is_table() {
            let table = node.table()?;
            let after = Some(length(&table.need("after")?)?);
            return Some(Silence { after, hours: Hours::read(&table) });
        }
        let after = match node.text()? {
            "never" => None,
            _ => Some(length(node)?),
        };
        Some(Silence { after, hours: None })
    }
}

fn length(node: &Node<'_>) -> Option<Duration> {
    let length = node.duration()?;
    if length < Silence::SHORTEST {
        node.problem(format!("`{}` is under a second", node.path), Some("write `2h`, say, or `never`".to_owned()));
    }
    Some(length)
}

impl Hours {
    fn read(table: &Table<'_>) -> Option<Self> {
        let zone = table.take("zone").and_then(|node| super::recordings::zone(&node)).unwrap_or(TimeZone::UTC);
        let days = table.take("days");
        let hours = table.take("hours")?;
        let span = hours.text().and_then(|text| {
            let (from, to) = text.split_once('-')?;
            let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
            Some((time(from)?, time(to)?)).filter(|(from, to)| from < to)
        });
        if span.is_none() {
            let hint = Some("write `08:00-20:00`, the earlier one first".to_owned());
            hours.problem(format!("`{}` are no hours of a day", hours.path), hint);
        }
        let days = match days {
            Some(node) => weekdays(&node)?,
            None => [true; 7],
        };
        let (from, to) = span?;
        Some(Hours { from, to, days, zone })
    }

    /// When the present hours began; absent outside of them.
    fn opened(&self, now: Instant) -> Option<Instant> {
        let now = Timestamp::from_millisecond(now.millis().try_into().ok()?).ok()?.to_zoned(self.zone.clone());
        let open = self.days[usize::from(now.weekday().to_monday_zero_offset().unsigned_abs())];
        if !open || now.time() < self.from || now.time() >= self.to {
            return None;
        }
        let opened: Zoned = now.date().to_datetime(self.from).to_zoned(self.zone.clone()).ok()?;
        Instant::from_millis(opened.timestamp().as_millisecond().try_into().ok()?)
    }
}

fn weekdays(node: &Node<'_>) -> Option<[bool; 7]> {
    const DAYS: [(&str, Weekday); 7] = [
        ("mon", Weekday::Monday),
        ("tue", Weekday::Tuesday),
        ("wed", Weekday::Wednesday),
        ("thu", Weekday::Thursday),
        ("fri", Weekday::Friday),
        ("sat", Weekday::Saturday),
        ("sun", Weekday::Sunday),
    ];
    let mut days = [false; 7];
    for (_, node) in node.texts() {
        let day = node.word(&DAYS)?;
        days[usize::from(day.to_monday_zero_offset().unsigned_abs())] = true;
    }
    Some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_and_days_off_do_not_count() {
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        let at = |text: &str| {
            let moment: Zoned = format!("{text}[Europe/Madrid]").parse().unwrap();
            Instant::from_millis(moment.timestamp().as_millisecond().unsigned_abs()).unwrap()
        };
        let time = |hour| Time::new(hour, 0, 0, 0).unwrap();
        let mut days = [true; 7];
        (days[5], days[6]) = (false, false);
        let silence = Silence {
            after: Some(Duration::from_secs(7200)),
            hours: Some(Hours { from: time(8), to: time(20), days, zone }),
        };
        // A Friday and the Saturday after it.
        let heard = at("2026-11-19T18:00");
        assert_eq!(silence.counts_from(heard, at("2026-11-20T07:59")), None);
        assert_eq!(silence.counts_from(heard, at("2026-11-20T09:00")), Some(at("2026-11-20T08:00")));
        assert_eq!(silence.counts_from(at("2026-11-20T08:30"), at("2026-11-20T09:00")), Some(at("2026-11-20T08:30")));
        assert_eq!(silence.counts_from(heard, at("2026-11-20T20:00")), None);
        assert_eq!(silence.counts_from(heard, at("2026-11-21T12:00")), None);
        let always = Silence { hours: None, ..silence };
        assert_eq!(always.counts_from(heard, at("2026-11-21T12:00")), Some(heard));
    }
}
