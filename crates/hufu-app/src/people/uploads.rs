//! Uploaded pictures. Only small raster images are accepted. They are decoded and encoded again.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use async_recursion::async_recursion as boxed;
use hufu_store::rates::{self, Admit, Admitted, Bucket};
use hufu_store::uploads::{GetUpload, PutUpload};
use hufu_types::refusal::Code;
use hufu_types::{OpaqueToken, TokenPurpose};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits as ImageLimits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::network_of;
use crate::{App, Limits, Refusal};

/// The URL path that pictures are served under.
const UPLOADS_PATH: &str = "/uploads/";
/// How long an upload waits for a turn to decode.
const TURN: Duration = Duration::from_secs(10);
/// How long a client should wait when all slots or turns are taken.
const BUSY: Duration = Duration::from_secs(5);

/// Pictures with more pixels than this are decoded one at a time, and not with 16 bits per channel.
const LARGE: u64 = 12_000_000;
/// Memory for a decoder in addition to the pixels, in bytes.
const WORKING_MEMORY: u64 = 8 * 1024 * 1024;

/// Limits how many uploads are decoded or wait for that, and how many are decoded in parallel.
pub(crate) struct Decoders {
    uploads: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    at_once: u32,
}

impl Decoders {
    pub(crate) fn new(limits: &Limits) -> Self {
        let at_once = u32::try_from(limits.upload_decodes).unwrap_or(u32::MAX).max(1);
        Self {
            uploads: Arc::new(Semaphore::new(limits.uploads_at_once)),
            turns: Arc::new(Semaphore::new(at_once as usize)),
            at_once,
        }
    }

    /// Waits until a picture with this many pixels may be decoded.
    async fn turn(&self, pixels: u64) -> Result<OwnedSemaphorePermit, Refusal> {
        let turns = if pixels > LARGE { self.at_once } else { 1 };
        let turn = tokio::time::timeout(TURN, self.turns.clone().acquire_many_owned(turns)).await;
        turn.map_err(|_| Code::TooOften.retry_after(BUSY).because("pictures being decoded"))?
            .map_err(Refusal::internal)
    }
}

/// A stored picture.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// Its name.
    pub key: String,
    /// The URL that it is served at as soon as a user's photo refers to it.
    pub url: String,
}

/// A picture to serve.
#[derive(Debug)]
pub struct Picture {
    /// `image/png` or `image/jpeg`.
    pub content_type: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl App {
    /// Counts an upload from an IP address, before its body is read.
    #[boxed]
    pub async fn admit_upload(&self, ip: Option<&str>) -> Result<(), Refusal> {
        let limits = &self.limits;
        let unit = Admit {
            all: Bucket { name: "upload".to_owned(), limit: limits.uploads_in_all },
            one: ip.map(|ip| Bucket {
                name: format!("upload:{}", network_of(ip)),
                limit: limits.uploads_per_ip,
            }),
            window: limits.upload_window,
            now: self.now(),
        };
        let too_often = Code::TooOften.retry_after(rates::wait(unit.window, unit.now));
        match self.write(unit).await? {
            Admitted::Yes => Ok(()),
            Admitted::OverGlobalLimit => Err(too_often.because("uploads in all")),
            Admitted::OverSenderLimit => Err(too_often.because("uploads from this address")),
        }
    }

    /// Stores a picture.
    #[boxed]
    pub async fn upload(&self, bytes: Vec<u8>) -> Result<Uploaded, Refusal> {
        if bytes.len() > self.limits.upload_bytes {
            return Err(Code::PictureTooLarge.into());
        }
        // Only now that the whole file is here: a client that sends nothing holds no slot.
        let slot = self.decoders.uploads.clone().try_acquire_owned();
        let slot = slot.map_err(|_| Code::TooOften.retry_after(BUSY).because("uploads at the same time"))?;
        let (most, side) = (self.limits.upload_pixels, self.limits.upload_side);
        // The slot moves into the task: decoding takes memory even after the client has disconnected.
        let (slot, bytes, pixels) = blocking(move || {
            let pixels = pixels_of(&bytes, most)?;
            Ok((slot, bytes, pixels))
        })
        .await?;
        let turn = self.decoders.turn(pixels).await?;
        let (content_type, bytes) = blocking(move || {
            let encoded = reencode(&bytes, pixels, side);
            // The memory first, then the room for it.
            drop(bytes);
            drop((turn, slot));
            encoded
        })
        .await?;
        let extension = content_type.rsplit('/').next().unwrap_or_default();
        let name = OpaqueToken::generate(TokenPurpose::Upload, &*self.random);
        let key = format!("{}.{extension}", name.expose());
        let unit = PutUpload {
            name: key.clone(),
            content_type,
            bytes,
            capacity: self.limits.upload_orphan_bytes,
            now: self.now(),
        };
        if !self.write(unit).await? {
            let wait = self.limits.upload_orphan_age;
            return Err(Code::TooOften.retry_after(wait).because("uploads that nobody's photo names"));
        }
        let url = format!("{}{UPLOADS_PATH}{key}", self.public_url);
        Ok(Uploaded { key, url })
    }

    /// A picture that a user's photo refers to.
    #[boxed]
    pub async fn picture(&self, name: &str) -> Result<Option<Picture>, Refusal> {
        if !is_name(name) {
            return Ok(None);
        }
        let found = self.read(GetUpload { name: name.to_owned() }).await?;
        Ok(found.map(|(content_type, bytes)| Picture { content_type, bytes }))
    }

    /// The name of the upload that a photo's URL refers to, if it is hosted here.
    pub(crate) fn upload_of_photo<'a>(&self, photo: &'a str) -> Option<&'a str> {
        let name = photo.strip_prefix(self.public_url.as_str())?.strip_prefix(UPLOADS_PATH)?;
        is_name(name).then_some(name)
    }
}

