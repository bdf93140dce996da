//! The use cases of Hufu: login, tokens, profile, uploads, configuration. The
//! only place that decides; web, command line and background tasks call the same.
//!
//! Reading order: [`App`] and what it is started from, [`Config`] (which pool,
//! application and connection a request is about), [`login`](MiniProgramLogin),
//! tokens and [`Authenticated`] requests, then profile, uploads, [`apply`].

mod address;
mod app;
pub mod apply;
mod authentication;
mod codes;
mod config;
mod entry;
mod failures;
mod keys;
mod limits;
mod login;
mod mini_program;
mod origin;
pub mod password;
mod profile;
mod refusal;
mod sealing_key;
mod tokens;
mod uploads;

pub use app::{App, Parts, StartError};
pub use authentication::Authenticated;
pub use config::{Config, Named, named};
pub use keys::{KeyError, Keys};
pub use limits::Limits;
pub use entry::{FlowView, LoginDone, Tokens};
pub use login::{MiniProgramLogin, PhoneProofData, SealedData};
pub use mini_program::{ToldPhone, ToldPhoneOf};
pub use origin::Origin;
pub use profile::ProfileChange;
pub use refusal::Refusal;
pub use sealing_key::{KeySource, SealingKeyError, load_sealing_key};
pub use tokens::{TokenSet, UserToken, claims_of};
pub use uploads::{Picture, UploadSlot, Uploaded};

pub use hufu_types::resolution::PhoneUse;
