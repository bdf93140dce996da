//! Applications as OAuth clients (RFC 6749 section 2, RFC 7591 section 2), and what their login pages offer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use crate::application::text_enum;
use crate::{
    Identifier, Language, NameError, PoolScope, ResponseType, ScopeSet, SigningAlgorithm, Timestamp,
    TokenHash, UserId,
};

text_enum! {
    /// How a client authenticates at the token endpoint (RFC 7591 section 2).
    TokenAuth {
        /// Its id and secret in the `Authorization` header.
        Basic = "client_secret_basic",
        /// Its id and secret in the body.
        Post = "client_secret_post",
        /// It signs an assertion with a key of its own (OpenID Connect Core section 9).
        PrivateKey = "private_key_jwt",
        /// It has no secret: a public client.
        None = "none",
    }
}

text_enum! {
    /// What a client may do at the authorization and token endpoints.
    Grant {
        /// Authorization codes.
        AuthorizationCode = "authorization_code",
        /// Refresh tokens.
        RefreshToken = "refresh_token",
        /// Tokens for the client itself.
        ClientCredentials = "client_credentials",
        /// Tokens in the authorization response.
        Implicit = "implicit",
        /// A code and tokens in the authorization response.
        Hybrid = "hybrid",
        /// The login of a device without a browser, which its owner approves on another one (RFC 8628).
        DeviceCode = "device_code",
    }
}

impl Grant {
    /// The `grant_type` of token requests. Its own name, as in the configuration, unless the standard has a longer one.
    pub const fn on_the_wire(self) -> &'static str {
        match self {
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            other => other.as_str(),
        }
    }
}

text_enum! {
    /// A way to log in on the login page.
    LoginMethod {
        /// A login name and a password.
        Password = "password",
        /// A code sent by SMS.
        PhoneCode = "phone-code",
        /// A code sent by e-mail.
        EmailCode = "email-code",
    }
}

text_enum! {
    /// A way to register on the registration page.
    RegistrationMethod {
        /// A phone number, proved by a code.
        PhoneCode = "phone-code",
        /// An e-mail address, proved by a code.
        EmailCode = "email-code",
        /// An e-mail address and a password.
        EmailPassword = "email-password",
    }
}

text_enum! {
    /// Who may log in to an application.
    #[derive(Default)]
    Access {
        /// Everybody who has an account in the pool.
        #[default]
        Everybody = "everybody",
        /// Only the users whom the application lists. Nobody gets an account by logging in to it.
        Listed = "listed",
    }
}

text_enum! {
    /// The color theme of the login page.
    PageTheme {
        /// Follow the system.
        Auto = "auto",
        /// Light.
        Light = "light",
        /// Dark.
        Dark = "dark",
    }
}

