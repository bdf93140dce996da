//! `/api/v2/users/*`: the user, the security level of the account, the applications open to it, and linking
//! and unlinking of accounts.

use std::sync::Arc;

use axum::extract::State;
use hufu_app::authorization::Presented;
use hufu_app::{Authenticated, Refusal, WhichIdentities};
use hufu_types::{Application, Scope, User};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fields::required;
use super::user::{UserV2, token_to_keep};
use crate::envelope::Success;
use crate::request::{Body, Head, Query};
use crate::server::{self, Shared};
use crate::surface::{Answer, Refused};

/// `GET /api/v2/users/me` and `/api/v2/users/me/info`: the user that the token belongs to. The mobile SDKs send their id
/// token.
pub(crate) async fn me(State(shared): server::State, head: Head) -> Answer<Success<UserV2>> {
    let who = head.authenticate_mobile(&shared, Scope::Profile).await?;
    Ok(Success::new(own(&shared, &head, &who).await?))
}

/// The user of a token with identities, and with the token that the client stores.
pub(crate) async fn own(shared: &Shared, head: &Head, who: &Authenticated) -> Result<UserV2, Refusal> {
    let (user, identities) = shared.app.user_with_identities(who).await?;
    Ok(UserV2::new(user, token_to_keep(head, who).as_ref()).with_identities(identities))
}

/// How well an account is protected. The strength of its password is unknown, since only a hash is stored.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the fields of the response")]
pub(crate) struct SecurityLevel {
    pub(crate) score: u32,
    pub(crate) email: bool,
    pub(crate) phone: bool,
    pub(crate) password: bool,
    pub(crate) password_security_level: Option<u32>,
    pub(crate) mfa: bool,
}

impl SecurityLevel {
    /// Each of these gives 25 of 100 points: a verified phone number, a verified e-mail address, a password,
    /// a second factor.
    pub(crate) fn of(user: &User) -> Self {
        let (phone, email) = (user.vouched_phone().is_some(), user.vouched_email().is_some());
        let (password, mfa) = (user.password_set_at.is_some(), false);
        let score = [phone, email, password, mfa].into_iter().filter(|has| *has).map(|_| 25).sum();
        Self { score, email, phone, password, password_security_level: None, mfa }
    }
}

/// `GET /api/v2/users/me/security-level`
pub(crate) async fn security_level(
    State(shared): server::State,
    head: Head,
) -> Answer<Success<SecurityLevel>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let user = shared.app.user(&who).await?;
    Ok(Success::new(SecurityLevel::of(&user)))
}

/// The requested page of a list.
#[derive(Deserialize)]
pub(crate) struct Paging {
    /// Starts at 1.
    page: Option<String>,
    limit: Option<String>,
}

/// The largest page size.
const LARGEST_PAGE: usize = 100;

impl Paging {
    /// How many entries to skip and how many to return. Missing or invalid values mean the first page of ten.
    fn range(&self) -> (usize, usize) {
        let number = |text: &Option<String>, otherwise: usize| {
            text.as_deref().and_then(|text| text.parse().ok()).filter(|n| *n > 0).unwrap_or(otherwise)
        };
        let limit = number(&self.limit, 10).min(LARGEST_PAGE);
        ((number(&self.page, 1) - 1).saturating_mul(limit), limit)
    }
}

/// `GET /api/v2/users/me/applications/allowed`: the applications that the user may log in to. These are all
/// enabled applications of the pool, because there are no permissions yet that would exclude some.
pub(crate) async fn applications(
    State(shared): server::State,
    head: Head,
    paging: Result<Query<Paging>, Refused>,
) -> Answer<Success<Value>> {
    let who = head.authenticate(&shared, Scope::Profile).await?;
    let paging = paging.map_or(Paging { page: None, limit: None }, |Query(paging)| paging);
    let config = shared.app.config();
    let of_pool = |application: &&Arc<Application>| application.pool == *who.pool() && application.enabled;
    let mut all: Vec<_> = config.applications().filter(of_pool).collect();
    all.sort_by_key(|application| application.position);
    let (skipped, taken) = paging.range();
    let list: Vec<_> = all.iter().skip(skipped).take(taken).map(|a| brief(a)).collect();
    Ok(Success::new(json!({ "totalCount": all.len(), "list": list })))
}

