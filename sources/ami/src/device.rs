//! Names of channels: what kind of thing is at the other end.

use memchr::{memchr, memrchr};

/// A channel's name, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device<'a> {
    /// `PJSIP`, `SIP`, `DAHDI`.
    pub technology: &'a [u8],
    /// `1001`, `trunk`: what stands between the slash and the last dash.
    pub endpoint: &'a [u8],
    /// Of a Local channel: the name without its half, and which half it is.
    pub half: Option<(&'a [u8], Half)>,
}

/// A Local channel is a pair: one that is dialled, and one that goes on in the dialplan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// `;1`: it is dialled.
    First,
    /// `;2`: it runs in the dialplan.
    Second,
}

/// Technologies that are machinery inside Asterisk and never anybody.
const MACHINERY: [&str; 13] = [
    "Message",
    "Announcer",
    "CBAnn",
    "CBRec",
    "Recorder",
    "Snoop",
    "Surrogate",
    "MulticastRTP",
    "UnicastRTP",
    "OutgoingSpoolFailed",
    "Bridge",
    "Console",
    "ConfBridgeRecorder",
];

/// What Asterisk up to 11 puts before the name of a channel that it is moving.
const MOVING: [&str; 3] = ["AsyncGoto/", "Transfered/", "Parked/"];

impl<'a> Device<'a> {
    /// Takes a name apart.
    pub fn of(name: &'a [u8]) -> Self {
        let mut name = match memchr(b'<', name) {
            Some(mark) => &name[..mark],
            None => name,
        };
        while let Some(prefix) = MOVING.iter().find(|prefix| name.starts_with(prefix.as_bytes())) {
            name = &name[prefix.len()..];
        }
        let Some(slash) = memchr(b'/', name) else { return Self { technology: name, endpoint: b"", half: None } };
        let (technology, rest) = (&name[..slash], &name[slash + 1..]);
        if technology == b"Local" {
            // Asterisk up to 1.6 parts the halves with a comma.
            let half = match rest {
                [.., b';' | b',', b'1'] => Some(Half::First),
                [.., b';' | b',', b'2'] => Some(Half::Second),
                _ => None,
            };
            let endpoint = &rest[..memchr(b'@', rest).unwrap_or(rest.len())];
            return Self { technology, endpoint, half: half.map(|half| (&name[..name.len() - 2], half)) };
        }
        let endpoint = &rest[..memrchr(b'-', rest).unwrap_or(rest.len())];
        // DAHDI/i1/442079460101-1: the span, not the number.
        let endpoint = &endpoint[..memchr(b'/', endpoint).unwrap_or(endpoint.len())];
        Self { technology, endpoint, half: None }
    }

    /// Whether it is one of Asterisk's own helpers, which belong to no call.
    pub fn is_machinery(&self) -> bool {
        MACHINERY.iter().any(|word| self.technology == word.as_bytes())
    }

    /// Whether it is a Local channel.
    pub fn is_local(&self) -> bool {
        self.technology == b"Local"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_technology_and_endpoint() {
        for (name, technology, endpoint) in [
            ("PJSIP/1001-0000002a", "PJSIP", "1001"),
            ("PJSIP/my-provider-uk-0000002a", "PJSIP", "my-provider-uk"),
            ("SIP/1001-0000002a<ZOMBIE>", "SIP", "1001"),
            ("AsyncGoto/SIP/1001-0000002a", "SIP", "1001"),
            ("DAHDI/i1/442079460101-1", "DAHDI", "i1"),
            ("IAX2/branch-1234", "IAX2", "branch"),
            ("Agent/1001", "Agent", "1001"),
            ("Local/1002@from-queue-00000000;1", "Local", "1002"),
        ] {
            let device = Device::of(name.as_bytes());
            assert_eq!((device.technology, device.endpoint), (technology.as_bytes(), endpoint.as_bytes()), "{name}");
        }
        assert!(Device::of(b"Message/ast_msg_queue").is_machinery());
    }

    #[test]
    fn local_channels_are_pairs() {
        let half = |name: &'static str| Device::of(name.as_bytes()).half;
        assert_eq!(half("Local/1002@q-00000000;1"), Some((&b"Local/1002@q-00000000"[..], Half::First)));
        assert_eq!(half("Local/1002@q-00000000;2"), Some((&b"Local/1002@q-00000000"[..], Half::Second)));
        assert_eq!(half("Local/1002@q-a1b2,2"), Some((&b"Local/1002@q-a1b2"[..], Half::Second)));
        assert_eq!(half("PJSIP/1001-1"), None);
    }
}
