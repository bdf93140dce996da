//! Issuing, renewing and revoking tokens.

pub(crate) mod authentication;
mod browser_sessions;
pub(crate) mod keys;
pub(crate) mod refresh;
mod sessions;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use hufu_protocol::{
    AccessTokenClaims, Audience, ClientTokenClaims, ID_TOKEN_ONLY, IdTokenClaims, SigningKey, TokenType,
    UserTokenClaims, half_hash,
};
use hufu_store::refresh_tokens::NewRefreshToken;
use hufu_store::users::GetUser;
use hufu_types::refusal::Code;
use hufu_types::{
    Application, ApplicationId, Facts, Gender, OpaqueToken, PoolScope, PoolSettings, Scope, ScopeSet,
    SessionId, SigningAlgorithm, Timestamp, TokenAuth, TokenPurpose, User, UserId,
};
use serde_json::{Map, Value};

use crate::authorization::dpop::{Binding, Presented, unbound};
use crate::configuration::ApplicationHint;
use crate::digest::hash_token;
use crate::events::Actor;
use crate::login::Admission;
use crate::{App, Origin, Refusal};
use authentication::{Bearer, Needs};
use refresh::AddRefreshToken;

pub use browser_sessions::{EndBrowserSession, ExtendBrowserSession, FindBrowserSession};
pub use hufu_store::endings::EndedSession;
pub use refresh::{RevokeToken, RevokedToken, Rotate, Rotation};
pub use sessions::EndSession;

/// A user token for the v2 clients. `Debug` does not show it.
#[derive(Clone)]
pub struct UserToken {
    /// The token.
    pub token: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// The tokens issued by an OAuth 2.0 login. `Debug` does not show them.
#[derive(Clone)]
pub struct TokenSet {
    /// The access token.
    pub access_token: String,
    /// The id token, if the scope has `openid`.
    pub id_token: Option<String>,
    /// The refresh token, if the scope has `offline_access`.
    pub refresh_token: Option<OpaqueToken>,
    /// The granted scope.
    pub scope: ScopeSet,
    /// Seconds until the access token expires.
    pub expires_in: u64,
    /// How the access token is used: as `Bearer`, or as `DPoP` if it is bound to a key.
    pub token_type: &'static str,
}

impl fmt::Debug for UserToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl fmt::Debug for TokenSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSet").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// What a client asks for at a refresh, of what it was granted (RFC 6749 section 6, RFC 8707 section 2.2).
#[derive(Clone, Debug, Default)]
pub struct Narrowing<'a> {
    /// The scope parameter. All scopes if absent.
    pub scope: Option<&'a str>,
    /// The resources. All if empty.
    pub resources: Vec<String>,
}

/// The session that tokens are issued for, with its application and user.
#[derive(Clone, Debug)]
pub(crate) struct Issue<'a> {
    pub(crate) application: &'a Application,
    pub(crate) user: &'a User,
    pub(crate) session: &'a SessionId,
    pub(crate) auth_time: Timestamp,
    /// What the access token is bound to.
    pub(crate) binding: &'a Binding,
    pub(crate) id_token: IdTokenParts<'a>,
    /// The resources that the access token is for. None: it is for Hufu's own endpoints.
    pub(crate) resources: &'a [String],
}

/// What an ID token says beside who the user is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdTokenParts<'a> {
    /// How the user authenticated, if that is known.
    pub(crate) facts: Option<&'a Facts>,
    /// The value by which the client recognizes its request.
    pub(crate) nonce: Option<&'a str>,
    /// The authorization code in the same response.
    pub(crate) code: Option<&'a str>,
    /// The `claims` parameter of the request.
    pub(crate) claims: Option<&'a Map<String, Value>>,
    /// Whether the client asked for an authentication context.
    pub(crate) acr: bool,
}

/// The authentication context of a login with one factor.
pub const ACR_ONE_FACTOR: &str = "1";

