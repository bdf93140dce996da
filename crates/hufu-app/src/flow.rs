//! A login that waits goes on: the steps of the login engine, whoever draws the pages for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use hufu_store::credentials::Guess;
use hufu_store::flow_steps::{Continue, Continued, Doing, Filling, StepFailure};
use hufu_store::flows::{Flow, GetFlow};
use hufu_store::logins::{Arriving, Waiting};
use hufu_store::users::GetUser;
use hufu_types::flow::{Stage, Want};
use hufu_types::refusal::{Code, Reason};
use hufu_types::resolution::{Arrival, PhoneUse};
use hufu_types::{
    Application, BindMethod, Connection, ConnectionId, FlowId, Gender, IdentityKey, MergeId, OpaqueToken,
    PasscodeChannel, PasscodePurpose, Profile, TokenHash, UserId, Username,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};

use crate::codes::hash_token;
use crate::credentials::{AccountName, Target, is_phone_number, too_many_codes};
use crate::entry::{Entering, Entry, FlowView, LoginDone};
use crate::login::{KeptProof, proof_context};
use crate::merging::MergePreview;
use crate::profile::{Editor, ProfileChange, check_custom_data};
use crate::refusal::{into_waiting, step_failed, wrong_password};
use crate::{App, Origin, Refusal};

/// What a person does in a login that waits.
pub enum FlowAction {
    /// Looks where it stands.
    View,
    /// Looks what merging the accounts into this one would do.
    Preview(UserId),
    /// Makes a new account.
    Create,
    /// Binds an account that a code proves.
    BindByCode(Target, String),
    /// Binds an account that a password proves.
    BindByPassword(AccountName, SecretString),
    /// Chooses an account.
    Choose(UserId),
    /// Merges the accounts into this one.
    Merge(UserId),
    /// Sets a new password.
    SetPassword(SecretString),
    /// Fills in what is missing.
    FillIn(FillIn),
    /// Accepts agreements by id.
    Accept(Vec<String>),
    /// Gives up.
    GiveUp,
}

/// What a person fills in.
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

/// What came of a step.
pub enum FlowAnswer {
    /// Where the login stands.
    Waiting(Box<FlowView>),
    /// The person is logged in.
    Done(Box<LoginDone>),
    /// What a merge would do; the login waits where it was.
    Preview(Box<MergePreview>),
    /// The person gave up.
    GivenUp,
}

/// How often a step begins again because the account was changed under its hands.
const ATTEMPTS: usize = 3;

/// A step of a login that waits.
pub struct FlowStep<'a> {
    /// The application of the request.
    pub application: &'a Arc<Application>,
    /// The handle of the last answer.
    pub handle: &'a str,
    /// The secret of the browser's cookie, where there is one.
    pub cookie: Option<&'a str>,
    /// What the person does.
    pub action: FlowAction,
    /// Where the request comes from.
    pub origin: Origin,
}

/// A flow that is there, and the handle's hash.
struct Found {
    id: FlowId,
    handle: TokenHash,
    flow: Flow,
    connection: Option<Arc<Connection>>,
    proof: Option<KeptProof>,
}

impl App {
    /// Goes on with a login that waits. A failed step comes as [`Code::StepFailed`], with the next handle.
    pub async fn continue_flow(&self, step: FlowStep<'_>) -> Result<FlowAnswer, Refusal> {
        let found = self.find_flow(&step).await?;
        match &step.action {
            FlowAction::View => {
                Ok(FlowAnswer::Waiting(Box::new(self.view_flow(step.application, found).await?)))
            }
            FlowAction::Preview(survivor) => {
                let preview = self.preview_in_flow(step.application, &found, survivor).await?;
                Ok(FlowAnswer::Preview(Box::new(preview)))
            }
            _ => {
                for _ in 0..ATTEMPTS {
                    if let Some(answer) = self.take_step(&step, &found).await? {
                        return Ok(answer);
                    }
                }
                Err(Code::TooOften.because("changes of this account"))
            }
        }
    }

