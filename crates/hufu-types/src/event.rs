//! What happens to users and their accounts: the actions of the audit log and the events of webhooks.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::application::text_enum;

text_enum! {
    /// An action that was performed or refused.
    Action {
        /// A person logged in.
        Login = "login",
        /// A login that waited for the person's next step ended without it.
        LoginAbandoned = "login.abandoned",
        /// A person logged out.
        Logout = "logout",
        /// A user ended sessions, or an administrator ended them for the user.
        SessionsEnded = "sessions.ended",
        /// A person took back what they had let an application have.
        ConsentWithdrawn = "consent.withdrawn",
        /// A person let a device log in, on a page.
        DeviceApproved = "device.approved",
        /// A person denied a device its login, on a page.
        DeviceDenied = "device.denied",
        /// A refresh token was exchanged for new tokens.
        TokenRefreshed = "token.refreshed",
        /// A refresh token was used after it had been replaced, so its session was ended.
        TokenReused = "token.reused",
        /// An application revoked a token, so its session was ended.
        TokenRevoked = "token.revoked",
        /// A way to log in was added to an account that existed.
        WayInAdded = "way_in.added",
        /// An account was created.
        UserCreated = "user.created",
        /// An account's profile, login names or custom data were changed.
        UserUpdated = "user.updated",
        /// An account was disabled.
        UserDisabled = "user.disabled",
        /// An account was enabled again.
        UserEnabled = "user.enabled",
        /// An account was archived.
        UserArchived = "user.archived",
        /// A user requested the deletion of their account.
        UserDeletionRequested = "user.deletion_requested",
        /// A requested deletion was cancelled.
        UserDeletionCancelled = "user.deletion_cancelled",
        /// An account was permanently deleted.
        UserDeleted = "user.deleted",
        /// Users were imported from a file.
        UsersImported = "users.imported",
        /// An import was cancelled before its end.
        ImportCancelled = "users.import_cancelled",
        /// Users were exported to a file.
        UsersExported = "users.exported",
        /// An identity was linked to an account.
        IdentityBound = "identity.bound",
        /// An identity was unlinked from an account.
        IdentityUnbound = "identity.unbound",
        /// One person's ids pointed to two accounts.
        IdentityConflict = "identity.conflict",
        /// A phone number was bound.
        PhoneBound = "phone.bound",
        /// A phone number was replaced by another.
        PhoneChanged = "phone.changed",
        /// A phone number was removed from an account.
        PhoneUnbound = "phone.unbound",
        /// An e-mail address was bound.
        EmailBound = "email.bound",
        /// An e-mail address was replaced by another.
        EmailChanged = "email.changed",
        /// An e-mail address was removed from an account.
        EmailUnbound = "email.unbound",
        /// A person verified their e-mail address.
        EmailVerified = "email.verified",
        /// A password was set, changed or reset.
        PasswordChanged = "password.changed",
        /// An account was locked after too many wrong passwords.
        AccountLocked = "account.locked",
        /// A person unlocked their account.
        AccountUnlocked = "account.unlocked",
        /// A person accepted agreements.
        AgreementsAccepted = "agreements.accepted",
        /// A code was sent by SMS or e-mail.
        CodeSent = "code.sent",
        /// Two accounts were merged.
        UsersMerged = "users.merged",
        /// A merge was undone.
        MergeUndone = "users.merge_undone",
        /// A user exported their own data.
        DataExported = "data.exported",
        /// An administrator changed the configuration.
        ConfigurationChanged = "configuration.changed",
        /// An administrator sent a test message through a pool's sender.
        SenderTested = "sender.tested",
        /// The time of a removed pool was over, and everything in it was deleted.
        PoolErased = "pool.erased",
        /// WeChat has taken the app of a connection out of service, so its logins are refused.
        ConnectionUnavailable = "connection.unavailable",
        /// WeChat serves the app of a connection again.
        ConnectionRestored = "connection.restored",
        /// An administrator, or a service of the owner, got WeChat's app token of a connection.
        AppTokenRead = "app_token.read",
        /// An administrator ended WeChat's app token of a connection and had another one issued.
        AppTokenRefreshed = "app_token.refreshed",
        /// A webhook was created, changed or deleted.
        WebhookChanged = "webhook.changed",
        /// An access key was created.
        AccessKeyCreated = "access_key.created",
        /// An access key was revoked.
        AccessKeyRevoked = "access_key.revoked",
        /// The management key of a pool was created. One that exists goes on for a while.
        ManagementKeyCreated = "management_key.created",
        /// A management key was ended.
        ManagementKeyEnded = "management_key.ended",
        /// A token with which clients register was created.
        RegistrationTokenCreated = "registration_token.created",
        /// A token with which clients register was revoked.
        RegistrationTokenRevoked = "registration_token.revoked",
        /// An administrator was appointed, changed or dismissed.
        AdministratorChanged = "administrator.changed",
        /// Somebody was invited to be an administrator, or an invitation was withdrawn.
        InvitationChanged = "invitation.changed",
        /// An administrator or an access key attempted something that it has no permission for.
        AdministrationRefused = "administration.refused",
        /// The audit log was exported to a file.
        AuditExported = "audit.exported",
    }
}

text_enum! {
    /// Who performed the action.
    ActorKind {
        /// A user, on their own account.
        User = "user",
        /// An administrator who is logged in.
        Administrator = "administrator",
        /// An access key.
        AccessKey = "access_key",
        /// The management key of a pool, with which a published management client calls.
        ManagementKey = "management_key",
        /// An application that registered itself, on its own registration.
        Client = "client",
        /// The command line, on the server itself.
        Command = "command",
        /// The instance itself.
        System = "system",
    }
}

/// The name of an event for the receivers of webhooks. A refused action is an event with a name of its own, so that
/// nobody takes it for one that was performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventName {
    /// The action.
    pub action: Action,
    /// Whether it was refused.
    pub is_refused: bool,
}

impl EventName {
    /// What the names of refused actions end in.
    pub const REFUSED: &str = ".refused";

    /// The name for an action with this code, which is 0 if it was performed.
    pub fn of(action: Action, code: u32) -> Self {
        // The name of this action says it already.
        Self { action, is_refused: code != 0 && action != Action::AdministrationRefused }
    }

    /// Parses the name.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(action) = Action::parse(text) {
            return Some(action.into());
        }
        Action::parse(text.strip_suffix(Self::REFUSED)?).map(|action| Self { action, is_refused: true })
    }
}

impl From<Action> for EventName {
    fn from(action: Action) -> Self {
        Self { action, is_refused: false }
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action.as_str())?;
        f.write_str(if self.is_refused { Self::REFUSED } else { "" })
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for EventName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("the name of no event")
    }
}
