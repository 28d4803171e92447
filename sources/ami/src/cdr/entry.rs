//! One row of the table, and its times: local ones, in whole seconds, of which autumn has an hour twice.

use std::ops::Range;

use cordboard_sdk::Row;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::device::{Device, Half};
use crate::text;

/// A row may seem to begin so long before its channel was made. Milliseconds.
const EARLY: u64 = 60_000;

/// One row, as far as it is of use.
pub struct Entry {
    pub key: String,
    /// It is of the channel that began the call.
    pub root: bool,
    pub start: u64,
    pub end: u64,
    /// Seconds.
    pub talk: u64,
    pub channel: String,
    pub destination: String,
    pub application: String,
    pub disposition: String,
    pub source: String,
    pub dialled: String,
    pub did: String,
    pub name: Option<String>,
    pub recording: String,
}

impl Entry {
    pub fn read(row: &Row<'_>, zone: &TimeZone) -> Option<Self> {
        let word = |column: &str| row.get(column).unwrap_or_default().trim().to_owned();
        let (id, linked) = (word("uniqueid"), word("linkedid"));
        let (channel, application) = (word("channel"), word("lastapp"));
        let (root, key) = match linked.is_empty() {
            true => (!was_dialled(&channel, &application), id.clone()),
            false => (linked == id, linked),
        };
        if key.is_empty() || key.len() > 200 || key.chars().any(char::is_control) {
            return None;
        }
        let start = instant(row.get("calldate")?, zone, made(&id))?;
        let clid = word("clid");
        let name = clid.split_once("\" <").and_then(|(name, _)| name.strip_prefix('"')).map(str::to_owned);
        Some(Self {
            key,
            root,
            start,
            end: start.saturating_add(milliseconds(&word("duration"))),
            talk: milliseconds(&word("billsec")) / 1000,
            channel,
            destination: word("dstchannel"),
            application,
            disposition: word("disposition"),
            source: word("src"),
            dialled: word("dst"),
            did: word("did"),
            name: name.and_then(|name| text::name(name.as_bytes())),
            recording: word("recordingfile"),
        })
    }

    /// Whether somebody, and not only a menu, was reached.
    pub fn is_answered(&self) -> bool {
        let connects = self.application.eq_ignore_ascii_case("Dial") || self.application.eq_ignore_ascii_case("Queue");
        self.disposition == "ANSWERED" && connects && !self.destination.is_empty()
    }
}

/// Whether a channel was dialled by another one, whose call its row belongs to. The first half of a Local channel may
/// also have been told to begin a call, and runs in the dialplan then.
fn was_dialled(channel: &str, application: &str) -> bool {
    match Device::of(channel.as_bytes()).half {
        Some((_, Half::Second)) => true,
        Some((_, Half::First)) if application.is_empty() => true,
        _ => ["AppDial", "AppQueue"].iter().any(|dialled| application.eq_ignore_ascii_case(dialled)),
    }
}

/// Of `12` seconds, or `12.5`.
fn milliseconds(text: &str) -> u64 {
    text.parse::<f64>().map_or(0, |seconds| (seconds * 1000.0) as u64)
}

/// When a channel was made, as its id says: `1795246343.0`, `pbx-1795246343.0`. Milliseconds since 1970.
fn made(id: &str) -> Option<u64> {
    let (before, _) = id.rsplit_once('.')?;
    let seconds = before.rsplit('-').next()?;
    seconds.parse::<u64>().ok()?.checked_mul(1000)
}

/// What a local time means. Of two moments it is the first at which its channel was there.
fn instant(text: &str, zone: &TimeZone, made: Option<u64>) -> Option<u64> {
    let time: DateTime = text.trim().parse().ok()?;
    let moments = zone.to_ambiguous_timestamp(time);
    let [usual, earlier, later] = [moments.compatible(), moments.earlier(), moments.later()]
        .map(|moment| u64::try_from(moment.ok()?.as_millisecond()).ok());
    let there = |moment: &u64| made.is_some_and(|made| moment.saturating_add(EARLY) >= made);
    [earlier, later].into_iter().flatten().find(there).or(usual)
}

