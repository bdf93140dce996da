//! Images that WeChat returns.

/// An image, as WeChat drew it.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    /// Its format, told by its first bytes.
    pub format: ImageFormat,
    /// The file.
    pub bytes: Vec<u8>,
}

/// The formats in which WeChat draws codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageFormat {
    /// JPEG.
    Jpeg,
    /// PNG, if the background is transparent.
    Png,
}

impl ImageFormat {
    /// The media type to serve it with.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }

    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"\xff\xd8\xff") {
            Some(Self::Jpeg)
        } else if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            Some(Self::Png)
        } else {
            None
        }
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image").field("format", &self.format).finish_non_exhaustive()
    }
}
