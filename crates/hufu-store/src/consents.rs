//! What people let applications have.

use hufu_types::{ApplicationId, PoolId, ScopeSet, Timestamp, UserId};

use crate::{Read, Row, StoreError, Tx, resources, statements};

statements! {
    GET = "
        SELECT scopes, claims, resources FROM consents
        WHERE pool_id = $1 AND user_id = $2 AND application_id = $3";
    PUT = "
        INSERT INTO consents (pool_id, user_id, application_id, scopes, claims, granted_at, resources)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (pool_id, user_id, application_id) DO UPDATE
        SET scopes = excluded.scopes, claims = excluded.claims, granted_at = excluded.granted_at,
            resources = excluded.resources";
    LIST = "
        SELECT scopes, claims, resources, application_id, granted_at FROM consents
        WHERE pool_id = $1 AND user_id = $2
        ORDER BY granted_at DESC, application_id";
    DELETE = "DELETE FROM consents WHERE pool_id = $1 AND user_id = $2 AND application_id = $3";
    DELETE_OF_USER = "DELETE FROM consents WHERE pool_id = $1 AND user_id = $2";
    DELETE_OF_APPLICATION = "DELETE FROM consents WHERE pool_id = $1 AND application_id = $2";
}

/// What a person lets an application have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consent {
    /// The scopes.
    pub scopes: ScopeSet,
    /// The names of claims that were requested one by one, in alphabetical order.
    pub claims: Vec<String>,
    /// The resources that its tokens may be for, in alphabetical order.
    pub resources: Vec<String>,
}

impl Consent {
    /// Whether all of the other consent is in this one.
    pub fn covers(&self, other: &Self) -> bool {
        self.scopes.covers(&other.scopes)
            && other.claims.iter().all(|claim| self.claims.contains(claim))
            && other.resources.iter().all(|resource| self.resources.contains(resource))
    }

    /// Both together.
    #[must_use]
    pub fn union(self, other: &Self) -> Self {
        let both = |mut one: Vec<String>, other: &[String]| {
            one.extend(other.iter().cloned());
            one.sort_unstable();
            one.dedup();
            one
        };
        Self {
            scopes: self.scopes.union(&other.scopes),
            claims: both(self.claims, &other.claims),
            resources: both(self.resources, &other.resources),
        }
    }
}

/// What a person lets an application have, if they were ever asked.
pub async fn get(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    application: &ApplicationId,
) -> Result<Option<Consent>, StoreError> {
    tx.optional(GET, &[pool.into(), user.into(), application.into()], decode).await
}

/// A consent as shown to whoever gave it.
#[derive(Clone, Debug)]
pub struct GivenConsent {
    /// The application.
    pub application: ApplicationId,
    /// What they let it have.
    pub consent: Consent,
    /// When they last agreed.
    pub granted_at: Timestamp,
}

/// What an account lets applications have, the latest first.
pub struct ListConsents {
    /// The pool.
    pub pool: PoolId,
    /// The account.
    pub user: UserId,
}

impl Read for ListConsents {
    type Out = Vec<GivenConsent>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<GivenConsent>, StoreError> {
        tx.all(LIST, &[(&self.pool).into(), (&self.user).into()], |row| {
            Ok(GivenConsent {
                consent: decode(row)?,
                application: ApplicationId::parse(&row.get::<String>(3)?)?,
                granted_at: Timestamp(row.get(4)?),
            })
        })
        .await
    }
}

/// Deletes what a person lets an application have. Returns whether there was something.
pub async fn withdraw(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    application: &ApplicationId,
) -> Result<bool, StoreError> {
    Ok(tx.execute(DELETE, &[pool.into(), user.into(), application.into()]).await? > 0)
}

/// Stores what a person lets an application have.
pub async fn put(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    user: &UserId,
    application: &ApplicationId,
    consent: &Consent,
    now: Timestamp,
) -> Result<(), StoreError> {
    let (scopes, claims) = (consent.scopes.to_string(), serde_json::to_string(&consent.claims)?);
    let resources = resources::written(&consent.resources)?;
    let values = [
        pool.into(),
        user.into(),
        application.into(),
        (&scopes).into(),
        (&claims).into(),
        now.into(),
        resources.as_deref().into(),
    ];
    tx.execute(PUT, &values).await.map(drop)
}

/// Deletes the consents of a user.
pub async fn forget(tx: &mut Tx<'_>, pool: &PoolId, user: &UserId) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_USER, &[pool.into(), user.into()]).await.map(drop)
}

/// Deletes what people let an application have.
pub async fn forget_application(
    tx: &mut Tx<'_>,
    pool: &PoolId,
    application: &ApplicationId,
) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_APPLICATION, &[pool.into(), application.into()]).await.map(drop)
}

fn decode(row: &Row<'_>) -> Result<Consent, StoreError> {
    let claims = serde_json::from_str(&row.get::<String>(1)?)?;
    Ok(Consent {
        scopes: ScopeSet::stored(&row.get::<String>(0)?),
        claims,
        resources: resources::read(row, 2)?,
    })
}
