//! Whether an application may have what it asks for.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::{Browser, Given, Next, OpenRequest};
use hufu_types::refusal::Code;
use hufu_types::{Scope, ScopeSet};
use hufu_web::oidc::outcome;
use hufu_web::page::{Page, Policy, Submitted, View, Viewer, respond};
use hufu_web::request::{Head, Query};
use hufu_web::server::Shared;
use serde::Deserialize;

use super::{Asker, Shown, State, TEXTS, go_on, session_id};
use crate::about::About;

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
    scopes: Vec<Asked>,
    claims: Vec<String>,
}

/// One thing that the application asks for.
pub(super) struct Asked {
    pub(super) icon: &'static str,
    pub(super) sentence: &'static str,
    pub(super) name: &'static str,
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
        Next::Consent { account, scopes, claims } => {
            let shown = Shown::of(&account);
            Ok(respond(&consent_page(asker.viewer.view(&TEXTS), request, &open, shown, scopes, claims)))
        }
        next => outcome::next(shared, &asker.viewer, &open, next),
    }
}

fn consent_page(
    view: View,
    request: String,
    open: &OpenRequest,
    account: Shown,
    scopes: ScopeSet,
    claims: Vec<String>,
) -> ConsentPage {
    let OpenRequest { application, request: asked } = open;
    let host = hufu_types::origin_of(&asked.redirect_uri);
    let host = host.and_then(|origin| origin.split_once("://").map(|(_, host)| host.to_owned()));
    ConsentPage {
        view,
        request,
        redirect_uri: asked.redirect_uri.clone(),
        application: application.name.clone(),
        about: About::of(application),
        description: application.client.description.clone(),
        host,
        account,
        scopes: scopes.iter().filter_map(asked_for).collect(),
        claims,
    }
}

/// What a scope lets the application have. Every application learns who the person is.
pub(super) fn asked_for(scope: Scope) -> Option<Asked> {
    let (icon, sentence) = match scope {
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
    };
    Some(Asked { icon, sentence, name: scope.as_str() })
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
        (None, Some(_)) => Ok(outcome::respond(&asker.viewer, &shared.app.deny(&open))),
        _ => Err(Code::FormIncomplete.into()),
    }
}