impl App {
    pub(crate) fn signing_key(
        &self,
        application: &Application,
        now: Timestamp,
    ) -> Result<SigningKey, Refusal> {
        self.key_of(application.signing_algorithm, now)
    }

    /// The key that signs with this algorithm now.
    pub(crate) fn key_of(&self, algorithm: SigningAlgorithm, now: Timestamp) -> Result<SigningKey, Refusal> {
        let found = self.keys.load().signing(algorithm, now).cloned();
        found.ok_or_else(|| Refusal::internal(MissingKey))
    }

    /// Signs a user token. It expires no later than its session.
    pub(crate) fn user_token(
        &self,
        application: &Application,
        user: &UserId,
        session: &SessionId,
        auth_time: Timestamp,
    ) -> Result<UserToken, Refusal> {
        let now = self.now();
        let lifetimes = application.lifetimes;
        let rules = self.config().settings(&application.pool).session;
        // Whole seconds, like the token's `exp`.
        let ends = now.plus(lifetimes.user_token);
        // A session that went on for longer, or began with the login of another one, ends by its own row.
        let session_ends = Some(auth_time.plus(lifetimes.session)).filter(|ends| *ends > now);
        let ends = session_ends.map_or(ends, |session_ends| ends.min(session_ends));
        let ends = ends.min(rules.latest_end(auth_time));
        let expires_at = Timestamp(ends.seconds().saturating_mul(1000));
        let claims = UserTokenClaims {
            iss: Cow::Borrowed(&self.issuer),
            sub: user.clone(),
            aud: application.id.clone(),
            sid: session.clone(),
            iat: now.seconds(),
            exp: expires_at.seconds(),
            auth_time: Some(auth_time.seconds()),
        };
        let token = self
            .signing_key(application, now)?
            .sign(TokenType::UserToken, &claims)
            .map_err(Refusal::internal)?;
        Ok(UserToken { token, issued_at: now, expires_at })
    }

    /// A new refresh token: the one for the client, and the row for the database. None unless the scope has
    /// `offline_access`.
    pub(crate) fn new_refresh_token(
        &self,
        application: &Application,
        scope: &ScopeSet,
        client_auth: Option<TokenAuth>,
        binding: &Binding,
    ) -> Option<(OpaqueToken, NewRefreshToken)> {
        if !scope.has(Scope::OfflineAccess) {
            return None;
        }
        let (now, rules) = (self.now(), self.config().settings(&application.pool).session);
        let token = OpaqueToken::generate(TokenPurpose::Refresh, &*self.random);
        let stored = NewRefreshToken {
            hash: hash_token(token.expose()),
            scope: scope.clone(),
            expires_at: now.plus(application.lifetimes.refresh_token).min(rules.latest_end(now)),
            client_auth,
            key: binding.renewing_key(client_auth),
            resources: Vec::new(),
        };
        Some((token, stored))
    }

    /// What is left of granted scopes: the pool may have removed some of its own since.
    pub(crate) fn still_granted(&self, application: &Application, scope: &ScopeSet) -> ScopeSet {
        scope.still_known(&self.config().settings(&application.pool).scopes)
    }

    /// Signs an access token. Also returns the seconds until it expires.
    pub(crate) fn access_token(&self, issue: &Issue<'_>, scope: &ScopeSet) -> Result<(String, u64), Refusal> {
        let now = self.now();
        let application = issue.application;
        // Each surface refuses this before it changes anything.
        if application.client.dpop_bound_access_tokens && issue.binding.key().is_none() {
            return Err(unbound());
        }
        let settings = self.config().settings(&application.pool);
        // No token outlives its session.
        let latest = settings.session.latest_end(issue.auth_time);
        let expires_at = now.plus(application.lifetimes.access_token).min(latest);
        let mut jti = [0_u8; 16];
        self.random.fill(&mut jti);
        let claims = AccessTokenClaims {
            iss: Cow::Borrowed(&self.issuer),
            sub: self.subject(application, &issue.user.id),
            aud: Audience::of(issue.resources, &application.id),
            client_id: application.id.clone(),
            sid: issue.session.clone(),
            scope: scope.clone(),
            iat: now.seconds(),
            exp: expires_at.seconds(),
            jti: hex::encode(jti).into(),
            cnf: issue.binding.confirmation(),
        };
        let key = self.signing_key(application, now)?;
        let token = key.sign(TokenType::AccessToken, &claims).map_err(Refusal::internal)?;
        Ok((token, u64::try_from(expires_at.seconds() - now.seconds()).unwrap_or_default()))
    }

