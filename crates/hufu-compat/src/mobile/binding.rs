//! Logins that may ask: `authByCodeIdentity`, and the calls that go on with a login that waits. They return a token
//! set without an envelope, because the clients take an answer without `code` for it. A login that waits is told in
//! the envelope of refusals, with the handle as `key`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use hufu_app::credentials::{AccountName, Target};
use hufu_app::{FlowAction, FlowAnswer, FlowStep, LoginAnswer, Refusal};
use hufu_types::UserId;
use hufu_types::flow::RequestedTokens;
use hufu_types::refusal::{Code, Reason};
use serde::Deserialize;

use super::{CodeRequest, Source};
use crate::fields::{self, required};
use crate::oidc::TokenAnswer;
use crate::request::{Body, Head, Path, given};
use crate::server::{self, Shared};
use crate::surface::{Answer, private_json};
use crate::waiting::{done, step_refused};

/// `authByCodeIdentity`: logs in, or tells what a first login has to choose.
pub(super) async fn auth_by_code_identity(
    State(shared): server::State,
    Path(source): Path<Source>,
    head: Head,
    Body(request): Body<CodeRequest>,
) -> Answer<Response> {
    let requested = |application: &_| RequestedTokens::TokenSet(request.scope(&shared, application));
    token_set(request.log_in(source.kind(), (&shared, &head), requested).await?)
}

fn token_set(answer: LoginAnswer) -> Answer<Response> {
    let tokens = done(answer)?.token_set().ok_or(Code::StepImpossible)?;
    Ok(private_json(StatusCode::OK, &TokenAnswer::from(tokens)))
}

/// The requests of the calls that go on. `action` repeats the path, and is ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StepRequest {
    /// The handle of the login.
    key: Option<String>,
    /// A login name; in `select`, what one of the clients calls the id of an account.
    account: Option<String>,
    password: Option<String>,
    phone: Option<String>,
    phone_country_code: Option<String>,
    email: Option<String>,
    code: Option<String>,
    account_id: Option<String>,
}

impl StepRequest {
    async fn take(&self, shared: &Shared, head: &Head, action: FlowAction) -> Answer<Response> {
        let config = shared.app.config();
        let application = config.serving(head.named())?;
        let handle = required(self.key.as_ref(), "key")?;
        let step = FlowStep { application, handle, cookie: None, action, origin: head.origin() };
        match shared.app.continue_mobile_flow(step).await.map_err(step_refused)? {
            FlowAnswer::Login(answer) => token_set(answer),
            FlowAnswer::Viewed(_) | FlowAnswer::Preview(_) | FlowAnswer::GivenUp => {
                Err(Code::StepImpossible.into())
            }
        }
    }

    fn code(&self) -> Result<String, Refusal> {
        required(self.code.as_ref(), "code").map(str::to_owned)
    }
}

/// `register`: creates an account.
pub(super) async fn register(
    State(shared): server::State,
    Path(_): Path<Source>,
    head: Head,
    Body(request): Body<StepRequest>,
) -> Answer<Response> {
    request.take(&shared, &head, FlowAction::Create).await
}

/// `byAccount`: binds the account that a password proves.
pub(super) async fn by_account(
    State(shared): server::State,
    Path(_): Path<Source>,
    head: Head,
    Body(request): Body<StepRequest>,
) -> Answer<Response> {
    let account = AccountName::of_form(required(request.account.as_ref(), "account")?);
    let password = fields::password(&shared, required(request.password.as_ref(), "password")?).await?;
    request.take(&shared, &head, FlowAction::BindByPassword(account, password)).await
}

/// `byPhoneCode`: binds the account that a code sent to its phone number proves.
pub(super) async fn by_phone_code(
    State(shared): server::State,
    Path(_): Path<Source>,
    head: Head,
    Body(request): Body<StepRequest>,
) -> Answer<Response> {
    let number = required(request.phone.as_ref(), "phone")?;
    let phone = fields::phone(number, request.phone_country_code.as_ref())?;
    let action = FlowAction::BindByCode(Target::Phone(phone), request.code()?);
    request.take(&shared, &head, action).await
}

/// `byEmailCode`: binds the account that a code sent to its e-mail address proves.
pub(super) async fn by_email_code(
    State(shared): server::State,
    Path(_): Path<Source>,
    head: Head,
    Body(request): Body<StepRequest>,
) -> Answer<Response> {
    let email = fields::email(required(request.email.as_ref(), "email")?)?;
    let action = FlowAction::BindByCode(Target::Email(email), request.code()?);
    request.take(&shared, &head, action).await
}

/// `select` and `byAccountId`: logs in to one of the accounts that the login was answered with.
pub(super) async fn choose(
    State(shared): server::State,
    Path(_): Path<Source>,
    head: Head,
    Body(request): Body<StepRequest>,
) -> Answer<Response> {
    let id = given(request.account_id.as_ref()).or_else(|| given(request.account.as_ref()));
    let id = id.ok_or_else(|| Refusal::invalid("accountId", Reason::Missing))?;
    let user = UserId::parse(id).map_err(|_| Code::NotACandidate)?;
    request.take(&shared, &head, FlowAction::Choose(user)).await
}
