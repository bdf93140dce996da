//! The API calls.

use std::{sync::Arc, time::Duration};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use url::{Url, form_urlencoded::byte_serialize};

use crate::{
    broker::{Broker, CachedToken},
    class::{Class, Endpoint},
    error::{BuildError, Error, ErrorKind},
    identity::{CodeSession, PhoneNumber, SessionKey, UserAuthorization, UserInfo},
    settings::{AppCredentials, Budget, Endpoints, Settings},
    transport::{Call, Transport},
    wire::{
        CodeSessionAnswer, PhoneData, PhoneNumberAnswer, PhoneNumberRequest, SnsAccessTokenAnswer,
        SnsUserInfoAnswer, StableTokenAnswer, StableTokenRequest,
    },
};

/// A client of WeChat's server API. Clones share connections and app tokens.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    tokens: Broker,
    endpoints: Endpoints,
}

/// An app token.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: SecretString,
    /// Its remaining lifetime when WeChat responded.
    pub expires_in: Duration,
}

impl Client {
    /// Creates a client with its own connection pool and token cache. Create one and clone it.
    pub fn new(settings: Settings) -> Result<Self, BuildError> {
        let Endpoints { api, open, mp } = &settings.endpoints;
        for (name, base) in [("api", api), ("open", open), ("mp", mp)] {
            if !is_base(base) {
                return Err(BuildError::Base { name });
            }
        }
        Ok(Self {
            inner: Arc::new(Inner {
                transport: Transport::new(&settings)?,
                tokens: Broker::default(),
                endpoints: settings.endpoints,
            }),
        })
    }

    /// The base URLs of WeChat that this client uses.
    pub fn endpoints(&self) -> &Endpoints {
        &self.inner.endpoints
    }