text_enum! {
    /// An algorithm that a client may sign with (RFC 7518 3.1, RFC 8037 3.1).
    ClientAlgorithm {
        /// ECDSA with P-256 and SHA-256.
        Es256 = "ES256",
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
        /// RSASSA-PSS with SHA-256.
        Ps256 = "PS256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

text_enum! {
    /// Which subject the tokens of a client name (OpenID Connect Core 8).
    #[derive(Default)]
    SubjectType {
        /// The id of the user, the same for every client.
        #[default]
        Public = "public",
        /// An id that only clients of the same sector share, so that others cannot compare notes.
        Pairwise = "pairwise",
    }
}

impl SubjectType {
    /// Whether it is the id of the user.
    pub const fn is_public(&self) -> bool {
        matches!(self, Self::Public)
    }
}

/// A client secret as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSecret {
    /// The hash of the secret.
    pub hash: TokenHash,
    /// When it was set.
    pub created_at: Timestamp,
    /// The administrator who made it or set it, directly or with a key of theirs. `None` for the command line, for a client
    /// that registered itself, and for one of an earlier version.
    pub created_by: Option<UserId>,
}

/// An application as an OAuth client. An absent value takes the default of the application's kind: see the methods
/// of [`crate::Application`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientSettings {
    /// How it authenticates at the token endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_auth: Option<TokenAuth>,
    /// Where its public keys are. They verify its assertions and request objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// Its public keys themselves: a JWK set (RFC 7517 section 5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// What it may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<Grant>>,
    /// Where authorization responses may be sent.
    pub redirect_uris: Vec<String>,
    /// Where the browser may be sent after a logout.
    pub logout_redirect_uris: Vec<String>,
    /// Where logout tokens are sent (OpenID Connect Back-Channel Logout 1.0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Which page is loaded in a frame at a logout (OpenID Connect Front-Channel Logout 1.0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// The origins whose scripts may call the token and userinfo endpoints, beside those of the redirect URIs.
    pub allowed_origins: Vec<String>,
    /// Where a login that the application did not start is sent (OpenID Connect Core section 4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_login_uri: Option<String>,
    /// The address of its logo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// What it is, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// How it uses what it learns of people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Its terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// How to reach whoever is responsible for it, mostly e-mail addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// The resources that it is, for which clients get access tokens (RFC 8707). Each is one application's in the whole
    /// instance: the tokens of all pools have the same issuer, so that a resource server tells them apart by their
    /// audience alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Where its request objects may be fetched from (OpenID Connect Core 6.2).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_uris: Vec<String>,
    /// Which subject its tokens name (OpenID Connect Core 8).
    #[serde(skip_serializing_if = "SubjectType::is_public")]
    pub subject_type: SubjectType,
    /// A file that lists the redirect URIs of all clients that know a person by the same pairwise subject (OpenID
    /// Connect Core 8.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    /// If set, the userinfo endpoint answers with a JWT signed with this algorithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<SigningAlgorithm>,
    /// The response types that it restricts itself to. `None`: all that its grants permit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_types: Option<Vec<ResponseType>>,
    /// The scopes that it restricts itself to (RFC 7591 section 2). Empty: none of them is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The greatest age of a login, in seconds, if a request does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u64>,
    /// The authentication contexts that a request asks for if it does not say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_acr_values: Vec<String>,
    /// If set, its request objects are signed with this algorithm and no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_object_signing_alg: Option<ClientAlgorithm>,
    /// If set, its assertions are signed with this algorithm and no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_auth_signing_alg: Option<ClientAlgorithm>,
    /// What program it is an installation of, as its developer calls it (RFC 7591 section 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// The version of that program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// Whether it gets no tokens but those that are bound to a key (RFC 9449 section 5.2).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dpop_bound_access_tokens: bool,
    /// Whether its proofs must have a nonce of the server (RFC 9449 sections 8 and 9).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dpop_nonce_required: bool,
}

/// The clients among whom a person has one pairwise subject (OpenID Connect Core 8.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sector {
    /// Those of one host.
    Host(String),
    /// The client alone.
    Client,
}

impl Sector {
    /// The sector of a redirect URI. Apps, and everything on the person's own machine, have no host that tells one
    /// client from another.
    fn of_redirect(uri: &str) -> Self {
        let url = Url::parse(uri).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.filter(|url| !is_loopback(url));
        url.and_then(|url| url.host_str().map(|host| Self::Host(host.to_owned()))).unwrap_or(Self::Client)
    }
}

impl ClientSettings {
    /// Its sector. `None` if its redirect URIs are of several and no `sector_identifier_uri` says which one counts.
    pub fn sector(&self) -> Option<Sector> {
        if let Some(uri) = &self.sector_identifier_uri {
            let url = Url::parse(uri).ok()?;
            return url.host_str().map(|host| Sector::Host(host.to_owned()));
        }
        let mut sectors = self.redirect_uris.iter().map(|uri| Sector::of_redirect(uri));
        let first = sectors.next().unwrap_or(Sector::Client);
        sectors.all(|sector| sector == first).then_some(first)
    }

