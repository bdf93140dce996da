//! The short code that a device shows and a person types.

use hufu_types::Random;

/// The code that a person types: eight letters without vowels, so that they spell nothing (RFC 8628 section 6.1).
pub(super) struct UserCode(String);

impl UserCode {
    const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    const LENGTH: usize = 8;

    pub(super) fn generate(random: &dyn Random) -> Self {
        let mut text = String::with_capacity(Self::LENGTH);
        while text.len() < Self::LENGTH {
            let mut byte = [0];
            random.fill(&mut byte);
            let [byte] = byte;
            // The largest multiple of 20 below 256, so that every letter is as likely.
            if let Some(letter) = Self::LETTERS.get(usize::from(byte) % 20).filter(|_| byte < 240) {
                text.push(char::from(*letter));
            }
        }
        Self(text)
    }

    /// Reads what a person typed: capitals, spaces and dashes do not matter, and letters of full width are letters.
    pub(super) fn read(typed: &str) -> Option<Self> {
        let mut text = String::with_capacity(Self::LENGTH);
        for letter in typed.chars().map(narrow).filter(|c| c.is_alphanumeric()) {
            let letter = letter.to_ascii_uppercase();
            if text.len() == Self::LENGTH || !Self::LETTERS.iter().any(|known| char::from(*known) == letter) {
                return None;
            }
            text.push(letter);
        }
        (text.len() == Self::LENGTH).then_some(Self(text))
    }

    /// The code that was stored as [`UserCode::as_bytes`].
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// As the device shows it: `BCDF-GHJK`.
    pub(super) fn shown(&self) -> String {
        let (first, second) = self.0.split_at_checked(Self::LENGTH / 2).unwrap_or((&self.0, ""));
        format!("{first}-{second}")
    }
}

/// A letter of full width, as Chinese and Japanese keyboards may write it, as the ASCII one.
fn narrow(letter: char) -> char {
    let code = u32::from(letter);
    let is_wide = (0xFF01..=0xFF5E).contains(&code);
    char::from_u32(code.wrapping_sub(0xFEE0)).filter(|_| is_wide).unwrap_or(letter)
}

#[cfg(test)]
mod tests {
    use hufu_types::SystemRandom;

    use super::*;

    #[test]
    fn user_codes_are_read_as_people_type_them() {
        for _ in 0..100 {
            let code = UserCode::generate(&SystemRandom);
            assert_eq!(UserCode::read(&code.shown()).map(|read| read.0), Some(code.0));
        }
        for typed in
            ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "b-c-d-f-g-h-j-k", "ｂｃｄｆ－ＧＨＪＫ", "BCDF–GHJK"]
        {
            assert_eq!(
                UserCode::read(typed).map(|code| code.shown()).as_deref(),
                Some("BCDF-GHJK"),
                "{typed}"
            );
        }
        for wrong in ["", "BCDF-GHJ", "BCDF-GHJK-L", "ACDF-GHJK", "BCDF-GHJ1", "BCDF-GHJ虎"] {
            assert!(UserCode::read(wrong).is_none(), "{wrong}");
        }
    }
}
