//! Web authorization: the links of websites and official accounts, checked as WeChat checks them, and what happens
//! when somebody agrees or refuses.

use std::borrow::Cow;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::api::param;
use crate::control::ControlError;
use crate::open::page_code;
use crate::reply::{WechatError, code};
use crate::state::State;
use crate::state::apps::{App, AppKind, AppState, Settings};
use crate::state::codes::{Grant, Scope};
use crate::state::people::Person;
use crate::state::web_logins::{Progress, WebLogin};

/// What an official account asks for.
pub(crate) struct Authorization {
    pub(crate) app: Arc<App>,
    pub(crate) redirect_uri: String,
    pub(crate) scope: Scope,
    pub(crate) state: String,
    /// `forceSnapShot`: the page opens as a snapshot for everybody.
    snapshot: bool,
}

/// The host under which this sandbox was called.
pub(crate) fn host_of(headers: &HeaderMap) -> &str {
    headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:3100")
}

/// The parameters of a link, which WeChat reads only in this order. One that is not in its place is missing.
struct InOrder<'q> {
    pairs: std::iter::Peekable<std::vec::IntoIter<&'q str>>,
}

impl<'q> InOrder<'q> {
    fn new(query: &'q str) -> InOrder<'q> {
        let own: Vec<_> = query.split('&').filter(|pair| !pair.starts_with("sandbox_user=")).collect();
        InOrder { pairs: own.into_iter().peekable() }
    }

    fn take(&mut self, name: &str) -> Option<Cow<'q, str>> {
        let value = self.pairs.peek()?.strip_prefix(name)?.strip_prefix('=')?;
        self.pairs.next();
        let value = percent_decode_str(value).decode_utf8().ok()?;
        (!value.is_empty()).then_some(value)
    }
}

/// Checks the link of an official account's web authorization, without its `#wechat_redirect`, which no server
/// sees. The error is the code of WeChat's error page.
pub(crate) fn read_authorization(state: &State, query: &str) -> Result<Authorization, WechatError> {
    let mut sent = InOrder::new(query);
    let app_id = sent.take("appid").ok_or(WechatError(page_code::APPID_EMPTY))?;
    let app = state.apps.get(&app_id).ok_or(WechatError(page_code::APPID_EMPTY))?;
    let settings = app.settings();
    check_state(&settings)?;
    match settings.kind {
        AppKind::ServiceAccount | AppKind::SubscriptionAccount => {}
        _ => return Err(WechatError(page_code::OPEN_PLATFORM_APP)),
    }
    let redirect_uri = sent.take("redirect_uri").ok_or(WechatError(page_code::REDIRECT_URI_EMPTY))?;
    if sent.take("response_type").as_deref() != Some("code") {
        return Err(WechatError(code::INVALID_ARGS));
    }
    let scope = match sent.take("scope").as_deref() {
        Some("snsapi_base") => Scope::Base,
        Some("snsapi_userinfo") => Scope::UserInfo,
        Some(_) => return Err(WechatError(page_code::NO_PERMISSION)),
        None => return Err(WechatError(page_code::SCOPE_EMPTY)),
    };
    if settings.kind != AppKind::ServiceAccount {
        return Err(WechatError(page_code::NO_PERMISSION));
    }
    let sent_state = sent.take("state").unwrap_or_default().into_owned();
    if !(1..=128).contains(&sent_state.len()) || !sent_state.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(WechatError(page_code::STATE_EMPTY));
    }
    check_redirect(&settings, &redirect_uri)?;
    let snapshot = sent.pairs.any(|pair| pair == "forceSnapShot=true");
    Ok(Authorization { app, redirect_uri: redirect_uri.into_owned(), scope, state: sent_state, snapshot })
}

/// Checks the link of a website's QR login. The order of its parameters is free.
pub(crate) fn read_qr_connect(state: &State, query: &str) -> Result<WebLogin, WechatError> {
    let app_id = param(query, "appid").ok_or(WechatError(page_code::APPID_EMPTY))?;
    let app = state.apps.get(&app_id).ok_or(WechatError(page_code::APPID_EMPTY))?;
    let settings = app.settings();
    check_state(&settings)?;
    let redirect_uri = param(query, "redirect_uri").ok_or(WechatError(page_code::REDIRECT_URI_EMPTY))?;
    let scope = param(query, "scope").ok_or(WechatError(page_code::SCOPE_EMPTY))?;
    if settings.kind != AppKind::Website || scope != "snsapi_login" {
        return Err(WechatError(page_code::NO_PERMISSION));
    }
    if param(query, "response_type").is_some_and(|kind| kind != "code") {
        return Err(WechatError(code::INVALID_ARGS));
    }
    check_redirect(&settings, &redirect_uri)?;
    let framed = param(query, "login_type").as_deref() == Some("jssdk");
    Ok(WebLogin {
        uuid: format!("0{}", state.ids.letters(15)),
        app: app.index,
        redirect_uri: redirect_uri.into_owned(),
        state: param(query, "state").map(Cow::into_owned),
        leaves_frame: framed && param(query, "self_redirect").as_deref() != Some("true"),
        created_at: state.clock.now(),
        progress: Progress::Waiting,
        person: None,
    })
}

