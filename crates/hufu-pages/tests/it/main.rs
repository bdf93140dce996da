//! The pages, and the kernel that they are drawn with, over the real router.
#![cfg(test)]

mod components;
mod forms;
mod kernel;
mod outbox;
mod samples;
mod server;
