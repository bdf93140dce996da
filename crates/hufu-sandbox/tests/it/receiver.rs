//! A server that receives pushed messages, or anything else that the sandbox sends.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hufu_sandbox::{AppPatch, MessageMode, Messages};

use crate::support::{SERVICE, World, parameter};

pub(crate) const TOKEN: &str = "AAAAA";
pub(crate) const AES_KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

/// What came in.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) address: String,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        parameter(&format!("http://receiver{}", self.address), name)
    }
}

/// How it answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Text(u16, String),
    Never,
    /// A body that does not end.
    Endless,
}

#[derive(Clone, Default)]
pub(crate) struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    pub(crate) url: String,
}

impl Receiver {
    pub(crate) async fn start() -> Receiver {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/wechat?pool=1", listener.local_addr().unwrap());
        let receiver = Receiver { url, ..Receiver::default() };
        let router = Router::new().fallback(answer).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    pub(crate) fn reply(&self, reply: Reply) {
        self.replies.lock().unwrap().push_back(reply);
    }

    /// The one thing that came in since the last call.
    pub(crate) fn take_one(&self) -> Received {
        let mut received = std::mem::take(&mut *self.received.lock().unwrap());
        assert_eq!(received.len(), 1, "{received:?}");
        received.remove(0)
    }

    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.received.lock().unwrap())
    }

    /// Makes it the message server of the service account.
    pub(crate) fn serve(&self, world: &World, mode: MessageMode) {
        let messages = Messages {
            url: self.url.clone(),
            token: TOKEN.into(),
            encoding_aes_key: (mode != MessageMode::Plain).then(|| AES_KEY.into()),
            mode,
        };
        let patch = AppPatch { messages: Some(Some(messages)), ..AppPatch::default() };
        world.sandbox.change_app(SERVICE, patch).unwrap();
    }
}

async fn answer(State(receiver): State<Receiver>, method: Method, uri: Uri, body: String) -> Response {
    receiver.received.lock().unwrap().push(Received { method, address: uri.to_string(), body });
    let reply = receiver.replies.lock().unwrap().pop_front();
    match reply.unwrap_or(Reply::Text(200, "success".to_owned())) {
        Reply::Text(status, text) => (StatusCode::from_u16(status).unwrap(), text).into_response(),
        Reply::Never => std::future::pending().await,
        Reply::Endless => {
            let parts = futures::stream::repeat_with(|| Ok::<_, std::convert::Infallible>("x".repeat(4096)));
            Body::from_stream(parts).into_response()
        }
    }
}
