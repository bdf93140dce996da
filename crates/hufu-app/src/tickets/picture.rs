//! The picture of a QR code. It is drawn here, so that no browser asks anybody else for it.

use std::io::Cursor;
use std::sync::Arc;

use async_recursion::async_recursion as boxed;
use fast_qr::{ECL, QRBuilder};
use hufu_store::qr_tickets::Ticket;
use hufu_types::TicketKind;
use hufu_types::refusal::Code;
use image::{GrayImage, ImageFormat, Luma};
use serde_json::json;

use crate::{App, Refusal};

/// The quiet zone around the code, in modules (ISO/IEC 18004).
const QUIET: u32 = 4;
/// The least width of a picture, in pixels. Published clients show it at 240.
const WIDTH: u32 = 480;

/// A picture. Its pixels are shared by all who ask for it.
#[derive(Clone, Debug)]
pub struct QrPicture {
    /// The file.
    pub bytes: Arc<[u8]>,
    /// Its content type.
    pub content_type: &'static str,
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
        match ticket.kind {
            TicketKind::App => drawn(self.app_text(&ticket, scene)?.as_bytes()),
            TicketKind::MiniProgram | TicketKind::OfficialAccount | TicketKind::HandedOver => {
                Err(Code::QrCodeUnknown.into())
            }
        }
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

/// Draws a text as a QR code.
pub(crate) fn drawn(text: &[u8]) -> Result<QrPicture, Refusal> {
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
    Ok(QrPicture { bytes: bytes.into_inner().into(), content_type: "image/png" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_read_as_what_was_drawn() {
        let text = "http://weixin.qq.com/q/02a9nJxYk0cPi10000003H?今天";
        let picture = drawn(text.as_bytes()).unwrap();
        let decoded = image::load_from_memory(&picture.bytes).unwrap().to_luma8();
        assert!(decoded.width() >= WIDTH && decoded.width() == decoded.height());
        let mut prepared = rqrr::PreparedImage::prepare(decoded);
        let grids = prepared.detect_grids();
        assert_eq!(grids.len(), 1);
        assert_eq!(grids[0].decode().unwrap().1, text);
    }
}
