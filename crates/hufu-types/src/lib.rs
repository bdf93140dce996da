//! The domain model: ids, names, users, identities, connections and applications, plus account resolution as
//! pure functions.
//!
//! This crate performs no I/O and never blocks. Time and randomness are passed in ([`Clock`], [`Random`]), so
//! that tests can control them.

mod administration;
mod application;
mod association;
mod authorization;
mod client;
mod client_check;
mod connection;
mod connection_extras;
mod custom_field;
pub mod day;
pub mod doctor;
mod environment;
mod event;
mod facts;
mod failure;
pub mod flow;
mod id;
mod idp_user_info;
mod language;
mod localized;
mod mask;
pub mod merge;
mod name;
mod passcode;
mod password_policy;
mod pool_scope;
mod problem_text;
mod proof;
pub mod refusal;
pub mod resolution;
mod scope;
mod secret;
mod session;
mod settings;
mod settings_check;
mod texts;
mod thumbprint;
mod ticket;
mod time;
mod user;
mod usual;

pub use administration::{AdminRole, Permission, PoolRole, Reach};
pub use application::{ANY_ORIGIN, Application, ApplicationKind, SigningAlgorithm, TokenLifetimes};
pub use association::{Association, AssociationMode, BindMethod, ConflictRule, MatchField};
pub use authorization::{
    AccountLink, AuthorizationRequest, CodeChallenge, CodeChallengeMethod, Prompt, Prompts, ResponseMode,
    ResponseType, SocialReturn,
};
pub use client::{
    Access, Branding, ClientAlgorithm, ClientSecret, ClientSettings, Grant, LoginControl, LoginMethod,
    LoginTab, PageTheme, RedirectUriError, RegistrationMethod, Sector, SubjectType, TokenAuth,
    check_redirect_uri, check_resource, origin_of, without_fragment,
};
pub use client_check::check_address;
pub use connection::{
    Connection, ConnectionKind, ConnectionSettings, OpenPlatform, Pool, PoolState, ServedSettings,
};
pub use connection_extras::{ConnectionExtras, VerificationFile};
pub use day::Day;
pub use environment::{Clock, Random, SystemClock, SystemRandom, TestClock, TestRandom};
pub use event::{Action, ActorKind, EventName};
pub use facts::{Fact, Facts, Method, UnknownMethod};
pub use failure::chain;
pub use id::{
    AccessKeyId, ApplicationId, BrowserSessionId, ConnectionId, DeliveryId, EventId, FlowId, IdError,
    ImportId, JobId, MergeId, PoolId, PushedMessageId, RegistrationTokenId, SessionId, UserId, WebhookId,
};
pub use idp_user_info::IdpUserInfo;
pub use language::Language;
pub use localized::Localized;
pub use mask::masked;
pub use name::{Email, Identifier, NameError, Phone, Username};
pub use passcode::{PasscodeChannel, PasscodePurpose};
pub use password_policy::{PasswordLevel, PasswordPolicy};
pub use pool_scope::{PROTOCOL_CLAIMS, PoolScope, USER_CLAIMS};
pub use problem_text::problem_text;
pub use proof::{EmailProof, Proof};
pub use refusal::Refusal;
pub use scope::{Scope, ScopeSet};
pub use secret::{OpaqueToken, TokenHash, TokenPurpose};
pub use session::{SessionRules, lifetime};
pub use settings::{Agreement, CustomField, CustomFieldType, PoolSettings};
pub use settings_check::SettingProblem;
pub use texts::Texts;
pub use thumbprint::{NotAThumbprint, Thumbprint};
pub use ticket::{QrRules, TicketKind, TicketState};
pub use time::Timestamp;
pub use user::{
    Gender, Identity, IdentityKey, IdentityKind, PhoneProof, Profile, User, UserStatus, camel_case, realm,
};
pub use usual::{HasUsual, Usually};
