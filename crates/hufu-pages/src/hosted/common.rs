//! A visit of a hosted page, and what all of them do: opening the request, showing what went wrong, ending a login.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use hufu_app::authorization::{Browser, OpenRequest};
use hufu_app::sources::BrowserKind;
use hufu_app::{App, LoginAnswer, LoginDone, Origin, Refusal};
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::{Code, Reason};
use hufu_types::{Agreement, Application, Day, Email, Language, PoolSettings, User, day};
use hufu_web::oidc::{browser, outcome};
use hufu_web::page::{FieldErrors, Page, Policy, View, Viewer, pause, respond};
use hufu_web::request::Head;
use hufu_web::server::Shared;
use hufu_web::surface;
use serde::Deserialize;

use super::TEXTS;
use crate::about::About;
use crate::looks::Looks;

/// Makes a page of a type that has `view` and `frame`.
macro_rules! in_frame {
    ($page:ty) => {
        impl hufu_web::page::Page for $page {
            fn view(&self) -> &hufu_web::page::View {
                &self.view
            }

            fn policy(&self) -> hufu_web::page::Policy {
                self.frame.policy.clone()
            }
        }
    };
}
pub(super) use in_frame;

/// What a form or a query says, in its order.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Words(Vec<(String, String)>);

impl Words {
    /// The value of this name as it was sent. An empty one counts as missing.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The value of this name without the space around it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// A value that has to be filled in.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::invalid(name, Reason::Missing))
    }

    /// The value as a field shows it again.
    pub(super) fn shown(&self, name: &str) -> String {
        self.raw(name).unwrap_or_default().to_owned()
    }

    /// Whether there is such a name: a button that was pressed, a box that was ticked.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Whether a code is wanted: by its button, or by the enter key before there is one.
    pub(super) fn sends_code(&self) -> bool {
        self.has("send-code") || (self.has("code") && self.get("code").is_none() && !self.has("submit"))
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// What follows this prefix in the first name that has it: `choose-{user id}`.
    pub(super) fn after(&self, prefix: &str) -> Option<&str> {
        self.0.iter().find_map(|(key, _)| key.strip_prefix(prefix))
    }
}

/// The browser of a request, and where that comes from.
pub(super) struct Caller {
    pub(super) shared: Arc<Shared>,
    pub(super) browser: Browser,
    pub(super) origin: Origin,
    kind: BrowserKind,
    /// Whether no login starts by itself for now.
    is_paused: bool,
    /// Whether the browser asked for something else than a page: a picture or a script of somebody's site.
    pub(super) is_embedded: bool,
}

/// Whether a browser that says what it wants the answer for wants no page to show.
fn is_embedded(headers: &HeaderMap) -> bool {
    let dest = headers.get("sec-fetch-dest").map(HeaderValue::as_bytes);
    dest.is_some_and(|dest| dest != b"document" && dest != b"iframe")
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Infallible> {
        let Ok(head) = Head::from_request_parts(parts, shared).await;
        let browser = browser::read(&parts.headers, shared);
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let kind = BrowserKind::of(user_agent.unwrap_or_default());
        let is_paused = pause::is_on(&parts.headers);
        let is_embedded = is_embedded(&parts.headers);
        let (shared, origin) = (shared.clone(), head.origin());
        Ok(Self { shared, browser, origin, kind, is_paused, is_embedded })
    }
}

/// A visit of a hosted page: who reads it, and the request that it belongs to.
pub(super) struct Visit {
    pub(super) shared: Arc<Shared>,
    pub(super) viewer: Viewer,
    pub(super) open: OpenRequest,
    pub(super) browser: Browser,
    pub(super) origin: Origin,
    /// What kind of browser it is.
    pub(super) kind: BrowserKind,
    /// Whether no login starts by itself for now.
    pub(super) is_paused: bool,
    /// Whether nobody sees the answer. Then nothing starts that is counted: the pages of others would use up what a network
    /// may do.
    pub(super) is_embedded: bool,
    /// The request, sealed for the next page.
    sealed: String,
}

