//! Which addresses are counted together as one sender in rate limits.

use std::net::{IpAddr, Ipv6Addr};

/// The prefix length of the network assigned to one customer, who numbers hosts freely within it (RFC 6177,
/// RFC 4291 section 2.5.4).
const NETWORK: u32 = 64;
/// The prefix length assigned to one site, which divides it into networks (RFC 6177 section 2).
const SITE: u32 = 48;

/// The network that an address is counted under: an IPv4 address itself, or the first address of the `/64` of
/// an IPv6 address.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - NETWORK))).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// The name of the [`network`] of an address. Text that is not an address is returned unchanged.
pub(crate) fn network_of(ip: &str) -> String {
    match ip.parse().map(network) {
        Ok(IpAddr::V4(address)) => address.to_string(),
        Ok(IpAddr::V6(network)) => format!("{network}/{NETWORK}"),
        Err(_) => ip.to_owned(),
    }
}

/// The site that an IPv6 address is also counted under: its `/48`. Other addresses have none.
pub fn site(ip: IpAddr) -> Option<IpAddr> {
    match ip.to_canonical() {
        IpAddr::V6(address) => {
            Some(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - SITE))).into())
        }
        IpAddr::V4(_) => None,
    }
}

/// The name of the [`site`] of an address.
pub(crate) fn site_of(ip: &str) -> Option<String> {
    Some(format!("{}/{SITE}", site(ip.parse().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_count_by_network() {
        for (address, network) in [
            ("203.0.113.9", "203.0.113.9"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
            ("nonsense", "nonsense"),
            ("", ""),
        ] {
            assert_eq!(network_of(address), network);
        }
    }

    #[test]
    fn sites_of_networks() {
        assert_eq!(site_of("2001:db8:1:2::1").as_deref(), Some("2001:db8:1::/48"));
        for none in ["203.0.113.9", "::ffff:203.0.113.9", "nonsense"] {
            assert_eq!(site_of(none), None);
        }
    }
}
