//! Logging in, whichever way a person comes.
//!
//! Reading order: `finish` (what every login ends in), `arrive` (from a source), `by_password`, `by_code`,
//! `registration` (the ways that need none), `steps` (a login that waits goes on). Each of these is a unit of work. The
//! use cases around them: `entry` (what every login writes and answers with), `by_credentials`, `registration`, `flow`.

mod by_code;
pub(crate) mod by_credentials;
mod by_password;
pub(crate) mod by_source;
pub(crate) mod entry;
mod finish;
mod first_login;
pub(crate) mod flow;
mod registration;
mod resolver;
mod steps;

pub use by_code::{CodeLogin, LogInByCode};
pub use by_password::{LogInByPassword, PasswordLogin};
pub use finish::{BrowserBinding, CustomDataPatch, LoggedIn, LoginOutcome, LoginPlan, Waiting};
pub use registration::unit::{NamesTaken, Register, Registered};
pub use resolver::{AccountResolver, CheckLogin, Login};
pub use steps::{CheckedFillIn, Continue, Continued, PreparedAction, StepFailure, ViewFlow};
