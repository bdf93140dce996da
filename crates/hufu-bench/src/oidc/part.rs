//! The parts of the measurement, by name.

use clap::ValueEnum;

/// What belongs together, because one needs what another leaves.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Discovery and the public keys.
    Documents,
    /// `client_credentials`.
    OwnToken,
    /// Silent authorization, exchange, refresh, userinfo and introspection.
    Codes,
    /// The login page.
    LoginPage,
    /// Logins by password, and `client_credentials` while wrong ones are tried.
    Passwords,
}
