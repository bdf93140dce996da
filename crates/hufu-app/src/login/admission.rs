//! Who may log in to an application.

use hufu_store::{StoreError, Tx, application_users};
use hufu_types::{Access, Application, ApplicationId, PoolId, UserId};

/// Whom an application lets log in. [`Self::default`] is everybody. Whatever begins a session of an application asks it.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// The application, if it lets only those in whom it lists.
    listing: Option<ApplicationId>,
}

impl Admission {
    /// The rule of this application.
    pub fn of(application: &Application) -> Self {
        let is_listing = application.login.access == Access::Listed;
        Self { listing: is_listing.then(|| application.id.clone()) }
    }

    /// Whether it depends on who logs in.
    pub(crate) const fn asks(&self) -> bool {
        self.listing.is_some()
    }

    /// Whether an account may log in. Reads nothing where everybody may.
    pub(crate) async fn admits(
        &self,
        tx: &mut Tx<'_>,
        pool: &PoolId,
        user: &UserId,
    ) -> Result<bool, StoreError> {
        match &self.listing {
            Some(application) => application_users::has(tx, pool, application, user).await,
            None => Ok(true),
        }
    }
}
