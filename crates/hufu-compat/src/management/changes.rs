//! Creating, changing and deleting users.

use hufu_app::Refusal;
use hufu_app::administration::{AccountChange, Change, NewAccount, NewPassword, StatusChange, UserName};
use hufu_types::refusal::{Code, Reason};
use hufu_types::{IdentityKind, User, UserId, UserStatus};
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::call::Call;
use super::sent::Sent;
use super::users::{BATCH, status, success, user_name, username};
use crate::envelope::Success;
use crate::fields;
use crate::surface::Answer;
use crate::v3::profile::{read_change, user_dto};

/// Fields of a user about what Hufu does not have.
const NOT_SERVED: &[&str] =
    &["salt", "tenantIds", "otp", "departmentIds", "metadataSource", "metadata", "identityNumber"];
/// The same of the options.
const OPTIONS_NOT_SERVED: &[&str] =
    &["keepPassword", "autoGeneratePassword", "sendNotification", "sendPasswordResetedNotification"];

/// A name of the account: kept, set, or cleared by `null`.
fn name<T>(
    sent: &Sent,
    field: &'static str,
    parse: impl Fn(&str) -> Result<T, Refusal>,
) -> Result<Change<T>, Refusal> {
    Ok(match (sent.0.get(field), sent.text(field)?) {
        (None, _) => Change::Keep,
        (_, Some(text)) => Change::Set(parse(text)?),
        (_, None) => Change::Clear,
    })
}

/// The account of a request: its names, profile and custom data.
fn account(sent: &Sent, options: &Sent) -> Result<AccountChange, Refusal> {
    sent.without(NOT_SERVED)?;
    options.without(OPTIONS_NOT_SERVED)?;
    // What an administrator writes counts as verified.
    for (name, verified) in [("email", "emailVerified"), ("phone", "phoneVerified")] {
        if sent.text(name)?.is_some() && sent.flag(verified)? == Some(false) {
            return Err(Code::FieldNotServed.with("field", verified));
        }
    }
    let country = sent.text("phoneCountryCode")?.map(str::to_owned);
    let reset = match options.flag("resetPasswordOnFirstLogin")? {
        None => options.flag("resetPasswordOnNextLogin")?,
        reset => reset,
    };
    Ok(AccountChange {
        username: name(sent, "username", username)?,
        email: name(sent, "email", fields::email)?,
        phone: name(sent, "phone", |text| fields::phone(text, country.as_ref()))?,
        external_id: name(sent, "externalId", |text| Ok(text.to_owned()))?,
        must_reset: reset,
        profile: read_change(sent.0.clone(), &mut |_| Ok(()))?,
        unchanged_since: None,
    })
}

impl Call {
    /// The password of a request, which may be encrypted.
    async fn password(&self, sent: &Sent, options: &Sent) -> Result<Option<SecretString>, Refusal> {
        let Some(text) = sent.text("password")? else { return Ok(None) };
        let declared = options.text("passwordEncryptType")?.map(str::to_owned);
        let declared = match declared {
            None if self.is_v2 => None,
            declared => Some(fields::encryption_or_none(declared.as_ref())?),
        };
        self.app.open_password(text, declared).await.map(Some)
    }

    /// Brings an account to this status.
    pub(super) async fn set_status(&self, user: &UserId, wanted: UserStatus) -> Result<(), Refusal> {
        let change = match wanted {
            UserStatus::Activated => StatusChange::Enable,
            UserStatus::Suspended => StatusChange::Disable,
            UserStatus::Archived => StatusChange::Archive,
            UserStatus::Deactivated => return Err(Code::FieldNotServed.with("field", "status")),
        };
        self.app.change_status(&self.by, &self.pool, user, change).await.map(drop)
    }

    pub(super) async fn create_one(&self, sent: &Sent, options: &Sent) -> Result<Value, Refusal> {
        let wanted = status(sent.text("status")?)?.filter(|status| *status != UserStatus::Activated);
        let identities = sent.objects("identities", BATCH)?;
        let account = account(sent, options)?;
        let new = NewAccount { account, password: self.password(sent, options).await? };
        let user = self.app.create_user(&self.by, &self.pool, new).await?;
        let rest = async {
            for identity in &identities {
                self.link(&user.id, identity).await?;
            }
            if let Some(wanted) = wanted {
                self.set_status(&user.id, wanted).await?;
            }
            Ok::<(), Refusal>(())
        };
        match rest.await {
            Ok(()) => self.shown(&user.id).await,
            Err(refusal) => {
                self.app.delete_user(&self.by, &self.pool, &user.id).await?;
                Err(refusal)
            }
        }
    }

    pub(super) async fn update_one(&self, sent: &Sent, options: &Sent) -> Result<Value, Refusal> {
        let kind = options.text("userIdType")?;
        let name = user_name(kind, sent.required("userId")?)?;
        let id = self.app.find_user_id(&self.by, &self.pool, name).await?;
        let (wanted, password) = (status(sent.text("status")?)?, self.password(sent, options).await?);
        let change = account(sent, options)?;
        let must_reset = change.must_reset.unwrap_or_default();
        if password.is_some() {
            let request = NewPassword { password, must_reset, keep_sessions: false };
            self.app.set_password(&self.by, &self.pool, &id, request).await?;
        }
        let user = self.app.update_user(&self.by, &self.pool, &id, change).await?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != user.status) {
            self.set_status(&id, wanted).await?;
        }
        self.shown(&id).await
    }

    async fn shown(&self, id: &UserId) -> Result<Value, Refusal> {
        let found = self.app.find_user(&self.by, &self.pool, id).await?;
        Ok(Value::Object(with_custom_data(&found.user)))
    }

    /// Links the identity that a request describes to an account.
    async fn link(&self, user: &UserId, sent: &Sent) -> Result<(), Refusal> {
        let connection = self.connection_meant(sent.required("extIdpId")?).await?;
        let kind = match sent.text("type")? {
            None => IdentityKind::Openid,
            Some(text) => IdentityKind::parse(text).ok_or_else(|| {
                Refusal::invalid("type", Reason::NotOneOf { choices: "openid, unionid".into() })
            })?,
        };
        let value = sent.required("userIdInIdp")?;
        self.app.link_identity(&self.by, &self.pool, user, &connection, kind, value).await.map(drop)
    }
}