    /// Takes a step; nothing where the account was changed meanwhile, and the step has to begin again.
    async fn take_step(&self, step: &FlowStep<'_>, found: &Found) -> Result<Option<FlowAnswer>, Refusal> {
        let FlowStep { application, action, origin, cookie, .. } = step;
        let doing = self.doing(application, found, action, origin).await?;
        let Entry { mut ticket, back } = self.entry(Entering {
            application,
            connection: found.flow.connection.clone().unwrap_or_else(ConnectionId::own),
            method: found.connection.as_ref().map_or("own", |connection| connection.kind.as_str()),
            want: found.flow.state.want,
            origin,
            proof: Vec::new(),
            flow: found.id.clone(),
        });
        ticket.flow.expires_at = found.flow.expires_at;
        let resets = matches!(doing, Doing::SetPassword { .. } | Doing::Merge { .. });
        let unit = Continue {
            pool: application.pool.clone(),
            flow: found.id.clone(),
            handle: found.handle.clone(),
            cookie: cookie.map(hash_token),
            doing,
            who: self.who(found),
            profile: found.proof.as_ref().map(|proof| proof.profile.clone()).unwrap_or_default(),
            candidate: UserId::generate(self.now(), &*self.random),
            ticket: ticket.clone(),
            max_tries: self.limits.flow_tries,
        };
        let continued = self.write(unit).await?;
        if resets {
            self.sessions.forget_all();
        }
        Ok(Some(match continued {
            Continued::On(outcome) => match self.conclude(application, &ticket, back, *outcome) {
                Ok(done) => FlowAnswer::Done(Box::new(with_ids(done, found.proof.as_ref()))),
                Err(refusal) => FlowAnswer::Waiting(into_waiting(refusal)?),
            },
            Continued::Failed(failure, waiting) => {
                let view = self.view(&ticket, back.handle(), *waiting);
                let refusal = self.refusal_of(&failure);
                return Err(step_failed(refusal, Box::new(view)));
            }
            Continued::Over(failure) => return Err(self.refusal_of(&failure)),
            Continued::Unknown => return Err(Code::FlowUnknown.into()),
            Continued::Impossible => return Err(Code::StepImpossible.into()),
            Continued::Changed => return Ok(None),
            Continued::GivenUp => FlowAnswer::GivenUp,
        }))
    }

    async fn find_flow(&self, step: &FlowStep<'_>) -> Result<Found, Refusal> {
        let (id, secret) = step.handle.split_once('.').ok_or(Code::FlowUnknown)?;
        let id = FlowId::parse(id).map_err(|_| Code::FlowUnknown)?;
        let handle = hash_token(secret);
        let pool = &step.application.pool;
        let unit = GetFlow { pool: pool.clone(), flow: id.clone() };
        let flow = self.read(unit).await?.ok_or(Code::FlowUnknown)?;
        let same_browser = match &flow.cookie {
            None => true,
            Some(kept) => step.cookie.map(hash_token).is_some_and(|sent| kept.matches(sent.as_bytes())),
        };
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
        let proof = if flow.proof.is_empty() {
            None
        } else {
            let opened = self.sealing.open(&proof_context(&id), &flow.proof).map_err(Refusal::internal)?;
            Some(serde_json::from_slice(opened.expose()).map_err(Refusal::internal)?)
        };
        Ok(Found { id, handle, flow, connection, proof })
    }

    /// Who arrived, as the source proved it then and the connection's rules are now.
    fn who(&self, found: &Found) -> Option<Arriving> {
        let (connection, proof) = (found.connection.as_ref()?, found.proof.as_ref()?);
        let phone_use = if proof.log_in_by_phone { PhoneUse::LogIn } else { PhoneUse::Fill };
        let platform = &connection.open_platform;
        Some(Arriving {
            pool: connection.pool.clone(),
            arrival: Arrival {
                openid: IdentityKey::wechat_openid(&connection.wechat.app_id, &proof.openid),
                unionid: proof.unionid.as_deref().map(|id| IdentityKey::wechat_unionid(platform, id)),
                phone: proof.phone.as_ref().map(|_| phone_use),
                snapshot: false,
            },
            phone: proof.phone.clone(),
            email: None,
            external_id: None,
            rules: self.rules(connection),
        })
    }

    async fn view_flow(&self, application: &Arc<Application>, found: Found) -> Result<FlowView, Refusal> {
        let state = found.flow.state;
        let mut accounts = Vec::new();
        for user in state.candidates.iter().chain(&state.user) {
            let unit = GetUser { pool: application.pool.clone(), user: user.clone() };
            accounts.extend(self.read(unit).await?);
        }
        let Entry { mut ticket, .. } = self.entry(Entering {
            application,
            connection: found.flow.connection.unwrap_or_else(ConnectionId::own),
            method: "view",
            want: Want::UserToken,
            origin: &Origin::default(),
            proof: Vec::new(),
            flow: found.id,
        });
        ticket.flow.expires_at = found.flow.expires_at;
        // The handle stays: nothing was done. It is the client's own, and not told again.
        let view = self.view(&ticket, &OpaqueToken::presented(String::new()), Waiting { state, accounts });
        Ok(FlowView { handle: String::new(), ..view })
    }

    /// What merging the accounts at [`Stage::Select`] into one of them would do.
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