    /// Signs an access token, and an id token if the scope has `openid`.
    pub(crate) fn token_set(
        &self,
        issue: &Issue<'_>,
        granted: &ScopeSet,
        refresh_token: Option<OpaqueToken>,
    ) -> Result<TokenSet, Refusal> {
        let scope = self.still_granted(issue.application, granted);
        let (access_token, expires_in) = self.access_token(issue, &scope)?;
        let id_token = if scope.has(Scope::Openid) {
            Some(self.id_token(issue, &scope, Some(&access_token))?)
        } else {
            None
        };
        let token_type = issue.binding.token_type();
        Ok(TokenSet { access_token, id_token, refresh_token, scope, expires_in, token_type })
    }

    /// Signs an ID token, bound to the access token in the same response if there is one.
    pub(crate) fn id_token(
        &self,
        issue: &Issue<'_>,
        scope: &ScopeSet,
        access_token: Option<&str>,
    ) -> Result<String, Refusal> {
        let (now, application, parts) = (self.now(), issue.application, issue.id_token);
        let key = self.signing_key(application, now)?;
        let settings = self.config().settings(&application.pool);
        let latest = settings.session.latest_end(issue.auth_time);
        let expires_at = now.plus(application.lifetimes.access_token).min(latest);
        let hash = |token: &str| half_hash(key.algorithm(), token).into();
        let mut profile = claims_of(issue.user, scope, &settings);
        let asked = parts.claims.and_then(|claims| claims.get("id_token")).and_then(Value::as_object);
        profile.extend(asked.map(|asked| claims_asked(issue.user, asked, &settings)).unwrap_or_default());
        let is_bounded = issue.binding.key().is_some() || !issue.resources.is_empty();
        let asks_for_acr = parts.acr || asked.is_some_and(|asked| asked.contains_key("acr"));
        let claims = IdTokenClaims {
            iss: Cow::Borrowed(&self.issuer),
            sub: self.subject(application, &issue.user.id),
            aud: application.id.clone(),
            sid: issue.session.clone(),
            iat: now.seconds(),
            exp: expires_at.seconds(),
            auth_time: issue.auth_time.seconds(),
            nonce: parts.nonce.map(Cow::Borrowed),
            at_hash: access_token.map(hash),
            c_hash: parts.code.map(hash),
            amr: parts.facts.map(Facts::amr).unwrap_or_default().into_iter().map(Cow::Borrowed).collect(),
            acr: asks_for_acr.then_some(Cow::Borrowed(ACR_ONE_FACTOR)),
            token_use: is_bounded.then_some(Cow::Borrowed(ID_TOKEN_ONLY)),
            profile,
        };
        key.sign(TokenType::IdToken, &claims).map_err(Refusal::internal)
    }

