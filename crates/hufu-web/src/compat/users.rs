//! `/api/v2/users/*`: the user, how well the account is protected, and accounts that are joined and parted.

use axum::extract::State;
use hufu_app::{Refusal, WhichIdentities};
use hufu_types::User;
use serde::{Deserialize, Serialize};

use super::fields::required;
use super::user::{UserV2, token_to_keep};
use crate::envelope::Success;
use crate::problem::Failure;
use crate::request::{Body, Head};
use crate::server;

/// `GET /api/v2/users/me`: the user behind the token.
pub(crate) async fn me(State(shared): server::State, head: Head) -> Result<Success<UserV2>, Failure> {
    let who = head.authenticate(&shared).await?;
    let found = shared.app.user_with_identities(&who).await;
    let (user, identities) = found.map_err(|refusal| head.refuse(refusal))?;
    let token = token_to_keep(&head, &who);
    Ok(Success::new(UserV2::new(user, token.as_ref()).with_identities(identities)))
}

/// How well an account is protected. How strong its password is nobody knows: only a hash is kept.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "these are the fields of the answer")]
pub(crate) struct SecurityLevel {
    pub(crate) score: u32,
    pub(crate) email: bool,
    pub(crate) phone: bool,
    pub(crate) password: bool,
    pub(crate) password_security_level: Option<u32>,
    pub(crate) mfa: bool,
}

impl SecurityLevel {
    /// Of 100 points 25 are for each: a proved phone number, a proved e-mail address, a password, a second factor.
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
) -> Result<Success<SecurityLevel>, Failure> {
    let who = head.authenticate(&shared).await?;
    let user = shared.app.user(&who).await.map_err(|refusal| head.refuse(refusal))?;
    Ok(Success::new(SecurityLevel::of(&user)))
}

/// What the clients send to join two accounts.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkRequest {
    primary_user_token: Option<String>,
    secondary_user_token: Option<String>,
}

/// `POST /api/v2/users/link`: merges the account of one token into that of another. The tokens in the body prove both;
/// a bearer is ignored.
pub(crate) async fn link(
    State(shared): server::State,
    head: Head,
    Body(request): Body<LinkRequest>,
) -> Result<Success<()>, Failure> {
    let merged = async {
        let primary = required(request.primary_user_token.as_ref(), "primaryUserToken")?;
        let secondary = required(request.secondary_user_token.as_ref(), "secondaryUserToken")?;
        let who = shared.app.authenticate(Some(primary), head.named(), head.origin()).await?;
        shared.app.merge_by_tokens(&who, secondary).await
    };
    merged.await.map_err(|refusal: Refusal| head.refuse(refusal))?;
    Ok(Success::empty())
}

/// What the clients send to part from a source.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UnlinkRequest {
    primary_user_token: Option<String>,
    provider: Option<String>,
}

/// `POST /api/v2/users/unlink`: takes all identities of a provider from the account of the token, unless nobody could
/// log in to it without them. The token in the body proves the account; a bearer is ignored.
pub(crate) async fn unlink(
    State(shared): server::State,
    head: Head,
    Body(request): Body<UnlinkRequest>,
) -> Result<Success<()>, Failure> {
    let parted = async {
        let primary = required(request.primary_user_token.as_ref(), "primaryUserToken")?;
        let provider = required(request.provider.as_ref(), "provider")?.to_owned();
        let who = shared.app.authenticate(Some(primary), head.named(), head.origin()).await?;
        shared.app.unbind_identities(&who, &WhichIdentities::Provider(provider)).await
    };
    parted.await.map_err(|refusal: Refusal| head.refuse(refusal))?;
    Ok(Success::empty())
}

#[cfg(test)]
mod tests {
    use hufu_types::{Email, Phone, PhoneProof, PoolId, Timestamp, UserId};

    use super::*;

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
