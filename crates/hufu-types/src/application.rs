//! Applications: what users log in to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ApplicationId, ConnectionId, ConnectionKind, PoolId};

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),* }

        impl $name {
            /// Every value there is.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in files, tables and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Reads the name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// What kind of program the application is.
    ApplicationKind {
        /// A website with a back end of its own.
        Web = "web",
        /// A program that runs whole in the browser.
        Spa = "spa",
        /// A program for iOS, Android, HarmonyOS or a desktop.
        Native = "native",
        /// A WeChat mini program.
        MiniProgram = "mini-program",
        /// A back end that no person logs in to.
        Api = "api",
    }
}

impl ApplicationKind {
    /// Whether a connection of this kind can be switched on for an application of this kind.
    pub fn may_use(self, connection: ConnectionKind) -> bool {
        connection.applications().contains(&self)
    }
}

text_enum! {
    /// How an application's tokens are signed (RFC 7518 3.1, RFC 8037 3.1).
    SigningAlgorithm {
        /// ECDSA with P-256 and SHA-256.
        Es256 = "ES256",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

/// How long an application's tokens live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLifetimes {
    /// The v2 client's user token.
    pub user_token: Duration,
    /// How long after the login the user token can be renewed.
    pub session: Duration,
    /// Access tokens and id tokens.
    pub access_token: Duration,
    /// A refresh token, from its own issue.
    pub refresh_token: Duration,
}

impl Default for TokenLifetimes {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            user_token: Duration::from_secs(14 * DAY),
            session: Duration::from_secs(90 * DAY),
            access_token: Duration::from_secs(2 * 60 * 60),
            refresh_token: Duration::from_secs(30 * DAY),
        }
    }
}

/// An application of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The id; the `client_id` of OAuth.
    pub id: ApplicationId,
    /// The pool whose users log in.
    pub pool: PoolId,
    /// The name that people see.
    pub name: String,
    /// What kind of program it is.
    pub kind: ApplicationKind,
    /// Serves clients that name only the pool.
    pub is_default: bool,
    /// Its place among the pool's applications, in the order of file or creation.
    pub position: i64,
    /// Switched off applications serve nobody.
    pub enabled: bool,
    /// The connections switched on for it; the first serves clients that name none.
    pub connections: Vec<ConnectionId>,
    /// How its tokens are signed.
    pub signing_algorithm: SigningAlgorithm,
    /// How long its tokens live.
    pub lifetimes: TokenLifetimes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_application_of_a_kind_may_use() {
        for (kind, mini_program, mobile) in [
            (ApplicationKind::Web, true, false),
            (ApplicationKind::Spa, true, false),
            (ApplicationKind::Native, true, true),
            (ApplicationKind::MiniProgram, true, false),
            (ApplicationKind::Api, false, false),
        ] {
            assert_eq!(kind.may_use(ConnectionKind::WechatMiniProgram), mini_program, "{kind:?}");
            assert_eq!(kind.may_use(ConnectionKind::WechatMobile), mobile, "{kind:?}");
        }
        assert_eq!(ApplicationKind::ALL.len(), 5, "the table above names every kind");
        assert_eq!(ConnectionKind::ALL.len(), 2, "the table above names every connection");
    }

    #[test]
    fn names_round_trip() {
        for kind in ApplicationKind::ALL {
            assert_eq!(ApplicationKind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(SigningAlgorithm::parse("none"), None);
    }
}
