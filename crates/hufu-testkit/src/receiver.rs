//! A server of somebody else, which notes what it is sent.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use tokio::net::TcpListener;

/// A server that answers 200 to everything and keeps the bodies.
#[derive(Debug)]
pub struct Receiver {
    /// Where it is.
    pub uri: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// Starts one on this machine.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap());
        let bodies = Arc::<Mutex<Vec<String>>>::default();
        let own = bodies.clone();
        let note = async move |body: String| own.lock().unwrap().push(body);
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(note)).await });
        Self { uri, bodies }
    }

    /// What came since the last look.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.bodies.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