    /// Whether this is one of its `request_uris`. A fragment is not compared: it only tells one content from another
    /// (OpenID Connect Core 6.2).
    pub fn has_request_uri(&self, uri: &str) -> bool {
        self.request_uris.iter().any(|registered| without_fragment(registered) == without_fragment(uri))
    }

    /// Whether it has public keys.
    pub fn has_keys(&self) -> bool {
        self.jwks_uri.is_some() || self.jwks.is_some()
    }

    /// The scopes of a request that names these. Those that it did not register are left out, as unknown ones are.
    pub fn scopes_asked(&self, asked: Option<&str>, of_pool: &[PoolScope]) -> ScopeSet {
        let asked = ScopeSet::asked(asked, of_pool);
        if self.scopes.is_empty() {
            return asked;
        }
        asked.intersect(&ScopeSet::requested(&self.scopes.join(" "), of_pool))
    }
}

/// A tab of the login page: the form of one of Hufu's own ways to log in, or the QR code of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LoginTab {
    /// A form.
    Form(LoginMethod),
    /// The QR code of the connection of this identifier.
    QrCode(Identifier),
}

impl LoginTab {
    /// The name in files and addresses.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Form(method) => method.as_str(),
            Self::QrCode(identifier) => identifier.as_str(),
        }
    }

    /// Parses the name. A connection that is called like a method has no tab.
    pub fn parse(text: &str) -> Option<Self> {
        let method = LoginMethod::parse(text).map(Self::Form);
        method.or_else(|| Identifier::parse(text).ok().map(Self::QrCode))
    }
}

impl From<LoginMethod> for LoginTab {
    fn from(method: LoginMethod) -> Self {
        Self::Form(method)
    }
}

impl TryFrom<String> for LoginTab {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text).ok_or(NameError::Identifier)
    }
}

impl From<LoginTab> for String {
    fn from(tab: LoginTab) -> Self {
        tab.as_str().to_owned()
    }
}

/// What the login page of an application offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginControl {
    /// The ways to log in, in the order of the page.
    pub methods: Vec<LoginTab>,
    /// The method that is shown first. The first of `methods` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_method: Option<LoginTab>,
    /// The ways to register. Empty: nobody registers through this application.
    pub registration: Vec<RegistrationMethod>,
    /// Whether a code for a number or an address that has no account creates one on the login page.
    pub merged: bool,
    /// Whether people are asked before the application receives what it requests.
    pub consent: bool,
    /// Whether people may stay logged in when the browser closes.
    pub keep_signed_in: bool,
    /// The agreements of the pool shown on the login and registration pages.
    pub agreements: Vec<String>,
    /// Who may log in.
    pub access: Access,
}

impl LoginControl {
    /// Whether the page has this form.
    pub fn offers(&self, method: LoginMethod) -> bool {
        self.methods.contains(&LoginTab::Form(method))
    }

    /// The ways to register. None where only listed users log in.
    pub fn ways_to_register(&self) -> &[RegistrationMethod] {
        match self.access {
            Access::Everybody => &self.registration,
            Access::Listed => &[],
        }
    }
}

impl Default for LoginControl {
    fn default() -> Self {
        Self {
            methods: LoginMethod::ALL.iter().copied().map(LoginTab::Form).collect(),
            default_method: None,
            registration: RegistrationMethod::ALL.to_vec(),
            merged: false,
            consent: false,
            keep_signed_in: true,
            agreements: Vec::new(),
            access: Access::default(),
        }
    }
}

/// How hosted pages look, for an application or for a pool. A value that an application leaves out is taken from its
/// pool, then from Hufu.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Branding {
    /// The title of the login page, by language tag.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub title: BTreeMap<String, String>,
    /// The address of the logo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo: Option<String>,
    /// The color of the primary button and of links: `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_color: Option<String>,
    /// The color theme.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<PageTheme>,
    /// The language tag, or `auto` for the browser's, unless the reader chooses another language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

