//! Continuing a login that waits: the steps of the login engine, independent of the surface that draws their
//! pages.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_store::flows::Flow;
use hufu_types::flow::{RequestedTokens, Stage};
use hufu_types::refusal::{Code, Reason};
use hufu_types::resolution::Rules;
use hufu_types::{
    Application, BindMethod, Connection, ConnectionId, FlowId, Gender, MergeId, PasscodeChannel,
    PasscodePurpose, PoolId, Profile, Proof, TokenHash, User, UserId, Username,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use super::by_source::Ids;
use super::finish::CustomDataPatch;
use super::resolver::AccountResolver;
use super::steps::{
    CheckedFillIn, Continue, Continued, PreparedAction, StepFailure, ViewFlow, is_same_browser,
};
use crate::credentials::guess::Guess;
use crate::credentials::{AccountName, Target, is_phone_number};
use crate::digest::hash_token;
use crate::login::entry::{FlowView, LoginAnswer, LoginDone, LoginParameters, PreparedLogin};
use crate::people::holders::Unusable;
use crate::people::merging::MergePreview;
use crate::people::profile::{Editor, ProfileChange, check_custom_data};
use crate::refusal::{deletion_pending, too_many_changes, wrong_password};
use crate::{App, Origin, Refusal};

/// What a user does in a login that waits.
pub enum FlowAction {
    /// Views the current stage.
    View,
    /// Previews a merge that keeps this account.
    Preview(UserId),
    /// Creates a new account.
    Create,
    /// Binds the account that a code proves.
    BindByCode(Target, String),
    /// Binds the account that a password proves.
    BindByPassword(AccountName, SecretString),
    /// Chooses an account.
    Choose(UserId),
    /// Merges the accounts into this one.
    Merge(UserId),
    /// Sets a new password.
    SetPassword(SecretString),
    /// Sets a new password, and ends the flow. The user then logs in with the new password.
    ResetPassword(SecretString),
    /// Fills in what is missing.
    FillIn(FillIn),
    /// Accepts agreements by id.
    Accept(Vec<String>),
    /// Cancels the login.
    GiveUp,
}

/// What a user fills in.
#[derive(Default)]
pub struct FillIn {
    /// Text fields of the profile by name.
    pub fields: Vec<(String, String)>,
    /// The gender.
    pub gender: Option<Gender>,
    /// Custom data.
    pub custom_data: Map<String, Value>,
    /// A username.
    pub username: Option<String>,
    /// Phone numbers and e-mail addresses with the codes that prove them.
    pub proved: Vec<(Target, String)>,
}

/// The outcome of a step.
pub enum FlowAnswer {
    /// The current stage, for [`FlowAction::View`]. The handle is unchanged.
    Viewed(Box<FlowView>),
    /// The login advanced: the user is logged in, or has another step to complete.
    Login(LoginAnswer),
    /// What a merge would do. The login still waits at the same stage.
    Preview(Box<MergePreview>),
    /// The user cancelled the login.
    GivenUp,
}

/// Why a step of a login that waits was refused.
#[derive(Debug)]
pub struct StepRefused {
    /// The reason.
    pub refusal: Refusal,
    /// The current stage, with the handle for the next step. None if the flow has ended or does not exist.
    pub waiting: Option<Box<FlowView>>,
}

impl From<Refusal> for StepRefused {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, waiting: None }
    }
}

/// Whose steps of a login that waits are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FlowClient {
    /// A client that takes the handle from each answer.
    Current,
    /// One of the published mobile SDKs. They try again with the handle that they had, so a step that failed leaves it
    /// as it is; the tries are counted all the same. And the codes that they have sent are for no purpose in particular.
    Mobile,
}

/// How often a step starts again because the account changed in the meantime.
const ATTEMPTS: usize = 3;

/// A step of a login that waits.
pub struct FlowStep<'a> {
    /// The application of the request.
    pub application: &'a Arc<Application>,
    /// The handle from the previous answer.
    pub handle: &'a str,
    /// What stands for the browser, if it submitted a form: a login that began in a browser goes on there alone.
    pub cookie: Option<TokenHash>,
    /// What the user does.
    pub action: FlowAction,
    /// Where the request comes from.
    pub origin: Origin,
}

/// A flow that was found, with the accounts that it involves and the hash of its handle.
struct Found {
    id: FlowId,
    handle: TokenHash,
    flow: Flow,
    accounts: Vec<User>,
    connection: Option<Arc<Connection>>,
    pool: PoolId,
}

