//! The HTTP surfaces of Hufu. Nothing here decides: a handler reads the request,
//! calls the application and puts the answer into the envelope of its clients.
//!
//! - `compat`: the HTTP API of the published Authing/GenAuth clients, v2, v3
//!   and GraphQL. The only surface with CORS; its handlers never read a cookie.
//! - `oidc`: OAuth 2 and OpenID Connect.
//! - [`page`]: the page kernel, with which hufu-pages draws.
//! - `operations`: health, readiness and metrics.

// Templates name the kernel by its crate, here and in other crates.
extern crate self as hufu_web;

mod admin;
mod compat;
mod envelope;
mod middleware;
mod oidc;
mod operations;
pub mod page;
mod personal;
mod problem;
mod request;
pub mod server;

pub use axum::Router;
pub use operations::metrics_router;
pub use problem::Problem;
pub use server::{Listener, WebSettings, router};