impl Visit {
    /// Opens the request that a query or a form carries (`request`), or one of our own (`app_id`).
    pub(super) fn begin(caller: Caller, viewer: &Viewer, words: &Words) -> Result<Self, Refusal> {
        let app = &caller.shared.app;
        let (open, sealed) = if let Some(sealed) = words.get("request") {
            (app.open_request(sealed)?, sealed.to_owned())
        } else {
            let open = app.own_request(words.get("app_id"))?;
            let sealed = app.seal_request(&open)?;
            (open, sealed)
        };
        Ok(Self::sealed(caller, viewer, open, sealed))
    }

    /// A visit for a request that is open already.
    pub(super) fn of(caller: Caller, viewer: &Viewer, open: OpenRequest) -> Result<Self, Refusal> {
        let sealed = caller.shared.app.seal_request(&open)?;
        Ok(Self::sealed(caller, viewer, open, sealed))
    }

    /// A visit for a request that is open already, and sealed.
    pub(super) fn sealed(caller: Caller, viewer: &Viewer, open: OpenRequest, sealed: String) -> Self {
        let Caller { shared, browser, origin, kind, is_paused, is_embedded } = caller;
        let looks = Looks::of(&shared.app, &open.application);
        let viewer = looks.on(viewer.clone(), open.request.ui_locales.as_deref());
        let is_alone = browser.is_empty();
        let origin = Origin { browser: Some(viewer.browser_mark()), is_alone, ..origin };
        Self { shared, viewer, open, browser, origin, kind, is_paused, is_embedded, sealed }
    }

    pub(super) fn app(&self) -> &App {
        &self.shared.app
    }

    pub(super) fn application(&self) -> &Arc<Application> {
        &self.open.application
    }

    pub(super) fn settings(&self) -> Arc<PoolSettings> {
        self.app().config().settings(&self.application().pool)
    }

    pub(super) const fn language(&self) -> Language {
        self.viewer.language()
    }

    /// Whether no application asked for the login. A device asks for its application.
    pub(super) fn is_own(&self) -> bool {
        self.open.request.is_own && !self.is_for_device()
    }

    /// Whether the login is for a device (RFC 8628).
    pub(super) const fn is_for_device(&self) -> bool {
        self.open.request.device.is_some()
    }

    /// What the login is for.
    pub(super) fn requested(&self) -> RequestedTokens {
        RequestedTokens::Authorization(Box::new(self.open.request.clone()))
    }

