//! Logging in through a connection. The source proves an identity, which is resolved to an account.

use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use futures::future::BoxFuture;
use hufu_types::refusal::Code;
use hufu_types::resolution::{PhoneUse, Rules};
use hufu_types::{Action, Application, Connection, Facts, FlowId, Method, Proof, UserId};
use hufu_wechat::Budget;
use serde_json::json;

use super::entry::{LoginAnswer, LoginDone, LoginOptions, LoginParameters, LoginSecrets};
use super::finish::{LoginOutcome, LoginPlan};
use super::resolver::{AccountResolver, CheckLogin, Login};
use crate::events::Trace;
use crate::failures::LoginFailure;
use crate::origin::Origin;
use crate::people::identities::bind::Bind;
use crate::refusal::deletion_pending;
use crate::sources::wechat::exchange::SpentCode;
use crate::sources::wechat::{log_refusal, wechat_error};
use crate::sources::{self, Attempt, Evidence, Permit, Proved};
use crate::tickets::TakeTicket;
use crate::tokens::authentication::Authenticated;
use crate::{App, Refusal};

/// A login with a code that the client got from the source itself.
#[derive(Clone)]
pub struct SourceLogin<'a> {
    /// The application.
    pub application: Arc<Application>,
    /// The connection.
    pub connection: Arc<Connection>,
    /// The evidence that the client sends.
    pub evidence: Evidence<'a>,
    /// How a phone number in the evidence is used.
    pub phone_use: PhoneUse,
    /// What the client asks for, and what it sends along.
    pub options: LoginOptions,
    /// Where the request comes from.
    pub origin: Origin,
}

impl App {
    /// Logs in a user through a source.
    #[boxed]
    pub async fn log_in(&self, login: &SourceLogin<'_>) -> Result<LoginAnswer, Refusal> {
        match self.try_log_in(login).await {
            Ok(answer) => Ok(answer),
            Err(failure) => {
                let (application, connection) = (&login.application, &login.connection);
                Err(self.refuse_source_login(application, connection, &login.origin, failure).await)
            }
        }
    }

    /// Logs in the browser of a QR code, as whoever a source has proved: the phone that scanned it. The ticket is used up
    /// with the login.
    ///
    /// # Errors
    /// As [`Self::log_in`], but for what concerns the source itself; [`Code::LoginTicketInvalid`] if somebody else took the
    /// ticket meanwhile.
    #[boxed]
    pub(crate) async fn log_in_proved(
        &self,
        application: &Arc<Application>,
        connection: &Arc<Connection>,
        proof: Proof,
        options: LoginOptions,
        origin: &Origin,
        take: TakeTicket,
    ) -> Result<LoginAnswer, Refusal> {
        let rules = self.rules(application, connection);
        let logged_in = async {
            let unit = self.proved_login(application, connection, (proof, rules), None, options, origin)?;
            let ProvedLogin { login, secrets, ids } = unit;
            let plan = login.plan.clone();
            Ok(match self.take_and(take, login).await {
                Ok(outcome) => Ok(self.conclude_proved(application, &plan, (secrets, ids), outcome)?),
                // Nothing is wrong with the person.
                Err(refusal) => Err(refusal),
            })
        };
        match logged_in.await {
            Ok(answer) => answer,
            Err(failure) => Err(self.refuse_source_login(application, connection, origin, failure).await),
        }
    }

    /// Logs, counts and records why a login through a source failed.
    pub(crate) async fn refuse_source_login(
        &self,
        application: &Application,
        connection: &Connection,
        origin: &Origin,
        failure: LoginFailure,
    ) -> Refusal {
        metrics::counter!("hufu_logins_total", "outcome" => "refused").increment(1);
        log_refusal(application, connection, &failure.refusal);
        let pool = &application.pool;
        let trace = self.trace(pool, None, Some(&application.id), Some(&connection.id), origin);
        self.refuse_login(pool, trace, connection.kind.as_str(), failure).await
    }

