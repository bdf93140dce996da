//! Shared support for tests of the program: its process, an instance for it to serve, and a client.

mod client;
mod instance;
mod pebble;
mod process;

pub(crate) use client::{Answer, Client, claims, header_of};
pub(crate) use instance::{
    APP_ID, APPLICATION, CONFIG, Instance, PERSON_PHONE, POOL, SECRET, Server, WORLD, fill, sandbox_options,
};
pub(crate) use pebble::{Pebble, Ports};
pub(crate) use process::{Process, Ran, SOON, TIMEOUT, hufu};

/// Asks repeatedly until the answer is true. Fails after [`TIMEOUT`].
pub(crate) async fn eventually(what: &str, mut asked: impl AsyncFnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !asked().await {
        assert!(begin.elapsed() < TIMEOUT, "timed out waiting: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// An address of this machine that is currently free.
pub(crate) fn free_address() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
