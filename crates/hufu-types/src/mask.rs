//! Masks login names so that only their owner recognizes them.

use serde_json::{Map, Value};

use crate::{Email, Phone, User, Username};

impl Phone {
    /// The number with its middle masked: `+86138****0000`.
    pub fn masked(&self) -> String {
        let (code, number) = self.parts();
        // Keep at least half of the number hidden, or four digits of a long one.
        let tail = 4.min((number.len() / 2).saturating_sub(1));
        let head = 3.min(number.len().saturating_sub(tail + 4));
        // A number consists of ASCII digits, so byte offsets are character offsets.
        let start = number.get(..head).unwrap_or_default();
        let end = number.get(number.len() - tail..).unwrap_or_default();
        format!("{code}{start}****{end}")
    }
}

impl Email {
    /// The address with everything but its first character and its domain masked: `b***@example.com`.
    pub fn masked(&self) -> String {
        let (local, domain) = self.as_str().rsplit_once('@').unwrap_or_default();
        let first: String = local.chars().take(1).collect();
        format!("{first}***@{domain}")
    }
}

impl Username {
    /// The name with everything but its first character masked: `a***`.
    pub fn masked(&self) -> String {
        masked(self.as_str())
    }
}

impl User {
    /// A name that the account's owner recognizes and nobody else learns: of a number, an address or a name what
    /// [`User::masked_names`] shows, otherwise the beginning of the nickname or the end of the id.
    pub fn masked_name(&self) -> String {
        let phone = self.phone.as_ref().map(|(phone, _)| phone.masked());
        let email = || self.email.as_ref().map(Email::masked);
        let username = || self.username.as_ref().map(Username::masked);
        let nickname = || self.profile.nickname.as_deref().filter(|name| !name.trim().is_empty()).map(masked);
        let name = phone.or_else(email).or_else(username).or_else(nickname);
        name.unwrap_or_else(|| {
            let id = self.id.as_str();
            format!("***{}", id.get(id.len().saturating_sub(4)..).unwrap_or_default())
        })
    }

    /// The login names of the account, masked, by their names in the API. Those that it lacks are left out.
    pub fn masked_names(&self) -> Map<String, Value> {
        let names = [
            ("username", self.username.as_ref().map(Username::masked)),
            ("email", self.email.as_ref().map(Email::masked)),
            ("phone", self.phone.as_ref().map(|(phone, _)| phone.masked())),
            ("externalId", self.external_id.as_deref().map(masked)),
        ];
        names.into_iter().filter_map(|(name, masked)| Some((name.to_owned(), masked?.into()))).collect()
    }
}

/// Any id with all but its first character hidden.
pub fn masked(text: &str) -> String {
    let first: String = text.chars().take(1).collect();
    format!("{first}***")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_masked_hides_most_of_itself() {
        for (phone, masked) in [
            ("+8613800000000", "+86138****0000"),
            ("+12025550123", "+120****0123"),
            ("+85291234567", "+8529****567"),
            ("+35312345", "+353****5"),
        ] {
            assert_eq!(Phone::parse(phone).unwrap().masked(), masked);
        }
        assert_eq!(Email::parse("bob@example.com").unwrap().masked(), "b***@example.com");
        assert_eq!(Username::parse("虎符").unwrap().masked(), "虎***");
        assert_eq!(masked("oABC"), "o***");
    }
}
