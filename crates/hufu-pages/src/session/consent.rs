//! Whether an application may have what it asks for.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::{Browser, Given, Next, OpenRequest};
use hufu_types::refusal::Code;
use hufu_types::{Application, Language, PoolSettings, Scope, ScopeSet};
use hufu_web::oidc::outcome;
use hufu_web::page::{Page, Policy, Submitted, View, Viewer, respond};
use hufu_web::request::{Head, Query};
use hufu_web::server::Shared;
use serde::Deserialize;

use super::{Asker, Shown, State, TEXTS, go_on, session_id};
use crate::about::About;
use crate::looks::Looks;

#[derive(Template)]
#[template(path = "session/consent.html")]
struct ConsentPage {
    view: View,
    request: String,
    redirect_uri: String,
    application: String,
    about: About,
    description: String,
    /// Where the answer goes: a host, or nothing for the scheme of an app.
    host: Option<String>,
    account: Shown,
    asked: Vec<Asked>,
}

/// One thing that the application asks for, as the page shows it.
pub(super) struct Asked {
    pub(super) icon: &'static str,
    pub(super) sentence: String,
    pub(super) name: String,
}

impl Page for ConsentPage {
    fn view(&self) -> &View {
        &self.view
    }

    fn policy(&self) -> Policy {
        Policy {
            form_origins: outcome::form_targets(&self.redirect_uri),
            img_origins: self.about.img_origins(),
            ..Policy::OWN
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ConsentQuery {
    request: Option<String>,
    account: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ConsentForm {
    request: String,
    account: String,
    allow: Option<String>,
    deny: Option<String>,
}

pub(super) async fn show(
    Extract(shared): State,
    viewer: Viewer,
    head: Head,
    headers: HeaderMap,
    Query(query): Query<ConsentQuery>,
) -> Response {
    let asker = Asker::new(viewer, &headers, &head, &shared);
    page(&shared, &asker, query).await.unwrap_or_else(|refusal| asker.refuse(&refusal))
}

async fn page(shared: &Shared, asker: &Asker, query: ConsentQuery) -> Result<Response, Refusal> {
    let request = query.request.unwrap_or_default();
    let open = shared.app.open_request(&request)?;
    let account = query.account.as_deref().map(session_id).transpose()?;
    let given = Given { account, consented: false };
    // Whatever became of the login meanwhile: if nothing is left to ask, this leads on.
    match shared.app.authorize(&open, &asker.browser, &given, &asker.origin).await? {
        Next::Consent { account, scopes, resources, claims } => {
            let looks = Looks::of(&shared.app, &open.application);
            let viewer = asker.for_request(&looks, &open);
            let view = viewer.view(&TEXTS);
            let settings = shared.app.config().settings(&open.application.pool);
            let mut all = asked(&view, viewer.language(), &scopes, &resources, &settings);
            let claim = |name| Asked { icon: "document", sentence: view.t("consent-claim"), name };
            all.extend(claims.into_iter().map(claim));
            let about = About::of(&open.application, &looks);
            Ok(respond(&consent_page(view, request, &open, about, Shown::of(&account), all)))
        }
        next => outcome::next(shared, &asker.viewer, &open, next),
    }
}

fn consent_page(
    view: View,
    request: String,
    open: &OpenRequest,
    about: About,
    account: Shown,
    asked: Vec<Asked>,
) -> ConsentPage {
    let OpenRequest { application, request: of } = open;
    let host = hufu_types::origin_of(&of.redirect_uri);
    let host = host.and_then(|origin| origin.split_once("://").map(|(_, host)| host.to_owned()));
    ConsentPage {
        view,
        request,
        redirect_uri: of.redirect_uri.clone(),
        application: application.name.clone(),
        about,
        description: application.client.description.clone(),
        host,
        account,
        asked,
    }
}

/// What the application asks for: scopes, and the APIs that it calls for the person.
pub(super) fn asked(
    view: &View,
    language: Language,
    scopes: &ScopeSet,
    apis: &[Arc<Application>],
    settings: &PoolSettings,
) -> Vec<Asked> {
    let own = scopes.iter().filter_map(|scope| {
        let (icon, sentence) = sentence_of(scope)?;
        Some(Asked { icon, sentence: view.t(sentence), name: scope.as_str().to_owned() })
    });
    let declared = settings.scopes.iter().filter(|scope| scopes.has_of_pool(&scope.name));
    let of_pool = declared.map(|scope| {
        let (sentence, name) = (scope.shown_in(language).to_owned(), scope.name.clone());
        Asked { icon: "document", sentence, name }
    });
    let apis = apis.iter().map(|api| {
        let sentence = view.t_with("consent-api", "application", api.name.clone());
        Asked { icon: "apps", sentence, name: api.client.description.clone() }
    });
    own.chain(of_pool).chain(apis).collect()
}

/// What a scope lets the application have. Every application learns who the person is.
const fn sentence_of(scope: Scope) -> Option<(&'static str, &'static str)> {
    Some(match scope {
        Scope::Openid => ("user", "consent-openid"),
        Scope::Profile => ("user", "consent-profile"),
        Scope::Username => ("user", "consent-username"),
        Scope::Email => ("mail", "consent-email"),
        Scope::Phone => ("phone", "consent-phone"),
        Scope::Address => ("document", "consent-address"),
        Scope::OfflineAccess => ("clock", "consent-offline"),
        Scope::ExternalId => ("document", "consent-external-id"),
        Scope::ExtendedFields => ("document", "consent-extended-fields"),
        Scope::Roles | Scope::TenantId => return None,
    })
}

pub(super) async fn decide(
    Extract(shared): State,
    head: Head,
    headers: HeaderMap,
    Submitted { viewer, form }: Submitted<ConsentForm>,
) -> Response {
    let asker = Asker::new(viewer, &headers, &head, &shared);
    decided(&shared, &asker, &form).await.unwrap_or_else(|refusal| asker.refuse(&refusal))
}

async fn decided(shared: &Shared, asker: &Asker, form: &ConsentForm) -> Result<Response, Refusal> {
    let open = shared.app.open_request(&form.request)?;
    match (&form.allow, &form.deny) {
        (Some(_), None) => {
            let given = Given { account: Some(session_id(&form.account)?), consented: true };
            let browser: &Browser = &asker.browser;
            go_on(shared, asker, &open, browser, &given).await
        }
        (None, Some(_)) => outcome::next(shared, &asker.viewer, &open, shared.app.deny(&open)),
        _ => Err(Code::FormIncomplete.into()),
    }
}
