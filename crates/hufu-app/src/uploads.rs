//! Uploaded pictures: only raster images, decoded and encoded anew, small.

use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use hufu_store::rates::Hit;
use hufu_store::uploads::{GetUpload, PutUpload};
use hufu_types::{OpaqueToken, TokenPurpose};
use image::{DynamicImage, ImageError, ImageFormat, ImageReader, Limits as ImageLimits};
use tokio::sync::Semaphore;

use crate::{App, Refusal};

/// Where pictures are served.
const UPLOADS_PATH: &str = "/uploads/";
/// How long an upload waits for its turn to be decoded.
const TURN: Duration = Duration::from_secs(10);

/// Bounds how many pictures are decoded at the same time.
pub(crate) struct Decoders(Arc<Semaphore>);

impl Decoders {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }
}

/// A picture that was taken in.
#[derive(Clone, Debug)]
pub struct Uploaded {
    /// Its name.
    pub key: String,
    /// Where it is served once a user's photo names it.
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
    /// Counts an upload of an address before its body is read.
    pub async fn admit_upload(&self, ip: Option<&str>) -> Result<(), Refusal> {
        let limits = &self.limits;
        let count = |name: String| Hit { name, amount: 1, window: limits.upload_window, now: self.now() };
        if let Some(ip) = ip
            && self.write(count(format!("upload:{ip}"))).await? > limits.uploads_per_ip
        {
            return Err(Refusal::TooOften("uploads from this address"));
        }
        if self.write(count("upload".to_owned())).await? > limits.uploads_in_all {
            return Err(Refusal::TooOften("uploads in all"));
        }
        Ok(())
    }

    /// Takes a picture in.
    pub async fn upload(&self, bytes: Vec<u8>) -> Result<Uploaded, Refusal> {
        if bytes.len() > self.limits.upload_bytes {
            return Err(Refusal::PictureTooLarge);
        }
        let turn = tokio::time::timeout(TURN, self.decoders.0.clone().acquire_owned()).await;
        let permit =
            turn.map_err(|_| Refusal::TooOften("pictures being decoded"))?.map_err(Refusal::internal)?;
        let (pixels, side) = (self.limits.upload_pixels, self.limits.upload_side);
        let encoded = tokio::task::spawn_blocking(move || {
            let encoded = encode_anew(&bytes, pixels, side);
            drop(permit);
            encoded
        });
        let (content_type, bytes) = encoded.await.map_err(Refusal::internal)??;
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
            return Err(Refusal::TooOften("uploads that nobody's photo names"));
        }
        let url = format!("{}{UPLOADS_PATH}{key}", self.public_url);
        Ok(Uploaded { key, url })
    }

    /// A picture that somebody's photo names.
    pub async fn picture(&self, name: &str) -> Result<Option<Picture>, Refusal> {
        if !is_name(name) {
            return Ok(None);
        }
        let found = self.read(GetUpload { name: name.to_owned() }).await?;
        Ok(found.map(|(content_type, bytes)| Picture { content_type, bytes }))
    }

    /// The name of the upload that a photo's address names, if it is one of ours.
    pub(crate) fn upload_of_photo<'a>(&self, photo: &'a str) -> Option<&'a str> {
        let name = photo.strip_prefix(self.public_url.as_str())?.strip_prefix(UPLOADS_PATH)?;
        is_name(name).then_some(name)
    }
}

/// Whether an upload could have this name.
fn is_name(name: &str) -> bool {
    name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
}

/// Decodes a picture of a known kind and encodes it as PNG (where it may be
/// transparent) or JPEG, without anything else that was in the file.
fn encode_anew(bytes: &[u8], max_pixels: u64, side: u32) -> Result<(&'static str, Vec<u8>), Refusal> {
    let reader = || {
        let mut reader =
            ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|_| Refusal::NotAPicture)?;
        let mut limits = ImageLimits::default();
        limits.max_alloc = Some(max_pixels.saturating_mul(8));
        reader.limits(limits);
        Ok::<_, Refusal>(reader)
    };
    let unreadable = |error| match error {
        ImageError::Limits(_) => Refusal::PictureTooLarge,
        _ => Refusal::NotAPicture,
    };
    let (width, height) = reader()?.into_dimensions().map_err(unreadable)?;
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(Refusal::PictureTooLarge);
    }
    let mut picture = reader()?.decode().map_err(unreadable)?;
    if width > side || height > side {
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
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::new_rgb8(width, height).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_shrink_and_change_their_bytes() {
        let (content_type, bytes) = encode_anew(&png(1024, 300), 1_000_000, 512).unwrap();
        assert_eq!(content_type, "image/jpeg");
        let kept = image::load_from_memory(&bytes).unwrap();
        assert_eq!((kept.width(), kept.height()), (512, 150));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for bytes in
            [b"<svg xmlns='http://www.w3.org/2000/svg'/>".as_slice(), b"<html>", b"", b"\x89PNG\r\n\x1a\n"]
        {
            assert!(matches!(encode_anew(bytes, 1_000_000, 512), Err(Refusal::NotAPicture)));
        }
        assert!(matches!(encode_anew(&png(1001, 1000), 1_000_000, 512), Err(Refusal::PictureTooLarge)));
    }

    #[test]
    fn what_follows_the_picture_is_not_kept() {
        let mut bytes = png(2, 2);
        bytes.extend_from_slice(b"<script>alert(1)</script>");
        let (_, kept) = encode_anew(&bytes, 1_000_000, 512).unwrap();
        assert!(!kept.windows(7).any(|w| w == b"<script"));
    }
}
