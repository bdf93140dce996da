//! The user object of the v2 clients, for REST responses and GraphQL.

use async_graphql::SimpleObject;
use hufu_app::{Authenticated, LoginDone, UserToken};
use hufu_types::{Identity, IdentityKind, Timestamp, User, UserStatus};
use serde::Serialize;

use crate::request::Head;
pub(crate) use crate::waiting::phone_text;

/// A user of a pool. Fields that are not stored are null.
#[derive(Clone, Debug, Default, Serialize, SimpleObject)]
#[graphql(name = "User", complex)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserV2 {
    pub id: String,
    pub arn: String,
    pub user_pool_id: String,
    pub status: Option<&'static str>,
    pub username: Option<String>,
    pub email: Option<String>,
    pub email_verified: Option<bool>,
    pub phone: Option<String>,
    pub phone_country_code: Option<String>,
    pub phone_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identities: Option<Vec<IdentityV2>>,
    pub unionid: Option<String>,
    pub openid: Option<String>,
    pub nickname: Option<String>,
    pub register_source: Option<Vec<String>>,
    pub photo: Option<String>,
    pub password: Option<String>,
    pub oauth: Option<String>,
    pub token: Option<String>,
    pub token_expired_at: Option<String>,
    pub logins_count: Option<i32>,
    pub last_login: Option<String>,
    #[graphql(name = "lastIP")]
    #[serde(rename = "lastIP")]
    pub last_ip: Option<String>,
    pub signed_up: Option<String>,
    pub blocked: Option<bool>,
    pub is_deleted: Option<bool>,
    pub device: Option<String>,
    pub browser: Option<String>,
    pub company: Option<String>,
    pub name: Option<String>,
    pub given_name: Option<String>,
    pub family_name: Option<String>,
    pub middle_name: Option<String>,
    pub profile: Option<String>,
    pub preferred_username: Option<String>,
    pub website: Option<String>,
    pub gender: Option<&'static str>,
    pub birthdate: Option<String>,
    pub zoneinfo: Option<String>,
    pub locale: Option<String>,
    pub address: Option<String>,
    pub formatted: Option<String>,
    pub street_address: Option<String>,
    pub locality: Option<String>,
    pub region: Option<String>,
    pub postal_code: Option<String>,
    pub city: Option<String>,
    pub province: Option<String>,
    pub country: Option<String>,
    pub created_at: Option<String>,
    pub updated_at: Option<String>,
    pub external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newly_created: Option<bool>,
    /// Custom data, for the `customData` resolver.
    #[graphql(skip)]
    #[serde(skip)]
    pub custom: serde_json::Map<String, serde_json::Value>,
}

/// An identity of a user.
#[derive(Clone, Debug, Serialize, SimpleObject)]
#[graphql(name = "Identity")]
#[serde(rename_all = "camelCase")]
pub(crate) struct IdentityV2 {
    pub openid: Option<String>,
    pub user_id_in_idp: Option<String>,
    pub user_id: Option<String>,
    pub connection_id: Option<String>,
    pub is_social: Option<bool>,
    pub provider: Option<String>,
    pub user_pool_id: Option<String>,
    #[graphql(name = "type")]
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    pub ext_idp_id: Option<String>,
    pub user_info_in_idp: Option<String>,
    pub access_token: Option<String>,
    pub refresh_token: Option<String>,
}

/// The clients overwrite their stored token with the one in a response, so they get back the one they sent.
/// They do not store access tokens. An access token is never exchanged for a user token, which allows more
/// and lasts longer.
pub(crate) fn token_to_keep(head: &Head, who: &Authenticated) -> Option<UserToken> {
    let token = head.bearer().filter(|_| who.scope.is_none())?;
    let at_second = |seconds: i64| Timestamp(seconds.saturating_mul(1000));
    Some(UserToken {
        token: token.to_owned(),
        issued_at: at_second(who.issued_at),
        expires_at: at_second(who.expires_at),
    })
}

/// `arn:cn:authing:{pool}:user:{user}`.
pub(crate) fn arn(user: &User) -> String {
    format!("arn:cn:authing:{}:user:{}", user.pool, user.id)
}