impl Found {
    /// The login method.
    fn method(&self) -> &'static str {
        let first = self.flow.state.facts.iter().next().map(|fact| fact.method.as_str());
        let of_connection = || self.connection.as_ref().map(|connection| connection.kind.as_str());
        first.or_else(of_connection).unwrap_or("own")
    }
}

impl App {
    /// Takes a step of a login that waits.
    ///
    /// # Errors
    /// The reason that the step was refused. If the login still waits, also its current stage.
    #[boxed]
    pub async fn continue_flow<'a>(&'a self, step: FlowStep<'a>) -> Result<FlowAnswer, StepRefused> {
        self.continue_for(step, FlowClient::Current).await
    }

    /// The same for the published mobile SDKs, which try again with the handle that they had.
    ///
    /// # Errors
    /// As for [`Self::continue_flow`].
    #[boxed]
    pub async fn continue_mobile_flow<'a>(&'a self, step: FlowStep<'a>) -> Result<FlowAnswer, StepRefused> {
        self.continue_for(step, FlowClient::Mobile).await
    }

    async fn continue_for(&self, step: FlowStep<'_>, client: FlowClient) -> Result<FlowAnswer, StepRefused> {
        let found = self.find_flow(&step).await?;
        match &step.action {
            FlowAction::View => Ok(FlowAnswer::Viewed(Box::new(self.view_of(&found, step.handle)))),
            FlowAction::Preview(survivor) => {
                let preview = self.preview_in_flow(step.application, &found, survivor).await;
                let preview = preview.map_err(|refusal| self.not_tried(&found, step.handle, refusal))?;
                Ok(FlowAnswer::Preview(Box::new(preview)))
            }
            _ => {
                for _ in 0..ATTEMPTS {
                    if let Some(answer) = self.take_step(&step, &found, client).await? {
                        return Ok(answer);
                    }
                }
                Err(self.not_tried(&found, step.handle, too_many_changes()))
            }
        }
    }

    /// Refuses a step before it changed anything: the login still waits, and the handle is unchanged.
    fn not_tried(&self, found: &Found, handle: &str, refusal: Refusal) -> StepRefused {
        let waits = !refusal.code().is_internal();
        StepRefused { refusal, waiting: waits.then(|| Box::new(self.view_of(found, handle))) }
    }

    /// Takes a step. None if the account changed in the meantime, and the step has to start again.
    async fn take_step(
        &self,
        step: &FlowStep<'_>,
        found: &Found,
        client: FlowClient,
    ) -> Result<Option<FlowAnswer>, StepRefused> {
        let FlowStep { application, action, origin, cookie, .. } = step;
        let prepared = self.prepare_action(application, found, (action, client), origin).await;
        let prepared = prepared.map_err(|refusal| self.not_tried(found, step.handle, refusal))?;
        let PreparedLogin { mut plan, secrets } = self.prepare_login(LoginParameters {
            application,
            connection: found.flow.connection.clone().unwrap_or_else(ConnectionId::own),
            method: found.method(),
            facts: found.flow.state.facts.clone(),
            requested: found.flow.state.requested.clone(),
            patch: CustomDataPatch::default(),
            origin,
            proof: Vec::new(),
            flow: found.id.clone(),
        });
        plan.flow.expires_at = found.flow.expires_at;
        let state = &found.flow.state;
        plan.passed = state.passed.iter().copied().chain([state.stage]).collect();
        let proof = self.open_proof(&found.id, &found.flow.proof)?;
        let resets = matches!(prepared, PreparedAction::SetPassword { .. } | PreparedAction::Merge { .. });
        let unit = Continue {
            pool: application.pool.clone(),
            flow: found.id.clone(),
            handle: found.handle.clone(),
            cookie: cookie.clone(),
            prepared,
            resolver: self.resolver(found, proof.as_ref()),
            candidate: UserId::generate(self.now(), &*self.random),
            plan: plan.clone(),
            max_tries: self.limits.flow_tries,
            keeps_handle: client == FlowClient::Mobile,
        };
        let continued = self.write(unit).await?;
        if resets {
            self.sessions.forget_all();
        }
        Ok(Some(match continued {
            Continued::Login(outcome) => {
                let answer = self.conclude(application, &plan, secrets, *outcome)?;
                FlowAnswer::Login(answer.map(|done| with_ids(done, proof.as_ref())))
            }
            Continued::Failed(failure, waiting) => {
                let mut view = self.waiting_view(&plan, secrets.handle(), *waiting);
                if client == FlowClient::Mobile {
                    step.handle.clone_into(&mut view.handle);
                }
                return Err(StepRefused {
                    refusal: self.refusal_of(&failure),
                    waiting: Some(Box::new(view)),
                });
            }
            Continued::Ended(failure) => return Err(self.refusal_of(&failure).into()),
            Continued::Unknown => return Err(Refusal::new(Code::FlowUnknown).into()),
            Continued::Impossible => {
                return Err(self.not_tried(found, step.handle, Code::StepImpossible.into()));
            }
            Continued::Changed => return Ok(None),
            Continued::GivenUp => FlowAnswer::GivenUp,
        }))
    }

    async fn find_flow(&self, step: &FlowStep<'_>) -> Result<Found, Refusal> {
        let (id, secret) = step.handle.split_once('.').ok_or(Code::FlowUnknown)?;
        let id = FlowId::parse(id).map_err(|_| Code::FlowUnknown)?;
        let handle = hash_token(secret);
        let pool = &step.application.pool;
        let unit = ViewFlow { pool: pool.clone(), flow: id.clone() };
        let (flow, accounts) = self.read(unit).await?.ok_or(Code::FlowUnknown)?;
        let same_browser = is_same_browser(flow.cookie.as_ref(), step.cookie.as_ref());
        let holds = flow.handle.matches(handle.as_bytes())
            && flow.expires_at > self.now()
            && flow.application == step.application.id
            && same_browser;
        if !holds {
            return Err(Code::FlowUnknown.into());
        }
        let connection = flow.connection.as_ref().and_then(|id| self.config().connection(id).cloned());
        let switched_off = flow.connection.as_ref().is_some_and(|id| *id != ConnectionId::own())
            && connection.as_ref().is_none_or(|connection| !connection.enabled);
        if switched_off {
            return Err(Code::FlowUnknown.into());
        }
        Ok(Found { id, handle, flow, accounts, connection, pool: pool.clone() })
    }

    /// Resolves the account of the flow: by what the source proved when the flow started, under the
    /// connection's current rules.
    fn resolver(&self, found: &Found, proof: Option<&Proof>) -> Option<AccountResolver> {
        let (connection, proof) = (found.connection.as_ref()?, proof?);
        let config = self.config();
        let rules = self.rules(config.application(found.flow.application.as_str())?, connection);
        let rules = Rules { phone_use: found.flow.state.phone_use, ..rules };
        Some(AccountResolver { pool: connection.pool.clone(), proof: proof.clone(), rules })
    }

    /// The view of a flow that nothing is changed in, with the handle of the request. Nothing is generated for
    /// it, and its proof is not opened.
    fn view_of(&self, found: &Found, handle: &str) -> FlowView {
        let Found { id, flow, accounts, connection, pool, .. } = found;
        let connection = connection.as_ref();
        let methods = connection.map(|connection| connection.association.methods.clone()).unwrap_or_default();
        let settings = self.config().settings(pool);
        FlowView {
            handle: handle.to_owned(),
            ..FlowView::of(id.clone(), &flow.state, accounts.clone(), methods, &settings, flow.expires_at)
        }
    }

    /// What merging the accounts at [`Stage::Select`] into `survivor` would do.
    async fn preview_in_flow(
        &self,
        application: &Application,
        found: &Found,
        survivor: &UserId,
    ) -> Result<MergePreview, Refusal> {
        let state = &found.flow.state;
        if state.stage != Stage::Select || !state.may_merge {
            return Err(Code::StepImpossible.into());
        }
        let others: Vec<&UserId> = state.candidates.iter().filter(|user| *user != survivor).collect();
        match others.as_slice() {
            [other] if state.candidates.contains(survivor) => {
                self.preview_merge(&application.pool, survivor, other).await
            }
            _ => Err(Code::NotACandidate.into()),
        }
    }

    /// Does the slow part of a step: hashing codes and passwords, verifying passwords.
    async fn prepare_action(
        &self,
        application: &Arc<Application>,
        found: &Found,
        (action, client): (&FlowAction, FlowClient),
        origin: &Origin,
    ) -> Result<PreparedAction, Refusal> {
        let methods = found.connection.as_ref().map(|c| c.association.methods.as_slice()).unwrap_or_default();
        let at = |stage| if found.flow.state.stage == stage { Ok(()) } else { Err(Code::StepImpossible) };
        let permitted = |method| {
            if methods.contains(&method) { Ok(()) } else { Err(Code::MethodNotPermitted) }
        };
        let pool = &application.pool;
        let guess = |target: &Target, code: &str, purposes| self.guess(pool, target, code, purposes, origin);
        Ok(match action {
            FlowAction::View | FlowAction::Preview(_) => return Err(Code::StepImpossible.into()),
            FlowAction::Create => PreparedAction::Create,
            FlowAction::BindByCode(target, code) => {
                at(Stage::Associate)?;
                permitted(match target {
                    Target::Phone(_) => BindMethod::PhoneCode,
                    Target::Email(_) => BindMethod::EmailCode,
                })?;
                let purposes = bind_purposes(&found.flow.state.requested, client);
                PreparedAction::BindByCode { guess: guess(target, code, purposes), to: target.clone() }
            }
            FlowAction::BindByPassword(account, password) => {
                at(Stage::Associate)?;
                permitted(match account {
                    AccountName::Username(_) | AccountName::Any(_) | AccountName::ExternalId(_) => {
                        BindMethod::UsernamePassword
                    }
                    AccountName::Phone(_) => BindMethod::PhonePassword,
                    AccountName::Email(_) => BindMethod::EmailPassword,
                })?;
                let trace = self.trace(pool, None, Some(&application.id), None, origin);
                match self.prove_by_password(pool, account, password, "bind", origin, trace).await {
                    Ok(proved) => PreparedAction::BindByPassword {
                        user: proved.user.id,
                        hash: proved.verified,
                        counted: proved.counted,
                    },
                    Err(refusal) if refusal.is(Code::WrongPassword) => {
                        let remaining =
                            refusal.data().and_then(|data| data["remainCount"].as_i64()).unwrap_or_default();
                        PreparedAction::WrongPassword(StepFailure::WrongPassword { remaining })
                    }
                    Err(refusal) if refusal.is(Code::Locked) => {
                        PreparedAction::WrongPassword(StepFailure::Locked)
                    }
                    Err(refusal) => return Err(refusal),
                }
            }
            FlowAction::Choose(user) => PreparedAction::Choose(user.clone()),
            FlowAction::Merge(survivor) => PreparedAction::Merge {
                survivor: survivor.clone(),
                id: MergeId::generate(self.now(), &*self.random),
            },
            FlowAction::SetPassword(password) | FlowAction::ResetPassword(password) => {
                at(Stage::NewPassword)?;
                let ends_login = matches!(action, FlowAction::ResetPassword(_));
                let user =
                    found.accounts.iter().find(|user| Some(&user.id) == found.flow.state.user.as_ref());
                let names = user.map(crate::credentials::names_of).unwrap_or_default();
                self.check_new_password(pool, password.expose_secret(), &names)?;
                let hash = self.hash_password(password.clone(), origin.ip.as_deref()).await?;
                PreparedAction::SetPassword { hash, ends_login }
            }
            FlowAction::FillIn(fill_in) => {
                at(Stage::Complete)?;
                let purposes = complete_purposes(&found.flow.state.requested);
                let proved = fill_in.proved.iter();
                let proved = proved.map(|(target, code)| (target.clone(), guess(target, code, purposes)));
                PreparedAction::FillIn(Box::new(self.check_fill_in(
                    application,
                    fill_in,
                    proved.collect(),
                )?))
            }
            FlowAction::Accept(ids) => {
                let settings = self.config().settings(pool);
                let version = |id: &String| {
                    settings.agreements.iter().find(|a| a.id == *id).map(|a| (id.clone(), a.version))
                };
                PreparedAction::Accept(ids.iter().filter_map(version).collect::<BTreeMap<_, _>>())
            }
            FlowAction::GiveUp => PreparedAction::GiveUp,
        })
    }

    fn check_fill_in(
        &self,
        application: &Application,
        fill_in: &FillIn,
        proved: Vec<(Target, Guess)>,
    ) -> Result<CheckedFillIn, Refusal> {
        let mut fields = Vec::new();
        for (name, value) in &fill_in.fields {
            let Some(name) = Profile::FIELDS.iter().find(|field| *field == name) else {
                return Err(Refusal::invalid(name.clone(), Reason::UnknownField));
            };
            if value.is_empty() {
                return Err(Refusal::invalid(*name, Reason::Empty));
            }
            fields.push((*name, Some(value.clone())));
        }
        let photo = fill_in.fields.iter().rfind(|(name, _)| name == "photo");
        let upload = photo.and_then(|(_, address)| self.upload_of_photo(address)).map(str::to_owned);
        let custom_data = fill_in.custom_data.clone();
        self.check_change(&ProfileChange { fields, gender: fill_in.gender, custom_data })?;
        let settings = self.config().settings(&application.pool);
        check_custom_data(&settings, &fill_in.custom_data, Editor::Person)?;
        let username = fill_in.username.as_deref().map(Username::parse).transpose();
        let username = username.map_err(|error| Refusal::invalid("username", error.into()))?;
        if username.as_ref().is_some_and(|name| is_phone_number(name.as_str())) {
            return Err(Refusal::invalid("username", Reason::UsernameIsPhone));
        }
        Ok(CheckedFillIn {
            fields: fill_in.fields.clone(),
            gender: fill_in.gender,
            upload,
            custom_data: fill_in.custom_data.clone(),
            username,
            proved,
            max_keys: self.limits.custom_keys,
            max_total: self.limits.custom_total,
        })
    }

    fn refusal_of(&self, failure: &StepFailure) -> Refusal {
        match failure {
            StepFailure::WrongCode => Code::WrongCode.into(),
            StepFailure::TooManyCodes => self.too_many_codes(),
            StepFailure::WrongPassword { remaining } => wrong_password(*remaining),
            StepFailure::Locked => Code::Locked.into(),
            StepFailure::NoAccount => Code::NoAccount.into(),
            StepFailure::AnotherIdentityBound => Code::AnotherIdentityBound.into(),
            StepFailure::IdentityTaken => Code::IdentityTaken.into(),
            StepFailure::NotACandidate => Code::NotACandidate.into(),
            StepFailure::MayNotCreate => Code::RegistrationOff.into(),
            StepFailure::Unusable(Unusable::Disabled) => Code::Disabled.into(),
            StepFailure::Unusable(Unusable::DeletionPending(at)) => deletion_pending(*at),
            StepFailure::MergeImpossible => Code::MergeImpossible.into(),
            StepFailure::UsernameTaken => Code::UsernameTaken.into(),
            StepFailure::NameTaken(PasscodeChannel::Sms) => Code::PhoneTaken.into(),
            StepFailure::NameTaken(PasscodeChannel::Email) => Code::EmailTaken.into(),
            StepFailure::TooManyKeys => {
                let limit = self.limits.custom_keys;
                Refusal::invalid("customData", Reason::TooManyKeys { max: limit })
            }
            StepFailure::TooMuchCustomData => {
                let limit = self.limits.custom_total;
                Refusal::invalid("customData", Reason::TooMuchData { max: limit })
            }
            StepFailure::StillMissing => Code::StillMissing.into(),
        }
    }
}

