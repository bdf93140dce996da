//! The picture of a QR code. It is drawn here, so that no browser asks anybody else for it.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use fast_qr::{ECL, QRBuilder};
use hufu_store::qr_pictures::{GetPicture, PutPicture, StoredPicture};
use hufu_store::qr_tickets::Ticket;
use hufu_types::refusal::Code;
use hufu_types::{Connection, ConnectionId, QrRules, TicketKind, Timestamp, TokenHash};
use hufu_wechat::Class;
use image::{GrayImage, ImageFormat, Luma};
use moka::sync::Cache;
use serde_json::json;

use crate::sources::wechat::wechat_error;
use crate::{App, Limits, Refusal, sources};

/// The quiet zone around the code, in modules (ISO/IEC 18004).
const QUIET: u32 = 4;
/// The least width of a picture, in pixels. Published clients show it at 240.
const WIDTH: u32 = 480;
/// How many connections are remembered for which WeChat made no code.
const CONNECTIONS: u64 = 1000;

/// A picture. Its pixels are shared by all who ask for it.
#[derive(Clone, Debug)]
pub struct QrPicture {
    /// The file.
    pub bytes: Arc<[u8]>,
    /// Its content type.
    pub content_type: &'static str,
}

/// What this node knows of the pictures that WeChat made.
pub(crate) struct Pictures {
    /// The pictures, by their scene.
    known: Cache<String, QrPicture>,
    /// The connections for which WeChat made none: until when it is not asked again, and why.
    failed: Cache<ConnectionId, (Timestamp, Code)>,
}

impl Pictures {
    /// As many as the limits say, for as long as a code may hold.
    pub(crate) fn new(limits: &Limits) -> Self {
        let known = Cache::builder().max_capacity(limits.qr_pictures);
        Self {
            known: known.time_to_live(QrRules::LONGEST).build(),
            failed: Cache::builder().max_capacity(CONNECTIONS).build(),
        }
    }
}

/// Whether the next QR code of the connection would be refused for the same reason.
fn is_of_the_connection(refusal: &Refusal) -> bool {
    // A wait is told anew; what else a sentence says is not remembered.
    let is_plain =
        refusal.code().arguments().iter().all(|argument| ["seconds", "minutes"].contains(argument));
    is_plain && wechat_error(refusal).is_some_and(|error| error.class() != Class::Retry)
}

impl App {
    /// The picture of a scene.
    ///
    /// # Errors
    /// [`Code::QrCodeUnknown`]; [`Code::QrCodeExpired`].
    #[boxed]
    pub async fn ticket_picture(&self, scene: &str) -> Result<QrPicture, Refusal> {
        let ticket = self.ticket_of_scene(scene).await?;
        if ticket.progress.expires_at <= self.now() {
            return Err(Code::QrCodeExpired.into());
        }
        if ticket.kind == TicketKind::App {
            return QrPicture::drawn(self.app_text(&ticket, scene)?.as_bytes());
        }
        if let Some(picture) = self.pictures.known.get(scene.trim()) {
            return Ok(picture);
        }
        let unit = GetPicture { pool: ticket.pool, hash: ticket.hash };
        // WeChat is never asked here: whoever knows a scene may come as often as they like.
        let picture = QrPicture::of(self.read(unit).await?.ok_or(Code::QrCodeUnknown)?)?;
        self.pictures.known.insert(scene.trim().to_owned(), picture.clone());
        Ok(picture)
    }

    /// Asks WeChat for the picture of a new ticket, once, and stores it for all nodes.
    pub(super) async fn make_picture(
        &self,
        connection: &Connection,
        hash: TokenHash,
        (kind, scene): (TicketKind, &str),
        life: Duration,
    ) -> Result<(), Refusal> {
        let codes = sources::qr_codes(connection.kind).ok_or(Code::QrCodeUnknown)?;
        if let Some((until, code)) = self.pictures.failed.get(&connection.id)
            && self.now() < until
        {
            let wait = until.since(self.now());
            return Err(code
                .retry_after(wait)
                .because("WeChat has just made no QR code for this connection"));
        }
        // The published mini program reads there which of its two calls is meant.
        let written = match kind {
            TicketKind::Binding => format!("rd={scene}&bind=1"),
            _ => scene.to_owned(),
        };
        let picture = (codes.picture)(self, connection, &written, life).await.inspect_err(|refusal| {
            if is_of_the_connection(refusal) {
                let until = self.now().plus(self.limits.qr_failure_pause);
                self.pictures.failed.insert(connection.id.clone(), (until, refusal.code()));
            }
        })?;
        let expires_at = self.now().plus(life);
        let pool = connection.pool.clone();
        self.write(PutPicture { pool, hash, picture: picture.clone(), expires_at }).await?;
        self.pictures.known.insert(scene.to_owned(), QrPicture::of(picture)?);
        Ok(())
    }

    /// What the published mobile SDKs expect in the picture of the pool's own app. Everybody can read it, so what the
    /// browser sent along is not in it.
    fn app_text(&self, ticket: &Ticket, scene: &str) -> Result<String, Refusal> {
        let created_at = self.details_of(ticket)?.created_at;
        let life = self.config().settings(&ticket.pool).qr.life;
        let text = json!({
            "scene": "APP_AUTH",
            "random": scene.trim(),
            "userPoolId": ticket.pool.as_str(),
            "createdAt": created_at.to_iso(),
            "expiresIn": life.as_secs(),
            "customData": {},
        });
        Ok(text.to_string())
    }
}

impl QrPicture {
    /// The picture that WeChat made, or the one drawn of what it made.
    fn of(stored: StoredPicture) -> Result<Self, Refusal> {
        match stored {
            StoredPicture::Link(link) => Self::drawn(link.as_bytes()),
            StoredPicture::Image { bytes, media_type } => {
                let content_type = if media_type == "image/png" { "image/png" } else { "image/jpeg" };
                Ok(Self { bytes: bytes.into(), content_type })
            }
        }
    }

    /// Draws a text as a QR code.
    pub(crate) fn drawn(text: &[u8]) -> Result<Self, Refusal> {
        let code = QRBuilder::new(text).ecl(ECL::M).build();
        let code = code.map_err(|error| Code::Internal.because(format!("no QR code: {error:?}")))?;
        let modules = u32::try_from(code.size).unwrap_or_default().saturating_add(QUIET * 2);
        let scale = WIDTH.div_ceil(modules).max(1);
        let side = modules.saturating_mul(scale);
        let is_dark =
            |at: u32| usize::try_from((at / scale).wrapping_sub(QUIET)).ok().filter(|at| *at < code.size);
        let picture = GrayImage::from_fn(side, side, |x, y| match (is_dark(x), is_dark(y)) {
            (Some(x), Some(y)) if code[y].get(x).is_some_and(|module| module.value()) => Luma([0]),
            _ => Luma([255]),
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).map_err(Refusal::internal)?;
        Ok(Self { bytes: bytes.into_inner().into(), content_type: "image/png" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_read_as_what_was_drawn() {
        let text = "http://weixin.qq.com/q/02a9nJxYk0cPi10000003H?今天";
        let picture = QrPicture::drawn(text.as_bytes()).unwrap();
        let decoded = image::load_from_memory(&picture.bytes).unwrap().to_luma8();
        assert!(decoded.width() >= WIDTH && decoded.width() == decoded.height());
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
            decoded.get_pixel(u32::try_from(x).unwrap(), u32::try_from(y).unwrap()).0[0]
        });
        let grids = prepared.detect_grids();
        assert_eq!(grids.len(), 1);
        assert_eq!(grids[0].decode().unwrap().1, text);
    }
}