    async fn try_log_in(&self, login: &SourceLogin<'_>) -> Result<LoginAnswer, LoginFailure> {
        let (application, connection) = (&*login.application, &*login.connection);
        Self::check_surface(application, &login.options.requested)?;
        let rules = Rules { phone_use: login.phone_use, ..self.rules(application, connection) };
        // Before a single-use code is spent.
        self.custom_data_patch(&application.pool, login.options.custom_data.clone())?;
        let _place = self.enter_lane(&application.pool, login.origin.ip.as_deref()).await;
        let permitted_by = rules.clone();
        let permit = |proof| -> BoxFuture<'_, Result<(), LoginFailure>> {
            let (pool, rules) = (application.pool.clone(), permitted_by.clone());
            let resolver = AccountResolver { pool, proof, rules };
            Box::pin(self.check_login_permitted(resolver))
        };
        let attempt = self.attempt(application, connection, login.evidence, &login.origin, &permit);
        let Proved { proof, code } = (sources::kind(connection.kind).prove)(self, attempt).await?;
        let (application, connection) = (&login.application, &login.connection);
        let (options, origin) = (login.options.clone(), &login.origin);
        let unit =
            self.proved_login(application, connection, (proof, rules), Some(&code), options, origin)?;
        let ProvedLogin { login, secrets, ids } = unit;
        let plan = login.plan.clone();
        let outcome = self.write(login).await?;
        self.conclude_proved(application, &plan, (secrets, ids), outcome)
    }

    /// The login of whom a source has proved. `code` is the code that was spent for that.
    fn proved_login(
        &self,
        application: &Arc<Application>,
        connection: &Connection,
        (proof, rules): (Proof, Rules),
        code: Option<&SpentCode<'_>>,
        options: LoginOptions,
        origin: &Origin,
    ) -> Result<ProvedLogin, LoginFailure> {
        let LoginOptions { requested, custom_data } = options;
        Self::check_surface(application, &requested)?;
        let patch = self.custom_data_patch(&application.pool, custom_data)?;
        let before = code.map(|code| code.before.clone()).unwrap_or_default();
        // The same code again while its login waits goes on with that one.
        let flow = before.flow.clone().unwrap_or_else(|| self.new_flow_id());
        let kept = self.seal_proof(&proof, &flow)?;
        let prepared = self.prepare_login(LoginParameters {
            application,
            connection: connection.id.clone(),
            method: connection.kind.as_str(),
            facts: Facts::of(Method::Source(connection.kind), self.now()),
            requested,
            patch,
            origin,
            proof: kept,
            flow,
        });
        let ids = Ids::of(&proof);
        let login = Login {
            resolver: AccountResolver { pool: application.pool.clone(), proof, rules },
            candidate: UserId::generate(self.now(), &*self.random),
            register_source: connection.kind.as_str().to_owned(),
            plan: prepared.plan,
            before,
            exchange: code.map(|code| (code.hash.clone(), code.sealed.clone())),
        };
        Ok(ProvedLogin { login, secrets: prepared.secrets, ids })
    }

    /// The answer to such a login.
    fn conclude_proved(
        &self,
        application: &Application,
        plan: &LoginPlan,
        (secrets, ids): (LoginSecrets, Ids),
        outcome: LoginOutcome,
    ) -> Result<LoginAnswer, LoginFailure> {
        let answer = self.conclude(application, plan, secrets, outcome);
        let answer = answer.map_err(|refusal| LoginFailure { is_recorded: true, ..refusal.into() })?;
        Ok(answer.map(|done| ids.add_to(done)))
    }

    fn attempt<'a>(
        &self,
        application: &'a Application,
        connection: &'a Connection,
        evidence: Evidence<'a>,
        origin: &'a Origin,
        permit: &'a Permit<'a>,
    ) -> Attempt<'a> {
        let budget = Budget::of(self.limits.request_budget);
        Attempt { application, connection, evidence, ip: origin.ip.as_deref(), permit, budget }
    }

    /// What a code of a connection proves about a user who is already logged in. This uses up the code.
    pub(crate) async fn prove_for<'a>(
        &'a self,
        who: &'a Authenticated,
        connection: &'a Connection,
        code: &'a str,
    ) -> Result<Proved<'a>, Refusal> {
        self.prove_only(&who.application, connection, Evidence::code(code), &who.origin).await
    }

    /// What a code of a connection proves, where nobody logs in. This uses up the code.
    pub(crate) async fn prove_only<'a>(
        &'a self,
        application: &'a Application,
        connection: &'a Connection,
        evidence: Evidence<'a>,
        origin: &'a Origin,
    ) -> Result<Proved<'a>, Refusal> {
        // There is no login to permit.
        let permit: &Permit<'a> = &|_| Box::pin(std::future::ready(Ok(())));
        let attempt = self.attempt(application, connection, evidence, origin, permit);
        let proved = (sources::kind(connection.kind).prove)(self, attempt).await;
        proved.map_err(|failure| failure.refusal)
    }

    /// The rules of an application, a connection and their pool.
    pub(crate) fn rules(&self, application: &Application, connection: &Connection) -> Rules {
        let offered = !application.login.ways_to_register().is_empty();
        Rules {
            phone_use: PhoneUse::default(),
            login_only: connection.login_only,
            registration: offered && self.config().settings(&connection.pool).registration,
            association: connection.association.clone().into_inner(),
        }
    }

    /// Refuses a login that would not be permitted, before a single-use code is spent on it.
    pub(crate) async fn check_login_permitted(
        &self,
        mut resolver: AccountResolver,
    ) -> Result<(), LoginFailure> {
        if resolver.rules.phone_use == PhoneUse::LogIn {
            // A user without an identity may still get in by phone number, so only the account's state can
            // refuse at this point.
            resolver.rules.login_only = false;
            resolver.rules.registration = true;
        }
        let Some((refused, user)) = self.read(CheckLogin(resolver)).await? else { return Ok(()) };
        let refusal = match refused {
            LoginOutcome::LoginOnly => Code::NoAccount.into(),
            LoginOutcome::RegistrationOff => Code::RegistrationOff.into(),
            LoginOutcome::Snapshot => Code::SnapshotUser.into(),
            LoginOutcome::DeletionPending(at) => deletion_pending(at),
            _ => Code::Disabled.into(),
        };
        Err(LoginFailure { user, ..refusal.into() })
    }

    /// Seals the proof of a login that may have to wait, for storage with its flow.
    fn seal_proof(&self, proof: &Proof, flow: &FlowId) -> Result<Vec<u8>, Refusal> {
        let plain = zeroize::Zeroizing::new(serde_json::to_vec(proof).map_err(Refusal::internal)?);
        Ok(self.sealing.seal(&*self.random, &proof_context(flow), &plain))
    }

    /// The proof of a waiting login; none if the flow has none.
    ///
    /// # Errors
    /// [`Code::FlowUnknown`] if an earlier release sealed it in another format: the login has to start again.
    pub(crate) fn open_proof(&self, flow: &FlowId, sealed: &[u8]) -> Result<Option<Proof>, Refusal> {
        if sealed.is_empty() {
            return Ok(None);
        }
        let opened = self.sealing.open(&proof_context(flow), sealed).map_err(Refusal::internal)?;
        serde_json::from_slice(opened.expose()).map(Some).map_err(|_| Code::FlowUnknown.into())
    }

    /// Binds an identity to the user who is logged in. The login must be recent.
    #[boxed]
    pub async fn bind_identity(
        &self,
        who: &Authenticated,
        connection: &Connection,
        code: &str,
    ) -> Result<(), Refusal> {
        let trace = self.trace_of_connection(who, connection);
        let result = async {
            // Before the code is spent.
            let recent = self.require_recent_login_for(who, Action::IdentityBound).await?;
            let Proved { proof, code } = match self.prove_for(who, connection, code).await {
                Ok(proved) => proved,
                Err(refusal) => {
                    let errcode = wechat_error(&refusal).and_then(hufu_wechat::Error::errcode);
                    let details = json!({ "by": connection.kind.as_str(), "errcode": errcode });
                    let action = Action::IdentityBound;
                    return Err(self.refused(who, trace.clone(), action, details, refusal).await);
                }
            };
            let unit = Bind {
                pool: who.pool().clone(),
                user: who.user.clone(),
                connection: connection.id.clone(),
                exchange: Some((code.hash.clone(), self.exchange_record(&who.application, &code))),
                proof,
                recent,
                trace: trace.clone(),
            };
            self.bind_proved(unit).await
        };
        let result = result.await;
        if let Err(refusal) = &result {
            log_refusal(&who.application, connection, refusal);
        }
        result
    }

    /// Binds what was proved to the account of whoever is logged in.
    pub(crate) async fn bind_proved(&self, unit: Bind) -> Result<(), Refusal> {
        self.write(unit).await?.into_result()
    }

    /// As [`Self::trace_of`], for what somebody does with a connection.
    pub(crate) fn trace_of_connection(&self, who: &Authenticated, connection: &Connection) -> Trace {
        Trace { connection: Some(connection.id.clone()), ..self.trace_of(who) }
    }
}

/// The login of whom a source has proved, and what its answer needs.
struct ProvedLogin {
    login: Login,
    secrets: LoginSecrets,
    ids: Ids,
}

/// The source's ids that an answer includes.
pub(crate) struct Ids {
    own: String,
    shared: Option<String>,
}

impl Ids {
    pub(crate) fn of(proof: &Proof) -> Self {
        Self { own: proof.own.value.clone(), shared: proof.shared.as_ref().map(|key| key.value.clone()) }
    }

    pub(crate) fn add_to(self, done: LoginDone) -> LoginDone {
        LoginDone { openid: Some(self.own), unionid: self.shared, ..done }
    }
}

/// The context that the proof of a waiting login is sealed under.
fn proof_context(flow: &FlowId) -> String {
    format!("login_flow:{flow}:proof")
}