    /// Signs an access token for the client itself (RFC 6749 section 4.4). It opens no endpoint of a user. Of the scopes that
    /// the client asks for it gets those of the pool: Hufu's own are about a person.
    ///
    /// # Errors
    /// [`Code::TargetInvalid`].
    pub fn client_token(
        &self,
        application: &Application,
        scope: Option<&str>,
        resources: &[String],
        binding: &Binding,
    ) -> Result<TokenSet, Refusal> {
        self.check_resources(&application.pool, resources)?;
        let settings = self.config().settings(&application.pool);
        let scope = ScopeSet::requested(scope.unwrap_or_default(), &settings.scopes).only_of_pool();
        let now = self.now();
        let expires_at = now.plus(application.lifetimes.access_token);
        let mut jti = [0_u8; 16];
        self.random.fill(&mut jti);
        let claims = ClientTokenClaims {
            iss: Cow::Borrowed(&self.issuer),
            sub: application.id.clone(),
            aud: Audience::of(resources, &application.id),
            client_id: application.id.clone(),
            scope: scope.clone(),
            iat: now.seconds(),
            exp: expires_at.seconds(),
            jti: hex::encode(jti).into(),
            cnf: binding.confirmation(),
        };
        let key = self.signing_key(application, now)?;
        let access_token = key.sign(TokenType::AccessToken, &claims).map_err(Refusal::internal)?;
        let expires_in = application.lifetimes.access_token.as_secs();
        let token_type = binding.token_type();
        Ok(TokenSet { access_token, id_token: None, refresh_token: None, scope, expires_in, token_type })
    }