/// Whether this is the form of an upload's name.
fn is_name(name: &str) -> bool {
    name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
}

/// Runs blocking work on another thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(Refusal::internal)?
}

fn reader(bytes: &[u8], memory: u64) -> Result<ImageReader<Cursor<&[u8]>>, Refusal> {
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let mut reader = reader.map_err(|_| Code::NotAPicture)?;
    let mut limits = ImageLimits::default();
    limits.max_alloc = Some(memory);
    reader.limits(limits);
    Ok(reader)
}

fn unreadable(error: &ImageError) -> Refusal {
    match error {
        ImageError::Limits(_) => Code::PictureTooLarge.into(),
        _ => Code::NotAPicture.into(),
    }
}

/// The number of pixels that a picture's header declares.
///
/// # Errors
/// [`Code::PictureTooLarge`] if there are more than `most`; [`Code::NotAPicture`].
fn pixels_of(bytes: &[u8], most: u64) -> Result<u64, Refusal> {
    let (width, height) =
        reader(bytes, WORKING_MEMORY)?.into_dimensions().map_err(|error| unreadable(&error))?;
    let pixels = u64::from(width) * u64::from(height);
    if pixels > most { Err(Code::PictureTooLarge.into()) } else { Ok(pixels) }
}

/// The maximum memory for decoding this many pixels: four channels, of 16 bits each unless the picture is
/// large.
fn memory_for(pixels: u64) -> u64 {
    let bytes = if pixels > LARGE { 4 } else { 8 };
    pixels.saturating_mul(bytes).saturating_add(WORKING_MEMORY)
}

/// Decodes a picture of a known format, and encodes it as PNG (if it has an alpha channel) or JPEG. Nothing
/// else from the file is kept.
fn reencode(bytes: &[u8], pixels: u64, side: u32) -> Result<(&'static str, Vec<u8>), Refusal> {
    let mut picture = reader(bytes, memory_for(pixels))?.decode().map_err(|error| unreadable(&error))?;
    if picture.width() > side || picture.height() > side {
        picture = picture.thumbnail(side, side);
    }
    let mut encoded = Cursor::new(Vec::new());
    let (content_type, picture, format) = if picture.color().has_alpha() {
        ("image/png", DynamicImage::ImageRgba8(picture.into_rgba8()), ImageFormat::Png)
    } else {
        ("image/jpeg", DynamicImage::ImageRgb8(picture.into_rgb8()), ImageFormat::Jpeg)
    };
    picture.write_to(&mut encoded, format).map_err(Refusal::internal)?;
    Ok((content_type, encoded.into_inner()))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn take_in(bytes: &[u8]) -> Result<(&'static str, Vec<u8>), Refusal> {
        reencode(bytes, pixels_of(bytes, 1_000_000)?, 512)
    }

    #[tokio::test]
    async fn large_pictures_are_decoded_alone() {
        let limits = Limits { upload_decodes: 2, ..Limits::default() };
        let decoders = Decoders::new(&limits);
        let one = decoders.turn(LARGE).await.unwrap();
        let two = decoders.turn(1).await.unwrap();
        assert!(decoders.turn(1).now_or_never().is_none(), "two at a time");
        drop(two);
        assert!(decoders.turn(LARGE + 1).now_or_never().is_none(), "not beside another");
        drop(one);
        let _alone = decoders.turn(LARGE + 1).await.unwrap();
        assert!(decoders.turn(1).now_or_never().is_none(), "no other beside it");
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, height).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_shrink_and_change_their_bytes() {
        let (content_type, bytes) = take_in(&png(1024, 300)).unwrap();
        assert_eq!(content_type, "image/jpeg");
        let kept = image::load_from_memory(&bytes).unwrap();
        assert_eq!((kept.width(), kept.height()), (512, 150));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for bytes in
            [b"<svg xmlns='http://www.w3.org/2000/svg'/>".as_slice(), b"<html>", b"", b"\x89PNG\r\n\x1a\n"]
        {
            assert!(matches!(take_in(bytes), Err(ref refusal) if refusal.is(Code::NotAPicture)));
        }
        assert!(matches!(take_in(&png(1001, 1000)), Err(ref refusal) if refusal.is(Code::PictureTooLarge)));
    }

    #[test]
    fn what_follows_the_picture_is_not_kept() {
        let mut bytes = png(2, 2);
        bytes.extend_from_slice(b"<script>alert(1)</script>");
        let (_, kept) = take_in(&bytes).unwrap();
        assert!(!kept.windows(7).any(|w| w == b"<script"));
    }
}
