//! Small things of the conversation with Asterisk.

use std::fmt::Write;

use md5::{Digest, Md5};

use crate::message::integer;

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
    let seconds = bytes.split(|byte| *byte == b':').try_fold(0_u64, |sum, part| Some(sum * 60 + integer(part)?));
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
    }
}
