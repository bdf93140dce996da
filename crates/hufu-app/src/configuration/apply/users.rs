//! Finds out which users of the file exist already.

use hufu_store::{StoreError, Tx, users};
use hufu_types::{Email, Phone, PhoneProof, PoolId, Profile, Timestamp, User, UserId};

use super::file::{Desired, DesiredUser};

/// The users that the keys of a user in the file match, and whether its id is free.
pub(super) struct Found {
    /// The keys given in the file, most decisive first, each with the user of the pool that has it.
    matches: Vec<(&'static str, Option<UserId>)>,
    /// Whether the id belongs to a user of another pool.
    id_taken_elsewhere: bool,
}

/// The result of looking up a user of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// No such user exists yet.
    Absent,
    /// The user exists. `differs` lists the keys of the file that it does not have, because users may change
    /// them.
    Exists { differs: Vec<&'static str> },
}

/// Looks up all users of the file, pool by pool.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    desired: &Desired,
    pools: &[(PoolId, String)],
) -> Result<Vec<Vec<Found>>, StoreError> {
    let mut found = Vec::with_capacity(desired.pools.len());
    for pool in &desired.pools {
        let others = || pools.iter().map(|(id, _)| id).filter(|id| **id != pool.id);
        let mut in_pool = Vec::with_capacity(pool.users.len());
        for user in &pool.users {
            in_pool.push(find_one(tx, &pool.id, others(), user).await?);
        }
        found.push(in_pool);
    }
    Ok(found)
}

async fn find_one(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    others: impl Iterator<Item = &PoolId> + Send,
    desired: &DesiredUser,
) -> Result<Found, StoreError> {
    let mut matches = Vec::new();
    let mut add_match = |key, user: Option<User>| matches.push((key, user.map(|user| user.id)));
    let mut id_taken_elsewhere = false;
    if let Some(id) = &desired.id {
        add_match("id", users::get(tx, pool, id).await?);
        id_taken_elsewhere = users::id_is_taken(tx, others, id).await?;
    }
    if let Some(username) = &desired.username {
        add_match("username", users::by_username(tx, pool, username).await?);
    }
    if let Some(email) = &desired.email {
        add_match("email", users::by_email(tx, pool, email).await?);
    }
    if let Some(phone) = &desired.phone {
        add_match("phone", users::by_phone(tx, pool, phone).await?);
    }
    if let Some(external_id) = &desired.external_id {
        add_match("external_id", users::by_external_id(tx, pool, external_id).await?);
    }
    Ok(Found { matches, id_taken_elsewhere })
}

impl Found {
    /// Decides which user it is. The first key decides. A later key without a match was changed since; one
    /// that matches another user is an error. The error says what is wrong and what to do, without personal
    /// data.
    pub(super) fn resolve(&self) -> Result<Match, String> {
        if self.id_taken_elsewhere {
            return Err("this user id is taken in another user pool — choose another id".to_owned());
        }
        let Some(((first, decided), others)) = self.matches.split_first() else { return Ok(Match::Absent) };
        let contradiction = others.iter().find(|(_, user)| user.is_some() && user != decided);
        match (decided, contradiction) {
            (Some(_), Some((other, _))) => Err(format!(
                "`{first}` and `{other}` lead to two users that exist already — take one of them out, \
                 or write each user on its own"
            )),
            (None, Some((other, _))) => Err(format!(
                "`{other}` belongs to a user that exists already and has another `{first}` or none — \
                 change or take out one of the two"
            )),
            (Some(_), None) => {
                let differs = others.iter().filter(|(_, user)| user.is_none()).map(|(key, _)| *key).collect();
                Ok(Match::Exists { differs })
            }
            (None, None) => Ok(Match::Absent),
        }
    }
}

/// A new user as the file describes it. Its e-mail address and phone number count as verified by an
/// administrator.
pub(super) fn new_user(desired: &DesiredUser, pool: &PoolId, id: UserId, now: Timestamp) -> User {
    User {
        username: desired.username.clone(),
        email: desired.email.clone(),
        email_verified: desired.email.is_some(),
        phone: desired.phone.clone().map(|phone| (phone, PhoneProof::Administrator)),
        external_id: desired.external_id.clone(),
        profile: Profile {
            nickname: desired.nickname.clone(),
            name: desired.name.clone(),
            ..Profile::default()
        },
        ..User::new(pool.clone(), id, "admin", now)
    }
}

/// The name of a user in the plan.
pub(super) fn label(desired: &DesiredUser) -> String {
    let DesiredUser { username, email, phone, .. } = desired;
    let masked = || email.as_ref().map(Email::masked).or_else(|| phone.as_ref().map(Phone::masked));
    username.as_ref().map(ToString::to_string).or_else(masked).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_key_decides_and_no_other_may_contradict() {
        let exists = |differs: &[&'static str]| Ok(Match::Exists { differs: differs.to_vec() });
        for (users, expected) in [
            ([None, None, None], Ok(Match::Absent)),
            ([Some("a"), Some("a"), Some("a")], exists(&[])),
            ([Some("a"), Some("a"), None], exists(&["phone"])),
            ([Some("a"), None, None], exists(&["email", "phone"])),
            ([Some("a"), None, Some("b")], Err("`username` and `phone` lead to two users")),
            ([None, Some("b"), Some("b")], Err("`email` belongs to a user that exists already")),
        ] {
            let matches = ["username", "email", "phone"].into_iter().zip(users);
            let matches =
                matches.map(|(key, user)| (key, user.map(|id| UserId::parse(id).unwrap()))).collect();
            let resolved = Found { matches, id_taken_elsewhere: false }.resolve();
            match (resolved, expected) {
                (Err(reason), Err(start)) => assert!(reason.starts_with(start), "{reason}"),
                (resolved, expected) => assert_eq!(resolved.ok(), expected.ok(), "{users:?}"),
            }
        }
    }
}
