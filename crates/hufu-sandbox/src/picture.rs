//! Pictures of QR codes.

use fast_qr::{ECL, QRBuilder};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ImageEncoder as _, Rgba, RgbaImage};

/// The white border that readers need, in modules.
const QUIET: u32 = 4;

/// The dark and light squares of a QR code.
struct Grid {
    size: u32,
    dark: Vec<(u32, u32)>,
}

/// How a picture looks.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    /// Of each side, in pixels.
    pub(crate) width: u32,
    /// Of the dark squares.
    pub(crate) color: [u8; 3],
    /// A PNG on nothing, instead of a JPEG on white.
    pub(crate) transparent: bool,
}

impl Default for Look {
    fn default() -> Look {
        Look { width: 430, color: [0, 0, 0], transparent: false }
    }
}

fn grid(text: &str) -> Option<Grid> {
    let code = QRBuilder::new(text).ecl(ECL::M).build().ok()?;
    let rows = code.data.chunks(code.size).take(code.size);
    let mut dark = Vec::new();
    for (y, row) in (0..).zip(rows) {
        dark.extend((0..).zip(row).filter(|(_, module)| module.value()).map(|(x, _)| (x, y)));
    }
    Some(Grid { size: u32::try_from(code.size).ok()?, dark })
}

/// A picture of a QR code with this text, and its content type. `None` if the text is too long for one.
pub(crate) fn draw(text: &str, look: Look) -> Option<(&'static str, Vec<u8>)> {
    let grid = grid(text)?;
    let scale = (look.width / (grid.size + 2 * QUIET)).max(1);
    let width = look.width.max(grid.size + 2 * QUIET);
    let margin = (width - grid.size * scale) / 2;
    let ground = if look.transparent { [255, 255, 255, 0] } else { [255; 4] };
    let mut picture = RgbaImage::from_pixel(width, width, Rgba(ground));
    let [red, green, blue] = look.color;
    for (x, y) in grid.dark {
        for (dx, dy) in (0..scale).flat_map(|dx| (0..scale).map(move |dy| (dx, dy))) {
            let (x, y) = (margin + x * scale + dx, margin + y * scale + dy);
            picture.put_pixel(x, y, Rgba([red, green, blue, 255]));
        }
    }
    let mut bytes = Vec::new();
    if look.transparent {
        let encoder = PngEncoder::new(&mut bytes);
        encoder.write_image(&picture, width, width, image::ExtendedColorType::Rgba8).ok()?;
        return Some(("image/png", bytes));
    }
    let opaque: Vec<u8> = picture.pixels().flat_map(|pixel| pixel.0.into_iter().take(3)).collect();
    let encoder = JpegEncoder::new_with_quality(&mut bytes, 90);
    encoder.write_image(&opaque, width, width, image::ExtendedColorType::Rgb8).ok()?;
    Some(("image/jpeg", bytes))
}
