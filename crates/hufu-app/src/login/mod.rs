//! Logging in by every method.
//!
//! The units of work, in reading order: `finish` (the end of every login), `resolver` (login through a
//! source), `by_password`, `by_code`, `by_ticket`, `registration::unit`, and `steps` (continuing a login that waits). The
//! use cases around them: `entry` (what every login writes and answers), `by_source`, `by_launch`, `by_redirect`,
//! `by_credentials`, `registration`, `first_login`, `flow`, `expired`.

mod admission;
mod by_code;
pub(crate) mod by_credentials;
pub(crate) mod by_launch;
mod by_password;
pub(crate) mod by_redirect;
pub(crate) mod by_source;
mod by_ticket;
pub(crate) mod entry;
mod expired;
mod finish;
mod first_login;
pub(crate) mod flow;
mod registration;
mod resolver;
mod steps;

pub use admission::Admission;
pub use by_code::{CodeLogin, LogInByCode};
pub use by_password::{LogInByPassword, PasswordLogin};
pub use by_ticket::{LogInByTicket, TicketLogin};
pub use finish::{BrowserBinding, CustomDataPatch, LoggedIn, LoginOutcome, LoginPlan, Waiting};
pub use registration::unit::{NamesTaken, Register, Registered};
pub use resolver::{AccountResolver, CheckLogin, CodeResults, Login};
pub use steps::{CheckedFillIn, Continue, Continued, PreparedAction, StepFailure, ViewFlow};
