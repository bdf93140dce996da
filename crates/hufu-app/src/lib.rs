//! The use cases of Hufu: login, tokens, profile, uploads, configuration. All decisions are made here. The
//! web surfaces, the command line and the background tasks all call the same use cases.
//!
//! Reading order: [`App`] and the parts it is started from; [`Config`], which decides which pool, application
//! and connection a request belongs to; [`login`](SourceLogin); tokens and [`Authenticated`] requests; then
//! profile, uploads and [`apply`].

mod address;
pub mod administration;
mod app;
pub mod audit;
pub mod authorization;
mod carried;
pub mod client_registration;
pub mod configuration;
pub mod credentials;
mod digest;
pub mod doctor;
pub mod events;
mod failures;
mod jobs;
mod limits;
pub mod login;
pub mod official_account;
mod origin;
pub mod people;
mod refusal;
mod sealing_key;
pub mod sources;
mod subjects;
pub mod tickets;
pub mod tokens;
pub mod transfer;
pub mod webhooks;

pub use address::{network, site};
pub use administration::AdminCaller;
pub use app::{App, Parts, StartError};
pub use configuration::{ApplicationHint, Config, apply, named};
pub use credentials::{AccountName, Confirmation, Registration, StepToken, Target};
pub use hufu_types::Refusal;
pub use limits::Limits;
pub use login::by_launch::LaunchTicket;
pub use login::by_redirect::{Arrival, Arrived, Came, SocialTarget};
pub use login::by_source::SourceLogin;
pub use login::entry::{BrowserLogin, FlowView, LoginAnswer, LoginDone, LoginOptions, Tokens};
pub use login::flow::{FillIn, FlowAction, FlowAnswer, FlowStep, StepRefused};
pub use origin::Origin;
pub use people::linking::{LinkQuestion, LinkStart};
pub use people::{
    BoundIdentity, ConsentView, DeletionProof, LoginName, MergePreview, MergeUndone, OwnData, OwnEvent,
    OwnExport, OwnSession, Picture, ProfileChange, SessionView, StoredMerge, UnboundIdentities, Uploaded,
    UserAgent, WhichIdentities, identity_id, read_user_agent,
};
pub use sealing_key::{KeySource, SealingKeyError, load_sealing_key};
pub use sources::wechat::client_data::{WechatPhone, WechatPhoneOwner};
pub use sources::wechat::default::DefaultMiniProgram;
pub use sources::{Evidence, Leads, PhoneEvidence, SealedData};
pub use subjects::SubjectsError;
pub use tokens::authentication::{Authenticated, Needs};
pub use tokens::keys::{KeyError, Keys};
pub use tokens::{ACR_ONE_FACTOR, Narrowing, TokenSet, UserToken, claims_of};

pub use hufu_connect as connect;
pub use hufu_protocol::TokenType;
pub use hufu_types::resolution::PhoneUse;
