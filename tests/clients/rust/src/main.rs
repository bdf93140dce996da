//! A website that logs people in with openidconnect.
//!
//! `ISSUER`, `CLIENT_ID` and `CLIENT_SECRET` say where and as what, `SITE` is the site's own address and `LISTEN` where it
//! listens. People who are logged in are kept in memory.

use std::{
    collections::HashMap,
    env,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use axum_extra::extract::{
    CookieJar,
    cookie::{Cookie, SameSite},
};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndSessionUrl, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IssuerUrl, LogoutRequest, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    PostLogoutRedirectUrl, ProviderMetadataWithLogout, RedirectUrl, Scope, TokenResponse,
    core::{
        CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenClaims, CoreTokenResponse,
        CoreUserInfoClaims,
    },
    reqwest,
};
use serde::Deserialize;
use serde_json::json;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The library reads the provider's keys at discovery alone, so that is repeated.
const DISCOVERED_FOR: Duration = Duration::from_secs(300);

struct Hufu {
    client: Client,
    end_session: EndSessionUrl,
    discovered: Instant,
}

async fn discover(http: &reqwest::Client) -> Result<Arc<Hufu>, Box<dyn Error + Send + Sync>> {
    let issuer = IssuerUrl::new(env::var("ISSUER")?)?;
    let metadata = ProviderMetadataWithLogout::discover_async(issuer, http).await?;
    let end_session = metadata.additional_metadata().end_session_endpoint.clone();
    let (id, secret) = (ClientId::new(env::var("CLIENT_ID")?), ClientSecret::new(env::var("CLIENT_SECRET")?));
    let client = CoreClient::from_provider_metadata(metadata, id, Some(secret))
        .set_redirect_uri(RedirectUrl::new(env::var("SITE")? + "/callback")?);
    let end_session = end_session.ok_or("the provider has no logout")?;
    Ok(Arc::new(Hufu { client, end_session, discovered: Instant::now() }))
}

async fn login(State(site): State<Arc<Site>>, jar: CookieJar) -> Result<(CookieJar, Redirect), Refusal> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = site
        .hufu()
        .await?
        .client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "email", "offline_access"].map(|scope| Scope::new(scope.into())))
        .set_pkce_challenge(challenge)
        .url();
    let jar = site.remember(jar, Visit::LoggingIn { state, nonce, verifier });
    Ok((jar, Redirect::to(url.as_str())))
}

#[derive(Deserialize)]
struct AuthorizationResponse {
    state: Option<CsrfToken>,
    code: Option<AuthorizationCode>,
    error: Option<String>,
}

async fn callback(
    State(site): State<Arc<Site>>,
    Query(response): Query<AuthorizationResponse>,
    jar: CookieJar,
) -> Result<(CookieJar, Redirect), Refusal> {
    let Some(Visit::LoggingIn { state, nonce, verifier }) = site.forget(&jar) else {
        return Err(Refusal::forbidden("no login was begun here: there is no state"));
    };
    if response.state != Some(state) {
        return Err(Refusal::forbidden("the state is not the one that was sent"));
    }
    let Some(code) = response.code else {
        return Err(Refusal::forbidden(response.error.unwrap_or_default()));
    };
    let hufu = site.hufu().await?;
    let tokens =
        hufu.client.exchange_code(code)?.set_pkce_verifier(verifier).request_async(&site.http).await?;
    let id_token = tokens.id_token().cloned().ok_or_else(|| Refusal::forbidden("there is no ID token"))?;
    // Checks its signature, its issuer, whom it is for, its time and its nonce.
    let claims = id_token.claims(&hufu.client.id_token_verifier(), &nonce)?.clone();
    Ok((site.remember(jar, Visit::LoggedIn(Login { tokens, id_token, claims })), Redirect::to("/")))
}

async fn home(State(site): State<Arc<Site>>, jar: CookieJar) -> Result<Json<serde_json::Value>, Refusal> {
    let Login { tokens, claims, .. } = site.logged_in(&jar)?;
    let userinfo: CoreUserInfoClaims = site
        .hufu()
        .await?
        .client
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))?
        .request_async(&site.http)
        .await?;
    Ok(Json(json!({ "claims": claims, "userinfo": userinfo })))
}

