//! The style sheet of a brand's color: the variables that the design language documents, and nothing else.
//! One color is configured. The others are derived from it, so that text on it and links in it can be read on light
//! and on dark ground.

use std::fmt::Write as _;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use hufu_types::Branding;
use hufu_web::request::Path;
use hufu_web::server::Routes;

pub(super) fn routes() -> Routes {
    Routes::new().route("/assets/brand/{file}", get(style_sheet))
}

/// The address of the style sheet, if the branding has a color. It names the color alone, so that it can be cached.
pub(crate) fn address(branding: &Branding) -> Option<String> {
    let color = Color::parse(branding.primary_color.as_deref()?)?;
    Some(format!("/assets/brand/{}.css", color.hex()))
}

async fn style_sheet(Path(file): Path<String>) -> Response {
    let color = file.strip_suffix(".css").and_then(|hex| Color::parse(&format!("#{hex}")));
    let Some(color) = color else { return StatusCode::NOT_FOUND.into_response() };
    let mut response = variables(color).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'"));
    response
}

/// A color in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Color([u8; 3]);

const WHITE: Color = Color([0xff; 3]);
/// Ink on a light color.
const INK: Color = Color([0x10, 0x18, 0x17]);
/// The ground of dark pages: `--surface` of tokens.css.
const DARK: Color = Color([0x14, 0x19, 0x19]);
/// The least contrast of text (WCAG 2.2, 1.4.3).
const READABLE: f64 = 4.5;

impl Color {
    /// Parses `#rrggbb`.
    fn parse(text: &str) -> Option<Self> {
        let digits = text
            .strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    fn hex(self) -> String {
        self.0.iter().fold(String::new(), |mut text, part| {
            let _ = write!(text, "{part:02x}");
            text
        })
    }

    /// This color with so many percent of another one in it.
    fn mixed(self, other: Self, percent: u16) -> Self {
        let mut mixed = self.0;
        for (own, other) in mixed.iter_mut().zip(other.0) {
            let sum = u16::from(*own) * (100 - percent) + u16::from(other) * percent;
            *own = u8::try_from(sum / 100).unwrap_or(u8::MAX);
        }
        Self(mixed)
    }

    /// The relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let [r, g, b] = self.0.map(linear);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// The contrast of two colors, from 1 to 21 (WCAG 2.2).
    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Black or white, whichever is read better on this color.
    fn ink(self) -> Self {
        if self.contrast(WHITE) >= READABLE || self.contrast(WHITE) >= self.contrast(INK) {
            WHITE
        } else {
            INK
        }
    }

    /// The nearest color towards another one that is read on this ground.
    fn readable(self, ground: Self, towards: Self) -> Self {
        let steps = (0..=100).step_by(4).map(|percent| self.mixed(towards, percent));
        steps.into_iter().find(|color| color.contrast(ground) >= READABLE).unwrap_or(towards)
    }

    /// The color a little further from its ink, for a button under the pointer.
    fn pressed(self, percent: u16) -> Self {
        self.mixed(if self.ink() == WHITE { Self([0; 3]) } else { WHITE }, percent)
    }
}

fn variables(color: Color) -> String {
    let light = color.readable(WHITE, Color([0; 3]));
    let dark = color.readable(DARK, WHITE);
    let values = [
        ("brand", color),
        ("brand-hover", color.pressed(14)),
        ("brand-active", color.pressed(26)),
        ("on-brand", color.ink()),
        ("brand-ink", light),
        ("brand-soft", color.mixed(WHITE, 90)),
        ("brand-line", color.mixed(WHITE, 60)),
        ("brand-dark", dark),
        ("brand-hover-dark", dark.pressed(14)),
        ("brand-active-dark", dark.pressed(26)),
        ("on-brand-dark", dark.ink()),
        ("brand-ink-dark", dark.mixed(WHITE, 12)),
        ("brand-soft-dark", color.mixed(DARK, 82)),
        ("brand-line-dark", color.mixed(DARK, 55)),
    ];
    let mut text = String::from(":root {\n");
    for (name, color) in values {
        let hex = color.hex();
        let _ = writeln!(text, "  --hufu-{name}: #{hex};");
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_color_is_one() {
        assert_eq!(Color::parse("#1a7F5a").map(Color::hex).as_deref(), Some("1a7f5a"));
        for wrong in ["", "1a7f5a", "#1a7f5", "#1a7f5a0", "#1a7f5g", "red", "#é12a", "#+1+2+3"] {
            assert_eq!(Color::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn whatever_the_color_text_is_read() {
        for color in ["#1a7f5a", "#b23a1e", "#ffee00", "#000000", "#ffffff", "#7f7f7f", "#0052d9", "#ff6699"]
        {
            let color = Color::parse(color).unwrap();
            let (light, dark) = (color.readable(WHITE, Color([0; 3])), color.readable(DARK, WHITE));
            assert!(light.contrast(WHITE) >= READABLE, "{color:?}");
            assert!(
                dark.contrast(DARK) >= READABLE && dark.mixed(WHITE, 12).contrast(DARK) >= READABLE,
                "{color:?}"
            );
            for ground in [color, dark] {
                assert!(ground.contrast(ground.ink()) >= READABLE, "{ground:?}");
                for percent in [14, 26] {
                    assert!(
                        ground.pressed(percent).contrast(ground.ink()) >= READABLE,
                        "{ground:?} {percent}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_style_sheet_is_variables_alone() {
        let text = variables(Color::parse("#1a7f5a").unwrap());
        assert!(
            text.contains("--hufu-brand: #1a7f5a;\n") && text.contains("--hufu-on-brand: #ffffff;\n"),
            "{text}"
        );
        let lines: Vec<_> = text.lines().collect();
        assert!(
            lines[1..lines.len() - 1].iter().all(|line| line.starts_with("  --hufu-") && line.len() < 50)
        );
    }
}
