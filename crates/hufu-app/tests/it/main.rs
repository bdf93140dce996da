//! The use cases, through the public surface, on both database engines.
#![cfg(test)]

mod apply;
mod credentials;
mod transfer;
