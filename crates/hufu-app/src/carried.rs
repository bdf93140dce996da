//! Values that a client carries for a short time and brings back once. They are sealed, so nothing is stored before that.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hufu_store::used_jtis::UseJti;
use hufu_types::{Application, ApplicationId, PoolId, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::digest::hash_token;
use crate::{App, Refusal};

#[derive(Serialize, Deserialize)]
struct Carried<T> {
    id: String,
    pool: PoolId,
    application: ApplicationId,
    until: Timestamp,
    value: T,
}

impl App {
    /// Seals a value for a client of an application. `what` tells one kind of value from another.
    pub(crate) fn carry<T: Serialize>(
        &self,
        what: &str,
        application: &Application,
        value: T,
        life: Duration,
    ) -> Result<String, Refusal> {
        let mut id = [0_u8; 16];
        self.random.fill(&mut id);
        let carried = Carried {
            id: hex::encode(id),
            pool: application.pool.clone(),
            application: application.id.clone(),
            until: self.now().plus(life),
            value,
        };
        let json = zeroize::Zeroizing::new(serde_json::to_vec(&carried).map_err(Refusal::internal)?);
        Ok(URL_SAFE_NO_PAD.encode(self.sealing.seal(&*self.random, what, &json)))
    }

    /// The value that a client brings back, and the application that it was sealed for. None if it is no such value, of
    /// another pool, too old, or used.
    pub(crate) async fn take_carried<T: DeserializeOwned>(
        &self,
        what: &str,
        pool: &PoolId,
        text: &str,
    ) -> Result<Option<(ApplicationId, T)>, Refusal> {
        let Some(carried) = self.open_carried::<T>(what, text) else { return Ok(None) };
        if carried.pool != *pool || carried.until <= self.now() {
            return Ok(None);
        }
        let unit = UseJti {
            pool: pool.clone(),
            application: carried.application.clone(),
            hash: hash_token(&format!("{what}\0{}", carried.id)),
            expires_at: carried.until,
        };
        let is_first = self.write(unit).await?;
        Ok(is_first.then_some((carried.application, carried.value)))
    }

    /// The application of a text that is still good in this pool, without using it up.
    pub(crate) fn application_carried<T: DeserializeOwned>(
        &self,
        what: &str,
        pool: &PoolId,
        text: &str,
    ) -> Option<ApplicationId> {
        let carried = self.open_carried::<T>(what, text)?;
        (carried.pool == *pool && carried.until > self.now()).then_some(carried.application)
    }

    fn open_carried<T: DeserializeOwned>(&self, what: &str, text: &str) -> Option<Carried<T>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let json = self.sealing.open(what, &bytes).ok()?;
        serde_json::from_slice(json.expose()).ok()
    }
}
