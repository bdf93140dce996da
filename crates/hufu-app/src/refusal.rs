//! Why something that a client asked for is not done.

use hufu_store::StoreError;
use hufu_types::{ConnectionKind, Identifier, Timestamp};

/// A refusal: nothing was stored. Surfaces turn it into their envelope, a stable
/// code and a sentence for the person; the `Display` text is for operators.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The client names neither an application nor a pool.
    #[error("the request names neither an application nor a user pool")]
    NothingNamed,
    /// No such pool.
    #[error("there is no such user pool")]
    PoolUnknown,
    /// No such application, or it is switched off.
    #[error("there is no such application")]
    ApplicationUnknown,
    /// The pool has no application that could serve a client that names only the pool.
    #[error("the user pool has no default application")]
    NoDefaultApplication,
    /// Application header, pool header and token contradict each other.
    #[error("the application, the user pool and the token of the request belong to different pools")]
    Disagreement,
    /// The pool has no connection of this identifier.
    #[error("the pool has no connection {0}")]
    ConnectionUnknown(String),
    /// The connection is switched off.
    #[error("the connection {0} is switched off")]
    ConnectionOff(Identifier),
    /// The connection is not switched on for this application.
    #[error("the connection {0} is not switched on for this application")]
    ConnectionNotForApplication(Identifier),
    /// The application has no connection of the kind that the call needs.
    #[error("no connection of type {} is switched on for this application", .0.as_str())]
    NoConnection(ConnectionKind),
    /// The connection that the client names is of another kind than the call needs.
    #[error("the connection {} is of type {}", .0, .1.as_str())]
    ConnectionOfOtherKind(Identifier, ConnectionKind),
    /// The request comes from a mini program that none of the application's connections is for.
    #[error("no connection of this application is for the mini program {0}")]
    OtherMiniProgram(String),
    /// The code has not the form of a code.
    #[error("the code is malformed")]
    CodeMalformed,
    /// WeChat does not know the code: unknown, expired, or another mini program's.
    #[error("WeChat does not accept the code")]
    CodeInvalid(#[source] hufu_wechat::Error),
    /// The code was used.
    #[error("the code was used before")]
    CodeUsed(#[source] Option<hufu_wechat::Error>),
    /// WeChat does not accept the phone code.
    #[error("WeChat does not accept the phone code")]
    PhoneCodeInvalid(#[source] hufu_wechat::Error),
    /// The person may not log in by WeChat's own judgement.
    #[error("WeChat refuses this person")]
    Denied(#[source] hufu_wechat::Error),
    /// The connection's settings are wrong at WeChat.
    #[error("the connection is misconfigured")]
    Misconfigured(#[source] hufu_wechat::Error),
    /// The mini program is frozen, banned or gone.
    #[error("the mini program is out of service at WeChat")]
    AppDown(#[source] hufu_wechat::Error),
    /// WeChat's own limits are reached.
    #[error("WeChat's limit is reached")]
    WechatLimit(#[source] hufu_wechat::Error),
    /// WeChat did not answer in time.
    #[error("WeChat did not answer in time")]
    WechatSlow(#[source] hufu_wechat::Error),
    /// WeChat is busy or not reachable.
    #[error("WeChat is busy or not reachable")]
    WechatDown(#[source] hufu_wechat::Error),
    /// WeChat answered nonsense, or our request was wrong.
    #[error("WeChat's answer makes no sense")]
    WechatNonsense(#[source] hufu_wechat::Error),
    /// Data that should be sealed by WeChat does not open, is stale or another app's.
    #[error("the encrypted data cannot be accepted")]
    DataUndecryptable(#[source] hufu_wechat::DataError),
    /// WeChat gave a phone number that is none.
    #[error("WeChat's phone number is malformed")]
    PhoneMalformed,
    /// A stranger came through a connection that makes no users.
    #[error("nobody is known by this identity, and the connection makes no users")]
    Stranger,
    /// A stranger, where the pool makes no users.
    #[error("nobody is known by this identity, and the pool makes no users")]
    RegistrationOff,
    /// A virtual user of WeChat's "snapshot page", who is nobody.
    #[error("WeChat answered for the virtual user of a snapshot page")]
    SnapshotUser,
    /// The account is switched off.
    #[error("the account is switched off")]
    Disabled,
    /// The account was deleted by its owner, and is gone for good at this time.
    #[error("the account was deleted by its owner")]
    Leaving(Timestamp),
    /// There is no such waiting login: gone through, expired, another browser's, or the handle of an earlier step.
    #[error("there is no such waiting login")]
    FlowUnknown,
    /// The step is not possible where the login stands.
    #[error("the step is not possible at this stage of the login")]
    StepImpossible,
    /// The connection does not permit to bind accounts in this way.
    #[error("the connection does not permit this way of binding an account")]
    MethodNotPermitted,
    /// Something that the login asks for is still missing.
    #[error("something that the login asks for is still missing")]
    StillMissing,
    /// The account is none of those to choose from.
    #[error("the account is none of those to choose from")]
    NotACandidate,
    /// No bearer token, or one that does not hold.
    #[error("the request carries no valid token")]
    NotLoggedIn,
    /// The id in the request is not the token's own user.
    #[error("the request is about another user than the token")]
    NotYourself,
    /// The identity leads to another user.
    #[error("the identity leads to another user")]
    IdentityTaken,
    /// The user has another identity of the same app.
    #[error("the user has another identity of this app")]
    AnotherIdentityBound,
    /// Something in the request is missing or wrong.
    #[error("{0}")]
    Invalid(String),
    /// The body is larger than this many bytes.
    #[error("the body is larger than {0} bytes")]
    BodyTooLarge(usize),
    /// Too much of something in too short a time.
    #[error("too often: {0}")]
    TooOften(&'static str),
    /// The upload is no picture of a known kind.
    #[error("the upload is no picture")]
    NotAPicture,
    /// The upload is too large in bytes or pixels.
    #[error("the upload is too large")]
    PictureTooLarge,
    /// The refresh token does not hold.
    #[error("the refresh token is not valid")]
    GrantInvalid,
    /// No access key, or one that does not hold: unknown, revoked, expired, or of a dismissed administrator.
    #[error("the request carries no valid access key")]
    NotAdministrating,
    /// Username or password of an administrator is wrong, or there is no such administrator.
    #[error("username or password of the administrator is wrong")]
    AdministratorUnknown,
    /// The administrator's password was set by somebody else and must be replaced at the login.
    #[error("the password must be replaced: give a new one as well")]
    NewPasswordNeeded,
    /// The role does not permit it.
    #[error("the role lacks the permission {}", .0.as_str())]
    NotPermitted(hufu_types::Permission),
    /// A file of users that cannot be taken at all, and why.
    #[error("the file cannot be imported: {0}")]
    ImportUnfit(String),
    /// The import of another file of this name stopped after so many rows.
    #[error("the import of another file of this name stopped after {0} rows")]
    ImportUnfinished(i64),
    /// An import is running.
    #[error("an import is running")]
    ImportRunning,
    /// A file of users that is larger than the limit, in bytes.
    #[error("the file has more than {0} bytes")]
    ImportTooLarge(u64),
    /// The pool has no such user.
    #[error("there is no such user")]
    UserUnknown,
    /// The user was changed since it was read.
    #[error("the user was changed since it was read")]
    ChangedMeanwhile,
    /// Another user has this login name.
    #[error("another user has this {0}")]
    NameTaken(&'static str),
    /// The pool has as many webhooks as it may have.
    #[error("the pool has {0} webhooks, and may have no more")]
    TooManyWebhooks(i64),
    /// The delivery is on its way already.
    #[error("the delivery is on its way already")]
    DeliveryWaiting,
    /// There is nothing of this kind with this id.
    #[error("there is no such {0}")]
    NoSuch(&'static str),
    /// The account was merged into another, which is the one to act on.
    #[error("the account was merged into {0}")]
    MergedInto(hufu_types::UserId),
    /// The account's status does not allow it.
    #[error("the account's status does not allow it: {0}")]
    StatusForbids(&'static str),
    /// The code sent by SMS or e-mail is wrong, used or expired; or there is none.
    #[error("the verification code is wrong, used or expired")]
    WrongCode,
    /// The pool has nothing to send such messages with.
    #[error("the pool has no sender for {}", .0.as_str())]
    NoSender(hufu_types::PasscodeChannel),
    /// There is no such account, or the password is another: which of the two is not told.
    #[error("the account or the password is wrong")]
    WrongPassword {
        /// How many tries are left before the account is locked.
        remaining: i64,
    },
    /// Too many wrong passwords: no password is accepted for a while.
    #[error("the account is locked after wrong passwords")]
    Locked,
    /// The pool does not take this password.
    #[error("the pool does not take this password")]
    WeakPassword(#[source] crate::credentials::password::Weakness),
    /// Another account has this username.
    #[error("another account has this username")]
    UsernameTaken,
    /// The phone number, which is proved, is another account's.
    #[error("another account has this phone number")]
    PhoneTaken,
    /// The e-mail address, which is proved, is another account's.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// An account of this e-mail address exists, which the person did not prove.
    #[error("an account of this e-mail address exists")]
    AccountExists,
    /// Registering with an e-mail address needs a code in this pool.
    #[error("registering with an e-mail address needs a code")]
    CodeNeeded,
    /// The password is changed only with the old one.
    #[error("the old password is needed")]
    OldPasswordNeeded,
    /// The old password is another.
    #[error("the old password is wrong")]
    OldPasswordWrong,
    /// The phone number is not the account's, or the old one was not proved.
    #[error("the old phone number is not the account's, or is not proved")]
    OldPhoneMismatch,
    /// The e-mail address is not the account's, or the old one was not proved.
    #[error("the old e-mail address is not the account's, or is not proved")]
    OldEmailMismatch,
    /// A phone number is bound: it is changed, not bound.
    #[error("the account has a phone number")]
    HasPhone,
    /// An e-mail address is bound: it is changed, not bound.
    #[error("the account has an e-mail address")]
    HasEmail,
    /// Nothing of this kind is bound.
    #[error("the account has nothing of this kind bound")]
    NotBound,
    /// Without it nobody could log in to the account any more.
    #[error("it is the last way into the account")]
    LastWayIn,
    /// The token of the first step is unknown, used, expired, another account's, or for something else.
    #[error("the token of the first step does not hold")]
    StepTokenInvalid,
    /// The pool tells nobody which accounts exist.
    #[error("the pool does not tell which accounts exist")]
    NotTold,
    /// The login is too old for what is asked.
    #[error("the login is older than {} minutes", .0.as_secs() / 60)]
    LoginTooOld(std::time::Duration),
    /// The custom field is for administrators alone.
    #[error("the custom field {0} is for administrators alone")]
    FieldNotEditable(String),
    /// The account has a username, which people do not change.
    #[error("the account has a username")]
    HasUsername,
    /// The account has no living session of this id.
    #[error("the account has no such session")]
    SessionUnknown,
    /// The account has no merge of this id.
    #[error("there is no such merge")]
    MergeUnknown,
    /// The merge was undone before.
    #[error("the merge was undone before")]
    MergeUndoneBefore,
    /// The merge is too long ago to be undone.
    #[error("the merge is too long ago to be undone")]
    MergeTooOld,
    /// The survivor was merged on into another account.
    #[error("the survivor of the merge was merged on into another account")]
    MergedOn,
    /// Both ids are one account's already.
    #[error("both are one account already")]
    SameAccount,
    /// One of the accounts is switched off, leaving, or merged into a third.
    #[error("one of the accounts cannot be merged as it stands")]
    MergeImpossible,
    /// The database is overloaded.
    #[error("overloaded")]
    Overloaded(#[source] StoreError),
    /// Something broke inside.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Refusal {
    /// An internal error with its cause.
    pub fn internal(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Internal(Box::new(cause))
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded => Self::Overloaded(error),
            error => Self::internal(error),
        }
    }
}