impl Branding {
    /// The language that means the browser's, also where the pool has one.
    pub const AUTO: &str = "auto";

    /// This branding, and what another one has of the keys that it leaves out. The titles are one key: those of an
    /// application are not mixed with those of its pool.
    #[must_use]
    pub fn over(self, beneath: &Self) -> Self {
        Self {
            title: if self.title.is_empty() { beneath.title.clone() } else { self.title },
            logo: self.logo.or_else(|| beneath.logo.clone()),
            primary_color: self.primary_color.or_else(|| beneath.primary_color.clone()),
            theme: self.theme.or(beneath.theme),
            language: self.language.or_else(|| beneath.language.clone()),
        }
    }

    /// The title in this language, otherwise in English or in any language.
    pub fn title_in(&self, language: Language) -> Option<&str> {
        let of = |tag: &str| self.title.get(tag).map(String::as_str);
        of(language.tag()).or_else(|| of("en")).or_else(|| self.title.values().next().map(String::as_str))
    }
}

/// Why a redirect URI is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// It is not an absolute URI.
    #[error("write an absolute address, such as https://shop.example.com/callback")]
    NotAbsolute,
    /// It has a fragment (RFC 6749 section 3.1.2).
    #[error("an address without `#` and what follows it")]
    Fragment,
    /// A wildcard: addresses are compared exactly.
    #[error("addresses are compared exactly: list each of them, without `*`")]
    Wildcard,
    /// Characters that an address has only in another writing (RFC 3986).
    #[error("write characters beyond ASCII percent-encoded, and such a host in Punycode (xn--…)")]
    NotAscii,
    /// Plain HTTP to another machine.
    #[error("use https; http is for this machine alone (127.0.0.1, [::1], localhost)")]
    Insecure,
    /// A scheme that runs script or reads files.
    #[error("a page or an app, by https or by the app's own scheme")]
    Scheme,
    /// A user or a password in the address.
    #[error("an address without user or password")]
    Credentials,
}

/// Checks an address to which browsers are sent with an authorization response.
///
/// # Errors
/// The rule that it breaks.
pub fn check_redirect_uri(text: &str) -> Result<(), RedirectUriError> {
    // It is written into headers as it is.
    if !text.is_ascii() {
        return Err(RedirectUriError::NotAscii);
    }
    if text.bytes().any(|byte| matches!(byte, b'"' | b'<' | b'>')) {
        return Err(RedirectUriError::NotAbsolute);
    }
    check_link(text)
}

/// Checks an address that people or servers follow.
pub(crate) fn check_link(text: &str) -> Result<(), RedirectUriError> {
    if text.contains('*') {
        return Err(RedirectUriError::Wildcard);
    }
    if text.bytes().any(|byte| byte.is_ascii_control() || byte == b' ' || byte == b'\\') {
        return Err(RedirectUriError::NotAbsolute);
    }
    let url = Url::parse(text).map_err(|_| RedirectUriError::NotAbsolute)?;
    // Browsers take `https:host` and `https:///host` for `https://host`; others do not.
    let after_scheme = text.split_once(':').map_or("", |(_, rest)| rest);
    let has_host = after_scheme.strip_prefix("//").is_some_and(|rest| !rest.starts_with('/'));
    if matches!(url.scheme(), "http" | "https") && !has_host {
        return Err(RedirectUriError::NotAbsolute);
    }
    if text.contains('#') {
        return Err(RedirectUriError::Fragment);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RedirectUriError::Credentials);
    }
    match url.scheme() {
        "http" if !is_loopback(&url) => Err(RedirectUriError::Insecure),
        "javascript" | "data" | "file" | "blob" | "about" | "vbscript" | "view-source" | "ws" | "wss"
        | "ftp" => Err(RedirectUriError::Scheme),
        _ => Ok(()),
    }
}

/// An address without `#` and what follows it.
pub fn without_fragment(address: &str) -> &str {
    address.split_once('#').map_or(address, |(before, _)| before)
}

