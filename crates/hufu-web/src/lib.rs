//! The HTTP kernel of Hufu, and the surfaces that every instance has. Nothing here decides: a handler reads the
//! request, calls the application and puts the answer into the form that its clients know.
//!
//! - [`server`]: the accept loop, and the router with what goes around every handler.
//! - [`request`]: who the client says it is, and bodies of bounded size.
//! - [`surface`]: how refusals are written; [`envelope`]: answers of the published clients.
//! - [`cors`]: which routes scripts of other origins may call.
//! - [`oidc`]: OAuth 2 and OpenID Connect.
//! - [`page`]: the page kernel, with which hufu-pages draws.
//! - `operations`: health, readiness and metrics.
//!
//! The other surfaces are crates of their own, which give their [`Routes`] to [`router`].

// Templates name the kernel by its crate, here and in other crates.
extern crate self as hufu_web;

pub mod cors;
pub mod envelope;
mod middleware;
pub mod oidc;
mod operations;
pub mod page;
pub mod request;
pub mod server;
pub mod surface;

pub use axum::Router;
pub use operations::metrics_router;
pub use server::{Listener, Routes, WebSettings, router};
