//! `/device`: a person types the code that a device shows, logs in, and says whether the device may log in as them
//! (RFC 8628 section 3.3).

use askama::Template;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use hufu_app::Refusal;
use hufu_app::authorization::{Given, Next, OpenRequest};
use hufu_types::Language;
use hufu_types::refusal::Code;
use hufu_web::oidc::outcome;
use hufu_web::page::{Field, FieldErrors, Page, Policy, Submitted, View, Viewer, respond};
use hufu_web::request::{Head, Query};
use hufu_web::server::Shared;
use hufu_web::surface;
use serde::Deserialize;

use super::consent::{Asked, asked as asked_for};
use super::{Asker, Shown, State, TEXTS, go_on, session_id};
use crate::about::About;
use crate::looks::Looks;

/// Where the code is typed.
#[derive(Template)]
#[template(path = "session/device.html")]
struct EntryPage {
    view: View,
    field: Field,
}

impl Page for EntryPage {
    fn view(&self) -> &View {
        &self.view
    }
}

/// Whether the device may log in.
#[derive(Template)]
#[template(path = "session/device_confirm.html")]
struct ConfirmPage {
    view: View,
    request: String,
    application: String,
    about: About,
    description: String,
    user_code: String,
    account: Shown,
    asked: Vec<Asked>,
}

impl Page for ConfirmPage {
    fn view(&self) -> &View {
        &self.view
    }

    fn policy(&self) -> Policy {
        Policy { img_origins: self.about.img_origins(), ..Policy::OWN }
    }
}

/// The answer is given.
#[derive(Template)]
#[template(path = "session/device_done.html")]
struct DonePage {
    view: View,
    is_denied: bool,
}

impl Page for DonePage {
    fn view(&self) -> &View {
        &self.view
    }
}

#[derive(Deserialize)]
pub(super) struct EntryForm {
    #[serde(default)]
    user_code: String,
}

#[derive(Deserialize)]
pub(super) struct ConfirmQuery {
    request: Option<String>,
    account: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ConfirmForm {
    request: String,
    account: String,
    allow: Option<String>,
    deny: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DoneQuery {
    denied: Option<String>,
}

pub(super) async fn enter(
    Extract(shared): State,
    viewer: Viewer,
    Query(query): Query<EntryForm>,
) -> Response {
    entry(&shared, &viewer, query.user_code, None)
}

pub(super) async fn entered(
    Extract(shared): State,
    head: Head,
    headers: HeaderMap,
    Submitted { viewer, form }: Submitted<EntryForm>,
) -> Response {
    let asker = Asker::new(viewer, &headers, &head, &shared);
    let found = async {
        let open = shared.app.find_device(&form.user_code, &asker.origin).await?;
        go_on(&shared, &asker, &open, &asker.browser, &Given::default()).await
    };
    found.await.unwrap_or_else(|refusal| again(&shared, &asker, form.user_code, &refusal))
}

pub(super) async fn ask(
    Extract(shared): State,
    viewer: Viewer,
    head: Head,
    headers: HeaderMap,
    Query(query): Query<ConfirmQuery>,
) -> Response {
    let asker = Asker::new(viewer, &headers, &head, &shared);
    asked(&shared, &asker, query)
        .await
        .unwrap_or_else(|refusal| again(&shared, &asker, String::new(), &refusal))
}

async fn asked(shared: &Shared, asker: &Asker, query: ConfirmQuery) -> Result<Response, Refusal> {
    let request = query.request.unwrap_or_default();
    let open = shared.app.open_request(&request)?;
    let account = query.account.as_deref().map(session_id).transpose()?;
    let given = Given { account, consented: false };
    match shared.app.authorize(&open, &asker.browser, &given, &asker.origin).await? {
        Next::Device(account) => {
            let device = shared.app.device_asked(&open).await?;
            let OpenRequest { application, .. } = &open;
            let looks = Looks::of(&shared.app, application);
            let viewer = asker.for_request(&looks, &open);
            let (view, language) = (viewer.view(&TEXTS), viewer.language());
            let settings = shared.app.config().settings(&application.pool);
            Ok(respond(&ConfirmPage {
                asked: asked_for(&view, language, &device.scopes, &device.resources, &settings),
                view,
                request,
                application: application.name.clone(),
                about: About::of(application, &looks),
                description: application.client.description.clone(),
                user_code: device.user_code,
                account: Shown::of(&account),
            }))
        }
        next => outcome::next(shared, &asker.viewer, &open, next),
    }
}

pub(super) async fn answer(
    Extract(shared): State,
    head: Head,
    headers: HeaderMap,
    Submitted { viewer, form }: Submitted<ConfirmForm>,
) -> Response {
    let asker = Asker::new(viewer, &headers, &head, &shared);
    answered(&shared, &asker, &form)
        .await
        .unwrap_or_else(|refusal| again(&shared, &asker, String::new(), &refusal))
}

async fn answered(shared: &Shared, asker: &Asker, form: &ConfirmForm) -> Result<Response, Refusal> {
    let open = shared.app.open_request(&form.request)?;
    match (&form.allow, &form.deny) {
        (Some(_), None) => {
            let given = Given { account: Some(session_id(&form.account)?), consented: true };
            match shared.app.approve_device(&open, &asker.browser, &given, &asker.origin).await? {
                Some(()) => Ok(outcome::redirect("/device/done")),
                // The login has ended meanwhile.
                None => outcome::next(shared, &asker.viewer, &open, Next::LogIn),
            }
        }
        (None, Some(_)) => {
            let account = session_id(&form.account).ok();
            shared.app.deny_device(&open, &asker.browser, account.as_ref(), &asker.origin).await?;
            Ok(outcome::redirect("/device/done?denied=1"))
        }
        _ => Err(Code::FormIncomplete.into()),
    }
}

pub(super) async fn done(Extract(shared): State, viewer: Viewer, Query(query): Query<DoneQuery>) -> Response {
    let viewer = Looks::of_pools(&shared.app, &[]).on(viewer, None);
    respond(&DonePage { view: viewer.view(&TEXTS), is_denied: query.denied.is_some() })
}

/// The page where the code is typed, with what was wrong: from there everything begins anew.
fn again(shared: &Shared, asker: &Asker, typed: String, refusal: &Refusal) -> Response {
    if refusal.code().is_internal() {
        return asker.refuse(refusal);
    }
    surface::note(refusal);
    let language = asker.viewer.language();
    let advice = refusal.for_person(language);
    let between = if language == Language::English { " " } else { "" };
    let sentences: Vec<_> = std::iter::once(advice.sentence).chain(advice.actions).collect();
    let page = entry(shared, &asker.viewer.clone().at("/device"), typed, Some(sentences.join(between)));
    (surface::status_of(refusal.code()), page).into_response()
}

fn entry(shared: &Shared, viewer: &Viewer, typed: String, wrong: Option<String>) -> Response {
    let view = Looks::of_pools(&shared.app, &[]).on(viewer.clone(), None).view(&TEXTS);
    let mut errors = FieldErrors::default();
    if let Some(sentence) = wrong {
        errors.note("user_code", sentence);
    }
    let mut field = Field::new("user_code", view.t("device-code")).filled(typed, &errors);
    field.hint = Some(view.t("device-hint"));
    field.required = true;
    field.focused = true;
    respond(&EntryPage { view, field })
}
