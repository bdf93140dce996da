//! The names of a ticket, and how they belong together.

use aws_lc_rs::digest::{SHA256, digest};
use hufu_types::{OpaqueToken, Random, TokenHash, TokenPurpose};

use crate::digest::hash_token;

/// What may stand in a scene. WeChat permits more, but the published mini program puts it into a query.
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// With `rd=…&bind=1` around it, it still fits into the 32 characters of a scene at WeChat. 131 bits.
const SCENE_LENGTH: usize = 22;
/// The digits of the code that a follower types.
const SHORT_CODE_LENGTH: usize = 8;

/// What the browser that holds this secret logs in with. It is derived, so that no node has to store it; nobody gets
/// from it to the secret, and the database holds no more than its hash.
pub(super) fn ticket_of(secret: &str) -> OpaqueToken {
    let derived = digest(&SHA256, format!("login ticket\0{secret}").as_bytes());
    OpaqueToken::derived(TokenPurpose::LoginTicket, derived.as_ref())
}

/// The name in the database of the ticket of this secret.
pub(super) fn hash_of_secret(secret: &str) -> TokenHash {
    hash_token(ticket_of(secret).expose())
}

/// A new scene.
pub(super) fn new_scene(random: &dyn Random) -> String {
    text(random, LETTERS, SCENE_LENGTH)
}

/// A new code for followers.
pub(super) fn new_short_code(random: &dyn Random) -> String {
    text(random, b"0123456789", SHORT_CODE_LENGTH)
}

/// The short code in a message, if there is nothing else in it: digits, of full width as well, and spaces between them.
pub(super) fn read_short_code(message: &str) -> Option<String> {
    let mut code = String::with_capacity(SHORT_CODE_LENGTH);
    for letter in message.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let digit = match letter {
            '０'..='９' => char::from_u32(u32::from(letter) - u32::from('０') + u32::from('0'))?,
            letter => letter,
        };
        if !digit.is_ascii_digit() || code.len() == SHORT_CODE_LENGTH {
            return None;
        }
        code.push(digit);
    }
    (code.len() == SHORT_CODE_LENGTH).then_some(code)
}

/// So many letters, each as likely as the others.
fn text(random: &dyn Random, letters: &[u8], length: usize) -> String {
    // The largest multiple of their number that a byte can hold.
    let end = 256 - 256 % letters.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0_u8; 32];
        random.fill(&mut bytes);
        let chosen = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < end);
        let chosen = chosen.filter_map(|byte| letters.get(byte % letters.len()));
        text.extend(chosen.take(length - text.len()).map(|letter| char::from(*letter)));
    }
    text
}

/// Whether a text can be a scene.
pub(super) fn is_scene(text: &str) -> bool {
    text.len() == SCENE_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use hufu_types::SystemRandom;

    use super::*;

    #[test]
    fn scenes_are_letters_and_digits() {
        let scenes: std::collections::HashSet<_> = (0..1000).map(|_| new_scene(&SystemRandom)).collect();
        assert!(scenes.len() == 1000 && scenes.iter().all(|scene| is_scene(scene)));
        let mut seen: Vec<u8> = scenes.iter().flat_map(|scene| scene.bytes()).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), LETTERS.len());
        assert!(!is_scene("") && !is_scene(&"a".repeat(23)) && !is_scene("a-aaaaaaaaaaaaaaaaaaaa"));
    }

    #[test]
    fn short_codes_are_read_as_followers_type_them() {
        let code = new_short_code(&SystemRandom);
        assert_eq!(read_short_code(&code), Some(code));
        for typed in ["12345678", " 1234 5678\n", "1234-5678", "１２３４５６７８"] {
            assert_eq!(read_short_code(typed).as_deref(), Some("12345678"), "{typed}");
        }
        for typed in ["", "1234567", "123456789", "code 12345678", "1234567a"] {
            assert_eq!(read_short_code(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_ticket_says_nothing_of_its_secret() {
        let ticket = ticket_of("hfq_1");
        assert!(ticket.expose().starts_with("hft_") && ticket.expose().len() == 68);
        assert_ne!(ticket.expose(), ticket_of("hfq_2").expose());
        assert_eq!(hash_of_secret("hfq_1"), hash_token(ticket.expose()));
    }
}
