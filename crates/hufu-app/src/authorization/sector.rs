//! The sectors of pairwise subjects (OpenID Connect Core 8.1): which clients know a person by the same subject.

use async_recursion::async_recursion as boxed;
use hufu_connect::OutgoingError;
use hufu_types::ClientSettings;
use hufu_types::refusal::Code;

use crate::{App, Refusal};

/// Why a client does not belong to the sector that it names.
#[derive(Debug, thiserror::Error)]
enum SectorError {
    #[error("the redirect URIs are on several hosts, and there is no sector_identifier_uri")]
    SeveralHosts,
    #[error("the file of the sector does not answer")]
    Outgoing(#[from] OutgoingError),
    #[error("the file of the sector answers with status {0}")]
    Status(u16),
    #[error("the file of the sector is not a JSON list of texts")]
    Malformed(#[source] serde_json::Error),
    #[error("the file of the sector does not list all redirect URIs")]
    Unlisted,
}

impl App {
    /// Checks that a client belongs to the sector that it names: whoever has the host lists its redirect URIs there.
    /// Otherwise anybody could learn the subjects of a sector by naming it.
    ///
    /// # Errors
    /// [`Code::SectorInvalid`].
    #[boxed]
    pub async fn check_sector(&self, client: &ClientSettings) -> Result<(), Refusal> {
        self.read_sector(client).await.map_err(|why| Code::SectorInvalid.because(why))
    }

    async fn read_sector(&self, client: &ClientSettings) -> Result<(), SectorError> {
        let Some(uri) = &client.sector_identifier_uri else {
            let is_clear = client.subject_type.is_public() || client.sector().is_some();
            return if is_clear { Ok(()) } else { Err(SectorError::SeveralHosts) };
        };
        let response = self.sender_context.http.get(uri, &[("accept", "application/json")]).await?;
        if response.status != 200 {
            return Err(SectorError::Status(response.status));
        }
        let listed: Vec<String> =
            serde_json::from_slice(response.whole_body()?).map_err(SectorError::Malformed)?;
        let is_listed = client.redirect_uris.iter().all(|uri| listed.contains(uri));
        if is_listed { Ok(()) } else { Err(SectorError::Unlisted) }
    }
}