async fn refresh(State(site): State<Arc<Site>>, jar: CookieJar) -> Result<(CookieJar, Redirect), Refusal> {
    let login = site.logged_in(&jar)?;
    let refresh_token =
        login.tokens.refresh_token().ok_or_else(|| Refusal::forbidden("there is no refresh token"))?;
    let hufu = site.hufu().await?;
    let tokens = hufu.client.exchange_refresh_token(refresh_token)?.request_async(&site.http).await?;
    Ok((site.remember(jar, Visit::LoggedIn(Login { tokens, ..login })), Redirect::to("/")))
}

async fn logout(State(site): State<Arc<Site>>, jar: CookieJar) -> Result<Redirect, Refusal> {
    let Login { id_token, .. } = site.logged_in(&jar)?;
    site.forget(&jar);
    let url = LogoutRequest::from(site.hufu().await?.end_session.clone())
        .set_id_token_hint(&id_token)
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(env::var("SITE")? + "/")?)
        .http_get_url();
    Ok(Redirect::to(url.as_str()))
}

struct Site {
    http: reqwest::Client,
    hufu: tokio::sync::Mutex<Arc<Hufu>>,
    visits: Mutex<HashMap<String, Visit>>,
}

/// What the site knows of a browser.
enum Visit {
    LoggingIn { state: CsrfToken, nonce: Nonce, verifier: PkceCodeVerifier },
    LoggedIn(Login),
}

#[derive(Clone)]
struct Login {
    tokens: CoreTokenResponse,
    id_token: CoreIdToken,
    claims: CoreIdTokenClaims,
}

impl Site {
    async fn hufu(&self) -> Result<Arc<Hufu>, Refusal> {
        let mut hufu = self.hufu.lock().await;
        if hufu.discovered.elapsed() > DISCOVERED_FOR {
            *hufu = discover(&self.http).await.map_err(Refusal::forbidden)?;
        }
        Ok(Arc::clone(&hufu))
    }

    /// Begins a new session in place of the browser's old one.
    fn remember(&self, jar: CookieJar, visit: Visit) -> CookieJar {
        self.forget(&jar);
        // 128 random bits.
        let id = CsrfToken::new_random().into_secret();
        self.visits().insert(id.clone(), visit);
        jar.add(Cookie::build(("id", id)).path("/").http_only(true).same_site(SameSite::Lax))
    }

    fn forget(&self, jar: &CookieJar) -> Option<Visit> {
        self.visits().remove(jar.get("id")?.value())
    }

    fn logged_in(&self, jar: &CookieJar) -> Result<Login, Refusal> {
        let visits = self.visits();
        match jar.get("id").and_then(|id| visits.get(id.value())) {
            Some(Visit::LoggedIn(login)) => Ok(login.clone()),
            _ => Err(Refusal(StatusCode::UNAUTHORIZED, "nobody is logged in".into())),
        }
    }

    fn visits(&self) -> MutexGuard<'_, HashMap<String, Visit>> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Refusal(StatusCode, String);

impl Refusal {
    fn forbidden(why: impl ToString) -> Self {
        Self(StatusCode::FORBIDDEN, why.to_string())
    }
}

impl<E: Error> From<E> for Refusal {
    /// With the causes.
    fn from(error: E) -> Self {
        let mut why = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            why = format!("{why}: {error}");
            cause = error.source();
        }
        Self::forbidden(why)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let hufu = discover(&http).await?.into();
    let site = Arc::new(Site { http, hufu, visits: Mutex::default() });
    let router = Router::new()
        .route("/", get(home))
        .route("/login", get(login))
        .route("/callback", get(callback))
        .route("/refresh", get(refresh))
        .route("/logout", get(logout))
        .with_state(site);
    Ok(axum::serve(tokio::net::TcpListener::bind(env::var("LISTEN")?).await?, router).await?)
}