/// Checks the identifier of a resource: an absolute URI without a fragment (RFC 8707 section 2).
///
/// # Errors
/// The rule that it breaks.
pub fn check_resource(text: &str) -> Result<(), &'static str> {
    const RULE: &str =
        "write an absolute URI, such as https://api.shop.example.com, without `#` and what follows it";
    let plain =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'#' | b'*');
    let is_plain = text.bytes().all(plain);
    // Without credentials, which would be in every token.
    let is_uri = |url: &Url| url.username().is_empty() && url.password().is_none();
    if is_plain && Url::parse(text).as_ref().is_ok_and(is_uri) { Ok(()) } else { Err(RULE) }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether a redirect URI of a request is a registered one. They are compared as strings; only the port of a
/// loopback address is free for native applications (RFC 8252 section 7.3).
pub(crate) fn is_registered(registered: &str, requested: &str, is_native: bool) -> bool {
    if registered == requested {
        return true;
    }
    let (true, Ok(mut registered), Ok(mut sent)) = (is_native, Url::parse(registered), Url::parse(requested))
    else {
        return false;
    };
    let is_address = |url: &Url| matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
    if registered.scheme() != "http" || !is_loopback(&registered) || !is_address(&registered) {
        return false;
    }
    // The text must be what a browser would send, or two readings of it could differ.
    let is_plain = sent.as_str() == requested;
    is_plain && registered.set_port(None).is_ok() && sent.set_port(None).is_ok() && registered == sent
}

