//! A server of somebody else, which notes what it is sent.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::StatusCode;
use tokio::net::TcpListener;

/// A server that answers everything with one status and keeps the bodies.
#[derive(Debug)]
pub struct Receiver {
    /// Where it is.
    pub uri: String,
    bodies: Arc<Mutex<Vec<String>>>,
    status: Arc<AtomicU16>,
}

impl Receiver {
    /// Starts one on this machine. It answers with 200.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap());
        let (bodies, status) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(AtomicU16::new(200)));
        let own = (bodies.clone(), status.clone());
        let note = async move |body: String| {
            let (bodies, status) = own;
            bodies.lock().unwrap().push(body);
            StatusCode::from_u16(status.load(Ordering::SeqCst)).unwrap()
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(note)).await });
        Self { uri, bodies, status }
    }

    /// What it answers with from now on.
    pub fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// What came since the last look.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.bodies.lock().unwrap())
    }
}