    /// The refresh token grant (RFC 6749 section 6): issues a new token set and a new refresh token. The client may ask for
    /// fewer scopes and resources than it was granted.
    ///
    /// # Errors
    /// [`Code::GrantInvalid`], [`Code::TargetInvalid`].
    #[boxed]
    pub async fn refresh<'a>(
        &'a self,
        application: &Application,
        presented: &OpaqueToken,
        client_auth: Option<TokenAuth>,
        narrowing: Narrowing<'a>,
        binding: &Binding,
        origin: &Origin,
    ) -> Result<TokenSet, Refusal> {
        let Narrowing { scope: narrowed, resources: asked } = narrowing;
        self.check_resources(&application.pool, &asked)?;
        let settings = self.config().settings(&application.pool);
        let successor = OpaqueToken::generate(TokenPurpose::Refresh, &*self.random);
        let now = self.now();
        let rotation = Rotate {
            pool: application.pool.clone(),
            application: application.id.clone(),
            client_auth,
            key: binding.key().cloned(),
            presented: hash_token(presented.expose()),
            resources: asked.clone(),
            successor: hash_token(successor.expose()),
            expires_at: now.plus(application.lifetimes.refresh_token),
            grace: self.limits.refresh_grace,
            rules: settings.session,
            admission: Admission::of(application),
            trace: self.trace(&application.pool, None, Some(&application.id), None, origin),
        };
        match self.write(rotation).await? {
            Rotation::Rotated { session, details, account, scope, resources } => {
                let resources = &self.target(&application.pool, asked, resources)?;
                // Clients know the user by the `sub` that the session started with, even if the account has
                // since been merged.
                let user = User { id: details.user.clone(), ..*account };
                let id_token = IdTokenParts {
                    facts: details.facts.as_ref(),
                    claims: Some(&details.claims),
                    ..IdTokenParts::default()
                };
                let (auth_time, session) = (details.auth_time(), &session);
                let issue =
                    Issue { application, user: &user, session, auth_time, binding, id_token, resources };
                // A client may ask for less (RFC 6749 section 6). The refresh token keeps what it has.
                let wish = narrowed.map(|text| ScopeSet::requested(text, &settings.scopes));
                let wish = wish.filter(|wish| !wish.is_empty());
                let scope = wish.map_or_else(|| scope.clone(), |wish| scope.intersect(&wish));
                self.token_set(&issue, &scope, Some(successor))
            }
            Rotation::NotGranted => Err(Code::TargetInvalid.because("the resource was not granted")),
            Rotation::Unknown => Err(Code::GrantInvalid.into()),
            Rotation::NotListed(session) => {
                self.forget_session(&session);
                Err(Code::GrantInvalid.because("the application does not list the account any more"))
            }
            Rotation::Reused(session) => {
                self.forget_session(&session);
                tracing::warn!(%session, application = %application.id, "a refresh token was used twice: its session is ended");
                metrics::counter!("hufu_refresh_reuse_total").increment(1);
                Err(Code::GrantInvalid.into())
            }
        }
    }

    /// Issues a token set for the session of a user token, which mobile clients log in with.
    ///
    /// # Errors
    /// [`Code::GrantInvalid`] for a token that is none of this application's user tokens.
    #[boxed]
    pub async fn exchange_user_token(
        &self,
        application: &Application,
        token: &str,
        client_auth: Option<TokenAuth>,
        scope: Option<&str>,
        binding: &Binding,
        origin: Origin,
    ) -> Result<TokenSet, Refusal> {
        let scope = ScopeSet::asked(scope, &self.config().settings(&application.pool).scopes);
        let hint = ApplicationHint::default();
        let is_no_grant =
            |refusal: &Refusal| refusal.is(Code::NotLoggedIn) || refusal.is(Code::DpopTokenMisused);
        let who = self.authenticate(Some(Presented::Bearer(token)), hint, origin, Needs::Login).await;
        let who =
            who.map_err(|refusal| if is_no_grant(&refusal) { Code::GrantInvalid.into() } else { refusal })?;
        if who.scope.is_some() || who.application.id != application.id {
            return Err(Code::GrantInvalid.into());
        }
        let unit = GetUser { pool: who.pool().clone(), user: who.user.clone() };
        let account = self.read(unit).await?.ok_or(Code::GrantInvalid)?;
        let user = User { id: who.subject.clone(), ..account };
        let refresh = self.new_refresh_token(application, &scope, client_auth, binding);
        if let Some((_, stored)) = &refresh {
            let (pool, session) = (who.pool().clone(), who.session.clone());
            let (application, new) = (application.id.clone(), stored.clone());
            self.write(AddRefreshToken { pool, session, application, new, now: self.now() }).await?;
        }
        let id_token = IdTokenParts::default();
        let (session, auth_time) = (&who.session, who.auth_time);
        let resources = &[];
        let issue = Issue { application, user: &user, session, auth_time, binding, id_token, resources };
        self.token_set(&issue, &scope, refresh.map(|(token, _)| token))
    }

    /// Revokes an application's access or refresh token and ends its session (RFC 7009). An unknown token is
    /// not an error.
    #[boxed]
    pub async fn revoke(
        &self,
        application: &Application,
        token: &OpaqueToken,
        origin: &Origin,
    ) -> Result<(), Refusal> {
        if self.client_claims(token.expose()).is_some_and(|claims| claims.client_id == application.id) {
            return Err(Code::TokenNotRevocable.into());
        }
        let (token, actor) = match self.token_of(token.expose(), &application.id) {
            Some(bearer) if application.client.subject_type.is_public() => {
                (RevokedToken::OfSession(bearer.session.clone()), Some(Actor::user(&bearer.user)))
            }
            // The token does not name the user.
            Some(bearer) => {
                let session = self.living_session(&application.pool, &bearer.session).await;
                let actor = session.ok().map(|session| Actor::user(&session.user));
                (RevokedToken::OfSession(bearer.session.clone()), actor)
            }
            None => (RevokedToken::Refresh(hash_token(token.expose())), None),
        };
        let unit = RevokeToken {
            pool: application.pool.clone(),
            application: application.id.clone(),
            token,
            trace: self.trace(&application.pool, actor, Some(&application.id), None, origin),
        };
        if let Some(session) = self.write(unit).await? {
            self.forget_session(&session);
        }
        Ok(())
    }

    /// An unexpired access or user token of this application.
    fn token_of(&self, token: &str, application: &ApplicationId) -> Option<Arc<Bearer>> {
        self.bearer_claims(token).ok().filter(|bearer| bearer.application == *application)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("there is no signing key of this algorithm")]
struct MissingKey;

