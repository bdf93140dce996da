//! The unit of a login: who arrives, which account, its session and what was exchanged for it.

use hufu_types::resolution::{Arrival, Conflict, Holdings, PhoneUse, Resolution, resolve};
use hufu_types::{
    ConnectionId, IdentityKey, Phone, PhoneProof, PoolId, Profile, SessionId, Timestamp, TokenHash, User,
    UserId, UserStatus,
};

use crate::refresh_tokens::NewRefreshToken;
use crate::sessions::NewSession;
use crate::users::{self, decode_user, user_columns};
use crate::{Read, StoreError, Tx, Write, exchanges, refresh_tokens, sessions, statements};

statements! {
    USER_BY_IDENTITY = concat!(
        "SELECT ", user_columns!(), "
         FROM identities i JOIN users ON users.pool_id = i.pool_id AND users.id = i.user_id
         WHERE i.pool_id = $1 AND i.realm = $2 AND i.kind = $3 AND i.value = $4"
    );
    NOTE_LOGIN = concat!(
        "UPDATE users
         SET logins_count = logins_count + $6, last_login_at = $3, last_ip = $4, last_application = $5
         WHERE pool_id = $1 AND id = $2
         RETURNING ", user_columns!()
    );
    FILL = "
        UPDATE users SET phone = $3, phone_proof = $4, profile = $5, updated_at = $6
        WHERE pool_id = $1 AND id = $2";
    RECORD_CONFLICT = "
        INSERT INTO identity_conflicts
            (pool_id, kind, chosen_user, other_user, connection_id, first_seen_at, last_seen_at, occurrences)
        VALUES ($1, $2, $3, $4, $5, $6, $6, 1)
        ON CONFLICT (pool_id, kind, chosen_user, other_user) DO UPDATE
        SET last_seen_at = excluded.last_seen_at, occurrences = identity_conflicts.occurrences + 1";
}

/// Who arrives, and what may come of it.
#[derive(Clone, Debug)]
pub struct Arriving {
    /// The pool.
    pub pool: PoolId,
    /// The ids that the source proved.
    pub arrival: Arrival,
    /// The phone number that the source proved.
    pub phone: Option<Phone>,
    /// Whether strangers are refused.
    pub login_only: bool,
}

/// Logs a person in.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who.
    pub who: Arriving,
    /// The id of the user, if one must be made.
    pub candidate: UserId,
    /// What fills an empty nickname and photo.
    pub profile: Profile,
    /// What makes the account, if one must be made.
    pub register_source: String,
    /// The session, if none goes on.
    pub session: NewSession,
    /// A session that goes on if it is the same user's: the same code came again.
    pub resume: Option<(UserId, SessionId)>,
    /// The refresh token, where one is wanted.
    pub refresh_token: Option<NewRefreshToken>,
    /// The record of the code: its hash and the sealed exchange.
    pub exchange: Option<(TokenHash, Vec<u8>)>,
}

/// What came of a login.
#[derive(Debug)]
pub enum LoginOutcome {
    /// The person is in.
    LoggedIn(Box<LoggedIn>),
    /// Nobody is known by these ids, and the connection makes no users.
    Stranger,
    /// The account is switched off.
    Disabled,
    /// The login that the same code began before is over: logged out, or revoked.
    Ended,
}

/// A login that was written.
#[derive(Debug)]
pub struct LoggedIn {
    /// The user as it is now.
    pub user: User,
    /// Whether the user was made.
    pub newly_created: bool,
    /// The session.
    pub session: SessionId,
    /// When the session began.
    pub session_created_at: Timestamp,
    /// Ids that disagree, for the log.
    pub conflict: Option<Conflict>,
}

impl Write for Login {
    type Out = LoginOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<LoginOutcome, StoreError> {
        let (pool, now) = (&self.who.pool, self.session.created_at);
        let (resolution, known) = self.who.resolve(tx).await?;
        let (user, newly_created, conflict, going_on) = match resolution {
            Resolution::Create { .. } if self.who.login_only => return Ok(LoginOutcome::Stranger),
            Resolution::Create { fill_phone } => {
                let user = self.new_user(fill_phone);
                users::insert(tx, &user, None).await?;
                self.attach(tx, &user.id, true, self.who.arrival.unionid.is_some()).await?;
                (user, true, None, None)
            }
            Resolution::LogIn { user, attach_openid, attach_unionid, fill_phone, conflict } => {
                let user = match known.into_iter().find(|k| k.id == user) {
                    Some(known) => known,
                    None => {
                        users::get(tx, pool, &user).await?.ok_or(StoreError::Corrupt { column: "user_id" })?
                    }
                };
                if !user.is_active() {
                    return Ok(LoginOutcome::Disabled);
                }
                // The same code again is the same login, and counts once.
                let going_on = match self.resumed(tx, &user.id).await? {
                    Resumed::Nothing => None,
                    Resumed::GoesOn(session, since) => Some((session, since)),
                    Resumed::Ended => return Ok(LoginOutcome::Ended),
                };
                self.attach(tx, &user.id, attach_openid, attach_unionid).await?;
                let counts = i64::from(going_on.is_none());
                (self.note(tx, &user.id, fill_phone, counts).await?, false, conflict, going_on)
            }
        };
        if let Some(conflict) = &conflict {
            record_conflict(tx, pool, &self.session.connection, conflict, now).await?;
        }
        let (session, session_created_at) = if let Some(going_on) = going_on {
            going_on
        } else {
            sessions::insert(tx, pool, &user.id, &self.session).await?;
            (self.session.id.clone(), now)
        };
        if let Some(token) = &self.refresh_token {
            refresh_tokens::insert(tx, pool, &session, &self.session.application, token, now).await?;
        }
        if let Some((code, sealed)) = &self.exchange {
            let exchange = exchanges::Exchange {
                application: self.session.application.clone(),
                sealed: sealed.clone(),
                login: Some((user.id.clone(), session.clone())),
                created_at: now,
            };
            exchanges::put(tx, pool, code, &exchange).await?;
        }
        let done = LoggedIn { user, newly_created, session, session_created_at, conflict };
        Ok(LoginOutcome::LoggedIn(Box::new(done)))
    }
}