    /// Exchanges a mini program's login code. A code works once, within five minutes.
    ///
    /// Source: "code2Session". The call carries the app's secret; it requires neither an app token nor an
    /// entry in the IP allow-list.
    pub async fn code_to_session(
        &self,
        app: &AppCredentials,
        js_code: &str,
        budget: Budget,
    ) -> Result<CodeSession, Error> {
        const ENDPOINT: Endpoint = Endpoint::CodeToSession;
        let secret = app.app_secret.expose_secret();
        let url = self.url(
            "/sns/jscode2session",
            &[
                ("appid", &app.app_id),
                ("secret", secret),
                ("js_code", js_code),
                ("grant_type", "authorization_code"),
            ],
        );
        let call = Call { endpoint: ENDPOINT, url, body: None, sent: &[secret, js_code] };
        let answer: CodeSessionAnswer = self.inner.transport.call(&call, budget).await?;
        code_session(answer).map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))
    }

    /// Exchanges the code of a user's authorization in a mobile app, on a website or on a web page inside
    /// WeChat. A code works once, within ten minutes.
    ///
    /// Source: "snsAccessToken". The call carries the app's secret; it requires neither an app token nor an
    /// entry in the IP allow-list.
    pub async fn user_authorization(
        &self,
        app: &AppCredentials,
        code: &str,
        budget: Budget,
    ) -> Result<UserAuthorization, Error> {
        const ENDPOINT: Endpoint = Endpoint::SnsAccessToken;
        let secret = app.app_secret.expose_secret();
        let url = self.url(
            "/sns/oauth2/access_token",
            &[
                ("appid", &app.app_id),
                ("secret", secret),
                ("code", code),
                ("grant_type", "authorization_code"),
            ],
        );
        let call = Call { endpoint: ENDPOINT, url, body: None, sent: &[secret, code] };
        let answer: SnsAccessTokenAnswer = self.inner.transport.call(&call, budget).await?;
        user_authorization(answer).map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))
    }

    /// The profile of a user who authorized an app with the scope `snsapi_userinfo` or `snsapi_login`.
    ///
    /// Source: "snsUserInfo". The call is authenticated by the user's own token. Without the scope, WeChat
    /// rejects it (48001).
    pub async fn user_info(&self, user: &UserAuthorization, budget: Budget) -> Result<UserInfo, Error> {
        const ENDPOINT: Endpoint = Endpoint::SnsUserInfo;
        let token = user.access_token.expose_secret();
        let query = [("access_token", token), ("openid", user.openid.as_str()), ("lang", "zh_CN")];
        let url = self.url("/sns/userinfo", &query);
        let call = Call { endpoint: ENDPOINT, url, body: None, sent: &[token, &user.openid] };
        let answer: SnsUserInfoAnswer = self.inner.transport.call(&call, budget).await?;
        if answer.openid.as_ref() != Some(&user.openid) {
            return Err(Error::new(ENDPOINT, ErrorKind::MissingField { field: "openid" }));
        }
        let unionid = given(answer.unionid, "unionid");
        let unionid = unionid.map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))?;
        Ok(UserInfo { unionid, nickname: answer.nickname, sex: answer.sex, avatar: answer.headimgurl })
    }

    /// Exchanges the code of a phone-number button. A code works once, within five minutes, and is not a
    /// login code. With `openid`, WeChat rejects the code of another user. The caller decides with
    /// [`is_fresh`](crate::is_fresh) how old the number may be.
    ///
    /// Source: "getPhoneNumber". If the app token is rejected, it is fetched again once, and the call is
    /// repeated once.
    pub async fn phone_number(
        &self,
        app: &AppCredentials,
        code: &str,
        openid: Option<&str>,
        budget: Budget,
    ) -> Result<PhoneNumber, Error> {
        let request = PhoneNumberRequest { code: code.to_owned(), openid: openid.map(str::to_owned) };
        let held = self.app_token(app, budget).await?;
        let outcome = self.phone_number_with(&held.token, app, &request, budget).await;
        match outcome {
            Err(error) if error.class() == Class::Token => {
                tracing::debug!(rid = error.rid(), "WeChat refused the app token; fetching one");
                self.inner.tokens.drop_refused(app, &held);
                let held = self.app_token(app, budget).await?;
                self.phone_number_with(&held.token, app, &request, budget).await
            }
            outcome => outcome,
        }
    }

    /// Fetches an app token, bypassing the cache that [`Client::phone_number`] uses.
    ///
    /// With `force_refresh`, the current token is invalidated immediately and everywhere. WeChat allows that
    /// 20 times a day. It is meant for administrators whose token has leaked.
    ///
    /// Source: "getStableAccessToken".
    pub async fn stable_access_token(
        &self,
        app: &AppCredentials,
        force_refresh: bool,
        budget: Budget,
    ) -> Result<AccessToken, Error> {
        const ENDPOINT: Endpoint = Endpoint::StableToken;
        let secret = app.app_secret.expose_secret();
        let body = json(
            ENDPOINT,
            &StableTokenRequest {
                grant_type: "client_credential".to_owned(),
                appid: app.app_id.clone(),
                secret: secret.to_owned(),
                force_refresh,
            },
        )?;
        let url = self.url("/cgi-bin/stable_token", &[]);
        let call = Call { endpoint: ENDPOINT, url, body: Some(body), sent: &[secret] };
        let answer: StableTokenAnswer = self.inner.transport.call(&call, budget).await?;
        access_token(answer).map_err(|field| Error::new(ENDPOINT, ErrorKind::MissingField { field }))
    }

    async fn app_token(&self, app: &AppCredentials, budget: Budget) -> Result<CachedToken, Error> {
        let fetch = || {
            let (client, app) = (self.clone(), app.clone());
            async move {
                let budget = Budget::of(client.inner.transport.call_timeout());
                client.stable_access_token(&app, false, budget).await
            }
        };
        self.inner.tokens.token(app, budget, fetch).await
    }

    async fn phone_number_with(
        &self,
        token: &SecretString,
        app: &AppCredentials,
        request: &PhoneNumberRequest,
        budget: Budget,
    ) -> Result<PhoneNumber, Error> {
        const ENDPOINT: Endpoint = Endpoint::PhoneNumber;
        let token = token.expose_secret();
        let url = self.url("/wxa/business/getuserphonenumber", &[("access_token", token)]);
        let openid = request.openid.as_deref().unwrap_or_default();
        let sent = &[token, &request.code, openid];
        let call = Call { endpoint: ENDPOINT, url, body: Some(json(ENDPOINT, request)?), sent };
        let answer: PhoneNumberAnswer = self.inner.transport.call(&call, budget).await?;
        let info = answer
            .phone_info
            .ok_or_else(|| Error::new(ENDPOINT, ErrorKind::MissingField { field: "phone_info" }))?;
        phone_number(info, &app.app_id).map_err(|kind| Error::new(ENDPOINT, kind))
    }

    /// The URL of a call. Only path and query are parsed; the base URL was when the client was created.
    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.inner.endpoints.api.clone();
        if matches!(url.path(), "" | "/") {
            url.set_path(path);
        } else {
            let path = format!("{}{path}", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        let mut text = String::with_capacity(192);
        for (name, value) in query {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(name);
            text.push('=');
            text.extend(byte_serialize(value.as_bytes()));
        }
        url.set_query(Some(text.as_str()).filter(|text| !text.is_empty()));
        url
    }
}

