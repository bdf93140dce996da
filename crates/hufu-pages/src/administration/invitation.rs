//! The page behind the link of an invitation to be an administrator.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hufu_app::Refusal;
use hufu_app::administration::Acceptance;
use hufu_types::Language;
use hufu_types::refusal::Code;
use hufu_web::oidc::outcome;
use hufu_web::page::{Field, FieldErrors, Page, Submitted, View, Viewer, refused_page, respond};
use hufu_web::request::{Head, Query};
use hufu_web::server::{Routes, Shared};
use hufu_web::surface;
use secrecy::SecretString;
use serde::Deserialize;

use super::{TEXTS, name_of};

/// The page.
const PAGE: &str = "/administration/invitation";
/// Where it leads.
const ACCEPTED: &str = "/administration/invitation/accepted";

pub(super) fn routes() -> Routes {
    Routes::new().route(PAGE, get(open).post(submit)).route(ACCEPTED, get(accepted))
}

#[derive(Template)]
#[template(path = "administration/invitation.html")]
struct InvitationPage {
    view: View,
    /// Where somebody is invited to.
    about: String,
    role: String,
    token: String,
    has_account: bool,
    username: Field,
    password: Field,
    /// The same page for those who have an account, or have none.
    other: String,
}

impl Page for InvitationPage {
    fn view(&self) -> &View {
        &self.view
    }
}

#[derive(Template)]
#[template(path = "administration/accepted.html")]
struct AcceptedPage {
    view: View,
}

impl Page for AcceptedPage {
    fn view(&self) -> &View {
        &self.view
    }
}

#[derive(Deserialize)]
struct Opened {
    #[serde(default)]
    token: String,
    has_account: Option<String>,
}

#[derive(Deserialize)]
struct Form {
    #[serde(default)]
    token: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    has_account: Option<String>,
}

async fn open(
    Extract(shared): Extract<Arc<Shared>>,
    viewer: Viewer,
    Query(opened): Query<Opened>,
) -> Response {
    let shown =
        Shown { token: opened.token, has_account: opened.has_account.is_some(), username: String::new() };
    page(&shared, &viewer, shown, &FieldErrors::default())
        .await
        .unwrap_or_else(|refusal| refused_page(&refusal, &viewer))
}

async fn submit(
    Extract(shared): Extract<Arc<Shared>>,
    head: Head,
    Submitted { viewer, form }: Submitted<Form>,
) -> Response {
    let Form { token, username, password, has_account } = form;
    let has_account = has_account.is_some();
    let acceptance = Acceptance {
        token: token.clone(),
        username: username.trim().to_owned(),
        password: SecretString::from(password),
        has_account,
    };
    let refusal = match shared.app.accept_invitation(acceptance, &head.origin()).await {
        Ok(_) => return outcome::redirect(ACCEPTED),
        Err(refusal) if refusal.code().is_internal() || refusal.is(Code::InvitationUnknown) => {
            return refused_page(&refusal, &viewer);
        }
        Err(refusal) => refusal,
    };
    surface::note(&refusal);
    let language = viewer.language();
    let advice = refusal.for_person(language);
    let between = if language == Language::English { " " } else { "" };
    let sentence = std::iter::once(advice.sentence).chain(advice.actions).collect::<Vec<_>>().join(between);
    let mut errors = FieldErrors::default();
    let is_password = refusal.code().is_weak_password() || refusal.is(Code::AdministratorUnknown);
    errors.note(if is_password { "password" } else { "username" }, sentence);
    let shown = Shown { token, has_account, username };
    match page(&shared, &viewer.clone().at(PAGE), shown, &errors).await {
        Ok(page) => (surface::status_of(refusal.code()), page).into_response(),
        Err(refusal) => refused_page(&refusal, &viewer),
    }
}

async fn accepted(viewer: Viewer) -> Response {
    respond(&AcceptedPage { view: viewer.view(&TEXTS) })
}

/// What the page shows again.
struct Shown {
    token: String,
    has_account: bool,
    username: String,
}

async fn page(
    shared: &Shared,
    viewer: &Viewer,
    shown: Shown,
    errors: &FieldErrors,
) -> Result<Response, Refusal> {
    let Shown { token, has_account, username: typed } = shown;
    let invitation = shared.app.invitation(&token).await?;
    let view = viewer.view(&TEXTS);
    let role = view.t(name_of(invitation.role));
    let about = match &invitation.pool {
        Some(pool) => view.t_with("invitation-pool", "pool", pool.clone()),
        None => view.t("invitation-all"),
    };
    let role = view.t_with("invitation-role", "role", role);
    let label = if has_account { "invitation-name" } else { "invitation-username" };
    let mut username = Field::new("username", view.t(label)).filled(typed, errors);
    username.autocomplete = "username";
    username.hint = (!has_account).then(|| view.t("invitation-username-hint"));
    (username.required, username.focused) = (true, true);
    let label = if has_account { "invitation-password" } else { "invitation-new-password" };
    let mut password = Field::new("password", view.t(label)).filled("", errors);
    password.kind = "password";
    password.autocomplete = if has_account { "current-password" } else { "new-password" };
    password.required = true;
    let query = serde_urlencoded::to_string([("token", token.as_str())]).unwrap_or_default();
    let other = format!("{PAGE}?{query}{}", if has_account { "" } else { "&has_account=1" });
    Ok(respond(&InvitationPage { view, about, role, token, has_account, username, password, other }))
}