impl Login {
    fn new_user(&self, fill_phone: bool) -> User {
        let now = self.session.created_at;
        User {
            id: self.candidate.clone(),
            pool: self.who.pool.clone(),
            status: UserStatus::Activated,
            username: None,
            email: None,
            email_verified: false,
            phone: self.who.phone.clone().filter(|_| fill_phone).map(|phone| (phone, PhoneProof::Wechat)),
            external_id: None,
            profile: self.profile.clone(),
            custom_data: serde_json::Map::new(),
            logins_count: 1,
            last_login_at: Some(now),
            last_ip: self.session.ip.clone(),
            last_application: Some(self.session.application.clone()),
            register_source: self.register_source.clone(),
            created_at: now,
            updated_at: now,
        }
    }

    async fn attach(
        &self,
        tx: &mut Tx<'_>,
        user: &UserId,
        openid: bool,
        unionid: bool,
    ) -> Result<(), StoreError> {
        let arrival = &self.who.arrival;
        let openid = openid.then_some(&arrival.openid);
        let unionid = arrival.unionid.as_ref().filter(|_| unionid);
        for key in openid.into_iter().chain(unionid) {
            let now = self.session.created_at;
            users::insert_identity(tx, &self.who.pool, user, &self.session.connection, key, now).await?;
        }
        Ok(())
    }

    /// Counts the login of a known user and fills what is empty.
    async fn note(
        &self,
        tx: &mut Tx<'_>,
        user: &UserId,
        fill_phone: bool,
        counts: i64,
    ) -> Result<User, StoreError> {
        let (pool, now) = (&self.who.pool, self.session.created_at);
        let values = [
            pool.into(),
            user.into(),
            now.into(),
            (&self.session.ip).into(),
            (&self.session.application).into(),
            counts.into(),
        ];
        // From here on the row is locked, and this is how it stands: what fills it overwrites nobody's change.
        let mut user = tx.optional(NOTE_LOGIN, &values, decode_user).await?.ok_or(StoreError::LostRace)?;
        if !user.is_active() {
            return Err(StoreError::LostRace);
        }

        let before = (user.phone.clone(), user.profile.clone());
        if fill_phone && user.phone.is_none() {
            user.phone = self.who.phone.clone().map(|phone| (phone, PhoneProof::Wechat));
        }
        fill_empty(&mut user.profile.nickname, self.profile.nickname.as_ref());
        fill_empty(&mut user.profile.photo, self.profile.photo.as_ref());
        if before != (user.phone.clone(), user.profile.clone()) {
            user.updated_at = now;
            let profile = serde_json::to_string(&user.profile)?;
            let values = [
                pool.into(),
                (&user.id).into(),
                user.phone.as_ref().map(|(phone, _)| phone.as_str()).into(),
                user.phone.as_ref().map(|(_, proof)| proof.as_str()).into(),
                (&profile).into(),
                now.into(),
            ];
            tx.execute(FILL, &values).await?;
        }
        Ok(user)
    }

    /// What became of the session that the same code began before, if it is this user's.
    async fn resumed(&self, tx: &mut Tx<'_>, user: &UserId) -> Result<Resumed, StoreError> {
        let Some((_, session)) = self.resume.as_ref().filter(|(owner, _)| owner == user) else {
            return Ok(Resumed::Nothing);
        };
        let found = sessions::get(tx, &self.who.pool, session).await?;
        Ok(match found.filter(|found| found.expires_at > self.session.created_at) {
            Some(found) => Resumed::GoesOn(session.clone(), found.created_at),
            None => Resumed::Ended,
        })
    }
}

/// What became of a session that a code began before.
enum Resumed {
    /// The code began none of this user's.
    Nothing,
    /// It is alive, since then.
    GoesOn(SessionId, Timestamp),
    /// It is over.
    Ended,
}

