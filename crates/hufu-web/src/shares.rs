//! What there is only so much of, shared out so that no network can hold all of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An amount of something, of which each network may hold a part.
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
}

impl Shares {
    /// So much for everybody together, and so much for each network.
    pub(crate) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, held: Mutex::default() })
    }

    /// Takes an amount for the network of this address. `None` if there is not so much left for it.
    pub(crate) fn take(self: &Arc<Self>, ip: Option<IpAddr>, amount: usize) -> Option<Share> {
        let mut share = Share { of: Arc::clone(self), network: ip.map(hufu_app::network), amount: 0 };
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
    amount: usize,
}

impl Share {
    /// Takes more, if there is so much left for the network.
    pub(crate) fn grow(&mut self, amount: usize) -> bool {
        let mut held = self.of.held();
        let total = held.total.saturating_add(amount);
        let of_network = held.by_network.get(&self.network).copied().unwrap_or_default();
        let of_network = of_network.saturating_add(amount);
        if total > self.of.all || of_network > self.of.each {
            return false;
        }
        held.total = total;
        held.by_network.insert(self.network, of_network);
        drop(held);
        self.amount = self.amount.saturating_add(amount);
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.of.held();
        held.total = held.total.saturating_sub(self.amount);
        let left = held.by_network.get(&self.network).copied().unwrap_or_default();
        match left.saturating_sub(self.amount) {
            0 => held.by_network.remove(&self.network),
            left => held.by_network.insert(self.network, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
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
        assert!(shares.held().by_network.is_empty() && shares.held().total == 0, "nothing is forgotten");
    }
}