    /// The address of a page that goes on with this request. One of our own begins anew at each page.
    pub(super) fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        let id = self.application().id.as_str();
        let of = if self.is_own() { ("app_id", id) } else { ("request", self.sealed.as_str()) };
        let pairs: Vec<_> = std::iter::once(&of).chain(more).collect();
        format!("{path}?{}", serde_urlencoded::to_string(pairs).unwrap_or_default())
    }

    /// The address of what goes on with this very request, also if it is one of our own.
    pub(super) fn address_of_request(&self, path: &str) -> String {
        let pairs = [("request", self.sealed.as_str())];
        format!("{path}?{}", serde_urlencoded::to_string(pairs).unwrap_or_default())
    }

    /// The view of a page whose links lead back to this address.
    pub(super) fn view(&self, address: &str) -> View {
        self.viewer.clone().at(address).view(&TEXTS)
    }

    /// What surrounds the page: the application's name and looks.
    pub(super) fn frame(&self) -> Frame {
        let application = self.application();
        let looks = Looks::of(self.app(), application);
        let about = About::of(application, &looks);
        Frame {
            name: application.name.clone(),
            title: looks.title_in(self.language()).map(str::to_owned),
            request: self.sealed.clone(),
            policy: Policy {
                form_origins: self.form_origins(),
                img_origins: about.img_origins(),
                ..Policy::OWN
            },
            about,
        }
    }

    /// Where a form of the page may lead in the end.
    fn form_origins(&self) -> Vec<String> {
        let of_application =
            if self.is_own() { self.application().client.init_login_uri.as_deref() } else { None };
        let uris = of_application.into_iter().chain([self.open.request.redirect_uri.as_str()]);
        let mut origins: Vec<String> = Vec::new();
        for origin in uris.flat_map(outcome::form_targets) {
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        origins
    }

    /// The agreements that the application shows on its login pages.
    pub(super) fn agreements(&self) -> Vec<Agreement> {
        let settings = self.settings();
        let shown = &self.application().login.agreements;
        let shown = settings.agreements.iter().filter(|agreement| shown.contains(&agreement.id));
        shown.map(|agreement| agreement.in_language(self.language())).collect()
    }

    /// Whether people may register through this application.
    pub(super) fn may_register(&self) -> bool {
        self.settings().registration && !self.application().login.ways_to_register().is_empty()
    }

    /// Whether the browser is to stay logged in when it closes, as far as the application leaves that to people.
    pub(super) fn keeps(&self, words: &Words) -> bool {
        self.application().login.keep_signed_in && words.has("keep")
    }

    /// Answers what a login answered: the login is over, or waits.
    pub(super) async fn answer(&self, answer: LoginAnswer, keeps: bool) -> Result<Response, Refusal> {
        match answer {
            LoginAnswer::Done(done) => self.finish_login(*done, keeps).await,
            LoginAnswer::Waiting(view) => Ok(outcome::redirect(&self.flow_address(&view.handle, keeps, &[]))),
        }
    }

    /// The address of a login that waits. The handle may stand there: without this browser's cookie it opens nothing.
    pub(super) fn flow_address(&self, handle: &str, keeps: bool, more: &[(&str, &str)]) -> String {
        let mut pairs = vec![("flow", handle)];
        pairs.extend(keeps.then_some(("keep", "1")));
        pairs.extend(more);
        self.address("/login/continue", &pairs)
    }

    /// Ends a login: the browser is logged in, and the request goes on.
    pub(super) async fn finish_login(&self, done: LoginDone, keeps: bool) -> Result<Response, Refusal> {
        let (browser, next) =
            self.app().go_on_after_login(&self.open, &self.browser, done, keeps, &self.origin).await?;
        let mut response = outcome::next(&self.shared, &self.viewer, &self.open, next)?;
        browser::write(&mut response, &self.shared, &browser);
        Ok(response)
    }

    /// A text of these pages.
    pub(super) fn text(&self, key: &'static str) -> String {
        TEXTS.say(self.language(), key, None, &[]).into_owned()
    }

    /// A text with one value.
    pub(super) fn text_with(
        &self,
        key: &'static str,
        name: &'static str,
        value: impl Into<String>,
    ) -> String {
        TEXTS.say(self.language(), key, None, &[(name, value.into().into())]).into_owned()
    }

    /// What a page says about a refusal: at the field that it is about, if the page has that, otherwise above the form.
    pub(super) fn refused(&self, refusal: &Refusal, fields: &[&str]) -> Said {
        surface::note(refusal);
        let language = self.language();
        let advice = refusal.for_person(language);
        let between = if language == Language::English { " " } else { "" };
        let mut sentence =
            std::iter::once(advice.sentence).chain(advice.actions).collect::<Vec<_>>().join(between);
        let remaining =
            refusal.data().and_then(|data| data.get("remainCount")).and_then(serde_json::Value::as_i64);
        if let Some(count) = remaining {
            let tries = TEXTS.say(language, "tries-left", None, &[("count", count.into())]);
            sentence = format!("{sentence}{between}{tries}");
        }
        let about = match (refusal.field_for_person(language), refusal.code()) {
            (Some((field, sentence)), _) => Some((field.to_owned(), sentence)),
            (None, Code::WrongCode | Code::CodeNeeded) => Some(("code".to_owned(), sentence.clone())),
            (None, Code::PhoneTaken) => Some(("phone".to_owned(), sentence.clone())),
            (None, Code::EmailTaken | Code::AccountExists) => Some(("email".to_owned(), sentence.clone())),
            (None, Code::UsernameTaken) => Some(("username".to_owned(), sentence.clone())),
            (None, code) if code.is_weak_password() => Some(("new-password".to_owned(), sentence.clone())),
            _ => None,
        };
        let mut said = Said { status: surface::status_of(refusal.code()), ..Said::default() };
        let field = about.and_then(|(field, sentence)| {
            let called = [field.clone(), format!("custom.{field}"), format!("new-{field}")];
            called.into_iter().find(|name| fields.contains(&name.as_str())).map(|name| (name, sentence))
        });
        match field {
            Some((name, sentence)) => said.errors.note(name, sentence),
            None => said.banner = Some(Banner { kind: "bad", icon: "alert", text: sentence }),
        }
        said
    }

    /// What a page says when a code was sent.
    pub(super) fn sent(&self, key: &'static str, to: &str) -> Said {
        let text = self.text_with(key, "to", to);
        Said { banner: Some(Banner { kind: "ok", icon: "ok", text }), has_sent: true, ..Said::default() }
    }

    /// A person as a page shows them.
    pub(super) fn person(&self, id: &str, user: &User) -> Person {
        let phone = user.phone.as_ref().map(|(phone, _)| phone.masked());
        let email = user.email.as_ref().map(Email::masked);
        let username = user.username.as_ref().map(|name| name.as_str().to_owned());
        let named = [user.profile.nickname.clone(), user.profile.name.clone()].into_iter().flatten();
        let mut names = named.filter(|name| !name.trim().is_empty()).chain(username.clone());
        let names: Vec<_> = names.next().into_iter().chain(phone.clone()).chain(email.clone()).collect();
        let name = names.first().cloned().unwrap_or_else(|| self.text("nameless"));
        let mut facts: Vec<_> =
            [username, phone, email].into_iter().flatten().filter(|fact| *fact != name).collect();
        if facts.is_empty() {
            // Accounts of one person in WeChat have the same nickname, and often nothing else.
            let zone = day::zone(&self.settings().time_zone);
            facts.extend(zone.map(|zone| {
                let date = Day::at(user.created_at, &zone).to_string();
                self.text_with("person-since", "date", date)
            }));
            facts.push(self.text_with("person-logins", "count", user.logins_count.to_string()));
        }
        Person { id: id.to_owned(), initial: initial_of(&name), name, facts }
    }
}