/// Local times between which all moments of this time lie; others may as well, where the clock is changed meanwhile.
pub fn bounds(time: &Range<u64>, zone: &TimeZone) -> [String; 2] {
    let moment = |second: i64| Timestamp::from_second(second).unwrap_or_default();
    let second = |milliseconds: u64| i64::try_from(milliseconds / 1000).unwrap_or(0);
    let (start, end) = (second(time.start), second(time.end.saturating_add(999)));
    let offsets = [start, end].map(|at| i64::from(zone.to_offset(moment(at)).seconds()));
    let local = |at: i64, offset: i64| moment(at.saturating_add(offset)).strftime("%Y-%m-%d %H:%M:%S").to_string();
    [local(start, offsets[0].min(offsets[1])), local(end, offsets[0].max(offsets[1]))]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-10-25 00:00:00 in UTC: at one o'clock Madrid's clock goes back from three to two.
    const MIDNIGHT: u64 = 1_792_886_400_000;
    const MINUTE: u64 = 60_000;

    fn madrid() -> TimeZone {
        TimeZone::get("Europe/Madrid").expect("a zone")
    }

    #[test]
    fn the_hour_that_comes_twice_is_told_apart_by_the_channel() {
        let at = |text: &str, id: &str| (instant(text, &madrid(), made(id)).expect("a time") - MIDNIGHT) / MINUTE;
        let id = |minute: u64| format!("{}.7", MIDNIGHT / 1000 + minute * 60);
        assert_eq!(at("2026-10-25 02:20:00", &id(20)), 20);
        assert_eq!(at("2026-10-25 02:20:00", &id(80)), 80);
        assert_eq!(at("2026-10-25 02:20:00", &format!("pbx-lab-{}", id(80))), 80);
        assert_eq!(at("2026-10-25 02:20:00", &id(50)), 80, "a later row of a channel");
        assert_eq!(at("2026-10-25 02:20:00", "no-time"), 20);
        assert_eq!(at("2026-10-25 03:20:00", &id(20)), 140, "nothing to choose from");
    }

    #[test]
    fn bounds_never_meet() {
        for (from, to, expected) in [
            (70, 85, ["02:10:00", "02:25:00"]),
            (55, 65, ["01:55:00", "03:05:00"]),
            (40, 55, ["02:40:00", "02:55:00"]),
            (0, 180, ["01:00:00", "05:00:00"]),
        ] {
            let found = bounds(&(MIDNIGHT + from * MINUTE..MIDNIGHT + to * MINUTE), &madrid());
            assert_eq!(found, expected.map(|time| format!("2026-10-25 {time}")));
        }
        let parts = bounds(&(MIDNIGHT + 100..MIDNIGHT + 1_100), &TimeZone::UTC);
        assert_eq!(parts, ["2026-10-25 00:00:00", "2026-10-25 00:00:02"], "whole seconds around it");
    }

    #[test]
    fn seconds_may_have_parts() {
        assert_eq!(["12", "12.5", "", "x", "-3"].map(milliseconds), [12_000, 12_500, 0, 0, 0]);
    }

    #[test]
    fn legs_are_told_from_beginnings() {
        // As Asterisk 16 and 22 write them.
        for (channel, application, dialled) in [
            ("PJSIP/trunk-0000000e", "Queue", false),
            ("Local/1002@from-queue-00000000;2", "Dial", true),
            ("Local/1002@from-internal-00000002;1", "", true),
            ("PJSIP/1001-00000042", "AppDial", true),
            ("Local/1001@from-internal-00000002;1", "Dial", false),
            ("Local/1001@from-internal-00000002;2", "Dial", true),
        ] {
            assert_eq!(was_dialled(channel, application), dialled, "{channel} {application}");
        }
    }
}