fn fill_empty(field: &mut Option<String>, value: Option<&String>) {
    if field.as_ref().is_none_or(String::is_empty) && value.is_some() {
        *field = value.cloned();
    }
}

impl Arriving {
    /// What is to be done, and the users that were read on the way.
    async fn resolve(&self, tx: &mut Tx<'_>) -> Result<(Resolution, Vec<User>), StoreError> {
        let (pool, arrival) = (&self.pool, &self.arrival);
        let by_openid = user_by_identity(tx, pool, &arrival.openid).await?;
        let by_unionid = match &arrival.unionid {
            Some(unionid) => users::identity_owner(tx, pool, unionid).await?,
            None => None,
        };
        let by_phone = match &self.phone {
            Some(phone) => users::by_phone(tx, pool, phone).await?,
            None => None,
        };
        let other_unionid = match (&by_openid, &arrival.unionid, &by_unionid) {
            (Some(user), Some(unionid), None) => {
                users::has_other_in_realm(tx, pool, &user.id, unionid).await?
            }
            _ => false,
        };
        let mut phone_is_another_persons = false;
        if let (Some(owner), Some(PhoneUse::LogIn)) = (&by_phone, arrival.phone) {
            for key in std::iter::once(&arrival.openid).chain(&arrival.unionid) {
                phone_is_another_persons |= users::has_other_in_realm(tx, pool, &owner.id, key).await?;
            }
        }
        let holdings = Holdings {
            by_openid: by_openid.as_ref().map(|u| u.id.clone()),
            by_unionid,
            by_phone: by_phone.as_ref().map(|u| u.id.clone()),
            other_unionid,
            phone_is_another_persons,
        };
        let known = by_openid.into_iter().chain(by_phone).collect();
        Ok((resolve(arrival, &holdings), known))
    }
}

/// Looks whether a login would be permitted, before a phone code is spent on it.
pub struct WouldLogIn(pub Arriving);

impl Read for WouldLogIn {
    /// Nothing where it would; else why not.
    type Out = Option<LoginOutcome>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        let (resolution, known) = self.0.resolve(tx).await?;
        Ok(match resolution {
            Resolution::Create { .. } if self.0.login_only => Some(LoginOutcome::Stranger),
            Resolution::Create { .. } => None,
            Resolution::LogIn { user, .. } => {
                let user = match known.into_iter().find(|k| k.id == user) {
                    Some(known) => Some(known),
                    None => users::get(tx, &self.0.pool, &user).await?,
                };
                user.filter(|u| !u.is_active()).map(|_| LoginOutcome::Disabled)
            }
        })
    }
}

/// Binds ids that a source proved to a user who is logged in.
pub struct Bind {
    /// The pool.
    pub pool: PoolId,
    /// The user.
    pub user: UserId,
    /// The connection through which they came.
    pub connection: ConnectionId,
    /// The ids.
    pub arrival: Arrival,
    /// The record of the code: its hash and the exchange.
    pub exchange: Option<(TokenHash, exchanges::Exchange)>,
    /// Now.
    pub now: Timestamp,
}

/// What came of binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindOutcome {
    /// The ids lead to the user (now, or already).
    Bound,
    /// One of them leads to another user.
    TakenByAnother,
    /// The user has another id of the same app.
    HasAnother,
}

impl Write for Bind {
    type Out = BindOutcome;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<BindOutcome, StoreError> {
        let (pool, user) = (&self.pool, &self.user);
        let mut missing = Vec::new();
        for key in std::iter::once(&self.arrival.openid).chain(&self.arrival.unionid) {
            match users::identity_owner(tx, pool, key).await? {
                Some(owner) if owner != *user => return Ok(BindOutcome::TakenByAnother),
                Some(_) => {}
                None if users::has_other_in_realm(tx, pool, user, key).await? => {
                    return Ok(BindOutcome::HasAnother);
                }
                None => missing.push(key),
            }
        }
        for key in missing {
            users::insert_identity(tx, pool, user, &self.connection, key, self.now).await?;
        }
        if let Some((code, exchange)) = &self.exchange {
            exchanges::put(tx, pool, code, exchange).await?;
        }
        Ok(BindOutcome::Bound)
    }
}

async fn user_by_identity(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    key: &IdentityKey,
) -> Result<Option<User>, StoreError> {
    let values = [pool.into(), (&key.realm).into(), key.kind.as_str().into(), (&key.value).into()];
    tx.optional(USER_BY_IDENTITY, &values, decode_user).await
}

async fn record_conflict(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    connection: &ConnectionId,
    conflict: &Conflict,
    now: Timestamp,
) -> Result<(), StoreError> {
    let values = [
        pool.into(),
        conflict.kind.as_str().into(),
        (&conflict.chosen).into(),
        (&conflict.other).into(),
        connection.into(),
        now.into(),
    ];
    tx.execute(RECORD_CONFLICT, &values).await.map(drop)
}
