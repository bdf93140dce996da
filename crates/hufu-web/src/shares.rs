//! What there is only so much of, shared out so that no network can hold all of it.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An amount of something, of which each network may hold a part. An IPv6 network is also counted with its site, from
/// which anybody gets many.
pub(crate) struct Shares {
    all: usize,
    each: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    total: usize,
    /// By [`hufu_app::network`]. Requests without an address, which only tests make, count as one network.
    by_network: HashMap<Option<IpAddr>, usize>,
    /// By [`hufu_app::site`].
    by_site: HashMap<IpAddr, usize>,
}

/// A site may hold this many times as much as a network.
const NETWORKS_PER_SITE: usize = 4;

impl Shares {
    /// So much for everybody together, and so much for each network.
    pub(crate) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, held: Mutex::default() })
    }

    /// Takes an amount for the network of this address. `None` if there is not so much left for it.
    pub(crate) fn take(self: &Arc<Self>, ip: Option<IpAddr>, amount: usize) -> Option<Share> {
        let (network, site) = (ip.map(hufu_app::network), ip.and_then(hufu_app::site));
        let mut share = Share { of: Arc::clone(self), network, site, amount: 0 };
        share.grow(amount).then_some(share)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was taken. It is given back when this is dropped.
pub(crate) struct Share {
    of: Arc<Shares>,
    network: Option<IpAddr>,
    site: Option<IpAddr>,
    amount: usize,
}

impl Share {
    /// Takes more, if there is so much left for the network.
    pub(crate) fn grow(&mut self, amount: usize) -> bool {
        let mut held = self.of.held();
        let total = held.total.saturating_add(amount);
        let of_network = held.by_network.get(&self.network).copied().unwrap_or_default();
        let of_network = of_network.saturating_add(amount);
        let of_site = self.site.map(|site| {
            let of_site = held.by_site.get(&site).copied().unwrap_or_default();
            (site, of_site.saturating_add(amount))
        });
        let site_is_full =
            of_site.is_some_and(|(_, held)| held > self.of.each.saturating_mul(NETWORKS_PER_SITE));
        if total > self.of.all || of_network > self.of.each || site_is_full {
            return false;
        }
        held.total = total;
        held.by_network.insert(self.network, of_network);
        held.by_site.extend(of_site);
        drop(held);
        self.amount = self.amount.saturating_add(amount);
        true
    }
}

impl Share {
    /// How much it holds.
    pub(crate) const fn amount(&self) -> usize {
        self.amount
    }

    /// Gives all of it back.
    pub(crate) fn release(&mut self) {
        let amount = std::mem::take(&mut self.amount);
        let mut held = self.of.held();
        held.total = held.total.saturating_sub(amount);
        lessen(&mut held.by_network, self.network, amount);
        if let Some(site) = self.site {
            lessen(&mut held.by_site, site, amount);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

/// Takes an amount from an entry, and forgets an entry of nothing.
fn lessen<K: Eq + Hash>(held: &mut HashMap<K, usize>, key: K, amount: usize) {
    let left = held.get(&key).copied().unwrap_or_default();
    match left.saturating_sub(amount) {
        0 => held.remove(&key),
        left => held.insert(key, left),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    #[test]
    fn no_network_holds_all() {
        let shares = Shares::new(5, 3);
        let mut one = shares.take(ip("192.0.2.1"), 2).unwrap();
        assert!(one.grow(1) && !one.grow(1));
        assert!(shares.take(ip("::ffff:192.0.2.1"), 1).is_none(), "it is the same address");
        let other = shares.take(ip("2001:db8::1"), 2).unwrap();
        assert!(shares.take(ip("2001:db8::2"), 1).is_none(), "there is no more for anybody");
        drop(one);
        let neighbour = shares.take(ip("2001:db8::3"), 1).unwrap();
        assert!(shares.take(ip("2001:db8::4"), 1).is_none(), "a /64 is one network");
        drop((other, neighbour));
        let held = shares.held();
        assert!(
            held.by_network.is_empty() && held.by_site.is_empty() && held.total == 0,
            "nothing is forgotten"
        );
    }

    #[test]
    fn a_site_of_many_networks_does_not_hold_all_either() {
        let shares = Shares::new(100, 2);
        let network = |n: u16| ip(&format!("2001:db8:1:{n:x}::1"));
        let held: Vec<_> = (0..4).map(|n| shares.take(network(n), 2).unwrap()).collect();
        assert!(shares.take(network(5), 1).is_none());
        assert!(shares.take(ip("2001:db8:2::1"), 2).is_some(), "another site");
        drop(held);
        assert!(shares.take(network(5), 1).is_some());
    }
}
