//! Invitations to be an administrator: a mail with a link that is good once. Whoever opens it makes an account in the
//! system pool, or uses the one they have, and gets the role.

use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_connect::Fault;
use hufu_connect::invitation::{self as mail, invitation};
use hufu_store::administration::{self as store, Administrator};
use hufu_store::invitations::{self, GetInvitation, GetInvitationById, Invitation, ListInvitations};
use hufu_store::jobs::{self, Job, NewJob};
use hufu_store::rates::Limit;
use hufu_store::{StoreError, Tx, Write, users};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{
    AccessKeyId, Action, ActorKind, AdminRole, Email, JobId, Language, OpaqueToken, PasscodeChannel,
    Permission, PoolId, PoolRole, Timestamp, TokenHash, TokenPurpose, User, UserId, Username,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::administrators::{appointments, may_still_appoint};
use super::record;
use crate::address::network_of;
use crate::administration::AdminCaller;
use crate::administration::paging::{Page, PageRequest};
use crate::credentials::locks::Counted;
use crate::credentials::messages::NotSent;
use crate::digest::hash_token;
use crate::events::{Actor, Trace};
use crate::jobs::JobOutcome;
use crate::people::accounts::{self, NewAccount};
use crate::{App, Origin, Refusal};

/// The kind of jobs that send invitations. The payload is a sealed [`Message`].
pub(crate) const INVITATION_JOB: &str = "invitation";
/// Where the link leads.
const PAGE: &str = "/administration/invitation";
/// The shortest and the longest delay before an invitation is sent again.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);
/// How many characters of a pool's name the mail shows.
const LONGEST_NAME: usize = 64;

/// An invitation waiting to be sent.
#[derive(Serialize, Deserialize)]
struct Message {
    to: String,
    /// The name of the pool.
    pool: Option<String>,
    link: String,
    hours: u64,
    language: Language,
    expires_at: Timestamp,
}

/// What whoever opens the link of an invitation is shown.
#[derive(Clone, Debug)]
pub struct InvitationShown {
    /// The role.
    pub role: AdminRole,
    /// The name of the pool; `None` for all pools.
    pub pool: Option<String>,
}

/// How somebody accepts an invitation.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The token of the link.
    pub token: String,
    /// The name to log in with.
    pub username: String,
    /// The password: a new one, or that of the account that exists.
    pub password: SecretString,
    /// Whether they have an account in the system pool.
    pub has_account: bool,
}

