//! The accounts that are logged in to this browser: choose one, log in to another, log out of one.

use askama::Template;
use axum::extract::State as Extract;
use axum::http::HeaderMap;
use axum::response::Response;
use hufu_app::Refusal;
use hufu_app::authorization::{BrowserAccount, Given};
use hufu_types::refusal::Code;
use hufu_web::oidc::{browser, outcome};
use hufu_web::page::{Page, Policy, Submitted, View, Viewer, respond};
use hufu_web::request::{Head, Query};
use hufu_web::server::Shared;
use serde::Deserialize;

use super::sign_out::sign_out;
use super::{Asker, Shown, State, TEXTS, go_on, session_id};
use crate::looks::Looks;

#[derive(Template)]
#[template(path = "session/accounts.html")]
struct AccountsPage {
    view: View,
    /// The request that an account is chosen for, if there is one.
    request: Option<String>,
    redirect_uri: Option<String>,
    application: Option<String>,
    accounts: Vec<Shown>,
}

impl Page for AccountsPage {
    fn view(&self) -> &View {
        &self.view
    }

    fn policy(&self) -> Policy {
        let targets = self.redirect_uri.as_deref().map(outcome::form_targets);
        Policy { form_origins: targets.unwrap_or_default(), ..Policy::OWN }
    }
}

#[derive(Deserialize)]
pub(super) struct AccountsQuery {
    request: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct AccountsForm {
    request: Option<String>,
    /// The account to go on with.
    account: Option<String>,
    /// The account to log out of.
    leave: Option<String>,
    /// Log in to another account.
    other: Option<String>,
}

pub(super) async fn show(
    Extract(shared): State,
    viewer: Viewer,
    head: Head,
    headers: HeaderMap,
    Query(query): Query<AccountsQuery>,
) -> Response {
    let asker = Asker::new(viewer, &headers, &head, &shared);
    page(&shared, &asker, query.request).await.unwrap_or_else(|refusal| asker.refuse(&refusal))
}

async fn page(shared: &Shared, asker: &Asker, request: Option<String>) -> Result<Response, Refusal> {
    let request = request.filter(|request| !request.is_empty());
    let open = request.as_deref().map(|request| shared.app.open_request(request)).transpose()?;
    let pools = match &open {
        Some(open) => vec![open.application.pool.clone()],
        None => asker.browser.pools(),
    };
    let viewer = match &open {
        Some(open) => asker.for_request(&Looks::of(&shared.app, &open.application), open),
        None => Looks::of_pools(&shared.app, &pools).on(asker.viewer.clone(), None),
    };
    let mut accounts: Vec<BrowserAccount> = Vec::new();
    for pool in pools {
        accounts.extend(shared.app.browser_accounts(&pool, &asker.browser).await?);
    }
    Ok(respond(&AccountsPage {
        view: viewer.view(&TEXTS),
        request,
        redirect_uri: open.as_ref().map(|open| open.request.redirect_uri.clone()),
        application: open.as_ref().map(|open| open.application.name.clone()),
        accounts: accounts.iter().map(Shown::of).collect(),
    }))
}

pub(super) async fn choose(
    Extract(shared): State,
    head: Head,
    headers: HeaderMap,
    Submitted { viewer, form }: Submitted<AccountsForm>,
) -> Response {
    let asker = Asker::new(viewer, &headers, &head, &shared);
    chosen(&shared, &asker, form).await.unwrap_or_else(|refusal| asker.refuse(&refusal))
}

async fn chosen(shared: &Shared, asker: &Asker, form: AccountsForm) -> Result<Response, Refusal> {
    let request = form.request.filter(|request| !request.is_empty());
    if let Some(leave) = &form.leave {
        let account = shared.app.browser_account(&asker.browser, &session_id(leave)?).await?;
        let accounts = account.as_slice();
        let back =
            request.map_or_else(|| "/accounts".to_owned(), |request| format!("/accounts?request={request}"));
        let looks = Looks::of_pools(&shared.app, &asker.browser.pools());
        let view = looks.on(asker.viewer.clone(), None).view(&TEXTS);
        return sign_out(shared, asker, accounts, (view, None, Some(back))).await;
    }
    let open = shared.app.open_request(&request.clone().unwrap_or_default())?;
    if form.other.is_some() {
        return Ok(outcome::redirect(&format!("/login?request={}", request.unwrap_or_default())));
    }
    let id = session_id(&form.account.ok_or(Code::FormIncomplete)?)?;
    let account = shared.app.browser_account(&asker.browser, &id).await?;
    // From here on this account is the one that requests without a choice take.
    let preferred = match &account {
        Some(account) => asker.browser.preferring(&account.secret),
        None => asker.browser.clone(),
    };
    let given = Given { account: Some(id), consented: false };
    let mut response = go_on(shared, asker, &open, &preferred, &given).await?;
    if account.is_some() {
        browser::write(&mut response, shared, &preferred);
    }
    Ok(response)
}
