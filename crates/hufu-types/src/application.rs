//! Applications: the programs that users log in to.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::{
    Branding, ClientSecret, ClientSettings, Grant, LoginControl, TokenAuth, is_registered, origin_of,
};
use crate::{ApplicationId, ConnectionId, ConnectionKind, PoolId, Usually, lifetime};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenLifetimes {
    /// The user token of v2 clients.
    #[serde(with = "lifetime")]
    pub user_token: Duration,
    /// For how long after the login the user token can be renewed.
    #[serde(with = "lifetime")]
    pub session: Duration,
    /// Access tokens and ID tokens.
    #[serde(with = "lifetime")]
    pub access_token: Duration,
    /// A refresh token, counted from when that token was issued.
    #[serde(with = "lifetime")]
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

/// Stands for every origin.
pub const ANY_ORIGIN: &str = "*";

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
    /// The application as an OAuth client.
    pub client: Usually<ClientSettings>,
    /// Its client secrets, the newest first. At most [`Self::MAX_SECRETS`], so that a secret can be replaced without
    /// downtime.
    pub secrets: Vec<ClientSecret>,
    /// What its login page offers.
    pub login: Usually<LoginControl>,
    /// How its login page looks.
    pub branding: Usually<Branding>,
}

impl Application {
    /// How many secrets are valid at the same time.
    pub const MAX_SECRETS: usize = 2;

    /// How it authenticates at the token endpoint. Websites and back ends have a secret; programs that people
    /// install cannot keep one.
    pub fn token_auth(&self) -> TokenAuth {
        self.client.token_auth.unwrap_or(match self.kind {
            ApplicationKind::Web | ApplicationKind::Api => TokenAuth::Basic,
            ApplicationKind::Spa | ApplicationKind::Native | ApplicationKind::MiniProgram => TokenAuth::None,
        })
    }

    /// Whether it proves who it is by a secret.
    pub fn has_secret(&self) -> bool {
        matches!(self.token_auth(), TokenAuth::Basic | TokenAuth::Post)
    }

    /// Whether it cannot prove who it is (RFC 6749 section 2.1).
    pub fn is_public(&self) -> bool {
        self.token_auth() == TokenAuth::None
    }

    /// What it may do at the authorization and token endpoints.
    pub fn grants(&self) -> &[Grant] {
        match (&self.client.grants, self.kind) {
            (Some(grants), _) => grants,
            (None, ApplicationKind::Api) => &[Grant::ClientCredentials],
            (None, _) => &[Grant::AuthorizationCode, Grant::RefreshToken],
        }
    }

    /// Whether it may do this.
    pub fn has_grant(&self, grant: Grant) -> bool {
        self.grants().contains(&grant)
    }

    /// Whether authorization responses may be sent to this address.
    pub fn has_redirect_uri(&self, requested: &str) -> bool {
        let is_native = self.kind == ApplicationKind::Native;
        self.client.redirect_uris.iter().any(|registered| is_registered(registered, requested, is_native))
    }

    /// The origins whose scripts may call the endpoints of OpenID Connect: those that are listed, and those of the
    /// redirect URIs. A mini program that has neither takes [`ANY_ORIGIN`]: as a web page, the published clients run
    /// wherever its developer puts it.
    pub fn origins(&self) -> BTreeSet<String> {
        let client = &self.client;
        let own = client.redirect_uris.iter().filter_map(|uri| origin_of(uri));
        let origins: BTreeSet<String> = client.allowed_origins.iter().cloned().chain(own).collect();
        if origins.is_empty() && self.kind == ApplicationKind::MiniProgram {
            return BTreeSet::from([ANY_ORIGIN.to_owned()]);
        }
        origins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_application_of_a_kind_may_use() {
        use ApplicationKind::{MiniProgram, Native, Spa, Web};
        let table: &[(ConnectionKind, &[ApplicationKind])] = &[
            (ConnectionKind::WechatMiniProgram, &[Web, Spa, Native, MiniProgram]),
            (ConnectionKind::WechatMobile, &[Native]),
            (ConnectionKind::WechatAppLaunch, &[Native]),
            (ConnectionKind::WechatPc, &[Web, Spa]),
            (ConnectionKind::WechatWebpage, &[Web, Spa]),
            (ConnectionKind::WechatMiniProgramScan, &[Web, Spa]),
            (ConnectionKind::WechatOfficialAccount, &[Web, Spa, Native]),
        ];
        for (connection, applications) in table {
            for kind in ApplicationKind::ALL {
                let may_use = applications.contains(kind);
                assert_eq!(kind.may_use(*connection), may_use, "{kind:?} {connection:?}");
            }
        }
        assert_eq!(ConnectionKind::ALL.len(), table.len(), "the table above names every connection");
    }

    #[test]
    fn names_round_trip() {
        for kind in ApplicationKind::ALL {
            assert_eq!(ApplicationKind::parse(kind.as_str()), Some(*kind));
        }
        assert_eq!(SigningAlgorithm::parse("none"), None);
    }

    fn application(kind: ApplicationKind) -> Application {
        Application {
            id: ApplicationId::parse("app-1").unwrap(),
            pool: PoolId::parse("pool-1").unwrap(),
            name: String::new(),
            kind,
            is_default: false,
            position: 0,
            enabled: true,
            connections: Vec::new(),
            signing_algorithm: SigningAlgorithm::Es256,
            lifetimes: TokenLifetimes::default(),
            client: ClientSettings::default().into(),
            secrets: Vec::new(),
            login: LoginControl::default().into(),
            branding: Branding::default().into(),
        }
    }

    #[test]
    fn a_kind_decides_what_the_configuration_leaves_out() {
        for kind in ApplicationKind::ALL {
            let application = application(*kind);
            let keeps_a_secret = matches!(kind, ApplicationKind::Web | ApplicationKind::Api);
            assert_eq!(application.is_public(), !keeps_a_secret, "{kind:?}");
            let acts_for_itself = application.has_grant(Grant::ClientCredentials);
            assert_eq!(acts_for_itself, *kind == ApplicationKind::Api, "{kind:?}");
            assert_eq!(application.has_grant(Grant::AuthorizationCode), !acts_for_itself, "{kind:?}");
            assert!(!application.has_grant(Grant::Implicit), "{kind:?}");
        }
    }

    #[test]
    fn scripts_of_the_redirect_uris_and_of_listed_origins_may_call() {
        let mut spa = application(ApplicationKind::Spa);
        spa.client.redirect_uris =
            vec!["https://shop.example.com/cb".to_owned(), "com.example.shop:/cb".to_owned()];
        spa.client.allowed_origins = vec!["https://www.example.com".to_owned()];
        let origins: Vec<_> = spa.origins().into_iter().collect();
        assert_eq!(origins, ["https://shop.example.com", "https://www.example.com"]);
        let mut mini = application(ApplicationKind::MiniProgram);
        assert_eq!(mini.origins(), BTreeSet::from([ANY_ORIGIN.to_owned()]));
        mini.client.allowed_origins = vec!["https://www.example.com".to_owned()];
        assert_eq!(mini.origins(), BTreeSet::from(["https://www.example.com".to_owned()]));
    }
}
