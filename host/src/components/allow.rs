//! Which hosts a component may reach: few forms, parsed once, denied by default.
//!
//! What the component asks for (its descriptor) and what the tenant grants (`allow`) meet in [`Allowed`]; a host must
//! stand in both. A name that is allowed must also lead to an address that is allowed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde_json::Value;
use url::{Host, Url};

use super::address::Reach;

/// A host that may be reached: `crm.example.com`, `crm.example.com:8443`, `*.example.com`, `10.0.0.5`, `[::1]:8080`,
/// `10.0.0.0/8`. Without a port, any port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    form: Form,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Name(String),
    /// With its leading dot.
    Suffix(String),
    Address(IpAddr),
    Net(IpNet),
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}`: {why}")]
pub struct PatternError {
    /// As written.
    pub pattern: String,
    /// What is wrong, and what to write instead.
    pub why: String,
}

/// Endings that nobody can register, so that all names below them are somebody's own.
const PRIVATE_ENDINGS: [&str; 6] = ["localhost", "local", "lan", "internal", "test", "home"];

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        parse(text).map_err(|why| PatternError { pattern: text.to_owned(), why })
    }
}

fn parse(text: &str) -> Result<Pattern, String> {
    if text.is_empty() {
        return Err("a host is missing".into());
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        return Err(format!("leave out the scheme and the path, write `{host}`"));
    }
    if text.contains(['@', '?', '#', ' ', ',']) {
        return Err("this is no host; write one host for each entry".into());
    }
    if text.contains('/') {
        return match text.parse::<IpNet>() {
            Ok(net) if net.prefix_len() == 0 => Err("this is every address there is; name the hosts".into()),
            Ok(net) => Ok(Pattern { form: Form::Net(net.trunc()), port: None }),
            Err(_) => Err("neither a host nor a network like `10.0.0.0/8`; a path is not possible".into()),
        };
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Pattern { form: Form::Address(address.to_canonical()), port: None });
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => match port.parse::<u16>() {
            Ok(number) if number > 0 => (host, Some(number)),
            _ => return Err(format!("`{port}` is no port")),
        },
        None => (text, None),
    };
    let form = match host.strip_prefix("*.") {
        Some(ending) => suffix(ending)?,
        None if host.contains('*') => {
            return Err("the star stands only in front, as in `*.example.com`; name the hosts".into());
        }
        None => form(&Host::parse(host).map_err(|error| format!("this is no host: {error}"))?),
    };
    Ok(Pattern { form, port })
}

fn form(host: &Host<String>) -> Form {
    match host {
        Host::Domain(name) => Form::Name(tidy(name)),
        Host::Ipv4(address) => Form::Address((*address).into()),
        Host::Ipv6(address) => Form::Address(IpAddr::V6(*address).to_canonical()),
    }
}

fn suffix(ending: &str) -> Result<Form, String> {
    let name = match Host::parse(ending) {
        Ok(Host::Domain(name)) if !ending.contains('*') => tidy(&name),
        _ => return Err("after `*.` comes a name, as in `*.example.com`".into()),
    };
    let labels: Vec<&str> = name.split('.').collect();
    let everybodys = match labels.as_slice() {
        [one] => !PRIVATE_ENDINGS.contains(one),
        [second, first] => first.len() == 2 && ["co", "com", "net", "org", "gov", "edu", "ac"].contains(second),
        _ => false,
    };
    if everybodys {
        return Err(format!("everybody can have a name under `{name}`; name the hosts, or your own domain"));
    }
    Ok(Form::Suffix(format!(".{name}")))
}

/// Lower case (the parser has seen to that) and no dot at the end.
fn tidy(name: &str) -> String {
    name.trim_end_matches('.').to_owned()
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.form, self.port) {
            (Form::Name(name), _) => f.write_str(name)?,
            (Form::Suffix(suffix), _) => write!(f, "*{suffix}")?,
            (Form::Address(IpAddr::V6(address)), Some(_)) => write!(f, "[{address}]")?,
            (Form::Address(address), _) => write!(f, "{address}")?,
            (Form::Net(net), _) => write!(f, "{net}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Pattern {
    fn is_one_host(&self) -> bool {
        matches!(self.form, Form::Name(_) | Form::Address(_))
    }

    /// Whether it names this very host and port.
    fn covers(&self, host: &Host<String>, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match (&self.form, host) {
            (Form::Name(name), Host::Domain(host)) => *name == tidy(host),
            (Form::Suffix(suffix), Host::Domain(host)) => tidy(host).ends_with(suffix),
            (Form::Address(address), host) => address_of(host) == Some(*address),
            (Form::Net(net), host) => address_of(host).is_some_and(|address| net.contains(&address)),
            _ => false,
        }
    }
}

/// The address that the host is, when it is one.
pub(super) fn address_of(host: &Host<String>) -> Option<IpAddr> {
    match host {
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some(IpAddr::V6(*address).to_canonical()),
        Host::Domain(_) => None,
    }
}

/// What a component asks for, put together with the settings that it asks with.
pub(super) fn asked(hosts: &[String], settings: &Value) -> Vec<Pattern> {
    hosts.iter().filter_map(|host| asked_one(host, settings)).collect()
}

fn asked_one(host: &str, settings: &Value) -> Option<Pattern> {
    let Some(name) = setting_name(host) else { return host.parse().ok() };
    let text = settings.get(name)?.as_str()?;
    match text.parse::<Url>().ok().filter(Url::has_host) {
        // In the URL of a protocol that the parser does not know, an address is still only a text.
        Some(url) => {
            Some(Pattern { form: form(&Host::parse(url.host_str()?).ok()?), port: url.port_or_known_default() })
        }
        None => text.parse().ok().filter(Pattern::is_one_host),
    }
}

/// `url` of `{url}`.
pub(super) fn setting_name(host: &str) -> Option<&str> {
    host.strip_prefix('{')?.strip_suffix('}')
}

/// What one use may reach.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    /// By the component's descriptor; absent when it is the hub itself that asks.
    pub asked: Option<Vec<Pattern>>,
    /// By the tenant's file.
    pub granted: Vec<Pattern>,
}

/// Why a request was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("`{0}` is not among the hosts that the component's descriptor names")]
    NotAsked(String),
    #[error("`{host}` is not allowed for this tenant; add \"{host}\" to `allow` if it is meant")]
    NotGranted { host: String },
    #[error("{address} is {reach} and not allowed for this tenant; add \"{address}\" to `allow` if it is meant")]
    Address { address: IpAddr, reach: Reach },
    #[error("`{name}` leads to {address}, which is {reach}; add \"{address}\" to `allow` if it is meant")]
    Resolved { name: String, address: IpAddr, reach: Reach },
    #[error("`{0}` is no URL that can be asked")]
    Url(String),
}

impl Allowed {
    /// Checks the host as the request names it. A name still has to be checked where it leads to.
    pub fn host(&self, url: &Url) -> Result<(), Denied> {
        let (Some(host), Some(port)) = (url.host().map(|host| host.to_owned()), url.port_or_known_default()) else {
            return Err(Denied::Url(url.to_string()));
        };
        let shown = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
        self.place(&host, port, shown)
    }

    /// The same for a host and a port; `shown` is what a person would write for them.
    pub fn place(&self, host: &Host<String>, port: u16, shown: String) -> Result<(), Denied> {
        if self.asked.as_ref().is_some_and(|asked| !asked.iter().any(|pattern| pattern.covers(host, port))) {
            return Err(Denied::NotAsked(shown));
        }
        let mut granting = self.granted.iter().filter(|pattern| pattern.covers(host, port));
        match (granting.next(), address_of(host)) {
            // An address is granted only by being named, alone or with its net, so no further look at it is needed.
            (Some(_), _) => Ok(()),
            (None, Some(address)) if Reach::of(address) != Reach::Public => {
                Err(Denied::Address { address, reach: Reach::of(address) })
            }
            (None, _) => Err(Denied::NotGranted { host: shown }),
        }
    }

    /// Checks an address that an allowed name leads to. Public ones are free; others must be meant: a private one by
    /// the exact name or by its address, the machine itself by `localhost` or by its address, all else by its address.
    pub fn address(&self, name: &str, address: IpAddr) -> Result<(), Denied> {
        let address = address.to_canonical();
        let reach = Reach::of(address);
        let named =
            || self.granted.iter().any(|pattern| matches!(&pattern.form, Form::Name(exact) if *exact == tidy(name)));
        let by_name = match reach {
            Reach::Public => true,
            Reach::Private => named(),
            Reach::Loopback => (name == "localhost" || name.ends_with(".localhost")) && named(),
            Reach::LinkLocal | Reach::Special => false,
        };
        let by_address = || {
            self.granted.iter().any(|pattern| match &pattern.form {
                Form::Address(exact) => *exact == address && pattern.port.is_none(),
                Form::Net(net) => net.contains(&address),
                _ => false,
            })
        };
        if by_name || by_address() {
            return Ok(());
        }
        Err(Denied::Resolved { name: name.to_owned(), address, reach })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn allowed(asked: &[&str], granted: &[&str]) -> Allowed {
        Allowed { asked: Some(patterns(asked)), granted: patterns(granted) }
    }

    #[test]
    fn forms_are_parsed_and_shown_as_written() {
        for text in [
            "crm.example.com",
            "crm.example.com:8443",
            "*.example.com",
            "*.localhost",
            "10.0.0.5",
            "10.0.0.5:80",
            "[::1]:8080",
            "10.0.0.0/8",
            "fd00::/8",
        ] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
        assert_eq!("CRM.Example.COM.".parse::<Pattern>().unwrap().to_string(), "crm.example.com");
        assert_eq!("bücher.example".parse::<Pattern>().unwrap().to_string(), "xn--bcher-kva.example");
    }

    #[test]
    fn foot_guns_are_refused_with_a_way_out() {
        for (text, hint) in [
            ("", "missing"),
            ("*", "name the hosts"),
            ("*.com", "everybody"),
            ("*.co.uk", "everybody"),
            ("crm.*.com", "stands only in front"),
            ("https://crm.example.com/x", "write `crm.example.com`"),
            ("crm.example.com/path", "path"),
            ("0.0.0.0/0", "every address"),
            ("a@b.example", "no host"),
            ("a.example, b.example", "one host for each"),
            ("a.example:http", "no port"),
            ("a.example:0", "no port"),
            ("*.10.0.0.1", "after `*.` comes a name"),
        ] {
            let error = text.parse::<Pattern>().unwrap_err();
            assert!(error.why.contains(hint), "{text}: {}", error.why);
        }
    }

    #[test]
    fn a_host_must_be_asked_for_and_granted() {
        let url = |text: &str| Url::parse(text).unwrap();
        let both = allowed(&["*.example.com"], &["crm.example.com", "10.0.0.5:81"]);
        assert_eq!(both.host(&url("https://crm.example.com/x")), Ok(()));
        assert!(matches!(both.host(&url("https://other.example.com/")), Err(Denied::NotGranted { .. })));
        assert!(matches!(both.host(&url("https://example.com/")), Err(Denied::NotAsked(_))));
        assert!(matches!(both.host(&url("https://crm.example.com.evil.example/")), Err(Denied::NotAsked(_))));
        let address = allowed(&["10.0.0.5", "169.254.169.254"], &["10.0.0.5:81"]);
        assert_eq!(address.host(&url("http://10.0.0.5:81/")), Ok(()));
        assert!(matches!(address.host(&url("http://10.0.0.5:82/")), Err(Denied::Address { .. })));
        assert!(matches!(address.host(&url("http://169.254.169.254/latest")), Err(Denied::Address { .. })));
        // Other spellings of an address are that address.
        assert_eq!(address.host(&url("http://0xa.0.0.5:81/")), Ok(()));
        assert_eq!(address.host(&url("http://[::ffff:10.0.0.5]:81/")), Ok(()));
    }

    #[test]
    fn a_name_that_leads_inside_must_be_meant() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        let private: IpAddr = "10.1.2.3".parse().unwrap();
        let metadata: IpAddr = "169.254.169.254".parse().unwrap();
        let mapped: IpAddr = "::ffff:127.0.0.1".parse().unwrap();
        let named = allowed(&[], &["evil.example", "localhost"]);
        assert!(named.address("evil.example", loopback).is_err());
        assert!(named.address("evil.example", mapped).is_err());
        assert!(named.address("evil.example", metadata).is_err());
        assert!(named.address("evil.example", private).is_ok());
        assert!(named.address("localhost", loopback).is_ok());
        assert!(named.address("evil.example", "93.184.216.34".parse().unwrap()).is_ok());
        let by_suffix = allowed(&[], &["*.example.com"]);
        assert!(by_suffix.address("crm.example.com", private).is_err());
        let by_net = allowed(&[], &["*.example.com", "10.0.0.0/8"]);
        assert!(by_net.address("crm.example.com", private).is_ok());
        let said = named.address("evil.example", loopback).unwrap_err().to_string();
        assert_eq!(
            said,
            "`evil.example` leads to 127.0.0.1, which is this machine itself; add \"127.0.0.1\" to `allow` if it is meant"
        );
    }

    #[test]
    fn a_descriptor_asks_with_the_settings() {
        let settings = json!({
            "url": "https://crm.example.com/base", "local": "http://127.0.0.1:8081", "bad": 3, "pbx": "PBX.example.com",
            "address": "10.0.0.5:5038", "line": "tcp://127.0.0.1:5038", "tls": "tls://pbx.example.com", "wide": "*.example.com",
            "net": "10.0.0.0/8",
        });
        let names = ["url", "local", "bad", "none", "pbx", "address", "line", "tls", "wide", "net"];
        let mut hosts: Vec<String> = names.map(|name| format!("{{{name}}}")).into();
        hosts.push("api.example.com".to_owned());
        let shown: Vec<String> = asked(&hosts, &settings).iter().map(Pattern::to_string).collect();
        let expected = [
            "crm.example.com:443",
            "127.0.0.1:8081",
            "pbx.example.com",
            "10.0.0.5:5038",
            "127.0.0.1:5038",
            "pbx.example.com",
            "api.example.com",
        ];
        assert_eq!(shown, expected);
    }
}