fn brief(application: &Application) -> Value {
    json!({
        "id": application.id.as_str(),
        "name": application.name,
        "userPoolId": application.pool.as_str(),
        "applicationType": application.kind.as_str(),
        "isDefault": application.is_default,
        "logo": null,
        "description": null,
    })
}

/// The request to link two accounts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkRequest {
    primary_user_token: Option<String>,
    secondary_user_token: Option<String>,
}

/// `POST /api/v2/users/link`: merges the account of the secondary token into that of the primary one. The
/// tokens in the body prove both accounts; a bearer token is ignored.
pub(crate) async fn link(
    State(shared): server::State,
    head: Head,
    Body(request): Body<LinkRequest>,
) -> Answer<Success<()>> {
    let primary = required(request.primary_user_token.as_ref(), "primaryUserToken")?;
    let primary = Some(Presented::Bearer(primary));
    let secondary = required(request.secondary_user_token.as_ref(), "secondaryUserToken")?;
    let who = shared.app.authenticate(primary, head.named(), head.origin(), Scope::Profile.into()).await?;
    shared.app.merge_by_tokens(&who, secondary).await?;
    Ok(Success::empty())
}

/// The request to unlink a provider.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnlinkRequest {
    primary_user_token: Option<String>,
    provider: Option<String>,
}

/// `POST /api/v2/users/unlink`: removes all identities of a provider from the account of the token, unless
/// they are the only way to log in to it. The token in the body proves the account; a bearer token is
/// ignored.
pub(crate) async fn unlink(
    State(shared): server::State,
    head: Head,
    Body(request): Body<UnlinkRequest>,
) -> Answer<Success<()>> {
    let primary = required(request.primary_user_token.as_ref(), "primaryUserToken")?;
    let primary = Some(Presented::Bearer(primary));
    let provider = required(request.provider.as_ref(), "provider")?.to_owned();
    let who = shared.app.authenticate(primary, head.named(), head.origin(), Scope::Profile.into()).await?;
    shared.app.unbind_identities(&who, &WhichIdentities::Provider(provider)).await?;
    Ok(Success::empty())
}

#[cfg(test)]
mod tests {
    use hufu_types::{Email, Phone, PhoneProof, PoolId, Timestamp, UserId};

    use super::*;

    #[test]
    fn pages_start_at_one() {
        let page =
            |page: &str, limit: &str| Paging { page: Some(page.into()), limit: Some(limit.into()) }.range();
        assert_eq!(Paging { page: None, limit: None }.range(), (0, 10));
        assert_eq!((page("1", "3"), page("2", "3")), ((0, 3), (3, 3)));
        assert_eq!((page("0", "-1"), page("x", "1000")), ((0, 10), (0, 100)));
        assert_eq!(page("18446744073709551615", "100"), (usize::MAX, 100));
    }

    #[test]
    fn what_is_proved_counts() {
        let id = "6560c0ffee00000000000009";
        let (pool, user) = (PoolId::parse(id).unwrap(), UserId::parse(id).unwrap());
        let mut user = User::new(pool, user, "test", Timestamp(0));
        assert_eq!(SecurityLevel::of(&user).score, 0);
        user.phone = Some((Phone::parse("+8613800000000").unwrap(), PhoneProof::Unverified));
        user.email = Some(Email::parse("bob@example.com").unwrap());
        let level = SecurityLevel::of(&user);
        assert!(!level.phone && !level.email && level.score == 0);
        user.phone = user.phone.map(|(phone, _)| (phone, PhoneProof::Code));
        user.email_verified = true;
        user.password_set_at = Some(Timestamp(1));
        let level = SecurityLevel::of(&user);
        assert!(level.phone && level.email && level.password && !level.mfa && level.score == 75);
    }
}