    /// A step with everything that takes time done: codes hashed, passwords verified.
    async fn doing(
        &self,
        application: &Arc<Application>,
        found: &Found,
        action: &FlowAction,
        origin: &Origin,
    ) -> Result<Doing, Refusal> {
        let methods = found.connection.as_ref().map(|c| c.association.methods.as_slice()).unwrap_or_default();
        let at = |stage| if found.flow.state.stage == stage { Ok(()) } else { Err(Code::StepImpossible) };
        let permitted = |method| {
            if methods.contains(&method) { Ok(()) } else { Err(Code::MethodNotPermitted) }
        };
        let pool = &application.pool;
        let guess = |target: &Target, code: &str, purposes| self.guess(pool, target, code, purposes, origin);
        Ok(match action {
            FlowAction::View | FlowAction::Preview(_) => return Err(Code::StepImpossible.into()),
            FlowAction::Create => Doing::Create,
            FlowAction::BindByCode(target, code) => {
                at(Stage::Associate)?;
                permitted(match target {
                    Target::Phone(_) => BindMethod::PhoneCode,
                    Target::Email(_) => BindMethod::EmailCode,
                })?;
                let purposes = bind_purposes(found.flow.state.want);
                Doing::BindByCode { guess: guess(target, code, purposes), to: target.clone() }
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
                    Ok(proved) => Doing::BindByPassword {
                        user: proved.user.id,
                        hash: proved.verified,
                        lock: proved.lock,
                    },
                    Err(refusal) if refusal.is(Code::WrongPassword) => {
                        let remaining =
                            refusal.data().and_then(|data| data["remainCount"].as_i64()).unwrap_or_default();
                        Doing::WrongPassword(StepFailure::WrongPassword { remaining })
                    }
                    Err(refusal) if refusal.is(Code::Locked) => Doing::WrongPassword(StepFailure::Locked),
                    Err(refusal) => return Err(refusal),
                }
            }
            FlowAction::Choose(user) => Doing::Choose(user.clone()),
            FlowAction::Merge(survivor) => {
                Doing::Merge { survivor: survivor.clone(), id: MergeId::generate(self.now(), &*self.random) }
            }
            FlowAction::SetPassword(password) => {
                at(Stage::NewPassword)?;
                let user = match &found.flow.state.user {
                    Some(user) => self.read(GetUser { pool: pool.clone(), user: user.clone() }).await?,
                    None => None,
                };
                let names = user.as_ref().map(crate::credentials::names_of).unwrap_or_default();
                self.check_new_password(pool, password.expose_secret(), &names)?;
                Doing::SetPassword { hash: self.hasher.hash(password.clone(), &*self.random).await? }
            }
            FlowAction::FillIn(fill_in) => {
                at(Stage::Complete)?;
                let purposes = complete_purposes(found.flow.state.want);
                let proved = fill_in.proved.iter();
                let proved = proved.map(|(target, code)| (target.clone(), guess(target, code, purposes)));
                Doing::FillIn(Box::new(self.filling(application, fill_in, proved.collect())?))
            }
            FlowAction::Accept(ids) => {
                let settings = self.config().settings(pool);
                let version = |id: &String| {
                    settings.agreements.iter().find(|a| a.id == *id).map(|a| (id.clone(), a.version))
                };
                Doing::Accept(ids.iter().filter_map(version).collect::<BTreeMap<_, _>>())
            }
            FlowAction::GiveUp => Doing::GiveUp,
        })
    }

    fn filling(
        &self,
        application: &Application,
        fill_in: &FillIn,
        proved: Vec<(Target, Guess)>,
    ) -> Result<Filling, Refusal> {
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
        Ok(Filling {
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
            StepFailure::TooManyCodes => too_many_codes(),
            StepFailure::WrongPassword { remaining } => wrong_password(*remaining),
            StepFailure::Locked => Code::Locked.into(),
            StepFailure::NoAccount => Code::Stranger.into(),
            StepFailure::AnotherIdentityBound => Code::AnotherIdentityBound.into(),
            StepFailure::IdentityTaken => Code::IdentityTaken.into(),
            StepFailure::NotACandidate => Code::NotACandidate.into(),
            StepFailure::MayNotCreate => Code::RegistrationOff.into(),
            StepFailure::Unusable => Code::Disabled.into(),
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

/// For which purposes a code may have been sent that binds an account: a code to log in binds nobody else's WeChat.
/// Only the older clients' codes say no purpose.
const fn bind_purposes(want: Want) -> &'static [PasscodePurpose] {
    match want {
        Want::UserToken => &[PasscodePurpose::Bind, PasscodePurpose::General],
        Want::TokenSet(_) => &[PasscodePurpose::Bind],
    }
}

/// For which purposes a code may have been sent that fills in a login name.
const fn complete_purposes(want: Want) -> &'static [PasscodePurpose] {
    match want {
        Want::UserToken => &[PasscodePurpose::Complete, PasscodePurpose::Bind, PasscodePurpose::General],
        Want::TokenSet(_) => &[PasscodePurpose::Complete, PasscodePurpose::Bind],
    }
}

fn with_ids(done: LoginDone, proof: Option<&KeptProof>) -> LoginDone {
    match proof {
        Some(proof) => {
            LoginDone { openid: Some(proof.openid.clone()), unionid: proof.unionid.clone(), ..done }
        }
        None => done,
    }
}
