//! Tests of the domain's rules through the public surface.
#![cfg(test)]

mod refusals;
mod resolution;
