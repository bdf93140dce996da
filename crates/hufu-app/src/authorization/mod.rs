//! The authorization endpoint and what follows it (OpenID Connect Core 3, RFC 6749 section 4.1).
//!
//! Reading order: `request` (what a client asks for), `browser` (who is logged in to this browser), `decision` (what has
//! to happen next, a pure function), `issue` (the unit that answers the request), `exchange` (the code becomes tokens),
//! `client` (how clients authenticate), `device` (logins of devices without a browser), `logout`. `client_keys` are the
//! public keys of clients, with which they sign their `assertion`s and `request_object`s, which may be behind a
//! `request_uri`; `pushed` are requests that came ahead of the browser; `sector` is which clients share pairwise subjects; `social` is
//! what published clients get that began a login at a connection.
//! What clients have on their own servers is kept as `remote` says. `dpop` binds tokens
//! to keys. `resources` are the APIs that tokens are for.
//!
//! A page that asks for a login, a consent or a choice leads back to [`App::authorize`](crate::App::authorize), which decides anew from what is
//! known by then. So there is no state of a login page to keep or to get out of step.

mod assertion;
pub(crate) mod backchannel;
mod browser;
mod client;
pub(crate) mod client_keys;
mod decision;
mod device;
pub(crate) mod dpop;
mod exchange;
mod introspection;
mod issue;
mod logout;
mod pushed;
mod remote;
mod request;
mod request_object;
pub(crate) mod request_uri;
pub(crate) mod resources;
mod response;
mod sector;
mod social;

pub use browser::{Browser, BrowserAccount, FindBrowserAccounts, TakeOverBrowserSession};
pub use client::ClientCredentials;
pub use decision::{Given, Need};
pub use device::{
    AnswerDevice, Approval, DeviceAnswered, DeviceAsked, DeviceExchanged, DeviceStarted, ExchangeDeviceCode,
    FindDevice, Found, OpenedByDevice, StartDevice, Started,
};
pub use dpop::{Binding, Presented, SentProof};
pub use exchange::{CodeGrant, ExchangeCode, Exchanged};
pub use introspection::Userinfo;
pub use issue::{IssueCode, Issued, Next};
pub use logout::{LogoutAsked, LogoutRequest, SignedOut};
pub use pushed::PushedRequest;
pub use request::{AuthorizationRefused, OpenRequest, Parameters};
pub use response::{AuthorizationResponse, OAuthError};
pub(crate) use social::HandedTicket;
pub use social::{SocialReceiver, SocialResponse, SocialResult};
