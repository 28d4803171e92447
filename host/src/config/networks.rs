//! Lists of addresses: from where requests may come, and which proxies are believed.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use super::document::Table;

/// Addresses and networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// One of them: `192.0.2.7`, `192.0.2.0/24`.
struct Network(IpNet);

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let one = text.parse::<IpAddr>().map(IpNet::from);
        let network = one.or_else(|_| text.parse::<IpNet>());
        network
            .map(Network)
            .map_err(|_| format!("`{text}` is neither an address nor a network: write `192.0.2.0/24`, say"))
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Networks(networks.into_iter().collect())
    }
}

impl Networks {
    /// Reads the list under `key`.
    pub(super) fn read(table: &Table<'_>, key: &'static str) -> Self {
        let texts = table.take(key).map(|node| node.texts()).unwrap_or_default();
        let read = texts.into_iter().filter_map(|(_, node)| node.parse().map(|Network(network)| network));
        Networks(read.collect())
    }

    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an address is one of them.
    pub fn contain(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}