/// The origin of an address: `https://shop.example.com`. `None` for schemes of apps.
pub fn origin_of(address: &str) -> Option<String> {
    let origin = Url::parse(address).ok()?.origin();
    origin.is_tuple().then(|| origin.ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_is_a_host_or_the_client_alone() {
        let host = |name: &str| Some(Sector::Host(name.to_owned()));
        for (uris, sector_uri, sector) in [
            (&[][..], None, Some(Sector::Client)),
            (
                &["https://shop.example.com/a", "https://SHOP.example.com:8443/b"],
                None,
                host("shop.example.com"),
            ),
            (&["https://shop.example.com/a", "https://shop.example.org/a"], None, None),
            (&["https://shop.example.com/a", "com.example.shop:/a"], None, None),
            (&["com.example.shop://shop.example.com/a", "http://127.0.0.1/a"], None, Some(Sector::Client)),
            (&["http://localhost/a", "http://[::1]/a"], None, Some(Sector::Client)),
            (
                &["https://a.example/", "https://b.example/", "app:/"],
                Some("https://c.example/x"),
                host("c.example"),
            ),
        ] {
            let client = ClientSettings {
                redirect_uris: uris.iter().map(|uri| (*uri).to_owned()).collect(),
                sector_identifier_uri: sector_uri.map(str::to_owned),
                ..ClientSettings::default()
            };
            assert_eq!(client.sector(), sector, "{uris:?}");
        }
    }

    #[test]
    fn request_uris_are_compared_without_their_fragment() {
        let client = ClientSettings {
            request_uris: vec!["https://shop.example.com/r#one".to_owned()],
            ..ClientSettings::default()
        };
        for same in
            ["https://shop.example.com/r", "https://shop.example.com/r#one", "https://shop.example.com/r#two"]
        {
            assert!(client.has_request_uri(same), "{same}");
        }
        for other in [
            "https://shop.example.com/r?",
            "https://shop.example.com/r/",
            "https://SHOP.example.com/r",
            "",
            "#one",
        ] {
            assert!(!client.has_request_uri(other), "{other}");
        }
    }

    #[test]
    fn redirect_uris_are_checked() {
        for good in [
            "https://shop.example.com/callback",
            "https://shop.example.com/callback?tenant=1",
            "http://127.0.0.1/callback",
            "http://[::1]:8080/",
            "http://localhost:3000/cb",
            "com.example.shop:/callback",
        ] {
            assert_eq!(check_redirect_uri(good), Ok(()), "{good}");
        }
        for (wrong, why) in [
            ("/callback", RedirectUriError::NotAbsolute),
            ("https:evil.example/", RedirectUriError::NotAbsolute),
            ("https:/evil.example/", RedirectUriError::NotAbsolute),
            ("https:///evil.example/", RedirectUriError::NotAbsolute),
            ("HTTPS:evil.example/", RedirectUriError::NotAbsolute),
            ("http:127.0.0.1/", RedirectUriError::NotAbsolute),
            ("https://shop.example.com/\"><script>", RedirectUriError::NotAbsolute),
            ("https://小店.example/", RedirectUriError::NotAscii),
            ("https://shop.example.com/回来", RedirectUriError::NotAscii),
            ("https://shop.example.com/a b", RedirectUriError::NotAbsolute),
            ("https://shop.example.com\\@evil.example/", RedirectUriError::NotAbsolute),
            ("https://shop.example.com/#x", RedirectUriError::Fragment),
            ("https://shop.example.com/#", RedirectUriError::Fragment),
            ("https://*.example.com/", RedirectUriError::Wildcard),
            ("http://shop.example.com/", RedirectUriError::Insecure),
            ("http://127.0.0.1.example.com/", RedirectUriError::Insecure),
            ("javascript:alert(1)", RedirectUriError::Scheme),
            ("data:text/html,x", RedirectUriError::Scheme),
            ("https://shop@example.com/", RedirectUriError::Credentials),
        ] {
            assert_eq!(check_redirect_uri(wrong), Err(why), "{wrong}");
        }
    }

    #[test]
    fn resources_are_absolute_uris() {
        for good in
            ["https://api.shop.example.com", "https://api.shop.example.com/orders?v=2", "urn:shop:orders"]
        {
            assert_eq!(check_resource(good), Ok(()), "{good}");
        }
        for wrong in [
            "",
            "api.shop.example.com",
            "/orders",
            "6560c0ffee00000000000002",
            "https://api.shop.example.com/#x",
            "https://api.shop.example.com#",
            "https://api shop.example.com",
            "https://a:b@api.shop.example.com",
            "https://*.shop.example.com",
            "https://api.shop.example.com/\n",
            "https://api.shop.example.com/\"",
            "https://店.example.com",
        ] {
            assert!(check_resource(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn redirect_uris_are_compared_exactly() {
        let registered = "https://shop.example.com/callback";
        assert!(is_registered(registered, registered, false));
        for other in [
            "https://shop.example.com/callback/",
            "https://shop.example.com/callback?x=1",
            "https://shop.example.com/CALLBACK",
            "https://SHOP.example.com/callback",
            "https://shop.example.com/callback#",
            "https://shop.example.com/callback/../callback",
            "https://shop.example.com:443/callback",
            "https://shop.example.com.evil.example/callback",
            "http://shop.example.com/callback",
        ] {
            assert!(!is_registered(registered, other, true), "{other}");
        }
    }

    #[test]
    fn the_port_of_loopback_is_free_for_native_applications() {
        let registered = "http://127.0.0.1/cb";
        assert!(is_registered(registered, "http://127.0.0.1:51004/cb", true));
        assert!(!is_registered(registered, "http://127.0.0.1:51004/cb", false));
        for other in [
            "http://127.0.0.1:51004/other",
            "http://127.0.0.2:51004/cb",
            "http://[::1]:51004/cb",
            "https://127.0.0.1:51004/cb",
            "http://127.0.0.1:51004/cb?x",
            "http://user@127.0.0.1:51004/cb",
            "http://127.1:51004/cb",
        ] {
            assert!(!is_registered(registered, other, true), "{other}");
        }
        assert!(!is_registered("http://localhost/cb", "http://localhost:51004/cb", true));
        assert!(!is_registered("https://shop.example.com/cb", "https://shop.example.com:8443/cb", true));
    }
}
