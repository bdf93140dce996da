//! The HTTP kernel of Hufu, and the surfaces that every instance has. No decisions are made here: a handler
//! reads the request, calls the application, and writes the result in the form that its clients expect.
//!
//! - [`server`]: the accept loop, and the router with its middleware. `connection`: one connection, by HTTP/1.1 or HTTP/2.
//! - [`tls`]: the certificate, for whoever has no proxy.
//! - [`request`]: how the client identifies itself, and reading bodies of limited size.
//! - [`surface`]: how refusals are written. [`envelope`]: responses for the published clients.
//! - [`cors`]: which routes scripts of other origins may call.
//! - [`oidc`]: OAuth 2 and OpenID Connect.
//! - [`page`]: the page kernel, which hufu-pages builds on.
//! - `operations`: health, readiness and metrics. `verification`: the verification files of connections.
//!
//! The other surfaces are separate crates, which pass their [`Routes`] to [`router`].

// The discovery document is one long `json!`.
#![recursion_limit = "256"]

// Templates refer to the kernel by its crate name, both here and in other crates.
extern crate self as hufu_web;

mod connection;
pub mod cors;
pub mod envelope;
mod middleware;
pub mod oidc;
mod operations;
pub mod page;
mod peer;
pub mod request;
pub mod server;
mod shares;
pub mod surface;
pub mod tls;
mod verification;

pub use axum::Router;
pub use operations::metrics_router;
pub use server::{Listener, Routes, UserObject, WebSettings, router};
pub use tls::{AcmeSettings, Certificates, ExternalAccount, plain_router};
