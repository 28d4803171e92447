//! From the login to what is under way: the answers of the login, the boot, the list of channels.

use std::fmt::Write;

use cordboard_sdk::prelude::*;
use md5::{Digest, Md5};

use crate::asking::Waiting;
use crate::message::integer;
use crate::session::{Stage, Work, timer};

/// How long to wait for the news that Asterisk has booted: users without the read class `system` never get it.
const BOOT_TIME: u64 = 5_000;
/// How long a call is believed in that was under way before the connection was lost, when no list can be had.
const UNHEARD_TIME: u64 = 2 * 3_600_000;

impl Work {
    pub(crate) fn login_refused(&mut self, words: &str) {
        let why = format!("the login of `{}` is refused: {words}", self.plan.username);
        let wrong = words.to_ascii_lowercase();
        let misconfigured = wrong.contains("authentication failed")
            || wrong.contains("permission denied")
            || wrong.contains("authtype");
        self.show(&why);
        self.reconnect(why, misconfigured);
    }

    pub(crate) fn logged_in(&mut self) {
        self.stage = Stage::Booting;
        self.show("logged in, waiting for Asterisk to boot");
        for filter in self.plan.filters.clone() {
            let id = self.act("Filter", |action| action.with("Operation", "Add").with("Filter", &filter));
            self.wait(id, Waiting::Filter(filter));
        }
        self.set_timer(timer::LOGIN, BOOT_TIME);
    }

    /// Asterisk is up: ask what is under way.
    pub(crate) fn booted(&mut self) {
        self.stage = Stage::Ready;
        self.out.push(Action::CancelTimer(timer::LOGIN));
        self.show("logged in");
        let id = self.act("CoreStatus", |action| action);
        self.wait(id, Waiting::Startup);
        let id = self.act("CoreShowChannels", |action| action);
        self.wait(id, Waiting::Channels);
        if self.book.has_unheard() {
            self.set_timer(timer::UNHEARD, UNHEARD_TIME);
        }
        self.read_missed();
    }

    /// Asterisk was started at this moment, in its own words: when it is another than before, all calls are over.
    pub(crate) fn started_at(&mut self, started: String) {
        let before = self.started.replace(started);
        if before.is_some() && before != self.started {
            self.book.restarted(self.clock.now());
            self.report();
        }
    }

    pub(crate) fn list_complete(&mut self) {
        self.book.list_complete(self.clock.now());
        self.out.push(Action::CancelTimer(timer::UNHEARD));
        self.report();
    }

    pub(crate) fn no_list(&mut self, words: &str) {
        self.show(&format!("logged in; no right to list channels: {words}"));
        self.book.no_list();
        if self.book.has_unheard() {
            self.set_timer(timer::UNHEARD, UNHEARD_TIME);
        }
    }

    /// What happened while the connection was down is read from the CDR database.
    fn read_missed(&mut self) {
        let Some(since) = self.lost.take() else { return };
        if !self.plan.cdr {
            return;
        }
        let until = self.clock.hub();
        self.out.push(Action::Start(Job {
            id: format!("cdr-{since}-{until}"),
            kind: "cdr".to_owned(),
            parameters: serde_json::json!({ "since": since, "until": until }).to_string(),
            ..Job::default()
        }));
    }
}

/// The answer to a challenge: hex MD5 of the challenge followed by the password.
pub fn key(challenge: &[u8], password: &str) -> String {
    let digest = Md5::new().chain_update(challenge).chain_update(password.as_bytes()).finalize();
    digest.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Milliseconds of `HH:MM:SS`; before Asterisk 12 it may be seconds.
pub fn duration(bytes: &[u8]) -> u64 {
    let seconds =
        bytes.split(|byte| *byte == b':').try_fold(0_u64, |sum, part| sum.checked_mul(60)?.checked_add(integer(part)?));
    seconds.unwrap_or(0).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_answered_as_seen() {
        assert_eq!(key(b"105698584", "hub-lab-secret"), "694e4ed344d70e8cbf523c51c91d8523");
        assert_eq!(key(b"770679514", "hub-lab-secret"), "70ec0d2080204096faff0d9923ed6691");
    }

    #[test]
    fn durations() {
        assert_eq!(
            (duration(b"00:00:04"), duration(b"01:01:01"), duration(b"7"), duration(b"x")),
            (4_000, 3_661_000, 7_000, 0)
        );
        assert_eq!(
            (duration(b"18446744073709551615:59"), duration(b"18446744073709551615")),
            (0, u64::MAX),
            "whatever comes"
        );
    }
}