/// A user with custom data.
pub(super) fn with_custom_data(user: &User) -> Map<String, Value> {
    let mut dto = user_dto(user);
    dto.insert("customData".to_owned(), user.custom_data.clone().into());
    dto
}

/// `POST create-user`
pub(super) async fn create(call: Call) -> Answer<Success<Value>> {
    let options = call.sent.object("options")?;
    Ok(Success::new(call.create_one(&call.sent, &options).await?))
}

/// `POST create-users-batch`: one after the other. A refusal says in `data` how many were made before it.
pub(super) async fn create_batch(call: Call) -> Answer<Success<Value>> {
    let options = call.sent.object("options")?;
    let mut made = Vec::new();
    for one in call.sent.objects("list", BATCH)? {
        match call.create_one(&one, &options).await {
            Ok(user) => made.push(user),
            Err(refusal) => return Err(stopped(refusal, &made).into()),
        }
    }
    Ok(Success::new(made.into()))
}

/// `POST update-user`
pub(super) async fn update(call: Call) -> Answer<Success<Value>> {
    let options = call.sent.object("options")?;
    Ok(Success::new(call.update_one(&call.sent, &options).await?))
}

/// `POST update-user-batch`: as [`create_batch`].
pub(super) async fn update_batch(call: Call) -> Answer<Success<Value>> {
    let options = call.sent.object("options")?;
    let mut changed = Vec::new();
    for one in call.sent.objects("list", BATCH)? {
        match call.update_one(&one, &options).await {
            Ok(user) => changed.push(user),
            Err(refusal) => return Err(stopped(refusal, &changed).into()),
        }
    }
    Ok(Success::new(changed.into()))
}

/// A refusal after so many that were done.
fn stopped(refusal: Refusal, done: &[Value]) -> Refusal {
    if refusal.data().is_some() {
        return refusal;
    }
    let ids: Vec<_> = done.iter().filter_map(|user| user.get("userId").cloned()).collect();
    refusal.carrying(json!({ "done": ids }))
}

/// `POST delete-users-batch`. Those that there are not are deleted already.
pub(super) async fn delete_batch(call: Call) -> Answer<Success<Value>> {
    let options = call.sent.object("options")?;
    let kind = options.text("userIdType")?;
    for id in call.sent.texts("userIds", BATCH)? {
        call.delete_named(user_name(kind, &id)).await?;
    }
    Ok(success())
}

impl Call {
    /// Deletes an account, if there is one of this name.
    pub(super) async fn delete_named(&self, name: Result<UserName, Refusal>) -> Result<(), Refusal> {
        let found = match name {
            Ok(name) => self.app.find_user_id(&self.by, &self.pool, name).await,
            Err(refusal) => Err(refusal),
        };
        match found {
            Ok(id) => self.app.delete_user(&self.by, &self.pool, &id).await,
            Err(refusal) if refusal.is(Code::UserUnknown) => Ok(()),
            Err(refusal) => Err(refusal),
        }
    }

    /// Ends the sessions of an account in these applications, or in all.
    pub(super) async fn kick(&self, user: &UserId, applications: &[String]) -> Result<(), Refusal> {
        if applications.is_empty() {
            return self.app.end_sessions_of_user(&self.by, &self.pool, user, None).await.map(drop);
        }
        for session in self.app.sessions_of_user(&self.by, &self.pool, user).await? {
            if applications.iter().any(|id| id == session.application.as_str()) {
                let ended = self.app.end_sessions_of_user(&self.by, &self.pool, user, Some(session.id)).await;
                match ended {
                    Err(refusal) if !refusal.is(Code::NoSuchSession) => return Err(refusal),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// `POST kick-users`
pub(super) async fn kick(call: Call) -> Answer<Success<Value>> {
    let user = call.user_id().await?;
    call.kick(&user, &call.sent.texts("appIds", BATCH)?).await?;
    Ok(success())
}

/// `POST link-identity`
pub(super) async fn link_identity(call: Call) -> Answer<Success<Value>> {
    let user = call.user_id().await?;
    call.link(&user, &call.sent).await?;
    Ok(success())
}

/// `POST unlink-identity`: all identities that the account has of a connection.
pub(super) async fn unlink_identity(call: Call) -> Answer<Success<Value>> {
    let user = call.user_id().await?;
    let id = call.connection_meant(call.sent.required("extIdpId")?).await?;
    let kind = call.sent.text("type")?;
    let found = call.app.find_user(&call.by, &call.pool, &user).await?;
    let is_its = |identity: &&hufu_types::Identity| {
        identity.connection.as_str() == id && kind.is_none_or(|kind| kind == identity.key.kind.as_str())
    };
    let theirs: Vec<_> = found.identities.iter().filter(is_its).collect();
    if theirs.is_empty() {
        return Err(Code::NoSuchIdentity.into());
    }
    for identity in theirs {
        let identity = hufu_app::identity_id(&call.pool, &identity.key);
        match call.app.unlink_identity(&call.by, &call.pool, &user, &identity).await {
            // The UnionID goes with the OpenID.
            Err(refusal) if !refusal.is(Code::NoSuchIdentity) => return Err(refusal.into()),
            _ => {}
        }
    }
    Ok(success())
}
