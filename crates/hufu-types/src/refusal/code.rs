//! The table of refusals: every error that clients can receive.

/// Builds the enum and its lookup functions. A row is: variant(arguments) => number, status, key for
/// integrators, key for end users.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $(($($argument:ident),*))? => $number:literal, $status:literal, $integrator:literal, $person:literal;)*) => {
        /// A refusal. Its number never changes its meaning; several refusals may share one number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every refusal.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable error number. docs/errors.md lists them all.
            pub const fn number(self) -> u32 {
                match self { $(Self::$name => $number,)* }
            }

            /// The kind of refusal, as an HTTP status code.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The key of the sentence for integrators.
            pub const fn integrator_key(self) -> &'static str {
                match self { $(Self::$name => $integrator,)* }
            }

            /// The key of the sentences for end users.
            pub const fn person_key(self) -> &'static str {
                match self { $(Self::$name => $person,)* }
            }

            /// The placeholders that its sentences may contain.
            pub const fn arguments(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($(stringify!($argument)),*)?],)* }
            }

            /// The refusal that a kept number stands for: the first of that number which needs no arguments.
            pub fn of_kept(number: u32) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.number() == number && code.arguments().is_empty())
            }
        }
    };
}

codes! {
    // The request and what it refers to.
    /// The client named neither an application nor a pool, and the instance has several pools.
    NothingNamed => 2101, 400, "nothing-named", "not-set-up";
    /// No such pool.
    PoolUnknown => 2224, 404, "pool-unknown", "not-set-up";
    /// No such application, or it is disabled.
    ApplicationUnknown => 2011, 404, "application-unknown", "not-set-up";
    /// The pool has no application that can serve clients which name none.
    NoDefaultApplication => 2011, 404, "no-default-application", "not-set-up";
    /// The application header, the pool header and the token contradict each other.
    Disagreement => 2020, 401, "disagreement", "login-again";
    /// The pool has no connection with this identifier.
    ConnectionUnknown(connection) => 2402, 404, "connection-unknown", "not-set-up";
    /// The pool has no such connection, and what the client named it by cannot be repeated in a sentence.
    NamelessConnectionUnknown => 2402, 404, "nameless-connection-unknown", "not-set-up";
    /// The connection is disabled.
    ConnectionOff(connection) => 2403, 403, "connection-off", "way-not-available";
    /// The connection is not enabled for this application.
    ConnectionNotForApplication(connection) => 2404, 403, "connection-not-for-application", "way-not-available";
    /// The application has no connection of the required kind.
    NoConnection(kind) => 2405, 403, "no-connection", "way-not-available";
    /// The connection named by the client is of a different kind than the call requires.
    ConnectionOfOtherKind(connection, kind) => 2409, 400, "connection-of-other-kind", "not-set-up";
    /// The request comes from a mini program for which the application has no connection.
    OtherMiniProgram(app) => 2406, 403, "other-mini-program", "not-set-up";
    /// A field of the request is missing or invalid.
    Invalid(field, reason) => 2231, 400, "invalid", "invalid";
    /// The request body is too large.
    BodyTooLarge(limit) => 413, 413, "body-too-large", "too-large";
    /// The request body arrives too slowly.
    BodySlow => 408, 408, "body-slow", "body-slow";
    /// A JSON body whose content type is one that a browser sends to other sites without asking them, or is
    /// missing.
    ContentTypeWrong => 415, 415, "content-type-wrong", "not-set-up";

    // WeChat codes and data encrypted by WeChat.
    /// The code is malformed.
    CodeMalformed => 2207, 400, "code-malformed", "wechat-not-confirmed";
    /// WeChat rejected the code: unknown, expired, or issued to another mini program.
    CodeInvalid => 2207, 400, "code-invalid", "wechat-not-confirmed";
    /// The code has already been used.
    CodeUsed => 2206, 400, "code-used", "wechat-not-confirmed";
    /// WeChat rejected the phone code.
    PhoneCodeInvalid => 2207, 400, "phone-code-invalid", "wechat-no-phone";
    /// The data encrypted by WeChat cannot be decrypted, is stale, or belongs to another app.
    DataUndecryptable => 2016, 400, "data-undecryptable", "wechat-not-confirmed";
    /// WeChat returned an invalid phone number.
    PhoneMalformed => 2016, 502, "phone-malformed", "wechat-no-phone";
    /// The refresh token is not valid.
    GrantInvalid => 2207, 400, "grant-invalid", "login-again";
    /// The token endpoint does not support this `grant_type`.
    GrantUnsupported => 2231, 400, "grant-unsupported", "not-set-up";

    // WeChat itself.
    /// WeChat does not let this person log in.
    Denied => 1001, 403, "wechat-denied", "wechat-denied";
    /// WeChat rejected the settings of the connection.
    Misconfigured => 2407, 503, "misconfigured", "not-set-up";
    /// The mini program is frozen, banned or deleted.
    AppDown => 2408, 503, "app-down", "wechat-app-down";
    /// The ticket of a launched mini program is unknown, expired or used.
    LaunchTicketInvalid => 2621, 400, "launch-ticket-invalid", "wechat-not-confirmed";
    /// The connection is marked as unavailable, because WeChat has taken its app out of service.
    ConnectionUnavailable(connection) => 2408, 503, "connection-unavailable", "wechat-unavailable";
    /// WeChat's rate limits are exceeded.
    WechatLimit(seconds, minutes) => 1002, 429, "wechat-limit", "wechat-busy";
    /// WeChat did not answer in time.
    WechatSlow => 408, 504, "wechat-slow", "wechat-unreachable";
    /// WeChat is busy or unreachable.
    WechatDown => 1000, 503, "wechat-down", "wechat-unreachable";
    /// WeChat's response makes no sense, or Hufu's request was wrong.
    WechatNonsense => 500, 502, "wechat-nonsense", "wechat-unreachable";

    /// The apps of this kind of connection have no app tokens at WeChat.
    NoAppTokens(connection) => 2590, 409, "no-app-tokens", "not-set-up";

    // The user.
    /// The person is unknown, and the connection does not create users.
    NoAccount => 2004, 403, "no-account", "no-account";
    /// The application lets only those log in whom it lists, and does not list this account.
    NotListed => 2540, 403, "not-listed", "not-listed";
    /// The person is unknown, and the pool does not create users.
    RegistrationOff => 2031, 403, "registration-off", "registration-off";
    /// A virtual user of WeChat's "snapshot page", which does not stand for a real person.
    SnapshotUser => 2412, 403, "snapshot-user", "snapshot-user";
    /// The account is disabled.
    Disabled => 2005, 403, "disabled", "disabled";
    /// The account was deleted by its owner; `at` is when it will be permanently gone.
    DeletionPending(at, date) => 2413, 403, "deletion-pending", "deletion-pending";
    /// The same where only the number was kept, as with a QR code that a phone failed at.
    DeletionUnderWay => 2413, 403, "deletion-under-way", "deletion-under-way";
    /// The bearer token is missing or not valid.
    NotLoggedIn => 2020, 401, "not-logged-in", "login-again";
    /// The id in the request is not that of the token's user.
    NotYourself => 1001, 403, "not-yourself", "not-permitted";
    /// The identity is linked to another user.
    IdentityTaken => 2213, 409, "identity-taken", "identity-taken";
    /// The user already has a different identity of the same app.
    AnotherIdentityBound => 2215, 409, "another-identity-bound", "another-identity-bound";
    /// A rate limit was exceeded.
    TooOften(seconds, minutes) => 1002, 429, "too-often", "too-often";

    // Logins waiting for a step.
    /// The identity is unknown; the person may bind an account or create one.
    BindOrCreate => 1641, 499, "bind-or-create", "bind-or-create";
    /// The identity is unknown; the person may bind an account.
    Bind => 1640, 499, "bind", "bind";
    /// A new password must be set.
    SetPassword => 1639, 499, "set-password", "set-password";
    /// Required fields are empty.
    FillIn => 1642, 499, "fill-in", "fill-in";
    /// Required agreements have not been accepted.
    Agree => 2414, 499, "agree", "agree";
    /// One person's ids point to two accounts.
    Choose => 2921, 499, "choose", "choose";
    /// No such waiting login: already completed, expired, started in another browser, or the handle belongs
    /// to an earlier step.
    FlowUnknown => 2206, 400, "flow-unknown", "flow-unknown";
    /// The connection does not allow binding accounts with this method.
    MethodNotPermitted => 2415, 403, "method-not-permitted", "way-not-available";
    /// Something that the login requires is still missing.
    StillMissing => 2416, 400, "still-missing", "still-missing";
    /// The account is not among those to choose from.
    NotACandidate => 2417, 400, "not-a-candidate", "not-a-candidate";
    /// The login is not at a stage that allows this step.
    StepImpossible => 2231, 400, "step-impossible", "step-impossible";

    // Administration.
    /// The access key is missing or not valid: unknown, revoked, expired, or owned by a dismissed
    /// administrator.
    AccessKeyInvalid => 2440, 401, "access-key-invalid", "login-again";
    /// The administrator's username or password is wrong, or there is no such administrator.
    AdministratorUnknown => 2441, 401, "administrator-unknown", "wrong-password";
    /// The role does not have the required permission.
    NotPermitted(permission) => 2442, 403, "not-permitted", "not-permitted";
    /// The pool has no such user.
    UserUnknown => 2443, 404, "user-unknown", "not-found";
    /// The user was changed after the client read it.
    ChangedMeanwhile => 2444, 409, "changed-meanwhile", "changed-meanwhile";
    /// Another user has this login name.
    NameTaken(field) => 2445, 409, "name-taken", "name-taken";
    /// There is no such access key.
    NoSuchAccessKey => 2446, 404, "no-such-access-key", "not-found";
    /// The request of a management client has no valid key, signature or token.
    ManagementKeyInvalid => 2720, 401, "management-key-invalid", "login-again";
    /// The signature of a management client is valid, and its date too far from now.
    SignatureStale(most) => 2721, 401, "signature-stale", "login-again";
    /// The signed request of a management client was received before.
    SignatureUsed => 2722, 401, "signature-used", "login-again";
    /// A call of the published management clients about something that this version does not have.
    NotServedYet(subject) => 2723, 501, "not-served-yet", "path-unknown";
    /// A field of a management call about something that this version does not have.
    FieldNotServed(field) => 2724, 501, "field-not-served", "invalid";
    /// The pool has no such management key.
    NoSuchManagementKey => 2725, 404, "no-such-management-key", "not-found";
    /// The pool serves nobody: it is switched off, or was removed.
    PoolOff => 2740, 403, "pool-off", "pool-off";
    /// The pool was removed: until its rows go it comes back, and nothing else can be done with it.
    PoolRemoved => 2741, 409, "pool-removed", "not-found";
    /// The pool was not removed, or too long ago to come back.
    PoolNotRemoved => 2742, 409, "pool-not-removed", "not-found";
    /// The administrator logged in too long ago for what they want to do.
    RecentLoginNeeded(minutes) => 2743, 403, "recent-login-needed", "login-again";
    /// The link of an invitation is not good: it was used or withdrawn, has expired, or is not one.
    InvitationUnknown => 2744, 404, "invitation-unknown", "invitation-unknown";
    /// The login of an administrator in a browser is not the one that this browser began, or took too long.
    AdminLoginExpired => 2745, 400, "admin-login-expired", "admin-login-expired";
    /// The link that logs an administrator in is not good: it was used or replaced, has expired, or is not one.
    EntryLinkUnknown => 2746, 404, "entry-link-unknown", "entry-link-unknown";
    /// The application of an authorization request was removed or disabled while somebody was logging in to it.
    ApplicationGone => 2760, 404, "application-gone", "application-gone";
    /// The last owner of all pools who can log in would be none any more. Only the command line may do that.
    LastOwner => 2761, 409, "last-owner", "last-owner";
    /// There is no such invitation.
    NoSuchInvitation => 2446, 404, "no-such-invitation", "not-found";
    /// A page further into a list than is passed over for it.
    PageTooFar(rows) => 2726, 400, "page-too-far", "invalid";
    /// Secrets of applications are hashes, so they cannot be shown again.
    SecretNotKept => 2727, 409, "secret-not-kept", "not-found";
    /// The pool has no such identity source.
    NoSuchSource => 2728, 404, "no-such-source", "not-found";
    /// The pool has as many identity sources as it may have.
    TooManySources(most) => 2729, 409, "too-many-sources", "invalid";
    /// An identity source of several connections, where one is meant.
    SourceNotOne => 2730, 409, "source-not-one", "invalid";
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
    /// The pool has no such application.
    NoSuchApplication => 2446, 404, "no-such-application", "not-found";
    /// The application has no such client secret.
    NoSuchSecret => 2446, 404, "no-such-secret", "not-found";
    /// The pool has no sender for this channel.
    NoSuchSender => 2446, 404, "no-such-sender", "not-found";
    /// The pool has no scope, agreement or custom field of this name.
    NoSuchItem => 2446, 404, "no-such-item", "not-found";
    /// The object of the configuration was changed since the caller read it. Its present state is in the data.
    ObjectChanged => 2444, 409, "object-changed", "changed-meanwhile";
    /// Another object of the configuration has the id or identifier.
    ObjectTaken(field) => 2445, 409, "object-taken", "name-taken";
    /// An object of the configuration cannot be as requested. The data says which members are wrong, and why.
    ConfigurationInvalid => 2456, 422, "configuration-invalid", "invalid";
    /// The application's only client secret cannot be ended.
    OnlySecret => 2457, 409, "only-secret", "not-permitted";
    /// The account was merged into another account; use that one instead.
    MergedInto(user) => 2447, 409, "merged-into", "merged-into";
    /// There is no deletion request to cancel.
    DeletionNotRequested => 2448, 409, "deletion-not-requested", "status-forbids";
    /// The account is archived.
    AccountArchived => 2448, 409, "account-archived", "status-forbids";
    /// The account's owner has requested its deletion.
    DeletionRequested => 2448, 409, "deletion-requested", "status-forbids";
    /// The administrator's password was set by someone else and must be replaced at login.
    NewPasswordNeeded => 2449, 403, "new-password-needed", "set-password";
    /// The import file cannot be processed at all.
    ImportInvalid(field, reason) => 2450, 422, "import-invalid", "import-invalid";
    /// An import of a different file with the same name stopped after `rows` rows.
    ImportUnfinished(rows) => 2451, 409, "import-unfinished", "import-unfinished";
    /// An import is running.
    ImportRunning => 2452, 409, "import-running", "import-running";
    /// The import file exceeds the limit, in bytes.
    ImportTooLarge(limit) => 2453, 413, "import-too-large", "too-large";
    /// The files of all imports on this server together exceed the limit, in bytes.
    ImportsTooLarge(limit) => 2454, 503, "imports-too-large", "imports-too-large";
    /// The import has finished or was cancelled.
    ImportEnded => 2455, 409, "import-ended", "import-ended";
    /// The pool has reached its maximum number of webhooks.
    TooManyWebhooks(most) => 2430, 409, "too-many-webhooks", "too-many-webhooks";
    /// The delivery is already in progress.
    DeliveryWaiting => 2431, 409, "delivery-waiting", "delivery-waiting";

    // Passwords and codes by SMS and e-mail.
    /// The code sent by SMS or e-mail is wrong, already used or expired, or no code was sent.
    WrongCode => 2001, 400, "wrong-code", "wrong-code";
    /// The pool has no SMS sender.
    NoSmsSender => 2420, 503, "no-sms-sender", "no-sms-sender";
    /// The pool has no e-mail sender.
    NoMailSender => 2420, 503, "no-mail-sender", "no-mail-sender";
    /// The token of the first step is unknown, already used, expired, for another account, or for another
    /// purpose.
    StepTokenInvalid => 2421, 400, "step-token-invalid", "step-token-invalid";
    /// In this pool, registering with an e-mail address requires a code.
    CodeNeeded => 2422, 400, "code-needed", "code-needed";
    /// No such account, or wrong password; deliberately not saying which.
    WrongPassword => 2333, 400, "wrong-password", "wrong-password";
    /// Too many wrong passwords: no password is accepted for a while.
    Locked => 2057, 403, "locked", "locked";
    /// The password is too short.
    PasswordTooShort => 2061, 400, "password-too-short", "password-too-short";
    /// The password is too long.
    PasswordTooLong => 2061, 400, "password-too-long", "password-too-long";
    /// The password is a common one, which attackers try first.
    PasswordTooCommon => 2061, 400, "password-too-common", "password-too-common";
    /// The password contains a login name of the account.
    PasswordContainsName => 2061, 400, "password-contains-name", "password-contains-name";
    /// The password contains too few character classes.
    PasswordTooPlain => 2061, 400, "password-too-plain", "password-too-plain";
    /// Another account has this username.
    UsernameTaken => 2034, 409, "username-taken", "username-taken";
    /// The phone number was proved, but belongs to another account.
    PhoneTaken => 2035, 409, "phone-taken", "phone-taken";
    /// The e-mail address was proved, but belongs to another account.
    EmailTaken => 2200, 409, "email-taken", "email-taken";
    /// An account with this e-mail address exists, and the person has not proved that the address is theirs.
    AccountExists => 2026, 409, "account-exists", "account-exists";
    /// Changing the password requires the old one.
    OldPasswordNeeded => 2201, 400, "old-password-needed", "old-password-needed";
    /// The old password is wrong.
    OldPasswordWrong => 2203, 400, "old-password-wrong", "old-password-wrong";
    /// This is not the account's phone number, or the old number was not proved.
    OldPhoneMismatch => 2038, 400, "old-phone-mismatch", "old-phone-mismatch";
    /// This is not the account's e-mail address, or the old address was not proved.
    OldEmailMismatch => 2037, 400, "old-email-mismatch", "old-email-mismatch";
    /// A phone number is already bound; change it instead of binding one.
    HasPhone => 2226, 409, "has-phone", "has-phone";
    /// An e-mail address is already bound; change it instead of binding one.
    HasEmail => 2225, 409, "has-email", "has-email";
    /// Nothing of this kind is bound.
    NotBound => 2216, 400, "not-bound", "not-bound";
    /// It is the last way to log in to the account.
    LastWayIn => 2217, 409, "last-way-in", "last-way-in";
    /// The pool does not reveal which accounts exist.
    ExistenceHidden => 1001, 403, "existence-hidden", "not-permitted";

    // The user's own account.
    /// This operation requires a more recent login.
    LoginTooOld(minutes) => 2460, 403, "login-too-old", "login-too-old";
    /// The custom field can only be changed by administrators.
    FieldNotEditable(field) => 2461, 403, "field-not-editable", "not-permitted";
    /// The account has no active session with this id.
    SessionUnknown => 2462, 404, "session-unknown", "session-unknown";
    /// The account has not agreed to anything for this application.
    ConsentUnknown => 2640, 404, "consent-unknown", "consent-unknown";
    /// The account has no merge with this id.
    MergeUnknown => 2463, 404, "merge-unknown", "not-found";
    /// The merge has already been undone.
    MergeAlreadyUndone => 2464, 409, "merge-already-undone", "merge-already-undone";
    /// The merge is too old to be undone.
    MergeTooOld => 2465, 403, "merge-too-old", "merge-too-old";
    /// The surviving account has since been merged into another one.
    SurvivorMerged => 2466, 409, "survivor-merged", "survivor-merged";
    /// Both ids already refer to the same account.
    SameAccount => 2467, 409, "same-account", "same-account";
    /// One of the accounts is disabled, being deleted, or merged into a third one.
    MergeImpossible => 2468, 409, "merge-impossible", "merge-impossible";
    /// The account has a username, and users cannot change it.
    HasUsername => 2469, 409, "has-username", "has-username";
    /// The access token lacks the scope that the endpoint needs (RFC 6750 section 3.1).
    InsufficientScope(scope) => 2470, 403, "insufficient-scope", "not-permitted";

    // OpenID Connect.
    /// The client is unknown, or did not prove who it is in the way that it is registered with.
    ClientUnauthorized => 2480, 401, "client-unauthorized", "not-set-up";
    /// The redirect URI is missing, or is not one of the application's.
    RedirectUriUnknown => 2481, 400, "redirect-uri-unknown", "not-set-up";
    /// The application is not set up for this grant.
    GrantNotAllowed(grant) => 2482, 400, "grant-not-allowed", "not-set-up";
    /// The authorization code is unknown, expired or used, or was issued for another client, redirect URI or PKCE
    /// challenge.
    AuthorizationCodeInvalid => 2483, 400, "authorization-code-invalid", "login-again";
    /// The page belongs to an authorization request that is too old, or was not made here.
    LoginRequestExpired => 2484, 400, "login-request-expired", "login-request-expired";
    /// The application does not offer this method of logging in or of registering.
    LoginMethodOff(method) => 2485, 403, "login-method-off", "way-not-available";
    /// The address to go to after the logout is not one of the application's.
    LogoutUriUnknown => 2486, 400, "logout-uri-unknown", "not-set-up";
    /// The token was granted to an application that asks for consent. It reads the userinfo, and nothing else.
    ThirdPartyToken => 2488, 403, "third-party-token", "not-permitted";
    /// A token that a client got for itself. It has no session that could end, and expires by itself.
    TokenNotRevocable => 2489, 400, "token-not-revocable", "not-permitted";
    /// The application asks its users for consent, which they give on the login page alone.
    ConsentNeeded => 2497, 403, "consent-needed", "not-set-up";
    /// The ID token that was sent as a hint is not one of this instance's.
    HintInvalid => 2487, 400, "hint-invalid", "not-set-up";
    /// The code that a person typed for a device is wrong, expired, or was answered before.
    UserCodeUnknown => 2490, 400, "user-code-unknown", "user-code-unknown";
    /// Nobody has answered yet whether the device may log in.
    DevicePending => 2491, 400, "device-pending", "device-pending";
    /// The same, and the device asks too often.
    DeviceTooFast => 2492, 400, "device-too-fast", "device-pending";
    /// Somebody denied the login of the device.
    DeviceDenied => 2493, 400, "device-denied", "device-denied";
    /// The device code has expired, or the login that approved it has ended.
    DeviceCodeExpired => 2494, 400, "device-code-expired", "login-again";
    /// The device code is unknown, used, or of another client.
    DeviceCodeInvalid => 2495, 400, "device-code-invalid", "login-again";
    /// The request object is not valid.
    RequestObjectInvalid => 2498, 400, "request-object-invalid", "not-set-up";
    /// The application has no public keys, so that it cannot sign request objects.
    RequestObjectUnsupported => 2499, 400, "request-object-unsupported", "not-set-up";
    /// The token with which a client registers or manages itself is missing or not valid.
    RegistrationUnauthorized => 2520, 401, "registration-unauthorized", "not-set-up";
    /// What a client says of itself is not accepted.
    ClientMetadataInvalid(field, problem) => 2521, 400, "client-metadata-invalid", "not-set-up";
    /// A redirect URI of a client that registers is missing or not accepted.
    RedirectUriInvalid(field, problem) => 2522, 400, "redirect-uri-invalid", "not-set-up";
    /// As many clients have registered themselves as may.
    TooManyClients(most) => 2523, 403, "too-many-clients", "not-set-up";
    /// The pushed authorization request is unknown, expired or used, or another client's.
    PushedRequestUnknown => 2500, 400, "pushed-request-unknown", "login-request-expired";
    /// The request URI is not one of the application's, or what is there cannot be read.
    RequestUriInvalid => 2530, 400, "request-uri-invalid", "not-set-up";
    /// The application has no request URIs or no public keys, or the request object behind it is not signed.
    RequestUriUnsupported => 2531, 400, "request-uri-unsupported", "not-set-up";
    /// The sector of pairwise subjects is not clear, or its file does not list all redirect URIs.
    SectorInvalid => 2532, 400, "sector-invalid", "not-set-up";
    /// The DPoP proof of a token request is missing or not valid (RFC 9449 section 5).
    DpopProofInvalid(part) => 2510, 400, "dpop-proof-invalid", "not-set-up";
    /// The DPoP proof of a token request needs the server's current nonce (RFC 9449 section 8).
    DpopNonceNeeded => 2511, 400, "dpop-nonce-needed", "login-again";
    /// The DPoP proof of a call is missing or not valid (RFC 9449 section 7.1).
    DpopCallUnproven(part) => 2512, 401, "dpop-call-unproven", "not-set-up";
    /// The DPoP proof of a call needs the server's current nonce (RFC 9449 section 9).
    DpopCallNonceNeeded => 2513, 401, "dpop-call-nonce-needed", "login-again";
    /// An access token that is bound to a key was sent as a bearer token or with the proof of another key, or one that
    /// is bound to none was sent with a proof (RFC 9449 sections 7.1 and 7.2).
    DpopTokenMisused => 2514, 401, "dpop-token-misused", "login-again";
    /// A resource that no enabled application of the pool is, or that was not granted, or too many of them (RFC 8707).
    TargetInvalid => 2515, 400, "target-invalid", "not-set-up";

    // Logins that send the browser to a source and back.
    /// The state that a source brought back is unknown, expired, or of another connection.
    SourceLoginUnknown => 2550, 400, "source-login-unknown", "source-login-unknown";
    /// The login at a source was started in another browser.
    SourceLoginElsewhere => 2551, 400, "source-login-elsewhere", "source-login-elsewhere";
    /// The source brought no code back: the person did not agree there.
    SourceLoginDenied => 2552, 403, "source-login-denied", "source-login-denied";
    /// The source brought a code for this login before, and this is another one.
    SourceLoginAnswered => 2553, 400, "source-login-answered", "source-login-unknown";
    /// The address that a login through a connection is to return to is neither the application's nor the connection's.
    CallbackUnknown => 2554, 400, "callback-unknown", "not-set-up";
    /// The person gave up a login that was waiting for a step.
    LoginGivenUp => 2555, 403, "login-given-up", "login-given-up";

    // Logins by QR code.
    /// There is no such QR code: it never was, has long expired, or belongs to another connection or pool. The published
    /// clients know this number.
    QrCodeUnknown => 2241, 404, "qr-code-unknown", "qr-code-unknown";
    /// The QR code has expired.
    QrCodeExpired => 2570, 400, "qr-code-expired", "qr-code-expired";
    /// The QR code has to be scanned before its login is confirmed or cancelled.
    QrCodeNotScanned => 2571, 400, "qr-code-not-scanned", "qr-code-expired";
    /// The login of this QR code was confirmed, cancelled or used before, or failed.
    QrCodeDecided => 2572, 409, "qr-code-decided", "qr-code-expired";
    /// Somebody else has scanned the QR code.
    QrCodeOfAnother => 2573, 403, "qr-code-of-another", "qr-code-expired";
    /// The ticket of a login is unknown, used or expired, or nobody has confirmed it.
    LoginTicketInvalid => 2574, 400, "login-ticket-invalid", "login-ticket-invalid";
    /// The ticket of a login belongs to another browser, or to a hosted page and not to a client.
    LoginTicketElsewhere => 2575, 403, "login-ticket-elsewhere", "login-ticket-invalid";
    /// A login of a device that somebody approved elsewhere confirms no other logins.
    QrCodeByDevice => 2576, 403, "qr-code-by-device", "not-permitted";
    /// A connection shows QR codes of a mini program, and neither it nor the instance has one.
    NoLoginMiniProgram => 2577, 503, "no-login-mini-program", "not-set-up";
    /// The code that a follower sent to an official account is wrong or has expired.
    ShortCodeUnknown => 2578, 400, "short-code-unknown", "short-code-unknown";
    /// The connection shows no QR code.
    ConnectionWithoutQrCode(connection) => 2579, 400, "connection-without-qr-code", "not-set-up";

    // Binding a source in a browser.
    /// The address that leads to binding a source, or the answer to its question, was used, is too old, or is another
    /// browser's; or the login that asked for it has ended.
    LinkInvalid => 2650, 400, "link-invalid", "link-invalid";
    /// An id token says whose account is to get a source, and they are not logged in to the browser.
    LinkNeedsLogin => 2651, 403, "link-needs-login", "login-again";

    /// A code of the instance's own mini program belongs to no pool, and the instance has several.
    LaunchCodeUnbound => 2580, 403, "launch-code-unbound", "not-set-up";

    // Messages of official accounts.
    /// The signature of a message is missing or wrong.
    PushUnsigned => 2600, 403, "push-unsigned", "not-set-up";
    /// A message was signed too long ago, or in the future.
    PushStale => 2601, 403, "push-stale", "not-set-up";
    /// A message is not encrypted, and the connection wants it to be.
    PushNotEncrypted => 2602, 403, "push-not-encrypted", "not-set-up";
    /// A message cannot be decrypted: another key, another app, or half of it is missing.
    PushUndecryptable => 2603, 403, "push-undecryptable", "not-set-up";
    /// A message cannot be read.
    PushMalformed => 2604, 400, "push-malformed", "not-set-up";
    /// A message arrived before, or its signature belongs to another one.
    PushReplayed => 2605, 403, "push-replayed", "not-set-up";
    /// A message is for another account.
    PushForAnother => 2606, 403, "push-for-another", "not-set-up";

    // Pictures.
    /// The upload is not an image of a supported type.
    NotAPicture => 2410, 400, "not-a-picture", "not-a-picture";
    /// The image has too many bytes or pixels.
    PictureTooLarge => 2411, 413, "picture-too-large", "picture-too-large";

    // The server.
    /// The database is overloaded.
    Overloaded => 1000, 503, "overloaded", "overloaded";
    /// An internal error.
    Internal => 500, 500, "internal", "internal";

    // URLs and forms.
    /// There is nothing at this URL.
    PathUnknown => 404, 404, "path-unknown", "path-unknown";
    /// A call of the published clients that this version does not serve.
    NotServed => 404, 404, "not-served", "path-unknown";
    /// The URL expects a different HTTP method, so there is nothing to show in a browser.
    WrongMethod => 405, 405, "wrong-method", "wrong-method";
    /// A development server was addressed by a host name other than that of the local machine.
    ForeignHost => 403, 403, "foreign-host", "foreign-host";
    /// The outbox of a development server was asked for from another machine.
    ForeignMachine => 2670, 403, "foreign-machine", "foreign-machine";
    /// The form lacks this browser's token, or was submitted from another site.
    FormExpired => 403, 403, "form-expired", "form-expired";
    /// The form is longer than any form of Hufu.
    FormTooLarge => 413, 413, "form-too-large", "form-too-large";
    /// The form is not filled in the way Hufu's forms are.
    FormIncomplete => 400, 400, "form-incomplete", "form-incomplete";
}

impl Code {
    /// Whether this is a server error. The surface that renders it logs it once, with its causes.
    pub const fn is_internal(self) -> bool {
        matches!(self, Self::Internal | Self::Overloaded)
    }

    /// Whether the call may be repeated with another DPoP proof (RFC 9449 section 7.1).
    pub const fn is_about_dpop(self) -> bool {
        matches!(self, Self::DpopCallUnproven | Self::DpopCallNonceNeeded | Self::DpopTokenMisused)
    }

    /// Whether the pool rejects a password as too weak or otherwise unsuitable.
    pub const fn is_weak_password(self) -> bool {
        self.number() == Self::PasswordTooShort.number()
    }
}