impl App {
    /// Invites somebody to be an administrator, by mail.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::NoMailSender`], [`Code::TooOften`], [`Code::RecentLoginNeeded`],
    /// [`Code::PoolUnknown`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn invite_administrator(
        &self,
        by: &AdminCaller,
        email: &str,
        role: PoolRole,
        language: Language,
    ) -> Result<Invitation, Refusal> {
        let role = self.permit_appointing(by, vec![role]).await?.pop();
        let role = role.ok_or_else(|| Refusal::invalid("role", Reason::Missing))?;
        let email = Email::parse(email).map_err(|error| Refusal::invalid("email", error.into()))?;
        let system = PoolId::system();
        self.require_sender(&system, PasscodeChannel::Email).await?;
        let now = self.now();
        let token = OpaqueToken::generate(TokenPurpose::Invitation, &*self.random);
        let invitation = Invitation {
            id: AccessKeyId::generate(now, &*self.random),
            email: email.as_str().to_owned(),
            role,
            created_by: by.responsible.clone(),
            created_at: now,
            expires_at: now.plus(self.limits.invitation_life),
        };
        let pool = invitation.role.pool.as_ref();
        let message = Message {
            to: invitation.email.clone(),
            pool: pool.map(|pool| {
                // Of a name that is made to be read as something else, not all.
                self.config().pool_name(pool).unwrap_or_default().chars().take(LONGEST_NAME).collect()
            }),
            link: format!("{}{PAGE}?token={}", self.public_url(), token.expose()),
            hours: self.limits.invitation_life.as_secs() / 3600,
            language,
            expires_at: invitation.expires_at,
        };
        let job = JobId::generate(now, &*self.random);
        let plain = Zeroizing::new(serde_json::to_vec(&message).map_err(Refusal::internal)?);
        let payload = self.sealing.seal(&*self.random, &context(&job), &plain);
        let limit = |name: String, most: i64| Limit { name, most, window: self.limits.invitation_window };
        // Whoever makes keys sends no more by that.
        let responsible = by.responsible.as_ref().map(UserId::as_str);
        let sender = responsible.or(by.actor.id.as_deref()).unwrap_or_default();
        let of_pool = invitation.role.pool.as_ref().unwrap_or(&system);
        let address = hex::encode(self.sealing.mac("invitation:address", invitation.email.as_bytes()));
        let unit = Invite {
            hash: hash_token(token.expose()),
            limits: [
                limit(format!("invitations:{sender}"), self.limits.invitations_per_sender),
                limit(format!("invitations_of:{of_pool}"), self.limits.invitations_per_pool),
                limit(format!("invitations_to:{address}"), self.limits.invitations_per_address),
            ]
            .into_iter()
            // Where everybody may sign up, one person is many senders.
            .chain(by.origin.ip.as_deref().map(|ip| {
                let network = network_of(ip);
                limit(format!("invitations_from:{network}"), self.limits.invitations_per_ip)
            }))
            .collect(),
            masked: email.masked(),
            job: NewJob { id: job, kind: INVITATION_JOB, pool: system, payload, run_at: now },
            invitation: invitation.clone(),
            trace: self.trace_in(by, None),
        };
        match self.write(unit).await? {
            Invited::Yes => {
                self.jobs_waiting.notify_one();
                Ok(invitation)
            }
            Invited::TooOften => {
                let wait = hufu_store::rates::wait(self.limits.invitation_window, now);
                Err(Code::TooOften.retry_after(wait).because("invitations"))
            }
            Invited::Dismissed => Err(self.no_longer_permitted(by, Permission::ManageAdministrators).await?),
        }
    }

    /// The invitations for roles where the caller manages administrators, in the order in which they were sent.
    ///
    /// # Errors
    /// [`Code::Invalid`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn invitations(
        &self,
        by: &AdminCaller,
        page: &PageRequest,
    ) -> Result<Page<Invitation>, Refusal> {
        let reach = self.permit_somewhere(by, Permission::ManageAdministrators).await?;
        let wanted = page.read()?;
        let (after, limit) = (wanted.after_id(), wanted.limit());
        let found = self.read(ListInvitations { now: self.now(), reach, after, limit }).await?;
        Ok(wanted.page(found, |last| [last.id.as_str().to_owned()]))
    }

    /// Withdraws an invitation.
    ///
    /// # Errors
    /// [`Code::NoSuchInvitation`], [`Code::RecentLoginNeeded`], [`Code::NotPermitted`].
    #[boxed]
    pub async fn withdraw_invitation(&self, by: &AdminCaller, id: &str) -> Result<(), Refusal> {
        let reach = self.permit_somewhere(by, Permission::ManageAdministrators).await?;
        self.check_recent_login(by)?;
        let id = AccessKeyId::parse(id).map_err(|_| Code::NoSuchInvitation)?;
        let found = self.read(GetInvitationById(id, self.now())).await?;
        let found = found.filter(|invitation| reach.has(invitation.role.pool.as_ref()));
        let invitation = found.ok_or(Code::NoSuchInvitation)?;
        let unit = Withdraw { invitation, trace: self.trace_in(by, None) };
        if self.write(unit).await? { Ok(()) } else { Err(Code::NoSuchInvitation.into()) }
    }

    /// What whoever opens the link is shown.
    ///
    /// # Errors
    /// [`Code::InvitationUnknown`].
    #[boxed]
    pub async fn invitation(&self, token: &str) -> Result<InvitationShown, Refusal> {
        let found = self.read(GetInvitation(hash_token(token), self.now())).await?;
        let PoolRole { pool, role } = found.ok_or(Code::InvitationUnknown)?.role;
        let config = self.config();
        match pool {
            None => Ok(InvitationShown { role, pool: None }),
            Some(pool) => {
                let name = config.pool_name(&pool).ok_or(Code::InvitationUnknown)?.to_owned();
                Ok(InvitationShown { role, pool: Some(name) })
            }
        }
    }

    /// Accepts an invitation. A role that somebody has in that pool already stays as it is.
    ///
    /// # Errors
    /// [`Code::InvitationUnknown`], [`Code::NameTaken`], [`Code::Invalid`], `Code::WeakPassword`; for an account that
    /// exists [`Code::AdministratorUnknown`], [`Code::NewPasswordNeeded`], [`Code::TooOften`].
    #[boxed]
    pub async fn accept_invitation(
        &self,
        acceptance: Acceptance,
        origin: &Origin,
    ) -> Result<Administrator, Refusal> {
        let Acceptance { token, username, password, has_account } = acceptance;
        // Before any password is hashed: others cannot make the server do that here.
        self.invitation(&token).await?;
        let (system, now) = (PoolId::system(), self.now());
        let turn = self.hashing_turn(origin.ip.as_deref()).await?;
        let by = if has_account {
            let (found, counted) =
                self.prove_administrator(&turn, &username, &password, false, origin).await?;
            if found.must_reset {
                return Err(Code::NewPasswordNeeded.into());
            }
            Accepting::Known(found.user, counted)
        } else {
            let name =
                Username::parse(&username).map_err(|error| Refusal::invalid("username", error.into()))?;
            self.check_new_password(&system, password.expose_secret(), &[&username])?;
            let hash = self.hasher.hash(&turn, password, &*self.random).await?;
            let user = User {
                username: Some(name),
                ..User::new(system.clone(), UserId::generate(now, &*self.random), "admin", now)
            };
            Accepting::New(Box::new(user), hash)
        };
        let user = match &by {
            Accepting::Known(user, _) => user.clone(),
            Accepting::New(user, _) => user.id.clone(),
        };
        let actor = Actor { kind: ActorKind::Administrator, id: Some(user.as_str().to_owned()) };
        let trace = self.trace(&system, Some(actor), None, None, origin);
        match self.write(Accept { hash: hash_token(&token), by, user, trace }).await? {
            Accepted::Yes(administrator) => Ok(*administrator),
            Accepted::NameTaken => Err(Code::NameTaken.with("field", "username")),
            Accepted::Unknown => Err(Code::InvitationUnknown.into()),
        }
    }

    /// Sends a queued invitation.
    pub(crate) async fn send_invitation(&self, job: &Job) -> JobOutcome {
        let opened = self.sealing.open(&context(&job.id), &job.payload).ok();
        let read = opened.and_then(|plain| serde_json::from_slice::<Message>(plain.expose()).ok());
        let failed = |why: &str| {
            tracing::error!(job = %job.id, "an invitation was not sent: {why}");
            JobOutcome::Failed
        };
        let Some(message) = read else { return failed("it cannot be read with this key or by this version") };
        let Ok(to) = Email::parse(&message.to) else { return failed("its address cannot be read") };
        if message.expires_at <= self.now() {
            return failed("it has expired");
        }
        let Message { pool, link, hours, language, .. } = &message;
        let said = mail::Invitation { pool: pool.as_deref(), link, hours: *hours };
        match self.send_mail(&job.pool, &invitation(to, *language, said)).await {
            Ok(()) => JobOutcome::Done,
            Err(NotSent::NotTried) => JobOutcome::Postponed(self.now().plus(FIRST_WAIT)),
            Err(NotSent::NoSender | NotSent::NoTemplate) => {
                failed("the pool `system` has no sender any more")
            }
            Err(NotSent::Reason(reason)) => failed(reason),
            Err(NotSent::Failed(error)) => {
                let (provider, code) = (error.provider(), error.code());
                let text = hufu_types::chain(&error);
                tracing::warn!(
                    provider,
                    code,
                    error = text,
                    attempts = job.attempts,
                    "an invitation was not sent"
                );
                let is_over = matches!(error.fault(), Fault::Recipient | Fault::Settings);
                if is_over || job.attempts >= self.limits.job_tries {
                    JobOutcome::Failed
                } else {
                    JobOutcome::RetryAt(self.retry_at(FIRST_WAIT, LONGEST_WAIT, job.attempts))
                }
            }
        }
    }
}

