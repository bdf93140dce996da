//! Invitations to be an administrator.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::administration::{Acceptance, Invitation};
use hufu_types::refusal::Reason;
use hufu_types::{Language, PoolRole, Refusal};
use hufu_web::request::{Head, Path, Query};
use hufu_web::server;
use hufu_web::surface::Answer;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{AdministratorView, role, scope, view};
use super::caller::{Body, Caller, Paging, ProblemBody, answer, done, iso, ok};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitation {
    email: String,
    role: String,
    /// The pool of the role. Without it, the role applies to all pools.
    pool: Option<String>,
    /// The language of the mail: `zh-CN` (the default), `zh-TW`, `en` or `ja`.
    language: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InvitationView {
    id: String,
    email: String,
    role: &'static str,
    /// Null if the role applies to all pools.
    pool: Option<String>,
    /// The administrator who invites. Null for the command line and its keys.
    created_by: Option<String>,
    created_at: String,
    expires_at: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Invitations {
    /// In the order in which they were sent.
    invitations: Vec<InvitationView>,
    /// Send this as `cursor` to get the next page. Null on the last page.
    next: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Accepting {
    /// The token of the link in the mail.
    #[schema(write_only)]
    token: String,
    username: String,
    /// A new password, or that of the account.
    #[schema(write_only)]
    password: String,
    /// Whether the username is that of an account in the pool `system`.
    #[serde(default)]
    has_account: bool,
}

fn show(invitation: Invitation) -> InvitationView {
    InvitationView {
        id: invitation.id.into(),
        email: invitation.email,
        role: invitation.role.role.as_str(),
        pool: invitation.role.pool.map(String::from),
        created_by: invitation.created_by.map(String::from),
        created_at: iso(invitation.created_at),
        expires_at: iso(invitation.expires_at),
    }
}

/// List the invitations that were not accepted yet.
#[utoipa::path(get, path = "/admin/v1/invitations", tag = "access", params(Paging),
    responses((status = 200, body = Invitations), (status = 422, body = ProblemBody)))]
pub(crate) async fn list(caller: Caller, Query(paging): Query<Paging>) -> Answer<Response> {
    let page = caller.app.invitations(&caller.by, &paging.into()).await?;
    Ok(ok(&Invitations { invitations: page.rows.into_iter().map(show).collect(), next: page.next }))
}

/// Invite somebody to be an administrator.
///
/// They get a mail with a link that is good once. The pool `system` needs a sender of mail.
#[utoipa::path(post, path = "/admin/v1/invitations", tag = "access", request_body = NewInvitation,
    responses((status = 201, body = InvitationView), (status = 422, body = ProblemBody), (status = 429, body = ProblemBody),
        (status = 503, body = ProblemBody)))]
pub(crate) async fn create(caller: Caller, Body(new): Body<NewInvitation>) -> Answer<Response> {
    let wanted = PoolRole { role: role(&new.role)?, pool: scope(new.pool.as_deref())? };
    let language = match new.language.as_deref() {
        None => Language::default(),
        Some(tag) => Language::of_tag(tag).ok_or_else(|| {
            Refusal::invalid("language", Reason::NotOneOf { choices: "zh-CN, zh-TW, en, ja".into() })
        })?,
    };
    let made = caller.app.invite_administrator(&caller.by, &new.email, wanted, language).await?;
    Ok(answer(StatusCode::CREATED, &show(made)))
}

/// Withdraw an invitation.
#[utoipa::path(delete, path = "/admin/v1/invitations/{invitation}", tag = "access", params(("invitation" = String, Path)),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn withdraw(caller: Caller, Path(invitation): Path<String>) -> Answer<Response> {
    caller.app.withdraw_invitation(&caller.by, &invitation).await?;
    Ok(done())
}

/// Accept an invitation, as the page behind its link does.
#[utoipa::path(post, path = "/admin/v1/invitations/accept", tag = "access", request_body = Accepting, security(()),
    responses((status = 201, body = AdministratorView), (status = 401, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody), (status = 429, body = ProblemBody)))]
pub(crate) async fn accept(
    State(shared): server::State,
    head: Head,
    Body(accepting): Body<Accepting>,
) -> Answer<Response> {
    let Accepting { token, username, password, has_account } = accepting;
    let acceptance = Acceptance { token, username, password: SecretString::from(password), has_account };
    let made = shared.app.accept_invitation(acceptance, &head.origin()).await?;
    Ok(answer(StatusCode::CREATED, &view(made, None)))
}
