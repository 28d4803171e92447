//! Addresses on WhatsApp, in every form in which they come.

/// Who or what an address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Somebody by telephone number.
    Phone {
        /// Digits with the country's code.
        digits: String,
        /// Which of the person's devices.
        device: Option<String>,
    },
    /// Somebody by privacy id. Its digits are no telephone number.
    Lid(String),
    /// Somebody by the id that a business sees.
    UserId(String),
    /// A group, whole.
    Group(String),
    /// A broadcast list, whole.
    Broadcast(String),
    /// A channel, whole.
    Channel(String),
    /// The posts of status.
    Status,
    /// Bots, calls and the service itself, whole.
    System(String),
}

impl Address {
    /// Reads one: a JID of any kind, `CC.…`, or a telephone number in any spelling. Nothing else is an address.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > 128 || text.contains(char::is_control) {
            return None;
        }
        let Some((local, domain)) = text.split_once('@') else { return Self::bare(text) };
        let local = local.trim();
        let domain = domain.to_ascii_lowercase();
        let whole = || format!("{local}@{domain}");
        if local.is_empty() {
            return None;
        }
        match domain.as_str() {
            "s.whatsapp.net" | "c.us" | "hosted" => {
                let (digits, device) = parted(local);
                match digits {
                    "0" | "server" => Some(Self::System(whole())),
                    _ if is_number(digits) => {
                        Some(Self::Phone { digits: digits.to_owned(), device: device.map(str::to_owned) })
                    }
                    _ => None,
                }
            }
            "lid" | "hosted.lid" => {
                let (digits, _) = parted(local);
                let good = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                good.then(|| Self::Lid(digits.to_owned()))
            }
            "g.us" => Some(Self::Group(whole())),
            "newsletter" => Some(Self::Channel(whole())),
            "broadcast" if local == "status" => Some(Self::Status),
            "broadcast" => Some(Self::Broadcast(whole())),
            "bot" | "call" => Some(Self::System(whole())),
            _ => None,
        }
    }

    /// The address in the one form that subjects are named by.
    pub fn jid(&self) -> String {
        match self {
            Self::Phone { digits, .. } => format!("{digits}@s.whatsapp.net"),
            Self::Lid(digits) => format!("{digits}@lid"),
            Self::UserId(id) => id.clone(),
            Self::Group(jid) | Self::Broadcast(jid) | Self::Channel(jid) | Self::System(jid) => jid.clone(),
            Self::Status => "status@broadcast".to_owned(),
        }
    }

    /// Whether it is one person.
    pub fn is_person(&self) -> bool {
        matches!(self, Self::Phone { .. } | Self::Lid(_) | Self::UserId(_))
    }

    /// The kind of conversation that it stands for.
    pub fn conversation(&self) -> &'static str {
        match self {
            Self::Phone { .. } | Self::Lid(_) | Self::UserId(_) => "direct",
            Self::Group(_) => "group",
            Self::Broadcast(_) | Self::Status => "broadcast",
            Self::Channel(_) => "channel",
            Self::System(_) => "system",
        }
    }

    fn bare(text: &str) -> Option<Self> {
        if let Some((country, id)) = text.split_once('.') {
            let letters = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
            let id = id.strip_prefix("ENT.").unwrap_or(id);
            if letters && !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Some(Self::UserId(text.to_owned()));
            }
        }
        let allowed = |c: char| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')' | '.' | '\u{a0}');
        if !text.chars().all(allowed) || text.chars().skip(1).any(|c| c == '+') {
            return None;
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let digits = digits.strip_prefix("00").unwrap_or(&digits);
        is_number(digits).then(|| Self::Phone { digits: digits.to_owned(), device: None })
    }
}

/// An id without its device and agent: `34600111222_1:12`.
fn parted(local: &str) -> (&str, Option<&str>) {
    let (user, device) = local.split_once(':').map_or((local, None), |(user, device)| (user, Some(device)));
    let user = user.split_once('_').map_or(user, |(user, _)| user);
    let device = device.filter(|device| device.len() <= 5 && device.bytes().all(|byte| byte.is_ascii_digit()));
    (user, device)
}

/// Whether digits can be an international telephone number.
fn is_number(digits: &str) -> bool {
    (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_in_many_spellings() {
        for text in [
            "34612345678@s.whatsapp.net",
            "34612345678@c.us",
            "34612345678@hosted",
            "34612345678:12@s.whatsapp.net",
            "34612345678_1:0@c.us",
            "34612345678",
            "+34612345678",
            "0034 612 345 678",
            "+34 612-34-56-78",
        ] {
            assert_eq!(Address::read(text).expect(text).jid(), "34612345678@s.whatsapp.net", "{text}");
        }
    }

    #[test]
    fn kinds() {
        let jid = |text: &str| Address::read(text).map(|address| (address.conversation(), address.jid()));
        let is = |kind, jid: &str| Some((kind, jid.to_owned()));
        assert_eq!(jid("123456789012345:3@lid"), is("direct", "123456789012345@lid"));
        assert_eq!(jid("123456789012345@hosted.lid"), is("direct", "123456789012345@lid"));
        assert_eq!(jid("34600111222-1600000000@g.us"), is("group", "34600111222-1600000000@g.us"));
        assert_eq!(jid("status@broadcast"), is("broadcast", "status@broadcast"));
        assert_eq!(jid("1700000000@broadcast"), is("broadcast", "1700000000@broadcast"));
        assert_eq!(jid("120363@newsletter"), is("channel", "120363@newsletter"));
        assert_eq!(jid("0@c.us"), is("system", "0@c.us"));
        assert_eq!(jid("ES.13491208655302741918"), is("direct", "ES.13491208655302741918"));
        assert_eq!(jid("ES.ENT.abc9"), is("direct", "ES.ENT.abc9"));
        for text in ["", "nueva_sesion_wa", "@lid", "x@lid", "007@c.us", "1234", "34612345678@example.com", "a\u{0}b"] {
            assert_eq!(jid(text), None, "{text:?}");
        }
    }
}