/// The sealing context of an invitation that waits to be sent.
fn context(id: &JobId) -> String {
    format!("job:{id}:invitation")
}

struct Invite {
    invitation: Invitation,
    hash: TokenHash,
    limits: Vec<Limit>,
    /// The address, as the audit log shows it.
    masked: String,
    job: NewJob,
    trace: Trace,
}

enum Invited {
    Yes,
    TooOften,
    /// Whoever answers for the caller may not give this role any more.
    Dismissed,
}

impl Write for Invite {
    type Out = Invited;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Invited, StoreError> {
        let Self { invitation, hash, limits, masked, job, trace } = self;
        let role = std::slice::from_ref(&invitation.role);
        if !may_still_appoint(tx, invitation.created_by.as_ref(), role).await? {
            return Ok(Invited::Dismissed);
        }
        for limit in limits {
            if limit.take(tx, trace.at).await?.is_none() {
                return Ok(Invited::TooOften);
            }
        }
        invitations::insert(tx, invitation, hash).await?;
        jobs::enqueue(tx, job).await?;
        let after = appointments(role);
        let details = json!({ "invitation": invitation.id.as_str(), "to": masked, "after": after });
        record(tx, &mut trace.recorder(), Action::InvitationChanged, None, details).await?;
        Ok(Invited::Yes)
    }
}

