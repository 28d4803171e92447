//! From a name to the addresses that a use may reach.
//!
//! The check stands where the connection gets its address from, so a name cannot change its mind in between.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::address::Lookup;
use super::allow::{Allowed, Denied, address_of};
use super::contract::Target;

/// Why nothing can be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// It may not be. Only the configuration can mend that.
    #[error("{0}")]
    Denied(String),
    /// The name leads nowhere at the moment.
    #[error("{0}")]
    Unknown(String),
}

/// Where a socket may lead to, checked by name and by address.
pub(super) async fn reach(
    allowed: &Allowed,
    lookup: &dyn Lookup,
    target: &Target,
) -> Result<Vec<SocketAddr>, Unreachable> {
    let Target { host: text, port, .. } = target;
    let unusable = |why: String| Unreachable::Denied(format!("`{text}:{port}` is no address: {why}"));
    if *port == 0 {
        return Err(unusable("the port is missing".to_owned()));
    }
    let host = match text.parse::<std::net::Ipv6Addr>() {
        Ok(address) => Host::Ipv6(address),
        Err(_) => Host::parse(text).map_err(|why| unusable(why.to_string()))?,
    };
    allowed.place(&host, *port, format!("{host}:{port}")).map_err(|denied| Unreachable::Denied(denied.to_string()))?;
    let addresses = match (address_of(&host), &host) {
        (Some(address), _) => vec![address],
        (None, host) => match free(allowed, lookup, &host.to_string()).await {
            Ok(Ok(addresses)) if addresses.is_empty() => {
                return Err(Unreachable::Unknown(format!("the name `{text}` has no address")));
            }
            Ok(Ok(addresses)) => addresses,
            Ok(Err(denied)) => return Err(Unreachable::Denied(denied.to_string())),
            Err(why) => return Err(Unreachable::Unknown(format!("the name `{text}` is not found: {why}"))),
        },
    };
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address, *port)).collect())
}

/// Those addresses of a name that may be reached; an error when it has some and none of them may.
async fn free(allowed: &Allowed, lookup: &dyn Lookup, name: &str) -> std::io::Result<Result<Vec<IpAddr>, Denied>> {
    let mut refused = None;
    let mut free = Vec::new();
    for address in lookup.lookup(name).await? {
        match allowed.address(name, address) {
            Ok(()) => free.push(address),
            Err(denied) => refused = Some(denied),
        }
    }
    Ok(match refused {
        Some(denied) if free.is_empty() => Err(denied),
        _ => Ok(free),
    })
}

/// Gives an HTTP connection only those addresses that its use may reach.
pub(super) struct Resolver {
    pub allowed: Arc<Allowed>,
    pub lookup: Arc<dyn Lookup>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, lookup) = (self.allowed.clone(), self.lookup.clone());
        Box::pin(async move {
            let addresses = free(&allowed, &*lookup, name.as_str()).await??;
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use futures::future::BoxFuture;

    use super::*;

    struct Inside;

    impl Lookup for Inside {
        fn lookup<'a>(&'a self, name: &'a str) -> BoxFuture<'a, std::io::Result<Vec<IpAddr>>> {
            let found = match name {
                "pbx.example" => Ok(vec![IpAddr::from([127, 0, 0, 1]), IpAddr::from([8, 8, 8, 8])]),
                "inside.example" => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
                _ => Err(std::io::Error::other("no such name")),
            };
            Box::pin(async move { found })
        }
    }

    async fn asked(host: &str, port: u16, granted: &[&str]) -> Result<Vec<SocketAddr>, Unreachable> {
        let names = ["pbx.example", "inside.example", "gone.example", "127.0.0.1", "::1"];
        let asked = names.iter().map(|name| name.parse().unwrap()).collect();
        let allowed = Allowed { asked: Some(asked), granted: granted.iter().map(|one| one.parse().unwrap()).collect() };
        reach(&allowed, &Inside, &Target { host: host.to_owned(), port, tls: false }).await
    }

    #[tokio::test]
    async fn a_socket_leads_where_a_request_may() {
        let all = ["pbx.example:5038", "inside.example", "gone.example", "127.0.0.1"];
        assert_eq!(asked("pbx.example", 5038, &all[..2]).await.unwrap(), ["8.8.8.8:5038".parse().unwrap()]);
        assert_eq!(asked("127.0.0.1", 5038, &all).await.unwrap(), ["127.0.0.1:5038".parse().unwrap()]);
        for (host, port, granted) in [
            ("pbx.example", 5039, &all[..1]),
            ("pbx.example", 5038, &all[1..]),
            ("other.example", 5038, &all[..]),
            ("inside.example", 5038, &all[..3]),
            ("127.0.0.1", 5038, &all[..3]),
            ("::1", 5038, &all[..]),
            ("pbx.example", 0, &all[..]),
            ("a b", 1, &all[..]),
        ] {
            let refused = asked(host, port, granted).await.unwrap_err();
            assert!(matches!(refused, Unreachable::Denied(_)), "{host}:{port}: {refused:?}");
        }
        assert!(matches!(asked("gone.example", 1, &all).await, Err(Unreachable::Unknown(_))));
    }
}
