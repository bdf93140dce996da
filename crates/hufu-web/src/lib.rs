//! The HTTP surfaces of Hufu. Nothing here decides: a handler reads the request,
//! calls the application and puts the answer into the envelope of its clients.
//!
//! - `compat`: the HTTP API of the published Authing/GenAuth clients, v2, v3
//!   and GraphQL. The only surface with CORS; its handlers never read a cookie.
//! - `oidc`: OAuth 2 and OpenID Connect.
//! - `operations`: health, readiness and metrics.

mod admin;
mod compat;
mod envelope;
mod middleware;
mod oidc;
mod operations;
mod outbox;
mod personal;
mod problem;
mod request;
mod server;

pub use axum::Router;
pub use operations::metrics_router;
pub use server::{Listener, WebSettings, router};