fn is_base(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
}

fn json(endpoint: Endpoint, body: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(body).map_err(|_| Error::new(endpoint, ErrorKind::WrongShape))
}

/// The longest accepted openid, unionid and token, in bytes. WeChat documents 28 for ids and 512 for tokens.
const LONGEST_ID: usize = 128;
const LONGEST_TOKEN: usize = 2048;

fn printable(text: Option<String>, longest: usize) -> Option<String> {
    text.filter(|text| text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// An optional id. Returns an error if it is invalid.
fn given(id: Option<String>, field: &'static str) -> Result<Option<String>, &'static str> {
    match id {
        None => Ok(None),
        id => printable(id, LONGEST_ID).map(Some).ok_or(field),
    }
}

fn user_authorization(answer: SnsAccessTokenAnswer) -> Result<UserAuthorization, &'static str> {
    Ok(UserAuthorization {
        openid: printable(answer.openid, LONGEST_ID).ok_or("openid")?,
        unionid: given(answer.unionid, "unionid")?,
        access_token: printable(answer.access_token, LONGEST_TOKEN).ok_or("access_token")?.into(),
        scope: answer.scope.unwrap_or_default(),
        snapshot: answer.is_snapshotuser == Some(1),
    })
}

/// Extracts the session from a successful response. Returns the name of a missing or invalid field.
fn code_session(answer: CodeSessionAnswer) -> Result<CodeSession, &'static str> {
    Ok(CodeSession {
        openid: printable(answer.openid, LONGEST_ID).ok_or("openid")?,
        unionid: given(answer.unionid, "unionid")?,
        session_key: answer.session_key.and_then(|key| SessionKey::parse(key).ok()).ok_or("session_key")?,
    })
}

fn access_token(answer: StableTokenAnswer) -> Result<AccessToken, &'static str> {
    let token = printable(answer.access_token, LONGEST_TOKEN).ok_or("access_token")?;
    let expires_in =
        answer.expires_in.and_then(|seconds| u64::try_from(seconds).ok()).filter(|&seconds| seconds > 0);
    Ok(AccessToken { token: token.into(), expires_in: Duration::from_secs(expires_in.ok_or("expires_in")?) })
}

fn phone_number(info: PhoneData, app_id: &str) -> Result<PhoneNumber, ErrorKind> {
    let digits = |text: Option<String>, longest: usize, field: &'static str| {
        text.filter(|text| text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_digit()))
            .ok_or(ErrorKind::MissingField { field })
    };
    let watermark = info.watermark.ok_or(ErrorKind::MissingField { field: "watermark" })?;
    if watermark.appid != app_id {
        return Err(ErrorKind::Watermark);
    }
    // E.164 allows country codes of three digits and numbers of fifteen digits in total. A little leeway does
    // no harm.
    let country_code = info.country_code.map(|code| code.trim_start_matches('+').to_owned());
    let country_code = digits(country_code.filter(|code| !code.is_empty()), 4, "countryCode")?;
    let pure_number = digits(info.pure_phone_number, 15, "purePhoneNumber")?;
    Ok(PhoneNumber {
        phone_number: printable(info.phone_number, 32).unwrap_or_else(|| pure_number.clone()),
        country_code,
        pure_number,
        watermark_timestamp: watermark.timestamp,
    })
}
