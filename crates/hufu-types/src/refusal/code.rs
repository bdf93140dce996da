//! The table of refusals.

/// Builds the enum and its look-ups. A row is: variant(arguments) => number, status, key for the integrator, key for
/// the person.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $(($($argument:ident),*))? => $number:literal, $status:literal, $integrator:literal, $person:literal;)*) => {
        /// A refusal by its name in code. Its number never changes its meaning; several rows may share one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every row.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable number: docs/errors.md lists all of them.
            pub const fn number(self) -> u32 {
                match self { $(Self::$name => $number,)* }
            }

            /// What kind of refusal it is, in numbers of HTTP.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The key of the sentence for integrators.
            pub const fn integrator_key(self) -> &'static str {
                match self { $(Self::$name => $integrator,)* }
            }

            /// The key of the sentences for people.
            pub const fn person_key(self) -> &'static str {
                match self { $(Self::$name => $person,)* }
            }

            /// The placeholders that its sentences may have.
            pub const fn arguments(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($(stringify!($argument)),*)?],)* }
            }
        }
    };
}

codes! {
    // The request and what it names.
    /// The client names neither an application nor a pool.
    NothingNamed => 2101, 400, "nothing-named", "not-set-up";
    /// No such pool.
    PoolUnknown => 2224, 404, "pool-unknown", "not-set-up";
    /// No such application, or it is switched off.
    ApplicationUnknown => 2011, 404, "application-unknown", "not-set-up";
    /// The pool has no application that could serve a client that names only the pool.
    NoDefaultApplication => 2011, 404, "no-default-application", "not-set-up";
    /// Application header, pool header and token contradict each other.
    Disagreement => 2020, 401, "disagreement", "login-again";
    /// The pool has no connection of this identifier.
    ConnectionUnknown(connection) => 2402, 404, "connection-unknown", "not-set-up";
    /// The connection is switched off.
    ConnectionOff(connection) => 2403, 403, "connection-off", "way-not-available";
    /// The connection is not switched on for this application.
    ConnectionNotForApplication(connection) => 2404, 403, "connection-not-for-application", "way-not-available";
    /// The application has no connection of the kind that the call needs.
    NoConnection(kind) => 2405, 403, "no-connection", "way-not-available";
    /// The connection that the client names is of another kind than the call needs.
    ConnectionOfOtherKind(connection, kind) => 2409, 400, "connection-of-other-kind", "not-set-up";
    /// The request comes from a mini program that none of the application's connections is for.
    OtherMiniProgram(app) => 2406, 403, "other-mini-program", "not-set-up";
    /// A field of the request is missing or wrong.
    Invalid(field, reason) => 2231, 400, "invalid", "invalid";
    /// The body is too large.
    BodyTooLarge(limit) => 413, 413, "body-too-large", "too-large";

    // Codes of WeChat, and what WeChat seals.
    /// The code has not the form of a code.
    CodeMalformed => 2207, 400, "code-malformed", "wechat-not-confirmed";
    /// WeChat does not know the code: unknown, expired, or another mini program's.
    CodeInvalid => 2207, 400, "code-invalid", "wechat-not-confirmed";
    /// The code was used.
    CodeUsed => 2206, 400, "code-used", "wechat-not-confirmed";
    /// WeChat does not accept the phone code.
    PhoneCodeInvalid => 2207, 400, "phone-code-invalid", "wechat-no-phone";
    /// Data that should be sealed by WeChat does not open, is stale or another app's.
    DataUndecryptable => 2016, 400, "data-undecryptable", "wechat-not-confirmed";
    /// WeChat gave a phone number that is not one.
    PhoneMalformed => 2016, 502, "phone-malformed", "wechat-no-phone";
    /// The refresh token does not hold.
    GrantInvalid => 2207, 400, "grant-invalid", "login-again";
    /// The token endpoint does not answer this `grant_type`.
    GrantUnsupported => 2231, 400, "grant-unsupported", "not-set-up";

    // WeChat itself.
    /// The person may not log in by WeChat's own judgement.
    Denied => 1001, 403, "wechat-denied", "wechat-denied";
    /// The connection's settings are wrong at WeChat.
    Misconfigured => 2407, 503, "misconfigured", "not-set-up";
    /// The mini program is frozen, banned or gone.
    AppDown => 2408, 503, "app-down", "wechat-app-down";
    /// WeChat's own limits are reached.
    WechatLimit => 1002, 429, "wechat-limit", "too-often";
    /// WeChat did not answer in time.
    WechatSlow => 408, 504, "wechat-slow", "wechat-unreachable";
    /// WeChat is busy or not reachable.
    WechatDown => 1000, 503, "wechat-down", "wechat-unreachable";
    /// WeChat answered nonsense, or our request was wrong.
    WechatNonsense => 500, 502, "wechat-nonsense", "wechat-unreachable";

    // The person.
    /// A stranger came through a connection that makes no users.
    NoAccount => 2004, 403, "no-account", "no-account";
    /// A stranger, where the pool makes no users.
    RegistrationOff => 2031, 403, "registration-off", "registration-off";
    /// A virtual user of WeChat's "snapshot page", who is nobody.
    SnapshotUser => 2412, 403, "snapshot-user", "snapshot-user";
    /// The account is switched off.
    Disabled => 2005, 403, "disabled", "disabled";
    /// The account was deleted by its owner, and is gone for good at this time.
    DeletionPending(at, date) => 2413, 403, "deletion-pending", "deletion-pending";
    /// No bearer token, or one that does not hold.
    NotLoggedIn => 2020, 401, "not-logged-in", "login-again";
    /// The id in the request is not the token's own user.
    NotYourself => 1001, 403, "not-yourself", "not-permitted";
    /// The identity belongs to another user.
    IdentityTaken => 2213, 409, "identity-taken", "identity-taken";
    /// The user has another identity of the same app.
    AnotherIdentityBound => 2215, 409, "another-identity-bound", "another-identity-bound";
    /// Too much of something in too short a time.
    TooOften => 1002, 429, "too-often", "too-often";

    // Logins that wait.
    /// Nobody is known by this identity; an account may be bound or made.
    BindOrCreate => 1641, 499, "bind-or-create", "bind-or-create";
    /// Nobody is known by this identity; an account may be bound.
    Bind => 1640, 499, "bind", "bind";
    /// A new password must be set.
    SetPassword => 1639, 499, "set-password", "set-password";
    /// Required fields are empty.
    FillIn => 1642, 499, "fill-in", "fill-in";
    /// Agreements are not accepted.
    Agree => 2414, 499, "agree", "agree";
    /// The ids of one person name two accounts.
    Choose => 2921, 499, "choose", "choose";
    /// There is no such waiting login: gone through, expired, another browser's, or the handle of an earlier step.
    FlowUnknown => 2206, 400, "flow-unknown", "flow-unknown";
    /// The connection does not permit to bind accounts in this way.
    MethodNotPermitted => 2415, 403, "method-not-permitted", "way-not-available";
    /// Something that the login asks for is still missing.
    StillMissing => 2416, 400, "still-missing", "still-missing";
    /// The account is not one of those to choose from.
    NotACandidate => 2417, 400, "not-a-candidate", "not-a-candidate";
    /// The step is not possible where the login stands.
    StepImpossible => 2231, 400, "step-impossible", "step-impossible";

    // Administration.
    /// No access key, or one that does not hold: unknown, revoked, expired, or of a dismissed administrator.
    AccessKeyInvalid => 2440, 401, "access-key-invalid", "login-again";
    /// Username or password of an administrator is wrong, or there is no such administrator.
    AdministratorUnknown => 2441, 401, "administrator-unknown", "wrong-password";
    /// The role does not permit it.
    NotPermitted(permission) => 2442, 403, "not-permitted", "not-permitted";
    /// The pool has no such user.
    UserUnknown => 2443, 404, "user-unknown", "not-found";
    /// The user was changed since it was read.
    ChangedMeanwhile => 2444, 409, "changed-meanwhile", "changed-meanwhile";
    /// Another user has this login name.
    NameTaken(field) => 2445, 409, "name-taken", "name-taken";
    /// There is no such access key.
    NoSuchAccessKey => 2446, 404, "no-such-access-key", "not-found";
    /// There is no such administrator.
    NoSuchAdministrator => 2446, 404, "no-such-administrator", "not-found";
    /// There is no such session.
    NoSuchSession => 2446, 404, "no-such-session", "not-found";
    /// There is no such identity.
    NoSuchIdentity => 2446, 404, "no-such-identity", "not-found";
    /// There is no such login name.
    NoSuchLoginName => 2446, 404, "no-such-login-name", "not-found";
    /// There is no such connection.
    NoSuchConnection => 2446, 404, "no-such-connection", "not-found";
    /// There is no such import.
    NoSuchImport => 2446, 404, "no-such-import", "not-found";
    /// There is no such webhook.
    NoSuchWebhook => 2446, 404, "no-such-webhook", "not-found";
    /// There is no such delivery.
    NoSuchDelivery => 2446, 404, "no-such-delivery", "not-found";
    /// There is no such entry of the audit log.
    NoSuchEvent => 2446, 404, "no-such-event", "not-found";
    /// The account was merged into another, which is the one to act on.
    MergedInto(user) => 2447, 409, "merged-into", "merged-into";
    /// A deletion is called off that nobody asked for.
    DeletionNotRequested => 2448, 409, "deletion-not-requested", "status-forbids";
    /// The account is archived.
    AccountArchived => 2448, 409, "account-archived", "status-forbids";
    /// The account's owner asked for its deletion.
    DeletionRequested => 2448, 409, "deletion-requested", "status-forbids";
    /// The administrator's password was set by somebody else and must be replaced at the login.
    NewPasswordNeeded => 2449, 403, "new-password-needed", "set-password";
    /// A file of users that cannot be taken at all.
    ImportInvalid(field, reason) => 2450, 422, "import-invalid", "import-invalid";
    /// The import of another file of this name stopped after so many rows.
    ImportUnfinished(rows) => 2451, 409, "import-unfinished", "import-unfinished";
    /// An import is running.
    ImportRunning => 2452, 409, "import-running", "import-running";
    /// A file of users that is larger than the limit, in bytes.
    ImportTooLarge(limit) => 2453, 413, "import-too-large", "too-large";
    /// The pool has as many webhooks as it may have.
    TooManyWebhooks(most) => 2430, 409, "too-many-webhooks", "too-many-webhooks";
    /// The delivery is on its way already.
    DeliveryWaiting => 2431, 409, "delivery-waiting", "delivery-waiting";

    // Passwords and codes by SMS and e-mail.
    /// The code sent by SMS or e-mail is wrong, used or expired; or there is none.
    WrongCode => 2001, 400, "wrong-code", "wrong-code";
    /// The pool has nothing to send SMS with.
    NoSmsSender => 2420, 503, "no-sms-sender", "no-sms-sender";
    /// The pool has nothing to send e-mail with.
    NoMailSender => 2420, 503, "no-mail-sender", "no-mail-sender";
    /// The token of the first step is unknown, used, expired, another account's, or for something else.
    StepTokenInvalid => 2421, 400, "step-token-invalid", "step-token-invalid";
    /// Registering with an e-mail address needs a code in this pool.
    CodeNeeded => 2422, 400, "code-needed", "code-needed";
    /// There is no such account, or the password is another: which of the two is not said.
    WrongPassword => 2333, 400, "wrong-password", "wrong-password";
    /// Too many wrong passwords: no password is accepted for a while.
    Locked => 2057, 403, "locked", "locked";
    /// The password is too short.
    PasswordTooShort => 2061, 400, "password-too-short", "password-too-short";
    /// The password is too long.
    PasswordTooLong => 2061, 400, "password-too-long", "password-too-long";
    /// The password is one of those that are tried first.
    PasswordTooCommon => 2061, 400, "password-too-common", "password-too-common";
    /// The password contains a name of the account.
    PasswordContainsName => 2061, 400, "password-contains-name", "password-contains-name";
    /// The password has too few kinds of characters.
    PasswordTooPlain => 2061, 400, "password-too-plain", "password-too-plain";
    /// Another account has this username.
    UsernameTaken => 2034, 409, "username-taken", "username-taken";
    /// The phone number, which is proved, is another account's.
    PhoneTaken => 2035, 409, "phone-taken", "phone-taken";
    /// The e-mail address, which is proved, is another account's.
    EmailTaken => 2200, 409, "email-taken", "email-taken";
    /// An account of this e-mail address exists, which the person did not prove.
    AccountExists => 2026, 409, "account-exists", "account-exists";
    /// The password is changed only with the old one.
    OldPasswordNeeded => 2201, 400, "old-password-needed", "old-password-needed";
    /// The old password is another.
    OldPasswordWrong => 2203, 400, "old-password-wrong", "old-password-wrong";
    /// The phone number is not the account's, or the old one was not proved.
    OldPhoneMismatch => 2038, 400, "old-phone-mismatch", "old-phone-mismatch";
    /// The e-mail address is not the account's, or the old one was not proved.
    OldEmailMismatch => 2037, 400, "old-email-mismatch", "old-email-mismatch";
    /// A phone number is bound: it is changed, not bound.
    HasPhone => 2226, 409, "has-phone", "has-phone";
    /// An e-mail address is bound: it is changed, not bound.
    HasEmail => 2225, 409, "has-email", "has-email";
    /// Nothing of this kind is bound.
    NotBound => 2216, 400, "not-bound", "not-bound";
    /// Without it nobody could log in to the account any more.
    LastWayIn => 2217, 409, "last-way-in", "last-way-in";
    /// The pool tells nobody which accounts exist.
    ExistenceHidden => 1001, 403, "existence-hidden", "not-permitted";

    // One's own account.
    /// The login is too old for what is asked.
    LoginTooOld(minutes) => 2460, 403, "login-too-old", "login-too-old";
    /// The custom field is for administrators alone.
    FieldNotEditable(field) => 2461, 403, "field-not-editable", "not-permitted";
    /// The account has no living session of this id.
    SessionUnknown => 2462, 404, "session-unknown", "session-unknown";
    /// The account has no merge of this id.
    MergeUnknown => 2463, 404, "merge-unknown", "not-found";
    /// The merge was undone before.
    MergeAlreadyUndone => 2464, 409, "merge-already-undone", "merge-already-undone";
    /// The merge is too long ago to be undone.
    MergeTooOld => 2465, 403, "merge-too-old", "merge-too-old";
    /// The survivor was merged on into another account.
    SurvivorMerged => 2466, 409, "survivor-merged", "survivor-merged";
    /// Both ids are one account's already.
    SameAccount => 2467, 409, "same-account", "same-account";
    /// One of the accounts is switched off, leaving, or merged into a third.
    MergeImpossible => 2468, 409, "merge-impossible", "merge-impossible";
    /// The account has a username, which people do not change.
    HasUsername => 2469, 409, "has-username", "has-username";

    // Pictures.
    /// The upload is not a picture of a known kind.
    NotAPicture => 2410, 400, "not-a-picture", "not-a-picture";
    /// The upload is too large in bytes or pixels.
    PictureTooLarge => 2411, 413, "picture-too-large", "picture-too-large";

    // The server.
    /// The database is overloaded.
    Overloaded => 1000, 503, "overloaded", "overloaded";
    /// Something broke inside.
    Internal => 500, 500, "internal", "internal";

    // Addresses and forms.
    /// Nothing is at the address.
    PathUnknown => 404, 404, "path-unknown", "path-unknown";
    /// The address takes another HTTP method; a browser finds nothing to look at.
    NotForBrowsers => 405, 405, "not-for-browsers", "not-for-browsers";
    /// A development server was asked by another name than this machine's own.
    ForeignHost => 403, 403, "foreign-host", "foreign-host";
    /// A form without the token of this browser, or sent by another site's page.
    FormExpired => 403, 403, "form-expired", "form-expired";
    /// A form that is longer than any of ours.
    FormTooLarge => 413, 413, "form-too-large", "form-too-large";
    /// A form that is not filled in as ours are.
    FormIncomplete => 400, 400, "form-incomplete", "form-incomplete";
}

impl Code {
    /// Whether the fault is ours: logged with its causes where it becomes an answer, and nowhere before.
    pub const fn is_internal(self) -> bool {
        matches!(self, Self::Internal | Self::Overloaded)
    }

    /// Whether the pool does not take a password.
    pub const fn is_weak_password(self) -> bool {
        self.number() == Self::PasswordTooShort.number()
    }
}
