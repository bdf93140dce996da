//! The use cases of Hufu: login, tokens, profile, uploads, configuration. The
//! only place that decides; web, command line and background tasks call the same.
//!
//! Reading order: [`App`] and what it is started from, [`Config`] (which pool,
//! application and connection a request is about), [`login`](MiniProgramLogin),
//! tokens and [`Authenticated`] requests, then profile, uploads, [`apply`].

mod address;
pub mod administration;
mod app;
pub mod apply;
pub mod audit;
mod authentication;
mod codes;
mod config;
pub mod credentials;
mod entry;
mod failures;
mod flow;
mod jobs;
mod keys;
mod limits;
mod login;
mod merging;
mod mini_program;
mod origin;
pub mod password;
mod personal;
mod profile;
mod refusal;
mod sealing_key;
mod senders;
mod tokens;
pub mod transfer;
mod uploads;
pub mod webhooks;

pub use administration::Administrating;
pub use app::{App, Parts, StartError};
pub use authentication::Authenticated;
pub use config::{Config, Named, named};
pub use credentials::{AccountName, Confirmation, Registration, StepToken, Target};
pub use entry::{FlowView, LoginDone, Tokens};
pub use flow::{FillIn, FlowAction, FlowAnswer, FlowStep};
pub use hufu_types::Refusal;
pub use keys::{KeyError, Keys};
pub use limits::Limits;
pub use login::{MiniProgramLogin, PhoneProofData, SealedData};
pub use merging::{MergePreview, MergeUndone, StoredMerge};
pub use mini_program::{ToldPhone, ToldPhoneOf};
pub use origin::Origin;
pub use personal::{
    BoundIdentity, DeletionProof, LoginName, OwnData, OwnEvent, OwnExport, OwnSession, SessionView,
    UnboundIdentities, UserAgent, WhichIdentities, identity_id, read_user_agent,
};
pub use profile::ProfileChange;
pub use refusal::{waiting, waits_at};
pub use sealing_key::{KeySource, SealingKeyError, load_sealing_key};
pub use tokens::{TokenSet, UserToken, claims_of};
pub use uploads::{Picture, UploadSlot, Uploaded};

pub use hufu_connect as connect;
pub use hufu_protocol::TokenType;
pub use hufu_types::resolution::PhoneUse;
