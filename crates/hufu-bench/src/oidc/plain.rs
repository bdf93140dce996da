//! A bare server that sends fixed bytes: what the endpoints for discovery are compared with.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse as _;
use axum::routing::get;
use axum::serve::ListenerExt as _;
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::sandbox::announce;

#[derive(Args)]
pub(crate) struct Options {
    /// A file with the responses by path, as JSON.
    #[arg(long)]
    answers: PathBuf,
}

/// A response with status 200.
#[derive(Serialize, Deserialize)]
pub(crate) struct Fixed {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// The responses by path.
pub(crate) type Answers = BTreeMap<String, Fixed>;

pub(crate) fn serve(options: &Options) -> Result<()> {
    let answers: Answers = serde_json::from_str(&std::fs::read_to_string(&options.answers)?)?;
    let mut router = Router::new();
    for (path, Fixed { headers, body }) in answers {
        let mut map = HeaderMap::new();
        for (name, value) in &headers {
            map.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        // The process ends with the measurement, so nothing is lost. Nothing is copied for a response either.
        let body: &'static [u8] = Box::leak(body.into_bytes().into_boxed_slice());
        let answer = move || {
            let answer = (map.clone(), Body::from(body)).into_response();
            std::future::ready(answer)
        };
        router = router.route(&path, get(answer));
    }
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        announce(&listener)?;
        let listener = listener.tap_io(|connection| {
            let _ = connection.set_nodelay(true);
        });
        axum::serve(listener, router).await?;
        Ok(())
    })
}