/// What surrounds a page.
pub(super) struct Frame {
    /// The application's name.
    pub(super) name: String,
    /// The title that the application has chosen.
    pub(super) title: Option<String>,
    /// What the application shows of itself.
    pub(super) about: About,
    /// The sealed request, for the forms.
    pub(super) request: String,
    pub(super) policy: Policy,
}

/// What a page says about what was just tried.
#[derive(Default)]
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) banner: Option<Banner>,
    pub(super) errors: FieldErrors,
    /// Whether a code is on its way.
    pub(super) has_sent: bool,
}

/// A sentence above the form.
pub(super) struct Banner {
    pub(super) kind: &'static str,
    pub(super) icon: &'static str,
    pub(super) text: String,
}

/// A person as a page shows them.
pub(super) struct Person {
    /// What a button about them says: the id of an account, or of a session.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) initial: String,
    /// Names that they recognize themselves by. Numbers and addresses are not shown whole.
    pub(super) facts: Vec<String>,
}

/// Renders a page with a status.
pub(super) fn show(page: &impl Page, status: StatusCode) -> Response {
    (status, respond(page)).into_response()
}

/// The first letter of a name, as it stands in a picture.
pub(super) fn initial_of(name: &str) -> String {
    name.trim().chars().next().map(|first| first.to_uppercase().to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_by_name() {
        let words = Words(
            [("a", " 1 "), ("b", ""), ("choose-x", ""), ("a", "2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        );
        assert_eq!((words.get("a"), words.raw("a"), words.get("b")), (Some("1"), Some(" 1 "), None));
        assert_eq!((words.has("b"), words.after("choose-")), (true, Some("x")));
        assert_eq!(words.all("a"), [" 1 ", "2"]);
        assert!(words.required("b").is_err());
    }
}
