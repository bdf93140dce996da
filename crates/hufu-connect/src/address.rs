//! Distinguishes public Internet addresses from all others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not public, with their prefix length (IANA IPv4 Special-Purpose Address Registry,
/// RFC 6890).
const NOT_PUBLIC_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),          // this network, and the unspecified address
    ([10, 0, 0, 0], 8),         // private
    ([100, 64, 0, 0], 10),      // carrier-grade NAT
    ([127, 0, 0, 0], 8),        // loopback
    ([169, 254, 0, 0], 16),     // link-local, where clouds serve their metadata
    ([172, 16, 0, 0], 12),      // private
    ([192, 0, 0, 0], 24),       // protocol assignments
    ([192, 0, 2, 0], 24),       // documentation
    ([192, 88, 99, 0], 24),     // the former 6to4 relays
    ([192, 168, 0, 0], 16),     // private
    ([198, 18, 0, 0], 15),      // benchmarking
    ([198, 51, 100, 0], 24),    // documentation
    ([203, 0, 113, 0], 24),     // documentation
    ([224, 0, 0, 0], 4),        // multicast
    ([240, 0, 0, 0], 4),        // reserved
    ([255, 255, 255, 255], 32), // broadcast
];

/// Networks inside the global unicast space of IPv6 (2000::/3) that are not public (IANA IPv6 Special-Purpose
/// Address Registry).
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 3] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments; Teredo is checked before
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Whether an address belongs to the public Internet: not loopback, private, link-local, shared, reserved,
/// documentation, benchmarking, multicast or unspecified, and not an IPv6 address that embeds such an IPv4
/// address (mapped, 6to4, NAT64, Teredo).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in = |(network, prefix): &([u8; 4], u32)| {
        let difference = address.to_bits() ^ u32::from_be_bytes(*network);
        difference.checked_shr(u32::BITS - prefix).unwrap_or_default() == 0
    };
    !NOT_PUBLIC_V4.iter().any(is_in)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let carries =
        |high: u16, low: u16| is_public_v4(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)));
    match address.segments() {
        // Mapped (RFC 4291), translated (RFC 2765) and NAT64 (RFC 6052) addresses end in an IPv4 address.
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        // In 6to4 addresses (RFC 3056), it follows the prefix.
        | [0x2002, high, low, ..] => carries(high, low),
        // Teredo addresses (RFC 4380) contain the server's address, and the client's with all bits inverted.
        [0x2001, 0, server_high, server_low, _, _, client_high, client_low] => {
            carries(server_high, server_low) && carries(!client_high, !client_low)
        }
        // Only 2000::/3 is allocated; loopback, unique local, link-local and multicast are outside.
        [first, ..] => {
            first & 0xe000 == 0x2000 && !NOT_PUBLIC_V6.iter().any(|network| is_in_v6(address, network))
        }
    }
}

fn is_in_v6(address: Ipv6Addr, (network, prefix): &(Ipv6Addr, u32)) -> bool {
    let difference = address.to_bits() ^ network.to_bits();
    difference.checked_shr(u128::BITS - prefix).unwrap_or_default() == 0
}
