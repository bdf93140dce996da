//! Tests of the domain's rules through the public surface.
#![cfg(test)]

mod doctor;
mod refusals;
mod resolution;
