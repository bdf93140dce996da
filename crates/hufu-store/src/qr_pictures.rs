//! The pictures of QR codes that WeChat made, for all nodes. They are apart from their tickets, which are read far more often.

use hufu_types::{PoolId, Timestamp, TokenHash};

use crate::{Read, Row, StoreError, Tx, Write, statements};

statements! {
    INSERT = "
        INSERT INTO qr_pictures (pool_id, hash, link, image, media_type, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (pool_id, hash) DO NOTHING";
    GET = "SELECT link, image, media_type FROM qr_pictures WHERE pool_id = $1 AND hash = $2";
    SWEEP = "DELETE FROM qr_pictures WHERE expires_at < $1";
}

/// What WeChat made for a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredPicture {
    /// The address of which the picture is drawn.
    Link(String),
    /// The picture.
    Image {
        /// The file.
        bytes: Vec<u8>,
        /// Its content type.
        media_type: String,
    },
}

/// Stores the picture of a ticket. The first one stays.
#[derive(Clone, Debug)]
pub struct PutPicture {
    /// The pool of the ticket.
    pub pool: PoolId,
    /// The ticket.
    pub hash: TokenHash,
    /// The picture.
    pub picture: StoredPicture,
    /// Until when it is shown.
    pub expires_at: Timestamp,
}

impl Write for PutPicture {
    type Out = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let (link, bytes, media_type) = match &self.picture {
            StoredPicture::Link(link) => (Some(link.as_str()), None, None),
            StoredPicture::Image { bytes, media_type } => {
                (None, Some(bytes.as_slice()), Some(media_type.as_str()))
            }
        };
        let values = [
            (&self.pool).into(),
            (&self.hash).into(),
            link.into(),
            bytes.into(),
            media_type.into(),
            self.expires_at.into(),
        ];
        tx.execute(INSERT, &values).await.map(drop)
    }
}

/// Reads the picture of a ticket.
#[derive(Clone, Debug)]
pub struct GetPicture {
    /// The pool of the ticket.
    pub pool: PoolId,
    /// The ticket.
    pub hash: TokenHash,
}

impl Read for GetPicture {
    type Out = Option<StoredPicture>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Out, StoreError> {
        tx.optional(GET, &[(&self.pool).into(), (&self.hash).into()], decode).await
    }
}

/// Deletes the pictures that are not shown any more at `now`.
pub async fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    tx.execute(SWEEP, &[now.into()]).await
}

fn decode(row: &Row<'_>) -> Result<StoredPicture, StoreError> {
    if let Some(link) = row.get(0)? {
        return Ok(StoredPicture::Link(link));
    }
    let (bytes, media_type): (Option<Vec<u8>>, Option<String>) = (row.get(1)?, row.get(2)?);
    let image = bytes.zip(media_type).map(|(bytes, media_type)| StoredPicture::Image { bytes, media_type });
    image.ok_or(StoreError::Corrupt { column: "qr_pictures.image" })
}
