//! The pages, and the kernel that they are drawn with, over the real router.

mod components;
mod forms;
mod kernel;
mod outbox;
mod samples;
mod server;