impl UserV2 {
    /// A user, with the token that the client stores, if any.
    pub(crate) fn new(user: User, token: Option<&UserToken>) -> Self {
        let phone_verified = user.vouched_phone().is_some();
        let (arn, profile) = (arn(&user), user.profile);
        let phone = user.phone.as_ref().map(|(phone, _)| phone);
        Self {
            arn,
            id: user.id.as_str().to_owned(),
            user_pool_id: user.pool.as_str().to_owned(),
            status: Some(match user.status {
                // The enum of these clients has no value for it.
                UserStatus::Deactivated => UserStatus::Archived.as_str(),
                status => status.as_str(),
            }),
            username: user.username.map(String::from),
            email: user.email.map(String::from),
            email_verified: Some(user.email_verified),
            phone: phone.map(phone_text),
            phone_country_code: phone.map(|phone| phone.parts().0.to_owned()),
            phone_verified: Some(phone_verified),
            nickname: profile.nickname,
            register_source: Some(vec![user.register_source]),
            photo: profile.photo,
            token: token.map(|token| token.token.clone()),
            token_expired_at: token.map(|token| token.expires_at.to_iso()),
            logins_count: Some(i32::try_from(user.logins_count).unwrap_or(i32::MAX)),
            last_login: user.last_login_at.map(hufu_types::Timestamp::to_iso),
            last_ip: user.last_ip,
            signed_up: Some(user.created_at.to_iso()),
            blocked: Some(user.status == UserStatus::Suspended),
            is_deleted: Some(false),
            device: profile.device,
            browser: profile.browser,
            company: profile.company,
            name: profile.name,
            given_name: profile.given_name,
            family_name: profile.family_name,
            middle_name: profile.middle_name,
            profile: profile.profile,
            preferred_username: profile.preferred_username,
            website: profile.website,
            gender: Some(profile.gender.unwrap_or(hufu_types::Gender::Unknown).as_str()),
            birthdate: profile.birthdate,
            zoneinfo: profile.zoneinfo,
            locale: profile.locale,
            address: profile.address,
            formatted: profile.formatted,
            street_address: profile.street_address,
            locality: profile.locality,
            region: profile.region,
            postal_code: profile.postal_code,
            city: profile.city,
            province: profile.province,
            country: profile.country,
            created_at: Some(user.created_at.to_iso()),
            updated_at: Some(user.updated_at.to_iso()),
            external_id: user.external_id,
            custom: user.custom_data,
            ..Self::default()
        }
    }

    /// A user who has just logged in.
    pub(crate) fn of_login(done: LoginDone) -> Self {
        let token = done.user_token().cloned();
        Self {
            openid: done.openid,
            unionid: done.unionid,
            newly_created: Some(done.newly_created),
            ..Self::new(done.user, token.as_ref())
        }
    }

    /// Adds the identities, and the first OpenID and UnionID among them.
    pub(crate) fn with_identities(mut self, identities: Vec<Identity>) -> Self {
        let first = |kind| identities.iter().find(|i| i.key.kind == kind).map(|i| i.key.value.clone());
        self.openid = first(IdentityKind::Openid);
        self.unionid = first(IdentityKind::Unionid);
        let pool = self.user_pool_id.clone();
        self.identities =
            Some(identities.into_iter().map(|identity| IdentityV2::new(identity, &pool)).collect());
        self
    }
}

impl IdentityV2 {
    fn new(identity: Identity, pool: &str) -> Self {
        // These clients take it as the text of an object.
        let said = Some(&identity.user_info).filter(|said| !said.is_empty());
        Self {
            user_info_in_idp: said.and_then(|said| serde_json::to_string(said).ok()),
            openid: Some(identity.key.value.clone()),
            user_id: Some(identity.user.as_str().to_owned()),
            connection_id: Some(identity.connection.as_str().to_owned()),
            is_social: Some(true),
            provider: Some(identity.key.provider().to_owned()),
            user_pool_id: Some(pool.to_owned()),
            kind: Some(identity.key.kind.as_str()),
            ext_idp_id: Some(identity.connection.as_str().to_owned()),
            user_id_in_idp: Some(identity.key.value),
            access_token: None,
            refresh_token: None,
        }
    }
}
