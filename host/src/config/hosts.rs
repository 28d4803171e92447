//! The hosts that a tenant allows a component to speak to, as its file names them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// One entry of an `allow` list. What it means for a request is decided where requests go out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    /// Which hosts.
    pub host: Host,
    /// Only this port; any port when absent.
    pub port: Option<u16>,
}

/// Which hosts a pattern names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// This very name, in lower case.
    Name(String),
    /// Every name that ends in this one, the name itself not: `*.example.com` is kept as `example.com`.
    Under(String),
    /// This very address.
    Address(IpAddr),
    /// Every address of this network.
    Network(IpNet),
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("://") || (text.contains('/') && text.parse::<IpNet>().is_err()) {
            return Err(format!("`{text}` is not a host: write the name alone, without scheme and path"));
        }
        if let Ok(network) = text.parse::<IpNet>() {
            if network.prefix_len() == 0 {
                return Err(format!("`{text}` is every address there is: name the hosts"));
            }
            return Ok(HostPattern { host: Host::Network(network), port: None });
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(HostPattern { host: Host::Address(address), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => {
                let port: u16 = port.parse().map_err(|_| format!("`{port}` in `{text}` is not a port"))?;
                (host, Some(port))
            }
            None => (text, None),
        };
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Ok(HostPattern { host: Host::Address(address), port });
        }
        let (under, name) = match host.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, host),
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if name.is_empty() || host == "*" {
            return Err(format!("`{text}` is every host there is: name the hosts"));
        }
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        if name.len() > 253 || !name.split('.').all(label) {
            return Err(format!("`{text}` is not a host name"));
        }
        if under && !name.contains('.') {
            return Err(format!("`{text}` is a whole top-level domain: name the hosts"));
        }
        Ok(HostPattern { host: if under { Host::Under(name) } else { Host::Name(name) }, port })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Under(name) => write!(f, "*.{name}")?,
            Host::Address(IpAddr::V6(address)) if self.port.is_some() => write!(f, "[{address}]")?,
            Host::Address(address) => write!(f, "{address}")?,
            Host::Network(network) => write!(f, "{network}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}
