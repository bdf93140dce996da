//! Logging out of a browser (OpenID Connect RP-Initiated Logout 1.0).

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_types::refusal::Code;
use hufu_types::{Application, BrowserSessionId};

use super::browser::{Browser, BrowserAccount};
use super::request::{Hint, Parameters};
use crate::tokens::EndedSession;
use crate::{App, Origin, Refusal};

/// A request to log out, checked.
#[derive(Clone, Debug)]
pub struct LogoutRequest {
    /// The application that asks, if it says so.
    pub application: Option<Arc<Application>>,
    /// Where the browser goes afterwards, with the `state`. One of the application's addresses.
    pub redirect: Option<String>,
    /// The subject of the ID token that came as a hint, which is one of the application's.
    user: Option<String>,
}

/// What a request to log out needs.
#[derive(Debug)]
pub enum LogoutAsked {
    /// The person says whether they want it: nothing shows that an application asks for them.
    Question(Vec<BrowserAccount>),
    /// Nothing: these end.
    Ends(Vec<BrowserAccount>),
}

/// A logout that is done.
#[derive(Debug)]
pub struct SignedOut {
    /// The browser as it is now.
    pub browser: Browser,
    /// The pages that applications want to be loaded in frames, so that they end their sessions (OpenID Connect
    /// Front-Channel Logout 1.0).
    pub frames: Vec<String>,
}

impl App {
    /// Reads a request to log out.
    ///
    /// # Errors
    /// [`Code::HintInvalid`], [`Code::LogoutUriUnknown`], [`Code::ApplicationUnknown`], [`Code::Invalid`].
    pub fn logout_request(
        &self,
        parameters: &Parameters,
        browser: &Browser,
    ) -> Result<LogoutRequest, Refusal> {
        parameters.check_repeated()?;
        let hint = match parameters.get("id_token_hint") {
            Some(token) => Some(self.id_token_hint(token).ok_or(Code::HintInvalid)?),
            None => None,
        };
        let named = parameters.get("client_id");
        if let (Some(Hint { aud, .. }), Some(named)) = (&hint, named)
            && aud.as_str() != named
        {
            return Err(Code::HintInvalid.into());
        }
        let config = self.config();
        let application = match hint.as_ref().map(|hint| hint.aud.as_str()).or(named) {
            Some(id) => Some(config.application_or(id, Code::ApplicationUnknown)?.clone()),
            None => None,
        };
        let redirect = match parameters.get("post_logout_redirect_uri") {
            Some(uri) => {
                let registered = application.as_ref().map(|a| a.client.logout_redirect_uris.as_slice());
                if !registered.unwrap_or_default().iter().any(|known| known == uri) {
                    return Err(Code::LogoutUriUnknown.into());
                }
                Some(with_state(uri, parameters.get("state")))
            }
            None => match parameters.get("redirect_uri") {
                Some(uri) if self.is_logout_uri(uri, application.as_deref(), browser) => {
                    Some(with_state(uri, parameters.get("state")))
                }
                Some(_) => return Err(Code::LogoutUriUnknown.into()),
                None => None,
            },
        };
        Ok(LogoutRequest { application, redirect, user: hint.map(|hint| hint.sub.to_string()) })
    }

    /// Whether an address may follow a logout by the published clients, which name it `redirect_uri` and name no client: one
    /// of an application of a pool that somebody is logged in to here has to have it. What another tenant registered
    /// counts for nothing.
    fn is_logout_uri(&self, uri: &str, application: Option<&Application>, browser: &Browser) -> bool {
        let has = |application: &Application| {
            application.client.logout_redirect_uris.iter().any(|known| known == uri)
        };
        if let Some(application) = application {
            return has(application);
        }
        let pools = browser.pools();
        let config = self.config();
        let mut candidates =
            config.applications().filter(|one| pools.is_empty() || pools.contains(&one.pool));
        candidates.any(|application| has(application))
    }

    /// Says what a request to log out needs.
    ///
    /// # Errors
    /// Database errors.
    pub async fn logout_asked(
        &self,
        request: &LogoutRequest,
        browser: &Browser,
    ) -> Result<LogoutAsked, Refusal> {
        let pools = match &request.application {
            Some(application) => vec![application.pool.clone()],
            None => browser.pools(),
        };
        let mut accounts = Vec::new();
        for pool in pools {
            accounts.extend(self.browser_accounts(&pool, browser).await?);
        }
        let (Some(user), Some(application)) = (&request.user, &request.application) else {
            return Ok(LogoutAsked::Question(accounts));
        };
        let is_hinted = |account: &BrowserAccount| account.is_called(user, application, &self.subjects);
        let (hinted, others): (Vec<_>, Vec<_>) = accounts.into_iter().partition(is_hinted);
        // Somebody else is logged in: an old link, or one that was sent to them.
        if hinted.is_empty() && !others.is_empty() {
            return Ok(LogoutAsked::Question(others));
        }
        Ok(LogoutAsked::Ends(hinted))
    }

    /// Ends the sessions of these accounts in the browser, and of the applications beneath.
    ///
    /// # Errors
    /// Database errors.
    #[boxed]
    pub async fn sign_out(
        &self,
        accounts: &[BrowserAccount],
        browser: &Browser,
        origin: &Origin,
    ) -> Result<SignedOut, Refusal> {
        let mut frames = Vec::new();
        let mut secrets = Vec::new();
        for BrowserAccount { session, user, secret, earlier } in accounts {
            let all =
                std::iter::once((session, secret)).chain(earlier.iter().map(|(old, secret)| (old, secret)));
            for (session, secret) in all {
                let ended = self.end_browser_session(&user.pool, session, origin).await?;
                for frame in ended.iter().filter_map(|ended| self.frame_of(ended)) {
                    if !frames.contains(&frame) {
                        frames.push(frame);
                    }
                }
                secrets.push(secret.clone());
            }
        }
        Ok(SignedOut { browser: browser.without(&secrets), frames })
    }

    /// The account of a browser session in this browser.
    ///
    /// # Errors
    /// Database errors.
    pub async fn browser_account(
        &self,
        browser: &Browser,
        id: &BrowserSessionId,
    ) -> Result<Option<BrowserAccount>, Refusal> {
        for pool in browser.pools() {
            let accounts = self.browser_accounts(&pool, browser).await?;
            if let Some(found) = accounts.into_iter().find(|account| account.id() == id) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The page of an application that is loaded in a frame when its session ends.
    fn frame_of(&self, ended: &EndedSession) -> Option<String> {
        let config = self.config();
        let uri = config.application(ended.application.as_str())?.client.frontchannel_logout_uri.clone()?;
        let parameters = [("iss", self.issuer.as_str()), ("sid", ended.session.as_str())];
        let parameters = serde_urlencoded::to_string(parameters).ok()?;
        let between = if uri.contains('?') { '&' } else { '?' };
        Some(format!("{uri}{between}{parameters}"))
    }
}

fn with_state(uri: &str, state: Option<&str>) -> String {
    let Some(state) = state else { return uri.to_owned() };
    let state = serde_urlencoded::to_string([("state", state)]).unwrap_or_default();
    let between = if uri.contains('?') { '&' } else { '?' };
    format!("{uri}{between}{state}")
}
