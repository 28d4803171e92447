//! Call detail records: they fill in what was not seen.

use jiff::civil::DateTime;

use super::Book;
use crate::event::{Cdr, telling};
use crate::text;

impl Book {
    /// A call detail record fills in what was not seen, and makes no call.
    pub(super) fn cdr(&mut self, cdr: &Cdr<'_>, at: u64) {
        let Some(index) = self.by_uid.get(cdr.uid).copied() else { return };
        let call = self.channels[index].call;
        let direct = cdr.application.eq_ignore_ascii_case(b"Dial");
        let state = &mut self.calls[call];
        if telling(cdr.application) {
            state.voicemail = true;
        }
        if state.recordings.is_empty()
            && let Some(recording) = text::known(cdr.recording)
        {
            state.recorded(text::short(recording, 1000));
        }
        if state.joined {
            // Times are in the PBX's own zone; that it has just ended tells which.
            let ago = |time: &[u8]| Some(moment(cdr.end)?.checked_sub(moment(time)?)?.max(0) as u64);
            let end = state.ended_at.unwrap_or(at);
            if let Some(ago) = ago(cdr.start) {
                let start = end.saturating_sub(ago);
                state.started = Some(state.started.map_or(start, |known| known.min(start)));
            }
            let answered = direct && cdr.disposition == b"ANSWERED" && state.queue.is_none();
            if answered
                && state.answered_at.is_none()
                && let Some(ago) = ago(cdr.answer)
            {
                if !state.answered {
                    let by = self.plan.extension_of(cdr.destination_channel);
                    state.answer(by, None);
                }
                state.answered_at = Some(end.saturating_sub(ago));
            }
        }
        self.touch(call);
    }
}

/// Milliseconds of `2026-11-21 07:32:23`, in whatever zone.
fn moment(bytes: &[u8]) -> Option<i64> {
    let time: DateTime = std::str::from_utf8(bytes).ok()?.trim().parse().ok()?;
    time.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|time| time.timestamp().as_millisecond())
}