struct Withdraw {
    invitation: Invitation,
    trace: Trace,
}

impl Write for Withdraw {
    /// Whether it was still there.
    type Out = bool;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<bool, StoreError> {
        let Self { invitation, trace } = self;
        if !invitations::delete(tx, &invitation.id).await? {
            return Ok(false);
        }
        let before = appointments(std::slice::from_ref(&invitation.role));
        let details = json!({ "invitation": invitation.id.as_str(), "before": before });
        record(tx, &mut trace.recorder(), Action::InvitationChanged, None, details).await?;
        Ok(true)
    }
}

/// Who accepts.
enum Accepting {
    /// Somebody with an account, and the counted try of their password.
    Known(UserId, Counted),
    /// Somebody who makes one, with the hash of the password.
    New(Box<User>, String),
}

struct Accept {
    hash: TokenHash,
    by: Accepting,
    user: UserId,
    trace: Trace,
}

enum Accepted {
    Yes(Box<Administrator>),
    NameTaken,
    Unknown,
}

impl Write for Accept {
    type Out = Accepted;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Accepted, StoreError> {
        let Self { hash, by, user, trace } = self;
        let system = PoolId::system();
        if let Accepting::New(user, _) = by
            && let Some(username) = &user.username
            && users::by_username(tx, &system, username).await?.is_some()
        {
            return Ok(Accepted::NameTaken);
        }
        let Some(invitation) = invitations::take(tx, hash, trace.at).await? else {
            return Ok(Accepted::Unknown);
        };
        let mut events = trace.recorder();
        match by {
            Accepting::Known(user, counted) => {
                counted.was_right(tx).await?;
                users::get_locked(tx, &system, user).await?;
            }
            Accepting::New(user, hash) => {
                let new = NewAccount { password_hash: Some(hash), ..NewAccount::of(user) };
                accounts::create(tx, &mut events, new, json!({})).await?;
            }
        }
        let before = store::roles_of(tx, user).await?;
        if !before.iter().any(|role| role.pool == invitation.role.pool) {
            store::put_role(tx, user, &invitation.role, trace.at).await?;
        }
        let after = store::roles_of(tx, user).await?;
        let details = json!({
            "invitation": invitation.id.as_str(),
            "before": appointments(&before),
            "after": appointments(&after),
        });
        record(tx, &mut events, Action::AdministratorChanged, Some(user), details).await?;
        let now = store::administrator(tx, user).await?;
        Ok(now.map_or(Accepted::Unknown, |administrator| Accepted::Yes(Box::new(administrator))))
    }
}
