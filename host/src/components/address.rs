//! Where an address leads: to the public network, or to a place that a component must not reach unasked. And how a
//! name becomes addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures::future::BoxFuture;

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Public,
    /// 10/8, 172.16/12, 192.168/16, a provider's 100.64/10, fc00::/7.
    Private,
    Loopback,
    /// 169.254/16, where clouds keep their credentials, and fe80::/10.
    LinkLocal,
    /// Unspecified, multicast, broadcast, documentation, reserved.
    Special,
}

impl Reach {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Reach::of_v4(address),
            IpAddr::V6(address) => Reach::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            [127, ..] => Reach::Loopback,
            [169, 254, ..] => Reach::LinkLocal,
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Reach::Private,
            [0 | 224..=255, ..]
            | [192, 0, 0 | 2, _]
            | [198, 18..=19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
            | [192, 88, 99, _] => Reach::Special,
            _ => Reach::Public,
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let inner = |high: u16, low: u16| {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            Reach::of_v4(Ipv4Addr::new(a, b, c, d))
        };
        match address.segments() {
            [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Loopback,
            // Addresses that stand for an IPv4 address behind a translator.
            [0, 0, 0, 0, 0, 0, high, low] if high != 0 => inner(high, low),
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
            [0x2002, high, low, ..] => inner(high, low),
            [0xfe80..=0xfebf, ..] => Reach::LinkLocal,
            [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Reach::Private,
            // Global addresses begin with 001; of those, 2001::/23 and 2001:db8::/32 are for protocols and books.
            [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] => Reach::Special,
            [0x2000..=0x3fff, ..] => Reach::Public,
            _ => Reach::Special,
        }
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reach::Public => "a public address",
            Reach::Private => "a private address",
            Reach::Loopback => "this machine itself",
            Reach::LinkLocal => "a link-local address",
            Reach::Special => "a reserved address",
        })
    }
}

/// Turns a name into addresses. Tests put their own in its place.
pub trait Lookup: Send + Sync {
    /// All addresses of the name.
    fn lookup<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>>;
}

/// As the machine does it.
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_inside_is_known() {
        for (address, reach) in [
            ("8.8.8.8", Reach::Public),
            ("2a00:1450:4001::8a", Reach::Public),
            ("127.8.9.1", Reach::Loopback),
            ("::1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("::127.0.0.1", Reach::Loopback),
            ("64:ff9b::7f00:1", Reach::Loopback),
            ("2002:7f00:1::", Reach::Loopback),
            ("10.0.0.1", Reach::Private),
            ("172.31.255.255", Reach::Private),
            ("172.32.0.1", Reach::Public),
            ("192.168.1.1", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("fd12::1", Reach::Private),
            ("169.254.169.254", Reach::LinkLocal),
            ("::ffff:169.254.169.254", Reach::LinkLocal),
            ("fe80::1", Reach::LinkLocal),
            ("0.0.0.0", Reach::Special),
            ("::", Reach::Special),
            ("224.0.0.1", Reach::Special),
            ("255.255.255.255", Reach::Special),
            ("ff02::1", Reach::Special),
            ("2001:db8::1", Reach::Special),
        ] {
            assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
        }
    }
}
