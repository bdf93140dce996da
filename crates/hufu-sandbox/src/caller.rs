//! The address that a call comes from.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::Extensions;
use axum::http::request::Parts;

/// The address of the caller. A call within this process, which has none, comes from this machine.
pub(crate) struct Caller(pub(crate) IpAddr);

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Infallible> {
        Ok(Caller(caller_of(&parts.extensions)))
    }
}

/// The same, of a request.
pub(crate) fn caller_of(extensions: &Extensions) -> IpAddr {
    let connection = extensions.get::<ConnectInfo<SocketAddr>>();
    connection.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |connection| connection.0.ip())
}
