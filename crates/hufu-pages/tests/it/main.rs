//! The pages and the page kernel, tested through the real router.
#![cfg(test)]

mod administration;
mod components;
mod device;
mod forms;
mod hosted;
mod kernel;
mod modes;
mod outbox;
mod samples;
mod server;
mod start;