fn check_state(settings: &Settings) -> Result<(), WechatError> {
    match settings.state {
        AppState::Frozen | AppState::Banned => Err(WechatError(page_code::BANNED)),
        AppState::Deleted => Err(WechatError(page_code::APPID_EMPTY)),
        _ => Ok(()),
    }
}

fn check_redirect(settings: &Settings, redirect_uri: &str) -> Result<(), WechatError> {
    let url = Url::parse(redirect_uri).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let host = url.as_ref().and_then(Url::host_str).map(|host| host.trim_matches(['[', ']']));
    match host {
        Some(host) if settings.allows_host(host) => Ok(()),
        _ => Err(WechatError(page_code::WRONG_DOMAIN)),
    }
}

/// Where a web authorization leads. `None` if it leads nowhere: the person refused, and WeChat just closes the page.
pub(crate) fn authorization_address(
    state: &State,
    request: &Authorization,
    person: &Person,
    consent: bool,
    snapshot: bool,
) -> Result<Option<String>, ControlError> {
    let redirects = state.settings().deny_redirects;
    if !consent {
        return Ok(redirects.then(|| with_query(&request.redirect_uri, None, Some(&request.state))));
    }
    let grant = Grant { scope: request.scope, snapshot: snapshot || request.snapshot };
    let code = state.granted_code(&request.app, person.key, grant)?;
    Ok(Some(with_query(&request.redirect_uri, Some(&code), Some(&request.state))))
}

/// Where the page of a website's QR login leads by now, if anywhere.
pub(crate) fn return_address(login: &WebLogin) -> Option<String> {
    match &login.progress {
        Progress::Confirmed(code) => {
            Some(with_query(&login.redirect_uri, Some(code), login.state.as_deref()))
        }
        Progress::Cancelled(true) => Some(with_query(&login.redirect_uri, None, login.state.as_deref())),
        _ => None,
    }
}

/// Adds the answer to an address, before its fragment.
fn with_query(redirect_uri: &str, code: Option<&str>, state: Option<&str>) -> String {
    let (address, fragment) = match redirect_uri.split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (redirect_uri, None),
    };
    let encoded = state.map(|state| utf8_percent_encode(state, NON_ALPHANUMERIC).to_string());
    let pairs = [("code", code), ("state", encoded.as_deref())];
    let mut location = address.to_owned();
    for (name, value) in pairs {
        if let Some(value) = value {
            location.push(if location.contains('?') { '&' } else { '?' });
            location.push_str(name);
            location.push('=');
            location.push_str(value);
        }
    }
    if let Some(fragment) = fragment {
        location.push('#');
        location.push_str(fragment);
    }
    location
}

/// A phone scans the page of a website.
pub(crate) fn scan(state: &State, uuid: &str, person: &Person) -> Result<WebLogin, ControlError> {
    change(state, uuid, |login| {
        if login.progress != Progress::Waiting && login.person != Some(person.key) {
            return Err(ControlError::UnknownQrCode);
        }
        if login.progress == Progress::Waiting {
            login.progress = Progress::Scanned;
            login.person = Some(person.key);
        }
        Ok(())
    })
}

/// The person who scanned it agrees to the login, or does not.
pub(crate) fn decide(
    state: &State,
    uuid: &str,
    person: &Person,
    consent: bool,
) -> Result<WebLogin, ControlError> {
    let login = scan(state, uuid, person)?;
    let app = state.apps.at(login.app).ok_or(ControlError::UnknownApp)?;
    let progress = if consent {
        let grant = Grant { scope: Scope::Login, snapshot: false };
        Progress::Confirmed(state.granted_code(&app, person.key, grant)?)
    } else {
        Progress::Cancelled(state.settings().deny_redirects)
    };
    change(state, uuid, |login| {
        if login.progress != Progress::Scanned {
            return Err(ControlError::UnknownQrCode);
        }
        login.progress = progress;
        Ok(())
    })
}

fn change(
    state: &State,
    uuid: &str,
    how: impl FnOnce(&mut WebLogin) -> Result<(), ControlError>,
) -> Result<WebLogin, ControlError> {
    let login = state.web_logins.advance(uuid, state.clock.now(), how);
    let login = login.ok_or(ControlError::UnknownQrCode)?;
    state.changed();
    login
}

/// Opens an authorization link as a person who decides at once, and returns where it leads.
pub(crate) fn authorize_link(
    state: &State,
    link: &str,
    person: &Person,
    consent: bool,
    snapshot: Option<bool>,
) -> Result<Option<String>, ControlError> {
    let (address, fragment) = link.split_once('#').unwrap_or((link, ""));
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let refused = |error: WechatError| ControlError::Page(error.0);
    if path.ends_with("/connect/qrconnect") {
        let login = read_qr_connect(state, query).map_err(refused)?;
        state.web_logins.put(login.clone());
        return Ok(return_address(&decide(state, &login.uuid, person, consent)?));
    }
    if !path.ends_with("/connect/oauth2/authorize") {
        return Err(ControlError::Invalid(
            "url must be one of /connect/oauth2/authorize or /connect/qrconnect",
        ));
    }
    let request = read_authorization(state, query).map_err(refused)?;
    if fragment != "wechat_redirect" {
        return Err(ControlError::NoFragment);
    }
    authorization_address(state, &request, person, consent, snapshot.unwrap_or(person.snapshot))
}
