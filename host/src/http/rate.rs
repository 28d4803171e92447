//! How many requests one address may make in a second.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use governor::DefaultKeyedRateLimiter;

/// The bound of the moment; none when the configuration has none.
#[derive(Default)]
pub(super) struct Rates(ArcSwapOption<Bound>);

struct Bound {
    per_second: u32,
    limiter: DefaultKeyedRateLimiter<IpAddr>,
}

impl Rates {
    /// Whether a request from this address may go on.
    pub(super) fn admits(&self, from: IpAddr, per_second: u32) -> bool {
        let Some(quota) = NonZeroU32::new(per_second) else { return true };
        let bound = self.0.load();
        match bound.as_ref().filter(|bound| bound.per_second == per_second) {
            Some(bound) => bound.limiter.check_key(&place(from)).is_ok(),
            None => {
                let limiter = DefaultKeyedRateLimiter::keyed(governor::Quota::per_second(quota));
                let admitted = limiter.check_key(&place(from)).is_ok();
                self.0.store(Some(Arc::new(Bound { per_second, limiter })));
                admitted
            }
        }
    }

    /// Forgets addresses that have been quiet.
    pub(super) fn tidy(&self) {
        if let Some(bound) = self.0.load().as_ref() {
            bound.limiter.retain_recent();
        }
    }
}

/// Whoever has an IPv6 address has the whole /64 of it.
fn place(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let s = address.segments();
            IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], s[3], 0, 0, 0, 0))
        }
    }
}