/// The purposes of a code that binds an account. A code to log in is not accepted, so that it cannot bind
/// somebody else's WeChat identity. Codes of [`PasscodePurpose::General`] come only from the older clients.
const fn bind_purposes(requested: &RequestedTokens, client: FlowClient) -> &'static [PasscodePurpose] {
    match (requested, client) {
        (RequestedTokens::UserToken, _) | (RequestedTokens::TokenSet(_), FlowClient::Mobile) => {
            &[PasscodePurpose::Bind, PasscodePurpose::General]
        }
        (RequestedTokens::TokenSet(_) | RequestedTokens::Authorization(_), _) => &[PasscodePurpose::Bind],
    }
}

/// The purposes of a code that fills in a phone number or an e-mail address.
const fn complete_purposes(requested: &RequestedTokens) -> &'static [PasscodePurpose] {
    match requested {
        RequestedTokens::UserToken => {
            &[PasscodePurpose::Complete, PasscodePurpose::Bind, PasscodePurpose::General]
        }
        RequestedTokens::TokenSet(_) | RequestedTokens::Authorization(_) => {
            &[PasscodePurpose::Complete, PasscodePurpose::Bind]
        }
    }
}

fn with_ids(done: LoginDone, proof: Option<&Proof>) -> LoginDone {
    match proof {
        Some(proof) => Ids::of(proof).add_to(done),
        None => done,
    }
}