/// The claims about a user for these scopes, Hufu's own and the pool's. Of custom data, only fields that are visible to the
/// user.
pub fn claims_of(user: &User, scope: &ScopeSet, settings: &PoolSettings) -> Map<String, Value> {
    let mut claims = standard_claims(user, scope, settings);
    let granted = settings.scopes.iter().filter(|declared| scope.has_of_pool(&declared.name));
    let mut given = granted.flat_map(|declared| &declared.claims).peekable();
    if given.peek().is_some() {
        let all = standard_claims(user, &ScopeSet::all(&[]), settings);
        let custom = |key: &str| {
            let is_seen = settings.custom_field(key).is_some_and(|field| field.visible);
            user.custom_data.get(key).filter(|value| is_seen && !value.is_null())
        };
        for (claim, source) in given {
            let value = PoolScope::custom_key(source).map_or_else(|| all.get(source), custom);
            if let Some(value) = value {
                claims.insert(claim.clone(), value.clone());
            }
        }
    }
    claims
}

/// The claims about a user for Hufu's own scopes (OpenID Connect Core sections 5.1 and 5.4).
fn standard_claims(user: &User, scope: &ScopeSet, settings: &PoolSettings) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut put = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            claims.insert(name.to_owned(), value.into());
        }
    };
    let profile = &user.profile;
    if scope.has(Scope::Profile) {
        put("name", profile.name.as_deref());
        put("given_name", profile.given_name.as_deref());
        put("family_name", profile.family_name.as_deref());
        put("middle_name", profile.middle_name.as_deref());
        put("nickname", profile.nickname.as_deref());
        put("preferred_username", profile.preferred_username.as_deref());
        put("profile", profile.profile.as_deref());
        put("picture", profile.photo.as_deref());
        put("website", profile.website.as_deref());
        put("birthdate", profile.birthdate.as_deref());
        put("zoneinfo", profile.zoneinfo.as_deref());
        put("locale", profile.locale.as_deref());
    }
    if scope.has(Scope::Profile) {
        // OpenID Connect Core 5.1 names two values and permits others.
        put(
            "gender",
            profile.gender.and_then(|gender| match gender {
                Gender::Male => Some("male"),
                Gender::Female => Some("female"),
                Gender::Unknown => None,
            }),
        );
    }
    if scope.has(Scope::Username) {
        put("username", user.username.as_ref().map(hufu_types::Username::as_str));
    }
    if scope.has(Scope::ExternalId) {
        put("external_id", user.external_id.as_deref());
    }
    if scope.has(Scope::Email) {
        put("email", user.email.as_ref().map(hufu_types::Email::as_str));
    }
    if scope.has(Scope::Phone) {
        put("phone_number", user.phone.as_ref().map(|(phone, _)| phone.as_str()));
    }
    if scope.has(Scope::Profile) {
        claims.insert("updated_at".to_owned(), user.updated_at.seconds().into());
    }
    if scope.has(Scope::Email) && user.email.is_some() {
        claims.insert("email_verified".to_owned(), user.email_verified.into());
    }
    if scope.has(Scope::Phone) && user.phone.is_some() {
        claims.insert("phone_number_verified".to_owned(), user.vouched_phone().is_some().into());
    }
    if scope.has(Scope::Address) {
        let parts = [
            ("formatted", profile.formatted.as_ref().or(profile.address.as_ref())),
            ("street_address", profile.street_address.as_ref()),
            ("locality", profile.locality.as_ref().or(profile.city.as_ref())),
            ("region", profile.region.as_ref().or(profile.province.as_ref())),
            ("postal_code", profile.postal_code.as_ref()),
            ("country", profile.country.as_ref()),
        ];
        let parts =
            parts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.as_str().into())));
        let address: Map<String, Value> = parts.collect();
        if !address.is_empty() {
            claims.insert("address".to_owned(), address.into());
        }
    }
    if scope.has(Scope::ExtendedFields) {
        let seen = settings.visible(&user.custom_data);
        if !seen.is_empty() {
            claims.insert("extended_fields".to_owned(), seen.into());
        }
    }
    claims
}

/// The claims that a client requested one by one (OpenID Connect Core 5.5), as far as the user has them.
pub fn claims_asked(user: &User, asked: &Map<String, Value>, settings: &PoolSettings) -> Map<String, Value> {
    let mut all = claims_of(user, &ScopeSet::all(&settings.scopes), settings);
    all.retain(|name, _| asked.contains_key(name));
    all
}
