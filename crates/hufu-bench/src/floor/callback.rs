//! A browser that WeChat sends back to a website: two calls, one claim of the login that began before, and the rows of a
//! login and of a session of the browser.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_types::{BrowserSessionId, SystemRandom, Timestamp};
use serde::Deserialize;

use super::{Floor, Person};

/// What the session of a browser says of its login, as the server writes it.
pub(super) const FACTS: &str = r#"{"methods":[["wechat:pc",1764500000000]]}"#;

/// What a browser brings back, and the session that begins in it.
pub(super) struct Back {
    /// The hash of the state, which is the key of the login that began.
    pub(super) state: Vec<u8>,
    pub(super) code: Vec<u8>,
    pub(super) session: BrowserSessionId,
    /// The hash of the browser's new cookie.
    pub(super) cookie: Vec<u8>,
}

impl Back {
    fn new(query: &Returned, now: Timestamp) -> Back {
        let session = BrowserSessionId::generate(now, &SystemRandom);
        let hash = |text: &str| digest(&SHA256, text.as_bytes()).as_ref().to_vec();
        Back { state: hash(&query.state), code: hash(&query.code), cookie: hash(session.as_str()), session }
    }
}

#[derive(Deserialize)]
pub(super) struct Returned {
    code: String,
    state: String,
}

/// The answers of `sns/oauth2/access_token` and `sns/userinfo`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    access_token: String,
    openid: Option<String>,
    unionid: Option<String>,
    errmsg: Option<String>,
}

pub(super) async fn call_back(
    State(floor): State<Arc<Floor>>,
    Query(query): Query<Returned>,
) -> Result<Response, (StatusCode, String)> {
    let location = floor.call_back(&query).await;
    let location = location.map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

impl Floor {
    async fn call_back(&self, query: &Returned) -> Result<String> {
        let world = &self.fixed.world;
        let call = format!(
            "sns/oauth2/access_token?appid={}&secret={}&code={}&grant_type=authorization_code",
            world.app_id, world.app_secret, query.code
        );
        let authorized = self.ask(&call).await?;
        let openid = authorized.openid.with_context(|| format!("WeChat refused: {:?}", authorized.errmsg))?;
        let token = authorized.access_token;
        let info = self.ask(&format!("sns/userinfo?access_token={token}&openid={openid}&lang=zh_CN")).await?;
        let unionid = authorized.unionid.or(info.unionid).context("no unionid")?;
        let back = |now| Back::new(query, now);
        let person = Person { openid, unionid, session_key: String::new() };
        let user = self.finish(person, &query.code, Some(&back)).await?;
        // Neither an id nor a token has characters that must be encoded.
        let data = format!("%7B%22id%22%3A%22{}%22%2C%22token%22%3A%22{}%22%7D", user.id, user.token);
        Ok(format!("https://shop.example.com/callback?code=200&message=OK&data={data}"))
    }

    async fn ask(&self, call: &str) -> Result<Answer> {
        let answer = self.http.get(format!("{}/{call}", self.api_base)).send().await?.bytes().await?;
        Ok(serde_json::from_slice(&answer)?)
    }
}
