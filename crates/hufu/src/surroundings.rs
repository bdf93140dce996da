//! What the start page of `hufu dev` needs of the program around it: the sandbox's calls, and HTTP to its own server.

#![expect(clippy::disallowed_types, reason = "a body that is sent, not one that is received")]

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full, Limited};
use hufu_pages::dev::{Answered, Answering, Call, WechatCall};
use hufu_sandbox::Sandbox;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// The most bytes of an answer that are read.
const MAX_ANSWER: usize = 1024 * 1024;

/// See the module documentation.
pub(crate) struct Surroundings {
    sandbox: Sandbox,
    server: SocketAddr,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Surroundings {
    /// With this sandbox, and the server that listens at this address.
    pub(crate) fn new(sandbox: Sandbox, server: SocketAddr) -> Self {
        Self { sandbox, server, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Sends a call to the server.
    pub(crate) async fn send(&self, call: Call) -> Result<Answered, String> {
        let url = format!("http://{}{}", self.server, call.path);
        let request = Request::builder().method(call.method).uri(url);
        let request =
            call.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let request = request.body(Full::from(call.body)).map_err(|error| error.to_string())?;
        let answer = self.http.request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let location = answer.headers().get("location").and_then(|to| to.to_str().ok()).map(str::to_owned);
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| error.to_string())?.to_bytes().to_vec();
        Ok(Answered { status, location, body })
    }
}

impl hufu_pages::dev::Surroundings for Surroundings {
    fn wechat_calls(&self, after: u64) -> Vec<WechatCall> {
        let now = self.sandbox.now_ms();
        let calls = self.sandbox.calls(after).into_iter().map(|call| WechatCall {
            number: call.seq,
            path: call.path,
            app_id: call.app_id.as_deref().map(str::to_owned),
            // What is no JSON answers by its status alone.
            is_ok: match call.errcode {
                Some(code) => code == 0,
                None => call.http_status.is_some_and(|status| status < 400),
            },
            code: call.errcode.filter(|code| *code != 0),
            age: now.saturating_sub(call.at),
        });
        calls.collect()
    }

    fn wechat_time(&self) -> i64 {
        self.sandbox.now_ms()
    }

    fn call(&self, call: Call) -> Answering<'_> {
        Box::pin(self.send(call))
    }
}
