//! Opaque tokens. The plain text, which only the client keeps, and the hash, which the database stores, are
//! different types.

use std::fmt;

use crate::Random;

/// What an opaque token is for. Each purpose has a prefix that never changes, so that people and secret
/// scanners can recognize leaked tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPurpose {
    /// An OAuth refresh token.
    Refresh,
    /// The name of an upload, with 128 random bits.
    Upload,
    /// The handle of a waiting login.
    Flow,
    /// Authorizes the second step of a change after the first one.
    Step,
    /// The secret part of an access key.
    AccessKey,
    /// The secret of a pool's management key.
    ManagementKey,
    /// The secret that signs a webhook.
    Webhook,
    /// The cookie of a browser session.
    BrowserSession,
    /// An authorization code.
    AuthorizationCode,
    /// The secret of an OAuth client.
    ClientSecret,
    /// A device code.
    DeviceCode,
    /// The reference of a pushed authorization request.
    PushedRequest,
    /// The state of a login at a source, of letters and digits alone.
    SourceLogin,
    /// The secret part of a token with which clients register: an initial access token (RFC 7591 section 3).
    Registration,
    /// With which a registered client reads, changes and removes its registration (RFC 7592 section 1.3).
    RegisteredClient,
    /// The link of an invitation to be an administrator.
    Invitation,
    /// The link that logs an administrator in to a browser.
    EntryLink,
    /// The secret of a browser that shows a QR code.
    QrCode,
    /// What such a browser logs in with, once a phone has confirmed it.
    LoginTicket,
}

impl TokenPurpose {
    /// What its tokens begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Refresh => "hfr_",
            Self::Upload | Self::SourceLogin => "",
            Self::Flow => "hff_",
            Self::Step => "hfs_",
            Self::AccessKey => "hfk_",
            Self::ManagementKey => "hfm_",
            Self::Webhook => "hfw_",
            Self::BrowserSession => "hfb_",
            Self::AuthorizationCode => "hfa_",
            Self::ClientSecret => "hfc_",
            Self::DeviceCode => "hfd_",
            Self::PushedRequest => "hfp_",
            Self::Registration => "hfi_",
            Self::RegisteredClient => "hfg_",
            Self::Invitation => "hfv_",
            Self::EntryLink => "hfe_",
            Self::QrCode => "hfq_",
            Self::LoginTicket => "hft_",
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::Upload => 16,
            Self::Refresh
            | Self::Flow
            | Self::Step
            | Self::AccessKey
            | Self::ManagementKey
            | Self::Webhook
            | Self::BrowserSession
            | Self::AuthorizationCode
            | Self::ClientSecret
            | Self::DeviceCode
            | Self::PushedRequest
            | Self::SourceLogin
            | Self::Registration
            | Self::RegisteredClient
            | Self::Invitation
            | Self::EntryLink
            | Self::QrCode
            | Self::LoginTicket => 32,
        }
    }
}

/// A token in plain text. Shown once, never stored, and redacted by `Debug`.
#[derive(Clone)]
pub struct OpaqueToken(String);

impl OpaqueToken {
    /// Generates a token.
    pub fn generate(purpose: TokenPurpose, random: &dyn Random) -> Self {
        let mut bytes = [0_u8; 32];
        let bytes = bytes.get_mut(..purpose.bytes()).unwrap_or_default();
        random.fill(bytes);
        Self(format!("{}{}", purpose.prefix(), hex::encode(bytes)))
    }

    /// The token of these bytes, which were derived from another secret.
    pub fn derived(purpose: TokenPurpose, bytes: &[u8]) -> Self {
        Self(format!("{}{}", purpose.prefix(), hex::encode(bytes)))
    }

    /// Wraps a token sent by a client.
    pub fn presented(text: String) -> Self {
        Self(text)
    }

    /// The text, to send to its owner or to hash.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpaqueToken(redacted)")
    }
}

/// The SHA-256 of a high-entropy token. The database stores nothing else of it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Compares with a stored hash in constant time.
    pub fn matches(&self, stored: &[u8]) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.as_slice().ct_eq(stored).into()
    }

    /// The bytes, as stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(redacted)")
    }
}
