//! Tests of the middleware, OAuth 2 and OpenID Connect, on both database engines.
#![cfg(test)]

mod client_keys;
mod cross_origin;
mod dpop;
mod ended;
mod input;
mod pairwise;
mod registration;
mod removed;
mod request_uris;
mod resources;
mod scopes;
mod sessions;
mod signed_answers;
mod signing_keys;
mod site;
mod told;

use hufu_testkit::{client, world};
