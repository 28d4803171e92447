//! Whether a telephone could take a call: what Asterisk is asked, and what its words mean.

/// The function whose value says it, for the channel by which the telephone is called; absent when there is none.
///
/// A device is known by its own name. Who is called through the dialplan has the devices that a hint there names.
pub fn function(channel: &str) -> Option<String> {
    let (technology, called) = channel.split_once('/')?;
    if technology == "Local" {
        // `/n` is about the call.
        let extension = called.split('/').next()?;
        return Some(format!("EXTENSION_STATE({extension})"));
    }
    // `PJSIP/trunk/1001` and `SIP/1001@branch` are ways, and no devices.
    let is_device = !called.contains(['/', '@']);
    is_device.then(|| format!("DEVICE_STATE({channel})"))
}

/// What Asterisk's word means; absent when it has no such device and nobody has said that there is one.
pub fn state(said: &str, is_certain: bool) -> Option<&'static str> {
    match said {
        "NOT_INUSE" => Some("free"),
        "INUSE" | "RINGING" | "RINGINUSE" | "BUSY" | "ONHOLD" | "HOLDINUSE" => Some("busy"),
        "UNAVAILABLE" => Some("unreachable"),
        "INVALID" => is_certain.then_some("unreachable"),
        _ => Some("unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_asked_for_by_its_name_and_an_extension_by_its_hint() {
        for (channel, asked) in [
            ("PJSIP/1001", Some("DEVICE_STATE(PJSIP/1001)")),
            ("IAX2/1001", Some("DEVICE_STATE(IAX2/1001)")),
            ("Local/1001@from-internal", Some("EXTENSION_STATE(1001@from-internal)")),
            ("Local/1001@from-internal/n", Some("EXTENSION_STATE(1001@from-internal)")),
            ("PJSIP/trunk/1001", None),
            ("SIP/1001@branch", None),
            ("1001", None),
        ] {
            assert_eq!(function(channel).as_deref(), asked, "{channel}");
        }
    }
}
