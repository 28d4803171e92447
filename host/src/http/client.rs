//! Where a request comes from, and whether it may come from there.

use std::net::IpAddr;

use axum::http::{HeaderMap, request};

use super::Api;
use super::problem::{Kind, Problem};
use crate::config::Networks;

/// What proxies write: each appends from where it was asked.
const FORWARDED: &str = "x-forwarded-for";

/// The address that a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client(pub(super) IpAddr);

impl Client {
    /// The other end of the connection, or the last address before it that is none of the proxies: what stands further
    /// to the left whoever asks can have written.
    pub(super) fn of(peer: IpAddr, headers: &HeaderMap, proxies: &Networks) -> Self {
        let mut address = peer.to_canonical();
        let lines = headers.get_all(FORWARDED).iter().rev();
        let mut before = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
        while proxies.contain(address) {
            let Some(next) = before.next().and_then(written) else { break };
            address = next;
        }
        Client(address)
    }
}

/// `192.0.2.7`, also with a port, `2001:db8::7`, `[2001:db8::7]:443`.
fn written(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let alone = || text.trim_matches(['[', ']']).parse::<IpAddr>();
    let address = text.parse::<std::net::SocketAddr>().map(|address| address.ip());
    Some(address.or_else(|_| alone()).ok()?.to_canonical())
}

/// Whether a request of this head may come to a source's or a sink's own addresses.
pub(super) fn admit(api: &Api, tenant: &str, name: &str, head: &request::Parts) -> Result<(), Problem> {
    let plan = api.plan.load();
    let Some(tenant) = plan.tenants.get(tenant) else { return Ok(()) };
    let source = tenant.sources.get(name).map(|source| &source.clients);
    let sink = || tenant.sinks.get(name).map(|sink| &sink.clients);
    match source.or_else(sink) {
        Some(clients) if !admits(clients, head) => {
            Err(Problem::new(Kind::Forbidden, "this is not asked from your address: the tenant's file says from where"))
        }
        _ => Ok(()),
    }
}

/// Whether these let the sender of a request in.
pub(super) fn admits(clients: &Networks, head: &request::Parts) -> bool {
    clients.is_empty() || head.extensions.get::<Client>().is_some_and(|Client(address)| clients.contain(*address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(list: &str) -> Networks {
        list.split_whitespace()
            .map(|one| one.parse().or_else(|_| one.parse::<IpAddr>().map(Into::into)).unwrap())
            .collect()
    }

    #[test]
    fn only_proxies_are_believed() {
        let from = |peer: &str, forwarded: &[&str], proxies: &str| {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append(FORWARDED, line.parse().unwrap());
            }
            Client::of(peer.parse().unwrap(), &headers, &networks(proxies)).0.to_string()
        };
        let ours = "127.0.0.1 10.0.0.0/8";
        assert_eq!(from("203.0.113.9", &["192.0.2.1"], ours), "203.0.113.9", "no proxy of ours");
        assert_eq!(from("127.0.0.1", &["192.0.2.1"], ""), "127.0.0.1", "there are no proxies");
        assert_eq!(from("127.0.0.1", &[], ours), "127.0.0.1");
        assert_eq!(from("127.0.0.1", &["192.0.2.1"], ours), "192.0.2.1");
        assert_eq!(from("::ffff:127.0.0.1", &["192.0.2.1"], ours), "192.0.2.1");
        assert_eq!(from("127.0.0.1", &["192.0.2.1, 10.1.2.3"], ours), "192.0.2.1", "one proxy behind the other");
        assert_eq!(from("127.0.0.1", &["192.0.2.1", "10.1.2.3"], ours), "192.0.2.1", "a line for each");
        assert_eq!(from("127.0.0.1", &["192.0.2.1, 203.0.113.9"], ours), "203.0.113.9", "the left is whoever's word");
        assert_eq!(from("127.0.0.1", &["203.0.113.9:4711"], ours), "203.0.113.9");
        assert_eq!(from("127.0.0.1", &["[2001:db8::7]:443"], ours), "2001:db8::7");
        assert_eq!(from("127.0.0.1", &["192.0.2.1, unknown"], ours), "127.0.0.1", "what is no address ends it");
    }
}
