//! What happens to people and their accounts: the actions of the audit log and the events of webhooks.

use serde::{Deserialize, Serialize};

use crate::application::text_enum;

text_enum! {
    /// What was done, or refused.
    Action {
        /// A person logged in.
        Login = "login",
        /// A person logged out.
        Logout = "logout",
        /// A person, or an administrator for them, ended sessions.
        SessionsEnded = "sessions.ended",
        /// A refresh token turned up that was replaced: its session was ended.
        TokenReused = "token.reused",
        /// An account was made.
        UserCreated = "user.created",
        /// An account's profile, login names or custom data were changed.
        UserUpdated = "user.updated",
        /// An account was switched off.
        UserDisabled = "user.disabled",
        /// An account was switched on again.
        UserEnabled = "user.enabled",
        /// An account was put away.
        UserArchived = "user.archived",
        /// A person asked for the deletion of their account.
        UserDeletionRequested = "user.deletion_requested",
        /// A deletion that was asked for was called off.
        UserDeletionCancelled = "user.deletion_cancelled",
        /// An account was deleted for good.
        UserDeleted = "user.deleted",
        /// Users were brought in from a file.
        UsersImported = "users.imported",
        /// Users were taken out to a file.
        UsersExported = "users.exported",
        /// An identity was led to an account.
        IdentityBound = "identity.bound",
        /// An identity was taken from an account.
        IdentityUnbound = "identity.unbound",
        /// Ids of one person named two accounts.
        IdentityConflict = "identity.conflict",
        /// A phone number was bound.
        PhoneBound = "phone.bound",
        /// A phone number was changed for another.
        PhoneChanged = "phone.changed",
        /// A phone number was taken from an account.
        PhoneUnbound = "phone.unbound",
        /// An e-mail address was bound.
        EmailBound = "email.bound",
        /// An e-mail address was changed for another.
        EmailChanged = "email.changed",
        /// An e-mail address was taken from an account.
        EmailUnbound = "email.unbound",
        /// A person verified their e-mail address.
        EmailVerified = "email.verified",
        /// A password was set, changed or reset.
        PasswordChanged = "password.changed",
        /// An account was locked after wrong passwords.
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
        /// A person took out their own data.
        DataExported = "data.exported",
        /// The configuration was changed by an administrator.
        ConfigurationChanged = "configuration.changed",
        /// A webhook was made, changed or deleted.
        WebhookChanged = "webhook.changed",
        /// An access key was made.
        AccessKeyCreated = "access_key.created",
        /// An access key was revoked.
        AccessKeyRevoked = "access_key.revoked",
        /// An administrator was appointed, changed or dismissed.
        AdministratorChanged = "administrator.changed",
        /// An administrator or access key asked for what they may not do.
        AdministrationRefused = "administration.refused",
        /// The audit log was taken out to a file.
        AuditExported = "audit.exported",
    }
}

text_enum! {
    /// Who did it.
    ActorKind {
        /// A person, about their own account.
        User = "user",
        /// An administrator who is logged in.
        Administrator = "administrator",
        /// An access key.
        AccessKey = "access_key",
        /// The command line, on the machine itself.
        Command = "command",
        /// The instance, by itself.
        System = "system",
    }
}
