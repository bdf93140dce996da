//! Applications: the programs that users log in to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{ApplicationId, ConnectionId, ConnectionKind, PoolId};

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),* }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in configuration files, in database tables and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// Parses the name.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}
pub(crate) use text_enum;

text_enum! {
    /// The type of program.
    ApplicationKind {
        /// A website with its own back end.
        Web = "web",
        /// A program that runs entirely in the browser.
        Spa = "spa",
        /// A program for iOS, Android, HarmonyOS or a desktop.
        Native = "native",
        /// A WeChat mini program.
        MiniProgram = "mini-program",
        /// A back end that users do not log in to.
        Api = "api",
    }
}

impl ApplicationKind {
    /// Whether a connection of the given kind can be enabled for applications of this kind.
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

/// How long an application's tokens are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLifetimes {
    /// The user token of v2 clients.
    pub user_token: Duration,
    /// For how long after the login the user token can be renewed.
    pub session: Duration,
    /// Access tokens and ID tokens.
    pub access_token: Duration,
    /// A refresh token, counted from when that token was issued.
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
    /// The pool whose users log in to it.
    pub pool: PoolId,
    /// The name shown to people.
    pub name: String,
    /// The type of program.
    pub kind: ApplicationKind,
    /// Whether it serves clients that name only the pool.
    pub is_default: bool,
    /// Its position among the pool's applications, in the order of the file or of creation.
    pub position: i64,
    /// Disabled applications reject all requests.
    pub enabled: bool,
    /// The connections enabled for it. The first one serves clients that do not name a connection.
    pub connections: Vec<ConnectionId>,
    /// How its tokens are signed.
    pub signing_algorithm: SigningAlgorithm,
    /// How long its tokens are valid.
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
