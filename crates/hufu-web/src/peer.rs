//! Who sends a request: the address of the peer, and that of the client behind a trusted proxy.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// The address of the client, as an extension of the request. `observe` sets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientIp(pub(crate) IpAddr);

impl ClientIp {
    /// The address of the client of this request.
    pub(crate) fn of(extensions: &Extensions) -> Option<IpAddr> {
        extensions.get::<Self>().map(|Self(ip)| *ip)
    }
}

/// The address of the peer: the client, or the last proxy.
pub(crate) fn peer_of(extensions: &Extensions) -> Option<IpAddr> {
    // A dual-stack socket reports IPv4 peers as `::ffff:203.0.113.9`.
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical())
}

/// Whether this is the address of a trusted proxy.
pub(crate) fn is_trusted(ip: IpAddr, proxies: &[IpNet]) -> bool {
    let ip = ip.to_canonical();
    proxies.iter().any(|network| network.contains(&ip))
}

/// The client's address. If the peer is a trusted proxy, it is the last address in `X-Forwarded-For` that is
/// not one.
pub(crate) fn client_of(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    if !is_trusted(peer, proxies) {
        return peer;
    }
    // What a client wrote before the proxies' own addresses may be anything.
    let forwarded = headers.get_all("x-forwarded-for").iter().map(|v| String::from_utf8_lossy(v.as_bytes()));
    let forwarded: Vec<Cow<'_, str>> = forwarded.collect();
    let addresses: Vec<&str> = forwarded.iter().flat_map(|list| list.split(',')).map(str::trim).collect();
    let mut client = peer;
    for address in addresses.iter().rev() {
        let Some(address) = address_in(address) else { break };
        client = address;
        if !is_trusted(address, proxies) {
            break;
        }
    }
    client
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address_in(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse().map(|socket: SocketAddr| socket.ip()));
    address.ok().map(|ip: IpAddr| ip.to_canonical())
}
